"""Carrying out one plan on one line, round by round; what is due and how a meter is asked is the plan's kind.

A round belongs to one slot, the plan's interval. A meter that does not answer is put aside at its first
silence, so that it costs its neighbours one timeout, and is asked again when all others are done and an
answer that was merely late has had time to pass. The round ends with its slot; the next begins with those
whom it cut off.

Several workers share the line's queue: while one waits for the disk, the line is already busy for the next.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

import structlog

from meterlink.acquisition.clock_watch import LOOK_S, SET, Wall
from meterlink.acquisition.keeping import Keeper, PatientKeeper
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.passing import PassingLedger, PassingSlots
from meterlink.acquisition.plans import Plan, Point, is_kept
from meterlink.acquisition.rounds import NO_TRY, Memory, Moment, Task
from meterlink.bus.line import Line
from meterlink.clock import Clock, wait_for
from meterlink.drivers.base import Driver
from meterlink.errors import BusFull, ConfigError, LineError, ReplyTimeout
from meterlink.model.slot import Reason
from meterlink.model.zone import CHINA_TIME

WORKERS = 4
"""Meters of one plan that are in work at once on one line; also the readings that a crash can lose a line."""

LATE_ANSWER_S = 3.0
"""After a silence the same question is not asked again sooner: a late answer could pass for the new one."""

LATE_SHARE = 0.01
"""Of a slot; a start later than this had only a part of it."""
_TIMER_SLACK_S = 0.05
"""Wall and monotonic clocks do not tick together; a pause of ``LATE_ANSWER_S`` must count as one."""

_log = structlog.get_logger(__name__)


class Poller(ABC):
    """One plan on one line.

    Args:
        plan: what and how often.
        points: the line's meters, in the order of reading.
        line: where they are.
        driver: how they talk.
        keeper: the journal.
        looks: what the meters show beside their values.
        ledger: the ledger.
        clock: wall time.
        zone: what the meters' clocks show; a refused item is asked again on the next day of it.

    """

    def __init__(
        self,
        *,
        plan: Plan,
        points: Sequence[Point],
        line: Line,
        driver: Driver,
        keeper: Keeper,
        looks: Looks,
        ledger: PassingLedger,
        clock: Clock,
        zone: tzinfo = CHINA_TIME,
    ) -> None:
        self._plan = plan
        self._zone = zone
        self._points = tuple(points)
        self._line = line
        self._driver = driver
        self._keeper = PatientKeeper(keeper, line=line.name, data_class=plan.data_class)
        self._looks = looks
        self._slots = PassingSlots(plan, ledger, line.name)
        self._clock = clock
        self._wall = Wall(line.name, clock)
        self._memory = Memory()
        self._stop = asyncio.Event()
        self._woken = asyncio.Event()

    def stop(self) -> None:
        """Let ``run`` end after the exchanges in hand."""
        self._stop.set()
        self._woken.set()

    def look_at_clock(self) -> None:
        """The wall clock was set: the slot may be another."""
        self._woken.set()

    async def run(self) -> None:
        """Poll until stopped."""
        while not self._stop.is_set():
            if not self._wall.is_set():
                self._memory.no_time = True
                self._woken.clear()
                await wait_for(self._woken, LOOK_S)
                continue
            looked = self._look()
            slot = self._plan.slot_at(looked.wall)
            last = self._memory.last_slot
            if slot != last:
                await self._note_gap(last, slot, looked)
                self._memory.was_set = abs(self._set_by_s(looked)) > SET.total_seconds()
                self._memory.looked, self._memory.no_time = looked, False
                self._keeper.begin()
                if self._plan.has(slot):
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
                await wait_for(self._stop, LATE_ANSWER_S)
            todo = failed
        if failed and not self._stop.is_set():
            await self._note_missed(failed, slot)

    @abstractmethod
    async def _due(self, slot: datetime) -> list[Task]:
        """What is to be read in a round, a task a meter."""

    @abstractmethod
    async def _ask(self, task: Task, slot: datetime) -> None:
        """Read a meter's items and keep them; what was not read is left in the task.

        Raises:
            ReplyTimeout, LineError, BusFull: from the line; the rest of the task is left.

        """

    def _task_of(self, point: Point, kept: set[str], slot: datetime) -> Task:
        """The plan's items of a meter without those that are kept or were refused today."""
        today = slot.astimezone(self._zone).date()
        refused = self._memory.refused
        items = (item for item in self._plan.items if refused.get((point.meter, item)) != today)
        return Task(
            point, deque(item for item in items if not self._is_kept(item, kept)), any_kept=bool(kept)
        )

    def _is_kept(self, item: str, kept: set[str]) -> bool:
        return is_kept(item, kept)

    def _in_turn(self, tasks: Iterable[Task]) -> list[Task]:
        """The tasks that hold anything; whom the end of an earlier round cut off comes first.

        So a line that is too slow for its plan serves all of its meters in turn, not the first ones always.
        """
        return sorted(
            (task for task in tasks if task.items),
            key=lambda task: self._memory.asked.get(task.point.meter, 0),
        )

    async def _pass(self, todo: Sequence[Task], slot: datetime) -> list[Task]:
        """Work through the tasks once; returns those that are not done."""
        waiting = list(reversed(todo))
        failed: list[Task] = []
        async with asyncio.TaskGroup() as group:
            for number in range(min(WORKERS, len(waiting))):
                name = f"poller[{self._line.name}].{self._plan.name}.{number}"
                group.create_task(self._work(waiting, failed, slot), name=name)
        return failed

    async def _work(self, waiting: list[Task], failed: list[Task], slot: datetime) -> None:
        while waiting:
            task = waiting.pop()
            await self._read_meter(task, slot)
            if task.items:
                failed.append(task)

    async def _read_meter(self, task: Task, slot: datetime) -> None:
        """Read a meter's items; what is left in the task was not read."""
        if self._may_still_answer(task.point) or self._over(slot):
            return
        self._memory.turns += 1
        self._memory.asked[task.point.meter] = self._memory.turns
        before, task.trouble = task.trouble, None
        try:
            await self._ask(task, slot)
        except ReplyTimeout:
            task.trouble = Reason.SILENT, ""
            self._note_silent(task.point)
        except ConfigError as error:  # a secret that stands elsewhere is no longer there
            task.trouble = Reason.BAD_DATA, str(error)
            self._note_bad(task.point, str(error))
        except LineError as error:
            task.trouble = Reason.LINE_DOWN, str(error)  # the line says so itself; the items stay due
        except BusFull as error:
            task.trouble = Reason.LINE_SLOW, str(error)
        if task.trouble is None:
            task.trouble = before  # all is read, or the slot is over
        elif task.trouble[0] not in NO_TRY:
            task.tries += 1

    def _may_still_answer(self, point: Point) -> bool:
        """Whether an answer to the meter's last question could still come, also from an earlier slot."""
        silent_at = self._memory.silent.get(point.meter)
        passed_s = None if silent_at is None else self._clock.monotonic_s() - silent_at
        return passed_s is not None and passed_s < LATE_ANSWER_S - _TIMER_SLACK_S

    # --- time ------------------------------------------------------------------------------

    def _over(self, slot: datetime) -> bool:
        """Whether we are to stop, or the wall clock has left the slot, to whichever side."""
        return self._stop.is_set() or self._plan.slot_at(self._clock.utc_now()) != slot

    def _look(self) -> Moment:
        return Moment(self._clock.utc_now(), self._clock.monotonic_s())

    def _set_by_s(self, now: Moment) -> float:
        """By how much the wall clock was set since the last slot began: more than 0, forward."""
        since = self._memory.looked
        if since is None:
            return 0.0
        return (now.wall - since.wall).total_seconds() - (now.monotonic_s - since.monotonic_s)

    def _left_s(self, slot: datetime) -> float:
        return (self._plan.end_of(slot) - self._clock.utc_now()).total_seconds()

    async def _sleep_through(self, slot: datetime) -> None:
        while not self._over(slot):
            self._woken.clear()
            await wait_for(self._woken, self._left_s(slot))

    # --- what people are told --------------------------------------------------------------

    async def _note_gap(self, last: datetime | None, slot: datetime, looked: Moment) -> None:
        """Say of the slots between two why nobody came to them."""
        meters = [point.meter for point in self._points]
        if last is None:
            since = {one.meter: one.in_service_since for one in self._points if one.in_service_since}
            await self._slots.absent(meters, slot, since)
            return
        skipped = round((slot - last).total_seconds()) // self._plan.every_s - 1
        if skipped > 0:
            _log.warning("slots_skipped", line=self._line.name, plan=self._plan.name, slots=skipped)
            first = self._plan.end_of(last)
            if self._memory.no_time or 2 * self._set_by_s(looked) >= skipped * self._plan.every_s:
                await self._slots.set_over(meters, first, slot)
            else:
                await self._slots.skipped(meters, first, slot, self._no_time())
        elif slot < last:
            _log.warning("clock_set_back", line=self._line.name, plan=self._plan.name, slot=slot.isoformat())
            await self._slots.set_back(meters, slot)

    def _note_refused(self, point: Point, item: str, slot: datetime, reason: str) -> None:
        self._memory.refused[point.meter, item] = slot.astimezone(self._zone).date()
        _log.warning("item_refused", line=self._line.name, meter=point.meter, item=item, reason=reason)

    def _note_bad(self, point: Point, reason: str) -> None:
        _log.warning("bad_answer", line=self._line.name, meter=point.meter, reason=reason)

    def _note_silent(self, point: Point) -> None:
        known = point.meter in self._memory.silent
        self._memory.silent[point.meter] = self._clock.monotonic_s()
        if not known and self._looks.falls_silent(point.meter):
            _log.warning("meter_silent", line=self._line.name, meter=point.meter, address=point.address)

    def _note_answers(self, point: Point) -> None:
        if point.meter in self._memory.silent:
            del self._memory.silent[point.meter]
            self._looks.was_silent(point.meter)
        if self._looks.answers(point.meter):
            _log.info("meter_answers", line=self._line.name, meter=point.meter, address=point.address)

    async def _note_missed(self, failed: Sequence[Task], slot: datetime) -> None:
        missed = sum(len(task.items) for task in failed)
        name, told = self._plan.name, slot.isoformat()
        _log.info(
            "slot_incomplete", line=self._line.name, plan=name, slot=told, meters=len(failed), items=missed
        )
        # A line that was down to the end was tried to the end: that is told anew, and its last words with it.
        news = [task for task in failed if task.is_news or (task.trouble and task.trouble[0] in NO_TRY)]
        why = {task.point.meter: task.trouble or self._never_asked(task.point) for task in news}
        tries = {task.point.meter: task.untold_tries for task in news}
        await self._slots.missed(slot, [task.point.meter for task in failed], why, tries)

    def _never_asked(self, point: Point) -> tuple[Reason, str]:
        """Why nobody came to a meter in a slot."""
        if abs(self._set_by_s(self._look())) > SET.total_seconds():
            return Reason.CLOCK_WRONG, ""  # it was set out of the slot
        if point.meter in self._memory.silent:
            return Reason.SILENT, ""
        return (Reason.NOT_RUNNING if self._began_late() else self._no_time()), ""

    def _began_late(self) -> bool:
        """Whether a start found the slot begun, and had only what was left of it."""
        looked = self._memory.looked
        if looked is None or self._memory.last_slot is not None:
            return False
        gone_s = (looked.wall - self._plan.slot_at(looked.wall)).total_seconds()
        return gone_s > self._plan.every_s * LATE_SHARE

    def _no_time(self) -> Reason:
        """Why time ran out: what was read had to wait for room, or else the line is too slow."""
        return Reason.NO_ROOM if self._keeper.wanted_room else Reason.LINE_SLOW
