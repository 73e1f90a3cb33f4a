"""The journal as the other rooms see it: verbs that wait for the disk without blocking the loop.

The log is here: what was read and reported is kept, and what was kept is looked at. Acts, the roster, the
ledger, sinks and the room that all of it takes are subjects of their own. Who writes is ``writer``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from meterlink.clock import Clock
from meterlink.journal import history_rows, judged, ledger_rows, rows
from meterlink.journal import unlooked as unlooked_rows
from meterlink.journal.acts import ActLog
from meterlink.journal.event_log import EventLog
from meterlink.journal.judged import Judge
from meterlink.journal.ledger import Ledger
from meterlink.journal.reserve import Rank, Reserve
from meterlink.journal.room import Room
from meterlink.journal.roster_log import RosterLog
from meterlink.journal.sent_mark import SentMark
from meterlink.journal.sinks import Sinks
from meterlink.journal.store import Step, Store
from meterlink.journal.unlooked import Unlooked
from meterlink.journal.work import JournalWork
from meterlink.journal.writer import Writer
from meterlink.model.event import Event
from meterlink.model.history import Wanted
from meterlink.model.marks import OF_LOOKS, Marks
from meterlink.model.reading import LogRow, Record
from meterlink.model.slot import SlotKey

QUEUE_MAX = 4_096
"""Changes waiting for the disk; who comes then waits for a place."""
READ_OFTEN = frozenset({"instant", "curve"})
"""Classes of readings of which there will be others, when there is room for few."""


class Journal:
    """The append-only log and what is kept beside it; an async context manager.

    Args:
        path: the SQLite file; its folder must exist.
        clock: gives ``kept_at`` and the time of the start.
        opener: opens the file; tests give one with limits or faults.
        put_aside: what acts may use when the disk is full; ``None``: nothing.
        queue_max: changes that may wait for the disk.
        is_start: whether this is a start of the daemon, to be noted as one; ``False``: a command does
            something while no daemon runs.

    Attributes:
        judge: marks the readings that are kept, whoever brings them; ``None``: nobody does.
        acts: orders, evidence and whatever else people and rules did, in their chain.
        events: what meters have recorded, and how far it was read.
        roster: which meters there are.
        ledger: the slots that were due, where each stands and why.
        mark: the newest act that somebody relies on, beside the file.
        unlooked: freezes that were kept without a look at their meter.
        sinks: how far each of them has followed.
        room: what the file takes, and what may go.

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
        self.judge: Judge | None = None
        self._clock = clock
        self._writer = writer = Writer(
            path, clock=clock, opener=opener, put_aside=put_aside, queue_max=queue_max, is_start=is_start
        )

        def ranked(rank: Rank) -> Callable[[Step], Awaitable[int]]:
            return partial(writer.change, rank)

        def boot() -> int:
            return writer.boot

        self.acts = ActLog(ranked(Rank.ACT), writer.read, clock, boot)
        self.mark = SentMark(path, self.acts)
        self.events = EventLog(ranked(Rank.READING), writer.read, clock, boot)
        # Not from the reserve: a roster of megabytes would use up what orders need.
        self.roster = RosterLog(
            ranked(Rank.STATE), writer.read, clock, boot, self.acts.growth, lambda: self.judge
        )
        self.ledger = Ledger(
            change=ranked(Rank.STATE),
            read=writer.read,
            clock=clock,
            boot=boot,
            opened_s=clock.monotonic_s(),
        )
        self.unlooked = Unlooked(ranked(Rank.STATE), writer.read)
        self.sinks = Sinks(ranked(Rank.STATE), writer.read, clock)
        self.room = Room(ranked(Rank.ROOM), writer.read, clock, put_aside)

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
        await self._writer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is queued, stop the writer, close the file."""
        await self._writer.__aexit__(kind, error, trace)

    @property
    def boot(self) -> int:
        """Number of the daemon's start; 0 before the file is open."""
        return self._writer.boot

    @property
    def work(self) -> JournalWork:
        """What it has done and is at."""
        return self._writer.work

    async def keep(self, record: Record | Event, *, settles: SlotKey | None = None) -> int:
        """Append a record with its marks or an event; its log id, once it is on disk.

        An event that is there already is not appended again: the id is the one that it has.
        Cancelled while waiting, the record may have been kept or not.

        Args:
            record: what came.
            settles: the slot of the ledger that is kept with it, in the same transaction.

        Raises:
            JournalError: it was not kept: disk full, file locked or damaged, journal closed.
            ValueError: the record is malformed, a bug of who made it.

        """
        return await self._keep([(record, settles)])

    async def keep_all(
        self, records: Sequence[tuple[Record, SlotKey | None]], *, unlooked: Sequence[SlotKey] = ()
    ) -> None:
        """Append records of one class with their marks and the slots that they settle, all of them or none.

        Args:
            records: what one exchange brought, at least one.
            unlooked: slots among those that they settle for which a look at the meter is missing.

        Raises:
            JournalError: none was kept.
            ValueError: a record is malformed, a bug of who made it.

        """
        await self._keep(records, unlooked)

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
        encoded = judged.encode(records, now)
        since = now - timedelta(seconds=repeat_s)
        newest = self.newest_id
        insert = partial(judged.insert, boot=self.boot, records=encoded, judge=self.judge, at=now)

        def step(db: sqlite3.Connection) -> int:
            return max(insert(db), default=0) if rows.is_new_report(db, key, at=now, since=since) else 0

        return await self._writer.change(Rank.READING, step) > newest

    async def rows_after(self, last_id: int, limit: int) -> list[LogRow]:
        """The rows after ``last_id`` in order, at most ``limit``.

        Raises:
            RowUnreadable: the first of them is damaged; go on behind its ``log_id``.
            JournalError: the file cannot be read.

        """
        return await self._writer.read(lambda store: store.rows_after(last_id, limit))

    @property
    def newest_id(self) -> int:
        """Id of the newest row on disk; 0 in an empty journal."""
        return self._writer.newest_id

    async def wait_beyond(self, last_id: int) -> None:
        """Wait until a row with a greater id is on disk."""
        await self._writer.wait_beyond(last_id)

    async def kept_in(self, data_class: str, slot: datetime) -> set[tuple[str, str]]:
        """(meter, item) of the readings already kept for a slot.

        Args:
            data_class: e.g. ``instant``; records of one slot each.
            slot: aware; as in the readings.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self._writer.read(lambda store: store.kept_in(data_class, slot))

    async def kept_of_slots(
        self, data_class: str, meter: str, wanted: Mapping[datetime, Sequence[str]]
    ) -> dict[datetime, set[str]]:
        """Of each slot, which of the items wanted of a meter were kept.

        Args:
            data_class: e.g. ``curve``.
            meter: our id of it.
            wanted: items by slot; names as in the readings, no blocks.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(rows.select_kept_of_slots, data_class=data_class, meter=meter, wanted=wanted)
        return await self._writer.read(lambda store: store.look(look))

    async def values_of_freezes(
        self, data_class: str, meter: str, slots: Sequence[datetime]
    ) -> dict[datetime, dict[str, Decimal | None]]:
        """What was kept of the registers of a meter's freezes, by slot and item; the newest of each.

        Args:
            data_class: of freezes.
            meter: our id of it.
            slots: their times, as in the readings.

        Raises:
            JournalError: the file cannot be read.

        """
        wanted = {slot: Wanted([], []) for slot in slots}
        look = partial(history_rows.select, data_class=data_class, meter=meter, wanted=wanted)
        found = await self._writer.read(lambda store: store.look(look))
        return {
            slot: {item: one.same.value for item, one in history.items.items() if one.same is not None}
            for slot, history in found.items()
        }

    async def judged(self, record: Record) -> Record:
        """A record that is not kept, with the marks that it would be kept with.

        Raises:
            JournalError: the past cannot be read.

        """
        judge = self.judge
        if judge is None:
            return record
        return await self._writer.read(
            lambda store: store.look(partial(judged.marked, record=record, judge=judge))
        )

    async def judge_anew(
        self, meter: str, freezes: Sequence[tuple[str, datetime]], *, marks: Marks = OF_LOOKS
    ) -> None:
        """Judge what was kept of some freezes by what their meter shows now; other marks are kept with them.

        Args:
            meter: our id of it.
            freezes: class of data and time of each, as in the readings.
            marks: those that may be added.

        Raises:
            JournalError: nothing was changed.

        """
        judge = self.judge
        if judge is None or not freezes:
            return
        anew = partial(judged.anew, boot=self.boot, meter=meter, freezes=freezes, judge=judge, marks=marks)
        at = self._clock.utc_now()
        await self._writer.change(Rank.READING, lambda db: max(anew(db, at=at), default=0))

    async def marks_of(self, meter: str, slot: datetime) -> dict[str, Marks]:
        """The marks that hold of what was kept of a meter for a slot, by class of data.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(rows.select_marks, meter=meter, slot=slot)
        return await self._writer.read(lambda store: store.look(look))

    async def last_read_at(self, meter: str) -> datetime | None:
        """The newest slot of any reading that was kept of a meter; ``None``: there is none.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self._writer.read(
            lambda store: store.look(partial(rows.select_newest_slot, meter=meter))
        )

    async def _keep(
        self, records: Sequence[tuple[Record | Event, SlotKey | None]], without: Sequence[SlotKey] = ()
    ) -> int:
        now = self._clock.utc_now()
        encoded = judged.encode([record for record, _ in records], now)
        settled = [settles for _, settles in records if settles is not None]
        insert = partial(judged.insert, boot=self.boot, records=encoded, judge=self.judge, at=now)

        def step(db: sqlite3.Connection) -> int:
            ids = insert(db)
            for key in settled:
                ledger_rows.keep(db, key, ledger_rows.seconds(now))
            unlooked_rows.note(db, without)
            return max(ids)

        rank = Rank.OFTEN if records[0][0].data_class in READ_OFTEN else Rank.READING
        return await self._writer.change(rank, step)
