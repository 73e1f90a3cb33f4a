"""Looking into the ledger: what is open, what one slot's story is, and how many stand alike.

The numbers of states stand in the SQL as literals: the index of open slots is found by them alone. A gap is
lost (3), but that of a meter which was not in service (reason 8) is not counted (4). A gap that old rows were
folded into has their state and tries beside their reason, in one number; see ``ledger_folding``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from meterlink.journal.ledger_rows import moment, seconds
from meterlink.model.data_classes import CURVE, DataClass
from meterlink.model.slot import (
    LOOK_OF_DAY,
    ON_TIME_ELSE_S,
    Reason,
    SlotKey,
    Standing,
    State,
    Tally,
    lacking_note,
    on_time_s,
)

_CURRENT: Final = """
    SELECT due_at FROM slot WHERE series = ? AND state = 0 AND due_at >= ? AND due_at <= ?
    ORDER BY due_at LIMIT 1
    """
_COMING: Final = """
    SELECT due_at FROM slot WHERE series = ? AND state = 0 AND due_at > ? ORDER BY due_at LIMIT 1
    """
_NEWEST: Final = """
    SELECT at FROM slot WHERE series = ? AND state = 0 AND due_at < ? ORDER BY due_at DESC LIMIT 1
    """
_OLDEST: Final = "SELECT at FROM slot WHERE series = ? AND state = 0 AND due_at < ? ORDER BY due_at LIMIT 1"
_OPEN: Final = {
    True: """
        SELECT at FROM slot
        WHERE series = ? AND state = 0 AND due_at >= ? AND due_at < ? AND at NOT BETWEEN ? AND ?
        ORDER BY due_at DESC LIMIT ?
        """,
    False: """
        SELECT at FROM slot
        WHERE series = ? AND state = 0 AND due_at >= ? AND due_at < ? AND at NOT BETWEEN ? AND ?
        ORDER BY due_at LIMIT ?
        """,
}
"""By whether the newest come first."""
_STANDING: Final = """
    SELECT data_class, every_s, at, state, reason, tries, due_at, changed_at, note
    FROM series JOIN slot ON slot.series = series.number
    WHERE meter = ? AND at = ? ORDER BY data_class, every_s
    """
_GAPS: Final = """
    SELECT data_class, every_s, ?2,
           CASE WHEN reason >= 64 THEN (reason >> 6) & 7 WHEN reason = 8 THEN 4 ELSE 3 END,
           reason & 63, reason >> 9, ?2, iif(reason >= 64, ?2 + every_s, until_at), note
    FROM series JOIN gap ON gap.series = series.number
    WHERE meter = ?1 AND +from_at <= ?2 AND until_at > ?2 AND (?2 - from_at) % every_s = 0
    ORDER BY data_class, every_s
    """
_NEVER: Final = 2**62
KEPT_AHEAD_MAX: Final = 10_000
"""Rows that are looked through for one that was not kept while the clock was ahead."""
_ALIVE_BEFORE: Final = """
    SELECT max(
        coalesce((
            SELECT alive_at FROM life WHERE boot < ?1 AND alive_at <= ?2 ORDER BY boot DESC LIMIT 1
        ), -1),
        coalesce((
            SELECT max(kept_at / 1000000) FROM (
                SELECT kept_at FROM log WHERE boot < ?1 AND kind = 'reading' ORDER BY id DESC LIMIT ?3
            ) WHERE kept_at / 1000000 <= ?2
        ), -1))
    """
_BEGAN: Final = """
    SELECT data_class, every_s, min(
        coalesce((SELECT min(at) FROM slot WHERE series = number), ?2),
        coalesce((SELECT min(from_at) FROM slot_day WHERE series = number), ?2),
        coalesce((SELECT min(from_at) FROM gap WHERE series = number), ?2))
    FROM series WHERE meter = ?1
    """
# CROSS JOIN: each series first, and of it the rows of the time; else all rows of hundreds are gone through.
_TALLIES: Final = """
    SELECT meter, data_class, every_s, state, reason, count(*),
           sum(state = 1 AND changed_at - due_at
               <= CASE data_class WHEN 'curve' THEN :curve_s ELSE :else_s END),
           sum(state = 1 AND note IS NOT NULL AND instr(note, :look) <> 1)
    FROM series CROSS JOIN slot ON slot.series = series.number
    WHERE number BETWEEN :first AND :last AND at >= :since AND at < :until AND due_at <= :now
      AND data_class IN (SELECT value FROM json_each(:classes))
    GROUP BY number, state, reason
    UNION ALL
    SELECT meter, data_class, every_s, 1, 0, kept, on_time, 0
    FROM series CROSS JOIN slot_day ON slot_day.series = series.number
    WHERE number BETWEEN :first AND :last AND from_at >= :since AND from_at < :until
      AND data_class IN (SELECT value FROM json_each(:classes))
    UNION ALL
    SELECT meter, data_class, every_s,
           CASE WHEN reason >= 64 THEN (reason >> 6) & 7 WHEN reason = 8 THEN 4 ELSE 3 END, reason & 63,
           (min(until_at, :until) - 1) / every_s - (max(from_at, :since) - 1) / every_s, 0, 0
    FROM series CROSS JOIN gap ON gap.series = series.number
    WHERE number BETWEEN :first AND :last AND +from_at < :until AND until_at > :since
      AND data_class IN (SELECT value FROM json_each(:classes))
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The open slots of a series, seen from afar.

    Args:
        current: when the first of those became due that are due and no backfill; ``None``: there is none.
        coming: when the next one becomes due; ``None``: none is planned.
        newest: of backfill, the newest slot; ``None``: there is none.
        oldest: of backfill, the oldest slot.

    """

    current: int | None
    coming: int | None
    newest: int | None
    oldest: int | None


def newest(db: sqlite3.Connection, number: int, before: int) -> int | None:
    """The newest slot of a series before a time that has a row, or stands in a folded day or gap."""
    (found,) = db.execute(
        """
        SELECT max(
            coalesce((SELECT max(at) FROM slot WHERE series = ?1 AND at < ?2), -1),
            coalesce((SELECT max(from_at) FROM slot_day WHERE series = ?1 AND from_at < ?2), -1),
            coalesce((
                SELECT min(until_at, ?2) - 1 FROM gap WHERE series = ?1 AND +from_at < ?2
                ORDER BY until_at DESC LIMIT 1
            ), -1))
        """,
        (number, before),
    ).fetchone()
    return None if found < 0 else int(found)


def front(db: sqlite3.Connection, number: int, now: int, current_from: int) -> Front:
    """The open slots of a series; those that became due before ``current_from`` are backfill."""

    def first(statement: str, *times: int) -> int | None:
        row = db.execute(statement, (number, *times)).fetchone()
        return int(row[0]) if row else None

    behind = min(current_from, now + 1)
    return Front(
        current=first(_CURRENT, current_from, now),
        coming=first(_COMING, max(now, current_from - 1)),
        newest=first(_NEWEST, behind),
        oldest=first(_OLDEST, behind),
    )


def open_slots(
    db: sqlite3.Connection,
    number: int,
    *,
    since: int,
    until: int,
    newest_first: bool,
    limit: int,
    beside: tuple[int, int] | None = None,
) -> list[int]:
    """Open slots of a series that became due in [since, until), without those from one to another."""
    first, last = beside or (_NEVER, -_NEVER)
    found = db.execute(_OPEN[newest_first], (number, since, until, first, last, limit))
    return [int(at) for (at,) in found]


def standings(db: sqlite3.Connection, meter: str, slot: datetime) -> list[Standing]:
    """What is known of a meter's slots of one instant, a row a series."""
    at = seconds(slot)
    found = [_standing(meter, row) for row in db.execute(_STANDING, (meter, at))]
    known = {(one.key.data_class, one.key.every_s) for one in found}
    gaps = (_standing(meter, row) for row in db.execute(_GAPS, (meter, at)))
    return found + [one for one in gaps if (one.key.data_class, one.key.every_s) not in known]


def began(db: sqlite3.Connection, meter: str) -> dict[tuple[str, DataClass, int], datetime]:
    """Of each series of a meter the first slot that is known, by meter, class and seconds."""
    found = db.execute(_BEGAN, (meter, _NEVER)).fetchall()
    return {(meter, data_class, every_s): moment(at) for data_class, every_s, at in found if at < _NEVER}


def tallies(
    db: sqlite3.Connection, classes: str, *, since: int, until: int, now: int, first: int, last: int
) -> list[Tally]:
    """How the slots of [since, until) stand that were due by now; series by number, a part at a time."""
    given: dict[str, str | int] = {
        "classes": classes,
        "since": since,
        "until": until,
        "now": now,
        "first": first,
        "last": last,
    }
    given |= {"curve_s": on_time_s(CURVE), "else_s": ON_TIME_ELSE_S, "look": lacking_note([LOOK_OF_DAY], "")}
    return [
        Tally(
            meter=meter,
            data_class=data_class,
            every_s=every_s,
            state=State(state),
            reason=Reason(reason),
            slots=slots,
            on_time=on_time,
            lacking=lacking,
        )
        for meter, data_class, every_s, state, reason, slots, on_time, lacking in db.execute(_TALLIES, given)
        if slots
    ]


def last_series(db: sqlite3.Connection) -> int:
    """The greatest number of a series, or 0."""
    (number,) = db.execute("SELECT coalesce(max(number), 0) FROM series").fetchone()
    return int(number)


def lived_until(db: sqlite3.Connection, boot: int, now: int = _NEVER) -> int | None:
    """When the last start before this one was last seen alive: it said so, or kept what a meter told.

    Acts do not count: a command may keep them while no daemon runs, under the number of its last start. What
    was told of a time that has not come was told while the clock was ahead, and does not count either.

    Args:
        db: the journal's.
        boot: number of this start.
        now: when it began; seconds.

    """
    (found,) = db.execute(
        """
        SELECT max(
            coalesce((
                SELECT alive_at FROM life WHERE boot < ?1 AND alive_at <= ?2 ORDER BY boot DESC LIMIT 1
            ), -1),
            coalesce((
                SELECT kept_at FROM log WHERE boot < ?1 AND kind = 'reading' ORDER BY id DESC LIMIT 1
            ) / 1000000, -1))
        """,
        (boot, now),
    ).fetchone()
    if found > now:
        (found,) = db.execute(_ALIVE_BEFORE, (boot, now, KEPT_AHEAD_MAX)).fetchone()
    return None if found < 0 else int(found)


def lives(db: sqlite3.Connection, boot: int, since: int) -> list[tuple[int, int]]:
    """From when until when each start before this one is known to have lived, of those that lived later.

    Args:
        db: the journal's.
        boot: number of this start.
        since: seconds.

    """
    query = """
        SELECT started_at / 1000000, alive_at FROM boot JOIN life ON life.boot = boot.number
        WHERE boot.number < ? AND alive_at > ? ORDER BY boot.number
        """
    return [(int(began), int(ended)) for began, ended in db.execute(query, (boot, since)) if began < ended]


def believed_until(db: sqlite3.Connection, boot: int) -> int | None:
    """By which time rows aged when the last start before this one was last seen alive."""
    row = db.execute(
        """
        SELECT believed_at FROM life LEFT JOIN belief ON belief.boot = life.boot
        WHERE life.boot < ? ORDER BY life.boot DESC LIMIT 1
        """,
        (boot,),
    ).fetchone()
    if row is None or row[0] is None:
        return lived_until(db, boot)
    return int(row[0])


def parts(last: int, size: int) -> Iterator[tuple[int, int]]:
    """Series by number, so many at a time: first and last of each part."""
    for first in range(1, last + 1, size):
        yield first, min(first + size - 1, last)


def _standing(meter: str, row: Sequence[Any]) -> Standing:
    data_class, every_s, at, state, reason, tries, due_at, changed_at, note = row
    return Standing(
        key=SlotKey(meter, data_class, every_s, moment(at)),
        state=State(state),
        reason=Reason(reason),
        tries=tries,
        due_at=moment(due_at),
        changed_at=None if changed_at is None else moment(changed_at),
        note=note or "",
    )
