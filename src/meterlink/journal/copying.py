"""Whole copies of a journal: a backup while a daemon writes, and a smaller file when none does.

Either way the new file is written beside its place, looked at, synced, and then put there in one step: what
stands at the place is always whole.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from meterlink.errors import JournalError
from meterlink.journal.migrations import check_current
from meterlink.journal.reader import JournalReader
from meterlink.journal.store import explained, locked, sync_folder

PAGES_AT_ONCE: Final = 1_024
"""Pages between two signs of life: 4 MiB."""

Progress = Callable[[int, int], None]
"""Told how many pages are done, of how many."""


def backup(source: JournalReader, target: Path, *, progress: Progress = lambda _done, _of: None) -> None:
    """Copy a journal, as it was when this began, into a file of its own.

    The source is read in one transaction, so a daemon that writes all the time neither waits nor makes us
    begin again; until we are done its write-ahead log cannot be folded into its file, and grows.

    Args:
        source: open; a daemon may have it open too.
        target: where the copy is to be; must not exist, and its folder must.
        progress: told now and then.

    Raises:
        JournalError: the target is there, cannot be written, or what was written cannot be read back whole.

    """
    if target.exists():
        raise JournalError(f"{target}: there is a file already: choose another name")
    with _put_in_place(target) as part, explained(part):
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
            source.look(lambda db: _copy(db, copy, progress))
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, which says all
        _check(part)


def compact(journal: Path, *, progress: Progress = lambda _done, _of: None) -> tuple[int, int]:
    """Write a journal anew without the room that removed rows have left; its octets before and after.

    Args:
        journal: that no daemon has open; on a disk with room for a second one.
        progress: told before and after.

    Raises:
        JournalError: somebody has it open, it is damaged, or there is no room; it is as it was.

    """
    if not journal.exists():
        raise JournalError(f"{journal}: there is no journal")
    lock = locked(journal)
    try:
        before = journal.stat().st_size
        progress(0, 1)
        with _put_in_place(journal, like=journal.stat()) as part, explained(journal):
            with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as db:
                check_current(db)
                # What waits in the write-ahead log must not be played into the new file.
                if db.execute("PRAGMA journal_mode = DELETE").fetchone() != ("delete",):
                    raise JournalError(f"{journal}: another program reads it: end it")
                db.execute("VACUUM INTO ?", (str(part),))
            _check(part)
        progress(1, 1)
        return before, journal.stat().st_size
    finally:
        os.close(lock)


def _copy(db: sqlite3.Connection, copy: sqlite3.Connection, progress: Progress) -> None:
    def told(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    db.execute("BEGIN")
    try:
        check_current(db)  # and with this look the transaction has its moment
        db.backup(copy, pages=PAGES_AT_ONCE, progress=told, sleep=0)
    finally:
        db.execute("ROLLBACK")


def _check(part: Path) -> None:
    """Whether what was written can be read back, every page of it."""
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as db:
        check_current(db)
        (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise JournalError(f"{part}: what was written is damaged ({verdict}): look at the disk")


@contextlib.contextmanager
def _put_in_place(target: Path, like: os.stat_result | None = None) -> Iterator[Path]:
    """A file to write, which takes the place of the target if all went well and is gone otherwise.

    Args:
        target: the place.
        like: whose it is and who may read it; ``None``: ours alone.

    """
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield part
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if like is not None:
                os.fchmod(descriptor, like.st_mode & 0o777)
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(target)
        sync_folder(target)
    except OSError as error:
        raise JournalError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
            part.with_name(f"{part.name}-journal").unlink(missing_ok=True)
