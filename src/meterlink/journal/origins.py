"""Who wrote a row of the log: an origin for each opening of the journal, so that a copy put back is known.

A number of a row alone says little: a journal that was put back from a copy gives the same numbers again. The
number together with the origin of that row is of one log, and of every copy that has the row.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Final

ORIGIN_DIGITS: Final = 12
"""Hexadecimal digits of an origin."""
NO_ORIGIN: Final = ""
"""Of the beginning, and of rows that were written before origins were kept."""

_LAST_GIVEN: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'log'"


def drawn() -> str:
    """A new origin, which nobody has had."""
    return secrets.token_hex(ORIGIN_DIGITS // 2)


def begin(db: sqlite3.Connection, origin: str) -> int:
    """Note that what is written from here on is of an origin; behind which row. In the transaction.

    One that has written nothing is forgotten: a copy from its time could be continued under its name.
    """
    (behind,) = db.execute(_LAST_GIVEN).fetchone()
    db.execute("INSERT OR REPLACE INTO opening (behind, origin) VALUES (?, ?)", (behind, origin))
    return int(behind)


def origin_of(db: sqlite3.Connection, seq: int) -> str:
    """The origin of a row of the log, which need not be there any more."""
    found = db.execute(
        "SELECT origin FROM opening WHERE behind < ? ORDER BY behind DESC LIMIT 1", (seq,)
    ).fetchone()
    return NO_ORIGIN if found is None else str(found[0])
