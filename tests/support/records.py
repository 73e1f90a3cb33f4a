"""Records and events to keep, publish and write in tests: small, each different from the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from meterlink.model.event import Event, EventValue
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record

EPOCH = datetime(2026, 11, 22, tzinfo=UTC)


def reading(
    meter: str = "m1",
    item: str = "forward_active_energy",
    value: Decimal | None = Decimal("1.00"),
    slot: datetime = EPOCH,
    marks: Marks = NO_MARKS,
) -> Reading:
    """One reading, taken a quarter of a second after its slot."""
    taken_at = slot + timedelta(microseconds=250_000)
    return Reading(
        meter=meter,
        item=item,
        value=value,
        unit="kWh",
        slot=slot,
        taken_at=taken_at,
        marks=marks,
        route="line1",
    )


def record(n: int, *, meter: str = "m1", items: int = 2, data_class: str = "instant") -> Record:
    """The n-th record of a meter: ``items`` readings whose values say n, in a slot of their own."""
    slot = EPOCH + timedelta(seconds=n)
    readings = tuple(reading(meter, f"item.t{i}", Decimal(n) + Decimal(i) / 100, slot) for i in range(items))
    return Record(meter=meter, data_class=data_class, readings=readings)


def event(n: int, *, meter: str = "m1", kind: str = "power_down") -> Event:
    """The n-th event of a meter, one second after the one before it; over half a minute later."""
    occurred_at = EPOCH + timedelta(seconds=n)
    return Event(
        meter=meter,
        kind=kind,
        occurred_at=occurred_at,
        ended_at=occurred_at + timedelta(seconds=30),
        values=(
            EventValue(item="event_number", content=Decimal(n)),
            EventValue(item="voltage.a@start", content=Decimal("230.10"), unit="V"),
            EventValue(item="clock_before", content=occurred_at - timedelta(seconds=3)),
            EventValue(item="event_source", content="enum:0"),
        ),
        taken_at=occurred_at + timedelta(seconds=31, microseconds=250_000),
        route="terminal 000000000161",
        source="dlt698.45 30110200",
    )
