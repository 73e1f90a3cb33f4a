"""Happenings befall the meters that they mean, at their time, and their ends undo just what they did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from metersim import Line, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.loop import START
from metersim.plant.effects import CAPACITY
from metersim.plant.happening_runner import HAPPENINGS_MAX, Happenings, TooMuchHappens
from metersim.plant.happenings import KINDS, RATE_MAX, REBOOT_MAX, SHIFT_MAX, THEFTS, Happening
from metersim.plant.whens import Daily, after, first, when
from metersim.works.conditions import HISTORY_MAX, USUAL, Conditions
from metersim.works.cost_control import CostControl
from metersim.works.events import KINDS as EVENTS
from metersim.works.load import Load
from metersim.works.moments import PLANT_TIME
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.support.sim_line import ask645, ask698

A, B, C = "000000000161", "000000000162", "000000000698"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ENERGY = "forward_active_energy"


class Hall:
    """Two meters of DL/T 645 on line0, one of 698.45 on line1, and what happens to them."""

    def __init__(self, *happenings: Happening, seed: int = 1) -> None:
        self.sim = Simulation(seed=seed)
        clock = self.sim.clock
        stations = (
            [Station(meter=Meter(each, seed=1)) for each in (A, B)],
            [Station(meter=Meter698(C, seed=1))],
        )
        self.lines = [
            Line(each, clock=clock, record=lambda _: None, name=f"line{number}")
            for number, each in enumerate(stations)
        ]
        self.happenings = Happenings(happenings, self.lines, clock=clock, seed=seed)

    def works(self, address: str = A) -> Works:
        meters = self.lines[0].meters | self.lines[1].meters
        meter = meters[address]
        assert isinstance(meter, Meter | Meter698)
        return meter.works

    def held(self, address: str = A) -> Conditions:
        """What holds for a meter now."""
        return self.works(address).history.at(self.sim.clock.utc_now())

    def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the happenings beside a program, until it ends."""

        async def both() -> None:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self.happenings.run(), name="happenings")
                await main()
                running.cancel()

        self.sim.run(both())

    def wait(self, span: timedelta) -> None:
        """Let so much time pass, and a millisecond, so that what is due at its end has come."""
        self.run(lambda: asyncio.sleep(span.total_seconds() + 0.001))

    def shows(self, item: str, address: str = A) -> Decimal:
        value = self.works(address).value(item, self.sim.clock.utc_now())
        assert value is not None
        return value

    def answers(self) -> list[bool]:
        """Which of the three meters answer now."""
        found: list[bool] = []

        async def ask(line: Line, request: bytes) -> None:
            plant_end, our_end = memory_pair()
            async with asyncio.TaskGroup() as group:
                group.create_task(line.serve(plant_end), name="line")
                await our_end.send(request)
                octets = b""
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        octets = await our_end.receive()
                found.append(bool(octets))
                our_end.close()

        async def main() -> None:
            await ask(self.lines[0], ask645(A))
            await ask(self.lines[0], ask645(B))
            await ask(self.lines[1], ask698(C))

        self.sim.run(main())
        return found


# --- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+0s", START),
        ("+1d2h3m4s5ms", START + timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("2026-02-03T04:05+08:00", datetime(2026, 2, 3, 4, 5, tzinfo=PLANT_TIME)),
        ("2026-02-03 04:05:06Z", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("daily 08:00", START),  # 00:00 UTC is 08:00 in the plant
        ("daily 07:59", START + DAY - timedelta(minutes=1)),
        ("daily 23:30:15", datetime(2026, 1, 1, 23, 30, 15, tzinfo=PLANT_TIME)),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, expected: datetime) -> None:
    """A happening would come a day late, or eight hours."""
    found = when(text)
    assert expected == first(found, START)
    assert (expected + DAY if isinstance(found, Daily) else None) == after(found, expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2h",
        "+",
        "+2",
        "+1h2d",
        "+1.5h",
        "-2h",
        "2026-02-03T04:05",
        "daily",
        "daily 24:00",
        "daily 3:00",
        "+3661d",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """A typing error would let it happen at another time."""
    with pytest.raises(ValueError, match=r"write a time|needs its zone|at most 3660 days"):
        when(text)


def test_things_happen_at_their_very_time() -> None:
    """Simulated time is exact, and a row that is a second late changes a register."""
    hall = Hall(
        Happening(what="registers_stuck", at=90 * timedelta(minutes=1), meter=A, lasts=HOUR),
        Happening(what="registers_runaway", at=START + 3 * HOUR, meter=A),
        Happening(what="power_outage", at=when("daily 12:00"), meter=B, lasts=timedelta(seconds=30), times=2),
    )
    hall.wait(5 * DAY)
    minutes = [(row.at - START) / timedelta(minutes=1) for row in hall.works(A).history.rows[1:]]
    assert [90, 150, 180] == minutes
    hours = [(row.at - START) / HOUR for row in hall.works(B).history.rows[1:]]
    off = 30 / 3600
    assert [pytest.approx(hour) for hour in (4, 4 + off, 28, 28 + off)] == hours
    assert [None] * 3 == [report.next_at for report in hall.happenings.reports()]
    assert [1, 1, 2] == [report.befallen for report in hall.happenings.reports()]


def test_a_wall_clock_that_is_late_leaves_rows_in_order() -> None:
    """On a busy machine a meter may have obeyed somebody since; the plant would end."""
    hall = Hall(Happening(what="registers_stuck", at=HOUR, meter=A))
    hall.works(A).history.change(START + 2 * HOUR, cover_open=True)
    hall.happenings.advance(START + 3 * HOUR)
    assert [2.0, 2.0] == [(row.at - START) / HOUR for row in hall.works(A).history.rows[1:]]
    assert 0 == hall.works(A).history.last.conditions.register_rate_per_mille


def test_a_clock_that_is_set_forward_brings_what_is_due() -> None:
    """A happening of the skipped hour would never come, or an hour late."""
    hall = Hall(Happening(what="registers_stuck", at=5 * HOUR, meter=A))

    async def main() -> None:
        await asyncio.sleep(60)
        hall.sim.clock.step_wall(5 * HOUR)
        await asyncio.sleep(3600)

    hall.run(main)
    assert 0 == hall.held().register_rate_per_mille


# --- whom -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meter", "line", "expected"),
    [
        ("*", "*", [A, B, C]),
        (B, "*", [B]),
        ("*", "line0", [A, B]),
        ("*6[12]", "line1", []),
        ("*", "line?", [A, B, C]),
    ],
)
def test_it_befalls_the_meters_that_it_means(meter: str, line: str, expected: Sequence[str]) -> None:
    """A power cut of one line would put out the plant."""
    hall = Hall(Happening(what="registers_stuck", at=HOUR, meter=meter, line=line))
    hall.wait(2 * HOUR)
    assert list(expected) == [each for each in (A, B, C) if hall.held(each) != USUAL]
    assert len(expected) == hall.happenings.reports()[0].befallen


def test_chance_is_drawn_for_each_meter_and_each_day_and_the_same_for_a_seed() -> None:
    """A month of trouble could not be had again, or all meters would fail on the same days."""

    def days(seed: int) -> list[list[int]]:
        outage = Happening(
            what="power_outage", at=when("daily 03:00"), lasts=HOUR, probability=0.3, line="line0"
        )
        hall = Hall(outage, seed=seed)
        hall.wait(60 * DAY)
        return [[(row.at - START).days for row in hall.works(each).history.rows[1::2]] for each in (A, B)]

    first_run = days(1)
    assert first_run == days(1)
    assert first_run != days(2)
    assert first_run[0] != first_run[1]
    assert all(6 <= len(each) <= 32 for each in first_run)


# --- what -------------------------------------------------------------------------------------------


def test_a_power_cut_of_a_line_silences_its_meters_until_it_ends() -> None:
    """A daemon that asks a dark line must find it dark."""
    hall = Hall(Happening(what="power_outage", at=HOUR, line="line0", lasts=HOUR))
    assert [True, True, True] == hall.answers()
    hall.wait(HOUR)
    before = hall.shows(ENERGY)
    assert [False, False, True] == hall.answers()
    hall.wait(HOUR)
    assert [True, True, True] == hall.answers()
    assert hall.shows(ENERGY) - before < Decimal("0.05"), "nothing is drawn while the power is down"


def test_a_reboot_silences_a_meter_for_a_while() -> None:
    """A meter that starts again is the commonest short silence."""
    hall = Hall(Happening(what="reboot", at=HOUR, meter=C, lasts=timedelta(seconds=20)))
    hall.wait(HOUR)
    assert [True, True, False] == hall.answers()
    hall.wait(timedelta(seconds=20))
    assert [True, True, True] == hall.answers()


def test_a_lost_phase_shows_no_voltage() -> None:
    """The meter would go on as if nothing were."""
    hall = Hall(Happening(what="phase_loss", at=HOUR, meter=A, phases="bc", lasts=HOUR))
    hall.wait(HOUR)
    shown = [hall.shows(f"voltage.{phase}") for phase in "abc"]
    assert shown[0] > 200
    assert [0, 0] == shown[1:]
    hall.wait(HOUR)
    assert all(hall.shows(f"voltage.{phase}") > 200 for phase in "abc")


def test_a_clock_jumps_and_drifts() -> None:
    """Freezes of a wrong clock would stand in the right place."""
    hall = Hall(
        Happening(what="clock_jump", at=HOUR, meter=A, by=-10 * timedelta(minutes=1)),
        Happening(what="clock_drift", at=HOUR, meter=C, s_per_day=Decimal(24)),
    )
    hall.wait(25 * HOUR)
    now = hall.sim.clock.utc_now()
    assert -10 * timedelta(minutes=1) == hall.works(A).clock.ahead(now)
    assert timedelta(seconds=24) == hall.works(C).clock.ahead(now)
    assert timedelta() == hall.works(B).clock.ahead(now)
    assert () == hall.works(A).events.events("clock_set", now), "nobody set it"


def test_a_register_is_set_and_rolls_over() -> None:
    """The roll-over of a register comes once in a meter's life, and must be had at once."""
    hall = Hall(
        Happening(what="register_set", at=HOUR, meter=B, item=f"{ENERGY}.t1", value=Decimal("1234.56")),
        Happening(what="register_rollover", at=HOUR, meter=A, left_kwh=Decimal("0.5")),
    )
    hall.wait(HOUR)
    assert Decimal("1234.56") == hall.shows(f"{ENERGY}.t1", B)
    assert CAPACITY - Decimal("0.5") == hall.shows(ENERGY)
    hall.wait(DAY)
    assert 0 < hall.shows(ENERGY) < 50


def test_a_tariff_rolls_over_together_with_its_total() -> None:
    """Its total would have rolled over long before, and the sum of the tariffs be a million beside it."""
    hall = Hall(Happening(what="register_rollover", at=HOUR, meter=A, item=f"{ENERGY}.t2"))
    hall.wait(HOUR)
    assert [CAPACITY - 1, 0, CAPACITY - 1] == [hall.shows(f"{ENERGY}{t}") for t in ("", ".t1", ".t2")]


def test_registers_begin_again_after_a_reset_and_an_exchange() -> None:
    """A register that falls is what billing fears most."""
    hall = Hall(
        Happening(what="registers_reset", at=DAY, meter=A), Happening(what="meter_exchange", at=DAY, meter=B)
    )
    before = [hall.shows(ENERGY, each) for each in (A, B)]
    hall.wait(DAY)
    assert all(value > 1 for value in before)
    assert [0, 0] == [hall.shows(ENERGY, each) for each in (A, B)]
    assert ["registers_cleared", "meter_exchanged"] == [
        hall.works(each).history.last.happened for each in (A, B)
    ]


@pytest.mark.parametrize(
    ("what", "rate", "factor"),
    [
        ("registers_stuck", None, 0),
        ("registers_backward", None, -1),
        ("registers_backward", Decimal("0.5"), Decimal("-0.5")),
        ("registers_runaway", None, 10),
        ("registers_runaway", Decimal(3), 3),
    ],
)
def test_registers_stand_still_run_back_and_run_away(
    what: str, rate: Decimal | None, factor: Decimal
) -> None:
    """Validation of readings could not be rehearsed."""
    hall = Hall(Happening(what=what, at=DAY, meter=A, rate=rate, lasts=DAY))
    sound = Hall()
    shown = []
    for _ in range(4):
        shown.append((hall.shows(ENERGY), sound.shows(ENERGY)))
        hall.wait(DAY)
        sound.wait(DAY)
    grown, should = ([later[k] - sooner[k] for sooner, later in pairwise(shown)] for k in (0, 1))
    assert abs(grown[1] - factor * should[1]) < Decimal("0.1")
    assert abs(grown[0] - should[0]) <= Decimal("0.01")
    assert abs(grown[2] - should[2]) <= Decimal("0.01"), "it is as usual after its end"


@pytest.mark.parametrize("theft", THEFTS)
def test_every_way_of_stealing_begins_and_ends(theft: str) -> None:
    """A rule of detection could not be shown its case."""
    hall = Hall(
        Happening(what="tampering", theft=theft, at=HOUR, meter=A, lasts=DAY, strength=Decimal("0.5"))
    )
    hall.wait(HOUR)
    [report] = hall.happenings.reports()
    assert (1, 0) == (report.befallen, report.failed)
    assert hall.works(A).history.last.at == START + HOUR
    hall.wait(3 * DAY)
    assert hall.held() == USUAL
    assert len(hall.works(A).history.rows) > 1
    assert (1, 0) == (hall.happenings.reports()[0].befallen, hall.happenings.reports()[0].failed)


def seen_at(works: Works, at: datetime) -> list[object]:
    """What a client could see that somebody did: readings, registers, status words, events."""
    items = ("voltage.a", "current.a", "active_power", "phase_angle.a", "neutral_current", ENERGY)
    words = [works.content(f"meter_status_word_{number}", at) for number in range(1, 8)]
    return [*(works.value(item, at) for item in items), *words, *(works.events.count(k, at) for k in EVENTS)]


def of_one_phase() -> Works:
    """A meter of one phase, without a relay, with a load of which a thousandth can be seen."""
    plate, load = Plate(address=A, phases=1), Load(mean_kw=Decimal(6))
    return Works(plate, seed=1, load=load, control=CostControl(has_relay=False), since=START - DAY)


def happenings_of(works: Works, *happenings: Happening) -> Happenings:
    """What happens to one meter alone."""
    clock = Simulation(seed=1).clock
    line = Line([Station(meter=Meter(A, seed=1, works=works))], clock=clock, record=lambda _: None)
    return Happenings(happenings, [line], clock=clock)


@pytest.mark.parametrize("strength", [Decimal("0.001"), Decimal(1)])
@pytest.mark.parametrize("phase", ["a", "b"])
@pytest.mark.parametrize("theft", THEFTS)
def test_a_meter_of_one_phase_and_no_relay_is_robbed_or_says_that_it_cannot_be(
    theft: str, phase: Any, strength: Decimal
) -> None:
    """A rule of detection would be blamed for not finding what never was."""
    honest, robbed = of_one_phase(), of_one_phase()
    what = Happening(what="tampering", theft=theft, phase=phase, strength=strength, at=HOUR)
    happenings = happenings_of(robbed, what)
    happenings.advance(START + HOUR)
    [report] = happenings.reports()
    cannot = phase == "b" or theft in {"THEFT-07", "THEFT-16"}
    assert ((0, 1) if cannot else (1, 0)) == (report.befallen, report.failed)
    times = [START + HOUR + minutes * timedelta(minutes=1) for minutes in (1, 1440)]
    changed = [seen_at(honest, at) for at in times] != [seen_at(robbed, at) for at in times]
    assert cannot != changed


@pytest.mark.parametrize(
    ("happening", "words"),
    [
        (Happening(what="phase_loss", at=HOUR, phases="bc"), "phase_loss of phase bc: meter .* has phase a"),
        (Happening(what="relay_stuck", at=HOUR), "relay_stuck: meter .* has no relay"),
    ],
)
def test_what_a_meter_has_not_cannot_happen_to_it(happening: Happening, words: str) -> None:
    """It was told to have happened, and nothing was to be seen."""
    with pytest.raises(ValueError, match=words):
        happenings_of(of_one_phase()).apply(happening)
    happenings_of(Works(Plate(address=A), seed=1)).apply(happening)
    some = Happening(what="phase_loss", at=HOUR, phases="ab")
    assert 1 == happenings_of(of_one_phase()).apply(some).befallen


@pytest.mark.parametrize("theft", THEFTS)
def test_stealing_with_no_strength_changes_nothing(theft: str) -> None:
    """A scenario that counts strength down to 0 would have no case in which nothing is to be found."""
    hall = Hall(Happening(what="tampering", theft=theft, at=HOUR, meter=A, lasts=DAY, strength=Decimal(0)))
    hall.wait(3 * DAY)
    [report] = hall.happenings.reports()
    assert (1, 0, "") == (report.befallen, report.failed, report.last_error)
    assert [USUAL] * len(hall.works(A).history.rows) == [row.conditions for row in hall.works(A).history.rows]
    assert {None} == {row.happened for row in hall.works(A).history.rows}


@pytest.mark.parametrize(("strength", "outages"), [("1", 12), ("0.5", 6), ("0.01", 1)])
def test_power_cycles_are_as_many_as_their_strength(strength: str, outages: int) -> None:
    """More than three a day is what the rule looks for."""
    hall = Hall(Happening(what="tampering", theft="THEFT-14", at=HOUR, meter=A, strength=Decimal(strength)))
    hall.wait(DAY + HOUR)
    off = [row for row in hall.works(A).history.rows if len(row.conditions.without_supply) == 3]
    assert outages == len(off)
    assert START + HOUR == off[0].at
    assert hall.held() == USUAL


@pytest.mark.parametrize(("lasting", "bypasses"), [(None, 14), (DAY, 1), (3 * DAY, 2), (4 * DAY, 2)])
def test_a_bypass_of_every_second_day_lasts_a_day_each(lasting: timedelta | None, bypasses: int) -> None:
    """Losses that follow one customer's energy are found by days with it and days without."""
    theft = Happening(
        what="tampering", theft="THEFT-11", at=DAY, meter=A, strength=Decimal("0.4"), lasts=lasting
    )
    hall = Hall(theft)
    hall.wait(40 * DAY)
    days = [(row.at - START) / DAY for row in hall.works(A).history.rows[1:]]
    assert [1 + day for day in range(2 * bypasses)] == days
    assert [400, 0] * bypasses == [
        row.conditions.bypassed_per_mille for row in hall.works(A).history.rows[1:]
    ]


def test_what_overlaps_ends_each_by_itself() -> None:
    """The end of a short outage would give the phase back that somebody cut for good."""
    minute = timedelta(minutes=1)
    shorted = Happening(what="tampering", theft="THEFT-03", at=160 * minute, meter=A, phase="c", lasts=HOUR)
    hall = Hall(
        Happening(what="phase_loss", at=HOUR, meter=A, phases="b"),
        Happening(what="power_outage", at=2 * HOUR, meter=A, lasts=HOUR),
        Happening(what="registers_stuck", at=150 * minute, meter=A, lasts=DAY),
        shorted,
        Happening(what="tampering", theft="THEFT-12", at=170 * minute, meter=A),
    )
    hall.wait(165 * minute)
    assert (frozenset("abc"), 0, (1000, 1000, 0)) == _some(hall.held())
    hall.wait(25 * minute)
    assert (frozenset("b"), 0, (300, 300, 0)) == _some(hall.held())
    hall.works(A).history.change(hall.sim.clock.utc_now(), contact_open=True)
    hall.wait(HOUR)
    assert (frozenset("b"), 0, (300, 300, 300)) == _some(hall.held())
    hall.wait(DAY)
    assert (frozenset("b"), 1000, (300, 300, 300)) == _some(hall.held())
    assert hall.held().contact_open, "what others do to a meter stays"


def _some(held: Conditions) -> tuple[frozenset[str], int, tuple[int, int, int]]:
    return held.without_supply, held.register_rate_per_mille, held.current_per_mille


def test_what_never_ends_and_comes_every_day_happens_once() -> None:
    """A month would fill the plant with what is there already."""
    hall = Hall(Happening(what="registers_stuck", at=when("daily 03:00"), meter=A))
    hall.wait(10 * DAY)
    assert 2 == len(hall.works(A).history.rows)


# --- at once ------------------------------------------------------------------------------------------


def test_it_can_happen_at_once_and_still_ends() -> None:
    """A person who rehearses an outage does not wait for three in the morning."""
    hall = Hall()

    async def main() -> None:
        await asyncio.sleep(60)
        report = hall.happenings.apply(
            Happening(what="power_outage", at=when("daily 03:00"), meter=A, lasts=HOUR, name="now")
        )
        assert ("now", 1, None) == (report.name, report.befallen, report.next_at)
        assert frozenset("abc") == hall.held().without_supply
        assert 2 == hall.happenings.add(
            Happening(what="clock_jump", at=DAY, by=HOUR, meter=B), start=START + DAY
        )
        await asyncio.sleep(3600.001)
        assert frozenset() == hall.held().without_supply

    hall.run(main)
    hall.wait(2 * DAY)
    assert HOUR == hall.works(B).clock.ahead(hall.sim.clock.utc_now())


def test_a_series_begins_at_once() -> None:
    """Whoever cuts the power of a thief's meter looks at it at once."""
    hall = Hall()
    hall.happenings.apply(Happening(what="tampering", theft="THEFT-14", at=DAY, meter=A))
    assert frozenset("abc") == hall.held().without_supply


@pytest.mark.parametrize(
    ("happening", "words"),
    [
        (
            Happening(what="reboot", at=HOUR, meter="000000000999", lasts=HOUR / 60),
            "no meter is 000000000999",
        ),
        (
            Happening(what="register_set", at=HOUR, meter=A, item="voltage.a", value=Decimal(1)),
            "no such register",
        ),
        (
            Happening(what="register_set", at=HOUR, meter=A, item=ENERGY, value=CAPACITY),
            "a register shows 0 to 999999.99",
        ),
        (
            Happening(what="register_set", at=HOUR, meter=A, item=f"{ENERGY}.t1", value=Decimal(999_999)),
            "its tariffs would add up to",
        ),
        (
            Happening(what="register_set", at=HOUR, meter=A, item="combined_active_energy", value=Decimal(1)),
            "it adds others",
        ),
        (Happening(what="clock_drift", at=HOUR, meter=A, s_per_day=Decimal(601)), "a drift of 601 s"),
    ],
)
def test_what_cannot_happen_says_why(happening: Happening, words: str) -> None:
    """A typing error in a request would look like a meter that bears everything."""
    hall = Hall(happening)
    with pytest.raises(ValueError, match=words):
        hall.happenings.apply(happening)
    hall.wait(2 * HOUR)
    [report] = hall.happenings.reports()
    assert 0 == report.befallen
    assert words in report.last_error or not report.failed


# --- limits ---------------------------------------------------------------------------------------------


def test_a_plant_has_so_many_happenings() -> None:
    """What is allowed at the limit must work there, and not one step further."""
    hall = Hall(*[Happening(what="demand_reset", at=HOUR, meter=A)] * HAPPENINGS_MAX)
    with pytest.raises(TooMuchHappens, match=f"more than {HAPPENINGS_MAX} happenings"):
        hall.happenings.add(Happening(what="demand_reset", at=HOUR))
    hall.wait(HOUR)
    assert HAPPENINGS_MAX == sum(report.befallen for report in hall.happenings.reports())
    assert HAPPENINGS_MAX + 1 == len(hall.works(A).history.rows)


def test_what_is_spent_makes_room() -> None:
    """A long test that sets registers would be refused for good after some hundred of them."""
    hall = Hall(
        Happening(what="demand_reset", at=HOUR, meter=A),
        Happening(what="relay_stuck", at=HOUR, meter=A),
        Happening(what="power_outage", at=HOUR, meter=A, lasts=HOUR),
        Happening(what="tampering", theft="THEFT-11", at=HOUR, meter=A),
        Happening(what="demand_reset", at=4 * DAY, meter=A),
        Happening(what="demand_reset", at=Daily(time(0, 30)), meter=A, times=2),
    )
    hall.wait(HOUR)
    put = Happening(what="register_set", at=HOUR, meter=B, item=ENERGY, value=Decimal(5))
    for _ in range(HAPPENINGS_MAX - 6):
        hall.happenings.apply(put)
    assert [*range(1, HAPPENINGS_MAX + 1)] == [one.number for one in hall.happenings.reports()]
    for expected in ((2, 3, 4, 5, 6, 7), (2, 3, 4, 5, 6, 8)):  # the first that is spent, then the next one
        hall.happenings.apply(put)
        assert expected == tuple(one.number for one in hall.happenings.reports()[:6])
    hall.wait(3 * DAY)
    for _ in range(2):
        hall.happenings.apply(put)
    reports = hall.happenings.reports()
    assert HAPPENINGS_MAX == len(reports)
    assert [2, 4, 5, 8] == [one.number for one in reports[:4]]
    assert all(1 == one.befallen for one in reports if one.number != 5)
    hall.wait(DAY)
    assert 1 == next(one.befallen for one in hall.happenings.reports() if one.number == 5)
    for _ in range(HAPPENINGS_MAX - 2):
        hall.happenings.add(Happening(what="demand_reset", at=9 * DAY, meter=A))
    assert [2, 4] == [one.number for one in hall.happenings.reports()[:2]]
    with pytest.raises(TooMuchHappens, match="are to come, or last"):
        hall.happenings.apply(put)


def test_so_much_can_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends that are to come would fill the memory; the rest of the plant goes on."""
    monkeypatch.setattr("metersim.plant.happening_runner.LASTING_MAX", 2)
    hall = Hall(Happening(what="power_outage", at=HOUR, lasts=HOUR))
    hall.wait(HOUR)
    [report] = hall.happenings.reports()
    assert (2, 1, "more than 2 things last, or are to come") == (
        report.befallen,
        report.failed,
        report.last_error,
    )
    hall.wait(HOUR)
    assert [True, True, True] == hall.answers()
    hall.happenings.apply(Happening(what="power_outage", at=HOUR, meter=A, lasts=HOUR))


def test_a_full_history_fails_its_meter_alone() -> None:
    """One meter of a long run would stop the happenings of all."""
    hall = Hall(Happening(what="registers_stuck", at=HOUR, line="line0"))
    history = hall.works(A).history
    for _ in range(HISTORY_MAX - 1):
        history.happen(START, "frozen")
    hall.wait(HOUR)
    [report] = hall.happenings.reports()
    assert (1, 1) == (report.befallen, report.failed)
    assert "is full" in report.last_error
    assert 0 == hall.held(B).register_rate_per_mille


# --- what cannot be ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"what": "power_outtage"}, "no such happening, do you mean power_outage"),
        ({"what": "reboot"}, "lasts: reboot needs it"),
        ({"what": "reboot", "lasts": REBOOT_MAX + timedelta(seconds=1)}, "a meter starts again within"),
        ({"what": "registers_reset", "lasts": HOUR}, "lasts: registers_reset happens at one instant"),
        ({"what": "power_outage", "lasts": timedelta()}, "lasts: write a time over 0"),
        ({"what": "power_outage", "meter": "1"}, "meter '1'"),
        ({"what": "power_outage", "times": 3}, "times: goes with what comes every day"),
        ({"what": "power_outage", "at": Daily(datetime.min.time()), "times": 0}, "times 0"),
        ({"what": "power_outage", "probability": 0.0}, "probability 0.0"),
        ({"what": "power_outage", "at": -HOUR}, "before the start"),
        ({"what": "power_outage", "at": datetime(2026, 1, 1)}, "needs its zone"),  # noqa: DTZ001
        ({"what": "power_outage", "name": "n" * 65}, "name: more than 64"),
        ({"what": "power_outage", "by": HOUR}, "by: no figure of power_outage; it has no figure"),
        ({"what": "clock_jump"}, "by: clock_jump needs it"),
        ({"what": "clock_jump", "by": SHIFT_MAX + HOUR}, "at most 400 days"),
        ({"what": "register_set", "item": ENERGY}, "value: register_set needs it"),
        ({"what": "register_set", "item": ENERGY, "value": Decimal(-1)}, "value -1: write a number of 0"),
        ({"what": "register_rollover", "left_kwh": Decimal(0)}, "left_kwh 0"),
        (
            {"what": "registers_runaway", "rate": RATE_MAX + 1},
            "rate 101: write a number of 0.001 or more, to 100",
        ),
        ({"what": "registers_runaway", "rate": Decimal("NaN")}, "rate NaN"),
        ({"what": "phase_loss", "phases": ""}, "phases ''"),
        ({"what": "phase_loss", "phases": "ba"}, "phases 'ba'"),
        ({"what": "tampering"}, "theft: tampering needs it"),
        ({"what": "tampering", "theft": "THEFT-17"}, "theft 'THEFT-17': write THEFT-01 to THEFT-16"),
        ({"what": "tampering", "theft": "THEFT-01", "strength": Decimal("0.0009")}, "strength 0.0009"),
        ({"what": "tampering", "theft": "THEFT-01", "strength": Decimal("-0.1")}, "strength -0.1"),
        ({"what": "tampering", "theft": "THEFT-01", "strength": Decimal("1.1")}, "strength 1.1"),
        ({"what": "tampering", "theft": "THEFT-01", "phase": "d"}, "phase 'd'"),
        ({"what": "meter_exchange", "meter_number": "12"}, "meter_number '12': write 12 digits"),
        ({"what": "programming", "operator_code": "x"}, "operator_code 'x': write 8 digits"),
    ],
)
def test_a_happening_that_cannot_be_is_refused(keys: dict[str, Any], words: str) -> None:
    """A typing error would look like a quiet plant."""
    make: Callable[..., Happening] = Happening
    with pytest.raises(ValueError, match=words):
        make(**({"at": HOUR} | keys))


def test_every_kind_has_a_test_here() -> None:
    """A kind that nobody tried may do nothing."""
    tried = {
        *(
            "clock_jump",
            "clock_drift",
            "register_set",
            "register_rollover",
            "registers_reset",
            "demand_reset",
        ),
        *("meter_exchange", "registers_stuck", "registers_backward", "registers_runaway", "power_outage"),
        *("phase_loss", "tampering", "reboot", "programming", "relay_stuck", "clock_battery_low"),
    }
    assert tried == set(KINDS)


def test_a_stuck_relay_lets_the_load_through_and_a_battery_runs_empty() -> None:
    """A trip that had no effect would look like one that had."""
    hall = Hall(
        Happening(what="relay_stuck", at=HOUR, meter=A, strength=Decimal("0.25"), lasts=DAY),
        Happening(what="clock_battery_low", at=HOUR, meter=B),
        Happening(what="programming", at=HOUR, meter=C, operator_code="00000001"),
    )
    hall.wait(HOUR)
    for address in (A, B):
        hall.works(address).history.change(hall.sim.clock.utc_now(), contact_open=True)
    assert hall.shows("active_power") > 0
    assert 0 == hall.shows("active_power", B)
    assert hall.held(B).clock_battery_low
    assert ("programmed", {"operator_code": "00000001"}) == (
        hall.works(C).history.last.happened,
        hall.works(C).history.last.details,
    )
    hall.wait(DAY)
    assert 0 == hall.shows("active_power")


def test_figures_may_be_written_as_numbers() -> None:
    """Whoever writes ``strength=0.5`` in a test would meet an error of ours."""
    written = Happening(what="tampering", theft="THEFT-01", at=HOUR, meter=A, strength=0.5)  # type: ignore[arg-type]
    assert Decimal("0.5") == written.strength
    with pytest.raises(ValueError, match="strength 2"):
        Happening(what="tampering", theft="THEFT-01", at=HOUR, meter=A, strength=2)  # type: ignore[arg-type]
