"""What a meter freezes by its calendar: rows that are worked out of its clock, not stored.

A freeze is taken when the meter's own clock shows the end of a period, and carries that time; its values are
what the registers showed at that instant, whatever the clocks of others showed. Times that a clock which was
set forward has skipped have no freeze; of times that it showed twice the later one holds. A meter without
power writes no curve and no hourly freeze; with daily and rarer ones it catches up, as its registers stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from metersim.works.clock import MeterClock
from metersim.works.moments import MINUTE_US, PLANT_TIME, of_us, to_us

MONTHS: Final = 12
DEPTH: Final = 62
"""Daily freezes that a meter keeps. Source: DL/T 645-2007, annex A.6 (extended): 1 to 3EH."""

_YEAR: Final = 2000
_REACH_US: Final = 400 * 366 * 86_400_000_000
"""Moments further away than this hold no freeze, and some of them are outside every calendar."""
_EPOCH: Final = datetime(_YEAR, 1, 1, tzinfo=PLANT_TIME)


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze.

    Args:
        number: how manieth of its table, from 1.
        frozen_at: the time it carries: the meter's clock, in the plant's zone.
        taken_at: when that was; the registers' time.

    """

    number: int
    frozen_at: datetime
    taken_at: datetime


class Between(NamedTuple):
    """Times that freezes carry: from ``begin`` on, before ``end``; both aware."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When something is frozen, by the meter's clock.

    Args:
        number: (time shown) -> how many periods had ended by then.
        end: undoes ``number``: the time at which so many had ended; ``None``: that one has no end.

    """

    number: Callable[[int], int]
    end: Callable[[int], int | None]


def every(minutes: int, *, past_us: int = 0) -> Period:
    """Every so many minutes of the clock's day, and so much past each."""
    span = minutes * MINUTE_US
    return Period(number=lambda shown: (shown - past_us) // span, end=lambda number: number * span + past_us)


def monthly(day: int, months: int = 1, *, past_us: int = 0) -> Period:
    """On that day of every so-manieth month, counted from January; months that have no such day are left out.

    Args:
        day: 1 to 31.
        months: 1 or 12.
        past_us: time of that day.

    """

    def number(shown_us: int) -> int:
        shown = of_us(shown_us - past_us)
        ended = (shown.year - _YEAR) * MONTHS + shown.month - 1 - (shown.day < day)
        return ended // months

    def end(count: int) -> int | None:
        year, month = divmod(count * months, MONTHS)
        try:
            return to_us(_EPOCH.replace(year=_YEAR + year, month=month + 1, day=day)) + past_us
        except ValueError:  # 31 June
            return None

    return Period(number=number, end=end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Freezes of one kind.

    Args:
        name: how items call it: ``daily_freeze``.
        period: when they are taken.
        depth: rows that a meter keeps.
        needs_power: a meter that is off takes none.

    """

    name: str
    period: Period
    depth: int
    needs_power: bool = False

    def rows(
        self,
        clock: MeterClock,
        at: datetime,
        *,
        since: datetime | None = None,
        powered: Callable[[datetime], bool] | None = None,
        between: Between | None = None,
    ) -> Iterator[Freeze]:
        """The rows that a meter has at ``at``, newest first.

        Args:
            clock: the meter's.
            at: true time, aware.
            since: when it was switched on; it has no freeze of that instant or before. ``None``: the clock's.
            powered: whether it worked at a true time; ``None``: it always did.
            between: only those that carry such times; ``None``: all.

        """
        until_us = to_us(at)
        since_us = to_us(since or clock.since)
        first, newest = (self._ended(clock, us) for us in (since_us, until_us))
        before, last = max(newest - self.depth, first), newest
        if between is not None:
            before = max(before, self._ended_before(between.begin))
            last = min(last, self._ended_before(between.end))
        for number in range(last, before, -1):
            shown_us = self.period.end(number)
            taken_us = None if shown_us is None else clock.showed_us(shown_us, until_us)
            if shown_us is None or taken_us is None or taken_us <= since_us:
                continue
            taken_at = of_us(taken_us)
            if not self.needs_power or powered is None or powered(taken_at):
                yield Freeze(number - first, of_us(shown_us), taken_at)

    def _ended(self, clock: MeterClock, us: int) -> int:
        """How many periods had ended at a true time."""
        return self.period.number(clock.run(us).shows(us))

    def _ended_before(self, shown: datetime) -> int:
        """How many periods end before a time that a clock shows."""
        return self.period.number(min(max(to_us(shown), -_REACH_US), _REACH_US) - 1)


CURVE: Final = Table(name="curve", period=every(15), depth=31 * 96, needs_power=True)
HOURLY: Final = Table(name="hourly_freeze", period=every(60), depth=254, needs_power=True)
DAILY: Final = Table(name="daily_freeze", period=every(1440), depth=DEPTH)
MONTHLY: Final = Table(name="monthly_freeze", period=monthly(1), depth=12)
YEARLY: Final = Table(name="yearly_freeze", period=monthly(1, MONTHS), depth=2)
PRICE_SWITCH: Final = Table(name="price_switch_freeze", period=monthly(1, MONTHS), depth=2)
STEP_SWITCH: Final = Table(name="step_switch_freeze", period=monthly(1, MONTHS), depth=2)
"""A meter's sets of prices and steps switch on 1 January."""
TABLES: Final = {
    table.name: table for table in (CURVE, HOURLY, DAILY, MONTHLY, YEARLY, PRICE_SWITCH, STEP_SWITCH)
}
"""By calendar alone; those of a settlement depend on the plate, and instant ones on who orders them."""
INSTANT: Final = "instant_freeze"
TIMED: Final = "timed_freeze"
ORDERED: Final = {INSTANT: 3, TIMED: 12}
"""Freezes that somebody orders, and how many a meter keeps. Source: DL/T 645-2007, class 05."""
TIMED_PERIODS_MAX: Final = 10_000
"""So far back freezes by a pattern are looked for, where a meter was off or its clock skipped them."""
_EVERY: Final = "99"
SETTLEMENT: Final = "settlement"
SETTLEMENTS: Final = 12


def settlement(day: int) -> Table:
    """The settlements of a meter; day 1 to 28."""
    return Table(name=SETTLEMENT, period=monthly(day), depth=SETTLEMENTS)


def timed(pattern: str) -> Table:
    """The freezes that a meter was told to take at a time.

    A meter without power takes none that come every hour, and catches up with the others.

    Args:
        pattern: MMDDhhmm as the meter's clock shows it, 99 for "every": ``99DDhhmm``, ``9999hhmm`` or
            ``999999mm``.

    Source: DL/T 645-2007, 7.13 (spec section 2.3).

    """
    day, hour, minute = pattern[2:4], pattern[4:6], int(pattern[6:])
    if hour == _EVERY:
        hourly = every(60, past_us=minute * MINUTE_US)
        return Table(name=TIMED, period=hourly, depth=TIMED_PERIODS_MAX, needs_power=True)
    past_us = (int(hour) * 60 + minute) * MINUTE_US
    period = every(1440, past_us=past_us) if day == _EVERY else monthly(int(day), past_us=past_us)
    return Table(name=TIMED, period=period, depth=TIMED_PERIODS_MAX)
