"""Up to where somebody has followed the freezes: a position in the log, as text that means nothing to others.

The log only grows, and late and corrected rows stand at its end; so whoever goes on behind the cursor that
came with the last row gets each row once, whatever its day.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from meterlink.errors import BadRequest

BEGINNING: Final = 0
_VERSION: Final = "f1"
_LONGEST: Final = 64


def written(seq: int) -> str:
    """The cursor behind a row of the log."""
    return base64.urlsafe_b64encode(f"{_VERSION}:{seq}".encode()).decode().rstrip("=")


def parsed(cursor: str) -> int:
    """Undo ``written``; an empty one is the beginning.

    Raises:
        BadRequest: it is none of ours.

    """
    if not cursor:
        return BEGINNING
    try:
        if len(cursor) > _LONGEST:
            raise ValueError
        octets = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, _, digits = octets.decode("ascii").partition(":")
        seq = int(digits)
        if written(seq) != cursor or version != _VERSION or not 0 <= seq < 2**63:
            raise ValueError
    except (ValueError, binascii.Error):
        raise BadRequest(
            f"cursor {cursor[:_LONGEST]!r}: give the one of an earlier answer as it is, or none to begin at "
            "the beginning / 游标无效:请原样使用上次返回的游标,或不带游标从头开始"
        ) from None
    return seq
