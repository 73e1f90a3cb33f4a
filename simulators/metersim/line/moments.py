"""Times as people write them in rules and scenarios: ``2026-03-01T03:00+08:00``, ``+2h`` and ``1d12h``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

DURATION_MAX: Final = timedelta(days=3_660)
"""Longest time that can be written, ten years."""
_PATTERN: Final = "([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?"
_DURATION = re.compile("(?=[0-9])" + _PATTERN).fullmatch
_TOO_LONG = re.compile("(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?").fullmatch


def duration(text: str) -> timedelta:
    """A time that passes.

    Args:
        text: whole numbers with ``d``, ``h``, ``m``, ``s``, ``ms``, in this order: ``1d12h``, ``90s``.

    Raises:
        ValueError: it is none, or longer than ten years.

    """
    match = _DURATION(text)
    if match is None:
        if _TOO_LONG(text):
            raise ValueError(f"{text[:40]!r}: at most {DURATION_MAX.days} days, and nine digits of a unit")
        raise ValueError(f"{text!r}: write a time as 90s, 2h or 1d12h")
    days, hours, minutes, seconds, milliseconds = (
        int(part.rstrip("dhms")) if part else 0 for part in match.groups()
    )
    found = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
    if found > DURATION_MAX:
        raise ValueError(f"{text!r}: at most {DURATION_MAX.days} days")
    return found


def moment(text: str) -> datetime | timedelta:
    """A true time, or how long after the start.

    Args:
        text: ``2026-03-01T03:00+08:00``, or ``+`` and a duration.

    Raises:
        ValueError: it is neither, or a time without its zone.

    """
    if text.startswith("+"):
        return duration(text[1:])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}: write a time as 2026-03-01T03:00+08:00, or as +2h") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r}: a time needs its zone, as {text}+08:00")
    return found


def written(value: timedelta) -> str:
    """A duration as `duration` reads it; negative ones with ``-`` in front."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    hours, rest = divmod(value.seconds, 3_600)
    minutes, seconds = divmod(rest, 60)
    figures = zip((value.days, hours, minutes, seconds, value.microseconds // 1_000), _UNITS, strict=True)
    return sign + ("".join(f"{figure}{unit}" for figure, unit in figures if figure) or "0s")


_UNITS: Final = ("d", "h", "m", "s", "ms")


def check_single(value: object, example: str) -> None:
    """Refuse several values where one time is wanted.

    Raises:
        ValueError: there are several, or nothing stands there.

    """
    if value is None or isinstance(value, bool | list | tuple | dict):
        raise ValueError(f"write a time as {example}")


def _read_moment(value: object) -> object:
    check_single(value, "2026-03-01T03:00+08:00, or as +2h")
    return moment(value) if isinstance(value, str) else value


def _read_duration(value: object) -> object:
    check_single(value, "90s, 2h or 1d12h")
    return duration(value) if isinstance(value, str) else value


def _read_shift(value: object) -> object:
    check_single(value, "+5m or -1d")
    if not isinstance(value, str):
        return value
    return -duration(value[1:]) if value.startswith("-") else duration(value.removeprefix("+"))


def _write_moment(value: datetime | timedelta) -> str:
    return f"+{written(value)}" if isinstance(value, timedelta) else value.isoformat()


Moment = Annotated[
    datetime | timedelta,
    BeforeValidator(_read_moment),
    PlainSerializer(_write_moment),
    WithJsonSchema(
        {
            "type": "string",
            "description": "a time with its zone (2026-03-01T03:00+08:00), or since the start (+2h)",
        }
    ),
]
"""A true time, aware, or how long after the start."""
Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(written),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["90s", "1d12h"]}),
]
"""How long."""
Shift = Annotated[
    timedelta,
    BeforeValidator(_read_shift),
    PlainSerializer(written),
    WithJsonSchema({"type": "string", "pattern": f"^[+-]?{_PATTERN}$", "examples": ["+5m", "-1d"]}),
]
"""How much later, or with ``-`` earlier."""
