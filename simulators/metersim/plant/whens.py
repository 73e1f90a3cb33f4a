"""When something happens to meters: at a time, so long after the start, or every day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from metersim.line.moments import check_single, moment, written
from metersim.works.moments import PLANT_TIME

_DAILY = re.compile("daily ([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?").fullmatch


@dataclass(frozen=True, slots=True)
class Daily:
    """Every day at one time.

    Args:
        at: time of day in the plant's zone, UTC+8.

    """

    at: time

    def __str__(self) -> str:
        """As it is written in a scenario."""
        return f"daily {self.at.isoformat()}"


def when(text: str) -> datetime | timedelta | Daily:
    """A time as a scenario has it.

    Args:
        text: ``2026-03-01T03:00+08:00``, ``+2h`` after the start, or ``daily 03:00`` in the plant's zone.

    Raises:
        ValueError: it is none of them.

    """
    if match := _DAILY(text):
        hour, minute, second = (int(figure or 0) for figure in match.groups())
        return Daily(time(hour, minute, second))
    try:
        return moment(text)
    except ValueError as error:
        raise ValueError(f"{error}, or as daily 03:00") from None


def first(at: datetime | timedelta | Daily, start: datetime) -> datetime:
    """The first true time of it.

    Args:
        at: when.
        start: what it counts from, aware; a day's time may be the start itself.

    """
    if isinstance(at, timedelta):
        return start + at
    if isinstance(at, datetime):
        return at
    shown = start.astimezone(PLANT_TIME)
    found = datetime.combine(shown.date(), at.at, PLANT_TIME)
    return found if found >= start else found + timedelta(days=1)


def after(at: datetime | timedelta | Daily, last: datetime) -> datetime | None:
    """The time after ``last``; ``None``: it comes once."""
    return last + timedelta(days=1) if isinstance(at, Daily) else None


def _read(value: object) -> object:
    check_single(value, "2026-03-01T03:00+08:00, as +2h, or as daily 03:00")
    return when(value) if isinstance(value, str) else value


def _write(value: datetime | timedelta | Daily) -> str:
    if isinstance(value, timedelta):
        return f"+{written(value)}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


When = Annotated[
    datetime | timedelta | Daily,
    BeforeValidator(_read),
    PlainSerializer(_write),
    WithJsonSchema(
        {
            "type": "string",
            "description": "a time with its zone, since the start (+2h), or every day (daily 03:00)",
        }
    ),
]
"""A true time, aware; how long after the start; or every day."""
