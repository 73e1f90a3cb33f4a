"""What was kept of one meter around a slot, out of the file: what a new reading of it is judged by.

Freezes are found by an index of their own, night by night; other readings by their keys, the nearest one.
Each look is bounded, and a row that cannot be read is passed over: a month's history does not end at it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from meterlink.journal.cells import instant, micros
from meterlink.model.data_classes import DAILY_FREEZE, MONTHLY_FREEZE
from meterlink.model.history import PAST_MAX, History, ItemHistory, Told
from meterlink.model.marks import UNUSABLE, Marks
from meterlink.model.reading import Reading

FREEZES: Final = (DAILY_FREEZE, MONTHLY_FREEZE)
HEADS_MAX: Final = 4 * PAST_MAX
"""Records that are looked at on either side: the items of a night may have come in several."""
WALK_MAX: Final = 200
"""Readings of one item that are passed by in search of one of the same class; among values of the moment
there are few others."""
EXCHANGES_MAX: Final = 10
"""Exchanges of one meter that are looked at; it takes part in two, when it comes and when it goes."""

# The list of classes stands in the query, so that SQLite sees that the index holds all that is asked for.
_OF_FREEZES: Final = """
    SELECT reading.meter, item, value, unit, reading.slot, taken_at, marks, route, log_id FROM (
        SELECT id FROM log
        WHERE meter = :meter AND data_class = :data_class
        AND data_class IN ('daily_freeze', 'monthly_freeze') AND slot {side} :slot
        ORDER BY slot {order}, id DESC LIMIT :heads
    ) AS head JOIN reading ON reading.log_id = head.id
    """
_BEFORE: Final = _OF_FREEZES.format(side="<", order="DESC")
_AT: Final = _OF_FREEZES.format(side="=", order="DESC")
_BEHIND: Final = _OF_FREEZES.format(side=">", order="ASC")
_NEAREST: Final = """
    SELECT reading.meter, item, value, unit, reading.slot, taken_at, marks, route, log_id FROM (
        SELECT * FROM reading WHERE meter = :meter AND item = :item AND slot {side} :slot
        ORDER BY slot {order}, log_id DESC LIMIT :walk
    ) AS reading JOIN log ON log.id = log_id
    WHERE log.data_class = :data_class AND {which}
    ORDER BY reading.slot {order}, log_id DESC LIMIT 1
    """
_UNUSABLE: Final = int(UNUSABLE)
_SOUND: Final = f"value IS NOT NULL AND marks & {_UNUSABLE} = 0"
_NEAREST_BEFORE: Final = _NEAREST.format(side="<", order="DESC", which=_SOUND)
_NEAREST_BEHIND: Final = _NEAREST.format(side=">", order="ASC", which=_SOUND)
_THE_SAME: Final = _NEAREST.format(side="=", order="DESC", which="TRUE")
_EXCHANGES: Final = """
    SELECT body FROM roster_change
    JOIN act ON topic = 'roster' AND subject = 'roster' AND step = revision
    WHERE roster_change.meter = ? AND verb = 'exchange' ORDER BY revision DESC LIMIT ?
    """

Row = tuple[Any, ...]
_ITEM, _VALUE, _SLOT, _MARKS, _LOG_ID = 1, 2, 4, 6, 8
"""Places in a row."""


def select(
    db: sqlite3.Connection, data_class: str, meter: str, wanted: Mapping[datetime, Sequence[str]]
) -> dict[datetime, History]:
    """Of each slot, what was kept of a meter around it.

    Args:
        db: the file.
        data_class: of the readings.
        meter: our id of it.
        wanted: items by slot, of which to know; of freezes those that were kept of the slot come beside.

    """
    find = _freezes if data_class in FREEZES else _others
    told = exchanges(db, meter)

    def history(slot: datetime, items: Sequence[str]) -> History:
        asked = {"meter": meter, "data_class": data_class, "slot": micros(slot)}
        return History(items=find(db, asked, items), exchanges=told)

    return {slot: history(slot, items) for slot, items in wanted.items()}


def _freezes(
    db: sqlite3.Connection, asked: Mapping[str, Any], items: Sequence[str]
) -> dict[str, ItemHistory]:
    def look(query: str) -> list[Row]:
        return db.execute(query, {**asked, "heads": HEADS_MAX}).fetchall()

    at = asked["slot"]  # records are of one slot each; of one that is not, the newest slot stands in its head
    past = _by_item(row for row in look(_BEFORE) if _is_sound(row))
    same = _by_item(row for row in look(_AT) if row[_SLOT] == at)
    later = _by_item(row for row in look(_BEHIND) if _is_sound(row) and row[_SLOT] > at)
    return {
        item: ItemHistory(
            past=tuple(_readings(past.get(item, ())[:PAST_MAX])),
            same=next(_readings(same.get(item, ())), None),
            later=next(_readings(reversed(later.get(item, ()))), None),
        )
        for item in {*items, *same}
    }


def _others(db: sqlite3.Connection, asked: Mapping[str, Any], items: Sequence[str]) -> dict[str, ItemHistory]:
    def look(query: str, item: str) -> Reading | None:
        return next(_readings(db.execute(query, {**asked, "item": item, "walk": WALK_MAX})), None)

    def history(item: str) -> ItemHistory:
        before = look(_NEAREST_BEFORE, item)
        past = () if before is None else (before,)
        return ItemHistory(past=past, same=look(_THE_SAME, item), later=look(_NEAREST_BEHIND, item))

    return {item: history(item) for item in items}


def _by_item(found: Iterable[Row]) -> dict[str, list[Row]]:
    """By item, newest slot first; of a slot what was kept last."""
    newest: dict[str, dict[int, Row]] = {}
    for row in sorted(found, key=itemgetter(_LOG_ID)):
        newest.setdefault(row[_ITEM], {})[row[_SLOT]] = row
    return {item: [of[slot] for slot in sorted(of, reverse=True)] for item, of in newest.items()}


def _is_sound(row: Row) -> bool:
    return row[_VALUE] is not None and not row[_MARKS] & _UNUSABLE


def _readings(rows: Iterable[Row]) -> Iterator[Reading]:
    """Of each row that can be read."""
    for row in rows:
        try:
            yield _reading(row)
        except (ValueError, TypeError, ArithmeticError):
            continue


def _reading(row: Row) -> Reading:
    meter, item, value, unit, slot, taken_at, marks, route, _ = row
    return Reading(
        meter=meter,
        item=item,
        value=None if value is None else Decimal(value),
        unit=unit,
        slot=instant(slot),
        taken_at=instant(taken_at),
        marks=Marks(marks),
        route=route,
    )


def exchanges(db: sqlite3.Connection, meter: str) -> tuple[Told, ...]:
    """What was told of the exchanges of a meter, oldest first."""
    found = []
    for (body,) in db.execute(_EXCHANGES, (meter, EXCHANGES_MAX)):
        try:
            found.append(_told(json.loads(body), meter))
        except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError):
            continue  # the chain of acts shows such damage; readings are judged without it
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.at))


def _told(body: Mapping[str, Any], meter: str) -> Told | None:
    if body["new"] == meter:
        at, registers = body["installed_at"], body["first"]
    elif body["old"] == meter:
        at, registers = body["removed_at"], body["last"]
    else:
        return None
    return Told(
        at=datetime.fromisoformat(at), registers={item: Decimal(value) for item, value in registers.items()}
    )
