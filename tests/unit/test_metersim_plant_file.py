"""The plant file: what it says, what it leaves out, and what it is told when it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterprofiles import ProfileError
from meterprofiles.load import load_file
from metersim import Faults, SimClock
from metersim.dlt698 import Meter698
from metersim.dlt698.meter import FACTORY_PASSWORD
from metersim.line.fault_rules import FaultRule
from metersim.line.medium import Medium
from metersim.line.port import Port
from metersim.plant.at import At
from metersim.plant.built import BuiltPlant
from metersim.plant.capture import FILE_OCTETS_MAX, CaptureError, read_capture
from metersim.plant.checked import FAULTS_SHOWN_MAX, TEXT_MAX, PlantError
from metersim.plant.concentrator_row import ConcentratorRow
from metersim.plant.happenings import Happening
from metersim.plant.making import works_of
from metersim.plant.plant import LINES_MAX, Plant, load_plant, read_plant
from metersim.plant.rows import METERS_MAX, MeterRow
from metersim.plant.scenario import ScenarioError, load_scenario_file
from metersim.works.load import Load
from metersim.works.timetable import TARIFFS
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.parts import ActionItem, Dar, Piid, TimeTag
from meterwire.dlt698.axdr.selection import Omd, Ti
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from tests.support.meter698 import Client

WHOLE = """\
plant: substation-7
seed: 7
time: x60
start: 2026-10-01T00:00:00+08:00
api: 127.0.0.1:0
lines:
  - name: east
    at: tcp://127.0.0.1:6450
    meters:
      - {count: 8, address: 161, profile: dlt645-2007/single-phase, mean_kw: 0.25, faults: {silence: 0.1}}
      - {address: "000000000200", profile: dlt698.45/three-phase, clock_ahead_s: -90, first_block: 0}
      - {faults: garbage}
  - at: pty:/tmp/ttyMETER
    paced: true
    baud: 2400
    medium: {echo: 1}
    meters:
      - address: "000000000300"
        meter_number: 12345678
        profile: dlt645-2007/three-phase
        load: factory
        mean_kw: 40
        ct_ratio: 40
        clock_drift_s_per_day: 2
        parity: none
"""

START = datetime(2026, 10, 1, tzinfo=UTC)
ROW = "lines:\n- meters:\n  - "
IN_ROW = "p.yaml:3: lines[1].meters[1]"


_KEYS = [
    *("", "plant: ", "seed: ", "time: ", "start: ", "api: ", "scenario: ", "lines: ", "concentrators: "),
    *(
        f"lines: [{{{key}: "
        for key in ("name", "at", "paced", "baud", "parity", "medium", "server", "meters")
    ),
    *(f"lines: [{{meters: [{{{field.name}: " for field in fields(MeterRow)),
    *(f"concentrators: [{{{field.name}: " for field in fields(ConcentratorRow)),
    *("scenario: {scenario: x, faults: ", "scenario: {scenario: x, happenings: "),
    *(f"scenario: {{scenario: x, faults: [{{{field.name}: " for field in fields(FaultRule)),
    *(f"scenario: {{scenario: x, happenings: [{{{field.name}: " for field in fields(Happening)),
]
"""How a file begins whose next value is another than its key wants."""
_WORDS_OF_PYTHON = (
    "tuple",
    "instance",
    "dictionary",
    "mapping",
    "Decimal",
    "timedelta",
    "datetime",
    "valid ",
)


def _periods(count: int) -> str:
    """A day of so many tariffs, in the form of a file."""
    times = (f"{number // 2:02d}:{number % 2 * 30:02d}: {number % 4 + 1}" for number in range(count))
    return f"{{{', '.join(times)}}}"


def test_a_plant_file_says_what_stands_where() -> None:
    """Somebody's plant would be another one than the file describes."""
    plant = read_plant(WHOLE, "plant.yaml")
    assert ("substation-7", 7, 60) == (plant.plant, plant.seed, plant.time)
    assert datetime(2026, 9, 30, 16, tzinfo=UTC) == plant.start
    meters = [*plant.meters()]
    addresses = [*range(161, 169), 200, 201, 300]  # what has no address follows the one before
    assert [f"{address:012d}" for address in addresses] == [meter.address for meter in meters]
    assert ["east"] * 10 + ["line-2"] == [meter.line for meter in meters]
    east, second = plant.lines
    assert At(port=6450) == east.at
    assert At(kind="pty", link=Path("/tmp/ttyMETER")) == second.at
    single, three, broken = east.meters
    assert (1, Decimal("0.25"), Faults(silence=0.1)) == (
        single.profile.meter.phases,
        single.mean_kw,
        single.faults,
    )
    assert ("dlt698.45", Decimal(-90), 0) == (three.profile.protocol, three.clock_ahead_s, three.first_block)
    assert (Port(2400, "none"), Medium(echo=1.0), True) == (second.client, second.medium, second.paced)
    assert (None, False) == (east.client, east.minds_ports)
    [ct] = second.meters
    assert (Port(2400, "none"), "000012345678", Decimal(40)) == (ct.port, ct.meter_number, ct.ct_ratio)
    works = BuiltPlant(plant, clock=SimClock(), record=lambda _: None).meter("000000000300").works
    assert (Load(kind="factory", mean_kw=Decimal(40)), 3) == (works.load, works.plate.phases)
    assert ("000012345678", "000000000300") == (works.plate.meter_number, works.plate.customer_number)
    assert (True, False) == (broken.is_garbage, single.is_garbage)


def test_a_plant_file_may_leave_everything_out() -> None:
    """A newcomer's first file would be refused for want of keys that have an obvious value."""
    assert Plant() == read_plant("{}", "plant.yaml")
    assert Plant(plant="p") == read_plant("plant: p", "plant.yaml")
    assert ["000000000001"] == [meter.address for meter in Plant().meters()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml:1: the file is empty"),
        ("lines: [", "p.yaml:1: no YAML"),
        ("a: &x 1\nb: *x", "p.yaml:2: aliases are not taken"),
        ("[" * 13 + "]" * 13, "p.yaml:1: nested more than 12 deep"),
        ("seed: 1\nseed: 2", "p.yaml:2: key 'seed' stands here twice"),
        ("[1]: 2", "p.yaml:1: a key is one word"),
        ("plant: x\nline: []", "p.yaml:2: line: unknown key; did you mean 'lines'?; there are: plant, seed"),
        (
            "lines:\n- meters:\n  - {adress: 1}",
            "p.yaml:3: lines[1].meters[1].adress: unknown key; did you mean",
        ),
        (
            "lines:\n- meters:\n  - faults:\n      silenc: 1",
            "p.yaml:4: lines[1].meters[1].faults.silenc: unknown",
        ),
        (
            "lines:\n- meters:\n  - faults: {silence: 2}",
            "p.yaml:3: lines[1].meters[1].faults: fault silence: a",
        ),
        (
            "hello",
            "p.yaml:1: a plant file has keys and values, as 'lines: [{at: pty, meters: [{count: 8}]}]';",
        ),
        ("- a\n- b", "p.yaml:1: a plant file has keys and values, as"),
        ("lines: many", "p.yaml:1: lines: write a list: [...], or a line with '- ' for each"),
        ("plant: {a: b}", "p.yaml:1: plant: write a text"),
        ("lines: [pty]", "p.yaml:1: lines[1]: write keys and values: name, at, paced, baud, parity, medium,"),
        (ROW + "{control: remote}", IN_ROW + ".control: write keys and values: has_relay, payment, has_key,"),
        ("seed: x", "p.yaml:1: seed: write a whole number"),
        ("seed: -1", "p.yaml:1: seed: should be greater than or equal to 0"),
        ("time: simulated", "p.yaml:1: time: 'simulated': write wall, or x2 to x3600"),
        ("time: x3601", "p.yaml:1: time: 'x3601': write wall"),
        ("start: 2026-10-01T00:00:00", "p.yaml:1: start: 2026-10-01T00:00:00: a time needs its zone"),
        ("api: 8080", "p.yaml:1: api: 8080: write HOST:PORT"),
        ("lines: []", "p.yaml:1: lines: a plant has one line or more"),
        ("lines:\n- meters: []", "p.yaml:2: lines[1].meters: a line has one meter or more"),
        ("lines:\n- at: udp://x:1", "p.yaml:2: lines[1].at: 'udp://x:1': write tcp://HOST:PORT, pty"),
        ("lines:\n- at: tcp://x:65536", "p.yaml:2: lines[1].at: x:65536: a port is at most 65535"),
        ("lines:\n- at: dial://x:0", "p.yaml:2: lines[1].at: dial://x:0: name the port"),
        ("lines:\n- at: dial://x:1", "p.yaml:2: lines[1].meters: only a meter of dlt698.45 logs in"),
        (
            "lines:\n- {login: true, at: pty,\n   meters: [{profile: dlt698.45/generic}]}",
            "p.yaml:2: lines[1].login",
        ),
        ("lines:\n- {name: a}\n- {name: a}", "p.yaml:3: lines[2].name: two lines are called a; rename one"),
        (
            "lines:\n- at: tcp://a:1\n- at: tcp://a:1",
            "p.yaml:3: lines[2].at: tcp://a:1 is taken by another line; port 0 takes a free one",
        ),
        (
            "lines:\n- meters:\n  - {address: 5, count: 3}\n  - {address: 7}",
            "p.yaml:4: lines[1].meters[2]: another meter has the address 000000000007",
        ),
        (
            ROW + "{address: 999999999999}",
            IN_ROW + ": the last address would",
        ),
        (
            ROW + "{address: 12AB}",
            IN_ROW + ".address: '12AB' is no number of",
        ),
        (
            ROW + "{profile: nonsense}",
            IN_ROW + ".profile: no profile is called",
        ),
        (ROW + "{ct_ratio: 40}", IN_ROW + ".ct_ratio: dlt645-2007/generic is connected direct; it needs ct"),
        (ROW + "{count: 2, meter_number: 1}", IN_ROW + ".meter_number: 2 meters would have one number"),
        (ROW + "{load: palace}", IN_ROW + ".load: should be 'household', 'shop', 'factory' or"),
        ("lines:\n- {server: {packing_ms: 1}}", "p.yaml:2: lines[1].server.packing_ms: unknown key; did you"),
        ("lines:\n- {server: {pack_ms: 10001}}", "p.yaml:2: lines[1].server: serial server pack_ms: 10001"),
        (
            "lines:\n- paced: false\n  medium: {echo: 1, talk_over: 0.5}",
            "p.yaml:3: lines[1].medium.talk_over: nothing lasts on a line that is not paced",
        ),
        ("lines:\n- {server: {}, at: pty}", "p.yaml:2: lines[1].server: a pseudo-terminal has no serial"),
        (
            "lines:\n- {server: {}, login: true, meters: [{profile: dlt698.45/generic}]}",
            "p.yaml:2: lines[1].login: a login is not sent through a serial server",
        ),
        (ROW + "{preset_cents: 1}", IN_ROW + ".preset_cents: dlt645-2007/generic has no wallet"),
        (
            ROW + "{control: {has_kee: true}}",
            IN_ROW + ".control.has_kee: unknown key; did you mean",
        ),
        ("scenario: nonsense", "p.yaml:1: scenario: no scenario is called 'nonsense'"),
        (ROW + "{baud: 1000}", IN_ROW + ".baud: 1000 bit/s: write one of"),
        ("lines:\n- {medium: {eco: 1}}", "p.yaml:2: lines[1].medium.eco: unknown key; did you mean 'echo'?"),
        (ROW + "{passwords: {2: 12345}}", IN_ROW + ".passwords: a password is 6 decimal digits"),
        (ROW + "{passwords: {10: 123456}}", IN_ROW + ".passwords: passwords are of levels 0 to 9"),
        (ROW + "{passwords: 123456}", IN_ROW + ".passwords: write keys and values"),
        (
            ROW + "{passwords: {2: 123456}, profile: dlt698.45/generic}",
            IN_ROW + ".passwords: levels are of DL/T 645; a meter of dlt698.45 has one password",
        ),
        (ROW + "{password: 12345678}", IN_ROW + ".password: it is of dlt698.45; write passwords by level"),
        (
            ROW + "{password: 01234567890123456, profile: dlt698.45/generic}",
            IN_ROW + ".password: write 1 to 16 printable characters of ASCII",
        ),
        (ROW + "{modes_enforced: true}", IN_ROW + ".modes_enforced: it is of dlt698.45"),
        (ROW + "{tariffs: {day: {08:00: 2}}}", IN_ROW + ".tariffs.day: no tariff begins at 00:00"),
        (ROW + "{tariffs: {day: {00:00: 5}}}", IN_ROW + ".tariffs.day.00:00: should be less than or equal"),
        (ROW + "{tariffs: {day: {00:00: 1, 8:00: 2}}}", IN_ROW + ".tariffs.day: '8:00': write the half-hour"),
        (ROW + "{tariffs: {day: {00:00: 1}, rest_days: [8]}}", IN_ROW + ".tariffs.rest_days[1]: should be"),
        (ROW + f"{{tariffs: {{day: {_periods(15)}}}}}", IN_ROW + ".tariffs.day: 15 periods, a meter has 14"),
        (ROW + "{first_block: 0}", IN_ROW + ".first_block: blocks are of"),
        (
            ROW + "{profile: dlt698.45/generic, piece_octets: 4}",
            IN_ROW + ".piece_octets: pieces are of DL/T 645",
        ),
    ],
)
def test_a_wrong_plant_file_is_refused_with_its_line(text: str, message: str) -> None:
    """Its author would look for the slip in a file of a thousand lines."""
    with pytest.raises(PlantError) as caught:
        read_plant(text, "p.yaml")
    assert str(caught.value).startswith(message), caught.value


@pytest.mark.parametrize("key", _KEYS)
def test_no_fault_speaks_of_our_classes(key: str) -> None:
    """People who write YAML would be told about tuples and instances of LineRow, and not what to write."""
    told = ""
    for value in ("5", "x", "[]", "[5]", "{}", "{a: 1}", "[[]]", ""):
        try:
            read_plant(f"{key}{value}{']}' * key.count('[{')}", "p.yaml")
        except PlantError as error:
            told += f"{error}\n"
    assert told
    assert all(line.startswith("p.yaml:") for line in told.splitlines())
    assert [] == [word for word in _WORDS_OF_PYTHON if word in told], told


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"lines: [{{meters: [{{{key}: \uff11}}]}}]"
            for key in ("mean_kw", "clock_ahead_s", "feed_in_share")
        ),
        *(f"lines: [{{meters: [{{{key}: \uff11}}]}}]" for key in ("ct_ratio", "pt_ratio")),
        "lines: [{meters: [{clock_drift_s_per_day: 1\uff11}]}]",
        "lines: [{meters: [{count: \uff11}]}]",
        "seed: \u0663",
        *(
            f"scenario: {{scenario: x, happenings: [{{{rest}}}]}}"
            for rest in (
                "what: clock_drift, at: +1h, s_per_day: \uff11",
                "what: clock_jump, at: +1h, by: \uff11h",
                "what: register_set, at: +1h, item: forward_active_energy, value: \uff11\uff12",
                "what: register_rollover, at: +1h, left_kwh: \uff11",
                "what: registers_runaway, at: +1h, rate: \uff11",
                "what: tampering, at: +1h, theft: THEFT-05, strength: 0.\uff11",
                "what: power_outage, at: +\uff11h",
                "what: power_outage, at: daily 0\uff13:00",
                "what: power_outage, at: \uff12026-03-01T03:00+08:00",
                "what: power_outage, at: +1h, lasts: \uff11h",
            )
        ),
    ],
)
def test_digits_are_0_to_9(text: str) -> None:
    """A full-width digit of an input method would be read, and written back as something else."""
    with pytest.raises(PlantError, match="write a "):
        read_plant(text, "p.yaml")


def test_every_fault_of_a_file_is_told_at_once() -> None:
    """Its author would mend a file slip by slip."""
    text = "seed: x\nnonsense: 1\nlines:\n" + "- {at: nowhere}\n" * FAULTS_SHOWN_MAX
    with pytest.raises(PlantError) as caught:
        read_plant(text, "p.yaml")
    shown = str(caught.value).splitlines()
    lines = [f"p.yaml:{line}:" for line in range(1, FAULTS_SHOWN_MAX + 2) if line != 3]
    assert lines == [line.partition(" ")[0] for line in shown[:-1]]
    assert "p.yaml: and 2 more" == shown[-1]


def test_a_plant_takes_its_limits_and_no_more() -> None:
    """A limit that refuses its own figure is another limit than the one that is documented."""
    rows = "\n".join(f"  - {{address: {number}}}" for number in range(METERS_MAX))
    assert METERS_MAX == len([*read_plant(f"lines:\n- meters:\n{rows}", "p.yaml").meters()])
    one = "- meters: [{}]\n"
    assert LINES_MAX == len(read_plant("lines:\n" + one * LINES_MAX, "p.yaml").lines)
    for text, message in (
        ("lines:\n" + one * (LINES_MAX + 1), "p.yaml:1: lines: Tuple should have at most 256 items"),
        ("lines:\n- meters: [{count: 10000}, {}]", "p.yaml:1: lines: 10001 meters in all, at most 10000"),
        (ROW + "{count: 10001}", IN_ROW + ".count: should be less than"),
        ("#" * (TEXT_MAX + 1), f"p.yaml:1: {TEXT_MAX + 1} characters, at most {TEXT_MAX}"),
    ):
        with pytest.raises(PlantError) as caught:
            read_plant(text, "p.yaml")
        assert str(caught.value).startswith(message), caught.value


def test_files_that_a_plant_names_stand_beside_it(tmp_path: Path) -> None:
    """A plant would work only from the folder in which it was written."""
    (tmp_path / "mine.yaml").write_text(
        "profile: mine\nmatches: {protocol: dlt645-1997}\nline: {baud: 1200, parity: even, preamble: 4}\n"
        "timing: {reply_timeout_ms: 1500, octet_gap_ms: 500, turnaround_ms: 20}\n"
    )
    (tmp_path / "plant.yaml").write_text("lines: [{meters: [{profile: mine.yaml}]}]")
    [meter] = load_plant(tmp_path / "plant.yaml").meters()
    assert "dlt645-1997" == meter.row.profile.protocol
    with pytest.raises(PlantError, match=r"none\.yaml: there is no such file"):
        load_plant(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"seed: 1\nplant: \xe9")
    with pytest.raises(PlantError, match=r"latin\.yaml:2: octet E9H is no UTF-8"):
        load_plant(tmp_path / "latin.yaml")


def test_concentrators_bring_no_line_that_nobody_wrote() -> None:
    """A meter 000000000001 would stand on a port, and refuse one that a file has behind a concentrator."""
    behind = "concentrators:\n- {address: '000000000009', meters: [{address: 1}]}\n"
    assert () == read_plant(behind, "p.yaml").lines
    assert 1 == len(read_plant(behind + "lines:\n- meters: [{address: 2}]\n", "p.yaml").lines)


def test_a_pseudo_terminal_minds_how_it_is_set() -> None:
    """A client at a wrong speed would be answered."""
    [pty, tcp] = read_plant("lines:\n- at: pty\n- at: tcp://127.0.0.1:0\n", "p.yaml").lines
    assert (True, False) == (pty.minds_ports, tcp.minds_ports)


@pytest.mark.parametrize("drift", ["2", "-600", "0.000007"])
@pytest.mark.parametrize(
    "start", [datetime(2026, 10, 1, tzinfo=UTC), datetime(2031, 3, 4, 5, 6, 7, 8, tzinfo=UTC)]
)
def test_a_clock_is_as_far_ahead_as_its_row_says_when_the_plant_begins(drift: str, start: datetime) -> None:
    """A clock 90 s ahead would be half an hour ahead, and more with every day until the plant is run."""
    row = f"{ROW}{{profile: dlt698.45/three-phase, clock_ahead_s: 90, clock_drift_s_per_day: {drift}}}"
    [named] = read_plant(row, "p.yaml").meters()
    clock = works_of(named, seed=1, start=start).clock
    assert timedelta(seconds=90) == clock.ahead(start)
    gained_us = int(Decimal(drift) * 1_000_000) * 9
    assert timedelta(seconds=90, microseconds=gained_us) == clock.ahead(start + timedelta(days=9))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full"])
@pytest.mark.parametrize(
    ("load", "words"),
    [
        (load_plant, f":1: too long, at most {TEXT_MAX} characters are taken"),
        (load_scenario_file, ":1: too long, at most 65536 characters are taken"),
        (load_file, ":1: too long, at most 65536 characters are taken"),
        (read_capture, f": longer than {FILE_OCTETS_MAX} octets; replay a part of it"),
    ],
)
def test_a_file_without_an_end_is_not_read_to_it(
    load: Callable[[Path], object], words: str, device: str
) -> None:
    """A device has the size 0, and would fill the memory until the machine ends somebody."""
    with pytest.raises((PlantError, ScenarioError, ProfileError, CaptureError)) as caught:
        load(Path(device))
    assert f"{device}{words}" == str(caught.value)


def test_who_talks_over_a_paced_line_is_taken() -> None:
    """Clients that do not wait for their turn could not be rehearsed."""
    [line] = read_plant("lines: [{paced: true, medium: {talk_over: 0.5}}]", "p.yaml").lines
    assert 0.5 == line.medium.talk_over


def test_tariffs_begin_when_the_file_says() -> None:
    """Energy of the night would be billed as that of the day."""
    text = ROW + "{tariffs: {day: {00:00: 4, 08:00: 2, 21:30: 3}, rest_day: {00:00: 1}, rest_days: [7]}}"
    [named] = read_plant(text, "p.yaml").meters()
    works = works_of(named, seed=1, start=START)
    saturday = datetime.fromisoformat("2026-10-03T00:00:00+08:00")
    for begins, ends, tariff in ((0, 8, 4), (8, 21.5, 2), (21.5, 24, 3), (24, 48, 1)):
        before, after = (
            [works.value(f"forward_active_energy.t{each}", at) for each in TARIFFS]
            for at in (saturday + timedelta(hours=begins), saturday + timedelta(hours=ends))
        )
        assert [tariff] == [each for each, was, now in zip(TARIFFS, before, after, strict=True) if was != now]


def test_a_day_of_as_many_tariffs_as_a_meter_has_is_taken() -> None:
    """The widest table of the standard would be refused."""
    [row] = read_plant(ROW + f"{{tariffs: {{day: {_periods(14)}, rest_days: []}}}}", "p.yaml").lines[0].meters
    assert row.tariffs is not None
    assert (14, frozenset()) == (len(row.tariffs.day), row.tariffs.timetable.rest_days)


def test_passwords_do_not_show() -> None:
    """A log, or a test that fails, would print what opens a meter."""
    text = ROW + "{passwords: {2: 918273}}\n  - {password: 91827364, profile: dlt698.45/generic}"
    plant = read_plant(text, "p.yaml")
    assert [({2: "918273"}, None), (None, "91827364")] == [
        (row.passwords, row.password) for row in plant.lines[0].meters
    ]
    shown = f"{plant!r}{[*plant.meters()]!r}"
    swapped = ("{918273: 2}", "{918273x: 2}", "{918273: [2]}", "{918273: 2, 918273: 3}", "{2: {918273: 1}}")
    for wrong in (
        "{passwords: {2: 9182736}}",
        "{password: 918273}",
        "{password: {918273: 1}}",
        "{passwords: {2: [918273]}}",
        "{passwords: [{918273: 2}]}",
        *(f"{{passwords: {each}}}" for each in swapped),
    ):
        with pytest.raises(PlantError) as caught:
            read_plant(ROW + wrong, "p.yaml")
        shown += str(caught.value)
    assert "918273" not in shown
    with pytest.raises(PlantError, match=r"passwords\.\*\*\*: write a whole number"):
        read_plant(ROW + "{passwords: {918273x: 2}}", "p.yaml")
    with pytest.raises(PlantError, match=r"passwords\.2: write a text"):
        read_plant(ROW + "{passwords: {2: [918273]}}", "p.yaml")


def test_a_meter_of_698_has_the_password_and_the_modes_of_its_file() -> None:
    """A client that knows the factory's password alone, and orders in plain, would pass every test."""
    text = "{address: 1, password: 91827364, modes_enforced: true, profile: dlt698.45/remote-cost-control}"
    built = BuiltPlant(read_plant(ROW + text, "p.yaml"), clock=SimClock())
    [meter] = built.meters.values()
    assert isinstance(meter.speaker, Meter698)
    client = Client(meter.speaker, at=built.clock.utc_now())
    assert 1 == client.connect(FACTORY_PASSWORD).result
    assert 0 == client.connect("91827364").result
    assert Data("enum", 1) == client.get("F1010200")
    tag = TimeTag(DateTimeS.of(meter.works.clock.shows(client.at)), Ti(1, 5))
    order = ActionRequestNormal(piid=Piid.of(1), item=ActionItem(Omd(0x8000, 127), NULL), time_tag=tag)
    assert Dar(20) == client.ask(order).item.dar
