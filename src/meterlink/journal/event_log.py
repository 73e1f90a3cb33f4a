"""Events out of meters' memories, kept together with how far each kind was read; and events as people look.

An event and the mark behind it are one transaction: after a crash nothing is read twice into the log, and
nothing is passed over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from meterlink.clock import Clock
from meterlink.journal import event_rows
from meterlink.journal.acts import Read
from meterlink.journal.cells import micros
from meterlink.journal.store import Step
from meterlink.model.event import Event
from meterlink.model.event_mark import EventMark

LOOK_MAX: Final = 10_000
"""Events that one look brings, at most."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """The events of one journal; ``Journal.events``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        read: looks into the file.
        clock: gives ``kept_at``.
        boot: number of the daemon's start.

    """

    change: Callable[[Step], Awaitable[int]]
    read: Read
    clock: Clock
    boot: Callable[[], int]

    async def marks(self, meter: str) -> dict[str, EventMark]:
        """By kind, up to where a meter's events were read.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(partial(select_marks, meter=meter)))

    async def keep(self, meter: str, events: Sequence[Event], marks: Mapping[str, EventMark]) -> None:
        """Keep events that are not known, and how far their kinds have been read; all of it or nothing.

        Args:
            meter: our id of it.
            events: of that meter, oldest first.
            marks: by kind.

        Raises:
            JournalError: nothing was kept.
            ValueError: an event is malformed, a bug of who made it.

        """
        now = self.clock.utc_now()
        encoded = [event_rows.encode(event, now) for event in events]

        def step(db: sqlite3.Connection) -> int:
            newest = 0
            for event in encoded:
                newest = max(newest, event_rows.insert(db, self.boot(), event)[0])
            db.executemany(_MARK, [_mark_out(meter, kind, marks[kind], now) for kind in marks])
            return newest

        await self.change(step)


_MARK: Final = """
    INSERT INTO event_mark VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET device = excluded.device, counted = excluded.counted,
                              lasting = excluded.lasting, seen_at = excluded.seen_at
    """


def select_marks(db: sqlite3.Connection, meter: str) -> dict[str, EventMark]:
    """By kind, the marks of a meter."""
    rows = db.execute("SELECT kind, device, counted, lasting FROM event_mark WHERE meter = ?", (meter,))
    return {
        kind: EventMark(device=device, counted=counted, lasting=lasting)
        for kind, device, counted, lasting in rows
    }


def select_events(
    db: sqlite3.Connection, *, meter: str = "", kind: str = "", since: datetime | None = None, limit: int
) -> list[Event]:
    """The newest events, in the order of their times; what completes one stands as a row of its own.

    Args:
        db: the file.
        meter: of which; empty: of all.
        kind: with or without part; empty: all.
        since: not earlier than this; aware.
        limit: at most so many, up to ``LOOK_MAX``.

    """
    found = db.execute(
        """
        SELECT log_id FROM event
        WHERE (?1 = '' OR meter = ?1)
          AND (?2 = '' OR kind = ?2 OR kind GLOB ?2 || '.[abc]' OR kind GLOB ?2 || '@quadrant.[1-4]')
          AND coalesce(occurred_at, taken_at) >= ?3
        ORDER BY coalesce(occurred_at, taken_at) DESC, log_id DESC LIMIT ?4
        """,
        (meter, kind, 0 if since is None else micros(since), min(limit, LOOK_MAX)),
    )
    ids = [int(log_id) for (log_id,) in found]
    return [event_rows.decode(event_rows.select_between(db, one, one)[one]) for one in reversed(ids)]


def _mark_out(
    meter: str, kind: str, mark: EventMark, at: datetime
) -> tuple[str, str, str, int, int | None, int]:
    return meter, kind, mark.device, mark.counted, mark.lasting, micros(at)
