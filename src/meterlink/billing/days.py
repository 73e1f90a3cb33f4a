"""A freeze's day: the one that ended at it.

Source: decision 11. The freeze of a midnight belongs to the day before; one that a meter took some minutes
from midnight, to either side, belongs to the same day (and bears ``frz_time`` if it was more than an hour).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from meterlink.errors import BadRequest, with_chinese
from meterlink.model.days import SHOWN_MAX, day_in

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
    """A day as programs write it that name files and addresses by it: in one way.

    Raises:
        BadRequest: it is none, or written otherwise.

    """
    day = day_in(written)
    if written != day.isoformat():
        raise with_chinese(
            BadRequest(f"day {written[:SHOWN_MAX]!r}: write it {day.isoformat()}"),
            f"日期 {written[:SHOWN_MAX]!r}:应写作 {day.isoformat()}",
        )
    return day
