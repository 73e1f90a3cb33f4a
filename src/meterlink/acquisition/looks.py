"""What meters show beside their values, read when their readings need it: the number when a meter is first
read and then each week, clock and status word on each day that freezes of it are kept.

A look comes behind the reading that it is for, while the meter is known to answer, and never costs a reading:
when the line fails meanwhile, the reading is kept without it, and the next one tries again after a pause.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta, tzinfo
from typing import Final, Protocol

from meterlink.acquisition.plans import Point
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.errors import BusFull, LineError, ReplyTimeout
from meterlink.model.data_classes import DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from meterlink.model.look import NOT_LOOKED, Look

NUMBER_EVERY: Final = timedelta(days=7)
"""How often the number of a meter is read. Source: VEE-10."""
AGAIN_S: Final = 3_600.0
"""After a look that failed nobody looks sooner."""
_FREEZES: Final = frozenset({DAILY_FREEZE, MONTHLY_FREEZE})


class Looking(Protocol):
    """How meters are looked at; see ``drivers.looks.Looker``."""

    async def meter_number(self, address: str, priority: Priority) -> str | None:
        """The digits of its number."""

    async def status_word(self, address: str, priority: Priority) -> int | None:
        """Status word 1."""

    async def clock_ahead(self, address: str, priority: Priority) -> timedelta | None:
        """How far its clock is ahead of ours."""


@dataclass(slots=True)
class _Known:
    """What is known of one meter, and when it was looked for."""

    look: Look = NOT_LOOKED
    number_on: date | None = None
    day: date | None = None
    rest_until: float = 0.0


class Looks:
    """What the meters of one profile on one line showed; at most one entry a meter.

    Args:
        points: the meters.
        looker: looks at them.
        numbered: our ids of those whose number is known, so that it is worth reading.
        clock: wall and monotonic time.
        zone: whose days count.

    """

    def __init__(
        self,
        points: Iterable[Point],
        looker: Looking,
        *,
        numbered: Collection[str],
        clock: Clock,
        zone: tzinfo,
    ) -> None:
        self._addresses = {point.meter: point.address for point in points}
        self._numbered = frozenset(numbered)
        self._known: dict[str, _Known] = {}
        self._looker = looker
        self._clock = clock
        self._zone = zone

    async def of(self, meter: str, data_class: DataClass) -> Look:
        """What a meter showed lately; it is looked at where that is due.

        Args:
            meter: one of the points.
            data_class: of the reading that it is for.

        """
        known = self._known.setdefault(meter, _Known())
        if self._clock.monotonic_s() >= known.rest_until:
            try:
                await self._renew(known, meter, data_class)
            except (ReplyTimeout, LineError, BusFull):
                known.rest_until = self._clock.monotonic_s() + AGAIN_S
        return known.look

    async def _renew(self, known: _Known, meter: str, data_class: DataClass) -> None:
        address = self._addresses[meter]
        today = self._clock.utc_now().astimezone(self._zone).date()
        priority = Priority.BILLING if data_class in _FREEZES else Priority.CURVE
        if meter in self._numbered and _is_due(known.number_on, today):
            await self._renew_number(known, address, today, priority)
        if data_class in _FREEZES and known.day != today:
            await self._renew_day(known, address, today, priority)

    # What is asked counts as known meanwhile, so that another plan does not ask the same.

    async def _renew_number(self, known: _Known, address: str, today: date, priority: Priority) -> None:
        before, known.number_on = known.number_on, today
        try:
            number = await self._looker.meter_number(address, priority)
        except BaseException:
            known.number_on = before
            raise
        known.look = replace(known.look, meter_number=number)

    async def _renew_day(self, known: _Known, address: str, today: date, priority: Priority) -> None:
        before, known.day = known.day, today
        try:
            ahead = await self._looker.clock_ahead(address, priority)
            at = self._clock.utc_now()
            word = await self._looker.status_word(address, priority)
        except BaseException:
            known.day = before
            raise
        known.look = replace(known.look, clock_ahead=ahead, clock_at=at, status_word=word)


def _is_due(number_on: date | None, today: date) -> bool:
    """Whether the number is to be read, again or for the first time; also when the clock was set back."""
    return number_on is None or not timedelta() <= today - number_on < NUMBER_EVERY
