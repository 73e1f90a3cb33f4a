"""Readings that are told again because something of their meter was told late: the same values, new rows.

Whoever follows freezes has multiplied registers by a ratio that did not hold any more. The rows that he has
stay as they are, sealed ones too; a further row of each such freeze, behind the revision that told the ratio,
is what holds, and comes to him like any other that is late. So do readings that are another meter's, which
had been put into the place of theirs, and answered under its address before anybody told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

from meterlink.journal import judged, rows
from meterlink.journal.cells import instant, micros, reading_of
from meterlink.journal.judged import Judge
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, FREEZES
from meterlink.model.marks import UNUSABLE, Marks
from meterlink.model.reading import Reading, Record

# One look into the index of keys for each item of the meter: others would read the freezes of all meters.
_SINCE: Final = """
    WITH RECURSIVE of (item) AS (
        SELECT MIN(item) FROM reading WHERE meter = :meter
        UNION ALL
        SELECT (SELECT MIN(item) FROM reading WHERE meter = :meter AND item > of.item)
        FROM of WHERE of.item IS NOT NULL
    )
    SELECT reading.slot, reading.item, value, unit, taken_at, marks, route FROM of
    CROSS JOIN reading ON reading.meter = :meter AND reading.item = of.item AND reading.slot >= :since
    CROSS JOIN log ON log.id = reading.log_id AND log.data_class = :data_class
    ORDER BY reading.slot, log.id, reading.n
    """
_SLOT: Final = 0
_OF_A_STEP: Final = Marks.REG_BACK | Marks.ROLL_OVER | Marks.SUDDEN_CHANGE


def tell_again(db: sqlite3.Connection, boot: int, meter: str, since: datetime, kept_at: int) -> int:
    """Keep each freeze of a meter again, with what holds of it; how many. In the writer's transaction.

    Args:
        db: the writer's.
        boot: number of the start.
        meter: our id of it.
        since: of the first of them; aware.
        kept_at: microseconds, of the new rows.

    """
    asked = {"meter": meter, "since": micros(since), "data_class": DAILY_FREEZE}
    found = db.execute(_SINCE, asked).fetchall()
    count = 0
    for _, told in groupby(found, key=itemgetter(_SLOT)):
        if readings := tuple(_held(meter, told)):
            _keep(db, boot, Record(meter=meter, data_class=DAILY_FREEZE, readings=readings), kept_at)
            count += 1
    return count


def disown(db: sqlite3.Connection, boot: int, meter: str, since: datetime, kept_at: int) -> int:
    """Keep again what was kept of a meter's memory behind its removal, marked as another meter's; how many.

    In the writer's transaction. Values of the moment stay as they are: nobody bills them, and they are many.

    Args:
        db: the writer's.
        boot: number of the start.
        meter: our id of it.
        since: when it was taken out; what it took at that very instant is its own; aware.
        kept_at: microseconds, of the new rows.

    """
    count = 0
    for data_class in (*FREEZES, CURVE):
        asked = {"meter": meter, "since": micros(since) + 1, "data_class": data_class}
        for _, told in groupby(db.execute(_SINCE, asked).fetchall(), key=itemgetter(_SLOT)):
            readings = tuple(
                replace(one, marks=one.marks | Marks.METER_MIXED)
                for one in _held(meter, told)
                if not one.marks & Marks.METER_MIXED
            )
            if readings:
                _keep(db, boot, Record(meter=meter, data_class=data_class, readings=readings), kept_at)
                count += 1
    return count


def judge_again(
    db: sqlite3.Connection, boot: int, meter: str, since: datetime, kept_at: int, judge: Judge
) -> int:
    """Keep the first freeze of a meter again where it has other marks by now; how many. In the transaction.

    It was judged by what people told that the meter showed when it came, and they tell something else now.
    Only the marks of that step become others: what the meter's clock shows today says nothing of that night.

    Args:
        db: the writer's.
        boot: number of the start.
        meter: our id of it.
        since: when it came; aware.
        kept_at: microseconds, of the new row.
        judge: marks readings.

    """
    asked = {"meter": meter, "since": micros(since), "data_class": DAILY_FREEZE}
    first: dict[str, Reading] = {}
    for _, told in groupby(db.execute(_SINCE, asked), key=itemgetter(_SLOT)):
        for one in _held(meter, told):
            if not one.marks & UNUSABLE:
                first.setdefault(one.item, one)
    count = 0
    for _, of_slot in groupby(sorted(first.values(), key=attrgetter("slot")), key=attrgetter("slot")):
        before = list(of_slot)
        bare = tuple(replace(one, marks=one.marks & ~_OF_A_STEP) for one in before)
        record = Record(meter=meter, data_class=DAILY_FREEZE, readings=bare)
        verdict = judged.marked(db, record, judge).readings
        anew = tuple(
            replace(one, marks=one.marks & ~_OF_A_STEP | found.marks & _OF_A_STEP)
            for one, found in zip(before, verdict, strict=True)
        )
        if others := tuple(new for new, one in zip(anew, before, strict=True) if new.marks != one.marks):
            _keep(db, boot, Record(meter=meter, data_class=DAILY_FREEZE, readings=others), kept_at)
            count += 1
    return count


def _keep(db: sqlite3.Connection, boot: int, record: Record, kept_at: int) -> None:
    rows.insert(db, boot, rows.encode(record, instant(kept_at)))


def _held(meter: str, told: Iterator[tuple[Any, ...]]) -> Iterator[Reading]:
    """Of each register of a freeze the newest row; what cannot be read is told again by nobody."""
    newest = {row[1]: row for row in told}
    for slot, item, value, unit, taken_at, marks, route in newest.values():
        try:
            one = reading_of(meter, item, value, unit, slot=slot, taken_at=taken_at, marks=marks, route=route)
            yield replace(one, marks=one.marks & ~Marks.DUPLICATE | Marks.RESTATED)
        except (ArithmeticError, ValueError):
            continue
