"""Which tariff holds when, by the meter's own clock: half-hours of working days and of rest days."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from metersim.works.moments import DAY_US, DAYS_OF_WEEK, HALF_HOUR_US

TARIFFS: Final = (1, 2, 3, 4)
"""Sharp, peak, flat, valley."""
HALF_HOURS: Final = 48
WEEKEND: Final = frozenset({5, 6})

_USUAL: Final = (4,) * 16 + (2,) * 6 + (3,) * 12 + (2,) * 4 + (1,) * 4 + (2,) * 2 + (3,) * 4


class Timetable:
    """A timetable of up to four tariffs.

    Args:
        half_hours: the tariff of each half-hour of a day, 48 numbers of 1 to 4.
        rest_half_hours: the same for rest days; ``None``: as on any other day.
        rest_days: which days of the week those are, 0 is Monday.

    Raises:
        ValueError: not 48 numbers of 1 to 4, or no day of the week.

    """

    __slots__ = ("_days", "half_hours", "rest_days", "rest_half_hours")

    def __init__(
        self,
        half_hours: Sequence[int] = _USUAL,
        *,
        rest_half_hours: Sequence[int] | None = None,
        rest_days: frozenset[int] = WEEKEND,
    ) -> None:
        if not rest_days <= frozenset(range(DAYS_OF_WEEK)):
            raise ValueError(f"rest days {sorted(rest_days)}: write 0 (Monday) to 6")
        self.half_hours = _checked(half_hours)
        self.rest_half_hours = self.half_hours if rest_half_hours is None else _checked(rest_half_hours)
        self.rest_days = rest_days
        usual, rest = _switches(self.half_hours), _switches(self.rest_half_hours)
        self._days = tuple(rest if day in rest_days else usual for day in range(DAYS_OF_WEEK))

    def in_force(self, shown_us: int) -> tuple[int, int]:
        """The tariff at a time of the meter's clock, and the next time at which it may be another one.

        Args:
            shown_us: microseconds as `moments` counts them.

        """
        day, of_day = divmod(shown_us, DAY_US)
        for tariff, ends_at in self._days[day % DAYS_OF_WEEK]:
            if of_day < ends_at:
                return tariff, shown_us - of_day + ends_at
        raise AssertionError("a day's last period ends with the day")


def _checked(half_hours: Sequence[int]) -> tuple[int, ...]:
    if len(half_hours) != HALF_HOURS or not set(half_hours) <= set(TARIFFS):
        raise ValueError(f"a day table of {len(half_hours)} half-hours: write 48 tariffs of 1 to 4")
    return tuple(half_hours)


def _switches(half_hours: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Periods of a day: tariff, and when it ends, in microseconds of the day."""
    periods = []
    end = 0
    for tariff, run in groupby(half_hours):
        end += len(list(run)) * HALF_HOUR_US
        periods.append((tariff, end))
    return tuple(periods)
