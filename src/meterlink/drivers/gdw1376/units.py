"""A data unit of a terminal -> measured values of ours, each with the instant that it is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from meterlink.drivers.base import Measured
from meterlink.model.data_classes import CURVE, FREEZES, INSTANT
from meterlink.model.items import is_part
from meterlink.model.marks import NO_MARKS
from meterwire.catalogue import quantities
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions.classes import NOW, class_functions
from meterwire.gdw1376.functions.function import Function
from meterwire.gdw1376.functions.items import interval, item_values
from meterwire.gdw1376.messages.terminal import Unit


def read_at_of(one: Unit, zone: tzinfo) -> datetime | None:
    """When the terminal read the values of a unit, by its clock; ``None``: it does not say."""
    return _instant(one.values.get("read_time"), zone)


def class_of(known: Function) -> str | None:
    """The class of what a function holds; ``None``: of a time that the terminal chose, or no values."""
    for name, data_class in ((NOW, INSTANT), *((name, name) for name in (*FREEZES, CURVE))):
        if known in class_functions(name):
            return data_class
    return None


def values_of(
    one: Unit, data_class: str | None, zone: tzinfo, items: Sequence[str] | None = None
) -> Iterator[tuple[datetime | None, Measured]]:
    """The values of a unit, each with the instant that it is of; what is no value stays out.

    Args:
        one: from a terminal.
        data_class: the values' period; of values of the moment none, and their instant is that of reading.
        zone: what the terminal's clock shows.
        items: which; ``None``: all.

    """
    if one.function is None or one.fields is None:
        return
    period = "" if data_class in (None, INSTANT) else str(data_class)
    first, step = _times(one.values, zone)
    for value in item_values(one.function, one.values):
        wanted = items is None or any(is_part(value.item, item) for item in items)
        if wanted and isinstance(value.content, Decimal):
            unit_ = quantities()[value.item.partition(".")[0]].unit
            text = format(value.content, "f")
            measured = Measured(value.item, period, value.content, text, unit_, NO_MARKS)
            yield (first if step is None or first is None else first + value.interval * step), measured


def _times(values: Mapping[str, Any], zone: tzinfo) -> tuple[datetime | None, timedelta | None]:
    """The instant that a unit is of, and of a curve the time between its values."""
    if "date" in values:
        return _end_of(values["date"], zone), None
    if "start" in values:
        step = interval(values.get("density", 0))
        return (None if step is None else _instant(values["start"], zone)), step
    return _instant(values.get("read_time"), zone), None


def _end_of(ended: Any, zone: tzinfo) -> datetime | None:
    """The instant at which a day or month had ended."""
    if not isinstance(ended, Moment) or (when := ended.when()) is None:
        return None
    first = when.date()
    if ended.day is None:
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    else:
        after = first + timedelta(days=1)
    return datetime.combine(after, time(), zone).astimezone(UTC)


def _instant(moment: Any, zone: tzinfo) -> datetime | None:
    when = moment.when() if isinstance(moment, Moment) else None
    return None if when is None else when.replace(tzinfo=zone).astimezone(UTC)
