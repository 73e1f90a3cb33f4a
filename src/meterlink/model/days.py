"""Days and times that people and programs name, within the years that data of a plant can be of.

The years keep every sum of a day and some days within what Python's dates can hold, in every zone.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from typing import Final

from meterlink.errors import BadRequest, with_chinese

FIRST_YEAR: Final = 2000
"""Before it DL/T 645 has no times."""
LAST_YEAR: Final = 2999
SHOWN_MAX: Final = 32
"""Characters of a faulty day that a refusal repeats."""


def day_in(written: str) -> date:
    """A day, with its dashes (2026-11-22) or without them (20261122).

    Raises:
        BadRequest: it is none, or of no year of ours.

    """
    try:
        return within(date.fromisoformat(written))
    except ValueError:
        raise _no_day(written) from None


def within(day: date) -> date:
    """The same day.

    Raises:
        BadRequest: it is of no year of ours.

    """
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _no_day(day.isoformat())
    return day


def moment_in(written: str, zone: tzinfo) -> datetime | None:
    """A time; ``None``: it is none, or of no year of ours.

    Args:
        written: ISO 8601; a day is its first instant.
        zone: of a time that is written without one.

    """
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _no_day(written: str) -> BadRequest:
    shown, years = repr(written[:SHOWN_MAX]), (FIRST_YEAR, LAST_YEAR)
    return with_chinese(
        BadRequest(f"day {shown}: write a date of the years {years[0]} to {years[1]}, e.g. 2026-11-22"),
        f"日期 {shown}:请写 {years[0]} 至 {years[1]} 年间的日期,如 2026-11-22",
    )
