"""Who was heard when, and which freezes of which nights can be used: what alarms of collection go by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from meterlink.journal.cells import instant, micros
from meterlink.journal.ledger_rows import moment, seconds
from meterlink.model.marks import UNUSABLE
from meterlink.model.slot import Reason

_NIGHTS: Final = """
    SELECT meter, slot FROM log
    WHERE data_class = 'daily_freeze' AND slot >= :since AND slot < :before AND EXISTS (
        SELECT 1 FROM reading WHERE log_id = log.id AND value IS NOT NULL AND marks & :unusable = 0
    )
    ORDER BY slot
    """
_DEMAND: Final = """
    SELECT DISTINCT meter FROM log
    WHERE data_class IN ('daily_freeze', 'monthly_freeze') AND slot >= :since AND slot < :before
    AND EXISTS (
        SELECT 1 FROM reading WHERE log_id = log.id AND value IS NOT NULL AND marks & :unusable = 0
        AND item GLOB '*_max_demand*' AND NOT item GLOB '*_at' AND NOT item GLOB '*_at.*'
    )
    """
_HEARD: Final = """
    WITH RECURSIVE of (item) AS (
        SELECT MIN(item) FROM reading WHERE meter = :meter
        UNION ALL
        SELECT (SELECT MIN(item) FROM reading WHERE meter = :meter AND item > of.item)
        FROM of WHERE of.item IS NOT NULL
    )
    SELECT MAX((
        SELECT kept_at FROM reading CROSS JOIN log ON log.id = log_id
        WHERE reading.meter = :meter AND reading.item = of.item ORDER BY reading.slot DESC LIMIT 1
    )) FROM of
    """
_REFUSED: Final = """
    SELECT MAX(changed_at) FROM series JOIN slot ON slot.series = series.number
    WHERE meter = :meter AND at >= :since AND reason IN (SELECT value FROM json_each(:reasons))
    """
_ASKED: Final = """
    SELECT MIN(due_at) FROM series JOIN slot ON slot.series = series.number
    WHERE meter = :meter AND due_at > :since AND due_at <= :now AND state IN (0, 2, 3)
    """
_ANSWERS: Final = f"[{Reason.REFUSED.value}, {Reason.GONE.value}]"
"""Reasons that a meter itself has told: it was reached, though there is no reading."""


def usable_nights(db: sqlite3.Connection, slots: tuple[datetime, datetime]) -> Iterator[tuple[str, datetime]]:
    """Of each daily freeze of which a register can be used: our id of the meter, and its slot, oldest first.

    Args:
        db: of the journal.
        slots: those from the first on and before the second.

    """
    asked = {"since": micros(slots[0]), "before": micros(slots[1]), "unusable": UNUSABLE.value}
    for meter, slot in db.execute(_NIGHTS, asked):
        yield meter, instant(slot)


def usable(db: sqlite3.Connection, slots: tuple[datetime, datetime]) -> set[str]:
    """Our ids of the meters with such a freeze."""
    return {meter for meter, _ in usable_nights(db, slots)}


def with_demand(db: sqlite3.Connection, slots: tuple[datetime, datetime]) -> set[str]:
    """Our ids of the meters with a maximum demand in a daily or monthly freeze that can be used.

    Args:
        db: of the journal.
        slots: of freezes from the first on and before the second.

    """
    asked = {"since": micros(slots[0]), "before": micros(slots[1]), "unusable": UNUSABLE.value}
    return {meter for (meter,) in db.execute(_DEMAND, asked)}


def heard_at(db: sqlite3.Connection, meter: str, since: datetime) -> datetime | None:
    """When a meter was last known to be reached; ``None``: never.

    By what was kept under the newest slot of each of its items; and by what it has refused since a time.

    Args:
        db: of the journal.
        meter: our id of it.
        since: slots before it are not looked at for refusals.

    """
    (kept,) = db.execute(_HEARD, {"meter": meter}).fetchone()
    asked = {"meter": meter, "since": seconds(since), "reasons": _ANSWERS}
    (refused,) = db.execute(_REFUSED, asked).fetchone()
    found = [instant(kept)] if kept is not None else []
    found += [moment(refused)] if refused is not None else []
    return max(found, default=None)


def asked_in_vain(db: sqlite3.Connection, meter: str, since: datetime, now: datetime) -> datetime | None:
    """When the first of those slots became due behind a time that are not kept; ``None``: none did.

    Args:
        db: of the journal.
        meter: our id of it.
        since: the time.
        now: what becomes due later is left out.

    """
    asked = {"meter": meter, "since": seconds(since), "now": seconds(now)}
    (found,) = db.execute(_ASKED, asked).fetchone()
    return None if found is None else moment(found)
