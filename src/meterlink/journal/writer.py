"""The one who writes the journal: a bounded queue, groups of changes, the file on a thread of its own.

One writer task takes what is asked of it from the queue and commits it in groups: whatever came while the
disk was busy goes into the next transaction, so a slow disk makes groups larger, not the queue longer.
Under a simulated loop, which runs executors inline, all of it runs inline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import structlog

from meterlink.clock import Clock
from meterlink.errors import DiskFull, JournalError
from meterlink.journal import origins, reserve
from meterlink.journal.reserve import Rank, Reserve
from meterlink.journal.store import Step, Store
from meterlink.journal.work import JournalWork

CALM_S: Final = 60.0
"""Without a refusal for so long the journal has recovered."""
GROUP_MAX: Final = 1_024
"""Changes in one transaction."""

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Change:
    """A step, what it is worth when there is little room, and who waits for it."""

    rank: Rank
    step: Step
    done: asyncio.Future[int]


class Writer:
    """The file of one journal and its only writer; an async context manager.

    Args:
        path: the SQLite file; its folder must exist.
        clock: gives the time of the start, and how long nothing was refused.
        opener: opens the file.
        put_aside: what acts may use when the disk is full; ``None``: nothing.
        queue_max: changes that may wait for the disk.
        is_start: whether this is a start of the daemon, to be noted as one.
        draw: an origin for what is written; see ``origins``.

    Attributes:
        boot: number of the daemon's start.
        newest_id: of the rows on disk; 0 in an empty journal.
        work: what it has done and is at.

    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        opener: Callable[[Path], Store],
        put_aside: Reserve | None,
        queue_max: int,
        is_start: bool,
        draw: Callable[[], str] = origins.drawn,
    ) -> None:
        self.boot = 0
        self.newest_id = 0
        self.work = JournalWork()
        self._path = path
        self._clock = clock
        self._opener = opener
        self._is_start = is_start
        self._draw = draw
        self._reserve = put_aside
        self._changes: asyncio.Queue[_Change | None] = asyncio.Queue(queue_max)
        self._committed = asyncio.Event()
        self._failing = 0
        self._failed_s = 0.0
        self._open = False
        self._store: Store | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def __aenter__(self) -> Self:
        """Open the file, migrate it and start the writer."""
        try:
            await self._run(self._open_file)
        except BaseException:
            # Cancelled, the thread may still be opening; what it opened is closed behind it.
            self._thread.submit(self._close_file)
            self._thread.shutdown(wait=False)
            raise
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._writer = self._tasks.create_task(self._write(), name="journal.writer")
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is queued, stop the writer, close the file."""
        self._open = False
        try:
            if not self._writer.done():
                await self._changes.put(None)
                await asyncio.wait([self._writer])
            # An error of the body stays what it is; only the group's own cancelling is its business.
            cancelled = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(*((kind, error, trace) if cancelled else (None, None, None)))
        finally:
            try:
                await self._run(self._close_file)
            finally:
                self._thread.shutdown(wait=False)

    async def change(self, rank: Rank, step: Step) -> int:
        """Commit a step together with whatever else waits for the disk; what it returned, once it is on disk.

        Args:
            rank: what it is worth when there is little room.
            step: changes rows.

        Raises:
            JournalError: nothing was changed: disk full, file locked or damaged, journal closed.

        """
        if not self._open:
            raise self._closed()
        change = _Change(rank, step, asyncio.get_running_loop().create_future())
        await self._changes.put(change)
        if self._writer.done():  # it ended while we waited for a place
            raise self._closed()
        return await change.done

    async def read(self, work: Callable[[Store], _T]) -> _T:
        """Do some work on the file's thread.

        Raises:
            JournalError: the file cannot be read, or the journal is closed.

        """
        store = self._store
        if store is None:
            raise self._closed()
        return await self._run(lambda: work(store))

    async def wait_beyond(self, last_id: int) -> None:
        """Wait until a row with a greater id is on disk."""
        while self.newest_id <= last_id:
            await self._committed.wait()

    async def _write(self) -> None:
        """Take changes and commit them in groups, until ``None`` comes."""
        ended = False
        while not ended:
            taken = [await self._changes.get()]
            while len(taken) < GROUP_MAX and not self._changes.empty():
                taken.append(self._changes.get_nowait())
            ended = None in taken
            group = [change for change in taken if change is not None]
            if group:
                await self._commit(group)
        while not self._changes.empty():
            late = self._changes.get_nowait()
            if late and not late.done.done():
                late.done.set_exception(self._closed())

    async def _commit(self, group: list[_Change]) -> None:
        changes = [(change.rank, change.step) for change in group]
        try:
            results = await self.read(lambda store: reserve.commit(store, changes, self._reserve))
        except JournalError as error:
            results = [error] * len(group)
        for change, result in zip(group, results, strict=True):
            if change.done.done():
                continue
            if isinstance(result, JournalError):
                change.done.set_exception(_copy(result))
            else:
                change.done.set_result(result)
        refusals = [result for result in results if isinstance(result, JournalError)]
        self.work.note(len(results), len(refusals), str(refusals[0]) if refusals else "")
        self._note(refusals)
        self._wake(max((result for result in results if isinstance(result, int)), default=0))

    def _wake(self, newest: int) -> None:
        if newest > self.newest_id:
            self.newest_id = newest
            committed, self._committed = self._committed, asyncio.Event()
            committed.set()

    def _note(self, refusals: list[JournalError]) -> None:
        """Log once when it begins and once when it is over for good.

        A disk that is nearly full takes one change and refuses the next, so that each group would be an end
        or a beginning.
        """
        now_s = self._clock.monotonic_s()
        if refusals:
            if not self._failing:
                _log.error("journal.failing", reason=str(refusals[0]))
            self._failing, self._failed_s = self._failing + len(refusals), now_s
        elif self._failing and now_s - self._failed_s >= CALM_S:
            _log.warning("journal.recovered", changes_refused=self._failing)
            self._failing = 0

    def _open_file(self) -> None:
        """Open; a disk that is full to the brim gets some of what was put aside by an earlier start."""
        while True:
            try:
                self._store = self._opener(self._path)
                self.boot = self._begun(self._store)
                break
            except DiskFull:
                self._close_file()
                if self._reserve is None or not self._reserve.give():
                    raise
        self.newest_id = self._store.newest_id()
        if self._reserve is not None:
            self._reserve.least_rank()  # puts it aside before anything else takes the room

    def _begun(self, store: Store) -> int:
        """Note that we write; the number of the daemon's start."""
        origin = self._draw()
        if not self._is_start and (last := store.last_boot()):
            store.begin(origin)
            return last
        return store.start(self._clock.utc_now(), origin)

    def _close_file(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _closed(self) -> JournalError:
        return JournalError(f"{self._path}: the journal is closed")

    async def _run(self, work: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        with self.work.waiting(loop.time()):
            try:
                return await loop.run_in_executor(self._thread, work)
            finally:
                self.work.done(loop.time())


def _copy(error: JournalError) -> JournalError:
    """One exception for each who waits: raised in several tasks, one object would mix up their tracebacks."""
    copy = (DiskFull if isinstance(error, DiskFull) else JournalError)(str(error))
    copy.__cause__ = error
    return copy
