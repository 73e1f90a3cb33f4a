"""Moments as whole microseconds since one Monday, and back: what all closed forms of a meter count in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

PLANT_TIME: Final = timezone(timedelta(hours=8))
"""What the clocks of meters show."""
INSTALLED_AT: Final = datetime(2024, 1, 1, tzinfo=PLANT_TIME)
"""When a meter was first switched on, if nobody says otherwise; a Monday, where all counting begins."""

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
QUARTER_US: Final = 15 * MINUTE_US
HALF_HOUR_US: Final = 30 * MINUTE_US
DAY_US: Final = 86_400 * SECOND_US
DAYS_OF_WEEK: Final = 7

_MICROSECOND: Final = timedelta(microseconds=1)
_ORIGIN: Final = INSTALLED_AT.astimezone(UTC)  # as clocks give the time: of one zone, a difference is quick


def to_us(at: datetime) -> int:
    """Microseconds from `INSTALLED_AT` to an aware time; negative before it."""
    return (at - _ORIGIN) // _MICROSECOND


def of_us(us: int) -> datetime:
    """The time, in the plant's zone, so many microseconds after `INSTALLED_AT`."""
    return INSTALLED_AT + us * _MICROSECOND
