"""One look into a meter's memory of events: what is known of it, what is to be read, what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from meterlink.drivers.events import EVENT_DEPTH, ReportedEvent
from meterlink.model.event import Event, EventValue
from meterlink.model.event_kinds import CLEARS, EVENTS_GONE
from meterlink.model.event_mark import EventMark, Wanted, wanted

Records = Mapping[int, ReportedEvent | None]
"""Records of one kind by their place, counted back from the newest; ``None``: the meter has none there."""


@dataclass(slots=True)
class EventLook:
    """What is known of one meter's memory in one slot.

    Args:
        slot: which.
        device: communication address of the meter.
        marks: by kind, from the journal.
        counts: by kind, from the meter.
        records: by kind and count, those that have been read under that count.
        was_cleared: the meter's events were cleared since the marks.
        ran_over: events are gone that nobody has read.

    """

    slot: datetime
    device: str
    marks: dict[str, EventMark]
    counts: dict[str, int] = field(default_factory=dict)
    records: dict[tuple[str, int], dict[int, ReportedEvent | None]] = field(default_factory=dict)
    was_cleared: bool = False
    ran_over: bool = False

    def take_counts(self, counts: Mapping[str, int]) -> None:
        """Counts that the meter told; a clear among them lets the others be read as far as they reach."""
        self.counts |= counts
        for kind in CLEARS:
            mark = self.marks.get(kind)
            self.was_cleared |= mark is not None and counts.get(kind, 0) > mark.counted

    def wanted(self, kind: str) -> Wanted:
        """What is to be read of a kind whose count is known."""
        return wanted(
            self.marks.get(kind),
            self.device,
            self.counts[kind],
            depth=EVENT_DEPTH,
            was_cleared=self.was_cleared and kind not in CLEARS,
        )

    def gone(self, kind: str, records: Records) -> int:
        """How many events since the mark the meter does not hold; of one nobody has read, that is no loss.

        Args:
            kind: which.
            records: all that were wanted of it.

        """
        mark, count = self.marks.get(kind), self.counts[kind]
        if mark is None or mark.device != self.device:
            return 0
        new = count - mark.counted if count >= mark.counted else count
        return self.wanted(kind).gone + sum(last <= new for last, one in records.items() if one is None)

    def idle(self, kind: str) -> EventMark:
        """The mark of a kind of which there is nothing to read."""
        before, count = self.marks.get(kind), self.counts[kind]
        if before is not None and (before.device, before.counted) == (self.device, count):
            return before
        return EventMark(device=self.device, counted=count)

    def mark_behind(self, kind: str, records: Records) -> EventMark:
        """The mark of a kind of which all that was wanted has been read.

        Args:
            kind: which.
            records: all that were wanted of it.

        """
        lasting = (
            self.counts[kind] - last + 1
            for last, record in sorted(records.items())
            if record is not None and record.occurred_at is not None and record.ended_at is None
        )
        return EventMark(device=self.device, counted=self.counts[kind], lasting=next(lasting, None))


def event_of(record: ReportedEvent, meter: str, *, route: str, taken_at: datetime) -> Event:
    """The event that a record tells.

    Args:
        record: out of a meter's memory.
        meter: our id of it.
        route: name of the line.
        taken_at: when it was read; aware, UTC.

    """
    return Event(
        meter=meter,
        kind=record.kind,
        occurred_at=record.occurred_at,
        ended_at=record.ended_at,
        values=record.values,
        taken_at=taken_at,
        route=route,
        source=record.source,
    )


def gone_event(meter: str, kind: str, *, gone: int, count: int, route: str, taken_at: datetime) -> Event:
    """Says of events that the memory ran over before anybody read them.

    Args:
        meter: our id of it.
        kind: of the events.
        gone: how many.
        count: how many the meter has counted by now.
        route: name of the line.
        taken_at: when that was found; aware, UTC.

    """
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
        route=route,
        source="meterlink",
    )
