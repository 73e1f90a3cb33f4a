"""Events and their rows, both ways. Times as microseconds, decimals as the text of their digits."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from meterlink.journal.cells import instant, micros, text
from meterlink.model.event import (
    NUMBER,
    TEXT_MAX,
    VALUES_MAX,
    WHOSE,
    Event,
    EventContent,
    EventValue,
    Fate,
    Telling,
    fate,
)

KIND: Final = "event"
"""Kind of the log's row."""

_TELLINGS: Final = """
    SELECT log_id, ended_at IS NOT NULL,
           (SELECT content FROM event_value AS v
            WHERE v.log_id = event.log_id AND item = ? AND type = 'number'),
           (SELECT content FROM event_value AS v WHERE v.log_id = event.log_id AND item = ?)
    FROM event WHERE meter = ? AND kind = ? AND occurred_at = ?
    """

Head = tuple[str, str, str, int | None, int | None, int, str, str]
"""meter, key, kind, occurred_at, ended_at, taken_at, route, source."""


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event as SQLite takes it: everything that can be wrong with it was found before the transaction.

    ``telling`` is that of an event with an identity of its own.
    """

    log_head: tuple[int, str, str, int]
    head: Head
    values: tuple[tuple[int, str, str, str, str], ...]
    telling: Telling | None


def encode(event: Event, kept_at: datetime) -> EncodedEvent:
    """Turn an event into values of SQLite.

    Raises:
        ValueError: too much of it, a time without zone, a number that is none, text that is not Unicode:
            whoever made the event has a bug.

    """
    if len(event.values) > VALUES_MAX:
        raise ValueError(f"an event of {len(event.values)} values: {VALUES_MAX} are allowed")
    head = (
        text(event.meter),
        event.key,
        text(event.kind),
        None if event.occurred_at is None else micros(event.occurred_at),
        None if event.ended_at is None else micros(event.ended_at),
        micros(event.taken_at),
        text(event.route),
        text(event.source),
    )
    log_head = (micros(kept_at), event.meter, event.data_class, micros(event.at))
    values = tuple(
        (n, text(value.item), *_content_out(value), text(value.unit)) for n, value in enumerate(event.values)
    )
    return EncodedEvent(log_head, head, values, event.telling if event.is_record else None)


def insert(db: sqlite3.Connection, boot: int, event: EncodedEvent) -> tuple[int, bool]:
    """Append an event, unless it is there; its log id, and whether it is new. In the writer's transaction."""
    known = _known_by_key(db, event) or _known_by_identity(db, event)
    if known:
        return known, False
    log_id = db.execute(
        "INSERT INTO log (boot, kind, kept_at, meter, data_class, slot) VALUES (?, ?, ?, ?, ?, ?)",
        (boot, KIND, *event.log_head),
    ).lastrowid
    assert log_id is not None
    db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (log_id, *event.head))
    db.executemany(
        "INSERT INTO event_value VALUES (?, ?, ?, ?, ?, ?)", [(log_id, *value) for value in event.values]
    )
    return log_id, True


def _known_by_key(db: sqlite3.Connection, event: EncodedEvent) -> int:
    """The log id of an event that was told in the same words; 0: there is none."""
    known = db.execute("SELECT log_id FROM event WHERE meter = ? AND key = ?", event.head[:2]).fetchone()
    return 0 if known is None else int(known[0])


def _known_by_identity(db: sqlite3.Connection, event: EncodedEvent) -> int:
    """The newest log id of an event that needs no further row; 0: this one is to be kept."""
    if event.telling is None:
        return 0
    meter, _, kind, occurred_at, *_ = event.head
    rows = db.execute(_TELLINGS, (NUMBER, WHOSE, meter, kind, occurred_at))
    kept = [(int(log_id), _telling(is_over, number, whose)) for log_id, is_over, number, whose in rows]
    if fate((telling for _, telling in kept), event.telling) is not Fate.KNOWN:
        return 0
    return max(log_id for log_id, telling in kept if telling.is_of(event.telling))


def _telling(is_over: int, number: str | None, whose: str | None) -> Telling:
    return Telling(None if number is None else int(Decimal(number)), whose or "", is_over=bool(is_over))


def select_between(db: sqlite3.Connection, first_id: int, last_id: int) -> dict[int, list[tuple[Any, ...]]]:
    """By log id, the row of each event and then those of its values."""
    found = {
        row[0]: [row[1:]]
        for row in db.execute(
            "SELECT log_id, meter, kind, occurred_at, ended_at, taken_at, route, source FROM event"
            " WHERE log_id BETWEEN ? AND ?",
            (first_id, last_id),
        )
    }
    for row in db.execute(
        "SELECT log_id, item, type, content, unit FROM event_value"
        " WHERE log_id BETWEEN ? AND ? ORDER BY log_id, n",
        (first_id, last_id),
    ):
        found[row[0]].append(row[1:])
    return found


def decode(rows: list[tuple[Any, ...]]) -> Event:
    """The event of its rows.

    Raises:
        ValueError, ArithmeticError: they cannot be read.

    """
    if not rows:
        raise ValueError("it has no event")
    (meter, kind, occurred_at, ended_at, taken_at, route, source), *values = rows
    return Event(
        meter=meter,
        kind=kind,
        occurred_at=None if occurred_at is None else instant(occurred_at),
        ended_at=None if ended_at is None else instant(ended_at),
        values=tuple(
            EventValue(item=item, content=_content_in(of, content), unit=unit)
            for item, of, content, unit in values
        ),
        taken_at=instant(taken_at),
        route=route,
        source=source,
    )


def _content_out(value: EventValue) -> tuple[str, str]:
    match value.content:
        case Decimal():
            if not value.content.is_finite():
                raise ValueError(f"{value.item}: {value.content} is no number")
            return "number", str(value.content)
        case datetime():
            return "time", str(micros(value.content))
        case _:
            if len(value.content) > TEXT_MAX:
                raise ValueError(f"{value.item}: a text of {len(value.content)} characters")
            return "text", text(value.content)


def _content_in(of: str, content: str) -> EventContent:
    match of:
        case "number":
            return Decimal(content)
        case "time":
            return instant(int(content))
        case _:
            return content
