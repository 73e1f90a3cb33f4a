"""The journal as the other rooms see it: verbs that wait for the disk without blocking the loop.

One writer task takes what is asked of it from a bounded queue and commits it in groups: whatever came while
the disk was busy goes into the next transaction, so a slow disk makes groups larger, not the queue longer.
The file lives on one thread. Under a simulated loop, which runs executors inline, all of it runs inline.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import structlog

from meterlink.clock import Clock
from meterlink.errors import DiskFull, JournalError
from meterlink.journal import cursors, history_rows, reserve, rows
from meterlink.journal.acts import ActLog
from meterlink.journal.cells import micros
from meterlink.journal.reserve import Rank, Reserve
from meterlink.journal.roster_log import RosterLog
from meterlink.journal.store import Step, Store
from meterlink.model.event import Event
from meterlink.model.history import History
from meterlink.model.reading import LogRow, Record

QUEUE_MAX = 4_096
"""Changes waiting for the disk; who comes then waits for a place."""
GROUP_MAX = 1_024
"""Changes in one transaction."""
READ_OFTEN = frozenset({"instant", "curve"})
"""Classes of readings of which there will be others, when there is room for few."""

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Change:
    """A step, what it is worth when there is little room, and who waits for it."""

    rank: Rank
    step: Step
    done: asyncio.Future[int]


class Journal:
    """The append-only log and its cursors; an async context manager.

    Args:
        path: the SQLite file; its folder must exist.
        clock: gives ``kept_at`` and the time of the start.
        opener: opens the file; tests give one with limits or faults.
        put_aside: what acts may use when the disk is full; ``None``: nothing.
        queue_max: changes that may wait for the disk.
        is_start: whether this is a start of the daemon, to be noted as one; ``False``: a command does
            something while no daemon runs.

    Attributes:
        acts: orders, evidence and whatever else people and rules did, in their chain.
        roster: which meters there are.

    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        opener: Callable[[Path], Store] = Store.open,
        queue_max: int = QUEUE_MAX,
        put_aside: Reserve | None = None,
        is_start: bool = True,
    ) -> None:
        self.boot = 0
        self._path = path
        self._clock = clock
        self._opener = opener
        self._is_start = is_start
        self._reserve = put_aside
        self._changes: asyncio.Queue[_Change | None] = asyncio.Queue(queue_max)
        self._newest = 0
        self._committed = asyncio.Event()
        self._failing = 0
        self._open = False
        self._store: Store | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self.acts = ActLog(partial(self._change, Rank.ACT), self._read, clock, lambda: self.boot)
        # Not from the reserve: a roster of megabytes would use up what orders need.
        change = partial(self._change, Rank.STATE)
        self.roster = RosterLog(change, self._read, clock, lambda: self.boot, self.acts.growth)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        opener: Callable[[Path], Store] = Store.open,
        queue_max: int = QUEUE_MAX,
        put_aside: Reserve | None = None,
        is_start: bool = True,
    ) -> Self:
        """The journal at ``path``, to be entered with ``async with``.

        Raises (on entering):
            JournalError: not ours, damaged, locked, newer than this version, or not writable.

        """
        return cls(
            path, clock=clock, opener=opener, queue_max=queue_max, put_aside=put_aside, is_start=is_start
        )

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

    async def keep(self, record: Record | Event) -> int:
        """Append a record or an event; its log id, once it is on disk.

        An event that is there already is not appended again: the id is the one that it has.
        Cancelled while waiting, the record may have been kept or not.

        Raises:
            JournalError: it was not kept: disk full, file locked or damaged, journal closed.
            ValueError: the record is malformed, a bug of who made it.

        """
        encoded = rows.encode(record, self._clock.utc_now())
        rank = Rank.OFTEN if record.data_class in READ_OFTEN else Rank.READING
        return await self._change(rank, lambda db: rows.insert(db, self.boot, encoded))

    async def keep_report(self, records: Sequence[Record | Event], *, key: str, repeat_s: float) -> bool:
        """Append all that a report held, or nothing of it; returns once it is on disk.

        Args:
            records: what it held.
            key: the same for a report that is told again.
            repeat_s: a report with that key that was kept so lately is this one: nothing is appended.

        Returns:
            Whether something was appended; ``False`` when all of it had been kept before.

        Raises:
            JournalError: nothing was kept.
            ValueError: a record is malformed, a bug of who made it.

        """
        now = self._clock.utc_now()
        encoded = [rows.encode(record, now) for record in records]
        since = now - timedelta(seconds=repeat_s)
        newest = self.newest_id
        step = partial(rows.insert_report, boot=self.boot, records=encoded, key=key, at=now, since=since)
        return await self._change(Rank.READING, step) > newest

    async def rows_after(self, last_id: int, limit: int) -> list[LogRow]:
        """The rows after ``last_id`` in order, at most ``limit``.

        Raises:
            RowUnreadable: the first of them is damaged; go on behind its ``log_id``.
            JournalError: the file cannot be read.

        """
        return await self._read(lambda store: store.rows_after(last_id, limit))

    @property
    def newest_id(self) -> int:
        """Id of the newest row on disk; 0 in an empty journal."""
        return self._newest

    async def wait_beyond(self, last_id: int) -> None:
        """Wait until a row with a greater id is on disk."""
        while self._newest <= last_id:
            await self._committed.wait()

    async def kept_in(self, data_class: str, slot: datetime) -> set[tuple[str, str]]:
        """(meter, item) of the readings already kept for a slot.

        Args:
            data_class: e.g. ``instant``; records of one slot each.
            slot: aware; as in the readings.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self._read(lambda store: store.kept_in(data_class, slot))

    async def kept_of(self, data_class: str, meter: str, slot: datetime, items: Sequence[str]) -> set[str]:
        """Which of a meter's items were kept for a slot; cheap however many meters there are.

        Args:
            data_class: e.g. ``daily_freeze``.
            meter: our id of it.
            slot: aware; as in the readings.
            items: names as in the readings, no blocks.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self._read(lambda store: store.kept_of(data_class, meter, slot, items))

    async def history(self, data_class: str, meter: str, slot: datetime, items: Sequence[str]) -> History:
        """What was kept of a meter around a slot: what new readings of it are judged by.

        Args:
            data_class: e.g. ``daily_freeze``.
            meter: our id of it.
            slot: aware; as in the readings.
            items: names as in the readings, no blocks.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(history_rows.select, data_class=data_class, meter=meter, slot=slot, items=items)
        return await self._read(lambda store: store.look(look))

    async def last_read_at(self, meter: str) -> datetime | None:
        """The newest slot of any reading that was kept of a meter; ``None``: there is none.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self._read(lambda store: store.look(partial(rows.select_newest_slot, meter=meter)))

    async def cursor(self, sink: str) -> int:
        """The last log id that ``sink`` has; 0 before the first.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self._read(lambda store: store.cursor(sink))

    async def advance(self, sink: str, last_id: int) -> None:
        """``sink`` has everything up to ``last_id``; never moves backwards.

        Raises:
            JournalError: it was not noted.

        """
        await self._change(Rank.STATE, _without_result(partial(cursors.advance, sink=sink, last_id=last_id)))

    async def rewind(self, sink: str, last_id: int) -> None:
        """``sink`` has lost what came after ``last_id``: it will get it again. Never moves forwards.

        Raises:
            JournalError: it was not noted.

        """
        await self._change(Rank.STATE, _without_result(partial(cursors.rewind, sink=sink, last_id=last_id)))

    async def poison(self, sink: str, log_id: int, reason: str) -> None:
        """``sink`` can never take the row ``log_id``.

        Raises:
            JournalError: it was not noted.

        """
        at = micros(self._clock.utc_now())
        step = partial(cursors.poison, sink=sink, log_id=log_id, reason=reason, poisoned_at=at)
        await self._change(Rank.STATE, _without_result(step))

    async def poisoned(self, sink: str) -> list[tuple[int, str]]:
        """What ``sink`` can never take: (log id, reason), oldest first.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self._read(lambda store: store.poisoned(sink))

    async def _change(self, rank: Rank, step: Step) -> int:
        if not self._open:
            raise self._closed()
        change = _Change(rank, step, asyncio.get_running_loop().create_future())
        await self._changes.put(change)
        if self._writer.done():  # it ended while we waited for a place
            raise self._closed()
        return await change.done

    def _closed(self) -> JournalError:
        return JournalError(f"{self._path}: the journal is closed")

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
            results = await self._read(lambda store: reserve.commit(store, changes, self._reserve))
        except JournalError as error:
            results = [error] * len(group)
        for change, result in zip(group, results, strict=True):
            if change.done.done():
                continue
            if isinstance(result, JournalError):
                change.done.set_exception(_copy(result))
            else:
                change.done.set_result(result)
        self._note([result for result in results if isinstance(result, JournalError)])
        self._wake(max((result for result in results if isinstance(result, int)), default=0))

    def _wake(self, newest: int) -> None:
        if newest > self._newest:
            self._newest = newest
            committed, self._committed = self._committed, asyncio.Event()
            committed.set()

    def _note(self, refusals: list[JournalError]) -> None:
        """Log once when it begins and once when it is over."""
        if refusals and not self._failing:
            _log.error("journal.failing", reason=str(refusals[0]))
        elif self._failing and not refusals:
            _log.warning("journal.recovered", changes_refused=self._failing)
        self._failing = self._failing + len(refusals) if refusals else 0

    def _open_file(self) -> None:
        """Open; a disk that is full to the brim gets some of what was put aside by an earlier start."""
        while True:
            try:
                self._store = self._opener(self._path)
                self.boot = (0 if self._is_start else self._store.last_boot()) or self._store.start(
                    self._clock.utc_now()
                )
                break
            except DiskFull:
                self._close_file()
                if self._reserve is None or not self._reserve.give():
                    raise
        self._newest = self._store.newest_id()
        if self._reserve is not None:
            self._reserve.least_rank()  # puts it aside before anything else takes the room

    def _close_file(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    async def _read(self, work: Callable[[Store], _T]) -> _T:
        store = self._store
        if store is None:
            raise self._closed()
        return await self._run(lambda: work(store))

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _copy(error: JournalError) -> JournalError:
    """One exception for each who waits: raised in several tasks, one object would mix up their tracebacks."""
    copy = (DiskFull if isinstance(error, DiskFull) else JournalError)(str(error))
    copy.__cause__ = error
    return copy


def _without_result(step: Callable[[sqlite3.Connection], None]) -> Step:
    def done(db: sqlite3.Connection) -> int:
        step(db)
        return 0

    return done
