"""How much a journal holds, how old it is, and how far each sink has followed: numbers for people.

The log is counted in stretches of ids, each a short look of its own, so that a daemon that has the file open
is never kept waiting, and a person sees how far it is.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from meterlink.journal.cells import instant, micros
from meterlink.journal.removal import Removed, removed

STRETCH_IDS: Final = 50_000
"""Ids that one look counts: some tens of milliseconds."""
RATE_SPAN: Final = timedelta(days=1)
"""The present rate is that of the last day of the log; of a younger one, of all of it."""
RATE_SPAN_MIN: Final = timedelta(hours=1)
"""Of less than this no rate is told."""

Progress = Callable[[int, int], None]
"""Told how many ids have been looked at, of how many."""

_T = TypeVar("_T")


class Looking(Protocol):
    """What is asked of a journal; ``JournalReader`` is one."""

    def look(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        """Ask for what this room knows to ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFigures:
    """How far one sink has followed the log.

    Args:
        name: of the sink.
        last_id: up to where it has everything.
        waiting: rows behind that; of a look that may not take long, ids, of which some may be gone.
        waiting_since: when the oldest of these was kept; ``None``: none waits.
        poisoned: rows that it can never take.

    """

    name: str
    last_id: int
    waiting: int
    waiting_since: datetime | None
    poisoned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is in a journal.

    Args:
        rows: how many there are, by (kind, class).
        newest_id: of the log.
        oldest_at: when its oldest row was kept; ``None``: it is empty.
        newest_at: the same of its newest row.
        octets: of the file's pages.
        unused_octets: of these, pages that hold nothing and are used before the file grows.
        octets_a_day: by which it grows at the present rate; ``None``: too young to tell.
        sinks: by name.
        boots: starts of a daemon.
        removed: what retention and shedding took out.

    """

    rows: dict[tuple[str, str], int]
    newest_id: int
    oldest_at: datetime | None
    newest_at: datetime | None
    octets: int
    unused_octets: int
    octets_a_day: int | None
    sinks: tuple[SinkFigures, ...]
    boots: int
    removed: tuple[Removed, ...]

    @property
    def row_count(self) -> int:
        """All rows of the log."""
        return sum(self.rows.values())


def figures(journal: Looking, progress: Progress = lambda _done, _of: None) -> Figures:
    """Count a journal.

    Args:
        journal: open for reading.
        progress: told now and then.

    Raises:
        JournalError: the file cannot be read.

    """
    first_id, newest_id = journal.look(ends)
    oldest_at, newest_at = (_kept_at(journal, each) for each in (first_id, newest_id))
    since = None if newest_at is None else newest_at - RATE_SPAN
    rows: Counter[tuple[str, str]] = Counter()
    lately = 0
    for start in range(first_id, newest_id + 1, STRETCH_IDS):
        stretch = journal.look(_stretch_of(start, min(start + STRETCH_IDS - 1, newest_id), since))
        for kind, data_class, count, of_late in stretch:
            rows[kind, data_class] += count
            lately += of_late
        progress(min(start + STRETCH_IDS - 1, newest_id) - first_id + 1, newest_id - first_id + 1)
    octets, unused = journal.look(room_inside)
    span = newest_at - oldest_at if oldest_at and newest_at else timedelta()
    return Figures(
        rows=dict(sorted(rows.items())),
        newest_id=newest_id,
        oldest_at=oldest_at,
        newest_at=newest_at,
        octets=octets,
        unused_octets=unused,
        octets_a_day=_octets_a_day(octets - unused, rows.total(), lately, min(span, RATE_SPAN)),
        sinks=journal.look(sinks),
        boots=journal.look(_boots),
        removed=journal.look(removed),
    )


def room_inside(db: sqlite3.Connection) -> tuple[int, int]:
    """Octets of the file's pages, and of those among them that hold nothing."""
    sizes = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    page, count, free = sizes
    return page * count, page * free


def sinks(db: sqlite3.Connection) -> tuple[SinkFigures, ...]:
    """How far each sink is; the rows that wait are counted."""
    return _sinks(db, "SELECT count(*) FROM log WHERE id > ?")


def sinks_at_once(db: sqlite3.Connection) -> tuple[SinkFigures, ...]:
    """How far each sink is; as quick with a million rows that wait as with one."""
    return _sinks(db, "SELECT coalesce(max(id) - ?, 0) FROM log")


def _sinks(db: sqlite3.Connection, counting: str) -> tuple[SinkFigures, ...]:
    found = db.execute("SELECT name, last_id FROM sink ORDER BY name").fetchall()
    return tuple(_sink(db, name, last_id, counting) for name, last_id in found)


def _sink(db: sqlite3.Connection, name: str, last_id: int, counting: str) -> SinkFigures:
    first = db.execute("SELECT kept_at FROM log WHERE id > ? ORDER BY id LIMIT 1", (last_id,)).fetchone()
    (waiting,) = db.execute(counting, (last_id,)).fetchone()
    (poisoned,) = db.execute("SELECT count(*) FROM poison WHERE sink = ?", (name,)).fetchone()
    since = instant(first[0]) if first else None
    return SinkFigures(name=name, last_id=last_id, waiting=waiting, waiting_since=since, poisoned=poisoned)


def ends(db: sqlite3.Connection) -> tuple[int, int]:
    """Ids of the oldest and of the newest row; 1 and 0 where there is none."""
    first, newest = db.execute("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM log").fetchone()
    return int(first), int(newest)


def _kept_at(journal: Looking, log_id: int) -> datetime | None:
    row = journal.look(lambda db: db.execute("SELECT kept_at FROM log WHERE id = ?", (log_id,)).fetchone())
    return instant(row[0]) if row else None


def _stretch_of(
    first: int, last: int, since: datetime | None
) -> Callable[[sqlite3.Connection], list[tuple[str, str, int, int]]]:
    counted = """
        SELECT kind, data_class, count(*), coalesce(sum(kept_at > ?), 0) FROM log
        WHERE id BETWEEN ? AND ? GROUP BY kind, data_class
        """
    values = (micros(since) if since else 0, first, last)
    return lambda db: db.execute(counted, values).fetchall()


def _boots(db: sqlite3.Connection) -> int:
    (count,) = db.execute("SELECT count(*) FROM boot").fetchone()
    return int(count)


def _octets_a_day(octets: int, rows: int, lately: int, span: timedelta) -> int | None:
    """The average row times the rows of the last day."""
    if rows == 0 or span < RATE_SPAN_MIN:
        return None
    return round(octets / rows * lately * (timedelta(days=1) / span))
