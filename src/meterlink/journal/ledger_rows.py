"""Writing the ledger's rows; each function runs in the writer's transaction.

The numbers of states stand in the SQL as literals: the index of open slots is found by them alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from meterlink.model.data_classes import DataClass
from meterlink.model.slot import (
    LOOK_OF_DAY,
    NOTE_MAX,
    PASSING,
    Reason,
    SlotKey,
    State,
    lacking,
    unlooked_note,
)

_KEEP: Final = """
    UPDATE slot SET state = 1, reason = 0, tries = tries + 1, changed_at = ?, note = NULL
    WHERE series = ? AND at = ? AND state <> 1
    """
_KEEP_PASSING: Final = """
    INSERT INTO slot VALUES (?2, ?3, 1, 0, 1, ?3, ?1, NULL)
    ON CONFLICT DO UPDATE SET state = 1, reason = 0, tries = tries + 1, changed_at = ?1, note = NULL
    WHERE state <> 1
    """
_TRY: Final = """
    UPDATE slot SET tries = tries + ?, reason = ?, changed_at = ?, note = ?
    WHERE series = ? AND at = ? AND state = 0
    """
_CLOSE: Final = """
    UPDATE slot SET state = ?, reason = ?, tries = tries + ?, changed_at = ?, note = ?
    WHERE series = ? AND at = ? AND state = 0
    """
_CLOSE_PASSING: Final = """
    INSERT INTO slot VALUES (?6, ?7, ?1, ?2, ?3, ?7, ?4, ?5)
    ON CONFLICT DO UPDATE SET state = ?1, reason = ?2, tries = tries + ?3, changed_at = ?4, note = ?5
    WHERE state = 0
    """
_ENDED: Final = """
    SELECT number, max(at) FROM series JOIN slot ON slot.series = series.number
    WHERE meter = ? AND data_class = ? AND state = 0 AND at + every_s <= ? GROUP BY number
    """

_NOBODY_ASKED: Final = (Reason.NOT_RUNNING, Reason.LINE_SLOW, Reason.NO_ROOM)
"""The gateway had its own reasons."""
_WEAKER: Final[Mapping[Reason, Collection[Reason]]] = {
    Reason.SILENT: (Reason.LINE_DOWN, *_NOBODY_ASKED),
    Reason.CLOCK_WRONG: (Reason.SILENT, Reason.LINE_DOWN, *_NOBODY_ASKED),
    Reason.NOT_TAKEN: (Reason.SILENT, Reason.LINE_DOWN, *_NOBODY_ASKED),
    Reason.LINE_DOWN: _NOBODY_ASKED,
    Reason.NO_ROOM: (Reason.LINE_DOWN, Reason.NOT_RUNNING, Reason.LINE_SLOW),
}
"""What it no longer is: whoever was not there has come back meanwhile, and found something else."""
TAKEN_AFTER: Final = timedelta(hours=6)
"""What was not taken so long ago would have been since: whoever is silent now is why it is missing."""
MADE_UP_MAX: Final = timedelta(days=31)
"""Longest stretch without the daemon whose slots are made up for, each by a row of its own."""


class Due(NamedTuple):
    """A slot that a plan brings: its second, and the second from which it is to be read."""

    at: int
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Slots of one meter and plan.

    Args:
        meter: our id of it.
        data_class: what is due.
        every_s: of the slots.
        slots: which.
        reason: why they are not read yet.

    """

    meter: str
    data_class: DataClass
    every_s: int
    slots: tuple[Due, ...]
    reason: Reason = Reason.WAITING


def series_of(db: sqlite3.Connection, meter: str, data_class: str, every_s: int) -> int | None:
    """Number of a series, if there is such."""
    row = db.execute(
        "SELECT number FROM series WHERE meter = ? AND data_class = ? AND every_s = ?",
        (meter, data_class, every_s),
    ).fetchone()
    return int(row[0]) if row else None


def plan(db: sqlite3.Connection, planned: Iterable[Planned]) -> int:
    """Open slots; those that are there already stay as they are. How many are new."""
    new = 0
    for one in planned:
        number = series_made(db, one.meter, one.data_class, one.every_s)
        new += db.executemany(
            "INSERT OR IGNORE INTO slot VALUES (?, ?, 0, ?, 0, ?, NULL, NULL)",
            ((number, at, int(one.reason), due_at) for at, due_at in one.slots),
        ).rowcount
    return new


def keep(db: sqlite3.Connection, key: SlotKey, at: int) -> None:
    """A slot is kept. One that no plan opened gets a row only where the class has no memory."""
    number = _series_for(db, key)
    if number is not None:
        statement = _KEEP_PASSING if key.data_class in PASSING else _KEEP
        db.execute(statement, (at, number, seconds(key.slot)))


def tried(
    db: sqlite3.Connection, keys: Iterable[SlotKey], reason: Reason, at: int, note: str, tries: int = 1
) -> None:
    """The meter was asked in vain; the slots stay open."""
    for key in keys:
        if (number := _series_for(db, key)) is not None:
            row = (tries, int(reason), at, noted(note), number, seconds(key.slot))
            db.execute(_TRY, row)


def close(
    db: sqlite3.Connection,
    keys: Iterable[SlotKey],
    state: State,
    reason: Reason,
    at: int,
    note: str,
    tries: int = 1,
) -> None:
    """The slots will not be kept; what is settled stays as it is."""
    for key in keys:
        if (number := _series_for(db, key)) is not None:
            statement = _CLOSE_PASSING if key.data_class in PASSING else _CLOSE
            row = (int(state), int(reason), tries, at, noted(note), number, seconds(key.slot))
            db.execute(statement, row)


def ended(db: sqlite3.Connection, whose: Iterable[tuple[str, str]], now: int) -> list[tuple[int, int]]:
    """Series of meters and classes with open slots that have ended, each with the newest of those."""
    return [
        (int(number), int(at))
        for meter, data_class in whose
        for number, at in db.execute(_ENDED, (meter, data_class, now))
    ]


def end(db: sqlite3.Connection, ended: Iterable[tuple[int, int]]) -> None:
    """Open slots of series are lost, up to one; what was said of them stays."""
    db.executemany("UPDATE slot SET state = 3 WHERE series = ? AND at <= ? AND state = 0", ended)


def lack(db: sqlite3.Connection, keys: Iterable[SlotKey], note: str) -> None:
    """Slots are kept, and some items of them are not there."""
    for key in keys:
        if (number := _series_for(db, key)) is not None:
            note_kept(db, number, seconds(key.slot), partial(_beside_look, note=note))


def note_kept(db: sqlite3.Connection, number: int, at: int, change: Callable[[str], str]) -> None:
    """Change what is noted of a slot, where it is kept."""
    row = db.execute(
        "SELECT note FROM slot WHERE series = ? AND at = ? AND state = 1", (number, at)
    ).fetchone()
    if row is not None:
        new = (noted(change(row[0] or "")), number, at)
        db.execute("UPDATE slot SET note = ? WHERE series = ? AND at = ?", new)


def _beside_look(old: str, note: str) -> str:
    """A new note of what a slot lacks; that a look is missing is not of it, and stays."""
    return unlooked_note(note) if LOOK_OF_DAY in lacking(old) else note


def lacking_slots(db: sqlite3.Connection, number: int, since: int, items: Set[str]) -> list[int]:
    """The slots of a series from a time on that are kept without some of these items."""
    query = "SELECT at, note FROM slot WHERE series = ? AND at >= ? AND state = 1 AND note IS NOT NULL"
    return [int(at) for at, note in db.execute(query, (number, since)) if lacking(note) & items]


def reopen_lacking(db: sqlite3.Connection, number: int, slots: Iterable[int]) -> int:
    """Slots that are kept without an item are due again; what was said of them stays. How many."""
    return db.executemany(
        "UPDATE slot SET state = 0, reason = ? WHERE series = ? AND at = ? AND state = 1",
        ((int(Reason.REFUSED), number, at) for at in slots),
    ).rowcount


def has_refused(db: sqlite3.Connection, number: int, since: int) -> bool:
    """Whether slots of a series from a time on stand refused."""
    query = "SELECT 1 FROM slot WHERE series = ? AND at >= ? AND state = 2 LIMIT 1"
    return db.execute(query, (number, since)).fetchone() is not None


def reopen(db: sqlite3.Connection, number: int | None, since: int) -> int:
    """The refused slots of a series from a time on are due again; what was said of them stays. How many."""
    return db.execute(
        "UPDATE slot SET state = 0 WHERE series = ? AND at >= ? AND state = 2", (number, since)
    ).rowcount


def blame(
    db: sqlite3.Connection,
    series: Iterable[int],
    reason: Reason,
    *,
    since: int,
    until: int,
    note: str,
    tries: int = 0,
) -> int:
    """Say why open slots are not read; those due in [since, until) whose reason is weaker. How many."""
    weaker = json.dumps([Reason.WAITING, *_WEAKER.get(reason, ())])
    stale = until - int(TAKEN_AFTER.total_seconds()) if reason is Reason.SILENT else 0
    said = (int(reason), noted(note), tries, until)
    return db.executemany(
        "UPDATE slot SET reason = ?, note = ?, tries = tries + ?, changed_at = ?"
        " WHERE series = ? AND state = 0 AND due_at >= ? AND due_at < ?"
        " AND (reason IN (SELECT value FROM json_each(?)) OR reason = ? AND changed_at < ?)",
        ((*said, number, since, until, weaker, int(Reason.NOT_TAKEN), stale) for number in series),
    ).rowcount


def waive(
    db: sqlite3.Connection, meter: str, reason: Reason, *, since: int, until: int, at: int, note: str
) -> int:
    """Take a meter's open slots of [since, until) out of the count. How many."""
    return db.execute(
        "UPDATE slot SET state = 4, reason = ?, changed_at = ?, note = ?"
        " WHERE series IN (SELECT number FROM series WHERE meter = ?) AND state = 0 AND at >= ? AND at < ?",
        (int(reason), at, noted(note), meter, since, until),
    ).rowcount


def live(db: sqlite3.Connection, boot: int, at: int, believed: int | None = None) -> None:
    """This start of the daemon lives, and believes it to be so late."""
    if believed is not None:
        db.execute(
            "INSERT INTO belief VALUES (?, ?) ON CONFLICT DO UPDATE SET believed_at = excluded.believed_at",
            (boot, believed),
        )
    # Its last word holds, also behind an earlier one: that was said while the clock was ahead.
    db.execute(
        "INSERT INTO life VALUES (?, ?) ON CONFLICT DO UPDATE SET alive_at = excluded.alive_at", (boot, at)
    )


def seconds(moment: datetime) -> int:
    """Whole seconds since 1970.

    Raises:
        ValueError: the time has no zone.

    """
    if moment.tzinfo is None:
        raise ValueError("a slot needs a zone")
    return int(moment.timestamp() // 1)


def moment(at: int) -> datetime:
    """Undo ``seconds``."""
    return datetime.fromtimestamp(at, UTC)


def series_made(db: sqlite3.Connection, meter: str, data_class: str, every_s: int) -> int:
    """Number of a series, which is made where there is none."""
    known = series_of(db, meter, data_class, every_s)
    if known is not None:
        return known
    cursor = db.execute(
        "INSERT INTO series (meter, data_class, every_s) VALUES (?, ?, ?)", (meter, data_class, every_s)
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _series_for(db: sqlite3.Connection, key: SlotKey) -> int | None:
    """Number of a key's series; made where rows come without a plan."""
    of = series_made if key.data_class in PASSING else series_of
    return of(db, key.meter, key.data_class, key.every_s)


def noted(note: str) -> str | None:
    """A note as it is kept: short, and text that is Unicode; a lone surrogate would fail the transaction."""
    return note[:NOTE_MAX].encode(errors="backslashreplace").decode() or None
