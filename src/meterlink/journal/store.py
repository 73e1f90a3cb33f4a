"""The journal's file: one SQLite database, one writer, every commit synced before it is reported.

Synchronous throughout; ``Journal`` runs it on a thread of its own. A file that is not ours is refused before
anything is written to it, and a damaged one before anything is read from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from meterlink.errors import DiskFull, JournalError
from meterlink.journal import cursors, origins, rows
from meterlink.journal.cells import micros
from meterlink.journal.figures import room_inside
from meterlink.journal.migrations import migrate
from meterlink.model.reading import LogRow

SQLITE_MINIMUM = (3, 37)
"""First SQLite with STRICT tables."""
BUSY_WAIT_MS = 1_000
"""How long a commit waits for a reader of another process that holds the file."""
WAL_OCTETS_MAX = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint."""

_SQLITE_IOERR_SHMSIZE = sqlite3.SQLITE_IOERR | (19 << 8)
_FULL = frozenset({sqlite3.SQLITE_FULL, _SQLITE_IOERR_SHMSIZE})
"""What SQLite says when there is no room for the file, its log, or the index of that."""

_T = TypeVar("_T")

Step = Callable[[sqlite3.Connection], int]
"""One change inside a transaction; what it returns goes back to who asked for it."""

_ADVICE = {
    sqlite3.SQLITE_BUSY: "another program holds the file: end it",
    sqlite3.SQLITE_LOCKED: "another program holds the file: end it",
    sqlite3.SQLITE_READONLY: "the file cannot be written: look at its permissions and its file system",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: look at its folder and permissions",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: put it aside and restore a copy",
    sqlite3.SQLITE_NOTADB: "this is no SQLite file: choose another path for the journal",
    sqlite3.SQLITE_IOERR: "the disk failed: look at the system's log",
}


def without_result(change: Callable[[sqlite3.Connection], None]) -> Step:
    """A step of a change that brings no row of the log."""

    def done(db: sqlite3.Connection) -> int:
        change(db)
        return 0

    return done


class Store:
    """An open journal file.

    Args:
        path: where it is.
        db: the connection, already migrated.
        lock: descriptor of the lock file; closed with the store.

    """

    def __init__(self, path: Path, db: sqlite3.Connection, lock: int) -> None:
        self.path = path
        self._db = db
        self._lock = lock
        found = path.stat()
        self._identity = (found.st_dev, found.st_ino)

    @classmethod
    def open(cls, path: Path, *, pages_max: int | None = None) -> Self:
        """Open the journal, create or migrate it.

        Args:
            path: the file; its folder must exist.
            pages_max: the file may grow to this many pages of 4 KiB; ``None``: to the end of the disk.

        Raises:
            JournalError: not ours, damaged, locked, newer than this version, or not writable.

        """
        if sqlite3.sqlite_version_info < SQLITE_MINIMUM:
            raise JournalError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or newer is needed")
        with contextlib.ExitStack() as undo:
            lock = locked(path)
            undo.callback(os.close, lock)
            with explained(path):
                # One thread at a time uses it: the journal's own, or the loop's under simulated time.
                db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                undo.callback(db.close)
                db.execute(f"PRAGMA busy_timeout = {BUSY_WAIT_MS}")
                _prepare(db, path)
                if pages_max is not None:
                    db.execute(f"PRAGMA max_page_count = {pages_max}")
            sync_folder(path)
            undo.pop_all()
        return cls(path, db, lock)

    def close(self) -> None:
        """Close; the write-ahead log is folded into the file."""
        try:
            with explained(self.path):
                self._db.close()
        finally:
            os.close(self._lock)

    def commit(self, steps: Sequence[Step]) -> list[int]:
        """Carry out all steps in one transaction, on disk when this returns.

        Raises:
            JournalError: none of them was kept.

        """
        self._refuse_if_gone()
        with explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                results = [step(self._db) for step in steps]
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    self._db.execute("ROLLBACK")
                raise
        return results

    def _refuse_if_gone(self) -> None:
        """SQLite writes on into a file that has no name any more, and nobody would ever find it.

        Raises:
            JournalError: it was deleted, or another stands in its place.

        """
        try:
            found = self.path.stat()
            is_ours = (found.st_dev, found.st_ino) == self._identity
        except OSError:
            is_ours = False
        if not is_ours:
            raise JournalError(
                f"{self.path}: the file is gone, or another was put in its place: end the daemon, put it back"
            )

    def fold(self) -> None:
        """Bring the write-ahead log into the file, so that its own room can be written again.

        On a full disk nothing else does: SQLite folds after a commit, and none succeeds any more.
        """
        with contextlib.suppress(sqlite3.Error):  # the file itself must grow, and cannot
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def unused_octets(self) -> int:
        """Of pages in the file that hold nothing; they are used before it grows."""
        with explained(self.path):
            return room_inside(self._db)[1]

    def start(self, at: datetime, origin: str) -> int:
        """Note a start of the daemon, and who writes from here on; its number."""

        def new_boot(db: sqlite3.Connection) -> int:
            return db.execute("INSERT INTO boot (started_at) VALUES (?)", (micros(at),)).lastrowid or 0

        return self.commit([new_boot, partial(origins.begin, origin=origin)])[0]

    def begin(self, origin: str) -> None:
        """Note who writes from here on, where it is no start of the daemon; see ``origins``."""
        self.commit([partial(origins.begin, origin=origin)])

    def last_boot(self) -> int:
        """Number of the last start of the daemon, or 0."""
        with explained(self.path):
            (number,) = self._db.execute("SELECT coalesce(max(number), 0) FROM boot").fetchone()
        return int(number)

    def newest_id(self) -> int:
        """Id of the newest row, or 0."""
        with explained(self.path):
            (newest,) = self._db.execute("SELECT coalesce(max(id), 0) FROM log").fetchone()
        return int(newest)

    def rows_after(self, last_id: int, limit: int) -> list[LogRow]:
        """The next rows of the log."""
        with explained(self.path):
            return rows.select_after(self._db, last_id, limit)

    def kept_in(self, data_class: str, slot: datetime) -> set[tuple[str, str]]:
        """(meter, item) of the readings kept for a slot."""
        with explained(self.path):
            return rows.select_kept_in(self._db, data_class, slot)

    def look(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        """Ask for what the other modules of this room know to ask for."""
        with explained(self.path):
            return query(self._db)

    def cursor(self, sink: str) -> int:
        """How far ``sink`` has followed."""
        with explained(self.path):
            return cursors.position(self._db, sink)

    def poisoned(self, sink: str) -> list[tuple[int, str]]:
        """What ``sink`` can never take: (log id, reason)."""
        with explained(self.path):
            return cursors.poisoned(self._db, sink)


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    fresh = path.stat().st_size == 0
    if not fresh:
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise JournalError(f"{path}: the file is damaged: put it aside and restore a copy ({verdict})")
    try:
        migrate(db)
    except JournalError as error:
        raise JournalError(f"{path}: {error}") from None
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(
            f"{path}: this file system has no write-ahead log: put the journal on a local disk"
        )
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute(
        "PRAGMA recursive_triggers = ON"
    )  # so that INSERT OR REPLACE cannot get past the delete triggers
    db.execute(f"PRAGMA journal_size_limit = {WAL_OCTETS_MAX}")


def locked(path: Path) -> int:
    """One daemon a journal. The lock is the kernel's: it ends with the process, however that ends.

    Returns:
        the descriptor that holds it.

    Raises:
        JournalError: somebody else has it, or the folder cannot be written.

    """
    try:
        lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}: look at the folder and its permissions") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise JournalError(f"{path}: another meterlink has this journal open: end it") from None
    return lock


def sync_folder(path: Path) -> None:
    """Make sure that the name of a file is on disk, and not its content alone."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite says of a file as an error of ours, with what to do.

    Raises:
        DiskFull, JournalError: see there.

    """
    try:
        yield
    except sqlite3.Error as error:
        # Where Python itself refuses (a closed connection) there is no code; & 0xFF: the primary one.
        code = getattr(error, "sqlite_errorcode", None)
        if code in _FULL:
            raise DiskFull(f"{path}: the disk is full: free some space ({error})") from error
        advice = _ADVICE.get(code & 0xFF, "") if code is not None else ""
        raise JournalError(f"{path}: {advice or 'SQLite refused'} ({error})") from error
