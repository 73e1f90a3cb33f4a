"""What the ledger says of readings that made room before a sink had them; in the writer's transaction.

They are nowhere: not here, and not where readings go. So their slots are not kept any more. A curve is due
again, for the meter still holds it and is asked when there is room; a value of the moment is lost, and so is
what a meter showed that has left its place since. What every sink has, has done what it was kept for, and
counts as kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from meterlink.errors import JournalError
from meterlink.journal.cells import micros, seconds_of
from meterlink.journal.roster_rows import kept_time
from meterlink.model.slot import PASSING, Reason, State

# A row that goes together with others of the same key is none that stands elsewhere.
_LACKING: Final = """
    SELECT DISTINCT log.meter, log.data_class, reading.slot FROM log
    CROSS JOIN reading ON reading.log_id = log.id
    WHERE log.id IN (SELECT value FROM json_each(:lacking))
    AND EXISTS (SELECT 1 FROM series WHERE series.meter = log.meter AND series.data_class = log.data_class)
    AND NOT EXISTS (
        SELECT 1 FROM reading AS other CROSS JOIN log AS of_other ON of_other.id = other.log_id
        WHERE other.meter = reading.meter AND other.item = reading.item AND other.slot = reading.slot
        AND other.log_id NOT IN (SELECT value FROM json_each(:going))
        AND of_other.data_class = log.data_class
    )
    ORDER BY 1, 2, 3
    """
_SERIES: Final = "SELECT number, every_s FROM series WHERE meter = ? AND data_class = ?"
_SLOT: Final = "SELECT state FROM slot WHERE series = ? AND at = ?"
_NOT_KEPT: Final = "UPDATE slot SET state = ?, reason = ?, changed_at = ? WHERE series = ? AND at = ?"
_DAY: Final = """
    SELECT from_at, kept FROM slot_day WHERE series = ? AND from_at <= ? ORDER BY from_at DESC LIMIT 1
    """
_ONE_LESS: Final = """
    UPDATE slot_day SET kept = kept - 1, on_time = min(on_time, kept - 1) WHERE series = ? AND from_at = ?
    """
_ON_ITS_OWN: Final = "INSERT INTO slot VALUES (?, ?, ?, ?, 1, ?, ?, NULL)"
_END: Final = """
    SELECT json_extract(entry, '$.in_service_until') FROM roster WHERE id = ? AND json_valid(entry)
    """
_LONGEST_DAY_S: Final = 25 * 3600


class Slot(NamedTuple):
    """A slot of a meter's class of data.

    Args:
        meter: our id.
        data_class: of the records.
        at: seconds.

    """

    meter: str
    data_class: str
    at: int


def slots_of(db: sqlite3.Connection, lacking: Sequence[int], going: Sequence[int]) -> list[Slot]:
    """The slots that will lack one of their items; what stands in another row as well is not lacking.

    Args:
        db: the writer's.
        lacking: rows that are about to go, and that a sink has not.
        going: all rows that are about to go.

    """
    found = db.execute(_LACKING, {"lacking": json.dumps(lacking), "going": json.dumps(going)})
    return [Slot(meter, data_class, seconds_of(slot)) for meter, data_class, slot in found]


def settle(db: sqlite3.Connection, slots: Iterable[Slot], at: int) -> int:
    """Slots are not kept any more; how many.

    Args:
        db: the writer's.
        slots: which.
        at: now; seconds.

    """
    return sum(_settle(db, *slot, at) for slot in slots)


def _settle(db: sqlite3.Connection, meter: str, data_class: str, slot: int, at: int) -> int:
    """The slot of all plans of a class: which of them asked for the item is not known any more."""
    state = State.EXPIRED if data_class in PASSING or _is_gone(db, meter, at) else State.DUE
    found = 0
    for number, every_s in db.execute(_SERIES, (meter, data_class)).fetchall():
        row = db.execute(_SLOT, (number, slot)).fetchone()
        if row is None:
            found += _out_of_its_day(db, number, every_s, slot, state, at)
        elif row[0] == State.KEPT:
            found += db.execute(_NOT_KEPT, (int(state), int(Reason.NO_ROOM), at, number, slot)).rowcount
    return found


def _is_gone(db: sqlite3.Connection, meter: str, at: int) -> bool:
    """Whether a meter has left its place; what of the roster cannot be read says nothing of it."""
    row = db.execute(_END, (meter,)).fetchone()
    if row is None or row[0] is None:
        return False
    try:
        return seconds_of(micros(kept_time(row[0], "the roster"))) <= at
    except JournalError:
        return False


def _out_of_its_day(
    db: sqlite3.Connection, number: int, every_s: int, slot: int, state: State, at: int
) -> int:
    """A slot that is counted by its day alone gets a row of its own again."""
    day = db.execute(_DAY, (number, slot)).fetchone()
    if day is None or not day[1] or slot - day[0] >= _LONGEST_DAY_S or (slot - day[0]) % every_s:
        return 0
    due_at = slot if state is State.EXPIRED else slot + every_s
    db.execute(_ONE_LESS, (number, day[0]))
    db.execute(_ON_ITS_OWN, (number, slot, int(state), int(Reason.NO_ROOM), due_at, at))
    return 1
