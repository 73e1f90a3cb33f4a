"""When days are sealed: the day before as soon as it is complete, and everything at the set time.

At that time each day of the last two months is looked at, the oldest first: what is not sealed is sealed,
and what has come late is sealed in a supplement. So an outage costs nothing but the time of the seal.

That the day before is over the clock says, and at least one meter of the gateway, with a freeze of that day
that is not rejected: a clock that runs ahead would seal days that nobody could have read as all missing.
Where every meter is silent the seals wait until one is not; a person may seal meanwhile. A day that is sealed
too early all the same, because a meter ran ahead too, is made right by its supplements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

import structlog

from meterlink.billing.settling import Settler
from meterlink.clock import Clock
from meterlink.errors import BadRequest, ConfigError, JournalError, SettlementBroken

LATE_DAYS: Final = 62
"""So far back a day is sealed late: what the meters of China remember; an older one where a freeze came."""
CHECK_S: Final = 600.0
"""From one look at the clock, and at whether the day before is complete, to the next."""
_DAY: Final = timedelta(days=1)

_log = structlog.get_logger(__name__)


class Schedule:
    """Seals the days of a gateway until it is cancelled.

    Args:
        settler: seals.
        clock: wall time.
        zone: of the plant.
        seal_at: time of the plant.
        areas: whose days; none: all.
        when_complete: whether a day is sealed before that time when nothing of it is missing.

    """

    def __init__(
        self,
        settler: Settler,
        clock: Clock,
        *,
        zone: tzinfo,
        seal_at: time,
        areas: Sequence[str] = (),
        when_complete: bool = True,
    ) -> None:
        self._settler = settler
        self._clock = clock
        self._zone = zone
        self._seal_at = seal_at
        self._areas = areas
        self._when_complete = when_complete
        self._swept: date | None = None
        self._looked = 0
        self._waits_for: date | None = None

    async def run(self) -> None:
        """Seal what is due, again and again; what cannot be sealed now is tried the next time.

        Not at once: behind an outage the lines first bring what meters remember.
        """
        is_made_up = False
        while True:
            is_made_up = is_made_up or await _is_made_up(self._settler)
            await asyncio.sleep(CHECK_S)
            await self.step()

    async def step(self) -> None:
        """Seal what is due now."""
        try:
            now = self._clock.utc_now().astimezone(self._zone)
            if self._swept != now.date() and now.time() >= self._seal_at:
                if await self._sweep(now):
                    self._swept = now.date()
            elif self._when_complete and self._swept != now.date():
                await self._seal_complete(now.date() - _DAY)
        except (JournalError, SettlementBroken) as error:
            _log.warning("settlement.waits", reason=str(error))

    async def _sweep(self, now: datetime) -> bool:
        """Everything that is due; whether all of it was done."""
        first = await self._settler.first_day()
        if first is None:
            return True
        newest, is_done = now.date() - _DAY, True
        if not await self._is_over(newest):
            return False
        day = max(first, newest - (LATE_DAYS - 1) * _DAY)
        late, looked = await self._settler.late_days(day, after=self._looked)
        for one in late:
            is_done &= await self._seal_day(one)
        if is_done:
            self._looked = looked
        while day <= newest:
            is_done &= await self._seal_day(day)
            day += _DAY
        return is_done

    async def _seal_day(self, day: date) -> bool:
        """Seal what is due of a day; whether all was done. One that cannot be read holds up no other."""
        try:
            areas = self._areas or await self._settler.areas(day)
        except SettlementBroken as error:
            _log.error("settlement.failed", day=day.isoformat(), area=None, reason=str(error))
            return False
        return all([await self._seal(day, area) for area in areas])

    async def _is_over(self, day: date) -> bool:
        """Whether a meter says so too; told once a day when none does."""
        told = await self._settler.last_day()
        if told is not None and told >= day:
            return True
        if self._waits_for != day:
            shown = None if told is None else told.isoformat()
            _log.warning("settlement.no_meter_has_the_day", day=day.isoformat(), newest=shown)
            self._waits_for = day
        return False

    async def _seal_complete(self, day: date) -> None:
        for area in await self._settler.complete(day):
            if not self._areas or area in self._areas:
                await self._seal(day, area)

    async def _seal(self, day: date, area: str) -> bool:
        """Seal one day of an area; whether that is done with for today. One that fails holds up no other."""
        try:
            settled = await self._settler.settle(day, area)
        except (SettlementBroken, ConfigError) as error:
            _log.error("settlement.failed", day=day.isoformat(), area=area, reason=str(error))
            return False
        except BadRequest:
            return True  # no meter stood in this area on that day
        if (manifest := settled.manifest) is not None:
            told = {
                "number": manifest.number,
                "freezes": manifest.freezes,
                "missing": manifest.counts.missing,
            }
            _log.info("settlement.sealed", day=day.isoformat(), area=area, **told)
        return True


async def make_up(settler: Settler) -> None:
    """Make the acts of seals after which a process ended, also where days are sealed by people alone."""
    while True:
        if await _is_made_up(settler):
            return
        await asyncio.sleep(CHECK_S)


async def _is_made_up(settler: Settler) -> bool:
    try:
        await settler.make_up()
    except (JournalError, SettlementBroken) as error:
        _log.warning("settlement.waits", reason=str(error))
        return False
    return True
