"""Looking after the ledger beside the lines.

It is noted that the daemon lives, what was due of meters that have left their places is settled, and old days
are folded, and taken out by age in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, Protocol

import structlog

from meterlink.acquisition.calendars import Calendar
from meterlink.clock import Clock, wait_for
from meterlink.errors import JournalError
from meterlink.journal.ageing import AgeingClock
from meterlink.model.data_classes import CURVE
from meterlink.model.slot import Departure

LIVE_S: Final = 3_600.0
"""How often it is noted that the daemon lives: so exactly is known afterwards when it died that kept nothing
in that time."""
FOLDS_A_DAY: Final = 8
"""Days that are folded at most in one go; more than come, so that a long stop is made up for."""

LATELY: Final = timedelta(days=2)
"""What was planned for a meter is planned for no later than this."""

_log = structlog.get_logger(__name__)


class CareLedger(Protocol):
    """What is needed of the ledger; each raises ``JournalError``."""

    async def live(self, believed: datetime | None = None) -> None:
        """See ``Ledger.live``."""

    async def leave(self, departures: Mapping[str, Departure]) -> int:
        """See ``Ledger.leave``."""

    async def fold(
        self,
        day_starts: Callable[[datetime], datetime],
        *,
        now: datetime,
        limit: int,
        curves_for: timedelta | None = None,
    ) -> int:
        """See ``Ledger.fold``."""

    async def forget(self, ages: Mapping[str, timedelta], *, now: datetime) -> int:
        """See ``Ledger.forget``."""

    async def believed_until(self) -> datetime | None:
        """See ``Ledger.believed_until``."""


class LedgerCare:
    """One for the whole daemon.

    Args:
        ledger: of the journal.
        clock: wall time.
        zone: of the plant: its days are folded.
        departures: which meters have left their places, by id.
        ages: by class, how long the journal keeps its readings; of a class without, for ever.

    """

    def __init__(
        self,
        ledger: CareLedger,
        clock: Clock,
        zone: tzinfo,
        departures: Callable[[], Mapping[str, Departure]],
        ages: Callable[[], Mapping[str, timedelta]] = dict,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._departures = departures
        self._ages = ages
        self._settled: Mapping[str, Departure] = {}
        self._woken = asyncio.Event()
        self._calendar = Calendar(zone=zone)
        self._folded_on: date | None = None
        self._ageing: AgeingClock | None = None

    async def run(self) -> None:
        """Look after it until cancelled; what the journal cannot now, it can the next time."""
        while True:
            try:
                await self._ledger.live(await self._believed())
                await self._settle()
                await self._fold()
            except JournalError as error:
                _log.warning("ledger_waits", reason=str(error))
            await wait_for(self._woken, LIVE_S)
            self._woken.clear()

    def look(self) -> None:
        """Meters may have left their places: look soon."""
        self._woken.set()

    async def end(self) -> None:
        """The daemon ends in order: until now it has lived."""
        with contextlib.suppress(JournalError):
            await self._ledger.live(await self._believed())

    async def _believed(self) -> datetime:
        """The time by which rows age; the next start goes on from it."""
        if self._ageing is None:
            self._ageing = AgeingClock(self._clock, await self._ledger.believed_until())
        return self._ageing.now()

    async def _settle(self) -> None:
        """Nobody can read a meter that has gone: what is open of it waits in vain.

        Of one that went lately it is looked at again: its line may have planned it until it was told.
        """
        left, late = self._departures(), self._clock.utc_now() - LATELY
        fresh = {
            meter: one for meter, one in left.items() if one.at > late or self._settled.get(meter) != one
        }
        if fresh:
            gone = await self._ledger.leave(fresh)
            if gone:
                _log.info("ledger_left", meters=len(fresh), slots=gone)
        self._settled = left

    async def _fold(self) -> None:
        now = await self._believed()
        today = self._calendar.day_of(now)
        if today != self._folded_on:
            ages = self._ages()
            gone = await self._ledger.fold(
                self._day_starts, now=now, limit=FOLDS_A_DAY, curves_for=ages.get(CURVE)
            )
            old = await self._ledger.forget(ages, now=now)
            self._folded_on = today
            if gone or old:
                _log.info("ledger_folded", slots=gone, forgotten=old)

    def _day_starts(self, moment: datetime) -> datetime:
        return self._calendar.start_of(self._calendar.day_of(moment))
