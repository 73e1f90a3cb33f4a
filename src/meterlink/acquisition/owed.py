"""Looks that can wait for a quiet moment of their line: those at the settlement days of its meters.

Nothing that is read in a night needs them, and a line full of strangers would take each of its freezes later
for them. Where a line has no quiet moment before the next freeze of a meter, its look is taken behind that.
"""

from __future__ import annotations

import heapq
import math
from datetime import date


class Owed:
    """Whose settlement day is to be looked at; each meter stands in it once."""

    def __init__(self) -> None:
        self._since: dict[str, date] = {}
        self._queue: list[tuple[float, str]] = []
        self._rests_until = -math.inf

    def owe(self, meter: str, today: date) -> None:
        """A look is due; that of a meter that stands here already stays as it is.

        Args:
            meter: our id of it.
            today: in the plant's zone.

        """
        if meter not in self._since:
            self._since[meter] = today
            heapq.heappush(self._queue, (-math.inf, meter))

    def presses(self, meter: str, today: date) -> bool:
        """Whether a look stands here since another day: it is to be taken behind the next freeze."""
        return self._since.get(meter, today) != today

    @property
    def next_at(self) -> float:
        """Monotonic time from which the next look may be taken; infinite: there is none."""
        while self._queue and self._queue[0][1] not in self._since:
            heapq.heappop(self._queue)
        return max(self._queue[0][0], self._rests_until) if self._queue else math.inf

    def rest(self, until_s: float) -> None:
        """The line does not carry looks: none is taken before a monotonic time."""
        self._rests_until = until_s

    def take(self, again_s: float) -> str:
        """The meter to be looked at next.

        Args:
            again_s: monotonic time from which it is looked at again, unless it is ``settled`` before.

        """
        _, meter = heapq.heappop(self._queue)
        heapq.heappush(self._queue, (again_s, meter))
        return meter

    def settle(self, meter: str) -> None:
        """It was looked at, or nobody looks at it any more."""
        self._since.pop(meter, None)
