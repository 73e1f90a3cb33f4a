"""Single values of the journal's rows: times as whole microseconds, text that is Unicode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970, exact.

    Raises:
        ValueError: the time has no zone.

    """
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return (moment - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """Undo ``micros``.

    Raises:
        OverflowError: outside of the calendar.

    """
    return _EPOCH + timedelta(microseconds=microseconds)


def text(written: str) -> str:
    """The text, if it is Unicode: a lone surrogate would fail in the transaction and its neighbours with it.

    Raises:
        ValueError: it is not.

    """
    written.encode()
    return written
