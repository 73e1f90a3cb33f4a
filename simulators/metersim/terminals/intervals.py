"""Time intervals (TI) on the calendar: how long they are, and where a whole number of them ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from metersim.dlt698.selecting import MONTHS, SPANS
from meterwire.dlt698.axdr.selection import Ti


def span(interval: Ti) -> timedelta:
    """A time interval of seconds to days; of months none, for delays have no such."""
    return interval.value * SPANS.get(interval.unit, timedelta())


def last_step(start: datetime, until: datetime, period: Ti) -> datetime:
    """The last whole number of periods after the start, at or before ``until``."""
    if period.unit in SPANS:
        step = span(period)
        return start + (until - start) // step * step
    months = period.value * MONTHS[period.unit]
    passed = (until.year - start.year) * 12 + until.month - start.month
    found = _months_later(start, passed // months * months)
    return found if found <= until else _months_later(start, (passed // months - 1) * months)


def following(due: datetime, period: Ti) -> datetime:
    """One period later."""
    if period.unit in SPANS:
        return due + span(period)
    return _months_later(due, period.value * MONTHS[period.unit])


def _months_later(start: datetime, months: int) -> datetime:
    """On the same day of the month, which all months have up to the 28th."""
    number = start.year * 12 + start.month - 1 + months
    return start.replace(year=number // 12, month=number % 12 + 1, day=min(start.day, 28))
