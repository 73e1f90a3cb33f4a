"""Keeping records with their marks: they are judged in the transaction that keeps them.

So nobody who brings readings can go past the judge, two who bring readings of one meter at once see each
other's, and a correction of a later reading is there exactly when what it comes from is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from meterlink.journal import history_rows, rows
from meterlink.journal.rows import Encoded
from meterlink.model.event import Event
from meterlink.model.history import History, Judged, Past, Wanted
from meterlink.model.marks import OF_LOOKS, Marks
from meterlink.model.reading import Record

Judge = Callable[[Sequence[Record], Past], Judged]
"""Gives records their marks, by what was kept; it runs in a transaction and waits for nothing."""
Pending = Sequence[tuple[Record | Event, Encoded]]
"""Records and events, and what SQLite takes of them before they are judged."""

_NONE: Final[Mapping[int, Record]] = {}

_log = structlog.get_logger(__name__)


def encode(records: Sequence[Record | Event], at: datetime) -> Pending:
    """Records and events as SQLite takes them.

    Raises:
        ValueError: one is malformed, a bug of who made it.

    """
    return [(record, rows.encode(record, at)) for record in records]


def insert(
    db: sqlite3.Connection, *, boot: int, records: Pending, judge: Judge | None, at: datetime
) -> list[int]:
    """Append records with their marks, behind what they correct, and events; their ids. In the transaction.

    Args:
        db: the writer's.
        boot: number of the start.
        records: what is kept together.
        judge: marks them; ``None``: nobody does.
        at: now.

    """
    found = _NONE if judge is None else _marked(db, boot, records, judge, at)
    return [
        rows.insert(db, boot, rows.encode(found[number], at) if number in found else encoded)
        for number, (_, encoded) in enumerate(records)
    ]


def marked(db: sqlite3.Connection, record: Record, judge: Judge) -> Record:
    """A record that is not kept, with the marks that it would be kept with."""
    return judge([record], partial(history_rows.select, db)).records[0]


def anew(
    db: sqlite3.Connection,
    *,
    boot: int,
    meter: str,
    freezes: Iterable[tuple[str, datetime]],
    judge: Judge,
    at: datetime,
    marks: Marks = OF_LOOKS,
) -> list[int]:
    """Judge kept freezes by what their meter shows by now, and keep those again that get a mark of that.

    Args:
        db: the writer's.
        boot: number of the start.
        meter: our id of it.
        freezes: class of data and slot of each.
        judge: marks them.
        at: now.
        marks: those that it may add.

    Returns:
        The ids of what was appended.

    """
    found: list[int] = []
    for data_class, slot in freezes:
        kept = history_rows.select(db, data_class, meter, {slot: Wanted([], [])})[slot]
        readings = [one.same for one in kept.items.values() if one.same is not None]
        if not readings:
            continue
        record = Record(meter=meter, data_class=data_class, readings=tuple(readings))
        again = judge([record], partial(_as_if_new, db)).records[0]
        changed = tuple(
            replace(old, marks=old.marks | new.marks & marks | Marks.RESTATED)
            for old, new in zip(readings, again.readings, strict=True)
            if new.marks & marks & ~old.marks
        )
        if changed:
            found.append(rows.insert(db, boot, rows.encode(replace(record, readings=changed), at)))
    return found


def _as_if_new(
    db: sqlite3.Connection, data_class: str, meter: str, wanted: Mapping[datetime, Wanted]
) -> dict[datetime, History]:
    """What was kept around some slots, without what was kept of them: what is judged anew is no duplicate."""
    found = history_rows.select(db, data_class, meter, wanted)
    return {
        slot: replace(history, items={item: replace(one, same=None) for item, one in history.items.items()})
        for slot, history in found.items()
    }


def _marked(
    db: sqlite3.Connection, boot: int, records: Pending, judge: Judge, at: datetime
) -> dict[int, Record]:
    """The records that got marks, by their place; what they show in another light is kept anew here."""
    given = {number: one for number, (one, _) in enumerate(records) if isinstance(one, Record)}
    if not given:
        return {}
    try:
        found = judge(list(given.values()), partial(history_rows.select, db))
    except sqlite3.Error:
        raise
    except Exception:  # noqa: BLE001  (a fault in judging costs the marks, and not the readings)
        _log.exception("judging_failed", meters=sorted({one.meter for one in given.values()}))
        return {}
    for restated in found.restated:
        rows.insert(db, boot, rows.encode(restated, at))
    return {
        number: judged
        for (number, one), judged in zip(given.items(), found.records, strict=True)
        if judged is not one
    }
