"""Events out of meters' memories: first how many there are of each kind, then the records that are new.

The journal knows up to which count each kind of a meter was read (its mark); what was counted since is read,
as far as the memory reaches, and kept in one transaction with the new mark. An event that had not ended is
read again until it has. While records are read others may come, and all places shift: so the count is asked
for once more behind them, and only what was read under one count is kept.

Slots are those in which a meter is looked into. One that was missed is made up for by the next, since the
memory tells all that happened meanwhile, unless it ran over: then the log says how many events are gone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from functools import partial
from typing import Final, Protocol

import structlog

from meterlink.acquisition.event_look import EventLook, event_of, gone_event
from meterlink.acquisition.keeping import Keeper, Patience
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.passing import PassingLedger
from meterlink.acquisition.plans import Plan, Point
from meterlink.acquisition.poller import Poller
from meterlink.acquisition.rounds import Task
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock, wait_for
from meterlink.drivers.base import Driver
from meterlink.drivers.events import ReportedEvent
from meterlink.errors import BadAnswer, Refused
from meterlink.model.event import Event
from meterlink.model.event_kinds import CLEARS
from meterlink.model.event_mark import EventMark
from meterlink.model.slot import Reason
from meterlink.model.zone import CHINA_TIME

CALL_REST_S: Final = 60.0
"""A meter that calls again and again is not looked into more often than this."""
COUNT_AGAIN_MAX: Final = 3
"""How often records of a kind are begun anew because events come while they are read."""

_log = structlog.get_logger(__name__)


class EventJournal(Protocol):
    """What is needed of the log; each raises ``JournalError``."""

    async def marks(self, meter: str) -> dict[str, EventMark]:
        """See ``EventLog.marks``."""

    async def keep(self, meter: str, events: Sequence[Event], marks: Mapping[str, EventMark]) -> None:
        """See ``EventLog.keep``."""


class EventPoller(Poller):
    """A plan of class ``event`` on one line; see ``Poller``.

    Args:
        plan, points, line, driver, keeper, looks, ledger, clock, zone: as of ``Poller``.
        events: the log of events.

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
        events: EventJournal,
        ledger: PassingLedger,
        clock: Clock,
        zone: tzinfo = CHINA_TIME,
    ) -> None:
        super().__init__(
            plan=plan,
            points=points,
            line=line,
            driver=driver,
            keeper=keeper,
            looks=looks,
            ledger=ledger,
            clock=clock,
            zone=zone,
        )
        self._events = events
        self._patience = Patience(self._line.name)
        kinds = (kind for item in self._plan.items for kind in self._driver.event_kinds(item))
        self._kinds = tuple(dict.fromkeys(kinds))
        self._looked: dict[str, EventLook] = {}
        self._left: dict[str, tuple[str, ...]] = {}
        self._absent: set[str] = set()
        self._callers: set[str] = set()
        self._called_at_s: dict[str, float] = {}

    async def _due(self, slot: datetime) -> list[Task]:
        self._looked.clear()
        tasks = [self._all_kinds(point, slot) for point in self._points if point.in_service(slot)]
        for task in tasks:
            if not task.items:
                await self._slots.refused(task.point.meter, slot, "refused already today")
        return self._in_turn(tasks)

    def _all_kinds(self, point: Point, slot: datetime) -> Task:
        """The kinds of a meter, those first to which nobody came the last time."""
        today = slot.astimezone(self._zone).date()
        refused, left = self._memory.refused, self._left.get(point.meter, ())
        kinds = [kind for kind in self._kinds if refused.get((point.meter, kind)) != today]
        kinds.sort(key=lambda kind: (kind not in CLEARS, kind not in left))
        return Task(point, deque(kinds))

    # --- called in between ---

    def wake(self, address: str) -> None:
        """A meter says that it has events which nobody has read: it is looked into between two slots.

        Args:
            address: of the meter; one of another plan is passed over.

        """
        if any(point.address == address for point in self._points):
            self._callers.add(address)
            self._woken.set()

    async def _sleep_through(self, slot: datetime) -> None:
        while not self._over(slot):
            self._woken.clear()
            wait_s = await self._answer_calls(slot)
            await wait_for(self._woken, min(self._left_s(slot), wait_s))

    async def _answer_calls(self, slot: datetime) -> float:
        """Look into those who have called, each now and then; how soon the others may be."""
        now_s = self._clock.monotonic_s()
        rests_s = {
            one: self._called_at_s.get(one, -CALL_REST_S) + CALL_REST_S - now_s for one in self._callers
        }
        ready = {address for address, rest_s in rests_s.items() if rest_s <= 0}
        self._callers -= ready
        tasks = []
        for point in self._points:
            if point.address in ready and point.in_service(slot):
                self._called_at_s[point.address] = now_s
                self._looked.pop(point.meter, None)
                tasks.append(self._all_kinds(point, slot))
        if tasks:
            await self._pass(self._in_turn(tasks), slot)
        return min((rest_s for rest_s in rests_s.values() if rest_s > 0), default=math.inf)

    # --- one meter ---

    async def _ask(self, task: Task, slot: datetime) -> None:
        try:
            await self._look_into(task, slot)
        finally:
            self._left[task.point.meter] = tuple(task.items)

    async def _look_into(self, task: Task, slot: datetime) -> None:
        """Read a meter's counts, then what is new; kinds that are done leave the task.

        Raises:
            ReplyTimeout, LineError, BusFull: from the line; what was read before is kept.

        """
        look = await self._look_of(task.point, slot)
        await self._count(task, look)
        idle: dict[str, EventMark] = {}
        for kind in sorted(look.counts, key=lambda kind: kind in CLEARS):  # a clear is known to the end
            if self._over(slot):
                return
            if kind not in task.items:
                continue
            if look.wanted(kind).lasts:
                try:
                    await self._read(task.point, look, kind)
                except (BadAnswer, Refused) as error:
                    is_refused = isinstance(error, Refused)
                    task.trouble = Reason.REFUSED if is_refused else Reason.BAD_DATA, str(error)
                    self._note_bad(task.point, str(error))
                    del look.counts[kind]
                    continue
            elif look.marks.get(kind) != (mark := look.idle(kind)):
                idle[kind] = mark
            if kind not in idle:
                task.items.remove(kind)
        if idle:
            await self._keep(task.point.meter, [], idle)
            for kind in idle:
                task.items.remove(kind)
        await self._settle(task, look)

    async def _look_of(self, point: Point, slot: datetime) -> EventLook:
        look = self._looked.get(point.meter)
        if look is None or look.slot != slot:
            marks = await self._patience.until_done(partial(self._events.marks, point.meter))
            look = self._looked[point.meter] = EventLook(slot, point.address, marks)
        return look

    async def _count(self, task: Task, look: EventLook) -> None:
        """Read the counts that are still missing; kinds that the meter has not leave the task."""
        missing = [kind for kind in task.items if kind not in look.counts]
        if not missing:
            return
        point = task.point
        found = await self._driver.read_event_counts(
            self._line, point.address, missing, priority=Priority.CURVE
        )
        look.take_counts(found.counts)
        if found.refused:
            self._note_absent(point, look.slot, tuple(found.refused))
        for kind in found.refused:
            task.items.remove(kind)
        if found.unfit:
            task.trouble = Reason.BAD_DATA, next(iter(found.unfit.values()))
            self._note_bad(point, task.trouble[1])
        if found.counts or found.refused:
            self._note_answers(point)
        task.any_kept |= bool(found.counts)
        if found.cut_short is not None:
            raise found.cut_short

    def _note_absent(self, point: Point, slot: datetime, kinds: Sequence[str]) -> None:
        """No meter has every kind of its protocol: they are asked for again on the next day."""
        today = slot.astimezone(self._zone).date()
        self._memory.refused |= {(point.meter, kind): today for kind in kinds}
        if point.meter not in self._absent:
            self._absent.add(point.meter)
            _log.info(
                "event_kinds_absent", line=self._line.name, meter=point.meter, kinds=", ".join(sorted(kinds))
            )

    async def _read(self, point: Point, look: EventLook, kind: str) -> None:
        """Read what is new of one kind, and keep it with its mark.

        Raises:
            BadAnswer: events come faster than they can be read, or an answer does not fit.
            Refused: the meter says no, and not for want of a record.
            ReplyTimeout, LineError, BusFull: from the line.

        """
        for _ in range(COUNT_AGAIN_MAX):
            count, todo = look.counts[kind], look.wanted(kind)
            read = look.records.setdefault((kind, count), {})
            if missing := [last for last in todo.lasts if last not in read]:
                found = await self._driver.read_event_records(
                    self._line, point.address, kind, missing, count=count, priority=Priority.CURVE
                )
                read |= found.records
                if found.cut_short is not None:
                    raise found.cut_short
            look.counts[kind] = await self._count_again(point, kind)
            if look.counts[kind] == count:
                records = {last: read.get(last) for last in todo.lasts}
                await self._keep_records(point, look, kind, records, look.gone(kind, records))
                return
        raise BadAnswer(f"meter {point.address} records {kind} faster than it can be read")

    async def _count_again(self, point: Point, kind: str) -> int:
        found = await self._driver.read_event_counts(
            self._line, point.address, [kind], priority=Priority.CURVE
        )
        if found.cut_short is not None:
            raise found.cut_short
        if kind not in found.counts:
            raise BadAnswer(f"meter {point.address} does not tell its count of {kind} any more")
        return found.counts[kind]

    async def _keep_records(
        self,
        point: Point,
        look: EventLook,
        kind: str,
        records: Mapping[int, ReportedEvent | None],
        gone: int,
    ) -> None:
        taken_at, route = self._clock.utc_now(), self._line.name
        events = [
            event_of(record, point.meter, route=route, taken_at=taken_at)
            for _, record in sorted(records.items(), reverse=True)
            if record is not None
        ]
        if gone:
            look.ran_over = True
            _log.warning("event_records_gone", line=route, meter=point.meter, kind=kind, gone=gone)
            told = gone_event(
                point.meter, kind, gone=gone, count=look.counts[kind], route=route, taken_at=taken_at
            )
            events.insert(0, told)
        mark = look.mark_behind(kind, records)
        if look.marks.get(kind) != mark or events:
            await self._keep(point.meter, events, {kind: mark})
        look.marks[kind] = mark

    async def _settle(self, task: Task, look: EventLook) -> None:
        if task.items:
            return
        meter = task.point.meter
        if not look.counts:
            await self._slots.refused(meter, look.slot, "the meter counts none of these events")
        elif look.ran_over:
            await self._slots.kept(meter, look.slot)
        else:
            await self._slots.made_up(meter, look.slot)

    async def _keep(self, meter: str, events: Sequence[Event], marks: Mapping[str, EventMark]) -> None:
        await self._patience.until_done(partial(self._events.keep, meter, events, marks))
