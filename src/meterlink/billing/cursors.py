"""Up to where somebody has followed the freezes: a position in the log, as text that means nothing to others.

The log only grows, and late and corrected rows stand at its end; so whoever goes on behind the cursor that
came with the last row gets each row once, whatever its day. A cursor of a question about one day or area says
nothing of the rows of others, so it bears a digest of that question, and is good for no other; one of a
question about everything is good for all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import date
from typing import Final

from meterlink.errors import BadRequest, WrongCursor

BEGINNING: Final = 0
DIGEST_DIGITS: Final = 16
"""Hexadecimal digits that tell one question from another."""
_VERSION: Final = "f1"
_LONGEST: Final = 64


def written(seq: int, *, day: date | None = None, area: str | None = None) -> str:
    """The cursor behind a row of the log.

    Args:
        seq: the row.
        day: of the question; ``None``: all.
        area: of the question; ``None``: all.

    """
    return _position(seq) + _question(day, area)


def parsed(cursor: str, *, day: date | None = None, area: str | None = None) -> int:
    """Undo ``written``; an empty one is the beginning.

    Args:
        cursor: as somebody gave it.
        day: of his question; ``None``: all.
        area: of his question; ``None``: all.

    Raises:
        BadRequest: it is none of ours.
        WrongCursor: it is one of another question.

    """
    if not cursor:
        return BEGINNING
    position, dot, digest = cursor[: _LONGEST + 1].partition(".")
    try:
        if len(cursor) > _LONGEST or (dot and not _is_digest(digest)):
            raise ValueError
        octets = base64.b64decode(position + "=" * (-len(position) % 4), altchars=b"-_", validate=True)
        version, _, digits = octets.decode("ascii").partition(":")
        seq = int(digits)
        if _position(seq) != position or version != _VERSION or not 0 <= seq < 2**63:
            raise ValueError
    except (ValueError, binascii.Error):
        raise BadRequest(
            f"cursor {cursor[:_LONGEST]!r}: give the one of an earlier answer as it is, or none to begin at "
            "the beginning / 游标无效:请原样使用上次返回的游标,或不带游标从头开始"
        ) from None
    if dot and dot + digest != _question(day, area):
        raise WrongCursor(
            f"cursor {cursor!r}: it is of another day or area, and would pass over rows of this one "
            "/ 该游标属于其他日期或台区"
        )
    return seq


def _position(seq: int) -> str:
    return base64.urlsafe_b64encode(f"{_VERSION}:{seq}".encode()).decode().rstrip("=")


def _question(day: date | None, area: str | None) -> str:
    """What stands behind the position; empty: the question is about everything."""
    if day is None and area is None:
        return ""
    told = json.dumps([None if day is None else day.isoformat(), area]).encode()
    return f".{hashlib.sha256(told).hexdigest()[:DIGEST_DIGITS]}"


def _is_digest(text: str) -> bool:
    return len(text) == DIGEST_DIGITS and set(text) <= set("0123456789abcdef")
