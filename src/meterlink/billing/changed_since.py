"""Whose consumption may have become another since: freezes came, the roster was told more, or an estimate.

Consumption stands in no log: it is worked out of what does. So who has asked for all of it once asks for that
of the meters of which something was kept since.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Final

from meterlink.billing.days import slots_of
from meterlink.billing.source import Freezes
from meterlink.journal import act_rows, freeze_rows, roster_rows
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Topic
from meterlink.validation.turnover import USUAL_DAYS

_DAY: Final = timedelta(days=1)


def newest(freezes: Freezes, reader: JournalReader, *, estimates: bool) -> int:
    """The last row of the log that consumption is worked out of.

    Args:
        freezes: of the journal.
        reader: of the same.
        estimates: whether estimates are told beside it.

    Raises:
        JournalError: the journal cannot be read.

    """
    topics = (Topic.ROSTER, Topic.ESTIMATE) if estimates else (Topic.ROSTER,)
    told = reader.look(partial(act_rows.newest_of, topics=topics))
    return max(told, freezes.newest_freeze())


def changed_since(
    freezes: Freezes, reader: JournalReader, seq: int, first: date, last: date, *, estimates: bool
) -> frozenset[str]:
    """Our ids of the meters of which something was kept behind a row of the log, and of their places.

    Args:
        freezes: of the journal.
        reader: of the same.
        seq: the row.
        first: day from whose beginning on consumption is asked.
        last: day to whose end.
        estimates: whether estimates are told beside it: a freeze of any later day takes one back.

    Raises:
        JournalError: the journal cannot be read.

    """
    since, _ = slots_of(first - _DAY, freezes.zone)
    before = None if estimates else slots_of(last, freezes.zone)[1]
    found = reader.look(partial(freeze_rows.meters_behind, after=seq, since=since, before=before))
    found |= _of_usual_days(freezes, reader, seq, first, last)
    found |= reader.look(partial(roster_rows.changed_behind, after=seq))
    if estimates:
        found |= reader.look(partial(act_rows.meters_behind, topic=Topic.ESTIMATE, after=seq))
    return frozenset(one for meter in found for one in freezes.points.places_of(meter))


def _of_usual_days(
    freezes: Freezes, reader: JournalReader, seq: int, first: date, last: date
) -> frozenset[str]:
    """Meters that came or went in the span, and of which a day before it became known.

    What was told of that moment is held against the usual days before it (VEE-12), so a freeze of one of them
    may take the mark ``meter_change`` from an amount, or put it there.
    """
    since, _ = slots_of(first - _DAY, freezes.zone)
    early, _ = slots_of(first - _DAY - USUAL_DAYS * _DAY, freezes.zone)
    found = reader.look(partial(freeze_rows.meters_behind, after=seq, since=early, before=since))
    turned = freezes.points.turned(freezes.end_of(first - _DAY), freezes.end_of(last)) if found else set()
    return frozenset(meter for meter in found if not turned.isdisjoint(freezes.points.places_of(meter)))
