"""When meters that stand in their places had been out of service before, as the roster's history tells it.

A meter that is taken out of the roster and listed again keeps its id and its first day of service; that it
was out in between stands only in what was changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from meterlink.journal.cells import instant
from meterlink.journal.roster_rows import kept_time

Absence = tuple[datetime, datetime]
"""From when to when, the end not included; aware."""

_LISTED_AGAIN: Final = """
    SELECT json_extract(old, '$.in_service_until'), json_extract(new, '$.in_service_until'),
           json_extract(new, '$.in_service_since'), act.at
    FROM roster_change
    JOIN act ON act.topic = 'roster' AND act.subject = 'roster' AND act.step = roster_change.revision
    WHERE roster_change.meter = ? AND old LIKE '%"in_service_until"%'
      AND json_valid(old) AND json_valid(new)
    ORDER BY roster_change.revision
    """


def away(db: sqlite3.Connection, meters: Iterable[str]) -> dict[str, list[Absence]]:
    """By our id, the times in which a meter was out of service before it came back; of the others nothing.

    It was out from the end that the roster said until it was listed again, or until the later day that its
    new entry says. An end that was taken back before it came was none.

    Args:
        db: the journal's.
        meters: our ids.

    Raises:
        JournalError: a change is damaged.

    """
    found: dict[str, list[Absence]] = {}
    for meter in meters:
        for old_end, new_end, new_begin, at in db.execute(_LISTED_AGAIN, (meter,)):
            since, told = _time(old_end, meter), instant(at)
            end, begin = _time(new_end, meter), _time(new_begin, meter)
            until = told if begin is None else max(told, begin)
            if since is not None and since < until and (end is None or end > told):
                found.setdefault(meter, []).append((since, until))
    return found


def _time(written: object, meter: str) -> datetime | None:
    return None if written is None else kept_time(written, f"a change of meter {meter!r}")
