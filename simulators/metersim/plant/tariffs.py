"""What a plant file says about tariffs: when each begins in a day, and which days are others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field
from pydantic.dataclasses import dataclass

from metersim.dlt645.nameplate import PERIODS_MAX
from metersim.plant.checked import STRICT, Misplaced
from metersim.works.moments import DAYS_OF_WEEK
from metersim.works.timetable import HALF_HOURS, TARIFFS, Timetable

_HALF_HOUR: Final = re.compile("([01][0-9]|2[0-3]):([03])0").fullmatch

Tariff = Annotated[int, Field(ge=min(TARIFFS), le=max(TARIFFS))]
Weekday = Annotated[int, Field(ge=1, le=DAYS_OF_WEEK)]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Tariffs:
    """When which tariff holds, by the meter's own clock.

    Args:
        day: half-hour at which a tariff begins, and the tariff: 1 sharp, 2 peak, 3 flat, 4 valley; from
            00:00 on, 14 of them at most, as ``{00:00: 4, 08:00: 2, 22:00: 4}``.
        rest_day: the same for rest days; left out: as on any other day.
        rest_days: days of the week that are rest days, 1 (Monday) to 7.

    """

    day: Mapping[str, Tariff]
    rest_day: Mapping[str, Tariff] | None = None
    rest_days: tuple[Weekday, ...] = (6, 7)

    def __post_init__(self) -> None:
        """Check the times."""
        _checked("day", self.day)
        if self.rest_day is not None:
            _checked("rest_day", self.rest_day)

    @property
    def timetable(self) -> Timetable:
        """The same, half-hour by half-hour."""
        return Timetable(
            _half_hours(self.day),
            rest_half_hours=None if self.rest_day is None else _half_hours(self.rest_day),
            rest_days=frozenset(day - 1 for day in self.rest_days),
        )


def _checked(key: str, begins: Mapping[str, int]) -> None:
    for time in begins:
        if not _HALF_HOUR(time):
            raise Misplaced(f"{time!r}: write the half-hour at which a tariff begins, as 08:00", key)
    if "00:00" not in begins:
        raise Misplaced("no tariff begins at 00:00; a day's first one does", key)
    if len(begins) > PERIODS_MAX:
        raise Misplaced(f"{len(begins)} periods, a meter has {PERIODS_MAX} at most", key)


def _half_hours(begins: Mapping[str, int]) -> list[int]:
    found: list[int] = []
    for number in range(HALF_HOURS):
        tariff = begins.get(f"{number // 2:02d}:{number % 2 * 30:02d}")
        found.append(found[-1] if tariff is None else tariff)
    return found
