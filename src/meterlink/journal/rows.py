"""The log and its records, both ways: times as microseconds, decimals as the text of their digits.

A row of the log is a record of readings, an event, which ``event_rows`` knows, or an act, of ``act_rows``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meterlink.errors import RowUnreadable
from meterlink.journal import act_rows, event_rows
from meterlink.journal.cells import instant, micros, reading_of, text
from meterlink.journal.event_rows import EncodedEvent
from meterlink.model.act import KeptAct
from meterlink.model.event import Event
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import LogRow, Reading, Record

KIND = "reading"


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A record as SQLite takes it: everything that can be wrong with it was found before the transaction."""

    head: tuple[int, str, str, int]
    readings: tuple[tuple[int | str | None, ...], ...]


Encoded = EncodedRecord | EncodedEvent


def encode(record: Record | Event, kept_at: datetime) -> Encoded:
    """Turn a record or an event into values of SQLite.

    Raises:
        ValueError: no readings, another meter among them, a time without zone, a value that is no number,
            text that is not Unicode: whoever made the record has a bug.

    """
    if isinstance(record, Event):
        return event_rows.encode(record, kept_at)
    if not record.readings:
        raise ValueError("a record needs at least one reading")
    readings = tuple(_reading_out(record.meter, n, reading) for n, reading in enumerate(record.readings))
    newest = max(micros(reading.slot) for reading in record.readings)
    head = (micros(kept_at), text(record.meter), text(record.data_class), newest)
    return EncodedRecord(head, readings)


def insert(db: sqlite3.Connection, boot: int, record: Encoded) -> int:
    """Append a record or event; its log id: of an event that is there, the one it has. In the transaction."""
    if isinstance(record, EncodedEvent):
        return event_rows.insert(db, boot, record)[0]
    return _insert_record(db, boot, record)


def is_new_report(db: sqlite3.Connection, key: str, *, at: datetime, since: datetime) -> bool:
    """Note that a report is being kept; ``False``: it was kept before. In the transaction.

    Args:
        db: the writer's.
        key: what makes it the same report.
        at: now.
        since: reports before this are forgotten.

    """
    ahead = at + (at - since)  # kept while the clock was ahead: not lately
    db.execute("DELETE FROM report WHERE kept_at < ? OR kept_at > ?", (micros(since), micros(ahead)))
    if db.execute("SELECT 1 FROM report WHERE key = ?", (key,)).fetchone():
        return False
    db.execute("INSERT INTO report VALUES (?, ?)", (key, micros(at)))
    return True


def _insert_record(db: sqlite3.Connection, boot: int, record: EncodedRecord) -> int:
    cursor = db.execute(
        "INSERT INTO log (boot, kind, kept_at, meter, data_class, slot) VALUES (?, ?, ?, ?, ?, ?)",
        (boot, KIND, *record.head),
    )
    log_id = cursor.lastrowid
    assert log_id is not None
    db.executemany(
        "INSERT INTO reading (log_id, n, meter, item, value, unit, slot, taken_at, marks, route)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(log_id, *reading) for reading in record.readings],
    )
    return log_id


def select_after(db: sqlite3.Connection, last_id: int, limit: int) -> list[LogRow]:
    """The next rows of the log, in order, at most ``limit``; it ends before a row that cannot be read.

    Raises:
        RowUnreadable: the first of them cannot be read.

    """
    heads = db.execute(
        "SELECT id, kind, boot, kept_at, meter, data_class FROM log WHERE id > ? ORDER BY id LIMIT ?",
        (last_id, limit),
    ).fetchall()
    if not heads:
        return []
    first, last = heads[0][0], heads[-1][0]
    parts: dict[int, list[tuple[Any, ...]]] = {head[0]: [] for head in heads}
    if any(head[1] == event_rows.KIND for head in heads):
        parts |= event_rows.select_between(db, first, last)
    if any(head[1] == act_rows.KIND for head in heads):
        parts |= act_rows.select_between(db, first, last)
    for row in db.execute(
        "SELECT log_id, item, value, unit, slot, taken_at, marks, route FROM reading"
        " WHERE log_id BETWEEN ? AND ? ORDER BY log_id, n",
        (first, last),
    ):
        parts[row[0]].append(row[1:])
    found: list[LogRow] = []
    for head in heads:
        try:
            found.append(_log_row(head, parts[head[0]]))
        except RowUnreadable:
            if not found:
                raise
            break
    return found


def select_kept_in(db: sqlite3.Connection, data_class: str, slot: datetime) -> set[tuple[str, str]]:
    """(meter, item) of the readings of a slot."""
    found = db.execute(
        """
        SELECT DISTINCT reading.meter, reading.item FROM log JOIN reading ON reading.log_id = log.id
        WHERE log.data_class = ?1 AND log.slot = ?2 AND reading.slot = ?2
        """,
        (data_class, micros(slot)),
    )
    return set(found)


def select_kept_of(
    db: sqlite3.Connection, data_class: str, meter: str, slot: datetime, items: Iterable[str]
) -> set[str]:
    """Which of a meter's items were kept for a slot; one look into the index of keys for each."""
    found = """
        SELECT EXISTS (
            SELECT 1 FROM reading JOIN log ON log.id = reading.log_id
            WHERE reading.meter = ? AND reading.item = ? AND reading.slot = ? AND log.data_class = ?
        )
        """
    at = micros(slot)
    return {item for item in items if db.execute(found, (meter, item, at, data_class)).fetchone()[0]}


def select_kept_of_slots(
    db: sqlite3.Connection, data_class: str, meter: str, wanted: Mapping[datetime, Iterable[str]]
) -> dict[datetime, set[str]]:
    """Of each slot, which of the items wanted were kept; one look into the index of keys for each."""
    return {slot: select_kept_of(db, data_class, meter, slot, items) for slot, items in wanted.items()}


def select_marks(db: sqlite3.Connection, meter: str, slot: datetime) -> dict[str, Marks]:
    """The marks that hold of what was kept of a meter for a slot, by class of data; all items together."""
    found = """
        WITH RECURSIVE of (item) AS (
            SELECT MIN(item) FROM reading WHERE meter = :meter
            UNION ALL
            SELECT (SELECT MIN(item) FROM reading WHERE meter = :meter AND item > of.item)
            FROM of WHERE of.item IS NOT NULL
        )
        SELECT data_class, reading.item, marks FROM of
        CROSS JOIN reading ON reading.meter = :meter AND reading.item = of.item AND reading.slot = :slot
        CROSS JOIN log ON log.id = log_id ORDER BY log_id
        """
    newest = {
        (data_class, item): marks
        for data_class, item, marks in db.execute(found, {"meter": meter, "slot": micros(slot)})
    }
    together: dict[str, Marks] = {}
    for (data_class, _), marks in newest.items():
        together[data_class] = together.get(data_class, NO_MARKS) | Marks(marks)
    return together


def select_newest_slot(db: sqlite3.Connection, meter: str) -> datetime | None:
    """The newest slot of any reading of a meter; one look into the index of keys for each of its items."""
    found = """
        WITH RECURSIVE of (item) AS (
            SELECT MIN(item) FROM reading WHERE meter = :meter
            UNION ALL
            SELECT (SELECT MIN(item) FROM reading WHERE meter = :meter AND item > of.item)
            FROM of WHERE of.item IS NOT NULL
        )
        SELECT MAX((SELECT MAX(slot) FROM reading WHERE meter = :meter AND reading.item = of.item)) FROM of
        """
    (slot,) = db.execute(found, {"meter": meter}).fetchone()
    return None if slot is None else instant(slot)


def _reading_out(meter: str, n: int, reading: Reading) -> tuple[int | str | None, ...]:
    if reading.meter != meter:
        raise ValueError(f"a record of meter {meter!r} holds a reading of {reading.meter!r}")
    if reading.value is not None and not reading.value.is_finite():
        raise ValueError(f"{reading.item}: {reading.value} is no number")
    return (
        n,
        meter,
        text(reading.item),
        None if reading.value is None else str(reading.value),
        text(reading.unit),
        micros(reading.slot),
        micros(reading.taken_at),
        int(reading.marks),
        text(reading.route),
    )


def _log_row(head: tuple[int, str, int, int, str, str], parts: list[tuple[Any, ...]]) -> LogRow:
    log_id, kind, boot, kept_at, meter, data_class = head
    try:
        record: Record | Event | KeptAct
        match kind:
            case act_rows.KIND:
                record = act_rows.decode(parts)
            case event_rows.KIND:
                record = event_rows.decode(parts)
            case _ if kind == KIND:
                record = _record(meter, data_class, parts)
            case _:
                raise ValueError(f"rows of kind {kind!r} are not known here")
        return LogRow(id=log_id, boot=boot, kept_at=instant(kept_at), record=record)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise RowUnreadable(f"row {log_id} of the log cannot be read: {error}", log_id=log_id) from error


def _record(meter: str, data_class: str, rows: list[tuple[Any, ...]]) -> Record:
    readings = tuple(_reading_in(meter, row) for row in rows)
    if not readings:
        raise ValueError("it has no readings")
    return Record(meter=meter, data_class=data_class, readings=readings)


def _reading_in(meter: str, row: tuple[Any, ...]) -> Reading:
    item, value, unit, slot, taken_at, marks, route = row
    return reading_of(meter, item, value, unit, slot=slot, taken_at=taken_at, marks=marks, route=route)
