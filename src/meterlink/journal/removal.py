"""Taking rows out of the log: by age behind every cursor, or to make room; a few in a transaction.

Which rows may go at all is said by the schema (``0006_retention.sql``), which aborts whatever asks for more.
The steps here ask for no more, because an abort would take the whole group of changes along.
What makes room before every sink has it is not kept any more: the ledger says so (``shed_slots``).
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meterlink.journal import shed_slots
from meterlink.journal.cells import instant, micros, seconds_of

ROWS_AT_ONCE: Final = 50
"""Rows of the log in one transaction, each with its readings: nobody waits longer than for those."""
LOOKS_AT_ONCE: Final = 500
"""Rows that are looked at for that: those that must stay are passed by in steps as well."""
AGEING: Final = ("instant", "curve", "status", "event")
"""Classes of which old rows go once every sink has them."""
SHED: Final = ("instant", "curve")
"""Classes of which there will be others, and which make room for the rest."""

Place = tuple[int, int]
"""Slot and id of a row: where a walk along a class has come to."""
FIRST: Final[Place] = (-(2**63), 0)

_OLDEST: Final = """
    SELECT id, kept_at, slot FROM log WHERE data_class = ? AND (slot, id) > (?, ?) AND slot < ?
    ORDER BY slot, id LIMIT ?
    """
_NEWEST: Final = "SELECT coalesce(max(id), 0) FROM log"
_BEHIND_ALL: Final = "SELECT coalesce(min(last_id), 0) FROM sink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Rows that were taken out since the journal was made.

    Args:
        data_class: of them.
        reason: ``age``, or ``room``.
        rows: of the log.
        last_slot: the newest slot among them.
        last_at: when it was done last.

    """

    data_class: str
    reason: str
    rows: int
    last_slot: datetime
    last_at: datetime


@dataclass(slots=True)
class Swath:
    """What one transaction takes out, and found.

    Attributes:
        rows: that went.
        place: up to where the class was looked at; ``None``: to its end.

    """

    rows: int = 0
    place: Place | None = None


def remove_aged(
    db: sqlite3.Connection,
    swath: Swath,
    *,
    data_class: str,
    after: Place,
    before: datetime,
    floor: int,
    at: datetime,
) -> None:
    """Take out rows of a class that are old in slot and in keeping. In the writer's transaction.

    Args:
        db: the writer's.
        swath: is told what went.
        data_class: one of ``AGEING``.
        after: where to go on.
        before: older than this goes.
        floor: up to where whoever has no cursor has everything.
        at: now.

    """
    floor = min(floor, *_one(db, _BEHIND_ALL), _one(db, _NEWEST)[0] - 1)
    limit = micros(before)
    seen = db.execute(_OLDEST, (data_class, *after, limit, LOOKS_AT_ONCE)).fetchall()
    going: list[tuple[int, int]] = []
    for log_id, kept_at, slot in seen:
        if log_id <= floor and kept_at < limit:
            going.append((log_id, slot))
        swath.place = (slot, log_id)
        if len(going) == ROWS_AT_ONCE:
            break
    else:
        if len(seen) < LOOKS_AT_ONCE:
            swath.place = None
    swath.rows = _remove(db, {data_class: going}, "age", at)


def remove_oldest(db: sqlite3.Connection, swath: Swath, *, at: datetime) -> None:
    """Take out the oldest of what there will be others of, to make room. In the writer's transaction."""
    (newest,) = _one(db, _NEWEST)
    oldest = sorted(
        (slot, log_id, data_class)
        for data_class in SHED
        for log_id, _, slot in db.execute(_OLDEST, (data_class, *FIRST, 2**63 - 1, ROWS_AT_ONCE))
        if log_id < newest
    )
    going: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for slot, log_id, data_class in oldest[:ROWS_AT_ONCE]:
        going[data_class].append((log_id, slot))
    (behind_all,) = _one(db, _BEHIND_ALL)
    ids = [log_id for rows in going.values() for log_id, _ in rows]
    slots = shed_slots.slots_of(db, [log_id for log_id in ids if log_id > behind_all], ids)
    swath.rows = _remove(db, going, "room", at)
    shed_slots.settle(db, slots, seconds_of(micros(at)))


def removed(db: sqlite3.Connection) -> tuple[Removed, ...]:
    """What was taken out since the journal was made."""
    found = db.execute("SELECT data_class, reason, rows, last_slot, last_at FROM removed ORDER BY 1, 2")
    return tuple(
        Removed(data_class=name, reason=reason, rows=count, last_slot=instant(slot), last_at=instant(at))
        for name, reason, count, slot, at in found
    )


def _remove(
    db: sqlite3.Connection, going: dict[str, list[tuple[int, int]]], reason: str, at: datetime
) -> int:
    ids = json.dumps([log_id for rows in going.values() for log_id, _ in rows])
    if ids == "[]":
        return 0
    db.execute("INSERT INTO removing SELECT value, ? FROM json_each(?)", (reason, ids))
    db.execute("DELETE FROM reading WHERE log_id IN (SELECT value FROM json_each(?))", (ids,))
    db.execute("DELETE FROM event_value WHERE log_id IN (SELECT value FROM json_each(?))", (ids,))
    db.execute("DELETE FROM event WHERE log_id IN (SELECT value FROM json_each(?))", (ids,))
    db.execute("DELETE FROM log WHERE id IN (SELECT value FROM json_each(?))", (ids,))
    db.execute("DELETE FROM removing")
    db.executemany(
        "INSERT INTO removed VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows,"
        " last_slot = max(last_slot, excluded.last_slot), last_at = excluded.last_at",
        _counted(going, reason, micros(at)),
    )
    return sum(map(len, going.values()))


def _counted(
    going: dict[str, list[tuple[int, int]]], reason: str, at: int
) -> Iterable[tuple[str, str, int, int, int]]:
    for data_class, rows in going.items():
        yield data_class, reason, len(rows), max(slot for _, slot in rows), at


def _one(db: sqlite3.Connection, query: str) -> tuple[int]:
    (value,) = db.execute(query).fetchone()
    return (int(value),)
