"""Bringing a journal file to the schema we know: numbered SQL files, never edited once released."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from importlib import resources

from meterlink.errors import JournalError

APPLICATION_ID = 0x4D4C4A31
"""``MLJ1`` in SQLite's header says that a file is ours."""


@cache
def steps() -> tuple[str, ...]:
    """The SQL of each schema step, in order; step n brings a file from version n-1 to version n.

    Raises:
        JournalError: the numbers have a hole: the installation is damaged.

    """
    folder = resources.files("meterlink.journal") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    for number, file in enumerate(files, start=1):
        if int(file.name.split("_")[0]) != number:
            raise JournalError(f"schema step {number} is missing: install meterlink again")
    return tuple(file.read_text(encoding="utf-8") for file in files)


def migrate(db: sqlite3.Connection) -> None:
    """Apply the steps that the file does not have yet, each in its own transaction; to a new file all in one.

    Raises:
        JournalError: the file is not a journal, or a newer meterlink wrote it.
        sqlite3.Error: the file cannot be read or written.

    """
    known = steps()
    version = _version(db)
    if version > len(known):
        raise JournalError(
            f"schema version {version} is newer than {len(known)}, the last we know: install the newer one"
        )
    # Of a new file nothing can be lost, so that all steps are one; an old one is brought on step by step.
    ends = range(version + 1, len(known) + 1) if version else [len(known)]
    for end in ends:
        _apply(db, known[version:end], end)
        version = end


def _apply(db: sqlite3.Connection, texts: Sequence[str], version: int) -> None:
    """Carry out some steps, and note the version that they bring, in one transaction."""
    try:
        db.executescript(
            "\n".join(
                [
                    "BEGIN IMMEDIATE;",
                    *texts,
                    f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}; COMMIT;",
                ]
            )
        )
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def check_current(db: sqlite3.Connection) -> None:
    """See whether a file has the schema that we know.

    Raises:
        JournalError: not a journal, an older or a newer one.

    """
    version, known = _version(db), len(steps())
    if version != known:
        raise JournalError(
            f"schema version {version}, and {known} is needed: a daemon of this version migrates an older one"
        )


def _version(db: sqlite3.Connection) -> int:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == APPLICATION_ID and version > 0:
        return int(version)
    if application == 0 and version == 0 and tables == 0:
        return 0
    raise JournalError("this SQLite file belongs to another program: choose another path for the journal")
