"""Folding old days of the ledger; each change runs in the writer's transaction.

Kept slots become a row a day, for their readings stand in the log. Slots that are settled otherwise, of a
meter that is silent for a year or a register that it refuses, become a gap for each run of a day that stand
alike: same state, reason, tries and words. State and tries stand in the gap's reason, beside it:
``reason`` in the lowest 6 bits, then 3 of the state, then the tries. A gap that was told as such has neither,
and is below 64.

What may still change keeps its row: what is due, and of a curve all but what its meter no longer holds.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from meterlink.model.data_classes import CURVE
from meterlink.model.slot import ON_TIME_ELSE_S, on_time_s

_MAY_FOLD: Final = """
    (state = 1 OR state = 3 AND reason = 9 OR data_class <> 'curve' AND state IN (2, 3, 4))
    """
_RUNS: Final = """
    INSERT OR IGNORE INTO gap
    SELECT number, min(at), max(at) + every_s, code, said FROM (
        SELECT number, every_s, at, reason | (state << 6) | (tries << 9) AS code, note AS said,
               at / every_s - row_number() OVER (
                   PARTITION BY number, state, reason, tries, note ORDER BY at
               ) AS run
        FROM series JOIN slot ON slot.series = series.number
        WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
          AND every_s > 0 AND at >= :day AND at < :until AND state <> 1 AND {}
    ) GROUP BY number, code, said, run
    """.format(_MAY_FOLD)  # noqa: S608, UP032  (a constant)
_OLDEST: Final = """
    SELECT min((SELECT min(at) FROM slot WHERE series = number AND at >= ? AND {})) FROM series
    WHERE number BETWEEN ? AND ? AND data_class IN (SELECT value FROM json_each(?))
    """.format(_MAY_FOLD)  # noqa: S608, UP032
_FOLDED: Final = """
    DELETE FROM slot WHERE series IN (
        SELECT number FROM series
        WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
    ) AND at >= :day AND at < :until AND state <> 1
    AND EXISTS (
        SELECT 1 FROM series JOIN gap ON gap.series = series.number
        WHERE number = slot.series AND from_at <= at AND until_at > at AND (at - from_at) % every_s = 0
        AND gap.reason = slot.reason | (slot.state << 6) | (slot.tries << 9) AND gap.note IS slot.note
    )
    """


def oldest(db: sqlite3.Connection, first: int, last: int, classes: str, since: int) -> int | None:
    """The oldest slot from a time on, among some series, that can be folded."""
    (at,) = db.execute(_OLDEST, (since, first, last, classes)).fetchone()
    return None if at is None else int(at)


def fold(db: sqlite3.Connection, first: int, last: int, *, day: int, until: int, classes: str) -> int:
    """Fold the settled slots of one day and some series. How many rows of slots have gone.

    Args:
        db: the writer's.
        first: number of the first series.
        last: of the last.
        day: its first instant; seconds.
        until: the first instant behind it; seconds.
        classes: JSON, the classes of data that are folded.

    """
    given: dict[str, int | str] = {
        "first": first,
        "last": last,
        "day": day,
        "until": until,
        "classes": classes,
    }
    db.execute(_RUNS, given)
    return db.execute(_FOLDED, given).rowcount + _fold_kept(db, given)


def _fold_kept(db: sqlite3.Connection, given: dict[str, int | str]) -> int:
    """Fold the kept slots of one day and some series into a row each. How many rows have gone."""
    db.execute(
        """
        INSERT INTO slot_day
        SELECT series, :day, count(*),
               sum(changed_at - due_at <= CASE data_class WHEN 'curve' THEN :curve_s ELSE :else_s END)
        FROM series JOIN slot ON slot.series = series.number
        WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
          AND at >= :day AND at < :until AND state = 1
        GROUP BY series
        ON CONFLICT DO UPDATE SET kept = kept + excluded.kept, on_time = on_time + excluded.on_time
        """,
        {**given, "curve_s": on_time_s(CURVE), "else_s": ON_TIME_ELSE_S},
    )
    return db.execute(
        """
        DELETE FROM slot WHERE series IN (
            SELECT number FROM series
            WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
        ) AND at >= :day AND at < :until AND state = 1
        """,
        given,
    ).rowcount
