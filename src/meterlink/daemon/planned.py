"""The plans of the configuration as acquisition carries them out."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from meterlink.acquisition.calendars import Calendar
from meterlink.acquisition.plans import Plan, StoredPlan, merged
from meterlink.config import PlanSettings
from meterlink.config.plans import WEEKDAYS, window_of
from meterlink.model.data_classes import CURVE, MONTHLY_FREEZE
from meterlink.model.slot import DAY_S, MONTH_S, PASSING

_DAY = timedelta(days=1)
_CONFIGURATIONS_KEPT: Final = 4


def plans_of(plans: Sequence[PlanSettings], zone: tzinfo) -> tuple[list[Plan], list[StoredPlan]]:
    """Plans of what no meter remembers, and of what stands in its memory.

    Args:
        plans: of the configuration.
        zone: of the plant.

    Raises:
        ConfigError: two of one class and interval have different calendars.

    """
    passing, stored = _plans_of(tuple(plans), zone)
    return list(passing), list(stored)


@functools.lru_cache(_CONFIGURATIONS_KEPT)
def _plans_of(
    plans: tuple[PlanSettings, ...], zone: tzinfo
) -> tuple[tuple[Plan, ...], tuple[StoredPlan, ...]]:
    """As they are shared by all lines: a carrier module that leads has as many as it has meters."""
    passing = _beside(merged(_passing(plan, zone) for plan in plans if plan.data_class in PASSING))
    stored = merged(_stored(plan, zone) for plan in plans if plan.data_class not in PASSING)
    return tuple(passing), tuple(stored)


def calendar_of(plan: PlanSettings, zone: tzinfo) -> Calendar:
    """When a plan holds."""
    opens, closes = window_of(plan.window) if plan.window else (time(0), time(0))
    spread_s = plan.spread_s
    if spread_s is None:
        spread_s = _length_s(opens, closes) // 2 if plan.window else 0
    return Calendar(
        zone=zone,
        opens=opens,
        closes=closes,
        weekdays=frozenset(WEEKDAYS.index(day) for day in plan.days if isinstance(day, str)),
        month_days=frozenset(day for day in plan.days if isinstance(day, int)),
        since=plan.since,
        until=plan.until,
        spread_s=spread_s,
    )


def _passing(plan: PlanSettings, zone: tzinfo) -> Plan:
    return Plan(
        name=plan.name,
        every_s=plan.every_s,
        items=plan.items,
        tries=plan.tries,
        data_class=plan.data_class,
        calendar=calendar_of(plan, zone),
    )


def _beside(plans: Iterable[Plan]) -> Iterable[Plan]:
    """The same plans, each with the intervals of the others of its class."""
    intervals: dict[str, list[int]] = {}
    known = list(plans)
    for plan in known:
        intervals.setdefault(plan.data_class, []).append(plan.every_s)
    for plan in known:
        beside = tuple(every_s for every_s in intervals[plan.data_class] if every_s != plan.every_s)
        yield replace(plan, beside_s=beside)


def _stored(plan: PlanSettings, zone: tzinfo) -> StoredPlan:
    every_s = {CURVE: plan.every_s, MONTHLY_FREEZE: MONTH_S}.get(plan.data_class, DAY_S)
    return StoredPlan(
        name=plan.name,
        data_class=plan.data_class,
        every_s=every_s,
        items=plan.items,
        tries=plan.tries,
        retry_s=plan.every_s,
        calendar=calendar_of(plan, zone),
        gather_s=plan.gather_s,
        settlement_day=plan.settlement_day,
    )


def _length_s(opens: time, closes: time) -> int:
    """Seconds from one time of day to the next time that the clock shows the other."""
    day = date(2000, 1, 1)
    length = datetime.combine(day, closes) - datetime.combine(day, opens)
    return int((length if closes > opens else length + _DAY).total_seconds())
