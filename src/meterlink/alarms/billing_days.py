"""What is missing on the day that is billed: its freeze, its demand. Source: VEE-01, FRZ-05, SCH-04.

A suspect freeze is there: its marks hold it for a person, and nobody has to go and read the meter for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from meterlink.alarms.finding import LOOK_BACK, Finding, area_of, due
from meterlink.alarms.reading_days import Held, held, nights
from meterlink.alarms.rules import DEMAND_MISSING, MANUAL_READ, READ_MISSING
from meterlink.billing.days import slots_of
from meterlink.billing.source import Freezes
from meterlink.journal import contact_rows
from meterlink.model.slot import Standing
from meterlink.orders.attention.work_kinds import WorkKind

_DAY: Final = timedelta(days=1)


def missing(freezes: Freezes, now: datetime, *, manual_days: int, asks_demand: bool) -> list[Finding]:
    """What the reading days of the last two months lack, the newest first.

    Args:
        freezes: of the journal.
        now: aware.
        manual_days: without the freeze of a reading day, after which somebody goes and reads.
        asks_demand: whether a plan of freezes asks for a maximum demand.

    Raises:
        JournalError: the journal cannot be read.

    """
    return [
        finding
        for night, meters in sorted(_by_night(freezes, now).items(), reverse=True)
        for finding in _of_night(freezes, night, meters, now, manual_days, asks_demand=asks_demand)
    ]


def _by_night(freezes: Freezes, now: datetime) -> dict[date, list[str]]:
    """The meters whose freeze of a date's 00:00 is billed, and has been due for a day."""
    today = now.astimezone(freezes.zone).date()
    found: dict[date, list[str]] = defaultdict(list)
    known: dict[tuple[Held, ...], list[date]] = {}  # some dozen for all meters
    for meter, entries in freezes.points.entries():
        days = tuple(held(entries, freezes.zone))
        if days not in known:
            known[days] = list(nights(days, today - LOOK_BACK, today - _DAY))
        for night in known[days]:
            if entries[-1].settings.in_service(freezes.end_of(night - _DAY)):
                found[night].append(meter)
    return found


def _of_night(
    freezes: Freezes, night: date, meters: list[str], now: datetime, manual_days: int, *, asks_demand: bool
) -> Iterator[Finding]:
    day = night - _DAY
    slots = slots_of(day, freezes.zone)
    usable = freezes.journal.look(partial(contact_rows.usable, slots=slots))
    for meter in meters:
        if meter not in usable and (standing := due(freezes, meter, day)) is not None:
            yield from _without(freezes, meter, standing, day, now, manual_days)
    if not asks_demand:
        return
    has = freezes.journal.look(partial(contact_rows.with_demand, slots=slots))
    for meter in meters:
        settings = freezes.points.settings(meter)
        if meter in has or settings is None or settings.residential or due(freezes, meter, day) is None:
            continue
        yield Finding(
            alarm=DEMAND_MISSING,
            day=day,
            meter=meter,
            area=settings.area,
            value="no maximum demand / 无最大需量",
            threshold=f"reading day {night}",
        )


def _without(
    freezes: Freezes, meter: str, standing: Standing, day: date, now: datetime, manual_days: int
) -> Iterator[Finding]:
    area, night = area_of(freezes, meter, standing.key.slot), day + _DAY
    value = f"{standing.state.name.lower()}: {standing.reason.name.lower()}, {standing.tries} tries"
    threshold = f"reading day {night}"
    yield Finding(alarm=READ_MISSING, day=day, meter=meter, area=area, value=value, threshold=threshold)
    if now - standing.key.slot < manual_days * _DAY:
        return
    yield Finding(
        alarm=MANUAL_READ,
        day=day,
        meter=meter,
        area=area,
        value=value,
        threshold=f"{manual_days} d",
        work=WorkKind.MANUAL_READ,
        why=f"the freeze of {day} (00:00 of {night}, reading day) is missing for {manual_days} days: read by "
        f"hand / 抄表例日{night}零点冻结缺失已满{manual_days}天,请人工补抄",
    )
