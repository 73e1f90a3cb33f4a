"""Keeping the journal within its bounds while everybody works: old rows go, and a full disk gets room.

One task takes out a few rows at a time, each time in the group of whatever else is written, and rests as long
as that took: so it has half of the writer's time at most, and nobody waits for more than a few rows.

- *By age*, once in an hour: each class has its days (``Policy``), and what a sink does not have stays.
- *For room*, when the disk is tight: the oldest of what there will be others of goes until there is room
  again, also what no sink has. That is a loss, so it is told. Freezes, events and acts are never taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from meterlink.clock import Clock
from meterlink.errors import MeterlinkError
from meterlink.journal.ageing import AgeingClock
from meterlink.journal.journal import Journal
from meterlink.journal.removal import FIRST, Place, Swath

LOOK_S: Final = 60.0
"""How often it is seen whether there is room."""
AGE_LOOK_S: Final = 3600.0
"""How often the oldest rows are looked at."""
REST_MIN_S: Final = 0.02

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long rows are kept.

    Args:
        ages: by class; a class that is not named is kept for ever.

    """

    ages: Mapping[str, timedelta]


class Housekeeper:
    """The task that keeps one journal within its bounds.

    Args:
        journal: whose rows.
        policy: how long they are kept; may be replaced while it runs.
        clock: for the time that work takes.
        floor: up to where somebody without a cursor has everything; ``None``: there is nobody. What it
            raises of ours ends the look in hand, and not the task.

    """

    def __init__(
        self,
        journal: Journal,
        policy: Policy,
        *,
        clock: Clock,
        floor: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self.policy = policy
        self._journal = journal
        self._clock = clock
        self._floor = floor
        self._nothing_to_shed = False
        self._ageing: AgeingClock | None = None

    async def run(self) -> None:
        """Look after it until cancelled."""
        aged_at = -AGE_LOOK_S
        while True:
            try:
                await self._now()  # a look at the clock as well
                await self.shed()
                if self._clock.monotonic_s() - aged_at >= AGE_LOOK_S:
                    await self.age()
                    aged_at = self._clock.monotonic_s()
            except MeterlinkError as error:
                _log.warning("journal.not_kept_house", reason=str(error))
            await asyncio.sleep(LOOK_S)

    async def age(self) -> int:
        """Take out what is old and with every sink; how many rows.

        Raises:
            JournalError: the journal cannot be written.

        """
        total, now = 0, await self._now()
        for data_class, age in self.policy.ages.items():
            place: Place | None = FIRST
            while place is not None:
                begun = self._clock.monotonic_s()
                floor = self._journal.newest_id if self._floor is None else await self._floor()
                swath = await self._journal.room.remove_aged(
                    data_class, after=place, before=now - age, floor=floor
                )
                total, place = total + swath.rows, swath.place
                await self._rest(begun)
        if total:
            _log.info("journal.aged", rows=total)
        return total

    async def shed(self) -> int:
        """Make room where the disk is tight; how many rows went.

        Raises:
            JournalError: the journal cannot be written.

        """
        if not await self._journal.room.missing(comfortable=False):
            self._nothing_to_shed = False
            return 0
        total, swath = 0, Swath(rows=1)
        while swath.rows and await self._journal.room.missing(comfortable=True):
            begun = self._clock.monotonic_s()
            swath = await self._journal.room.remove_oldest()
            total += swath.rows
            await self._rest(begun)
        if total:
            _log.warning("journal.shed", rows=total, words="the disk is tight: the oldest readings went")
        elif not self._nothing_to_shed:
            _log.error("journal.nothing_to_shed", words="the disk is tight: free some space")
        self._nothing_to_shed = swath.rows == 0
        return total

    async def _now(self) -> datetime:
        """The time by which rows age."""
        if self._ageing is None:
            self._ageing = AgeingClock(self._clock, await self._journal.ledger.believed_until())
        return self._ageing.now()

    async def _rest(self, begun_s: float) -> None:
        await asyncio.sleep(max(REST_MIN_S, self._clock.monotonic_s() - begun_s))
