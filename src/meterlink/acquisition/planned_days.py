"""The days for which a plan opens slots: today, and those of an absence, as far back as meters remember."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.journal.ledger_rows import Due
from meterlink.model.data_classes import CURVE
from meterlink.model.slot import MONTH_S, Reason

Absence = tuple[datetime, datetime]
"""From when to when a meter was out of service before it came back; the end is not part of it."""

BACK_DAYS: Final = 400
"""So far back freezes are planned that nobody was there for: twelve settlements, and a month."""
CURVE_BACK_DAYS: Final = 62
"""The same for curves, of which meters hold a month or two."""
TOLD_BACK_DAYS: Final = 800
"""So far back an absence is told, in days that are too old to be planned."""
TOLD_LATE_DAYS: Final = 31
"""A new entry whose meter came into service no longer ago is planned from that day on; one that stood there
longer was nobody's to read, and is planned from today on. The successor of one that was planned is planned
from its first day whenever that was: its place was ours to read."""

_DAY: Final = timedelta(days=1)
_MONTH_DAYS: Final = 31


class Stretch(NamedTuple):
    """A time in which nobody could ask, and why."""

    since: datetime
    until: datetime
    reason: Reason


def days_behind(plan: StoredPlan, newest: datetime, now: datetime, *, least: int = 0) -> list[date]:
    """The days to plan: those since the newest slot that was planned, today included.

    Args:
        plan: of the series.
        newest: of its slots, or of those of another interval in whose place it stands.
        now: wall time.
        least: so many are planned in any case: 1 of a series that has no slot of its own today.

    """
    today = plan.calendar.day_of(now)
    count = max(least, (today - plan.calendar.day_of(newest)).days)
    return _last_days(today, min(count, back_days(plan)))


def first_days(plan: StoredPlan, point: Point | None, now: datetime, *, is_ours: bool = False) -> list[date]:
    """The days to plan of a series that was never planned.

    Today; of monthly freezes, as many as hold the last settlement. Of a meter that came into service lately,
    or that succeeds another, all since its first: people tell of it days later, and it holds them.

    Args:
        plan: of the series.
        point: the meter; ``None``: it has been planned, and it is the plan that is new.
        now: wall time.
        is_ours: whether the meter before it was planned.

    """
    today = plan.calendar.day_of(now)
    count = _MONTH_DAYS if plan.every_s == MONTH_S else 1
    if point is not None and point.in_service_since is not None:
        served = (today - plan.calendar.day_of(point.in_service_since)).days + 1
        if is_ours or served <= TOLD_LATE_DAYS:
            count = max(count, min(served, back_days(plan)))
    return _last_days(today, count)


def _last_days(today: date, count: int) -> list[date]:
    return [today - n * _DAY for n in reversed(range(count))]


def back_days(plan: StoredPlan) -> int:
    """So far back slots are opened that nobody was there for."""
    return CURVE_BACK_DAYS if plan.data_class == CURVE else BACK_DAYS


def too_far_back(
    plan: StoredPlan, point: Point, newest: datetime | None, away: Sequence[Absence], now: datetime
) -> Iterator[Stretch]:
    """The slots since the newest that was planned that are too old to be planned one by one, as stretches."""
    if newest is None or plan.every_s == MONTH_S:
        return
    today, last = plan.calendar.day_of(now), plan.calendar.day_of(newest)
    since, until = point.in_service_since, point.in_service_until
    told: Stretch | None = None
    for past in range(min((today - last).days, TOLD_BACK_DAYS) - 1, back_days(plan) - 1, -1):
        for slot in plan.slots_of(today - past * _DAY, point.reading_day):
            if (since is not None and slot < since) or (until is not None and slot >= until):
                continue
            is_away = any(left <= slot < came_back for left, came_back in away)
            reason = Reason.NOT_IN_SERVICE if is_away else Reason.NOT_RUNNING
            if told is not None and (slot, reason) != (told.until, told.reason):
                yield told
                told = None
            end = slot + timedelta(seconds=plan.every_s)
            told = Stretch(slot if told is None else told.since, end, reason)
    if told is not None:
        yield told


def slots_on(plan: StoredPlan, point: Point, days: Sequence[date]) -> tuple[Due, ...]:
    """The slots of some days, each with the time from which it is to be read."""
    return tuple(
        Due(int(slot.timestamp()), int(plan.due_at(slot, point.meter).timestamp()))
        for day in days
        for slot in plan.slots_of(day, point.reading_day)
    )
