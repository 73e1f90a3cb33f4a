"""Rows of record tables of DL/T 698.45 -> events, in the words of all protocols."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final

from meterlink.drivers.events import ReportedEvent, aware
from meterlink.model.event import EventContent, EventValue
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.item_values import ItemValue
from meterwire.dlt698.objects.records import Record, period_of

PROTOCOL: Final = "dlt698.45"
_TIMES: Final = frozenset({"event_started_at", "frozen_at"})
"""What an event or reading has as its time."""
_DELIVERY: Final = "channel_report_state"
"""Says whether the event has been reported: that changes from try to try, and is not of the event."""
_SAME_AS_645: Final = {"flow_reversal": "total_flow_reversal"}
"""Kinds of tables of the whole that have a name of their own in DL/T 645."""
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
"""What stands in a text for an octet that is no character (``surrogateescape``)."""
_ESCAPED_AT: Final = 0xDC00


def kind_of(table: Oad) -> str:
    """What the rows of a table are: ``power_down``, ``voltage_loss.a``; the table where nobody knows."""
    entry = dictionary().entry(table)
    if entry is None:
        return f"records_{table.oi:04X}"
    if entry.context.quantity:
        event, _, rest = entry.item.partition("_record")
        return _SAME_AS_645.get(event + rest, event + rest)
    return entry.object.item or f"records_{table.oi:04X}"


def event_of(
    table: Oad, row: Record, values: Sequence[ItemValue], *, address: str, zone: tzinfo
) -> ReportedEvent:
    """The event that a row tells.

    Args:
        table: whose row it is.
        row: as it came.
        values: those of its values that are to be kept.
        address: of the meter at which it happened, 12 digits.
        zone: what the device's clock shows.

    """
    occurred_at = aware(row.at, zone)
    ended_at: datetime | None = None
    kept: list[EventValue] = []
    period = period_of(table)
    for value in values:
        moment = aware(value.moment, zone)
        if value.item in _TIMES and moment is not None and moment == occurred_at:
            continue
        if value.item == "event_ended_at" and moment is not None:
            ended_at = moment
            continue
        if value.item != _DELIVERY:
            kept.append(event_value(value, _name(value, period), zone))
    return ReportedEvent(
        address=address,
        kind=kind_of(table),
        occurred_at=occurred_at,
        ended_at=ended_at,
        values=tuple(kept),
        source=f"{PROTOCOL} {table}",
    )


def event_value(value: ItemValue, item: str, zone: tzinfo) -> EventValue:
    """A value that comes with an event.

    Args:
        value: with a content.
        item: its name.
        zone: what the device's clock shows.

    """
    return EventValue(item=item, content=_content(value, zone), unit=value.unit)


def is_number(value: ItemValue) -> bool:
    """Whether a value is a number that every database takes."""
    return isinstance(value.content, Decimal) and value.content.is_finite()


def clean(text: str) -> str:
    """Text that every database takes; an octet that is no character stands as ``\\xff``, its own number."""
    text = _UNDECODED.sub(lambda found: f"\\x{ord(found[0]) - _ESCAPED_AT:02x}", text)
    return text.encode(errors="backslashreplace").decode()


def _content(value: ItemValue, zone: tzinfo) -> EventContent:
    if is_number(value):
        assert value.value is not None
        return value.value
    return aware(value.moment, zone) or clean(str(value.text))


def _name(value: ItemValue, period: str) -> str:
    """The item, and when around the event; not once more the event itself."""
    around = value.period.removeprefix(period).removeprefix("/") if period else value.period
    return f"{value.item}@{around}" if around else value.item
