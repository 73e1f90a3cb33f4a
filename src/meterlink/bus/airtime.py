"""How much of a line's time went to what, over the last minutes.

Time is counted in buckets, so that a line with many short exchanges remembers no more than a slow one. A
bucket counts as long as any of it lies in the window: what is said is rather too much than too little.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Final

from meterlink.bus.queue import Priority

WINDOW_S: Final = 600.0
"""How far back is looked."""
BUCKET_S: Final = 10.0


class Airtime:
    """The exchanges of one line."""

    def __init__(self) -> None:
        self._buckets: list[tuple[int, dict[Priority, float]]] = []  # a few dozen, most of the time none
        self._last: dict[Priority, float] = {}
        self._last_ends = -math.inf
        self.total_s: dict[Priority, float] = defaultdict(float)
        """Since the start, by priority."""

    def note(self, priority: Priority, seconds: float, now: float) -> None:
        """An exchange has ended now.

        Args:
            priority: whose it was.
            seconds: how long it had the line.
            now: loop time.

        """
        if now >= self._last_ends:
            self._begin(int(now // BUCKET_S))
        self._last[priority] += seconds
        self.total_s[priority] += seconds

    def used_s(self, priority: Priority, now: float) -> float:
        """Seconds of the last ``WINDOW_S`` that went to exchanges of a priority."""
        self._forget(int(now // BUCKET_S))
        return sum(used.get(priority, 0.0) for _, used in self._buckets)

    def _begin(self, number: int) -> None:
        self._forget(number)
        self._last, self._last_ends = defaultdict(float), (number + 1) * BUCKET_S
        self._buckets.append((number, self._last))

    def _forget(self, number: int) -> None:
        while self._buckets and (number - self._buckets[0][0] - 1) * BUCKET_S >= WINDOW_S:
            del self._buckets[0]
