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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from meterlink.acquisition.allowance import Allowance
from meterlink.acquisition.clock_watch import Wall
from meterlink.acquisition.harvest import Harvest, RecordKeeper
from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.planner import LONG_AGO, PlanLedger, Planner
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.acquisition.ranking import Ranking
from meterlink.acquisition.slow_line import SlowLine
from meterlink.acquisition.streams import NOTHING_OPEN, Job, Meter, Stream
from meterlink.acquisition.turns import OVERWRITTEN_MAX, SLOTS_A_TURN, Turn, TurnLedger
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock, wait_for
from meterlink.drivers.base import MemoryReader
from meterlink.journal.ledger import Front, Series
from meterlink.model.data_classes import CURVE

WORKERS: Final = 2
"""Meters of a line that are asked at once; one of them waits for the line, or the disk."""
LONGEST_NAP_S: Final = 300.0
"""So soon after its beginning a day is planned, before anything of it is due (``FREEZE_SETTLE``)."""
RANK_AGAIN_S: Final = 5.0
"""A ranking holds for so long, or until it is used up: a line of hundreds is not sorted at each turn."""
BACKFILL_FREEZES: Final = 4
"""Freezes in one turn of backfill: each costs several exchanges of DL/T 645."""
BACKFILL_POINTS: Final = 24
"""Points of a curve in one turn of backfill; a request brings several."""

NAP_MIN_S: Final = 0.05
"""Wall and monotonic clocks do not tick together; and who wakes for work that another takes sleeps again."""


class CollectLedger(TurnLedger, PlanLedger, Protocol):
    """What a collector needs of the ledger; each raises ``JournalError``."""

    async def fronts(self, series: Mapping[Series, datetime], now: datetime) -> dict[Series, Front]:
        """See ``Ledger.fronts``."""


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
    ) -> None:
        meters = {entry.point.meter: Meter(entry.point) for entry in entries}
        self._streams = [Stream(meters[entry.point.meter], entry.plan, entry.driver) for entry in entries]
        self._line = line
        self._looks = looks
        self._ledger = ledger
        self._clock = clock
        self._wall = Wall(line.name, clock)
        harvest = Harvest(line.name, keeper, ledger)
        self._turn = Turn(line, self._streams, harvest, looks, ledger, clock)
        self._planner = Planner(line.name, [(entry.point, entry.plan) for entry in entries], ledger, clock)
        self._patience = Patience(line.name)
        self._allowance = Allowance(line.airtime)
        self._choosing = asyncio.Lock()
        self._stopping = False
        self._woken = asyncio.Event()
        self._of_meter: dict[str, list[Stream]] = {}
        for stream in self._streams:
            self._of_meter.setdefault(stream.meter.point.meter, []).append(stream)
        self._ranking = Ranking(self._streams)
        self._ranked_at = -RANK_AGAIN_S
        self._back: list[Stream] = []
        self._look_at = -math.inf
        self._line_rests_until = 0.0
        self._slow = SlowLine(line.name, self._streams, ledger, clock)
        self._turns = 0
        self._fills = False

    def stop(self) -> None:
        """Let ``run`` end after the exchanges in hand."""
        self._stopping = True
        self._woken.set()

    def look_at_clock(self) -> None:
        """The wall clock was set: what is due may be other than it seemed."""
        self._woken.set()

    async def run(self) -> None:
        """Collect until stopped."""
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"collector[{self._line.name}].{number}")

    async def _work(self) -> None:
        while (job := await self._job()) is not None:
            await self._carry_out(job)

    async def _job(self) -> Job | None:
        """The next job, when there is one; ``None``: we are to stop. One worker waits at a time."""
        async with self._choosing:
            while not self._stopping:
                self._woken.clear()
                if (job := await self._choose()) is not None:
                    return job
                if self._clock.monotonic_s() >= max(self._looks.again_at, self._line_rests_until):
                    await self._looks.again()
                    continue
                await wait_for(self._woken, self._nap_s())
        return None

    # --- choosing ----------------------------------------------------------------------------

    async def _choose(self) -> Job | None:
        """The most urgent job; its meter is busy from now on."""
        if not self._wall.is_set():
            return None
        if await self._planner.apply():
            for stream in self._streams:
                stream.is_stale = True
            self._look_at = -math.inf
        if self._clock.monotonic_s() < self._line_rests_until:
            return None
        await self._look()
        await self._slow.blame()
        while (found := self._next()) is not None:
            is_current, stream = found
            job = await self._current_job(stream) if is_current else await self._behind_job(stream)
            if job is not None:
                stream.meter.is_busy = True
                self._fills |= job.priority is Priority.BACKFILL
                self._turns += 1
                stream.turn = self._turns
                return job
            # What was due is not: the clock was set back. It is looked again before the next choice.
            stream.front, stream.is_stale = NOTHING_OPEN, True
            self._back.append(stream)
        return None

    async def _look(self) -> None:
        """Ask the ledger what is open, where that may have changed, and rank what has.

        All streams are gone through only when one of them changes by itself; most turns change one.
        """
        now, monotonic_s = self._clock.utc_now(), self._clock.monotonic_s()
        seconds = now.timestamp()
        back, self._back = self._back, []
        is_time = seconds >= self._look_at
        among = self._streams if is_time else back
        stale = [stream for stream in among if stream.is_stale or stream.changes_at <= seconds]
        if stale:
            await self._see(stale, now)
        if is_time:
            self._look_at = min((stream.changes_at for stream in self._streams), default=math.inf)
            self._ranked_at = -RANK_AGAIN_S if stale else self._ranked_at
        else:
            self._look_at = min([self._look_at, *(stream.changes_at for stream in stale)])
        for stream in back:
            self._ranking.put(self._of_meter[stream.meter.point.meter], now, monotonic_s)

    async def _see(self, stale: Sequence[Stream], now: datetime) -> None:
        """Ask the ledger what is open of some streams."""
        for stream in stale:
            stream.is_stale = False  # before the look: a turn that ends meanwhile makes it stale again
        wanted = {stream.series: now - stream.plan.current_for for stream in stale}
        fronts = await self._patience.until_done(partial(self._ledger.fronts, wanted, now))
        for stream in stale:
            stream.front = fronts.get(stream.series, stream.front)
            if stream.plan.data_class != CURVE:
                is_behind = stream.front.newest is not None
                stream.behind = tuple(await self._open(stream, is_current=False)) if is_behind else ()

    def _next(self) -> tuple[bool, Stream] | None:
        """The next stream in the ranking, and whether it is for its current work."""
        now, monotonic_s = self._clock.utc_now(), self._clock.monotonic_s()
        if monotonic_s - self._ranked_at < RANK_AGAIN_S and (found := self._take(monotonic_s)) is not None:
            return found
        if monotonic_s > self._ranked_at:
            self._ranking.renew(now, monotonic_s)
            self._ranked_at = monotonic_s
        return self._take(monotonic_s)

    def _take(self, monotonic_s: float) -> tuple[bool, Stream] | None:
        """The most urgent one that may be asked, out of the ranking."""
        may_fill = not self._fills and self._allowance.allows(monotonic_s)
        starved = self._ranking.has_backfill and self._allowance.starved(monotonic_s)
        for is_current in (False, True) if starved else (True, False):
            while (is_current or may_fill) and (stream := self._ranking.take(is_current=is_current)):
                if stream.is_askable and stream.rests_until(is_current=is_current) <= monotonic_s:
                    return is_current, stream
        return None

    async def _current_job(self, stream: Stream) -> Job | None:
        slots = await self._open(stream, is_current=True)
        return Job(stream, tuple(slots), stream.priority) if slots else None

    async def _behind_job(self, stream: Stream) -> Job | None:
        now = self._clock.utc_now()
        if (oldest := stream.may_be_gone(now)) is not None:
            return Job(stream, (oldest,), Priority.BACKFILL, checks_depth=True)
        if stream.plan.data_class == CURVE:
            slots = (await self._open(stream, is_current=False))[:BACKFILL_POINTS]
        else:
            slots = stream.behind_first(now)[:BACKFILL_FREEZES]
        return Job(stream, tuple(slots), Priority.BACKFILL) if slots else None

    async def _open(self, stream: Stream, *, is_current: bool) -> list[datetime]:
        """Open slots of a stream, the most urgent first."""
        now = self._clock.utc_now()
        border = now - stream.plan.current_for
        worth = stream.worth(now)
        look = partial(
            self._ledger.open_slots,
            stream.series,
            since=border if is_current else LONG_AGO,
            until=now + timedelta(seconds=1) if is_current else border,
            newest_first=is_current or worth is None or worth[0] < 2,
            limit=SLOTS_A_TURN if is_current or stream.plan.data_class == CURVE else OVERWRITTEN_MAX,
        )
        return await self._patience.until_done(look)

    async def _carry_out(self, job: Job) -> None:
        is_backfill = job.priority is Priority.BACKFILL
        if is_backfill:
            self._allowance.begin()
        try:
            self._line_rests_until = await self._turn.take(job)
        finally:
            if is_backfill:
                self._allowance.end(self._clock.monotonic_s())
                self._fills = False
            job.stream.meter.is_busy = False
            job.stream.is_stale = True
            self._back.append(job.stream)
            self._woken.set()

    # --- time --------------------------------------------------------------------------------

    def _nap_s(self) -> float:
        """Until something may have become due."""
        now, monotonic_s = self._clock.utc_now(), self._clock.monotonic_s()
        naps = [LONGEST_NAP_S, self._looks.again_at - monotonic_s]
        if self._line_rests_until > monotonic_s:
            return min(LONGEST_NAP_S, self._line_rests_until - monotonic_s)
        for stream in self._streams:
            if stream.front.coming is not None:
                naps.append(stream.front.coming - now.timestamp())
            if stream.front.newest is None and stream.front.current is None:
                continue  # as most have nothing open at most times
            for is_current, has_work in enumerate((stream.front.newest, stream.front.current)):
                rests_s = stream.rests_until(is_current=bool(is_current)) - monotonic_s
                if has_work is not None and rests_s > 0:
                    naps.append(rests_s)
            if stream.front.newest is not None and not self._allowance.allows(monotonic_s):
                naps.append(self._allowance.look_again_s)
        return max(min(naps), NAP_MIN_S)
