"""Profiles of meters: what is refused and where, which one serves a meter, what a driver makes of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing as BusTiming
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer
from meterlink.drivers.dlt645 import Dlt645Driver
from meterlink.model.marks import Marks
from meterlink.transports.memory import memory_line
from meterprofiles import Profile, ProfileError, Profiles, generic, load_profile, packaged
from meterprofiles.places import TEXT_MAX
from meterprofiles.schema import PROTOCOLS, QUIRKS_MAX
from metersim import Simulation
from meterwire.dlt645 import Deframer, ReadReply, ReadRequest, encode, from_frame, to_frame

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


def _changed(old: str, new: str) -> str:
    assert old in _GOOD
    return _GOOD.replace(old, new)


def test_each_protocol_has_its_generic_profile() -> None:
    """A meter that can be configured would have no timing."""
    assert [*PROTOCOLS] == [generic(protocol).protocol for protocol in PROTOCOLS]
    assert len(packaged().all) >= len(PROTOCOLS)
    assert all(generic(protocol).model == "" for protocol in PROTOCOLS)


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
    with pytest.raises(ProfileError, match="dlt645-1997/test and dlt645-1997/other both match model 'DD862'"):
        Profiles([named, also]).find("dlt645-1997", "DD862")
    with pytest.raises(ProfileError, match="two profiles are called"):
        Profiles([named, named])
    general = load_profile(_changed('  model: "DD86*"\n', ""), "c")
    with pytest.raises(ProfileError, match="both serve every dlt645-1997 meter"):
        Profiles([general, everybody])


def _read(profile: Profile, item: str, data: bytes) -> tuple[MeterAnswer, bytes]:
    """What a driver with ``profile`` makes of an answer, and what it asked."""
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
                    assert isinstance(message, ReadRequest)
                    reply = ReadReply(address=frame.address, di=message.di, data=data)
                    await theirs.send(encode(to_frame(reply, profile.protocol)))

        line = Line("x", opener=opener, timing=BusTiming(), rng=sim.random)  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run(), name="owner")
            meter = group.create_task(answer(), name="meter")
            driver = Dlt645Driver(sim.clock, profile=profile)
            said = await driver.read(line, "000000000161", item, priority=Priority.ON_DEMAND)
            owner.cancel()
            meter.cancel()
        await theirs.aclose()
        return said

    return sim.run(main()), bytes(asked)


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
