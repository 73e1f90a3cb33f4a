"""A freeze's day: the one that ended at it.

Source: decision 11. The freeze of a midnight belongs to the day before; one that a meter took some minutes
from midnight, to either side, belongs to the same day (and bears ``frz_time`` if it was more than an hour).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from meterlink.errors import BadRequest

_DAY: Final = timedelta(days=1)
_HALF: Final = timedelta(hours=12)


def day_of(frozen_at: datetime, zone: tzinfo) -> date:
    """The day that ended at a freeze.

    Args:
        frozen_at: the instant; aware.
        zone: of the plant.

    """
    return (frozen_at.astimezone(zone) + _HALF).date() - _DAY


def slots_of(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """From when on, and until before when, a freeze is one of a day; aware, UTC."""
    noon = datetime.combine(day, time(12), zone).astimezone(UTC)
    return noon, noon + _DAY


def end_of(day: date, zone: tzinfo) -> datetime:
    """The instant that ends a day: the slot of its freeze; aware, UTC."""
    return datetime.combine(day + _DAY, time(0), zone).astimezone(UTC)


def parsed(written: str) -> date:
    """A day as people and programs write it.

    Raises:
        BadRequest: it is none.

    """
    try:
        day = date.fromisoformat(written)
        if written != day.isoformat() or not date(2000, 1, 1) <= day <= date(2999, 12, 31):
            raise ValueError
    except ValueError:
        raise BadRequest(
            f"day {written[:32]!r}: write a date, e.g. 2026-11-22 / 日期应写作 2026-11-22"
        ) from None
    return day
