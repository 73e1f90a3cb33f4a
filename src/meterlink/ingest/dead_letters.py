"""What the ingest remembers: what it could not store and why, and how far it has come with each gateway.

One small SQLite file of the ingest's own: it could run on another machine than the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from meterlink.clock import Clock
from meterlink.errors import SinkAway

LETTERS_MAX = 10_000
"""The oldest beyond are deleted, and counted."""
LETTER_OCTETS_MAX = 65_536
"""So much of a payload is kept."""
APPLICATION_ID = 0x4D4C4431  # "MLD1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SCHEMA = f"""
BEGIN;
CREATE TABLE letter (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  died_at INTEGER NOT NULL,        -- microseconds since 1970, UTC
  topic TEXT NOT NULL,             -- empty for a line
  content BLOB NOT NULL,           -- the line, or the payload
  words TEXT NOT NULL              -- what the database said of it, or what is wrong with it
) STRICT;
CREATE TABLE progress (
  gateway TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
COMMIT;
"""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Something that could not be stored.

    Args:
        died_at: when; aware, UTC.
        topic: where a payload was published; empty for a line.
        content: the line, or the beginning of the payload.
        words: what the database said of it, or what is wrong with it.

    """

    died_at: datetime
    topic: str
    content: bytes
    words: str


class DeadLetters:
    """The ingest's file; open it with ``open``.

    Every failure is ``SinkAway``: what cannot be noted is not done, so it is tried again.
    """

    def __init__(self, path: Path, clock: Clock, letters_max: int) -> None:
        self._path = path
        self._clock = clock
        self._letters_max = letters_max
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dead-letters")

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, clock: Clock, letters_max: int = LETTERS_MAX
    ) -> AsyncIterator[DeadLetters]:
        """Open or create the file.

        Args:
            path: the file; its folder must exist.
            clock: gives the time of a death.
            letters_max: letters to keep.

        Raises:
            SinkAway: it cannot be opened, or is somebody else's.

        """
        letters = cls(path, clock, letters_max)
        try:
            await letters._run(letters._open)
            yield letters
        finally:
            await letters._run(letters._close)
            letters._thread.shutdown(wait=False)

    async def bury(self, content: bytes, words: str, *, topic: str = "") -> None:
        """Keep what could not be stored; on disk when this returns.

        Args:
            content: a line, or a payload.
            words: what the database said of it, or what is wrong with it.
            topic: where the payload was published.

        Raises:
            SinkAway: it was not kept.

        """
        readable = words.encode(errors="backslashreplace").decode()
        await self._run(lambda: self._bury(topic, content[:LETTER_OCTETS_MAX], readable))

    async def newest(self, limit: int) -> list[DeadLetter]:
        """The last ``limit`` letters, newest first."""
        return await self._run(lambda: self._newest(limit))

    async def count(self) -> int:
        """How many ever died, also those deleted since."""
        return await self._run(self._count)

    async def note_progress(self, last: Mapping[str, int]) -> None:
        """Everything of these gateways up to these ``seq`` is stored or buried.

        A smaller number than before is noted too: a gateway that starts a new journal begins anew, and after
        a redelivery the numbers climb again by themselves. Not synced: an older number is safe.

        Raises:
            SinkAway: it was not noted.

        """
        rows = list(last.items())
        await self._run(lambda: self._note(rows))

    async def highest_seq(self, gateway: str) -> int:
        """Up to here everything that a gateway published is stored or buried; 0 if nothing is known.

        It holds where messages come in the order of their ``seq``, which relay and broker keep.
        """
        return await self._run(lambda: self._seq(gateway))

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if application == 0 and tables == 0:
            self._db.executescript(_SCHEMA)
        elif application != APPLICATION_ID:
            raise SinkAway(f"{self._path}: this file belongs to another program: choose another path")
        self._db.execute("PRAGMA journal_mode = WAL")

    def _close(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()

    def _bury(self, topic: str, content: bytes, words: str) -> None:
        died_at = (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            newest = self._db.execute(
                "INSERT INTO letter (died_at, topic, content, words) VALUES (?, ?, ?, ?)",
                (died_at, topic, content, words),
            ).lastrowid
            self._db.execute("DELETE FROM letter WHERE id <= ? - ?", (newest, self._letters_max))
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def _note(self, last: list[tuple[str, int]]) -> None:
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT OR REPLACE INTO progress (gateway, seq) VALUES (?, ?)", last)
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def _newest(self, limit: int) -> list[DeadLetter]:
        rows = self._db.execute(
            "SELECT died_at, topic, content, words FROM letter ORDER BY id DESC LIMIT ?", (limit,)
        )
        return [
            DeadLetter(died_at=_EPOCH + timedelta(microseconds=at), topic=topic, content=content, words=words)
            for at, topic, content, words in rows
        ]

    def _count(self) -> int:
        (count,) = self._db.execute("SELECT coalesce(max(id), 0) FROM letter").fetchone()
        return int(count)

    def _seq(self, gateway: str) -> int:
        row = self._db.execute("SELECT seq FROM progress WHERE gateway = ?", (gateway,)).fetchone()
        return int(row[0]) if row else 0

    async def _run(self, work: Callable[[], _T]) -> _T:
        def explained() -> _T:
            with _explained(self._path):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, explained)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SinkAway(f"{path}: the file of dead letters cannot be used ({error})") from error
