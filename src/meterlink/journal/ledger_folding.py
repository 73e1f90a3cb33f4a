"""Folding old days of the ledger, and forgetting them; each change runs in the writer's transaction.

Kept slots become a row a day, for their readings stand in the log. Slots that are settled otherwise, of a
meter that is silent for a year or a register that it refuses, become a gap for each run that stands alike:
same state, reason, tries and words. State and tries stand in the gap's reason, beside it: ``reason`` in the
lowest 6 bits, then 3 of the state, then the tries. A gap that was told as such has neither, and is below 64.
Runs of days that follow one another are one gap, up to the length that is made up for as one.

What may still change keeps its row: what is due, and of a curve all but what its meter no longer holds, until
it is so old that the journal would keep no reading of it. Then what is due of it is lost, with the reason
that is known. What is folded is taken out by age in the end, and it stands in ``forgotten`` that it was.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from meterlink.journal.ledger_rows import MADE_UP_MAX
from meterlink.model.data_classes import CURVE
from meterlink.model.slot import ON_TIME_ELSE_S, on_time_s

FORGOTTEN_AT_ONCE: Final = 20_000
"""Rows that one transaction takes out at most."""
_DAY_S: Final = 86_400

# CROSS JOIN: each series first, and of it the rows of the time; else all rows of hundreds are gone through.
_MAY_FOLD: Final = """
    (state = 1 OR state = 3 AND reason = 9
     OR (data_class <> 'curve' OR at < :given_up) AND state IN (2, 3, 4))
    """
_GIVEN_UP: Final = """
    UPDATE slot SET state = 3 WHERE series IN (
        SELECT number FROM series WHERE number BETWEEN :first AND :last AND data_class = 'curve'
    ) AND state = 0 AND at >= :day AND at < min(:until, :given_up)
    """
_RUNS: Final = """
    INSERT OR IGNORE INTO gap
    SELECT number, min(at), max(at) + every_s, code, said FROM (
        SELECT number, every_s, at, reason | (state << 6) | (tries << 9) AS code, note AS said,
               at / every_s - row_number() OVER (
                   PARTITION BY number, state, reason, tries, note ORDER BY at
               ) AS run
        FROM series CROSS JOIN slot ON slot.series = series.number
        WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
          AND every_s > 0 AND at >= :day AND at < :until AND state <> 1 AND {}
    ) GROUP BY number, code, said, run
    """.format(_MAY_FOLD)  # noqa: S608, UP032  (a constant)
_OLDEST: Final = """
    SELECT min((
        SELECT min(at) FROM slot WHERE series = number AND at >= :since
        AND ({} OR data_class = 'curve' AND state = 0 AND at < :given_up)
    )) FROM series
    WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
    """.format(_MAY_FOLD)  # noqa: S608, UP032
_FOLDED: Final = """
    DELETE FROM slot WHERE series IN (
        SELECT number FROM series
        WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
    ) AND at >= :day AND at < :until AND state <> 1
    AND EXISTS (
        SELECT 1 FROM series JOIN gap ON gap.series = series.number
        WHERE number = slot.series AND +from_at <= at AND until_at > at AND (at - from_at) % every_s = 0
        AND gap.reason = slot.reason | (slot.state << 6) | (slot.tries << 9) AND gap.note IS slot.note
    )
    """
_BEGIN: Final = """
    SELECT number, from_at, until_at, reason, note FROM series CROSS JOIN gap ON gap.series = number
    WHERE number BETWEEN :first AND :last AND data_class IN (SELECT value FROM json_each(:classes))
      AND from_at >= :since AND from_at < :before AND reason >= 64
    ORDER BY number, from_at
    """
_ENDS_THERE: Final = """
    SELECT from_at FROM gap INDEXED BY gap_by_end
    WHERE series = ? AND until_at = ? AND reason = ? AND note IS ? AND from_at >= ? LIMIT 1
    """
_HAS_OLD: Final = """
    SELECT 1 FROM series WHERE number BETWEEN :first AND :last AND data_class = :data_class AND (
        EXISTS (SELECT 1 FROM gap WHERE gap.series = number AND until_at <= :before)
        OR EXISTS (SELECT 1 FROM slot_day WHERE slot_day.series = number AND from_at < :before - 86400)
    ) LIMIT 1
    """
_FORGET_GAPS: Final = """
    DELETE FROM gap WHERE (series, from_at) IN (
        SELECT gap.series, gap.from_at FROM series CROSS JOIN gap ON gap.series = number
        WHERE number BETWEEN :first AND :last AND data_class = :data_class AND until_at <= :before LIMIT :most
    )
    """
_FORGET_DAYS: Final = """
    DELETE FROM slot_day WHERE (series, from_at) IN (
        SELECT slot_day.series, from_at FROM series CROSS JOIN slot_day ON slot_day.series = number
        WHERE number BETWEEN :first AND :last AND data_class = :data_class AND from_at < :before LIMIT :most
    )
    """


def oldest(
    db: sqlite3.Connection, first: int, last: int, classes: str, since: int, *, given_up: int
) -> int | None:
    """The oldest slot from a time on, among some series, that can be folded; see ``fold``."""
    given: dict[str, int | str] = {
        "first": first,
        "last": last,
        "classes": classes,
        "since": since,
        "given_up": given_up,
    }
    (at,) = db.execute(_OLDEST, given).fetchone()
    return None if at is None else int(at)


def fold(
    db: sqlite3.Connection, first: int, last: int, *, day: int, until: int, classes: str, given_up: int
) -> int:
    """Fold the settled slots of one day and some series. How many rows of slots have gone.

    Args:
        db: the writer's.
        first: number of the first series.
        last: of the last.
        day: its first instant; seconds.
        until: the first instant behind it; seconds.
        classes: JSON, the classes of data that are folded.
        given_up: points of curves before this are lost where they are due; seconds.

    """
    given: dict[str, int | str] = {
        "first": first,
        "last": last,
        "day": day,
        "until": until,
        "classes": classes,
        "given_up": given_up,
    }
    db.execute(_GIVEN_UP, given)
    db.execute(_RUNS, given)
    gone = db.execute(_FOLDED, given).rowcount + _fold_kept(db, given)
    _join(db, given, since=day, before=until)
    _join(db, given, since=until, before=until + _DAY_S)
    return gone


def _join(db: sqlite3.Connection, given: dict[str, int | str], *, since: int, before: int) -> None:
    """Make gaps that begin in [since, before) one with those that end where they begin, and stand alike."""
    longest_s = int(MADE_UP_MAX.total_seconds())
    begun = db.execute(_BEGIN, {**given, "since": since, "before": before}).fetchall()
    for series, from_at, until_at, reason, note in begun:
        alike = (series, from_at, reason, note, until_at - longest_s)
        if (row := db.execute(_ENDS_THERE, alike).fetchone()) is None:
            continue
        db.execute("DELETE FROM gap WHERE series = ? AND from_at = ?", (series, from_at))
        db.execute("UPDATE gap SET until_at = ? WHERE series = ? AND from_at = ?", (until_at, series, *row))


def is_old(db: sqlite3.Connection, first: int, last: int, *, data_class: str, before: int) -> bool:
    """Whether anything was folded of a class and some series before a time."""
    given = {"first": first, "last": last, "data_class": data_class, "before": before}
    return db.execute(_HAS_OLD, given).fetchone() is not None


def forget(db: sqlite3.Connection, first: int, last: int, *, data_class: str, before: int) -> int:
    """Take out what was folded of a class and some series before a time, a part of it. How many rows.

    Args:
        db: the writer's.
        first: number of the first series.
        last: of the last.
        data_class: which.
        before: seconds.

    """
    given = {"first": first, "last": last, "data_class": data_class, "most": FORGOTTEN_AT_ONCE}
    gone = db.execute(_FORGET_GAPS, {**given, "before": before}).rowcount
    gone += db.execute(_FORGET_DAYS, {**given, "before": before - _DAY_S}).rowcount
    if gone:
        db.execute(
            "INSERT INTO forgotten VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET before_at = max(before_at, excluded.before_at)",
            (data_class, before),
        )
    return gone


def forgotten(db: sqlite3.Connection) -> dict[str, int]:
    """By class, before when the ledger holds nothing any more; seconds."""
    found = db.execute("SELECT data_class, before_at FROM forgotten")
    return {data_class: int(before) for data_class, before in found}


def _fold_kept(db: sqlite3.Connection, given: dict[str, int | str]) -> int:
    """Fold the kept slots of one day and some series into a row each. How many rows have gone."""
    db.execute(
        """
        INSERT INTO slot_day
        SELECT series, :day, count(*),
               sum(changed_at - due_at <= CASE data_class WHEN 'curve' THEN :curve_s ELSE :else_s END)
        FROM series CROSS JOIN slot ON slot.series = series.number
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
