"""Fetching what stands in the memory of a line's meters: freezes, settlements and curves, slot by slot.

The ledger says what is due; each turn takes the most urgent of it (``streams``) and asks one meter for as
many slots as one reading brings. A meter that does not answer is put aside at its first silence, so that it
costs its neighbours one timeout; it is tried again behind all others, when an answer that was merely late has
had time to pass, and after its budget of tries it rests. Whatever comes of a turn stands in the ledger.

What became due so long ago that it is no longer current is backfill: it goes when no current work waits, and
takes no more than its allowance of the line's time. What a meter should have overwritten by now is not taken
for gone before one read of the oldest such slot has shown it.

Two workers share the line's queue: while one waits for the disk, the line is already busy for the other.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from meterlink.acquisition.agenda import Agenda, OpenLedger
from meterlink.acquisition.clock_watch import Wall
from meterlink.acquisition.harvest import Harvest, RecordKeeper
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.planner import PlanLedger, Planner
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.acquisition.slow_line import SlowLine
from meterlink.acquisition.streams import Job, Meter, Stream
from meterlink.acquisition.turns import Turn, TurnLedger
from meterlink.bus.line import Line
from meterlink.clock import Clock, wait_for
from meterlink.drivers.base import MemoryReader
from meterlink.journal.series import Series

WORKERS: Final = 2
"""Meters of a line that are asked at once; one of them waits for the line, or the disk."""
LONGEST_NAP_S: Final = 300.0
"""So soon after its beginning a day is planned, before anything of it is due (``FREEZE_SETTLE``)."""
NAP_MIN_S: Final = 0.05
"""Wall and monotonic clocks do not tick together; and who wakes for work that another takes sleeps again."""


class CollectLedger(TurnLedger, PlanLedger, OpenLedger, Protocol):
    """What a collector needs of the ledger; each raises ``JournalError``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One plan of one meter.

    Args:
        point: the meter.
        plan: what is due; of a class that the driver's ``stored`` has.
        driver: how the meter talks.

    """

    point: Point
    plan: StoredPlan
    driver: MemoryReader


class Collector:
    """What stands in the memory of the meters of one line.

    Args:
        line: where they are.
        entries: what is due of whom.
        keeper: the log.
        looks: what the meters show beside their values.
        ledger: the ledger.
        clock: wall and monotonic time.
        meters: all of the line, by id; of those without an entry what was due before is settled.
        looked: the kinds that plans of events ask for, by series.

    """

    def __init__(
        self,
        *,
        line: Line,
        entries: Sequence[Entry],
        keeper: RecordKeeper,
        looks: Looks,
        ledger: CollectLedger,
        clock: Clock,
        meters: Sequence[str] = (),
        looked: Mapping[Series, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        met = {entry.point.meter: Meter(entry.point) for entry in entries}
        streams = [Stream(met[entry.point.meter], entry.plan, entry.driver) for entry in entries]
        self._line = line
        self._looks = looks
        self._clock = clock
        self._wall = Wall(line.name, clock)
        harvest = Harvest(line.name, keeper, ledger)
        self._turn = Turn(line, streams, harvest, looks, ledger, clock)
        planned = [(entry.point, entry.plan) for entry in entries]
        self._planner = Planner(line.name, planned, ledger, clock, meters=meters, looked=looked)
        self._agenda = Agenda(line, streams, ledger, clock)
        self._slow = SlowLine(line.name, streams, ledger, clock)
        self._choosing = asyncio.Lock()
        self._looking = False
        self._stopping = False
        self._woken = asyncio.Event()
        self._line_rests_until = 0.0

    def stop(self) -> None:
        """Let ``run`` end after the exchanges in hand."""
        self._stopping = True
        self._woken.set()

    def look_at_clock(self) -> None:
        """The wall clock was set: what is due may be other than it seemed."""
        self._woken.set()

    async def run(self) -> None:
        """Collect until stopped."""
        await self._looks.recall()
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"collector[{self._line.name}].{number}")

    async def _work(self) -> None:
        while (work := await self._next()) is not None:
            await work

    async def _next(self) -> Awaitable[None] | None:
        """The next job or look, when there is one; ``None``: we are to stop. One worker waits at a time."""
        async with self._choosing:
            while not self._stopping:
                self._woken.clear()
                if (job := await self._choose()) is not None:
                    return self._carry_out(job)
                if self._may_look():
                    self._looking = True
                    return self._look_at_one()
                await wait_for(self._woken, self._nap_s())
        return None

    # --- choosing ----------------------------------------------------------------------------

    async def _choose(self) -> Job | None:
        """The most urgent job; its meter is busy from now on."""
        if not self._wall.is_set():
            return None
        if await self._planner.apply():
            self._agenda.forget()
        if self._clock.monotonic_s() < self._line_rests_until:
            return None
        await self._agenda.look()
        await self._slow.blame()
        return await self._agenda.next()

    async def _carry_out(self, job: Job) -> None:
        try:
            self._line_rests_until = await self._turn.take(job)
        finally:
            self._agenda.done(job)
            self._woken.set()

    # --- looks -------------------------------------------------------------------------------

    def _may_look(self) -> bool:
        """Whether a look at a meter is due, and no other worker is about one."""
        due_at = max(self._looks.again_at, self._line_rests_until)
        return not self._looking and self._clock.monotonic_s() >= due_at

    async def _look_at_one(self) -> None:
        try:
            await self._looks.again()
        finally:
            self._looking = False
            self._woken.set()

    # --- time --------------------------------------------------------------------------------

    def _nap_s(self) -> float:
        """Until something may have become due."""
        monotonic_s = self._clock.monotonic_s()
        if self._line_rests_until > monotonic_s:
            return min(LONGEST_NAP_S, self._line_rests_until - monotonic_s)
        look_s = math.inf if self._looking else self._looks.again_at - monotonic_s
        return max(min(LONGEST_NAP_S, look_s, self._agenda.changes_in_s), NAP_MIN_S)
