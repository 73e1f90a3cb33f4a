"""Slots of meters' memory that no plan asks for any more; each change in the writer's transaction.

Whoever takes a plan out, gives it another interval, or corrects the protocol of a meter, leaves open slots
that nobody asks for. What was not due then is not counted. What was due is asked for by another plan of the
same data that has a slot at that time, and is no business of the old one; else it is lost, an honest hole. A
slot that the old plan has kept is not due a second time under one that has just come; a plan that was there
before, perhaps of other items, keeps what it has open. When the plan is put back, whatever was settled so is
as it was.

The numbers of states and reasons stand in the SQL as literals, as in ``ledger_rows``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence, Set
from typing import Final, NamedTuple

from meterlink.model.data_classes import CURVE
from meterlink.model.slot import PASSING

_SERIES: Final = """
    SELECT number, data_class, every_s FROM series
    WHERE meter = ? AND data_class NOT IN (SELECT value FROM json_each(?))
    """
_HAS_OPEN: Final = "SELECT 1 FROM slot WHERE series = ? AND state = 0 LIMIT 1"
_WAS_SETTLED: Final = """
    SELECT 1 FROM (SELECT reason, state FROM slot WHERE series = ? ORDER BY at DESC LIMIT ?)
    WHERE reason = 13 AND state IN (3, 4) LIMIT 1
    """
_AS_IT_WAS: Final = """
    UPDATE slot SET state = 0, reason = 0, changed_at = NULL, note = NULL
    WHERE series = ? AND reason = 13 AND state IN (3, 4)
    """
_TO_THE_OTHER: Final = """
    INSERT OR IGNORE INTO slot
    SELECT :other, at, 0, 0, 0, due_at, NULL, NULL FROM slot
    WHERE series = :old AND state = 0 AND due_at <= :at AND (at - :today) % :every_s = 0
    """
_COVERED: Final = """
    UPDATE slot SET state = 4, reason = 13, changed_at = :at, note = NULL
    WHERE series = :old AND state = 0 AND due_at <= :at
    AND EXISTS (SELECT 1 FROM slot AS twin WHERE twin.series = :other AND twin.at = slot.at)
    """
_NOT_DUE: Final = """
    UPDATE slot SET state = 4, reason = 13, changed_at = :at, note = NULL
    WHERE series = :old AND state = 0 AND due_at > :at
    """
_LOST: Final = """
    UPDATE slot SET state = 3, reason = 13, changed_at = :at, note = NULL WHERE series = :old AND state = 0
    """
_KEPT_ALREADY: Final = """
    DELETE FROM slot WHERE series = :other AND state = 0 AND due_at <= :at
    AND NOT EXISTS (SELECT 1 FROM slot WHERE series = :other AND state <> 0)
    AND EXISTS (SELECT 1 FROM slot AS twin WHERE twin.series = :old AND twin.at = slot.at AND twin.state = 1)
    """
_CURVE_LOOK: Final = 100
"""The newest rows of a curve that are looked at for what was settled: the last day that was planned."""
_FREEZE_LOOK: Final = 500
"""The same of freezes, of which there are few."""


class _Series(NamedTuple):
    number: int
    data_class: str
    every_s: int


def touched(db: sqlite3.Connection, meters: Iterable[str], planned: Set[tuple[str, str, int]]) -> list[str]:
    """The meters of which something is to be settled, or as it was.

    Args:
        db: the journal's.
        meters: our ids.
        planned: meter, class and seconds of the series that plans ask for.

    """
    found = []
    for meter in meters:
        asked, old = _of(db, meter, planned)
        is_left = any(db.execute(_HAS_OPEN, (one.number,)).fetchone() for one in old)
        if is_left or any(_was_settled(db, one) for one in asked):
            found.append(meter)
    return found


def settle(
    db: sqlite3.Connection,
    meters: Sequence[str],
    planned: Set[tuple[str, str, int]],
    *,
    today: int,
    at: int,
) -> int:
    """Settle what no plan asks for any more; how many rows have changed.

    Args:
        db: the writer's.
        meters: whose; see ``touched``.
        planned: meter, class and seconds of the series that plans ask for.
        today: when a day began: slots of an interval are counted from there; seconds.
        at: now; seconds.

    """
    changed = 0
    for meter in meters:
        asked, old = _of(db, meter, planned)
        for one in asked:
            if _was_settled(db, one):
                changed += db.execute(_AS_IT_WAS, (one.number,)).rowcount
        for one in old:
            changed += _settle(db, one, asked, today, at)
    return changed


def _settle(db: sqlite3.Connection, old: _Series, asked: Iterable[_Series], today: int, at: int) -> int:
    changed = 0
    for other in asked:
        if other.data_class == old.data_class == CURVE:
            given = {"old": old.number, "other": other.number, "at": at}
            db.execute(_TO_THE_OTHER, {**given, "today": today, "every_s": other.every_s})
            changed += db.execute(_COVERED, given).rowcount
            changed += db.execute(_KEPT_ALREADY, given).rowcount
    given = {"old": old.number, "at": at}
    return changed + sum(db.execute(step, given).rowcount for step in (_NOT_DUE, _LOST))


def _of(
    db: sqlite3.Connection, meter: str, planned: Set[tuple[str, str, int]]
) -> tuple[list[_Series], list[_Series]]:
    """The series of a meter's memory that plans ask for, and the others."""
    found = db.execute(_SERIES, (meter, json.dumps(sorted(PASSING)))).fetchall()
    series = [_Series(*row) for row in found]
    asked = [one for one in series if (meter, one.data_class, one.every_s) in planned]
    return asked, [one for one in series if one not in asked]


def _was_settled(db: sqlite3.Connection, series: _Series) -> bool:
    rows = _CURVE_LOOK if series.data_class == CURVE else _FREEZE_LOOK
    return db.execute(_WAS_SETTLED, (series.number, rows)).fetchone() is not None
