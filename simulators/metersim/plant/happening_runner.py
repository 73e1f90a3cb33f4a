"""Lets things happen to the meters of a plant, each at its time, on the plant's own clock.

One task runs them in the order of their times; what has an end is put back into the same order. Somebody may
also let something happen at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random
from typing import Final

from metersim.line.line import Clock, Line
from metersim.plant.effects import Affected, begin, check_can_have, end, lasts, strike
from metersim.plant.happenings import Happening
from metersim.plant.series import series
from metersim.plant.whens import after, first

HAPPENINGS_MAX: Final = 1_024
"""Happenings of a plant that are to come, or last; spent ones are kept as long as there is room."""
LASTING_MAX: Final = 65_536
"""What lasts, each on one meter, and parts of a series that are still to come."""
_LOOK_EVERY_S: Final = 3_600.0  # a wall clock may be set while we wait


class TooMuchHappens(ValueError):
    """A plant has as many happenings, or as much that lasts, as it can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HappeningReport:
    """How a happening has fared.

    Args:
        number: of the happening, from 1.
        happening: what.
        befallen: meters that it befell, each time counted.
        failed: meters that it could not befall, each time counted.
        last_error: why the last one could not; empty: none.
        next_at: true time at which it comes next; ``None``: never again.

    """

    number: int
    happening: Happening
    befallen: int
    failed: int
    last_error: str
    next_at: datetime | None

    @property
    def name(self) -> str:
        """How it is called."""
        return self.happening.name or f"{self.happening.what}-{self.number}"


class _Kept:
    """A happening with its fate so far."""

    __slots__ = ("befallen", "comings", "failed", "happening", "last_error", "next_at", "number", "open")

    def __init__(self, number: int, happening: Happening) -> None:
        self.number = number
        self.happening = happening
        self.next_at: datetime | None = None
        self.comings = 0
        self.befallen = 0
        self.failed = 0
        self.last_error = ""
        self.open = 0  # what lasts of it, each on one meter, and parts of it that are to come

    @property
    def spent(self) -> bool:
        """Whether nothing comes of it any more."""
        return self.next_at is None and not self.open


class Happenings:
    """The happenings of a plant.

    Args:
        happenings: to begin with, 1,024 at most.
        lines: of the plant.
        clock: of the plant.
        seed: of what probabilities leave to chance.
        start: true time from which offsets count; ``None``: now.

    Raises:
        TooMuchHappens: too many.

    """

    def __init__(
        self,
        happenings: Iterable[Happening],
        lines: Sequence[Line],
        *,
        clock: Clock,
        seed: int = 0,
        start: datetime | None = None,
    ) -> None:
        self._meters = [
            (line.name, meter)
            for line in lines
            for meter in line.meters.values()
            if isinstance(meter, Affected)
        ]
        self._clock = clock
        self._seed = seed
        self._start = clock.utc_now() if start is None else start
        self._kept: list[_Kept] = []
        self._numbers = itertools.count(1)
        self._due: list[tuple[datetime, int, Callable[[datetime], object]]] = []
        self._order = itertools.count()
        self._lasting: dict[int, list[tuple[int, Happening]]] = {}
        self._tokens = itertools.count()
        self._pending = 0
        self._news = asyncio.Event()
        self._when_failed: list[Callable[[HappeningReport], None]] = []
        for happening in happenings:
            self.add(happening)

    def add(self, happening: Happening, *, start: datetime | None = None) -> int:
        """Let something happen in its time; its number.

        Args:
            happening: what; one whose time has gone by happens at once.
            start: true time from which its offset counts; ``None``: the start of all.

        Raises:
            TooMuchHappens: 1,024 are to come, or last.

        """
        kept = self._keep(happening)
        kept.next_at = first(happening.at, start or self._start)
        self._put(kept.next_at, partial(self._come, kept))
        return kept.number

    def apply(self, happening: Happening) -> HappeningReport:
        """Let something happen now, whatever its time; where it has an end, that comes in its time.

        Raises:
            TooMuchHappens: too many happenings, or too much that lasts.
            ValueError: it befell no meter, for none is meant, or none can have it; the message says why.

        """
        kept = self._keep(happening)
        now = self._clock.utc_now()
        self._befall(kept, now)
        self.advance(now)  # the first of a series
        if not kept.befallen:
            self._kept.remove(kept)
            raise ValueError(kept.last_error or f"no meter is {happening.meter} on a line {happening.line}")
        return _report(kept)

    def when_failed(self, told: Callable[[HappeningReport], None]) -> None:
        """Have something called the first time that a happening cannot befall a meter which it means."""
        self._when_failed.append(told)

    def reports(self) -> tuple[HappeningReport, ...]:
        """How every happening has fared, in their order; the oldest that are spent make room for others."""
        return tuple(map(_report, self._kept))

    async def run(self, *, speed: Callable[[], int] = lambda: 1) -> None:
        """Let everything happen in its time; for ever, so cancel it. Another run goes on from there.

        Args:
            speed: how many times as fast as the loop's the clock runs now.

        """
        self._news = asyncio.Event()  # of this loop
        while True:
            self._news.clear()
            now = self._clock.utc_now()
            self.advance(now)
            wait_s = (self._due[0][0] - now).total_seconds() / speed() if self._due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_s is None else min(wait_s, _LOOK_EVERY_S)):
                    await self._news.wait()

    def wake(self) -> None:
        """Have `run` count again how long it waits; for who changed the clock, on the loop of the plant."""
        self._news.set()

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due, each at its own time."""
        while self._due and self._due[0][0] <= now:
            at, _, happen = heapq.heappop(self._due)
            happen(at)

    def _keep(self, happening: Happening) -> _Kept:
        if len(self._kept) >= HAPPENINGS_MAX:
            self._drop_one()
        kept = _Kept(next(self._numbers), happening)
        self._kept.append(kept)
        return kept

    def _drop_one(self) -> None:
        """Forget the oldest that is spent: room for another one."""
        for number, kept in enumerate(self._kept):
            if kept.spent:
                del self._kept[number]
                return
        raise TooMuchHappens(f"more than {HAPPENINGS_MAX} happenings are to come, or last")

    def _put(self, at: datetime, happen: Callable[[datetime], object]) -> None:
        heapq.heappush(self._due, (at, next(self._order), happen))
        self._news.set()

    def _come(self, kept: _Kept, at: datetime) -> None:
        self._befall(kept, at)
        kept.next_at = after(kept.happening.at, at)
        if kept.happening.times is not None and kept.comings >= kept.happening.times:
            kept.next_at = None
        if kept.next_at is not None:
            self._put(kept.next_at, partial(self._come, kept))

    def _befall(self, kept: _Kept, at: datetime) -> None:
        """Let it happen to each meter that it means; one that cannot have it harms no other."""
        kept.comings += 1
        for meter in self._meant(kept.happening):
            if self._drawn(kept, meter.address):
                kept.befallen += self._tried(kept, partial(self._happen, kept, meter), at)

    def _tried(self, kept: _Kept, happen: Callable[[datetime], None], at: datetime) -> bool:
        try:
            happen(at)
        except ValueError as error:
            kept.failed += 1
            kept.last_error = str(error)
            if kept.failed == 1:
                for told in self._when_failed:
                    told(_report(kept))
            return False
        return True

    def _meant(self, happening: Happening) -> list[Affected]:
        fits = fnmatch.fnmatchcase
        return [
            meter
            for line, meter in self._meters
            if fits(meter.address, happening.meter) and fits(line, happening.line)
        ]

    def _drawn(self, kept: _Kept, address: str) -> bool:
        if kept.happening.probability >= 1.0:
            return True
        random = Random(f"{self._seed}/{kept.number}/{address}/{kept.comings}")  # noqa: S311  # repeatable
        return random.random() < kept.happening.probability

    def _happen(self, kept: _Kept, meter: Affected, at: datetime) -> None:
        check_can_have(kept.happening, meter.works)
        parts = series(kept.happening)
        if parts is None:
            self._one(kept, kept.happening, meter, at)
            return
        for wait, part in parts:
            self._later(kept, part, meter, at + wait)

    def _one(self, kept: _Kept, happening: Happening, meter: Affected, at: datetime) -> None:
        at = _advanced(meter, at)
        if not lasts(happening):
            strike(happening, meter.works, at)
            return
        lasting = self._lasting.setdefault(id(meter), [])
        if happening.lasts is None and any(other is happening for _, other in lasting):
            return  # it has not ended since it came last
        self._check_room()
        begin(happening, meter.works, at)
        self._pending += 1
        kept.open += 1
        token = next(self._tokens)
        lasting.append((token, happening))
        if happening.lasts is not None:
            ending = partial(self._end, kept, token, happening, meter)
            self._put(at + happening.lasts, partial(self._tried, kept, ending))

    def _end(self, kept: _Kept, token: int, happening: Happening, meter: Affected, at: datetime) -> None:
        left = [(each, other) for each, other in self._lasting[id(meter)] if each != token]
        self._lasting[id(meter)] = left
        self._pending -= 1
        kept.open -= 1
        end(happening, [other for _, other in left], meter.works, _advanced(meter, at))

    def _later(self, kept: _Kept, part: Happening, meter: Affected, at: datetime) -> None:
        """Part of a series; it counts as what lasts until it has come."""
        self._check_room()
        self._pending += 1
        kept.open += 1

        def come(at: datetime) -> None:
            self._pending -= 1
            kept.open -= 1
            self._tried(kept, partial(self._one, kept, part, meter), at)

        self._put(at, come)

    def _check_room(self) -> None:
        if self._pending >= LASTING_MAX:
            raise TooMuchHappens(f"more than {LASTING_MAX} things last, or are to come")


def _advanced(meter: Affected, at: datetime) -> datetime:
    """A meter may have obeyed somebody since ``at``, where the wall clock is late; rows are in order."""
    at = max(at, meter.works.history.last.at)
    meter.works.advance(at)
    return at


def _report(kept: _Kept) -> HappeningReport:
    return HappeningReport(
        number=kept.number,
        happening=kept.happening,
        befallen=kept.befallen,
        failed=kept.failed,
        last_error=kept.last_error,
        next_at=kept.next_at,
    )
