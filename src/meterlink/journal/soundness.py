"""Is the file of a journal sound: its pages, its guards, its references, and what its own numbers say of it?

The chain of acts is walked by ``meterlink.audit``. Everything here only reads, and works on a copy as well.
"""

from __future__ import annotations

import contextlib
import enum
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from meterlink.errors import JournalError
from meterlink.journal import act_rows, event_rows, rows
from meterlink.journal.figures import STRETCH_IDS, Looking
from meterlink.journal.migrations import steps
from meterlink.journal.removal import removed

FAULTS_MAX: Final = 100
"""Faults of one part that are told; who has so many wants a copy and not a longer list."""
_PULSE_STEPS: Final = 1_000_000
"""Instructions of SQLite between two signs of life while it looks at all pages."""
_STRANGE: Final = """
    SELECT id, kind FROM log WHERE id BETWEEN ? AND ? AND kind NOT IN (SELECT value FROM json_each(?))
    """
_PARTS_OF: Final = {
    rows.KIND: """
        SELECT id FROM log WHERE id BETWEEN ? AND ? AND kind = ?
        AND NOT EXISTS (SELECT 1 FROM reading WHERE log_id = log.id)
        """,
    event_rows.KIND: """
        SELECT id FROM log WHERE id BETWEEN ? AND ? AND kind = ?
        AND NOT EXISTS (SELECT 1 FROM event WHERE log_id = log.id)
        """,
    act_rows.KIND: """
        SELECT id FROM log WHERE id BETWEEN ? AND ? AND kind = ?
        AND NOT EXISTS (SELECT 1 FROM act WHERE log_id = log.id)
        """,
}
"""By kind, the rows of the log whose other half is gone."""
_BEYOND: Final = """
    SELECT 'sink ' || name || ' is said to have row ' || last_id FROM sink
    WHERE last_id > :newest OR last_id < 0
    UNION ALL
    SELECT 'row ' || log_id || ' is said to be poison for sink ' || sink FROM poison
    WHERE log_id > :newest OR log_id < 1
    """


class Part(enum.StrEnum):
    """What is looked at, in this order."""

    GUARDS = "guards"
    """Tables, indexes and triggers as we made them."""
    PAGES = "pages"
    """Every page, every index, every value's type."""
    REFERENCES = "references"
    """Rows that belong to others, and the others are there."""
    BOUNDARIES = "boundaries"
    """No row of the log is missing or half there; cursors stand inside the log."""


Progress = Callable[[Part, int, int], None]
"""Told the part, how much of it is done, and of how much; 0 of 0: nobody knows how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsound:
    """One fault.

    Args:
        part: where it was found.
        words: one sentence for an operator.

    """

    part: Part
    words: str


def faults(journal: Looking, progress: Progress = lambda _part, _done, _of: None) -> Iterator[Unsound]:
    """Look at the whole file; at most ``FAULTS_MAX`` of each part.

    Args:
        journal: open for reading, of the schema that we know.
        progress: told now and then.

    Raises:
        JournalError: the file cannot be read at all.

    """
    for part, look in _PARTS.items():
        told = 0
        try:
            for words in look(journal, progress):
                yield Unsound(part=part, words=words)
                told += 1
                if told == FAULTS_MAX:
                    break
        except JournalError as error:  # a damaged page may end one look and not the next
            yield Unsound(part=part, words=str(error))


def _guards(journal: Looking, progress: Progress) -> Iterator[str]:
    progress(Part.GUARDS, 0, 1)
    found, wanted = journal.look(_schema), _wanted()
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            yield f"{name} is gone: somebody took it away"
        elif name not in wanted:
            yield f"{name} is not of ours"
        elif found[name] != wanted[name]:
            yield f"{name} is not as we made it"
    progress(Part.GUARDS, 1, 1)


def _pages(journal: Looking, progress: Progress) -> Iterator[str]:
    def pulse() -> None:
        progress(Part.PAGES, 0, 0)

    def look(db: sqlite3.Connection) -> list[str]:
        db.set_progress_handler(pulse, _PULSE_STEPS)
        try:
            return [words for (words,) in db.execute(f"PRAGMA integrity_check({FAULTS_MAX})")]
        finally:
            db.set_progress_handler(None, 0)

    pulse()
    found = journal.look(look)
    yield from (words for words in found if words != "ok")
    progress(Part.PAGES, 1, 1)


def _references(journal: Looking, progress: Progress) -> Iterator[str]:
    tables = [name.partition(" ")[2] for name in journal.look(_schema) if name.startswith("table ")]
    for done, table in enumerate(tables):
        progress(Part.REFERENCES, done, len(tables))
        for whose in journal.look(partial(_orphans, table=table)):
            yield f"a row of table {table} belongs to one of {whose} that is gone"
    progress(Part.REFERENCES, len(tables), len(tables))


def _boundaries(journal: Looking, progress: Progress) -> Iterator[str]:
    given, first, newest = journal.look(_ids)
    gone = sum(each.rows for each in journal.look(removed))
    present = 0
    for start in range(first, newest + 1, STRETCH_IDS):
        end = min(start + STRETCH_IDS - 1, newest)
        count, half = journal.look(partial(_stretch, first=start, last=end))
        present += count
        yield from half
        progress(Part.BOUNDARIES, end - first + 1, newest - first + 1)
    if present + gone != given:
        missing = f"{given - gone - present} are missing"
        yield f"the log has given {given} rows, {present} are there, {gone} were removed in order: {missing}"
    if journal.look(lambda db: db.execute("SELECT count(*) FROM removing").fetchone()) != (0,):
        yield "rows are listed to be removed, and nobody is removing any: somebody wrote into the file"
    beyond = journal.look(lambda db: db.execute(_BEYOND, {"newest": given}).fetchmany(FAULTS_MAX))
    yield from (f"{words}, and the log has given {given}" for (words,) in beyond)


_PARTS: Final[dict[Part, Callable[[Looking, Progress], Iterator[str]]]] = {
    Part.GUARDS: _guards,
    Part.PAGES: _pages,
    Part.REFERENCES: _references,
    Part.BOUNDARIES: _boundaries,
}


def _schema(db: sqlite3.Connection) -> dict[str, str]:
    """Everything that was made in a file, but what SQLite made itself: by kind and name, the words for it."""
    found = db.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'")
    return {f"{kind} {name}": " ".join((sql or "").split()) for kind, name, sql in found}


def _wanted() -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        for step in steps():
            db.executescript(step)
        return _schema(db)


def _orphans(db: sqlite3.Connection, table: str) -> list[str]:
    """Whose the rows of a table are that belong to nothing."""
    found = db.execute(f"PRAGMA foreign_key_check({table})").fetchmany(FAULTS_MAX)
    return [whose for _, _, whose, _ in found]


def _ids(db: sqlite3.Connection) -> tuple[int, int, int]:
    given = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'log'").fetchone()[0]
    first, newest = db.execute("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM log").fetchone()
    return int(given), int(first), int(newest)


def _stretch(db: sqlite3.Connection, first: int, last: int) -> tuple[int, list[str]]:
    """How many rows of the log there are, and which of them are not whole."""
    (count,) = db.execute("SELECT count(*) FROM log WHERE id BETWEEN ? AND ?", (first, last)).fetchone()
    strange = db.execute(_STRANGE, (first, last, json.dumps([*_PARTS_OF]))).fetchmany(FAULTS_MAX)
    words = [f"row {log_id} of the log is of kind {kind!r}, which nobody knows" for log_id, kind in strange]
    for kind, half in _PARTS_OF.items():
        found = db.execute(half, (first, last, kind)).fetchmany(FAULTS_MAX)
        words += [f"row {log_id} of the log is of kind {kind}: its other half is gone" for (log_id,) in found]
    return int(count), words
