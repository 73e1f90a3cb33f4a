"""Series in whose place another one stands: the same data of the same meter, until now in another interval.

Who gives a plan another interval while nobody is there wants the same of the meter as before. So the absence
counts from where the old series ended, or the time between the two would be nobody's.

A series that a plan asks for today is not replaced; nor is one of a meter's memory of which it is known that
no plan has asked for it since a time: what came then was not due. Of values of the moment that is not kept;
of those the times in which the daemon lived tell it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import Final

from meterlink.journal import ledger_looks
from meterlink.journal.ledger_rows import moment
from meterlink.journal.series import Series
from meterlink.model.slot import PASSING, SlotKey

_OTHERS: Final = """
    SELECT number, every_s FROM series LEFT JOIN asked ON asked.series = series.number
    WHERE meter = ?1 AND data_class = ?2 AND every_s <> ?3
    AND (ended_at IS NULL OR data_class IN (SELECT value FROM json_each(?4)))
    """


def newest(db: sqlite3.Connection, series: Series, before: int, asked: Collection[Series]) -> SlotKey | None:
    """The newest slot before a time of the series in whose place one stands; ``None``: in no other's.

    Args:
        db: the journal's.
        series: that stands there now.
        before: seconds.
        asked: all that plans ask for.

    """
    found: SlotKey | None = None
    for number, every_s in db.execute(_OTHERS, (*series, json.dumps(sorted(PASSING)))).fetchall():
        other = series._replace(every_s=every_s)
        at = None if other in asked else ledger_looks.newest(db, number, before)
        if at is not None and (found is None or moment(at) > found.slot):
            found = other.key(moment(at))
    return found
