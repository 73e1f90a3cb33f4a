"""Up to where somebody has followed the freezes: a position in the log, as text that means nothing to others.

The log only grows, and late and corrected rows stand at its end; so whoever goes on behind the cursor that
came with the last row gets each row once, whatever its day. It bears the origin of its row: a journal
that was put back from a copy gives numbers again, to rows of another origin. A cursor of a question about one
day or area says nothing of the rows of others, so it bears a digest of that question, and is good for no
other; one of a question about everything is good for all. One that follows what is sealed is of another kind:
between the seals that it counts are rows of freezes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import date
from typing import Final, Literal, NamedTuple

from meterlink.errors import BadRequest, WrongCursor
from meterlink.journal.origins import NO_ORIGIN, ORIGIN_DIGITS

DIGEST_DIGITS: Final = 16
"""Hexadecimal digits that tell one question from another."""
Kind = Literal["f1", "s1"]
FREEZES: Final[Kind] = "f1"
"""Of cursors that follow freezes."""
SEALS: Final[Kind] = "s1"
"""Of cursors that follow seals and supplements."""
_LONGEST: Final = 64


class Position(NamedTuple):
    """A place in the log of a gateway.

    Args:
        seq: the row behind which one goes on; 0 is the beginning.
        origin: of that row; empty: it has none.

    """

    seq: int
    origin: str = NO_ORIGIN


BEGINNING: Final = Position(0)


def written(
    seq: int,
    origin: str = NO_ORIGIN,
    *,
    day: date | None = None,
    area: str | None = None,
    kind: Kind = FREEZES,
) -> str:
    """The cursor behind a row of the log.

    Args:
        seq: the row.
        origin: of it; empty: it has none.
        day: of the question; ``None``: all.
        area: of the question; ``None``: all.
        kind: what is followed.

    """
    return _position(seq, kind) + (f"~{origin}" if origin else "") + _question(day, area)


def parsed(
    cursor: str, *, day: date | None = None, area: str | None = None, kind: Kind = FREEZES
) -> Position:
    """Undo ``written``; an empty one is the beginning.

    Args:
        cursor: as somebody gave it.
        day: of his question; ``None``: all.
        area: of his question; ``None``: all.
        kind: what he follows.

    Raises:
        BadRequest: it is none of ours.
        WrongCursor: it is one of another question.

    """
    if not cursor:
        return BEGINNING
    place, dot, digest = cursor[: _LONGEST + 1].partition(".")
    position, tilde, origin = place.partition("~")
    try:
        if len(cursor) > _LONGEST or (dot and not _are_digits(digest, DIGEST_DIGITS)):
            raise ValueError
        if tilde and not _are_digits(origin, ORIGIN_DIGITS):
            raise ValueError
        octets = base64.b64decode(position + "=" * (-len(position) % 4), altchars=b"-_", validate=True)
        version, _, digits = octets.decode("ascii").partition(":")
        seq = int(digits)
        if _position(seq, kind) != position or version != kind or not 0 <= seq < 2**63:
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
    return Position(seq, origin)


def _position(seq: int, kind: Kind) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{seq}".encode()).decode().rstrip("=")


def _question(day: date | None, area: str | None) -> str:
    """What stands behind the position; empty: the question is about everything."""
    if day is None and area is None:
        return ""
    told = json.dumps([None if day is None else day.isoformat(), area]).encode()
    return f".{hashlib.sha256(told).hexdigest()[:DIGEST_DIGITS]}"


def _are_digits(text: str, count: int) -> bool:
    return len(text) == count and set(text) <= set("0123456789abcdef")
