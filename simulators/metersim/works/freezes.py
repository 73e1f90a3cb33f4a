"""What a meter freezes by its calendar: (number, time) -> record, a pure function of the meter and its clock.

It freezes each day, on the first of each month, and on 1 January, when its sets of steps and prices switch. A
freeze is taken when the meter's own clock shows 00:00 of the plant's time, and carries that time; its values
are what the registers showed at that instant, whatever the clocks of others showed. So nothing is stored: a
table of any depth can be asked at any moment, also for what it held before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from metersim.works.clock import CLOCK_AHEAD_MAX
from metersim.works.moments import PLANT_TIME

DEPTH: Final = 62
"""Daily freezes that a meter keeps. Source: DL/T 645-2007, annex A.6 (extended): 1 to 3EH."""

_DAY = timedelta(days=1)

Value = Callable[[str, datetime], Decimal | None]


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze.

    Args:
        frozen_at: the time it carries: the meter's clock, in the plant's zone.
        taken_at: when that was; the registers' time.

    """

    frozen_at: datetime
    taken_at: datetime


class Calendar(NamedTuple):
    """When freezes of one kind are taken.

    Args:
        period: how items call them.
        depth: most freezes that a meter keeps.
        midnight: the midnight of the so-manieth one of them before a time, both of the meter's clock.

    """

    period: str
    depth: int
    midnight: Callable[[datetime, int], datetime]


def _day(shown: datetime, number: int) -> datetime:
    return shown - (number - 1) * _DAY


def _month(shown: datetime, number: int) -> datetime:
    months = 12 * shown.year + shown.month - number
    return shown.replace(year=months // 12, month=months % 12 + 1, day=1)


def _year(shown: datetime, number: int) -> datetime:
    return shown.replace(year=shown.year - number + 1, month=1, day=1)


DAILY: Final = Calendar("daily_freeze", DEPTH, _day)
CALENDARS: Final = (
    DAILY,
    Calendar("monthly_freeze", 2, _month),
    Calendar("step_switch_freeze", 2, _year),
    Calendar("price_switch_freeze", 2, _year),
)
"""Which of them can be asked for says the meter's dictionary. Source: spec section 8.1."""


class Freezes:
    """A meter's table of freezes of one kind.

    Args:
        value: what the meter shows for an item at a time.
        since: when it was first switched on, aware; it has no freeze of that instant or before.
        clock_ahead: how far its clock is ahead of the true time; negative: behind.
        calendar: when they are taken.

    Raises:
        ValueError: ``clock_ahead`` is out of range.

    """

    def __init__(
        self,
        value: Value,
        *,
        since: datetime,
        clock_ahead: timedelta = timedelta(),
        calendar: Calendar = DAILY,
    ) -> None:
        if abs(clock_ahead) > CLOCK_AHEAD_MAX:
            raise ValueError(f"a clock that is {clock_ahead} ahead: at most {CLOCK_AHEAD_MAX.days} days")
        self._value = value
        self._since = since
        self._clock_ahead = clock_ahead
        self.calendar = calendar

    @property
    def period(self) -> str:
        """How items call its freezes."""
        return self.calendar.period

    def last(self, number: int, at: datetime) -> Freeze | None:
        """The freeze that is the so-manieth last one at ``at``; ``None`` when there is none.

        Args:
            number: 1 is the newest.
            at: true time, aware.

        """
        if not 1 <= number <= self.calendar.depth:
            return None
        shown = (at + self._clock_ahead).astimezone(PLANT_TIME)
        frozen_at = self.calendar.midnight(shown.replace(hour=0, minute=0, second=0, microsecond=0), number)
        taken_at = frozen_at - self._clock_ahead
        return Freeze(frozen_at, taken_at) if taken_at > self._since else None

    def table(self, at: datetime) -> Iterator[Freeze]:
        """All freezes that the meter has at ``at``, newest first."""
        for number in range(1, self.calendar.depth + 1):
            if (freeze := self.last(number, at)) is None:
                return
            yield freeze

    def values(self, freeze: Freeze, items: Sequence[str]) -> dict[str, Decimal]:
        """What a freeze holds of ``items``, in their order; without what the meter has not."""
        found = ((item, self._value(item, freeze.taken_at)) for item in items)
        return {item: value for item, value in found if value is not None}
