"""What is done next on a line: which stream, and for which of its open slots.

The ledger says what is open; a stream is asked about when something of it may have changed, and the ranking
says whose turn it is. Backfill goes when no current work waits and the line's allowance has room for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from meterlink.acquisition.allowance import Allowance
from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.planner import LONG_AGO
from meterlink.acquisition.ranking import Ranking
from meterlink.acquisition.streams import NOTHING_OPEN, Job, Stream
from meterlink.acquisition.turns import OVERWRITTEN_MAX, SLOTS_A_TURN
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.journal.ledger_looks import Front
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE

RANK_AGAIN_S: Final = 5.0
"""A ranking holds for so long, or until it is used up: a line of hundreds is not sorted at each turn."""
BACKFILL_FREEZES: Final = 4
"""Freezes in one turn of backfill: each costs several exchanges of DL/T 645."""


class OpenLedger(Protocol):
    """What is asked of the ledger; each raises ``JournalError``."""

    async def fronts(self, series: Mapping[Series, datetime], now: datetime) -> dict[Series, Front]:
        """See ``Ledger.fronts``."""

    async def open_slots(
        self,
        series: Series,
        *,
        since: datetime,
        until: datetime,
        newest_first: bool,
        limit: int,
        beside: tuple[datetime, datetime] | None = None,
    ) -> list[datetime]:
        """See ``Ledger.open_slots``."""


class Agenda:
    """The work of one line.

    Args:
        line: which; it tells how much of its time backfill has taken.
        streams: all of the line.
        ledger: the ledger.
        clock: wall and monotonic time.

    """

    def __init__(self, line: Line, streams: Sequence[Stream], ledger: OpenLedger, clock: Clock) -> None:
        self._streams = streams
        self._ledger = ledger
        self._clock = clock
        self._patience = Patience(line.name)
        self._allowance = Allowance(line.airtime)
        self._of_meter: dict[str, list[Stream]] = {}
        for stream in streams:
            self._of_meter.setdefault(stream.meter.point.meter, []).append(stream)
        self._ranking = Ranking(streams)
        self._ranked_at = -RANK_AGAIN_S
        self._back: list[Stream] = []
        self._look_at = -math.inf
        self._turns = 0
        self._fills = False

    def forget(self) -> None:
        """Nothing that is known of open slots holds: other days were planned."""
        for stream in self._streams:
            stream.is_stale = True
        self._look_at = -math.inf

    async def next(self) -> Job | None:
        """The most urgent job; its meter is busy from now on. ``None``: there is none now."""
        while (found := self._next()) is not None:
            is_current, stream = found
            job = await self._current_job(stream) if is_current else await self._behind_job(stream)
            if job is not None:
                self._take_up(job)
                return job
            # What was due is not: the clock was set back. It is looked again before the next choice.
            stream.front, stream.is_stale = NOTHING_OPEN, True
            self._back.append(stream)
        return None

    def _take_up(self, job: Job) -> None:
        job.stream.meter.is_busy = True
        if not job.is_current:
            self._fills = True
            self._allowance.begin()
        self._turns += 1
        job.stream.turn = self._turns

    def done(self, job: Job) -> None:
        """A job has ended, one way or the other.

        Args:
            job: that ``next`` gave.

        """
        if not job.is_current:
            self._allowance.end(self._clock.monotonic_s())
            self._fills = False
        job.stream.meter.is_busy = False
        job.stream.is_stale = True
        self._back.append(job.stream)

    @property
    def changes_in_s(self) -> float:
        """In how long something may have become due, or may be asked again; infinite: nothing will."""
        now, monotonic_s = self._clock.utc_now(), self._clock.monotonic_s()
        naps = [math.inf]
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
        return min(naps)

    async def look(self) -> None:
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
        may_ask = self._clock.monotonic_s() >= stream.depth_rests_until
        if may_ask and (oldest := stream.may_be_gone(now)) is not None:
            return Job(stream, (oldest,), Priority.BACKFILL, checks_depth=True)
        if stream.plan.data_class == CURVE:
            slots = (await self._points_behind(stream))[: stream.points_a_turn]
        else:
            slots = stream.behind_first(now)[:BACKFILL_FREEZES]
        return Job(stream, tuple(slots), Priority.BACKFILL) if slots else None

    async def _points_behind(self, stream: Stream) -> list[datetime]:
        """Open points of a curve that are backfill: first those that no turn has come for in vain.

        The ledger is asked for just those: however many were passed by, what is behind them has its turn.
        """
        if slots := await self._open(stream, is_current=False, beside=stream.passed):
            return slots
        stream.begin_again()
        return await self._open(stream, is_current=False)

    async def _open(
        self, stream: Stream, *, is_current: bool, beside: tuple[datetime, datetime] | None = None
    ) -> list[datetime]:
        """Open slots of a stream, the most urgent first; ``beside``: but for those of a stretch."""
        now = self._clock.utc_now()
        border = now - stream.plan.current_for
        worth = stream.worth(now)
        takes_few = is_current or stream.plan.data_class == CURVE
        look = partial(
            self._ledger.open_slots,
            stream.series,
            since=border if is_current else LONG_AGO,
            until=now + timedelta(seconds=1) if is_current else border,
            newest_first=is_current or worth is None or worth[0] < 2,
            limit=SLOTS_A_TURN if takes_few else OVERWRITTEN_MAX,
            beside=beside,
        )
        return await self._patience.until_done(look)
