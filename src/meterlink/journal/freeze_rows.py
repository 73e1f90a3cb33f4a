"""Daily freezes in the order in which the log got them, for those who follow them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from meterlink.errors import RowUnreadable
from meterlink.journal.cells import decimal, instant, marks_of, micros
from meterlink.model.marks import UNUSABLE, Marks
from meterlink.model.register import Register

ROWS_MAX: Final = 5_000
"""Rows of the log in one look: some megabytes in memory."""

_DAILY: Final = "data_class IN ('daily_freeze', 'monthly_freeze') AND data_class = 'daily_freeze'"
"""Whoever says so may use the index ``log_freezes_kept``; others would read all freezes for each page."""
_FOLLOWING: Final = """
    SELECT log.id, log.kept_at, reading.meter, item, value, unit, reading.slot, taken_at, marks, route, (
        SELECT max(before.log_id) FROM reading AS before
        WHERE before.meter = reading.meter AND before.item = reading.item AND before.slot = reading.slot
        AND before.log_id < log.id
    )
    FROM (
        SELECT id, kept_at FROM log
        WHERE {only}
        AND (:meters IS NULL OR +meter IN (SELECT value FROM json_each(:meters)))
        AND (:others IS NULL OR +meter NOT IN (SELECT value FROM json_each(:others)))
        ORDER BY id LIMIT :limit
    ) AS log JOIN reading ON reading.log_id = log.id
    ORDER BY log.id, reading.n
    """
_ALL: Final = _FOLLOWING.format(only=f"{_DAILY} AND id > :after AND id <= :until")
_OF_SLOTS: Final = _FOLLOWING.format(
    only="data_class = 'daily_freeze' AND slot >= :since AND slot < :before"
    " AND +id > :after AND +id <= :until"
)
# The plus keeps the planner at the slots: a day has some thousand rows, and behind an early id are millions.
_AGAINST_BEFORE: Final = """
    SELECT
        sum(marks & :again != 0 AND was_marks IS NOT NULL AND was_marks | :aside = marks | :aside) = count(*),
        max(was_id)
    FROM (
        SELECT told.marks, was.marks AS was_marks, was.log_id AS was_id
        FROM reading AS told LEFT JOIN reading AS was
        ON was.meter = told.meter AND was.item = told.item AND was.slot = told.slot AND was.log_id = (
            SELECT max(before.log_id) FROM reading AS before
            WHERE before.meter = told.meter AND before.item = told.item AND before.slot = told.slot
            AND before.log_id < told.log_id
        )
        WHERE told.log_id = :row
    )
    """
_FIRST: Final = "SELECT min(slot) FROM log WHERE data_class = 'daily_freeze'"
_LAST_USABLE: Final = """
    SELECT slot FROM log WHERE data_class = 'daily_freeze'
    AND EXISTS (SELECT 1 FROM reading WHERE log_id = log.id AND marks & ? = 0)
    ORDER BY slot DESC LIMIT 1
    """
_METERS: Final = """
    SELECT DISTINCT meter FROM log WHERE data_class = 'daily_freeze' AND slot >= ? AND slot < ?
    """
_METERS_BEHIND: Final = """
    SELECT DISTINCT meter FROM log
    WHERE data_class IN ('daily_freeze', 'monthly_freeze') AND data_class = 'daily_freeze'
    AND id > ? AND +slot >= ? AND +slot < ?
    """
_OF_METERS: Final = """
    SELECT id, meter, slot FROM log WHERE data_class = 'daily_freeze' AND slot >= ? AND slot < ?
    """
_SLOTS_BEFORE: Final = """
    SELECT DISTINCT slot FROM log WHERE data_class = 'daily_freeze' AND slot < ? AND +id > ?
    """
_NEWEST: Final = "SELECT coalesce(max(id), 0) FROM log"
_NEWEST_FREEZE: Final = f"{_NEWEST} WHERE {_DAILY}"
_NEWEST_OF_SLOTS: Final = f"{_NEWEST} WHERE data_class = 'daily_freeze' AND slot >= ? AND slot < ?"
_NO_END: Final = 2**63 - 1
_LATE: Final = Marks.BACKFILL.value
_ID, _KEPT_AT, _METER, _ITEM, _VALUE, _UNIT, _SLOT, _TAKEN_AT, _MARKS, _ROUTE, _BEFORE = range(11)
"""Places in a row."""
_AND: Final = " + "
"""Between the ways of one freeze: what a concentrator's store lacked comes through it."""
_texts: Final = itemgetter(_METER, _ITEM, _UNIT, _ROUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFreeze:
    """A row of the log that holds a freeze.

    Args:
        seq: its id.
        kept_at: when the log got it; aware, UTC.
        meter: our id of it.
        slot: of all its registers; aware, UTC.
        registers: at least one.
        is_late: whether one of them was read out of the meter's memory after its time.
        taken_at: when the meter had answered; aware, UTC.
        route: by which way it came; several, where its registers came by several.
        before: the newest earlier row that was news, with a value for one of its keys; ``None``: none is.
        is_news: whether it tells something that was not kept: of a key that was read again with the same
            value, and with no other doubt, it does not.

    """

    seq: int
    kept_at: datetime
    meter: str
    slot: datetime
    registers: tuple[Register, ...]
    is_late: bool
    taken_at: datetime
    route: str
    before: int | None
    is_news: bool = True


def newest(db: sqlite3.Connection) -> int:
    """Id of the newest row of the log; 0: there is none."""
    (found,) = db.execute(_NEWEST).fetchone()
    return int(found)


def newest_freeze(db: sqlite3.Connection, slots: tuple[datetime, datetime] | None = None) -> int:
    """Id of the newest row of the log that holds a daily freeze; 0: there is none.

    Args:
        db: of the journal.
        slots: only those from the first on and before the second; ``None``: of all times.

    """
    given = () if slots is None else (micros(slots[0]), micros(slots[1]))
    (found,) = db.execute(_NEWEST_OF_SLOTS if slots else _NEWEST_FREEZE, given).fetchone()
    return int(found)


def first_slot(db: sqlite3.Connection) -> datetime | None:
    """The oldest slot of a freeze; ``None``: there is none."""
    (found,) = db.execute(_FIRST).fetchone()
    return None if found is None else instant(found)


def last_usable_slot(db: sqlite3.Connection) -> datetime | None:
    """The newest slot of a freeze with a register that is not rejected; ``None``: there is none."""
    found = db.execute(_LAST_USABLE, (UNUSABLE.value,)).fetchone()
    return None if found is None else instant(found[0])


def meters(db: sqlite3.Connection, slots: tuple[datetime, datetime]) -> set[str]:
    """Our ids of the meters with a freeze from the first slot on and before the second."""
    return {meter for (meter,) in db.execute(_METERS, (micros(slots[0]), micros(slots[1])))}


def meters_behind(
    db: sqlite3.Connection, *, after: int, since: datetime, before: datetime | None
) -> set[str]:
    """Our ids of the meters of which a freeze was kept behind a row of the log.

    Args:
        db: of the journal.
        after: id of the row.
        since: only freezes of this time on.
        before: and before this one; ``None``: without end.

    """
    end = _NO_END if before is None else micros(before)
    return {meter for (meter,) in db.execute(_METERS_BEHIND, (after, micros(since), end))}


def slots_before(db: sqlite3.Connection, before: datetime, *, after: int) -> list[datetime]:
    """The slots before a time of which a freeze was kept behind a row of the log."""
    return [instant(slot) for (slot,) in db.execute(_SLOTS_BEFORE, (micros(before), after))]


def of_meters(
    db: sqlite3.Connection, slots: tuple[datetime, datetime]
) -> Iterator[tuple[int, str, datetime]]:
    """Of each freeze from the first slot on and before the second: its row, our id of the meter, its slot."""
    for seq, meter, slot in db.execute(_OF_METERS, (micros(slots[0]), micros(slots[1]))):
        yield seq, meter, instant(slot)


def following(
    db: sqlite3.Connection,
    *,
    after: int,
    until: int,
    limit: int,
    slots: tuple[datetime, datetime] | None = None,
    only: Collection[str] | None = None,
    but: Collection[str] | None = None,
) -> list[KeptFreeze]:
    """The next freezes behind a row of the log, in order.

    Args:
        db: of the journal.
        after: id; 0 is the beginning.
        until: id; rows behind it are left for the next time.
        limit: rows at most, up to ``ROWS_MAX``.
        slots: only those from the first on and before the second; ``None``: of all times.
        only: our ids of meters; ``None``: of all.
        but: our ids of meters that are left out; ``None``: none.

    Raises:
        RowUnreadable: one of them is damaged.

    """
    asked: dict[str, int | str | None] = {"after": after, "until": until, "limit": min(limit, ROWS_MAX)}
    asked["meters"] = None if only is None else json.dumps(sorted(only))
    asked["others"] = None if but is None else json.dumps(sorted(but))
    if slots is not None:
        asked |= {"since": micros(slots[0]), "before": micros(slots[1])}
    found = db.execute(_OF_SLOTS if slots else _ALL, asked)
    kept = [_freeze(list(rows)) for _, rows in groupby(found, key=itemgetter(_ID))]
    return [one if one.before is None else _with_news(db, one) for one in kept]


def _with_news(db: sqlite3.Connection, kept: KeptFreeze) -> KeptFreeze:
    """The same, seen against what was kept before it; few rows have something before them."""
    is_news, before = _against_before(db, kept.seq)
    while before is not None:
        was_news, earlier = _against_before(db, before)
        if was_news:
            break
        before = earlier
    return replace(kept, before=before, is_news=is_news)


def _against_before(db: sqlite3.Connection, seq: int) -> tuple[bool, int | None]:
    """Whether a row tells something new, and the newest earlier row with a value for one of its keys."""
    aside = Marks.DUPLICATE | Marks.BACKFILL | Marks.RESTATED
    asked = {"row": seq, "again": Marks.DUPLICATE.value, "aside": aside.value}
    same, before = db.execute(_AGAINST_BEFORE, asked).fetchone()
    return not same, before


def _freeze(rows: list[tuple[Any, ...]]) -> KeptFreeze:
    first, bits, before, taken_at = rows[0], 0, None, 0
    route = first[_ROUTE]
    registers = []
    try:
        "".join([text for row in rows for text in _texts(row)]).encode()  # sees that it is Unicode
        for _, _, _, item, value, unit, _, taken, marks, way, earlier in rows:
            registers.append(Register(item, decimal(value), unit, marks_of(marks)))
            if way != first[_ROUTE]:
                route = _AND.join(dict.fromkeys(row[_ROUTE] for row in rows))
            bits |= marks
            taken_at = max(taken_at, taken)
            if earlier is not None:
                before = max(before or 0, earlier)
        return KeptFreeze(
            seq=first[_ID],
            kept_at=instant(first[_KEPT_AT]),
            meter=first[_METER],
            slot=instant(first[_SLOT]),
            registers=tuple(registers),
            is_late=bool(bits & _LATE),
            taken_at=instant(taken_at),
            route=route,
            before=before,
        )
    except (ArithmeticError, ValueError) as error:
        raise RowUnreadable(
            f"row {first[_ID]} of the log cannot be read: {error}", log_id=first[_ID]
        ) from None
