"""Events out of meters' memories: first how many there are of each kind, then the records that are new.

The journal knows up to which count each kind of a meter was read (its mark); what was counted since is read,
as far as the memory reaches, and kept in one transaction with the new mark. An event that had not ended is
read again until it has. While records are read others may come, and all places shift: so the count is asked
for once more behind them, and only what was read under one count is kept.

Slots are those in which a meter is looked into. One that was missed is made up for by the next, since the
memory tells all that happened meanwhile, unless it ran over: then the log says how many events are gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import Final, Protocol, TypeVar

import structlog

from meterlink.acquisition.keeping import Keeper, Patience
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.passing import PassingLedger
from meterlink.acquisition.plans import Plan, Point
from meterlink.acquisition.poller import Poller, Task
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Driver
from meterlink.drivers.events import EVENT_DEPTH, ReportedEvent
from meterlink.errors import BadAnswer
from meterlink.model.event import Event, EventValue
from meterlink.model.event_kinds import CLEARS, EVENTS_GONE
from meterlink.model.event_mark import EventMark, Wanted, wanted
from meterlink.model.slot import Reason
from meterlink.model.zone import CHINA_TIME

COUNT_AGAIN_MAX: Final = 3
"""How often records of a kind are begun anew because events come while they are read."""

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class EventJournal(Protocol):
    """What is needed of the log; each raises ``JournalError``."""

    async def marks(self, meter: str) -> dict[str, EventMark]:
        """See ``EventLog.marks``."""

    async def keep(self, meter: str, events: Sequence[Event], marks: Mapping[str, EventMark]) -> None:
        """See ``EventLog.keep``."""


@dataclass(slots=True)
class _Look:
    """What is known of one meter's memory in one slot.

    Args:
        slot: which.
        marks: by kind, from the journal.
        counts: by kind, from the meter.
        records: by kind and count, those that have been read under that count.
        was_cleared: the meter's events were cleared since the marks.
        ran_over: events are gone that nobody has read.

    """

    slot: datetime
    marks: dict[str, EventMark]
    counts: dict[str, int] = field(default_factory=dict)
    records: dict[tuple[str, int], dict[int, ReportedEvent | None]] = field(default_factory=dict)
    was_cleared: bool = False
    ran_over: bool = False


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
        self._kinds = sorted(dict.fromkeys(kinds), key=lambda kind: kind not in CLEARS)
        self._looked: dict[str, _Look] = {}
        self._left: dict[str, tuple[str, ...]] = {}
        self._absent: set[str] = set()

    async def _due(self, slot: datetime) -> list[Task]:
        self._looked.clear()
        today = slot.astimezone(self._zone).date()
        tasks = []
        for point in self._points:
            if not point.in_service(slot):
                continue
            refused = self._memory.refused
            kinds = [kind for kind in self._kinds if refused.get((point.meter, kind)) != today]
            left = self._left.get(point.meter, ())
            kinds.sort(key=lambda kind: (kind not in CLEARS, kind not in left))
            tasks.append(Task(point, deque(kinds)))
            if not kinds:
                await self._slots.refused(point.meter, slot, "refused already today")
        return self._in_turn(tasks)

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
        look = await self._look_of(task, slot)
        await self._count(task, look)
        idle: dict[str, EventMark] = {}
        for kind in sorted(look.counts, key=lambda kind: kind in CLEARS):  # a clear is known to the end
            if self._over(slot):
                return
            if kind not in task.items:
                continue
            if self._wanted(look, task.point, kind).lasts:
                try:
                    await self._read(task.point, look, kind)
                except BadAnswer as error:
                    task.trouble = Reason.BAD_DATA, str(error)
                    self._note_bad(task.point, str(error))
                    del look.counts[kind]
                    continue
            elif look.marks.get(kind) != (mark := self._idle(look, task.point, kind)):
                idle[kind] = mark
            if kind not in idle:
                task.items.remove(kind)
        if idle:
            await self._keep(task.point.meter, [], idle)
            for kind in idle:
                task.items.remove(kind)
        await self._settle(task, look)

    async def _look_of(self, task: Task, slot: datetime) -> _Look:
        meter = task.point.meter
        look = self._looked.get(meter)
        if look is None or look.slot != slot:
            marks = await self._until_done(partial(self._events.marks, meter))
            look = self._looked[meter] = _Look(slot, marks)
        return look

    async def _count(self, task: Task, look: _Look) -> None:
        """Read the counts that are still missing; kinds that the meter has not leave the task."""
        missing = [kind for kind in task.items if kind not in look.counts]
        if not missing:
            return
        point = task.point
        found = await self._driver.read_event_counts(
            self._line, point.address, missing, priority=Priority.CURVE
        )
        look.counts |= found.counts
        for kind in CLEARS:
            mark = look.marks.get(kind)
            look.was_cleared |= mark is not None and found.counts.get(kind, 0) > mark.counted
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

    async def _read(self, point: Point, look: _Look, kind: str) -> None:
        """Read what is new of one kind, and keep it with its mark.

        Raises:
            BadAnswer: events come faster than they can be read, or an answer does not fit.
            ReplyTimeout, LineError, BusFull: from the line.

        """
        for _ in range(COUNT_AGAIN_MAX):
            count, todo = look.counts[kind], self._wanted(look, point, kind)
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
                await self._keep_records(point, look, kind, records, todo.gone)
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
        look: _Look,
        kind: str,
        records: Mapping[int, ReportedEvent | None],
        gone: int,
    ) -> None:
        count, taken_at = look.counts[kind], self._clock.utc_now()
        events = [
            self._event(point.meter, record, taken_at)
            for _, record in sorted(records.items(), reverse=True)
            if record is not None
        ]
        if gone:
            look.ran_over = True
            _log.warning("event_records_gone", line=self._line.name, meter=point.meter, kind=kind, gone=gone)
            events.insert(0, self._gone(point.meter, kind, count, gone, taken_at))
        mark = EventMark(device=point.address, counted=count, lasting=_lasting(records, count))
        if look.marks.get(kind) != mark or events:
            await self._keep(point.meter, events, {kind: mark})
        look.marks[kind] = mark

    def _event(self, meter: str, record: ReportedEvent, taken_at: datetime) -> Event:
        return Event(
            meter=meter,
            kind=record.kind,
            occurred_at=record.occurred_at,
            ended_at=record.ended_at,
            values=record.values,
            taken_at=taken_at,
            route=self._line.name,
            source=record.source,
        )

    def _gone(self, meter: str, kind: str, count: int, gone: int, taken_at: datetime) -> Event:
        """Says of events that the memory ran over before anybody read them."""
        return Event(
            meter=meter,
            kind=EVENTS_GONE,
            occurred_at=None,
            ended_at=None,
            values=(
                EventValue(item="event_kind", content=kind),
                EventValue(item="gone", content=Decimal(gone)),
                EventValue(item="event_count", content=Decimal(count)),
            ),
            taken_at=taken_at,
            route=self._line.name,
            source="meterlink",
        )

    def _wanted(self, look: _Look, point: Point, kind: str) -> Wanted:
        return wanted(
            look.marks.get(kind),
            point.address,
            look.counts[kind],
            depth=EVENT_DEPTH,
            was_cleared=look.was_cleared and kind not in CLEARS,
        )

    def _idle(self, look: _Look, point: Point, kind: str) -> EventMark:
        """The mark of a kind of which there is nothing to read."""
        before, count = look.marks.get(kind), look.counts[kind]
        is_same = before is not None and before.device == point.address and before.counted == count
        return before if is_same and before is not None else EventMark(device=point.address, counted=count)

    async def _settle(self, task: Task, look: _Look) -> None:
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
        await self._until_done(partial(self._events.keep, meter, events, marks))

    async def _until_done(self, work: Callable[[], Awaitable[_T]]) -> _T:
        return await self._patience.until_done(work)


def _lasting(records: Mapping[int, ReportedEvent | None], count: int) -> int | None:
    """Number of the newest event that has not ended."""
    lasts = (
        last
        for last, record in sorted(records.items())
        if record is not None and record.occurred_at is not None and record.ended_at is None
    )
    newest = next(lasts, None)
    return None if newest is None else count - newest + 1
