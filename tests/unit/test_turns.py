"""A turn at a meter's memory: what of an answer is believed, and which slots stay the most urgent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.acquisition.harvest import Harvest
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.acquisition.sights import Sight
from meterlink.acquisition.streams import Job, Meter, Stream
from meterlink.acquisition.turns import VOUCHED_S, Turn
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Depth, Measured, StoredAnswer, StoredRecord, Wanted
from meterlink.errors import ReplyTimeout
from meterlink.journal.journal import Journal
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import NO_MARKS
from meterlink.model.slot import DAY_S, Reason, State
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock

_DAY = timedelta(days=1)
_TODAY = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_NOW = _TODAY + timedelta(hours=6)
_PLAN = StoredPlan(name="d", data_class=DAILY_FREEZE, items=("forward_active_energy",))
_NIGHTS = [_TODAY - n * _DAY for n in range(7)]
"""Newest first."""

Says = Callable[[Wanted], StoredAnswer]


class _Line:
    """A line on which each question is answered."""

    name = "line1"

    async def exchange(self, session: Any, *, priority: Priority) -> None:
        """One exchange, which comes to its end."""


class _Memory:
    """What stands behind a meter's address: itself, or a terminal that answers for it.

    Args:
        says: its answer.

    """

    stored: Mapping[str, Depth] = {DAILY_FREEZE: Depth(records=62, every_s=DAY_S)}

    def __init__(self, says: Says) -> None:
        self.says = says
        self.asked: list[tuple[datetime, ...]] = []

    async def read_stored(self, line: Any, address: str, wanted: Wanted, *, priority: Any) -> StoredAnswer:
        self.asked.append(tuple(wanted.slots))
        await line.exchange(None, priority=priority)
        return self.says(wanted)


async def _nobody(*found: object) -> None:
    raise AssertionError(f"nobody is told of {found}")


class _Looker:
    """What a meter shows beside its nights: nothing that anybody waits for."""

    async def status_word(self, address: str, priority: Priority) -> int | None:
        return 0

    async def clock_ahead(self, address: str, priority: Priority) -> timedelta | None:
        return timedelta()


class _Bench:
    """A meter whose nights are open, and the turns at it.

    Args:
        journal: where they stand.
        clock: wall and monotonic time.
        says: what the meter answers.

    """

    def __init__(self, journal: Journal, clock: SimClock, says: Says) -> None:
        self.journal, self.clock, self.memory = journal, clock, _Memory(says)
        self.stream = Stream(Meter(Point(meter="m1", address="1")), _PLAN, self.memory)  # type: ignore[arg-type]
        looks = Looks(
            {"m1": Sight(address="1", looker=_Looker())},  # type: ignore[arg-type]
            shown={},
            tell_mixed=_nobody,
            tell_settles_else=_nobody,
            book=None,  # type: ignore[arg-type]
            clock=clock,
            zone=CHINA_TIME,
        )
        harvest = Harvest("line1", journal, journal.ledger)
        self._turn = Turn(_Line(), [self.stream], harvest, looks, journal.ledger, clock)  # type: ignore[arg-type]

    async def plan(self) -> None:
        due = tuple(Due(int(night.timestamp()), int(night.timestamp())) for night in _NIGHTS)
        planned = Planned(meter="m1", data_class=DAILY_FREEZE, every_s=DAY_S, slots=due)
        await self.journal.ledger.plan([planned])
        self.stream.behind = tuple(_NIGHTS)

    async def take(self, *slots: datetime) -> None:
        await self._turn.take(Job(self.stream, slots, Priority.BACKFILL))

    async def stands(self, night: datetime) -> tuple[State, Reason]:
        [one] = await self.journal.ledger.standings("m1", night)
        return one.state, one.reason

    async def open_nights(self) -> list[datetime]:
        far = 400 * _DAY
        return await self.journal.ledger.open_slots(
            self.stream.series, since=_NOW - far, until=_NOW + far, newest_first=True, limit=100
        )

    async def newest_kept(self) -> datetime | None:
        slots = [one.slot for row in await self.journal.rows_after(0, 100) for one in row.readings]
        return max(slots, default=None)


def _record(slot: datetime) -> StoredRecord:
    value = Measured(
        item="forward_active_energy",
        period="x",
        value=Decimal(1),
        text="1",
        unit="kWh",
        marks=NO_MARKS,
    )
    return StoredRecord(slot=slot, values=(value,))


def _answer(*nights: datetime, **more: Any) -> StoredAnswer:
    given: dict[str, Any] = {"gone": {}, "not_yet": {}, "unfit_slots": {}, "refused": {}, "unfit": {}, **more}
    return StoredAnswer(records=tuple(_record(night) for night in nights), taken_at=_NOW, **given)


def _of_a_terminal(wanted: Wanted) -> StoredAnswer:
    """A terminal that has the nights that were, and knows nothing of those to come."""
    had = [slot for slot in wanted.slots if slot <= _NOW]
    why = "terminal 0171-2082 has it not, and the meter cannot have it"
    return _answer(*had, unfit_slots=dict.fromkeys(set(wanted.slots) - set(had), why), heard=False)


def _of_a_lost_clock(wanted: Wanted) -> StoredAnswer:
    """A meter that is weeks ahead: it calls so what was taken long ago, and has all that it is asked for."""
    return _answer(*wanted.slots)


@pytest.mark.asyncio
async def test_what_a_terminal_has_not_yet_says_nothing_of_a_meters_clock(tmp_path: Path) -> None:
    """A meter that only its terminal reads would be called lost, and none of its nights be kept."""
    clock = SimClock(_NOW)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        bench = _Bench(journal, clock, _of_a_terminal)
        await bench.plan()
        await bench.take(*_NIGHTS[:2])
        assert len(bench.memory.asked[0]) == 3, "and one that nobody can have"
        assert (State.KEPT, Reason.WAITING) == await bench.stands(_NIGHTS[0])
        assert (State.KEPT, Reason.WAITING) == await bench.stands(_NIGHTS[1])


@pytest.mark.asyncio
async def test_a_terminal_vouches_for_no_meters_clock(tmp_path: Path) -> None:
    """A meter that is weeks ahead would be believed for a week once its terminal had answered for it.

    What it calls last night is of weeks ago, and would be billed as last night's.
    """
    clock = SimClock(_NOW)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        bench = _Bench(journal, clock, _of_a_terminal)
        await bench.plan()
        await bench.take(_NIGHTS[1])
        bench.memory.says = _of_a_lost_clock  # through the tunnel
        await bench.take(_NIGHTS[0])
        assert (State.DUE, Reason.CLOCK_WRONG) == await bench.stands(_NIGHTS[0])
        assert _NIGHTS[1] == await bench.newest_kept()


@pytest.mark.asyncio
async def test_a_meter_vouches_for_its_own_clock_for_a_week(tmp_path: Path) -> None:
    """Each turn would ask for one record more than there is."""

    def sound(wanted: Wanted) -> StoredAnswer:
        to_come = {slot: "the meter is not there yet" for slot in wanted.slots if slot > _NOW}
        return _answer(*(slot for slot in wanted.slots if slot <= _NOW), not_yet=to_come)

    clock = SimClock(_NOW)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        bench = _Bench(journal, clock, sound)
        await bench.plan()
        for night in _NIGHTS[:2]:
            await bench.take(night)
        clock.advance(VOUCHED_S)
        await bench.take(_NIGHTS[2])
        assert [2, 1, 2] == [len(slots) for slots in bench.memory.asked]


@pytest.mark.asyncio
@pytest.mark.parametrize("more", [{"heard": False}, {"cut_short": ReplyTimeout("silence")}])
async def test_no_night_to_come_is_kept(tmp_path: Path, more: dict[str, Any]) -> None:
    """A terminal that is days ahead files under days to come; so does a meter that then falls silent.

    Such a reading would stand in the journal, and be taken for that day's when it comes.
    """
    clock = SimClock(_NOW)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        bench = _Bench(journal, clock, lambda wanted: _answer(*wanted.slots, **more))
        await bench.plan()
        await bench.take(_NIGHTS[0])
        assert await bench.newest_kept() is None
        assert (State.DUE, Reason.CLOCK_WRONG) == await bench.stands(_NIGHTS[0])


@pytest.mark.asyncio
async def test_after_a_turn_that_was_cut_short_the_night_without_an_answer_waits(tmp_path: Path) -> None:
    """It would be asked for first in the next turn again, and all nights behind it wait for that silence."""
    silent = _NIGHTS[1]

    def cut(wanted: Wanted) -> StoredAnswer:
        return _answer(_NIGHTS[0], cut_short=ReplyTimeout("silence"))

    clock = SimClock(_NOW)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        bench = _Bench(journal, clock, cut)
        await bench.plan()
        await bench.take(*_NIGHTS[:4])
        bench.stream.behind = tuple(await bench.open_nights())
        assert silent in bench.stream.behind
        assert _NIGHTS[2:] == bench.stream.behind_first(_NOW)


@pytest.mark.asyncio
async def test_a_meter_that_says_nothing_of_a_night_to_come_gives_the_others(tmp_path: Path) -> None:
    """Nothing is left of such a turn: whoever looks for where it was cut short would end the daemon."""

    def cut(wanted: Wanted) -> StoredAnswer:
        return _answer(*(slot for slot in wanted.slots if slot <= _NOW), cut_short=ReplyTimeout("silence"))

    clock = SimClock(_NOW)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        bench = _Bench(journal, clock, cut)
        await bench.plan()
        for _ in range(2):
            await bench.take(*_NIGHTS[:2])
        assert _NIGHTS[2:] == await bench.open_nights()
