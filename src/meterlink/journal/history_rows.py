"""What was kept of one meter around a slot, out of the file: what a new reading of it is judged by.

Freezes are found by an index of their own, night by night; other readings by their keys, the nearest one.
Each look is bounded, and a row that cannot be read is passed over: a month's history does not end at it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from meterlink.journal.cells import instant, micros, reading_of
from meterlink.model.data_classes import DAILY_FREEZE, FREEZES, INSTANT
from meterlink.model.history import PAST_MAX, History, ItemHistory, Shown, Told, Wanted
from meterlink.model.marks import UNUSABLE
from meterlink.model.reading import Reading

HEADS_MAX: Final = 4 * PAST_MAX
"""Records that are looked at on either side: the items of a night may have come in several."""
WALK_MAX: Final = 200
"""Readings of one item that are passed by in search of one of the same class; among values of the moment
there are few others."""
EXCHANGES_MAX: Final = 30
"""Exchanges of one meter, times at which its ratio changed or it was taken out, and corrections of what was
told of them, that are looked at; it takes part in two exchanges, when it comes and when it goes."""

# The list of classes stands in the queries, so that SQLite sees that the index holds all that is asked for;
# and `CROSS JOIN` keeps their order: by the index, so that the first rows are there without the others.
_OF_FREEZES: Final = """
    SELECT log.id, reading.slot, marks, item, value, unit, taken_at, route, reading.meter, data_class FROM log
    CROSS JOIN reading ON reading.log_id = log.id
    WHERE log.meter = :meter AND log.data_class = :data_class
    AND log.data_class IN ('daily_freeze', 'monthly_freeze') AND {which}
    """
_BEFORE: Final = _OF_FREEZES.format(which="log.slot < :slot ORDER BY log.slot DESC, log.id DESC")
_MONTH: Final = """
    SELECT reading.slot, value FROM log CROSS JOIN reading ON reading.log_id = log.id
    WHERE log.meter = :meter AND log.data_class = :data_class
    AND log.data_class IN ('daily_freeze', 'monthly_freeze') AND log.slot < :slot AND log.slot >= :since
    AND item = :item AND value IS NOT NULL AND marks & :unusable = 0
    ORDER BY log.slot DESC, log.id DESC LIMIT :heads
    """
_SINCE: Final = _OF_FREEZES.format(which="log.slot >= :slot ORDER BY log.slot, log.id DESC")
_OF_OTHERS: Final = """
    SELECT log_id, reading.slot, marks, item, value, unit, taken_at, route, reading.meter, data_class
    FROM reading CROSS JOIN log ON log.id = log_id
    WHERE reading.meter = :meter AND item = :item AND reading.slot {which}, log_id DESC
    """
_NEAREST_BEFORE: Final = _OF_OTHERS.format(which="< :slot ORDER BY reading.slot DESC")
_NEAREST_BEHIND: Final = _OF_OTHERS.format(which="> :slot ORDER BY reading.slot")
_THE_SAME: Final = _OF_OTHERS.format(which="= :slot ORDER BY reading.slot")
_NIGHT: Final = """
    SELECT reading.slot, value FROM log CROSS JOIN reading ON reading.log_id = log.id
    WHERE log.meter = :meter AND log.data_class = 'daily_freeze'
    AND log.data_class IN ('daily_freeze', 'monthly_freeze') AND log.slot <= :slot AND log.slot >= :since
    AND item = :item AND value IS NOT NULL AND marks & :unusable = 0
    ORDER BY log.slot DESC, log.id DESC LIMIT 1
    """
_SETTLED: Final = """
    SELECT log.id, reading.slot, marks, item, value, unit, taken_at, route, reading.meter, data_class FROM log
    CROSS JOIN reading ON reading.log_id = log.id
    WHERE log.meter = :meter AND log.data_class = 'monthly_freeze'
    AND log.data_class IN ('daily_freeze', 'monthly_freeze') AND log.slot >= :slot AND item = :item
    ORDER BY log.slot, log.id DESC LIMIT 1
    """
_EXCHANGES: Final = """
    SELECT body FROM roster_change
    JOIN act ON topic = 'roster' AND subject = 'roster' AND step = revision
    WHERE roster_change.meter = ? AND verb IN ('exchange', 'ratio', 'remove', 'correct')
    ORDER BY revision DESC LIMIT ?
    """

Row = tuple[Any, ...]
_LOG_ID, _SLOT, _MARKS, _ITEM, _VALUE, _TAKEN_AT, _CLASS = *range(5), 6, 9
"""Places in a row."""
_UNUSABLE: Final = int(UNUSABLE)
_DAY_US: Final = 86_400 * 1_000_000
_MONTH_US: Final = 2 * PAST_MAX * _DAY_US
"""How far back the days of a month are looked for, when some are missing."""


def select(
    db: sqlite3.Connection, data_class: str, meter: str, wanted: Mapping[datetime, Wanted]
) -> dict[datetime, History]:
    """Of each slot, what was kept of a meter around it.

    Args:
        db: the file.
        data_class: of the readings.
        meter: our id of it.
        wanted: by slot; of freezes all that was kept of the slot is told.

    """
    find = _freezes if data_class in FREEZES else _others
    told = exchanges(db, meter)

    def history(slot: datetime, of_slot: Wanted) -> History:
        asked = {"meter": meter, "data_class": data_class, "slot": micros(slot)}
        return History(items=find(db, asked, of_slot), exchanges=told)

    return {slot: history(slot, of_slot) for slot, of_slot in wanted.items()}


def _freezes(db: sqlite3.Connection, asked: Mapping[str, Any], wanted: Wanted) -> dict[str, ItemHistory]:
    same, later = _from_slot_on(db.execute(_SINCE, asked), asked["slot"], wanted.steps)
    past: dict[str, tuple[Shown, ...]] = {}
    if asked["data_class"] == DAILY_FREEZE:
        bounds = {"since": asked["slot"] - _MONTH_US, "unusable": _UNUSABLE, "heads": HEADS_MAX}
        totals = (item for item in wanted.steps if "." not in item)
        past = {item: _month(db.execute(_MONTH, {**asked, **bounds, "item": item})) for item in totals}
    nearest = [item for item in wanted.steps if not past.get(item)]
    if nearest:
        past |= _nearest(db.execute(_BEFORE, asked), nearest)
    found = {
        item: ItemHistory(past=past.get(item, ()), same=same.get(item), later=later.get(item))
        for item in {*wanted.items, *same}
    }
    beside = _settled_by if asked["data_class"] == DAILY_FREEZE else _seen_by
    for item in wanted.steps:
        found[item] = beside(db, asked, item, found[item])
    return found


def _seen_by(db: sqlite3.Connection, asked: Mapping[str, Any], item: str, known: ItemHistory) -> ItemHistory:
    """A settlement's history with what other data show of its register."""
    later = known.later
    return replace(
        known,
        seen=_seen(db, asked["meter"], item, asked["slot"]),
        later_seen=None if later is None else _seen(db, asked["meter"], item, micros(later.slot)),
    )


def _seen(db: sqlite3.Connection, meter: str, item: str, slot: int) -> Shown | None:
    """What a register showed last by the time of a settlement: by freezes, else by values of the moment.

    Those have our time, and a settlement that of the meter's clock: so they must be a day older.
    """
    asked = {"meter": meter, "item": item, "slot": slot, "since": slot - _MONTH_US, "unusable": _UNUSABLE}
    for at, value in db.execute(_NIGHT, asked):
        return _shown(at, value)
    until = slot - _DAY_US
    for row in islice(db.execute(_NEAREST_BEFORE, {**asked, "slot": until}), WALK_MAX):
        if row[_CLASS] == INSTANT and _is_sound(row) and row[_TAKEN_AT] <= until:
            return _shown_of(row)
    return None


def _settled_by(
    db: sqlite3.Connection, asked: Mapping[str, Any], item: str, known: ItemHistory
) -> ItemHistory:
    """A night's history with the next settlement of its register."""
    row = db.execute(_SETTLED, {**asked, "item": item}).fetchone()
    return known if row is None else replace(known, settled=_reading(row))


def _from_slot_on(
    found: Iterable[Row], at: int, steps: Sequence[str]
) -> tuple[dict[str, Reading], dict[str, Reading]]:
    """What was kept of the slot, and of some items the first one behind it; of each what was kept last."""
    same: dict[str, Reading] = {}
    later: dict[str, Reading] = {}
    missing = set(steps)
    for row in _of_heads(found):
        item = row[_ITEM]
        if row[_SLOT] == at:
            _note(same, row)
        elif not missing:
            break
        elif item in missing and _is_sound(row) and row[_SLOT] > at and _note(later, row):
            missing.remove(item)
    return same, later


def _month(found: Iterable[tuple[int, str]]) -> tuple[Shown, ...]:
    """One item, newest first; of a slot what was kept last."""
    shown: list[Shown] = []
    last = None
    for slot, value in found:
        if slot != last and (one := _shown(slot, value)) is not None:
            last = slot
            shown.append(one)
            if len(shown) == PAST_MAX:
                break
    return tuple(shown)


def _nearest(found: Iterable[Row], items: Sequence[str]) -> dict[str, tuple[Shown, ...]]:
    """Of each item the first row; several of one slot come with the last first."""
    past: dict[str, tuple[Shown, ...]] = {}
    for row in _of_heads(found):
        item = row[_ITEM]
        if item in items and item not in past and _is_sound(row) and (one := _shown_of(row)) is not None:
            past[item] = (one,)
            if len(past) == len(items):
                break
    return past


def _of_heads(found: Iterable[Row]) -> Iterator[Row]:
    """The rows of at most so many records."""
    heads, last = 0, 0
    for row in found:
        if row[_LOG_ID] != last:
            heads, last = heads + 1, row[_LOG_ID]
            if heads > HEADS_MAX:
                return
        yield row


def _others(db: sqlite3.Connection, asked: Mapping[str, Any], wanted: Wanted) -> dict[str, ItemHistory]:
    def look(query: str, item: str) -> Iterator[Row]:
        found = islice(db.execute(query, {**asked, "item": item}), WALK_MAX)
        return (row for row in found if row[_CLASS] == asked["data_class"])

    def history(item: str) -> ItemHistory:
        same = next(filter(None, map(_reading, look(_THE_SAME, item))), None)
        if item not in wanted.steps:
            return ItemHistory(same=same)
        past = filter(None, map(_shown_of, filter(_is_sound, look(_NEAREST_BEFORE, item))))
        later = filter(None, map(_reading, filter(_is_sound, look(_NEAREST_BEHIND, item))))
        return ItemHistory(past=tuple(islice(past, 1)), same=same, later=next(later, None))

    return {item: history(item) for item in wanted.items}


def _is_sound(row: Row) -> bool:
    return row[_VALUE] is not None and not row[_MARKS] & _UNUSABLE


def _note(readings: dict[str, Reading], row: Row) -> bool:
    """Put a row's reading where there is none of its item; whether there is one then."""
    if row[_ITEM] not in readings and (reading := _reading(row)) is not None:
        readings[row[_ITEM]] = reading
    return row[_ITEM] in readings


def _shown(slot: int, value: str) -> Shown | None:
    """What a register showed; ``None``: it cannot be read."""
    try:
        return Shown(instant(slot), Decimal(value))
    except (ValueError, TypeError, ArithmeticError):
        return None


def _shown_of(row: Row) -> Shown | None:
    return _shown(row[_SLOT], row[_VALUE])


def _reading(row: Row) -> Reading | None:
    """The reading of a row; ``None``: it cannot be read."""
    _, slot, marks, item, value, unit, taken_at, route, meter, _ = row
    try:
        return reading_of(meter, item, value, unit, slot=slot, taken_at=taken_at, marks=marks, route=route)
    except (ValueError, TypeError, ArithmeticError):
        return None


def exchanges(db: sqlite3.Connection, meter: str) -> tuple[Told, ...]:
    """What was told of what a meter showed when it came, went or got another ratio, oldest first.

    Of one time that was told several times, what was told last stands first: it holds.
    """
    found = []
    for (body,) in db.execute(_EXCHANGES, (meter, EXCHANGES_MAX)):
        try:
            found.append(_told(json.loads(body), meter))
        except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError):
            continue  # the chain of acts shows such damage; readings are judged without it
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.at))


def _told(body: Mapping[str, Any], meter: str) -> Told | None:
    if body.get("meter") == meter:
        at, registers = body["at"], body["registers"]
    elif body["new"] == meter:
        at, registers = body["installed_at"], body["first"]
    elif body["old"] == meter:
        at, registers = body["removed_at"], body["last"]
    else:
        return None
    return Told(
        at=datetime.fromisoformat(at), registers={item: Decimal(value) for item, value in registers.items()}
    )
