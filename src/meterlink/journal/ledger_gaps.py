"""Slots that were missed together, and what makes up for them; each change runs in the writer's transaction.

The numbers of states and reasons stand in the SQL as literals, as in ``ledger_rows``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from meterlink.journal.ledger_rows import MADE_UP_MAX, keep, noted, seconds, series_made
from meterlink.model.items import contain
from meterlink.model.slot import Reason, SlotKey

_MADE_UP: Final = """
    UPDATE slot SET state = 1, reason = 0, changed_at = ?, note = NULL
    WHERE series = ? AND at < ? AND state IN (0, 3)
    """
_MADE_UP_FOR_ANOTHER: Final = """
    UPDATE slot SET state = 1, reason = 0, changed_at = ?, note = NULL
    WHERE series = ? AND at < ? AND state = 0
    """
_GAPS: Final = """
    SELECT from_at, until_at FROM gap WHERE series = ? AND until_at <= ? AND until_at - from_at <= ?
    AND (reason < 64 OR (reason >> 6) & 7 = 3)
    """
# Of another series what was lost as no plan asked for it, or as the meter was not there, stays so.
_GAPS_OF_ANOTHER: Final = _GAPS + " AND reason & 63 NOT IN (8, 13)"
_REPLACED: Final = """
    SELECT old.number, old.every_s, was.items, mine.items
    FROM series AS old JOIN asked AS mine ON mine.series = ?1 AND mine.ended_at IS NULL
    LEFT JOIN asked AS was ON was.series = old.number
    WHERE old.meter = ?2 AND old.data_class = ?3 AND old.number <> ?1
    AND (was.series IS NULL OR was.ended_at IS NOT NULL)
    """


def make_up(db: sqlite3.Connection, key: SlotKey, at: int) -> None:
    """A slot is kept, and with it those before it that were missed for want of an answer.

    Also those of another interval that no plan asks for any more, where this one asks for all that it did.
    """
    keep(db, key, at)
    number = series_made(db, key.meter, key.data_class, key.every_s)
    before = seconds(key.slot)
    db.execute(_MADE_UP, (at, number, before))
    _fill(db, _GAPS, (number, key.every_s), before, at)
    for other in _replaced(db, number, key):
        db.execute(_MADE_UP_FOR_ANOTHER, (at, other[0], before))
        _fill(db, _GAPS_OF_ANOTHER, other, before, at)


def _replaced(db: sqlite3.Connection, number: int, key: SlotKey) -> Iterator[tuple[int, int]]:
    """Series of other intervals whose part is one's now, with the interval of each."""
    found = db.execute(_REPLACED, (number, key.meter, key.data_class)).fetchall()
    for other, every_s, items, mine in found:
        if items is None or contain(json.loads(mine), json.loads(items)):
            yield other, every_s


def _fill(db: sqlite3.Connection, gaps: str, series: tuple[int, int], before: int, at: int) -> None:
    """The slots of short gaps of a series before a time are kept, each by a row of its own."""
    number, every_s = series
    longest_s = int(MADE_UP_MAX.total_seconds())
    for first, until in db.execute(gaps, (number, before, longest_s)).fetchall():
        db.executemany(
            "INSERT OR IGNORE INTO slot VALUES (?, ?, 1, 0, 0, ?, ?, NULL)",
            ((number, slot, slot, at) for slot in range(first, until, every_s)),
        )
        db.execute("DELETE FROM gap WHERE series = ? AND from_at = ?", (number, first))


def gap(db: sqlite3.Connection, key: SlotKey, until: int, reason: Reason, note: str) -> None:
    """All slots of a series from one on were missed for one reason."""
    number = series_made(db, key.meter, key.data_class, key.every_s)
    row = (number, seconds(key.slot), until, int(reason), noted(note))
    db.execute("INSERT OR IGNORE INTO gap VALUES (?, ?, ?, ?, ?)", row)


def has_gap(db: sqlite3.Connection, number: int, reason: Reason, since: int) -> bool:
    """Whether a series has stretches that were missed over a time, or behind it for a reason."""
    query = """
        SELECT 1 FROM gap
        WHERE series = ?1 AND until_at > ?3 AND (reason = ?2 OR +from_at < ?3) AND reason < 64 LIMIT 1
        """
    return db.execute(query, (number, int(reason), since)).fetchone() is not None


def cut_gaps(db: sqlite3.Connection, numbers: Iterable[int], reason: Reason, since: int) -> None:
    """Let the stretches of some series end before a time: those over it, and those missed for a reason."""
    for number in numbers:
        at = (number, int(reason), since)
        db.execute("DELETE FROM gap WHERE series = ? AND reason = ? AND from_at >= ?", at)
        db.execute(
            "UPDATE gap SET until_at = ?2"
            " WHERE series = ?1 AND +from_at < ?2 AND until_at > ?2 AND reason < 64",
            (number, since),
        )
