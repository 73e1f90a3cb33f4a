"""Rules about everything but the value: whose meter it is, its clock, its state, and when it was read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from meterlink.model.data_classes import CURVE, DAILY_FREEZE, FREEZES, MONTHLY_FREEZE
from meterlink.model.marks import NO_MARKS, OF_LOOKS, Marks
from meterlink.validation.case import Case
from meterlink.validation.facts import FAULT_BITS

CLOCK_MAX: Final = timedelta(seconds=300)
CLOCK_FAR: Final = timedelta(days=1)
"""How far a meter's clock may be off on the day of a freeze. Source: VEE-13."""
FREEZE_NEAR: Final = timedelta(hours=1)
"""How far from midnight a daily freeze may have been taken. Source: FRZ-04."""
DAY: Final = timedelta(days=1)
ON_TIME: Final[Mapping[str, timedelta]] = {DAILY_FREEZE: DAY, MONTHLY_FREEZE: DAY, CURVE: timedelta(hours=2)}
"""How long after its slot a record of the meter's memory is read on time; later it is backfill."""


def meter_number(case: Case) -> Marks:
    """The meter has another number than the roster says of it (VEE-10)."""
    expected, seen = case.facts.meter_number, case.look.meter_number
    if not expected or seen is None or seen == expected:
        return NO_MARKS
    return Marks.METER_MIXED


def clock(case: Case) -> Marks:
    """The meter's clock was off on the day of the freeze (VEE-13).

    A freeze that is of later than it was read shows as much without anybody having looked at the clock.
    """
    off = max(case.reading.slot - case.reading.taken_at, timedelta())
    look = case.look
    if look.clock_ahead is not None and look.clock_at is not None:
        is_of_the_day = abs(look.clock_at - case.reading.slot) <= DAY
        off = max(off, abs(look.clock_ahead)) if is_of_the_day else off
    if off > CLOCK_FAR:
        return Marks.CLOCK_DEV | Marks.CLOCK_FAR
    return Marks.CLOCK_DEV if off > CLOCK_MAX else NO_MARKS


def meter_fault(case: Case) -> Marks:
    """The meter tells of a fault of its own (VEE-18)."""
    word = case.look.status_word
    return Marks.METER_FAULT if word is not None and word & FAULT_BITS else NO_MARKS


def freeze_time(case: Case) -> Marks:
    """A daily freeze is of another time than about midnight (FRZ-04)."""
    local = case.reading.slot.astimezone(case.facts.zone)
    since = local - local.replace(hour=0, minute=0, second=0, microsecond=0)
    return Marks.FRZ_TIME if min(since, DAY - since) > FREEZE_NEAR else NO_MARKS


def backfill(case: Case) -> Marks:
    """It was read so late that it can only come from the meter's memory (FRZ-04)."""
    late = case.reading.taken_at - case.reading.slot > ON_TIME[case.data_class]
    return Marks.BACKFILL if late else NO_MARKS


def kept_before(case: Case) -> Marks:
    """The same key was kept before, with this value or another.

    What the meter showed on its day stays true of it: whoever tells it once more, as a terminal does whose
    line was lost, tells it when nobody may have looked again. Its number may be another, once that was read.
    """
    if case.same is None:
        return NO_MARKS
    stays = OF_LOOKS if case.data_class in FREEZES else NO_MARKS
    if case.look.meter_number is None:
        stays |= Marks.METER_MIXED
    again = Marks.DUPLICATE if case.same.value == case.reading.value else Marks.CONFLICT
    return again | case.same.marks & stays
