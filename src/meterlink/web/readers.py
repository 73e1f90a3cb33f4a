"""Threads that read the journal for the API, each over a read-only connection of its own.

A request is answered in steps, and a step is a look at some thousand rows at most: it holds a thread and a
snapshot of the journal for some tenths of a second. Between steps, while a caller takes his time to read,
nothing is held. So a slow caller costs no thread, and the journal's write-ahead log can be cut meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple, TypeVar

from meterlink.billing.cursors import Position
from meterlink.billing.points import Points
from meterlink.billing.source import Freezes
from meterlink.errors import WrongCursor
from meterlink.journal import roster_rows
from meterlink.journal.reader import JournalReader
from meterlink.validation.validator import FactsOfMeters

THREADS: Final = 2
"""Steps at one time; the interpreter gives them one core between them, and the daemon wants it too."""

_T = TypeVar("_T")


FactsMaker = Callable[[Points], FactsOfMeters]
"""Makes the facts of the meters of a roster; several threads use them."""


class _Known(NamedTuple):
    """What is known of the meters of a roster of a revision."""

    revision: int
    points: Points
    facts: FactsOfMeters


class _Shared:
    """The roster over time, held once for all threads; read again when it has another revision.

    Args:
        facts: see ``FactsMaker``.

    """

    def __init__(self, facts: FactsMaker) -> None:
        self._facts = facts
        self._lock = Lock()
        self._held: _Known | None = None

    def of(self, reader: JournalReader) -> _Known:
        """What is known by the newest revision.

        Raises:
            JournalError: the journal cannot be read.

        """
        revision = reader.look(roster_rows.revision)
        with self._lock:
            if self._held is None or self._held.revision != revision:
                points = Points.of(reader.look(roster_rows.every_change))
                self._held = _Known(revision, points, self._facts(points))
            return self._held


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a step may look at; used by its thread alone.

    Args:
        freezes: of the journal.
        reader: of the journal.
        revision: of the roster that the freezes are shown with.

    """

    freezes: Freezes
    reader: JournalReader
    revision: int


def known(look: Look, position: Position) -> int:
    """The row behind which somebody goes on, if it is one of this journal.

    Raises:
        WrongCursor: it is not.

    """
    if position.seq > look.freezes.newest() or position.origin != look.freezes.origin(position.seq):
        raise WrongCursor(
            "the cursor is one of another journal, or this one was put back from a copy: begin without a "
            "cursor / 该游标属于其他日志,或日志已从副本恢复:请不带游标从头开始"
        )
    return position.seq


class Readers:
    """The threads.

    Args:
        journal: its file.
        zone: of the plant.
        facts: see ``FactsMaker``.

    """

    def __init__(self, journal: Path, zone: tzinfo, facts: FactsMaker) -> None:
        self._journal = journal
        self.zone: Final = zone
        self._shared = _Shared(facts)
        self._free: asyncio.Queue[_Seat] = asyncio.Queue(maxsize=THREADS)
        self._beside = ThreadPoolExecutor(max_workers=2, thread_name_prefix="web.beside")

    @classmethod
    @asynccontextmanager
    async def open(cls, journal: Path, zone: tzinfo, facts: FactsMaker) -> AsyncIterator[Readers]:
        """The threads until the end of the block; connections are opened when they are needed.

        Args:
            journal: its file.
            zone: of the plant.
            facts: see ``FactsMaker``.

        """
        readers = cls(journal, zone, facts)
        seats = [_Seat(number) for number in range(THREADS)]
        for seat in seats:
            readers._free.put_nowait(seat)
        try:
            yield readers
        finally:
            for seat in seats:
                seat.leave()
            readers._beside.shutdown(wait=False)

    async def run(self, step: Callable[[Look], _T]) -> _T:
        """Do a step in the thread that is free first.

        Args:
            step: looks at the journal; short.

        Raises:
            JournalError: the journal cannot be read.

        """
        seat = await self._free.get()
        doing = asyncio.get_running_loop().run_in_executor(seat.thread, self._done, seat, step)

        def free(done: asyncio.Future[_T]) -> None:
            self._free.put_nowait(seat)
            if not done.cancelled():
                done.exception()  # seen, also where nobody waits for it any more

        doing.add_done_callback(free)
        return await asyncio.shield(doing)

    async def beside(self, work: Callable[[], _T]) -> _T:
        """Do what reads a small file or the like; it waits for no step."""
        return await asyncio.get_running_loop().run_in_executor(self._beside, work)

    def _done(self, seat: _Seat, step: Callable[[Look], _T]) -> _T:
        if seat.reader is None:
            seat.reader = JournalReader(self._journal)
        with seat.reader.one_state():
            known = self._shared.of(seat.reader)
            freezes = Freezes(seat.reader, self.zone, known.facts, known.points)
            return step(Look(freezes=freezes, reader=seat.reader, revision=known.revision))


class _Seat:
    """One thread with its connection."""

    def __init__(self, number: int) -> None:
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"web.reader{number}")
        self.reader: JournalReader | None = None

    def leave(self) -> None:
        """Close the connection behind the step in hand; nobody waits for it."""
        self.thread.submit(self._close)
        self.thread.shutdown(wait=False)

    def _close(self) -> None:
        if self.reader is not None:
            self.reader.close()
