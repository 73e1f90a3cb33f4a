"""Values of the journal's rows: times as whole microseconds, Unicode, digits; a reading of its columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from meterlink.model.marks import Marks
from meterlink.model.reading import Reading

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMES_KEPT: Final = 256
"""Times kept with what they are: the registers of a freeze share theirs, and so do the freezes of a night."""


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970, exact.

    Raises:
        ValueError: the time has no zone.

    """
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=_TIMES_KEPT)
def instant(microseconds: int) -> datetime:
    """Undo ``micros``.

    Raises:
        OverflowError: outside of the calendar.

    """
    return _EPOCH + timedelta(microseconds=microseconds)


def seconds_of(microseconds: int) -> int:
    """A time of the log as the ledger has it: whole seconds."""
    return microseconds // 1_000_000


@lru_cache(maxsize=_TIMES_KEPT)
def marks_of(bits: int) -> Marks:
    """The marks of a column."""
    return Marks(bits)


def text(written: str) -> str:
    """The text, if it is Unicode: a lone surrogate would fail in the transaction and its neighbours with it.

    Raises:
        ValueError: it is not.

    """
    written.encode()
    return written


def decimal(written: str | None) -> Decimal | None:
    """The number that digits say; ``None``: there are none.

    Raises:
        ArithmeticError: they are no digits.

    """
    return None if written is None else Decimal(written)


def reading_of(
    meter: str, item: str, value: str | None, unit: str, *, slot: int, taken_at: int, marks: int, route: str
) -> Reading:
    """A reading of its columns.

    Raises:
        ValueError, TypeError, ArithmeticError: they hold something else.

    """
    return Reading(
        meter=meter,
        item=item,
        value=decimal(value),
        unit=unit,
        slot=instant(slot),
        taken_at=instant(taken_at),
        marks=marks_of(marks),
        route=route,
    )
