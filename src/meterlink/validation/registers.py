"""Rules about what registers show: going back, rolling over, sudden change, the sum of the tariffs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from meterlink.model.history import Shown
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading
from meterlink.validation.case import Case, capacities_of, step
from meterlink.validation.facts import HOURS_A_DAY, MeterFacts

DAYS_MIN: Final = 7
"""Consumptions of days below which nothing is called usual: a week has all kinds of days."""
SIGMA_OF_MAD: Final = Decimal("1.4826")
"""Standard deviation as a multiple of the median deviation. Source: business-rules, section 5."""
SIGMAS: Final = 5
PART_OF_MEDIAN: Final = Decimal("0.5")
HOUSEHOLD_KWH: Final = Decimal(10)
"""A change of a household's day below this is none. Source: VEE-05."""
PART_OF_CAPACITY: Final = Decimal("0.05")
"""The same of others, as a part of what the supply carries in a day. Source: VEE-05."""
A_DAY: Final = (timedelta(hours=23), timedelta(hours=25))
"""Two freezes are a day apart; each may have been taken some minutes from midnight."""
TOLERANCE_A_TARIFF: Final = Decimal("0.01")
TOLERANCE: Final = Decimal("0.02")
"""kWh by which total and tariffs may differ. Source: VEE-04."""
_ENERGY_UNIT: Final = "kWh"


def going_back(case: Case) -> Marks:
    """A register that shows less than before has rolled over, or gone back (VEE-03).

    A settlement also where it shows less than the meter was seen to show by then: DL/T 645 tells no time of
    settlements, so the one before stands in the place of one that a clock was set over.
    """
    if case.seen is not None and is_overtaken(case.reading, case.seen, case.facts):
        return Marks.REG_BACK
    made = case.step
    if made is None or (made.counted >= 0 and not made.rolled_over):
        return NO_MARKS
    return Marks.ROLL_OVER if made.rolled_over else Marks.REG_BACK


def is_overtaken(settled: Reading, seen: Shown, facts: MeterFacts) -> bool:
    """Whether a settlement shows less than the meter had shown by then, so that it is of an earlier time.

    Args:
        settled: a register of the settlement.
        seen: what it showed at the same instant or before.
        facts: of the meter.

    """
    if settled.value is None or not capacities_of(settled.item, facts):
        return False
    made = step(seen, Shown(settled.slot, settled.value), settled.item, facts)
    return made.counted < -TOLERANCE and not made.rolled_over


def sudden_change(case: Case) -> Marks:
    """A day's consumption that is far from the usual of the last 30 days (VEE-05).

    Of the total only: people move their use between tariffs. Days that were sudden themselves count among
    the 30: they do not move a median, and when a customer has changed for good, half of the days later the
    new use is the usual one. After a gap the mean of its days is judged.
    """
    made = case.step
    if "." in case.reading.item or case.reading.unit != _ENERGY_UNIT or made is None:
        return NO_MARKS
    if made.counted < 0 or made.span < A_DAY[0]:
        return NO_MARKS
    usual = list(_days(case))
    if len(usual) < DAYS_MIN:
        return NO_MARKS
    multiplier = case.facts.multiplier
    median = statistics.median(usual) * multiplier
    apart = abs(made.counted / made.days * multiplier - median)
    if apart <= max(PART_OF_MEDIAN * median, _least(case)):
        return NO_MARKS
    sigma = SIGMA_OF_MAD * statistics.median(abs(one * multiplier - median) for one in usual)
    return Marks.SUDDEN_CHANGE if apart > SIGMAS * sigma else NO_MARKS


def tariff_sum(case: Case) -> Marks:
    """A total that is not the sum of its tariffs, all of one slot; asked of total and tariffs (VEE-04).

    Registers that have rolled over, one alone or several, differ by whole capacities; that is no fault. It is
    judged when all of them are there; what the meter does not have counts for nothing.
    """
    quantity, _, dimension = case.reading.item.partition(".")
    if not (dimension == "" or _is_tariff(dimension)):
        return NO_MARKS
    if quantity not in case.sums:
        case.sums[quantity] = _sum(case, quantity)
    return case.sums[quantity]


def _sum(case: Case, quantity: str) -> Marks:
    capacities = capacities_of(quantity, case.facts)
    if not capacities:
        return NO_MARKS
    total, tariffs = case.together.get(quantity), _tariffs(case, quantity)
    if total is None or total.value is None or tariffs is None:
        return NO_MARKS
    apart = abs(total.value - sum(tariffs))
    allowed = TOLERANCE_A_TARIFF * len(tariffs) + TOLERANCE
    if all(min(apart % one, one - apart % one) > allowed for one in capacities):
        return Marks.TARIFF_SUM
    return NO_MARKS


def _days(case: Case) -> Iterator[Decimal]:
    """What the register counted on each of the days before, as far as that is known."""
    shortest, longest = A_DAY
    for after, before in pairwise(case.past):
        if shortest <= after.at - before.at <= longest:
            counted = after.value - before.value
            if counted < 0:
                counted = step(before, after, case.reading.item, case.facts).counted
            if counted >= 0:
                yield counted


def _least(case: Case) -> Decimal:
    """A change below this is none, in kWh."""
    if case.facts.is_residential:
        return HOUSEHOLD_KWH
    return PART_OF_CAPACITY * case.facts.plate_kva * case.facts.multiplier * HOURS_A_DAY


def _is_tariff(dimension: str) -> bool:
    return dimension[0] == "t" and dimension[1:].isdecimal()


def _tariffs(case: Case, quantity: str) -> list[Decimal] | None:
    """The tariffs of a quantity; ``None``: one that there must be is not known, or there are none."""
    there = {
        item: one
        for item, one in case.together.items()
        if item.startswith(f"{quantity}.") and _is_tariff(item.removeprefix(f"{quantity}."))
    }
    wanted = {f"{quantity}.t{number}" for number in range(1, case.facts.tariffs + 1)}
    if not wanted <= there.keys() or any(map(_is_broken, there.values())):
        return None
    return [one.value for one in there.values() if one.value is not None] or None


def _is_broken(reading: Reading) -> bool:
    """Whether there is a register, and nobody knows what it shows."""
    return reading.value is None and Marks.ABSENT not in reading.marks
