"""Whether enough of an area's freezes are there when they should be. Source: FRZ-01."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

from meterlink.alarms.finding import Finding, due
from meterlink.alarms.rules import FRZ_LOW
from meterlink.billing.source import Freezes
from meterlink.billing.standing import DayStanding

PERCENT = Decimal(100)


def low(freezes: Freezes, day: date, wanted: Decimal, when: str) -> list[Finding]:
    """The areas of a day of whose freezes too few are valid.

    Of the meters in service those count that have a freeze, or of which one was due: a meter whose protocol
    knows none is no gap of its area.

    Args:
        freezes: of the journal.
        day: which.
        wanted: in percent.
        when: until when that should be, for people.

    Raises:
        JournalError: the journal cannot be read.

    """
    at = freezes.end_of(day)
    meters: dict[str, list[str]] = defaultdict(list)
    for meter in freezes.points.in_service(at):
        meters[freezes.points.place(meter, at).area].append(meter)
    standings = {area: DayStanding(day, area) for area in meters}
    for row in freezes.all_after(0, until=freezes.newest(), day=day, area=None):
        if row.place.area in standings:
            standings[row.place.area].add(row)
    found = []
    for area, in_service in sorted(meters.items()):
        undue = {one for one in standings[area].lacking(in_service) if due(freezes, one, day) is None}
        counts = standings[area].counts([one for one in in_service if one not in undue])
        if counts.valid * PERCENT >= wanted * counts.in_service:
            continue
        share = Decimal(counts.shares["valid"] or 0)
        found.append(
            Finding(
                alarm=FRZ_LOW,
                day=day,
                area=area,
                value=f"{counts.valid}/{counts.in_service} ({share * PERCENT:.2f} %)",
                threshold=f"{wanted} % {when}",
            )
        )
    return found
