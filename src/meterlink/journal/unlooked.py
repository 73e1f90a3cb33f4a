"""Freezes that were kept while a look at their meter was missing: their slots say so, and it is taken yet.

What was missing is forgotten with the daemon that missed it. So a slot is noted in the transaction that keeps
its freeze, and the next start finds it there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from meterlink.journal.acts import Read
from meterlink.journal.cells import instant, micros
from meterlink.journal.ledger_rows import moment, note_kept, seconds, series_of
from meterlink.journal.store import Step, without_result
from meterlink.model.data_classes import FREEZES, DataClass
from meterlink.model.slot import LOOK_OF_DAY, SlotKey, looked_note, unlooked_note

Freeze = tuple[DataClass, datetime]
"""One freeze of a meter: its class and its own time."""
NEAR: Final = timedelta(hours=1)
"""A freeze whose time lies this near to a night's slot is of that night. Source: business rules, FRZ-04."""
METERS_AT_ONCE: Final = 500
"""Meters of one look."""

_NOTED: Final = """
    SELECT number, at FROM series JOIN slot ON slot.series = series.number
    WHERE meter = ? AND data_class = ? AND at >= ? AND at <= ? AND state = 1 AND instr(note, ?) > 0
    """
_NEVER_S: Final = 2**62


@dataclass(frozen=True, slots=True)
class Unlooked:
    """The freezes of one journal without a look; ``Journal.unlooked``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        read: looks into the file.

    Every verb raises ``JournalError`` when the file cannot be written or read; nothing was changed then.

    """

    change: Callable[[Step], Awaitable[int]]
    read: Read

    async def of(self, meters: Sequence[str], *, since: datetime) -> dict[str, list[Freeze]]:
        """By our id, the freezes of meters that were kept without a look; of slots from a time on."""
        found: dict[str, list[Freeze]] = {}
        for first in range(0, len(meters), METERS_AT_ONCE):
            found |= await self._some(meters[first : first + METERS_AT_ONCE], since)
        return found

    async def _some(self, meters: Sequence[str], since: datetime) -> dict[str, list[Freeze]]:
        look = partial(_select, meters=meters, since=since)
        return await self.read(lambda store: store.look(look))

    async def settle(self, meter: str, freezes: Iterable[Freeze]) -> None:
        """Freezes of a meter are judged by a look now, and nothing of them is missing any more."""
        await self.change(without_result(partial(_clear, meter=meter, freezes=list(freezes))))


def note(db: sqlite3.Connection, keys: Iterable[SlotKey]) -> None:
    """Slots are kept, and a look at their meter is missing."""
    for key in keys:
        if (number := series_of(db, key.meter, key.data_class, key.every_s)) is not None:
            note_kept(db, number, seconds(key.slot), unlooked_note)


def _select(db: sqlite3.Connection, meters: Sequence[str], since: datetime) -> dict[str, list[Freeze]]:
    found: dict[str, list[Freeze]] = {}
    for meter in meters:
        for data_class in FREEZES:
            asked = (meter, data_class, seconds(since), _NEVER_S, LOOK_OF_DAY)
            for _, at in db.execute(_NOTED, asked).fetchall():
                found.setdefault(meter, []).extend(_freezes(db, meter, data_class, at))
    return found


def _freezes(db: sqlite3.Connection, meter: str, data_class: DataClass, at: int) -> Iterable[Freeze]:
    """What was kept for a slot, under the times that the meter says."""
    slot = moment(at)
    rows = db.execute(
        "SELECT DISTINCT slot FROM log WHERE meter = ? AND data_class = ? AND slot >= ? AND slot <= ?"
        " AND data_class IN ('daily_freeze', 'monthly_freeze') ORDER BY slot",
        (meter, data_class, micros(slot - NEAR), micros(slot + NEAR)),
    )
    return [(data_class, instant(one)) for (one,) in rows]


def _clear(db: sqlite3.Connection, meter: str, freezes: Iterable[Freeze]) -> None:
    for data_class, slot in freezes:
        asked = (meter, data_class, seconds(slot - NEAR), seconds(slot + NEAR), LOOK_OF_DAY)
        for number, at in db.execute(_NOTED, asked).fetchall():
            note_kept(db, number, at, looked_note)
