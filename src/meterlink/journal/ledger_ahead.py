"""What was written of slots of meters' memory while the gateway's clock was ahead, undone when it is not.

A clock may be months ahead for minutes: a wrong time server, a battery that was changed. Who plans then finds
days between that nobody was there for, and that are too old to be planned one by one: they stand in a gap,
which would say for months that nobody was there, and that all of it is planned. But such a gap ends where
days became too old; one that ends much later was written by a clock that was ahead of the one that shows
now, and goes as a whole, so that its days are planned again from the last one that was.

It may also be the clock of now that is wrong, and behind: a start without a time server and without a
battery. So a gap stays behind which the series has kept anything, for no meter had a record of a time to
come. Rows of today and of days to come that were tried, or given up, at a time which has not come are due
again. Neither goes when the daemon has believed a later time than this for a day. A kept row always stays.

The numbers of states stand in the SQL as literals, as in ``ledger_rows``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

BELIEF_SLACK_S: Final = 3_600
"""What was believed so little ahead is no other time."""

_FALSE_GAP: Final = """
    gap.series = ?1 AND until_at > ?2 AND gap.reason < 64
    AND NOT EXISTS (SELECT 1 FROM slot WHERE slot.series = ?1 AND at >= until_at AND state = 1)
    AND NOT EXISTS (SELECT 1 FROM slot_day WHERE slot_day.series = ?1 AND slot_day.from_at >= until_at)
    AND coalesce((SELECT max(believed_at) FROM belief), 0) <= ?3 + ?4
    """
_TRIED_AHEAD: Final = """
    series = ?1 AND at >= ?2 AND state IN (0, 2, 3) AND changed_at > ?3
    AND coalesce((SELECT max(believed_at) FROM belief), 0) <= ?3 + ?4
    """
_HAS_GAP: Final = "SELECT 1 FROM gap WHERE {} LIMIT 1".format(_FALSE_GAP)  # noqa: S608, UP032  (constants)
_HAS_ROW: Final = "SELECT 1 FROM slot WHERE {} LIMIT 1".format(_TRIED_AHEAD)  # noqa: S608, UP032
_REMOVE_GAPS: Final = "DELETE FROM gap WHERE {}".format(_FALSE_GAP)  # noqa: S608, UP032
_REOPEN: Final = """
    UPDATE slot SET state = 0, reason = 0, tries = 0, changed_at = NULL, note = NULL WHERE {}
    """.format(_TRIED_AHEAD)  # noqa: S608, UP032


def is_ahead(db: sqlite3.Connection, number: int, *, cut: int, today: int, now: int) -> bool:
    """Whether anything of a series was written while the clock was ahead.

    Args:
        db: the journal's.
        number: of the series.
        cut: no gap of a right clock ends later than this; seconds.
        today: when the day of now began; seconds.
        now: seconds.

    """
    return (
        db.execute(_HAS_GAP, (number, cut, now, BELIEF_SLACK_S)).fetchone() is not None
        or db.execute(_HAS_ROW, (number, today, now, BELIEF_SLACK_S)).fetchone() is not None
    )


def undo(db: sqlite3.Connection, cuts: Mapping[int, int], *, today: int, now: int) -> None:
    """Undo it, in the writer's transaction.

    Args:
        db: the writer's.
        cuts: by number of a series, what no gap of a right clock ends later than; seconds.
        today: when the day of now began; seconds.
        now: seconds.

    """
    for number, cut in cuts.items():
        db.execute(_REMOVE_GAPS, (number, cut, now, BELIEF_SLACK_S))
        db.execute(_REOPEN, (number, today, now, BELIEF_SLACK_S))
