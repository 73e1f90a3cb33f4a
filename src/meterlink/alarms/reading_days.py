"""Which days are reading days of a meter, and which changes of them the roster was told. Source: SCH-01.

A change of the reading day does not touch the cycle that is under way: it ends on the old day, and the new
one holds from then on. So whoever moves the day back and forth can neither skip a bill nor have two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, NamedTuple

from meterlink.alarms.finding import LOOK_BACK, Finding
from meterlink.alarms.rules import READ_DAY_CHANGED
from meterlink.billing.points import Entry
from meterlink.billing.source import Freezes

_DAY: Final = timedelta(days=1)


class Held(NamedTuple):
    """A reading day, and from which date on it holds."""

    since: date
    day: int


def held(entries: Sequence[Entry], zone: tzinfo) -> list[Held]:
    """The reading days of a meter, oldest first; the first holds since ever.

    Args:
        entries: what was told of the meter, at least one.
        zone: of the plant.

    """
    found = [Held(date.min, entries[0].settings.reading_day)]
    for before, after in pairwise(entries):
        if before.settings.reading_day == after.settings.reading_day:
            continue
        told = after.at.astimezone(zone).date()
        if found[-1].since > told:  # the one before has not come to hold: the end of the cycle stands
            found[-1] = Held(found[-1].since, after.settings.reading_day)
        else:
            found.append(Held(_next(found[-1].day, told) + _DAY, after.settings.reading_day))
    return found


def nights(days: Sequence[Held], since: date, until: date) -> Iterator[date]:
    """The dates from one to another, both of them with it, whose freeze of 00:00 is billed.

    Args:
        days: of ``held``.
        since: first date.
        until: last date.

    """
    night = since
    while night <= until:
        if night.day == next(one.day for one in reversed(days) if one.since <= night):
            yield night
        night += _DAY


def changed(freezes: Freezes, now: datetime) -> list[Finding]:
    """The changes of reading days that the roster was told of late."""
    return [
        finding
        for meter, entries in freezes.points.entries()
        if len(entries) > 1  # as of few
        for finding in _changes(meter, entries, now - LOOK_BACK, freezes.zone)
    ]


def _changes(meter: str, entries: Sequence[Entry], since: datetime, zone: tzinfo) -> Iterator[Finding]:
    for number, (before, after) in enumerate(pairwise(entries), start=2):
        old, new = before.settings.reading_day, after.settings.reading_day
        if old == new or after.at < since:
            continue
        holds = held(entries[:number], zone)[-1].since
        yield Finding(
            alarm=READ_DAY_CHANGED,
            day=after.at.astimezone(zone).date(),
            meter=meter,
            area=after.settings.area,
            value=f"{old} -> {new}",
            threshold=f"from {holds} (row {after.seq})",
            evidence=(f"log:{after.seq}",),
        )


def _next(day: int, after: date) -> date:
    """The first date behind another that is such a day of the month; at most 28."""
    month = after if after.day < day else (after.replace(day=1) + 31 * _DAY)
    return month.replace(day=day)
