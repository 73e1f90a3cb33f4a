"""Reading meters behind a terminal of Q/GDW 1376.1: its store first, the meter itself for what that lacks.

The meter's own driver stands above the tunnel and knows nothing of it. What is asked of the terminal waits in
the same queue as what goes through the tunnel, so one order of priorities holds for both. A value of the
store is kept only where the archive names the meter's address for its point, once and no other;
one of a night only where the terminal's clock is right, for by it the night was filed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from meterlink.bus.line import Exchanging, Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import (
    Depth,
    Driver,
    StoredAnswer,
    StoredRecord,
    Wanted,
)
from meterlink.drivers.events import EventCounts, EventRecords
from meterlink.drivers.gdw1376.moments import Moments1376, at_the_terminal
from meterlink.drivers.gdw1376.offer import TerminalOffer
from meterlink.drivers.gdw1376.station import Station
from meterlink.drivers.gdw1376.store import Found, Store, is_stored
from meterlink.drivers.joined import Joined
from meterlink.errors import BadAnswer, BusFull, LineError, NoFreeze, ReplyTimeout, UnknownItem
from meterlink.model.data_classes import FREEZES, DataClass
from meterwire.gdw1376.functions.classes import choices

_log = structlog.get_logger(__name__)
_ENDINGS = (ReplyTimeout, LineError, BusFull, BadAnswer, NoFreeze)


class Gdw1376Driver:
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
        moments = Moments1376(inner, station, line, offer, self._route)
        self.read, self.read_status = moments.read, moments.read_status
        self.group, self.read_group = moments.group, moments.read_group
        self.check_item = offer.check_item
        self.check_instant = offer.check_instant
        self.check_stored = offer.check_stored
        self.check_status = inner.check_status
        self.check_window = inner.check_window
        self.association_lost = inner.association_lost
        self.event_kinds = inner.event_kinds

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
        joined = Joined(wanted, now)
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
        async with at_the_terminal(line, priority):
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
