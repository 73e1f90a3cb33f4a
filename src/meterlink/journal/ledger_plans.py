"""Slots of meters' memory that no plan asks for any more; each change in the writer's transaction.

Whoever takes a plan out, gives it another interval, or corrects the protocol of a meter, leaves open slots
that nobody asks for. What was not due then is not counted. What was due is asked for by another plan of the
same data and of all its items that has a slot at that time, and is no business of the old one; else it is
lost, an honest hole. A slot that the old plan has kept with all its items is not due a second time under one
that has just come; a plan that was there before keeps what it has open.

Looks at events are made up for by the next one, whatever its interval, which tells all that happened since:
they stay open while a plan asks for all of those events, and are lost with the last one.

When a plan is put back, whatever was settled so is as it was, but for what another plan of all its items has
kept meanwhile; and what that one has lost, as no plan asked for it, the plan that is back asks for again.

What plans ask for of a series stands in ``asked``. Of a series that is not there, as an older version planned
it, nobody knows the items: it is taken for one of the same.

The numbers of states and reasons stand in the SQL as literals, as in ``ledger_rows``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from meterlink.journal.ledger_rows import series_made, series_of
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, EVENT, INSTANT, STATUS, DataClass
from meterlink.model.items import contain

Planned = Mapping[Series, Sequence[str]]
"""The items that plans ask for."""

_SERIES: Final = """
    SELECT number, data_class, every_s, items, ended_at
    FROM series LEFT JOIN asked ON asked.series = series.number
    WHERE meter = ? AND data_class NOT IN (SELECT value FROM json_each(?))
    """
_HAS_OPEN: Final = "SELECT 1 FROM slot WHERE series = ? AND state = 0 LIMIT 1"
_HAS_OTHERS: Final = "SELECT 1 FROM slot WHERE series = ? AND state <> 0 LIMIT 1"
_WAS_SETTLED: Final = "SELECT 1 FROM slot WHERE series = ? AND reason = 13 AND state IN (3, 4) LIMIT 1"
# `theirs`: the series of plans that have read all that is wanted. Of folded days only what is not kept stands
# by itself.
_KEPT_BY_THEM: Final = """
    EXISTS (
        SELECT 1 FROM json_each(:theirs) AS their JOIN series ON series.number = their.value WHERE EXISTS (
            SELECT 1 FROM slot AS twin WHERE twin.series = number AND twin.at = slot.at AND twin.state = 1
        ) OR EXISTS (
            SELECT 1 FROM slot_day WHERE slot_day.series = number AND slot_day.from_at <= slot.at
            AND slot_day.from_at > slot.at - 86400 AND (slot.at - slot_day.from_at) % every_s = 0
        ) AND NOT EXISTS (
            SELECT 1 FROM slot AS twin WHERE twin.series = number AND twin.at = slot.at
        ) AND NOT EXISTS (
            SELECT 1 FROM gap
            WHERE gap.series = number AND gap.from_at <= slot.at AND gap.until_at > slot.at
        )
    )
    """
_AS_IT_WAS: Final = """
    UPDATE slot SET state = 0, reason = 0, changed_at = NULL, note = NULL
    WHERE series = :series AND reason = 13 AND state IN (3, 4) AND NOT {}
    """.format(_KEPT_BY_THEM)  # noqa: S608, UP032  (a constant)
_KEPT_ALREADY: Final = """
    DELETE FROM slot WHERE series = :series AND state = 0 AND due_at <= :at AND {}
    """.format(_KEPT_BY_THEM)  # noqa: S608, UP032
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
_ASKED_FOR_AGAIN: Final = """
    UPDATE slot SET state = 4, changed_at = :at WHERE series = :old AND state = 3 AND reason = 13
    AND EXISTS (SELECT 1 FROM slot AS twin WHERE twin.series = :other AND twin.at = slot.at)
    """
_NOT_DUE: Final = """
    UPDATE slot SET state = 4, reason = 13, changed_at = :at, note = NULL
    WHERE series = :old AND state = 0 AND due_at > :at
    """
_LOST: Final = """
    UPDATE slot SET state = 3, reason = 13, changed_at = :at, note = NULL WHERE series = :old AND state = 0
    """
_ASKS: Final = """
    INSERT INTO asked VALUES (?, ?, NULL)
    ON CONFLICT DO UPDATE SET items = excluded.items, ended_at = NULL
    """
_ENDS: Final = "UPDATE asked SET ended_at = ? WHERE series = ?"


class _Series(NamedTuple):
    """A series of a meter's memory.

    Args:
        number: its number.
        data_class: what it is of.
        every_s: of its slots.
        known: the items that were asked for last, as they are kept; ``None``: nobody knows.
        ended_at: since when no plan asked for it; ``None``: one does, or nobody knows.
        items: that plans ask for now; ``None``: none asks for it.

    """

    number: int
    data_class: DataClass
    every_s: int
    known: str | None
    ended_at: int | None
    items: tuple[str, ...] | None

    @property
    def is_asked(self) -> bool:
        return self.items is not None

    @property
    def may_come_back(self) -> bool:
        """Whether it is asked for now, and was not before as far as anybody knows."""
        return self.is_asked and (self.known is None or self.ended_at is not None)

    @property
    def is_noted(self) -> bool:
        """Whether what is asked for stands in the journal."""
        if self.items is None:
            return self.known is None or self.ended_at is not None
        return self.ended_at is None and self.known == _written(self.items)

    def covers(self, other: _Series) -> bool:
        """Whether what is read of it is all that was asked for of another one at that instant."""
        return self.data_class == CURVE and self._has_all_of(other)

    def makes_up_for(self, other: _Series) -> bool:
        """Whether a look into the meter's memory tells all that one of another interval would have told."""
        return self.data_class == EVENT and self._has_all_of(other)

    def _has_all_of(self, other: _Series) -> bool:
        """Whether it asks for all that was asked for of another one of its class."""
        if self.data_class != other.data_class or self.number == other.number:
            return False
        mine, others = self._items(), other._items()
        return mine is None or others is None or contain(mine, others)

    def _items(self) -> Sequence[str] | None:
        if self.items is not None:
            return self.items
        return None if self.known is None else [str(item) for item in json.loads(self.known)]


def touched(db: sqlite3.Connection, meters: Iterable[str], planned: Planned) -> list[str]:
    """The meters of which something is to be settled, or as it was.

    Args:
        db: the journal's.
        meters: our ids.
        planned: what plans ask for.

    """
    return [meter for meter in meters if any(_is_touched(db, one) for one in _of(db, meter, planned))]


def unnoted(db: sqlite3.Connection, meters: Sequence[str], planned: Planned) -> list[str]:
    """The meters of which plans ask for something else than the journal knows."""
    new = {one.meter for one in _looks(meters, planned) if series_of(db, *one) is None}
    return [
        meter for meter in meters if meter in new or not all(one.is_noted for one in _of(db, meter, planned))
    ]


def settle(db: sqlite3.Connection, meters: Sequence[str], planned: Planned, *, today: int, at: int) -> int:
    """Settle what no plan asks for any more; how many rows have changed.

    Args:
        db: the writer's.
        meters: whose; see ``touched``.
        planned: what plans ask for.
        today: when a day began: slots of an interval are counted from there; seconds.
        at: now; seconds.

    """
    changed = 0
    for events in _looks(meters, planned):
        series_made(db, *events)  # of a plan that has just come there was no slot yet
    for meter in meters:
        series = _of(db, meter, planned)
        back = [one for one in series if one.may_come_back]
        begins = [one for one in back if one.ended_at is not None or not _has(db, _HAS_OTHERS, one)]
        for one in back:
            given = {"series": one.number, "theirs": _numbers(they for they in series if they.covers(one))}
            changed += db.execute(_AS_IT_WAS, given).rowcount
        for old in series:
            if not old.is_asked:
                changed += _settle(db, old, [one for one in series if one.is_asked], begins, today, at)
    note(db, meters, planned, at)
    return changed


def note(db: sqlite3.Connection, meters: Sequence[str], planned: Planned, at: int) -> None:
    """Keep what plans ask for of some meters."""
    for events in _looks(meters, planned):
        series_made(db, *events)
    for meter in meters:
        for one in _of(db, meter, planned):
            if one.is_noted:
                continue
            if one.items is None:
                db.execute(_ENDS, (at, one.number))
            else:
                db.execute(_ASKS, (one.number, _written(one.items)))


def _settle(
    db: sqlite3.Connection,
    old: _Series,
    asked: Sequence[_Series],
    begins: Iterable[_Series],
    today: int,
    at: int,
) -> int:
    changed = 0
    if any(other.makes_up_for(old) for other in asked):
        return changed
    for other in asked:
        if other.covers(old):
            given = {"old": old.number, "other": other.number, "at": at}
            db.execute(_TO_THE_OTHER, {**given, "today": today, "every_s": other.every_s})
            changed += db.execute(_COVERED, given).rowcount
            if other.ended_at is not None:
                changed += db.execute(_ASKED_FOR_AGAIN, given).rowcount
    for other in begins:
        if old.covers(other):
            kept = {"series": other.number, "theirs": _numbers([old]), "at": at}
            changed += db.execute(_KEPT_ALREADY, kept).rowcount
    left = {"old": old.number, "at": at}
    return changed + sum(db.execute(step, left).rowcount for step in (_NOT_DUE, _LOST))


def _of(db: sqlite3.Connection, meter: str, planned: Planned) -> list[_Series]:
    """The series of a meter's memory, those that plans ask for and the others."""
    found = []
    for number, data_class, every_s, known, ended_at in db.execute(
        _SERIES, (meter, json.dumps([INSTANT, STATUS]))
    ):
        items = planned.get(Series(meter, data_class, every_s))
        asked = None if items is None else tuple(items)
        found.append(_Series(number, data_class, every_s, known, ended_at, asked))
    return found


def _looks(meters: Sequence[str], planned: Planned) -> list[Series]:
    """The series of some meters' events that plans ask for."""
    intervals = sorted({one.every_s for one in planned if one.data_class == EVENT})
    found = (Series(meter, EVENT, every_s) for meter in meters for every_s in intervals)
    return [one for one in found if one in planned]


def _is_touched(db: sqlite3.Connection, one: _Series) -> bool:
    if not one.is_asked:
        return _has(db, _HAS_OPEN, one)
    return one.may_come_back and _has(db, _WAS_SETTLED, one)


def _has(db: sqlite3.Connection, query: str, one: _Series) -> bool:
    return db.execute(query, (one.number,)).fetchone() is not None


def _written(items: Iterable[str]) -> str:
    return json.dumps(sorted(items))


def _numbers(series: Iterable[_Series]) -> str:
    return json.dumps([one.number for one in series])
