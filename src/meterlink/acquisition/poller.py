"""Carrying out one plan on one line, round by round.

A round belongs to one slot. Each meter is asked for its items one after the other; a meter that does not
answer is put aside at its first silence, so that it costs its neighbours one timeout, and is asked again
when all others are done and an answer that was merely late has had time to pass. A reading taken after
the slot's end would carry a wrong time, so the round ends with its slot.

Several workers share the line's queue: while one waits for the disk, the line is already busy for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

import structlog

from meterlink.acquisition.plans import DATA_CLASS, Plan, Point, is_kept
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Driver, MeterAnswer
from meterlink.errors import BadAnswer, BusFull, JournalError, LineError, Refused, ReplyTimeout
from meterlink.model.reading import Reading, Record

WORKERS = 4
"""Meters of one plan that are in work at once on one line; also the readings that a crash can lose a line."""

LATE_ANSWER_S = 3.0
"""After a silence the same question is not asked again sooner: a late answer could pass for the new one."""

JOURNAL_PAUSE_S = 1.0
"""Pause between tries to keep a reading while the journal cannot (disk full); acquisition waits with it."""

CLOCK_LOOK_S = 30.0
"""Longest sleep without a look at the wall clock, which may have been set."""

_TIMER_SLACK_S = 0.05
"""Wall and monotonic clocks do not tick together; a pause of ``LATE_ANSWER_S`` must count as one."""

_DAY_OFFSET = timedelta(hours=8)
"""The plant's day is UTC+8; a refused item is asked again on the next one."""

_log = structlog.get_logger(__name__)


class Keeper(Protocol):
    """What a poller needs of the journal."""

    async def keep(self, record: Record) -> int:
        """Keep a record; returns when it is durable. Raises ``JournalError``."""

    async def kept_in(self, data_class: str, slot: datetime) -> set[tuple[str, str]]:
        """(meter, item) of the readings already kept for a slot. Raises ``JournalError``."""


@dataclass(slots=True)
class _Task:
    """What is still to be read of one meter in this round."""

    point: Point
    items: deque[str]


@dataclass(slots=True)
class _Memory:
    """What a poller remembers between rounds; at most one entry a meter (and item).

    ``silent`` holds the monotonic time of the last silence, ``asked`` the number of a meter's last turn.
    After the wall clock was set back ``last_slot`` is older than ``newest_slot``.
    """

    refused: dict[tuple[str, str], date] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    turns: int = 0
    last_slot: datetime | None = None
    newest_slot: datetime | None = None
    journal_away: bool = False


class Poller:
    """One plan on one line.

    Args:
        plan: what and how often.
        points: the line's meters, in the order of reading.
        line: where they are.
        driver: how they talk.
        keeper: the journal.
        clock: wall time.

    """

    def __init__(
        self, *, plan: Plan, points: Sequence[Point], line: Line, driver: Driver, keeper: Keeper, clock: Clock
    ) -> None:
        self._plan = plan
        self._points = tuple(points)
        self._line = line
        self._driver = driver
        self._keeper = keeper
        self._clock = clock
        self._memory = _Memory()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Let ``run`` end after the exchanges in hand."""
        self._stop.set()

    async def run(self) -> None:
        """Poll until stopped."""
        while not self._stop.is_set():
            slot = self._plan.slot_at(self._clock.utc_now())
            last = self._memory.last_slot
            if slot != last:
                self._note_gap(last, slot)
                await self._round(slot)
                self._memory.last_slot = slot
                self._memory.newest_slot = max(slot, self._memory.newest_slot or slot)
            await self._sleep_through(slot)

    # --- one round -------------------------------------------------------------------------

    async def _round(self, slot: datetime) -> None:
        todo = await self._due(slot)
        for number in range(1, self._plan.tries + 1):
            failed = await self._pass(todo, slot)
            if not failed or self._over(slot):
                break
            if self._left_s(slot) <= LATE_ANSWER_S:
                break  # the next slot may not wait for this one's silent meters
            if number < self._plan.tries:
                await self._pause(LATE_ANSWER_S)
            todo = failed
        if failed and not self._stop.is_set():
            self._note_missed(failed, slot)

    async def _due(self, slot: datetime) -> list[_Task]:
        kept: dict[str, set[str]] = {}
        newest = self._memory.newest_slot
        if newest is None or slot <= newest:  # begun before a restart, or before the clock was set back
            for meter, item in await self._kept_before(slot):
                kept.setdefault(meter, set()).add(item)
        today = (slot + _DAY_OFFSET).date()
        tasks = []
        for point in self._points:
            done = kept.get(point.meter, set())
            items = deque(
                item
                for item in self._plan.items
                if not is_kept(item, done) and self._memory.refused.get((point.meter, item)) != today
            )
            if items:
                tasks.append(_Task(point, items))
        # Whom the end of an earlier round cut off comes first, so that a line that is too slow for its
        # plan serves all of its meters in turn and not the first ones always.
        return sorted(tasks, key=lambda task: self._memory.asked.get(task.point.meter, 0))

    async def _kept_before(self, slot: datetime) -> set[tuple[str, str]]:
        while not self._stop.is_set():
            try:
                return await self._keeper.kept_in(DATA_CLASS, slot)
            except JournalError as error:
                await self._journal_pause(error)
        return set()

    async def _pass(self, todo: Sequence[_Task], slot: datetime) -> list[_Task]:
        """Work through the tasks once; returns those that are not done."""
        waiting = deque(todo)
        failed: list[_Task] = []
        async with asyncio.TaskGroup() as group:
            for number in range(min(WORKERS, len(waiting))):
                name = f"poller[{self._line.name}].{self._plan.name}.{number}"
                group.create_task(self._work(waiting, failed, slot), name=name)
        return failed

    async def _work(self, waiting: deque[_Task], failed: list[_Task], slot: datetime) -> None:
        while waiting:
            task = waiting.popleft()
            await self._read_meter(task, slot)
            if task.items:
                failed.append(task)

    async def _read_meter(self, task: _Task, slot: datetime) -> None:
        """Read a meter's items; what is left in the task was not read."""
        bad: list[str] = []
        if self._may_still_answer(task.point) or self._over(slot):
            return
        self._memory.turns += 1
        self._memory.asked[task.point.meter] = self._memory.turns
        while task.items and not self._over(slot):
            item = task.items[0]
            try:
                answer = await self._driver.read(
                    self._line, task.point.address, item, priority=Priority.CURVE
                )
            except Refused as error:
                self._note_refused(task.point, item, slot, error)
            except BadAnswer as error:
                _log.warning("bad_answer", line=self._line.name, meter=task.point.meter, reason=str(error))
                bad.append(item)
            except ReplyTimeout:
                self._note_silent(task.point)
                break
            except (LineError, BusFull):
                break
            else:
                self._note_answers(task.point)
                await self._keep(task.point, answer, slot)
            task.items.popleft()
        task.items.extend(bad)

    def _may_still_answer(self, point: Point) -> bool:
        """Whether an answer to the meter's last question could still come, also from an earlier slot."""
        silent_at = self._memory.silent.get(point.meter)
        passed_s = None if silent_at is None else self._clock.monotonic_s() - silent_at
        return passed_s is not None and passed_s < LATE_ANSWER_S - _TIMER_SLACK_S

    async def _keep(self, point: Point, answer: MeterAnswer, slot: datetime) -> None:
        readings = tuple(
            Reading(
                meter=point.meter,
                item=measured.item,
                value=measured.value,
                unit=measured.unit,
                slot=slot,
                taken_at=answer.taken_at,
                marks=measured.marks,
                route=self._line.name,
            )
            for measured in answer.values
        )
        record = Record(meter=point.meter, data_class=DATA_CLASS, readings=readings)
        while True:
            try:
                await self._keeper.keep(record)
            except JournalError as error:
                await self._journal_pause(error)
                continue
            if self._memory.journal_away:
                self._memory.journal_away = False
                _log.info("journal_back", line=self._line.name)
            return

    # --- time ------------------------------------------------------------------------------

    def _over(self, slot: datetime) -> bool:
        """Whether we are to stop, or the wall clock has left the slot, to whichever side."""
        return self._stop.is_set() or self._plan.slot_at(self._clock.utc_now()) != slot

    def _left_s(self, slot: datetime) -> float:
        return (self._plan.end_of(slot) - self._clock.utc_now()).total_seconds()

    async def _sleep_through(self, slot: datetime) -> None:
        while not self._over(slot):
            await self._pause(min(self._left_s(slot), CLOCK_LOOK_S))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _journal_pause(self, error: JournalError) -> None:
        if not self._memory.journal_away:
            self._memory.journal_away = True
            _log.error("journal_away", line=self._line.name, reason=str(error))
        await asyncio.sleep(JOURNAL_PAUSE_S)

    # --- what people are told --------------------------------------------------------------

    def _note_gap(self, last: datetime | None, slot: datetime) -> None:
        if last is None:
            return
        skipped = round((slot - last).total_seconds()) // self._plan.every_s - 1
        if skipped > 0:
            _log.warning("slots_skipped", line=self._line.name, plan=self._plan.name, slots=skipped)
        elif slot < last:
            _log.warning("clock_set_back", line=self._line.name, plan=self._plan.name, slot=slot.isoformat())

    def _note_refused(self, point: Point, item: str, slot: datetime, error: Refused) -> None:
        self._memory.refused[point.meter, item] = (slot + _DAY_OFFSET).date()
        _log.warning("item_refused", line=self._line.name, meter=point.meter, item=item, reason=str(error))

    def _note_silent(self, point: Point) -> None:
        known = point.meter in self._memory.silent
        self._memory.silent[point.meter] = self._clock.monotonic_s()
        if not known:
            _log.warning("meter_silent", line=self._line.name, meter=point.meter, address=point.address)

    def _note_answers(self, point: Point) -> None:
        if point.meter in self._memory.silent:
            del self._memory.silent[point.meter]
            _log.info("meter_answers", line=self._line.name, meter=point.meter, address=point.address)

    def _note_missed(self, failed: Sequence[_Task], slot: datetime) -> None:
        missed = sum(len(task.items) for task in failed)
        _log.info(
            "slot_incomplete",
            line=self._line.name,
            plan=self._plan.name,
            slot=slot.isoformat(),
            meters=len(failed),
            items=missed,
        )
