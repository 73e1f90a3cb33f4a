"""Fields of JSON payloads, both ways: what is not of its kind is refused with an ordinary error of Python.

Who reads a payload turns those errors (``FIELD_ERRORS``) into one of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, TypeVar

from meterlink.errors import EnvelopeError

VERSION: Final = 1
TIMES_KEPT = 256
"""Times kept with their text: the readings of a record share theirs, and so do meters read together."""
COUNT_MAX = 2**63 - 1
"""Largest ``seq`` and ``boot``: what every database takes as an integer."""
_FIELD_ERRORS: Final = (KeyError, TypeError, ValueError, InvalidOperation, OverflowError)
_T = TypeVar("_T")


def write(document: dict[str, Any]) -> bytes:
    """A document as UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def read(payload: bytes, make: Callable[[dict[str, Any]], _T]) -> _T:
    """What a function makes of the document of our version.

    Raises:
        EnvelopeError: not JSON, another version, a field missing or of the wrong kind.

    """
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("v") != VERSION:
        raise EnvelopeError(f"no envelope of version {VERSION}")
    try:
        return make(document)
    except _FIELD_ERRORS as error:
        raise EnvelopeError(f"a field is missing or wrong: {type(error).__name__}: {error}") from None


@lru_cache(maxsize=TIMES_KEPT)
def time_out(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=TIMES_KEPT)
def time_in(text: object) -> datetime:
    """Undo ``time_out``.

    Raises:
        ValueError, TypeError, OverflowError: no time, or one without zone.

    """
    instant = datetime.fromisoformat(text_in(text))
    if instant.tzinfo is None:
        raise ValueError("a time needs a zone")
    return instant.astimezone(UTC)


def number_in(value: object) -> Decimal:
    """A decimal written as text.

    Raises:
        ValueError, TypeError, InvalidOperation: anything else.

    """
    number = Decimal(text_in(value))
    if not number.is_finite():
        raise ValueError("a value must be a finite decimal number")
    return number


def text_in(value: object) -> str:
    """Text.

    Raises:
        TypeError: anything else.

    """
    if not isinstance(value, str):
        raise TypeError("expected text")
    return value


def count_in(value: object) -> int:
    """A whole number, 0 to ``COUNT_MAX``.

    Raises:
        TypeError: anything else.

    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= COUNT_MAX:
        raise TypeError("expected a whole number of at most 63 bits")
    return value


def list_in(value: object, *, least: int, most: int, what: str) -> list[Any]:
    """A list of so many.

    Raises:
        ValueError: anything else.

    """
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise ValueError(f"{what} must be a list of {least} to {most}")
    return value
