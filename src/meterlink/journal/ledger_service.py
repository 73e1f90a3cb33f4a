"""Rows of meters that leave their places and come back; each function runs in the writer's transaction.

A slot counts where its meter stood in its place at the slot's beginning. People tell of that late, so what
was settled before they did is settled again here, whatever it had come to. What another meter gave under the
id of the one that had gone is no reading of that one: it is waived as exchanged, which tells it from what
nobody has.

The numbers of states and reasons stand in the SQL as literals, as in ``ledger_rows``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from meterlink.journal.ledger_rows import seconds
from meterlink.journal.roster_absences import Absence
from meterlink.model.payload import time_out
from meterlink.model.slot import PASSING, Departure, Reason

Stretch = tuple[int, int]
"""From one second on, and before another."""

_NOT_COUNTED: Final = """
    UPDATE slot SET state = 4, reason = 8, changed_at = ?, note = ?
    WHERE series IN (SELECT number FROM series WHERE meter = ?) AND state IN (0, 2, 3) AND at >= ?
    """
_NOT_ITS_OWN: Final = """
    UPDATE slot SET state = 4, reason = 6, note = ?
    WHERE series IN (SELECT number FROM series WHERE meter = ?) AND state = 1 AND at >= ?
    """
_DAYS_NOT_ITS_OWN: Final = """
    DELETE FROM slot_day WHERE series IN (SELECT number FROM series WHERE meter = ?) AND from_at >= ?
    """
_LOST_UNTRIED: Final = """
    UPDATE slot SET state = 3, reason = ?, changed_at = ?, note = ?
    WHERE series IN (SELECT number FROM series WHERE meter = ?) AND state = 0 AND reason = 0
    """
_LOST: Final = """
    UPDATE slot SET state = 3 WHERE series IN (SELECT number FROM series WHERE meter = ?) AND state = 0
    """
_GAPS_BEHIND: Final = """
    SELECT number, max(every_s, 1), from_at, until_at FROM series JOIN gap ON gap.series = series.number
    WHERE meter = ? AND until_at > ? AND reason <> 8
    """

# `outside`: the stretches of time in which the meter did not stand in its place.
_OF_STORED: Final = """
    UPDATE slot SET {what}
    WHERE series IN (
        SELECT number FROM series
        WHERE meter = :meter AND data_class NOT IN (SELECT value FROM json_each(:passing))
    ) AND ({which}) AND EXISTS (
        SELECT 1 FROM json_each(:outside)
        WHERE at >= json_extract(value, '$[0]') AND at < json_extract(value, '$[1]')
    ) = {outside}
    """
_AWAY: Final = _OF_STORED.format(
    what="state = 4, reason = 8, changed_at = :at, note = NULL", which="state = 0", outside=1
)
_DUE_AGAIN: Final = _OF_STORED.format(
    what="state = 0, reason = iif(reason IN (6, 8), 0, reason), changed_at = :at, note = NULL",
    which="state = 4 AND reason = 8 OR state = 3 AND reason <> 9",
    outside=0,
)
_KEPT_AGAIN: Final = _OF_STORED.format(
    what="state = 1, reason = 0, note = NULL, changed_at = coalesce(changed_at, :at)",
    which="state = 4 AND reason = 6",
    outside=0,
)


def leave(db: sqlite3.Connection, meter: str, *, is_exchanged: bool, since: int, at: int, note: str) -> int:
    """Settle a meter's slots, as it has left its place. How many.

    Of what was due before it left, what is open is lost: nobody can read it any more. The reason is the one
    that is known, and else that it left. What was planned for later is not counted, whatever it came to;
    after an exchange what was kept of that time is the other meter's.

    Args:
        db: the writer's.
        meter: id.
        is_exchanged: whether another one stands there.
        since: when it left; seconds.
        at: now; seconds.
        note: what else is known.

    """
    reason = int(Reason.EXCHANGED if is_exchanged else Reason.NOT_IN_SERVICE)
    settled = db.execute(_NOT_COUNTED, (at, note, meter, since)).rowcount
    settled += db.execute(_LOST_UNTRIED, (reason, at, note, meter)).rowcount
    settled += db.execute(_LOST, (meter,)).rowcount
    if is_exchanged:
        settled += db.execute(_NOT_ITS_OWN, (note, meter, since)).rowcount
        db.execute(_DAYS_NOT_ITS_OWN, (meter, since))
    _cut_gaps(db, meter, since, note)
    return settled


def _cut_gaps(db: sqlite3.Connection, meter: str, since: int, note: str) -> None:
    """What was missed while nobody was there is not counted from a time on."""
    for number, every_s, first, until in db.execute(_GAPS_BEHIND, (meter, since)).fetchall():
        cut = first + max(0, -((first - since) // every_s)) * every_s
        if cut >= until:
            continue
        here = (number, first)
        if cut > first:
            db.execute(
                "INSERT OR REPLACE INTO gap SELECT series, ?, until_at, 8, ? FROM gap"
                " WHERE series = ? AND from_at = ?",
                (cut, note, *here),
            )
            db.execute("UPDATE gap SET until_at = ? WHERE series = ? AND from_at = ?", (cut, *here))
        else:
            db.execute("UPDATE gap SET reason = 8, note = ? WHERE series = ? AND from_at = ?", (note, *here))


def come_back(db: sqlite3.Connection, meter: str, outside: Iterable[Stretch], at: int) -> int:
    """A meter stands in its place again: what was due while it did is due again, and nothing else. How many.

    Only of classes that meters remember: the others have passed. What the meter did not hold stays lost.

    Args:
        db: the writer's.
        meter: id.
        outside: when it did not stand there.
        at: now; seconds.

    """
    given = {
        "meter": meter,
        "passing": json.dumps(sorted(PASSING)),
        "outside": json.dumps(list(outside)),
        "at": at,
    }
    return sum(db.execute(step, given).rowcount for step in (_AWAY, _DUE_AGAIN, _KEPT_AGAIN))


def leave_all(departures: Iterable[tuple[str, Departure]], now: int, db: sqlite3.Connection) -> int:
    """Settle the slots of meters that have left their places. How many."""
    return sum(
        leave(
            db,
            meter,
            is_exchanged=left.is_exchanged,
            since=seconds(left.at),
            at=now,
            note=time_out(left.at),
        )
        for meter, left in departures
    )


def come_back_all(outside: Iterable[tuple[str, Iterable[Absence]]], now: int, db: sqlite3.Connection) -> int:
    """Settle anew the slots of meters that are there again, each with the times in which it was not."""
    return sum(
        come_back(db, meter, [(seconds(since), seconds(until)) for since, until in away], now)
        for meter, away in outside
    )
