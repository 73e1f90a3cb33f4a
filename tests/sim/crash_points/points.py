"""The places at which a program can be killed, and how it is: it stops to reach anybody, and leaves a file.

A dead program is what it left behind: rows on the disk, octets on the line, meters that obeyed. So the
places at which a kill can make a difference are the changes of that outside: before and behind each commit,
before and behind each time that octets are handed to the line, and whenever octets are taken from it. A
kill anywhere between two of them is a kill at the first.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from meterlink.errors import JournalError, LineLost
from meterlink.journal.store import Step, Store
from meterlink.transports.stream import ByteStream
from tests.sim.crash_points.fates import Fate
from tests.support.strikes import is_control

STORED_CONTROLS: Final = 0.6
"""That part of the control frames of DL/T 645 is stored on a line that does so,"""
STORED_OTHERS: Final = 0.03
"""and of all others, which those of DL/T 698.45 cannot be told from."""
LOG_PAGES_MAX: Final = 64
"""Of the write-ahead log, before it is folded into the file: each life copies and reads all of it."""
STORED_FOR_S: Final = (3.0, 12.0, 50.0, 200.0, 290.0, 301.0, 1_000.0)


@dataclass
class Points:
    """Counts the changes of the outside, and asks at each whether the program dies there.

    Args:
        fate: decides.
        outside: what there is beside the program and what it told the line and the disk.
        cuts: at which the line breaks, where octets are handed to it.
        refused: at which the disk refuses, where something is committed.
        dying: keeps what is on the disk, and parts the dead from it.
        kept_at: by number, the true time at which each act was committed, in this life and before.
        true_time: the time now.

    Attributes:
        count: how many there were.
        is_dead: the program was killed; nothing that it does reaches anybody.
        killed: is set then.
        stands: the order that was told last, as the disk has it.
        reached: events that are set when an order comes to a state.

    """

    fate: Fate
    outside: Callable[[], object]
    cuts: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    dying: list[Callable[[], None]] = field(default_factory=list)
    kept_at: dict[int, datetime] = field(default_factory=dict)
    true_time: Callable[[], datetime] = lambda: datetime.fromtimestamp(0, UTC)
    count: int = 0
    is_dead: bool = False
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    stands: str = "no order"
    reached: dict[str, asyncio.Event] = field(default_factory=dict)
    _changes: int = 0
    _deeds: int = 0

    def pass_by(self, what: str) -> int:
        """One more; its number, or 0 for a program that is dead."""
        if self.is_dead:
            return 0
        self.count += 1
        if self.fate.dies(self.count, f"{self.stands}, {what}", self._deeds, self._all_outside):
            self.is_dead = True
            for step in self.dying:
                step()
            self.killed.set()
        return self.count

    def _all_outside(self) -> object:
        return self._changes, self.outside()

    async def come_to(self, state: str) -> None:
        """Wait until an order has come to a state in this life."""
        if self.stands != state:
            await self.reached.setdefault(state, asyncio.Event()).wait()

    def keep(self, db: sqlite3.Connection) -> None:
        """Something was committed: see what, and when it really was."""
        (newest,) = db.execute("SELECT coalesce(max(number), 0) FROM act").fetchone()
        for number in range(len(self.kept_at) + 1, newest + 1):
            self.kept_at[number] = self.true_time()
        last = db.execute(
            "SELECT json_extract(body, '$.to') FROM act WHERE topic = 'order' ORDER BY number DESC LIMIT 1"
        ).fetchone()
        if last is not None:
            self.stands = str(last[0])
            if self.stands in self.reached:
                self.reached[self.stands].set()

    def changed(self) -> None:
        """The program has changed something outside."""
        self._changes += 1

    def done(self) -> None:
        """It has brought something to the disk or to the line."""
        self._deeds += 1
        self.changed()


class TappedStream:
    """Our end of a line, which dies with us.

    Args:
        stream: the end.
        points: counts what goes over it.

    """

    def __init__(self, stream: ByteStream, points: Points) -> None:
        self._stream = stream
        self._points = points

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``; killed before, nothing leaves, and killed behind, all of it has."""
        number = self._points.pass_by("before a send")
        self._check()
        self._points.done()
        if number in self._points.cuts:
            await self._stream.aclose()
            raise LineLost("the line broke")
        await self._stream.send(octets)
        self._points.pass_by("behind a send")
        self._check()

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``."""
        self._check()
        octets = await self._stream.receive(limit)
        self._points.pass_by("octets came")
        self._check()
        return octets

    def receive_nowait(self) -> bytes:
        """See ``ByteStream.receive_nowait``."""
        return b"" if self._points.is_dead else self._stream.receive_nowait()

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        self._points.changed()
        await self._stream.aclose()

    def _check(self) -> None:
        if self._points.is_dead:
            raise LineLost("this program is dead")


class StoringStream:
    """A way to the meters that keeps some frames, and delivers them later by itself, whoever died meanwhile.

    Args:
        stream: the way of the others.
        deliver: brings octets to the meters later, after so many seconds.
        chance: which frames, and how much later.

    """

    def __init__(
        self, stream: ByteStream, deliver: Callable[[bytes, float], None], chance: random.Random
    ) -> None:
        self._stream = stream
        self._deliver = deliver
        self._chance = chance

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``."""
        if self._chance.random() < (STORED_CONTROLS if is_control(octets) else STORED_OTHERS):
            self._deliver(octets, self._chance.choice(STORED_FOR_S))
        else:
            await self._stream.send(octets)

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``."""
        return await self._stream.receive(limit)

    def receive_nowait(self) -> bytes:
        """See ``ByteStream.receive_nowait``."""
        return self._stream.receive_nowait()

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        await self._stream.aclose()


def tapped_store(points: Points, graves: list[sqlite3.Connection]) -> Callable[[Path], Store]:
    """An opener of journals whose commits are counted, may be refused, and end with the program.

    Args:
        points: counts them.
        graves: gets the connection of a program that died; what is not let go there is not closed.

    """

    class Tapped(Store):
        def __init__(self, path: Path, db: sqlite3.Connection, lock: int) -> None:
            super().__init__(path, db, lock)
            db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}")
            points.dying.append(self._part)

        def commit(self, steps: Sequence[Step]) -> list[int]:
            number = points.pass_by("before a commit")
            if points.is_dead or number in points.refused:
                raise JournalError("the disk is full")
            results = super().commit(steps)
            points.done()
            points.keep(self._db)
            points.pass_by("behind a commit")
            return results

        def _part(self) -> None:
            """Nothing that a dead program does reaches the file, nor does it ever close it."""
            graves.append(self._db)
            self._db = sqlite3.connect(":memory:")
            self._db.close()

    return Tapped.open
