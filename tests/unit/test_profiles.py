"""Profiles of meters: what is refused and where, which one serves a meter, what a driver makes of it."""

from __future__ import annotations

import asyncio
import fnmatch
import re
from collections.abc import Sequence
from dataclasses import astuple, replace
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest
from docs.generate import DOCS
from hypothesis import given
from hypothesis import strategies as st

from meterlink.bus.exchange import Timing as BusTiming
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer, Window
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError
from meterlink.model.marks import Marks
from meterlink.transports.memory import memory_line
from meterprofiles import Profile, ProfileError, Profiles, generic, load_file, load_profile, packaged
from meterprofiles.load import FILES_MAX
from meterprofiles.patterns import overlap
from meterprofiles.places import TEXT_MAX
from meterprofiles.schema import (
    PROTOCOLS,
    QUIRKS_MAX,
    TOGETHER_MAX,
    ControlTraits,
    MemoryTraits,
    MeterTraits,
)
from metersim import Simulation
from meterwire.dlt645 import (
    Deframer,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    encode,
    from_frame,
    to_frame,
)

_LAYOUT = """\
profile: dlt645-2007/turned
matches: {protocol: dlt645-2007, model: "DTZ*"}
line: {baud: 9600, parity: none, preamble: 1, answer_preamble: 2}
timing: {reply_timeout_ms: 2000, octet_gap_ms: 400, turnaround_ms: 90, reply_delay_ms: 300}
dialect: state_grid
layout:
  variable_numbering: from_00
  demand_period: one_octet
"""
_GOOD = """\
profile: dlt645-1997/test
matches:
  protocol: dlt645-1997
  model: "DD86*"
line: {baud: 1200, parity: even, preamble: 2}
timing: {reply_timeout_ms: 800, octet_gap_ms: 500, turnaround_ms: 60}
quirks:
  - kind: signed_value
    item: active_power
    evidence: spec section 9.2
"""


def _changed(old: str, new: str, text: str = _GOOD) -> str:
    assert old in text
    return text.replace(old, new)


def _turned(old: str, new: str) -> str:
    return _changed(old, new, _LAYOUT)


def test_each_protocol_has_its_generic_profile() -> None:
    """A meter that can be configured would have no timing."""
    assert [*PROTOCOLS] == [generic(protocol).protocol for protocol in PROTOCOLS]
    assert len(packaged().all) >= len(PROTOCOLS)
    assert all(generic(protocol).model == "" for protocol in PROTOCOLS)


@pytest.mark.parametrize("profile", packaged().all, ids=lambda profile: profile.name)
def test_a_packaged_profile_is_what_it_is_to_a_person_who_copies_it(profile: Profile) -> None:
    """Ours are read in a quicker way, and what was copied from one would mean something else."""
    folders = [folder for folder in resources.files("meterprofiles").iterdir() if folder.is_dir()]
    texts = [
        file.read_text("utf-8")
        for folder in folders
        for file in folder.iterdir()
        if file.name == profile.file
    ]
    assert [profile] == [load_profile(text, profile.file) for text in texts]


def test_a_profile_says_what_a_meter_is() -> None:
    """Every meter of a plant would be the same three-phase one."""
    usual = load_profile(_GOOD, "profile.yaml").meter
    assert MeterTraits(phases=3, connection="direct", relay="built_in", cost_control="none") == usual
    text = _GOOD + "meter: {phases: 1, voltage_v: 230, basic_current_a: 70, relay: external}\n"
    expected = MeterTraits(
        phases=1, voltage_v=230, basic_current_a=70, max_current_a=70, relay="external", tariffs=4
    )
    assert expected == load_profile(text, "profile.yaml").meter
    whole = _GOOD + "meter: {connection: ct_pt, max_current_a: 1000, tariffs: 1, cost_control: remote}\n"
    expected = MeterTraits(connection="ct_pt", max_current_a=1000, tariffs=1, cost_control="remote")
    assert expected == load_profile(whole, "profile.yaml").meter


def test_a_profile_says_in_which_form_enciphered_orders_go() -> None:
    """A meter would count each of them as a wrong MAC, or never tell why it refuses."""
    assert ControlTraits(asks_words=False, cipher_block="whole") == load_profile(_GOOD, "x.yaml").control
    told = load_profile(_GOOD + "control: {asks_words: true, cipher_block: split}\n", "x.yaml").control
    assert ControlTraits(asks_words=True, cipher_block="split") == told


@pytest.mark.parametrize("key", ["asks_words: true", "cipher_block: split"])
def test_what_only_one_protocol_knows_is_refused_in_the_other(key: str) -> None:
    """Somebody would take a refusal without a cause for one that was asked to tell it."""
    text = f"{_698}control: {{{key}}}\n"
    with pytest.raises(ProfileError, match="one form of enciphered orders"):
        load_profile(text, "x.yaml")


def test_a_profile_says_how_much_a_meter_remembers() -> None:
    """Backfill would ask for what was overwritten long ago, or give up what is still there."""
    usual = {protocol: generic(protocol).memory for protocol in PROTOCOLS}
    assert (62, 12, 2880, 15) == astuple(usual["dlt645-2007"])[:4]
    assert (0, 2, 0) == astuple(usual["dlt645-1997"])[:3]
    assert usual["dlt645-2007"] == usual["dlt698.45"]
    assert not any(memory.sure for memory in usual.values()), "the standards do not vouch for a make"
    text = _LAYOUT + "memory: {daily_freeze: 30, curve: 65535, curve_every_min: 60}\n"
    expected = MemoryTraits(
        daily_freeze=30,
        curve=65_535,
        curve_every_min=60,
        sure=frozenset({"daily_freeze", "curve", "curve_every_min"}),
    )
    assert expected == load_profile(text, "profile.yaml").memory
    assert 65_535 == load_profile(_698 + "memory: {daily_freeze: 65535}\n", "f").memory.daily_freeze


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_the_catalogue_has_the_four_kinds_of_meter(protocol: str) -> None:
    """Who has no document of a meter could not say even of which kind it is."""
    kinds = {
        name: packaged().find(protocol, f"generic-{name}").meter
        for name in ("single-phase", "three-phase", "remote-cost-control", "local-prepayment")
    }
    assert [1, 3, 1, 1] == [meter.phases for meter in kinds.values()]
    assert ["direct", "ct", "direct", "direct"] == [meter.connection for meter in kinds.values()]
    assert ["none", "none", "built_in", "built_in"] == [meter.relay for meter in kinds.values()]
    assert ["none", "none", "remote", "local"] == [meter.cost_control for meter in kinds.values()]


def test_a_name_wins_over_a_pattern() -> None:
    """A folder with one pattern for everything would clash with every model that has a profile."""
    named = load_profile(_turned("DTZ*", "DTZ341"), "named.yaml")
    pattern = replace(load_profile(_LAYOUT, "pattern.yaml"), name="dlt645-2007/pattern")
    for both in ([named, pattern], [pattern, named]):
        assert named == Profiles(both).find("dlt645-2007", "DTZ341")
        assert pattern == Profiles(both).find("dlt645-2007", "DTZ342")
    with pytest.raises(ProfileError, match="could both serve a model"):
        Profiles([named, replace(named, name="another")])


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (_changed("profile:", "profil:"), ":1:", "unknown key 'profil'"),
        (_changed("  protocol: dlt645-1997\n", ""), ":3:", "'protocol' is missing"),
        (_changed("dlt645-1997\n  model", "dlt645-98\n  model"), ":3:", "none of dlt645-2007, dlt645-1997"),
        (_changed("baud: 1200", "baud: 1201"), ":5:", "none of 600"),
        (_changed("preamble: 2", "preamble: 17"), ":5:", "whole number of 0 to 16"),
        (_changed("preamble: 2", "preamble: -1"), ":5:", "whole number of 0 to 16"),
        (_changed("preamble: 2", "preamble: two"), ":5:", "'two' is no whole number"),
        (_changed("800", "49"), ":6:", "whole number of 50 to 120000"),
        (_changed("60}", "60, extra: 1}"), ":6:", "unknown key 'extra'"),
        (_changed("60}", "60, octet_gap_ms: 1}"), ":6:", "stands here twice"),
        (_changed("signed_value", "eval"), ":8:", "none of signed_value"),
        (_changed("active_power", "activ_power"), ":9:", "no quantity 'activ_power'"),
        (_changed("    evidence: spec section 9.2\n", ""), ":8:", "'evidence' is missing"),
        (_changed("evidence: spec section 9.2", "evidence: ''"), ":10:", "write a text"),
        (_GOOD.partition("quirks:")[0] + "quirks: none\n", ":7:", "write a list"),
        (_changed("{baud: 1200, parity: even, preamble: 2}", "[1]"), ":5:", "write keys and values"),
        (_changed("1200", "*x"), ":5:", "aliases"),
        ("profile: [", ":1:", "no YAML"),
        ("", ":1:", "empty"),
        ("#" * (TEXT_MAX + 1), ":1:", "at most 65536"),
        (_GOOD + _GOOD[_GOOD.index("  - ") :] * QUIRKS_MAX, ":8:", "at most 32"),
        ("[" * 20_000, ":1:", "nested more than 8 deep"),
        (_turned("state_grid", "fujian"), ":5:", "none of standard, state_grid, southern_grid"),
        (
            _turned("variable_numbering", "numbering"),
            ":7:",
            "unknown key 'numbering'; there are: variable_num",
        ),
        (_turned("from_00", "from_02"), ":7:", "none of from_01, from_00"),
        (_turned("demand_period", "variable_numbering"), ":8:", "stands here twice"),
        (
            _turned("state_grid\n", "standard\n") + "  freeze_07: monthly\n",
            ":7:",
            "does not go with the dialect",
        ),
        (_GOOD + "layout: {harmonics: percent}\n", ":11:", "dlt645-1997 has no switches"),
        (_turned("answer_preamble: 2", "answer_preamble: 17"), ":3:", "whole number of 0 to 16"),
        (_turned("reply_delay_ms: 300", "reply_delay_ms: 2000"), ":4:", "whole number of 0 to 1999"),
        (
            _LAYOUT + "quirks:\n  - {kind: signed_value, item: active_power, evidence: x}\n",
            ":10:",
            "has a sign already",
        ),
        (
            _LAYOUT + "quirks:\n  - {kind: signed_value, item: meter_date, evidence: x}\n",
            ":10:",
            "is no number",
        ),
        (_GOOD + "meter: {phases: 2}\n", ":11:", "none of 1, 3"),
        (_GOOD + "meter: {tariffs: 5}\n", ":11:", "whole number of 1 to 4"),
        (_GOOD + f"reads: {{together: {TOGETHER_MAX + 1}}}\n", ":11:", "whole number of 1 to 32"),
        (_GOOD + "reads: {together: 0}\n", ":11:", "whole number of 1 to 32"),
        (_GOOD + "meter: {basic_current_a: 20, max_current_a: 19}\n", ":11:", "whole number of 20 to 1000"),
        (_GOOD + "meter: {relay: none, cost_control: local}\n", ":11:", "local needs a relay"),
        (_GOOD + "meter: {colour: red}\n", ":11:", "unknown key 'colour'"),
        (_GOOD + "control: {cipher_block: halved}\n", ":11:", "none of whole, split"),
        (_GOOD + "control: {no_expiry: true}\n", ":11:", "could be obeyed hours later"),
        (_GOOD + "memory: {monthly_freeze: 3}\n", ":11:", "whole number of 0 to 2"),
        (_GOOD + "memory: {daily_freeze: 1}\n", ":11:", "whole number of 0 to 0"),
        (_LAYOUT + "memory: {daily_freeze: 63}\n", ":9:", "whole number of 0 to 62"),
        (_LAYOUT + "memory: {monthly_freeze: 13}\n", ":9:", "whole number of 0 to 12"),
        (_LAYOUT + "memory: {curve: 65536}\n", ":9:", "whole number of 0 to 65535"),
        (_LAYOUT + "memory: {curve_every_min: 0}\n", ":9:", "whole number of 1 to 1440"),
        (_LAYOUT + "memory: {sure: [curve]}\n", ":9:", "unknown key 'sure'"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(text: str, where: str, what: str) -> None:
    """A slip in a profile would change how a whole model is read."""
    with pytest.raises(ProfileError) as caught:
        load_profile(text, "x.yaml")
    message = str(caught.value)
    assert message.startswith("x.yaml" + where), message
    assert what in message


def test_the_one_profile_that_serves() -> None:
    """One of two profiles would win by the order of files."""
    named, everybody = load_profile(_GOOD, "a"), generic("dlt645-1997")
    profiles = Profiles([named, everybody])
    assert named is profiles.find("dlt645-1997", "DD862")
    assert everybody is profiles.find("dlt645-1997", "DTS")
    assert everybody is profiles.find("dlt645-1997")
    with pytest.raises(ProfileError, match="no profile serves dlt645-2007"):
        profiles.find("dlt645-2007")
    also = load_profile(_changed("/test", "/other"), "b")
    with pytest.raises(ProfileError, match=r"b: dlt645-1997/test and .* could both .*other: a\)"):
        Profiles([named, also])
    with pytest.raises(ProfileError, match=r"b: two profiles are called dlt645-1997/test; .*other: a\)"):
        Profiles([named, load_profile(_GOOD, "b")])
    general = load_profile(_changed('  model: "DD86*"\n', ""), "c")
    with pytest.raises(ProfileError, match="both serve every dlt645-1997 meter"):
        Profiles([general, everybody])


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("X*", "XY*", True),
        ("X*", "Y*", False),
        ("*1", "X*", True),
        ("X*1", "X*2", False),
        ("X?1", "XY1", True),
        ("X?", "XYZ", False),
        ("X[AB]*", "XA1", True),
        ("DTZ341", "DTZ341", True),
        ("DTZ341", "DTZ342", False),
        ("*A*B", "B*A", False),
        ("*A*", "*B*", True),
        ("*", "", True),
    ],
)
def test_models_that_two_patterns_fit_are_found_before_one_is_read(one: str, other: str, both: bool) -> None:
    """A meter would be refused a year later, when its model is entered."""
    assert (both, both) == (overlap(one, other), overlap(other, one))


@given(st.text("AB*?", max_size=6), st.text("AB*?", max_size=6), st.text("AB", max_size=6))
def test_no_name_that_fits_two_patterns_is_missed(one: str, other: str, name: str) -> None:
    """Two profiles could serve one meter after all, and the order of files would choose."""
    if fnmatch.fnmatchcase(name, one) and fnmatch.fnmatchcase(name, other):
        assert overlap(one, other)


def test_a_file_that_is_no_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    """Somebody with an editor of another encoding would look for the fault in the whole file."""
    file = tmp_path / "x.yaml"
    file.write_bytes(_GOOD.encode() + "# 国网".encode("gbk"))
    line = _GOOD.count("\n") + 1
    with pytest.raises(ProfileError, match=rf"x\.yaml:{line}: octet B9H is no UTF-8; save the file as UTF-8"):
        load_file(file)
    with pytest.raises(ProfileError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_file(tmp_path / "nowhere.yaml")


def _read(
    profile: Profile, item: str, *pieces: bytes, window: Window | None = None
) -> tuple[MeterAnswer, bytes]:
    """What a driver with ``profile`` makes of an answer in pieces, and what it asked."""
    sim = Simulation(seed=1)
    asked = bytearray()

    async def main() -> MeterAnswer:
        ours, theirs = memory_line()

        async def opener() -> object:
            return ours

        async def answer() -> None:
            deframer = Deframer()
            while True:
                octets = await theirs.receive()
                asked.extend(octets)
                for frame in deframer.feed(octets):
                    message = from_frame(frame)
                    await theirs.send(encode(to_frame(_piece_of(message, pieces), profile.edition)))

        line = Line("x", opener=opener, timing=BusTiming(), rng=sim.random)  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run(), name="owner")
            meter = group.create_task(answer(), name="meter")
            driver = Dlt645Driver(sim.clock, profile=profile)
            said = await driver.read(line, "000000000161", item, window=window, priority=Priority.ON_DEMAND)
            owner.cancel()
            meter.cancel()
        await theirs.aclose()
        return said

    return sim.run(main()), bytes(asked)


def _piece_of(request: object, pieces: Sequence[bytes]) -> ReadReply | ReadFollowingReply:
    assert isinstance(request, ReadRequest | ReadFollowingRequest)
    number = request.sequence if isinstance(request, ReadFollowingRequest) else 0
    more = number < len(pieces) - 1
    if not isinstance(request, ReadFollowingRequest):
        return ReadReply(address=request.address, di=request.di, data=pieces[0], has_following=more)
    return ReadFollowingReply(
        address=request.address, di=request.di, data=pieces[number], sequence=number, has_following=more
    )


@pytest.mark.parametrize(("value", "repeated"), [("sequence", b""), ("parameters_and_sequence", b"\x02")])
def test_the_switch_for_load_records_reaches_the_line(value: str, repeated: bytes) -> None:
    """Records of more than one frame could not be read from meters that want the parameters again."""
    profile = load_profile(_turned("variable_numbering: from_00", f"load_follow_up: {value}"), "a")
    record, window = _LOAD_RECORD, Window(count=2)
    answer, asked = _read(
        profile, "load_records@class.1/load_which.2", record[:60], record[60:], window=window
    )
    requests = [from_frame(frame) for frame in Deframer().feed(asked)]
    address, di = "000000000161", 0x06010002
    assert [
        ReadRequest(address=address, di=di, selector=b"\x02"),
        ReadFollowingRequest(address=address, di=di, sequence=1, selector=repeated),
    ] == requests
    assert ("2026-09-08 15:02", "420.4") == (answer.values[0].text, answer.values[1].text)


_LOAD_RECORD = bytes.fromhex(
    "A0A06202150809260442232142006179438058449937451817AA379646567547755448943349131350329250517151705052AA"
    "8949084927484647AA65463621842537210305382122843821AA41633921604240217921412198004221AA178062365963AA8FE5"
)


@pytest.mark.parametrize(
    ("raw", "plain", "signed"),
    [("123480", "80.3412", "-0.3412"), ("1234A0", None, "-20.3412"), ("123400", "0.3412", "0.3412")],
)
def test_a_quirk_changes_what_is_read(raw: str, plain: str | None, signed: str) -> None:
    """Power that flows back would be read as a large load, as the standard has no sign there."""
    quirky, usual = load_profile(_GOOD, "a"), generic("dlt645-1997")
    (value,) = _read(quirky, "active_power", bytes.fromhex(raw))[0].values
    assert (Decimal(signed), "kW") == (value.value, value.unit)
    (value,) = _read(usual, "active_power", bytes.fromhex(raw))[0].values
    assert (None if plain is None else Decimal(plain)) == value.value
    assert (Marks.INVALID_DIGITS in value.marks) == (plain is None)
    (value,) = _read(quirky, "reactive_power", bytes.fromhex("3480"))[0].values
    assert Decimal("80.34") == value.value, "a quirk is about its own item"


def test_the_preamble_is_the_profiles() -> None:
    """A meter that needs its wake-up octets would stay asleep."""
    _, asked = _read(load_profile(_GOOD, "a"), "voltage.a", b"\x20\x02")
    assert b"\xfe\xfeh" == asked[:3]


def test_a_profile_says_what_its_identifiers_mean() -> None:
    """A switch in a file would change nothing."""
    turned, usual = load_profile(_LAYOUT, "a"), generic("dlt645-2007")
    assert (("variable_numbering", "from_00"),) == turned.layout, "a default is no difference"
    assert ("from_00", "one_octet", "percent", "") == tuple(
        turned.switch(name) for name in ("variable_numbering", "demand_period", "harmonics", "no_such")
    )
    assert ("state_grid", "state_grid", "standard") == (
        turned.spoken,
        usual.spoken,
        load_profile(_turned("state_grid", "standard"), "a").spoken,
    )
    assert (2, 300, 0, 20) == (
        turned.line.answer_preamble,
        turned.timing.reply_delay_ms,
        usual.line.answer_preamble,
        usual.timing.reply_delay_ms,
    )
    entries = [profile.dictionary.by_name("frequency") for profile in (turned, usual)]
    assert [0x02800001, 0x02800002] == [entry.di for entry in entries if entry]


def test_the_documented_profile_is_one() -> None:
    """Whoever begins with the example would begin with an error."""
    example, other, map_of_registers = re.findall(
        r"```yaml\n(.*?)```", (DOCS / "profiles.md").read_text(encoding="utf-8"), re.DOTALL
    )
    profile = load_profile(example, "profiles.md")
    assert (2, "state_grid", 1) == (len(profile.layout), profile.spoken, len(profile.quirks))
    assert "password" == load_profile(other, "profiles.md").association.connect
    registers = load_profile(map_of_registers, "profiles.md").registers
    assert registers is not None
    assert 3 == len(registers.rows)


def _own_folder(folder: Path, *texts: str) -> Path:
    for number, text in enumerate(texts):
        (folder / f"own{number}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_users_have_a_folder_of_their_own(tmp_path: Path) -> None:
    """A plant could not say how its meters differ without changing the program."""
    (tmp_path / "notes.txt").write_text("no profile", encoding="utf-8")
    profiles = MeterProfiles(_own_folder(tmp_path, _GOOD, _LAYOUT))
    assert "dlt645-2007/turned" == profiles.find("dlt645-2007", "DTZ341").name
    assert "dlt645-2007/generic" == profiles.find("dlt645-2007", "DDZY1").name
    assert "dlt645-1997/test" == profiles.chosen("dlt645-1997/test").name
    assert "dlt645-2007/turned" == MeterProfiles().chosen(str(tmp_path / "own1.yaml")).name
    everybody = _own_folder(tmp_path, _GOOD, _turned("DTZ*", "*"))
    assert "dlt645-2007/turned" == MeterProfiles(everybody).find("dlt645-2007").name, "* is in place of ours"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ((_changed("preamble: 2", "preamble: 99"),), "own0.yaml:5: line.preamble: '99' is no whole number"),
        ((_GOOD, _GOOD), "two profiles are called dlt645-1997/test"),
        ((_changed('  model: "DD86*"\n', ""),), "both serve every dlt645-1997 meter"),
        (("#" * (4 * TEXT_MAX + 1),), "own0.yaml:1: too long"),
    ],
)
def test_a_folder_with_a_fault_is_refused(tmp_path: Path, texts: tuple[str, ...], said: str) -> None:
    """The daemon would start and read a whole model wrongly."""
    with pytest.raises(ConfigError) as caught:
        MeterProfiles(_own_folder(tmp_path, *texts))
    assert said in str(caught.value)


def test_what_is_no_folder_or_no_profile_is_refused(tmp_path: Path) -> None:
    """A typing error in a path would read every meter with the generic profile."""
    with pytest.raises(ConfigError, match="is no folder"):
        MeterProfiles(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="cannot be read"):
        MeterProfiles().chosen(str(tmp_path / "nowhere.yaml"))
    with pytest.raises(ConfigError, match="no profile is called 'x'; there is dlt645-1997/generic"):
        MeterProfiles().chosen("x")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match=r"bad\.yaml:1: octet FFH is no UTF-8"):
        MeterProfiles(tmp_path)


def test_a_folder_has_a_limit(tmp_path: Path) -> None:
    """A wrong folder would be read for minutes."""
    for number in range(FILES_MAX + 1):
        (tmp_path / f"{number}.yaml").touch()
    with pytest.raises(ConfigError, match="1001 profiles, at most 1000"):
        MeterProfiles(tmp_path)


def test_a_load_record_is_asked_for_by_its_number() -> None:
    """Meters refuse a request for load records that does not say how many."""
    for item, selector in (("load_records@class.1/load_which.2", b"\x01"), ("frequency", b"")):
        entry = generic("dlt645-2007").dictionary.by_name(item)
        assert entry is not None
        data = (
            entry.encode([value.content for value in entry.decode(_LOAD_RECORD)]) if selector else b"\x00\x50"
        )
        _, asked = _read(generic("dlt645-2007"), item, data)
        (frame,) = Deframer().feed(asked)
        assert ReadRequest(address="000000000161", di=entry.di, selector=selector) == from_frame(frame)


# --- DL/T 698.45 -----------------------------------------------------------------------------------

_698 = """\
profile: dlt698.45/test
matches: {protocol: dlt698.45, model: "DTZ*"}
line: {baud: 9600, parity: even, preamble: 4}
timing: {reply_timeout_ms: 2000, octet_gap_ms: 500, turnaround_ms: 20}
association: {connect: password, version: 16, client: 1, logical: 1, wrap_reads: true, ask_scalers: true}
"""


def test_how_a_meter_wants_to_be_spoken_to() -> None:
    """A meter that wants CONNECT, another client address or wrapped reads could not be read."""
    assert ("password", 16, 1, 1, True, True) == astuple(load_profile(_698, "f").association)


def test_without_a_word_it_is_spoken_to_as_most_are() -> None:
    """The defaults: no CONNECT, client 10H, the whole device, nothing wrapped."""
    bare = load_profile(_698.partition("association")[0], "f")
    assert ("never", 0x16, 0x10, 0, False, False) == astuple(bare.association)
    assert generic("dlt698.45").association == bare.association


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (_changed("connect: password", "connect: secret", _698), "none of never, null, password"),
        (_changed("client: 1", "client: 256", _698), "whole number of 0 to 255"),
        (_changed("logical: 1", "logical: 4", _698), "whole number of 0 to 3"),
        (_changed("version: 16", "version: 65536", _698), "whole number of 0 to 65535"),
        (_changed("wrap_reads: true", "wrap_reads: 1", _698), "none of true, false"),
        (_changed("ask_scalers", "scalers", _698), "unknown key 'scalers'"),
        (_698 + "dialect: state_grid\n", "dlt698.45 has no dialect"),
        (_698 + "quirks: []\n", "dlt698.45 has no quirks"),
        (_GOOD + "association: {connect: never}\n", "dlt645-1997 has no association"),
    ],
)
def test_a_wrong_association_is_named(text: str, what: str) -> None:
    """A typing error would leave a meter without its CONNECT, and nobody would know why it refuses."""
    with pytest.raises(ProfileError, match=r"f:\d+:") as caught:
        load_profile(text, "f")
    assert what in str(caught.value)
