"""Reading meters behind a terminal of Q/GDW 1376.1: its store first, the meter itself for what that lacks.

The meter's own driver stands above the tunnel and knows nothing of it. What is asked of the terminal waits in
the same queue as what goes through the tunnel, so one order of priorities holds for both. A value of the
store is kept only where the archive names the meter's address for its point, once and no other;
one of a night only where the terminal's clock is right, for by it the night was filed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from meterlink.bus.line import Exchanging, Holdable, Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import (
    Depth,
    Driver,
    MeterAnswer,
    StoredAnswer,
    StoredRecord,
    Wanted,
    Window,
)
from meterlink.drivers.events import EventCounts, EventRecords
from meterlink.drivers.gdw1376.offer import TerminalOffer
from meterlink.drivers.gdw1376.station import Station
from meterlink.drivers.gdw1376.store import AHEAD_MAX, Found, Store, is_stored, now_items
from meterlink.drivers.joined import Joined
from meterlink.drivers.together import EachAlone
from meterlink.errors import BadAnswer, BusFull, LineError, NoFreeze, Refused, ReplyTimeout, UnknownItem
from meterlink.model.data_classes import FREEZES, DataClass
from meterwire.gdw1376.functions.classes import choices

_ENDINGS = (ReplyTimeout, LineError, BusFull, BadAnswer, NoFreeze)


class Gdw1376Driver(EachAlone):
    """Driver of the meters of one profile behind one terminal.

    Args:
        inner: the meters' own driver.
        station: the terminal.
        line: that of the terminal's connection; the lines of the methods are those above the tunnel.

    """

    def __init__(self, inner: Driver, station: Station, line: Line) -> None:
        self._inner = inner
        self._station = station
        self._terminal_line = line
        self._store = Store(station, line)
        self._route = f"terminal {station.name} forward"
        self._offer = offer = TerminalOffer(inner, tells_now=station.settings.fresh_s > 0)
        self.check_item = offer.check_item
        self.check_instant = offer.check_instant
        self.check_stored = offer.check_stored
        self.check_status = inner.check_status
        self.check_window = inner.check_window
        self.association_lost = inner.association_lost
        self.event_kinds = inner.event_kinds

    # --- values of the moment --------------------------------------------------------------

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read``."""
        self.check_item(item)
        if window is None and now_items(item) and self._station.settings.fresh_s > 0:
            answer = await self._now(line, address, item, priority)
            if answer is not None:
                return answer
        if self._offer.is_the_terminals(item):
            why = f"terminal {self._station.name} has not read {item} of meter {address} lately"
            raise Refused(why, error_word=b"")
        answer = await self._inner.read(line, address, item, window=window, priority=priority)
        return self._routed(answer)

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read_status``: words of state are the meter's own affair."""
        if now_items(item):
            return await self.read(line, address, item, priority=priority)
        return self._routed(await self._inner.read_status(line, address, item, priority=priority))

    async def _now(self, line: Exchanging, address: str, item: str, priority: Priority) -> MeterAnswer | None:
        """What the terminal has read lately; ``None``: nothing, or too long ago."""
        async with self._terminal(line, priority):
            entry = await self._station.archive_for(self._terminal_line, address, priority=priority)
            if entry is None:
                return None
            values, read_at = await self._store.now(entry, item, priority=priority)
        now = self._station.clock.utc_now()
        if not values or read_at is None or not self._is_fresh(read_at, now):
            return None
        return MeterAnswer(tuple(values), min(read_at, now))

    def _is_fresh(self, read_at: datetime, now: datetime) -> bool:
        return -AHEAD_MAX <= now - read_at <= timedelta(seconds=self._station.settings.fresh_s)

    def _routed(self, answer: MeterAnswer) -> MeterAnswer:
        return answer._replace(values=tuple(value._replace(route=self._route) for value in answer.values))

    # --- what is stored --------------------------------------------------------------------

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``MemoryReader.stored``."""
        return self._offer.stored

    async def read_stored(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """See ``MemoryReader.read_stored``."""
        for item in wanted.items:
            self.check_stored(wanted.data_class, item)
        wanted = replace(wanted, slots=[slot.astimezone(UTC) for slot in wanted.slots])
        found = await self._found(line, address, wanted, priority)
        now = self._station.clock.utc_now()
        joined = Joined(wanted, now, self._station.zone)
        joined.brought(
            (
                StoredRecord(slot=slot, values=tuple(found[slot].values()))
                for slot in wanted.slots
                if slot in found
            ),
            now,
        )
        joined.wait_for(self._still_due(wanted, now), f"terminal {self._station.name} has not read it yet")
        for items, slots in joined.lacking():
            try:
                theirs = await self._asked_of_meter(
                    line, address, replace(wanted, items=items, slots=slots), priority
                )
            except _ENDINGS as error:
                joined.ended(error)
                break
            joined.asked(items, slots, theirs)
        return joined.of()

    async def _found(self, line: Exchanging, address: str, wanted: Wanted, priority: Priority) -> Found:
        """What the terminal has; nothing where it does not know the meter."""
        known = [item for item in wanted.items if is_stored(wanted.data_class, item)]
        if not known:
            return {}
        async with self._terminal(line, priority):
            entry = await self._station.archive_for(self._terminal_line, address, priority=priority)
            if entry is None:
                return {}
            await self._station.known_clock(self._terminal_line, priority=priority)
            slots = [slot for slot in wanted.slots if self._may_have(wanted.data_class, slot)]
            if not slots:
                return {}
            return await self._store.stored(
                entry,
                wanted.data_class,
                known,
                slots,
                every=timedelta(seconds=wanted.every_s),
                priority=priority,
            )

    def _may_have(self, data_class: DataClass, slot: datetime) -> bool:
        """Whether the terminal's store is good for a slot; points of a curve are marked instead."""
        return data_class not in FREEZES or self._station.files_well(slot)

    def _still_due(self, wanted: Wanted, now: datetime) -> list[datetime]:
        """The slots for which the terminal has its time still."""
        since = now - timedelta(seconds=self._station.settings.store_wait_s)
        return [slot for slot in wanted.slots if slot > since and self._may_have(wanted.data_class, slot)]

    async def _asked_of_meter(
        self, line: Exchanging, address: str, wanted: Wanted, priority: Priority
    ) -> StoredAnswer:
        """What the meter itself has of these slots.

        What only the terminal keeps may come to it yet; where it never had the like of any meter, it is
        refused.
        """
        can = [item for item in wanted.items if self._inner_has(wanted.data_class, item)]
        why = f"terminal {self._station.name} has it not, and the meter cannot have it"
        lacking = [item for item in wanted.items if item not in can]
        refused = {item: why for item in lacking if not self._has_brought(wanted.data_class, item)}
        if not can:
            late = {} if len(refused) == len(lacking) else dict.fromkeys(wanted.slots, why)
            return StoredAnswer(
                records=(),
                gone={},
                not_yet={},
                unfit_slots=late,
                refused=refused,
                unfit={},
                taken_at=self._station.clock.utc_now(),
                heard=False,
            )
        answer = await self._inner.read_stored(line, address, replace(wanted, items=can), priority=priority)
        return replace(_routed_records(answer, self._route), refused={**answer.refused, **refused})

    def _has_brought(self, data_class: DataClass, item: str) -> bool:
        """Whether the terminal has had a thing of that kind, of whichever meter."""
        works = self._station.works
        return any((one.afn, one.fn) in works for among in choices(data_class, item) for one in among)

    def _inner_has(self, data_class: DataClass, item: str) -> bool:
        try:
            self._inner.check_stored(data_class, item)
        except UnknownItem:
            return False
        return data_class in self._inner.stored

    @asynccontextmanager
    async def _terminal(self, line: Exchanging, priority: Priority) -> AsyncIterator[None]:
        """The terminal is ours, by our priority among all that go to it or through it.

        Raises:
            LineLost: it is not there.
            BusFull, LineClosed: of the line.

        """
        if isinstance(line, Holdable):
            async with line.hold(priority=priority):
                yield
        else:  # somebody has it already, and asks through his hold
            yield

    # --- events ----------------------------------------------------------------------------

    @property
    def has_events(self) -> bool:
        """See ``EventReader.has_events``."""
        return self._inner.has_events

    async def read_event_counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """See ``EventReader.read_event_counts``: the meter's own records, through the terminal."""
        return await self._inner.read_event_counts(line, address, kinds, priority=priority)

    async def read_event_records(
        self,
        line: Exchanging,
        address: str,
        kind: str,
        lasts: Sequence[int],
        *,
        count: int,
        priority: Priority,
    ) -> EventRecords:
        """See ``EventReader.read_event_records``: the meter's own records, through the terminal."""
        return await self._inner.read_event_records(
            line, address, kind, lasts, count=count, priority=priority
        )


def _routed_records(answer: StoredAnswer, route: str) -> StoredAnswer:
    records = tuple(
        StoredRecord(
            slot=record.slot,
            values=tuple(value._replace(route=route) for value in record.values),
            refused=record.refused,
            unfit=record.unfit,
        )
        for record in answer.records
    )
    return replace(answer, records=records)
