"""What a 1376.1 terminal tells: under the right meter, once, and confirmed when it has been kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.gdw1376.counted import OLD_TRIES, TRIES
from meterlink.drivers.gdw1376.reporter import WAITING_MAX
from meterlink.drivers.reports import Report, ReportedReadings
from meterlink.model.data_classes import CURVE, DAILY_FREEZE
from meterlink.model.event_kinds import REPORTED_VALUES, UNREAD_REPORT
from meterlink.model.marks import Marks
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import Group, unit
from tests.support.stocked_terminal import StockedTerminal, entry
from tests.support.terminal_world import ADDRESS, FIVE, MIDNIGHT, OTHER, YESTERDAY, World, run

AT = Moment(year=26, month=11, day=23, hour=8, minute=30)
NAME = "0171-2082"


def lost(point: int) -> dict[str, Any]:
    """A meter that the terminal could not read."""
    return {
        "erc": 31,
        "time": AT,
        "pn": point,
        "start": 1,
        "last_read": None,
        "energy_kwh": Decimal("12.0000"),
        "reactive_kvarh": None,
    }


def power(minute: int) -> dict[str, Any]:
    """The terminal's own power."""
    return {"erc": 14, "time": AT._replace(minute=minute), "power_on": AT._replace(minute=minute + 1)}


async def looking(world: World) -> None:
    """Have somebody look after the terminal, too."""
    world.tasks.append(world.loop.create_task(world.reporter.run(world.upper)))
    await asyncio.sleep(1)


def events(reports: list[Report]) -> list[ReportedEvent]:
    return [part for report in reports for part in report.parts if isinstance(part, ReportedEvent)]


def told(*some: dict[str, Any], first: int = 0) -> Any:
    values = {"ec": [first + len(some), 0], "pm": first, "pn_ptr": first + len(some), "events": some}
    return unit(table.EVENTS, 1, values, way="up")


async def report(world: World, afn: int, *groups: Any) -> None:
    """The terminal reports."""
    server = world.terminal.server
    server.report(afn, list(groups))
    assert world.far is not None
    await world.far.send(server.octets_to_send())
    await asyncio.sleep(1)


def test_an_event_of_a_meter_waits_until_the_archive_says_whose_it_is() -> None:
    """It would be kept under the terminal, or under whoever had that point before."""
    terminal = StockedTerminal(archive=[entry(1, 7, ADDRESS)])

    async def body(world: World) -> None:
        await report(world, table.EVENTS, told(lost(7), power(1)))
        assert [] == world.reports
        await looking(world)
        first, second = events(world.reports)
        assert (ADDRESS, "reading_failed") == (first.address, first.kind)
        assert (NAME, "terminal_power") == (second.address, second.kind)
        assert second.ended_at is not None
        assert terminal.server.confirmed is None, "nobody has kept it yet"
        world.reports[0].acknowledge()
        await asyncio.sleep(1)
        assert terminal.server.confirmed

    run(body, terminal)


def test_an_event_of_a_point_that_nobody_has_is_the_terminals() -> None:
    """It would be some meter's, and that meter be visited."""
    terminal = StockedTerminal(archive=[entry(1, 7, ADDRESS), entry(2, 8, OTHER), entry(3, 8, ADDRESS)])

    async def body(world: World) -> None:
        await looking(world)
        world.reports.clear()
        await report(world, table.EVENTS, told(lost(9), lost(8), lost(7)))
        assert [NAME] * 3 == [event.address for event in events(world.reports)]
        points = [value.content for event in events(world.reports) for value in event.values[1:2]]
        assert [Decimal(9), Decimal(8), Decimal(7)] == points

    run(body, terminal)


def test_the_same_report_told_again_has_the_same_key() -> None:
    """The journal would keep it as often as it is told."""
    terminal = StockedTerminal()

    async def body(world: World) -> None:
        await looking(world)
        for number in (1, 1, 2):
            await report(world, table.EVENTS, told(power(number)))
        keys = [one.key for one in world.reports if one.terminal == NAME and one.summary.startswith("AFN")]
        assert (keys[0], 2) == (keys[1], len(set(keys)))

    run(body, terminal)


def test_values_that_are_reported_stand_under_their_meter_and_slot() -> None:
    """A curve of fifteen minutes would be one value, or a night stand under the day before."""
    terminal = StockedTerminal(archive=[entry(1, 7, ADDRESS)])
    start = Moment(year=26, month=11, day=22, hour=0, minute=0)
    curve = {"start": start, "density": 1, "points": 2, "values": [Decimal("0.1000"), Decimal("0.2000")]}

    async def body(world: World) -> None:
        await looking(world)
        night = unit(table.CLASS_2, 161, {"date": YESTERDAY, **FIVE}, point=7, way="up")
        load = unit(table.CLASS_2, 81, curve, point=7, way="up")
        strange = unit(table.CLASS_2, 81, curve, point=9, way="up")
        world.reports.clear()
        await report(world, table.CLASS_2, night, load, strange)
        [found] = world.reports
        readings = [part for part in found.parts if isinstance(part, ReportedReadings)]
        assert {ADDRESS} == {part.address for part in readings}
        assert [(DAILY_FREEZE, MIDNIGHT)] == [
            (part.data_class, part.slot) for part in readings if part.data_class == DAILY_FREEZE
        ]
        assert 2 == len([part for part in readings if part.data_class == CURVE])
        assert [NAME] * 2 == [event.address for event in events([found])], "nobody's values"

    run(body, terminal)


def test_what_is_reported_by_a_clock_that_is_off_is_no_night_of_a_meter() -> None:
    """A terminal a day off would report the night of another day, and it would be billed."""
    terminal = StockedTerminal(archive=[entry(1, 7, ADDRESS)])
    start = Moment(year=26, month=11, day=22, hour=0, minute=0)
    curve = {"start": start, "density": 1, "points": 1, "values": [Decimal("0.1000")]}

    async def body(world: World) -> None:
        terminal.shown = lambda: world.local() + timedelta(days=2)
        night = unit(table.CLASS_2, 161, {"date": YESTERDAY, **FIVE}, point=7, way="up")
        load = unit(table.CLASS_2, 81, curve, point=7, way="up")
        await report(world, table.CLASS_2, night, load)
        assert [] == world.reports, "nobody knows its clock"
        await looking(world)
        [found] = [one for one in world.reports if one.summary.startswith("AFN 0DH")]
        [readings] = [part for part in found.parts if isinstance(part, ReportedReadings)]
        assert (CURVE, Marks.CLOCK_DEV | Marks.CLOCK_FAR) == (readings.data_class, readings.values[0].marks)
        [event] = events([found])
        assert (NAME, REPORTED_VALUES) == (event.address, event.kind)

    run(body, terminal)


def test_what_nobody_can_read_is_kept_as_that_and_confirmed() -> None:
    """The terminal would tell it for ever."""
    terminal = StockedTerminal()

    async def body(world: World) -> None:
        await looking(world)
        world.reports.clear()
        unknown = unit(table.CLASS_1, 10, {"day_octets": 1, "month_octets": 2}, way="up")
        await report(world, table.CLASS_1, unknown)
        [event] = events(world.reports)
        assert UNREAD_REPORT == event.kind
        world.reports[0].acknowledge()
        await asyncio.sleep(1)
        assert terminal.server.confirmed

    run(body, terminal)


def test_passwords_in_an_event_stay_out() -> None:
    """The event of a failed authentication holds what was tried: it would stand in journal and broker."""
    terminal = StockedTerminal()
    tried = {"erc": 20, "time": AT, "pw": b"\xa5" * 16, "msa": 3}

    async def body(world: World) -> None:
        await looking(world)
        await report(world, table.EVENTS, told(tried))
        assert "authentication_failed" in {event.kind for event in events(world.reports)}
        assert "a5a5" not in repr(world.reports)

    run(body, terminal)


def test_events_that_are_counted_are_fetched_once() -> None:
    """A terminal that may not report would keep its events to itself, or tell the same at each answer."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])
    terminal.events = [power(minute) for minute in range(20)]
    clock = Moment(year=26, month=11, day=23, hour=9, minute=0, second=1, weekday=1)
    terminal.store[table.CLASS_1, 2, 0, None] = {"clock": clock}

    async def body(world: World) -> None:
        terminal.server.event_counts = (20, 0)
        await looking(world)
        minutes = [event.occurred_at for event in events(world.reports) if event.kind == "terminal_power"]
        assert 20 == len(minutes) == len(set(minutes))
        terminal.events.append(power(40))
        terminal.server.event_counts = (21, 0)
        await world.station.ask(
            world.upper, table.CLASS_1, [unit(table.CLASS_1, 2)], priority=Priority.BILLING
        )
        await asyncio.sleep(1)
        minutes = [event.occurred_at for event in events(world.reports) if event.kind == "terminal_power"]
        assert 21 == len(minutes) == len(set(minutes))

    run(body, terminal)


class _Sparing(StockedTerminal):
    """Gives few events in one answer, and says so by its own pointer; and denies some requests for them."""

    def __init__(self, events: int, *, most: int = 99, denials: int = 0) -> None:
        super().__init__(archive=[entry(1, 1, ADDRESS)])
        self.events = [power(minute) for minute in range(events)]
        self.server.event_counts = (events, 0)
        self.most, self.denials = most, denials

    def _unit(self, afn: int, fn: int, point: int, values: Mapping[str, Any]) -> list[Group]:
        if afn == table.EVENTS:
            first, after = values["pm"], values["pn_ptr"] or 256
            if self.denials and first < len(self.events):
                self.denials -= 1
                return []
            values = {"pm": first, "pn_ptr": min(after, first + self.most)}
        return super()._unit(afn, fn, point, values)

    @property
    def requests(self) -> int:
        return len([one for one in self.asked if one.head.afn == table.EVENTS])


def _minutes(world: World) -> set[Any]:
    return {event.occurred_at for event in events(world.reports) if event.kind == "terminal_power"}


@pytest.mark.parametrize("most", [1, 5, 12])
def test_an_answer_of_fewer_events_than_were_asked_for_is_followed_by_the_rest(most: int) -> None:
    """Events that a terminal did not fit into one frame would never be told to anybody."""
    terminal = _Sparing(12, most=most)

    async def body(world: World) -> None:
        await looking(world)
        assert 12 == len(_minutes(world))
        terminal.events += [power(minute) for minute in range(12, 20)]
        terminal.server.event_counts = (20, 0)
        await world.station.ask(
            world.upper, table.CLASS_1, [unit(table.CLASS_1, 2)], priority=Priority.BILLING
        )
        await asyncio.sleep(1)
        assert 20 == len(_minutes(world)) == len(events(world.reports)), "each once"

    run(body, terminal)


@pytest.mark.parametrize(("denials", "told"), [(1, 12), (TRIES - 1, 12), (TRIES, 0)])
def test_a_terminal_that_denies_its_events_is_asked_again(denials: int, told: int) -> None:
    """What it was too busy to tell would be lost; one that never tells would be asked for ever."""
    terminal = _Sparing(12, denials=denials)

    async def body(world: World) -> None:
        await looking(world)
        assert 0 == len(_minutes(world))
        await asyncio.sleep(3_600)
        assert told == len(_minutes(world))
        assert terminal.requests <= TRIES + 1 + 2 * OLD_TRIES + TRIES

    run(body, terminal)


def test_reports_that_wait_for_the_archive_and_one_more() -> None:
    """A terminal that tells and tells would fill the memory while nobody can ask it."""
    terminal = StockedTerminal(archive=[entry(1, 7, ADDRESS)])

    async def body(world: World) -> None:
        for _ in range(WAITING_MAX + 1):
            await report(world, table.EVENTS, told(lost(7)))
        assert 1 == world.reporter.dropped
        await looking(world)
        assert WAITING_MAX == len([event for event in events(world.reports) if event.address == ADDRESS])

    run(body, terminal)


def _curve(fn: int, points: int, value: str) -> Any:
    start = Moment(year=26, month=11, day=22, hour=0, minute=0)
    values = {"start": start, "density": 1, "points": points, "values": [Decimal(value)] * points}
    return unit(table.CLASS_2, fn, values, point=7, way="up")


CURVES = {
    **dict.fromkeys(range(81, 89), "0.5000"),
    **dict.fromkeys(range(89, 92), "220.0"),
    **dict.fromkeys(range(92, 96), "1.000"),
    **dict.fromkeys(range(105, 109), "99.0"),
}
"""Functions of the published report, and a value of each."""
FULL = [_curve(89 + number % 3, 255, "220.0") for number in range(31)]
"""Close to all that one frame can hold: a value of a voltage has two octets."""


@pytest.mark.parametrize(
    ("units", "count"),
    [([_curve(fn, 96, value) for fn, value in CURVES.items()], 19 * 96), (FULL, 31 * 255)],
    ids=["published", "full"],
)
def test_a_report_of_many_values_is_kept_whole_before_it_is_confirmed(units: list[Any], count: int) -> None:
    """Its terminal would forget what was cut off, and nobody would have it."""
    terminal = StockedTerminal(archive=[entry(1, 7, ADDRESS)])

    async def body(world: World) -> None:
        await looking(world)
        world.reports.clear()
        await report(world, table.CLASS_2, *units)
        [found] = world.reports
        readings = [part for part in found.parts if isinstance(part, ReportedReadings)]
        assert count == sum(len(part.values) for part in readings)
        assert {ADDRESS} == {part.address for part in readings}
        found.acknowledge()
        await asyncio.sleep(1)
        assert terminal.server.confirmed

    run(body, terminal)


def test_a_report_that_cannot_be_kept_whole_is_told_and_not_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of it would be kept, and the other half be forgotten by its terminal."""
    terminal = StockedTerminal(archive=[entry(1, 7, ADDRESS)])

    async def body(world: World) -> None:
        await looking(world)
        for most, is_kept in ((96, True), (95, False)):
            monkeypatch.setattr("meterlink.drivers.gdw1376.told.PARTS_MAX", most)
            world.reports.clear()
            terminal.server.confirmed = None
            await report(world, table.CLASS_2, _curve(89, 96, "220.0"))
            [found] = world.reports
            assert is_kept == (96 == len(found.parts))
            assert is_kept == (not any(one.kind == UNREAD_REPORT for one in events(world.reports)))
            found.acknowledge()
            await asyncio.sleep(1)
            assert is_kept == bool(terminal.server.confirmed)

    run(body, terminal)
