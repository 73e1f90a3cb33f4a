"""Freeze tables that grow: nothing is stored, a row is a pure function of the meter and its clock's history.

A freeze is taken when the meter's clock shows the end of a period, and carries that time; its values are
what the registers showed at that instant. Of the rows that are due the newest ``depth`` are kept.
Source: DL/T 698.45-2017, annex on freezes (spec sections 6.7 and 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from metersim.works.clock import MeterClock
from metersim.works.freezes import Freeze
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.axdr.selection import Oad

QUARTER_MIN: Final = 15
MONTHS: Final = 12
_QUARTER: Final = timedelta(minutes=QUARTER_MIN)
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=PLANT_TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When a table freezes.

    Args:
        configured: its number in attribute 3, in the unit of the table.
        number: (time shown) -> how many periods had ended by then.
        end: undoes ``number``: the time at which so many had ended.

    """

    configured: int
    number: Callable[[datetime], int]
    end: Callable[[int], datetime]


def _month_number(shown: datetime) -> int:
    return (shown.year - _EPOCH.year) * MONTHS + shown.month - 1


def _month_end(number: int) -> datetime:
    return _EPOCH.replace(year=_EPOCH.year + number // MONTHS, month=number % MONTHS + 1)


DAILY: Final = Period(
    configured=1, number=lambda shown: (shown - _EPOCH) // _DAY, end=lambda number: _EPOCH + number * _DAY
)
MONTHLY: Final = Period(configured=1, number=_month_number, end=_month_end)
QUARTERS: Final = Period(
    configured=QUARTER_MIN,
    number=lambda shown: (shown - _EPOCH) // _QUARTER,
    end=lambda number: _EPOCH + number * _QUARTER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeTable:
    """One freeze object.

    Args:
        oi: its identifier.
        period: when it freezes.
        depth: rows that it keeps.
        columns: what it freezes.

    """

    oi: int
    period: Period
    depth: int
    columns: tuple[Oad, ...]

    def rows(self, clock: MeterClock, at: datetime) -> Iterator[tuple[int, Freeze]]:
        """The rows that it has at ``at`` with their numbers, newest first.

        Args:
            clock: the meter's.
            at: true time, aware.

        """
        first = self.period.number(clock.shows(clock.since))
        newest = self.period.number(clock.shows(at))
        for number in range(newest, max(newest - self.depth, first), -1):
            frozen_at = self.period.end(number)
            taken_at = clock.showed(frozen_at, at)
            if taken_at is not None:
                yield number - first, Freeze(frozen_at, taken_at)


ENERGIES: Final = tuple(map(Oad.of, ("00000200", "00100200", "00200200")))
DAILY_DEPTH: Final = 62
MONTHLY_DEPTH: Final = 12
CURVE_DEPTH: Final = 31 * 96

FREEZES: Final = {
    table.oi: table
    for table in (
        FreezeTable(
            oi=0x5002,
            period=QUARTERS,
            depth=CURVE_DEPTH,
            columns=(
                *ENERGIES[1:],
                *map(Oad.of, ("20000200", "20010200", "20040200", "20050200", "200A0200")),
            ),
        ),
        FreezeTable(oi=0x5004, period=DAILY, depth=DAILY_DEPTH, columns=ENERGIES),
        FreezeTable(oi=0x5006, period=MONTHLY, depth=MONTHLY_DEPTH, columns=ENERGIES),
    )
}
"""The freezes of every meter here, by object."""
