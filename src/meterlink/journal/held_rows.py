"""What holds of one register, day by day: the ends of what is consumed, and all that lies between them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, NamedTuple

from meterlink.journal.cells import decimal, instant, micros
from meterlink.model.marks import UNUSABLE, Marks

_KEPT: Final = """
    SELECT log_id, value, marks, slot FROM reading
    WHERE meter = ? AND item = ? AND slot >= ? AND slot < ?
    AND EXISTS (SELECT 1 FROM log WHERE id = log_id AND data_class = 'daily_freeze')
    ORDER BY slot, log_id
    """
_LOG_ID, _VALUE, _MARKS, _SLOT = range(4)
"""Places in a row."""
_UNUSABLE: Final = UNUSABLE.value


class HeldFreeze(NamedTuple):
    """What holds of a register at the end of a day.

    Args:
        seq: the row's id in the log.
        value: what the register showed; ``None`` when ``marks`` says why.
        marks: of the reading.
        slot: when the freeze was taken; aware, UTC.

    """

    seq: int
    value: Decimal | None
    marks: Marks
    slot: datetime


def held(
    db: sqlite3.Connection,
    meter: str,
    item: str,
    slots: tuple[datetime, datetime],
    day_of: Callable[[datetime], date],
) -> list[HeldFreeze]:
    """What holds of a register at the ends of days, one a day that has a freeze, in the order of the days.

    Args:
        db: of the journal.
        meter: our id of it.
        item: the register.
        slots: from the first on and before the second; both where a day begins to have freezes.
        day_of: the day of a slot.

    """

    def day(row: tuple[Any, ...]) -> date:
        return day_of(instant(row[_SLOT]))

    found = db.execute(_KEPT, (meter, item, micros(slots[0]), micros(slots[1])))
    return [_held(rows) for _, rows in groupby(found, key=day)]


def _held(rows: Iterable[tuple[Any, ...]]) -> HeldFreeze:
    """Of one day: of each slot the newest row; one of nine o'clock that is rejected hides no midnight."""
    of_slots: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        before = of_slots.get(row[_SLOT])
        if before is None or not _is_worthless(row, before):
            of_slots[row[_SLOT]] = row
    row = max(of_slots.values(), key=lambda row: (not row[_MARKS] & _UNUSABLE, row[_LOG_ID]))
    seq, value, marks, slot = row
    return HeldFreeze(seq, decimal(value), Marks(marks), instant(slot))


def _is_worthless(row: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    """Whether a reading again is rejected and shows something else: it says nothing of the good one before.

    With the same value it is another judgement of that one, and holds.
    """
    if not row[_MARKS] & _UNUSABLE or before[_MARKS] & _UNUSABLE:
        return False
    return row[_VALUE] is None or decimal(row[_VALUE]) != decimal(before[_VALUE])
