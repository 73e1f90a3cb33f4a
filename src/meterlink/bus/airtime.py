"""How much of a line's time went to what, over the last minutes.

Time is counted in buckets, so that a line with many short exchanges remembers no more than a slow one. A
bucket counts as long as any of it lies in the window: what is said is rather too much than too little.
"""

from __future__ import annotations

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
        self.total_s: dict[Priority, float] = defaultdict(float)
        """Since the start, by priority."""

    def note(self, priority: Priority, seconds: float, now: float) -> None:
        """An exchange has ended now.

        Args:
            priority: whose it was.
            seconds: how long it had the line.
            now: loop time.

        """
        number = int(now // BUCKET_S)
        if not self._buckets or self._buckets[-1][0] != number:
            self._forget(number)
            self._buckets.append((number, defaultdict(float)))
        self._buckets[-1][1][priority] += seconds
        self.total_s[priority] += seconds

    def used_s(self, priority: Priority, now: float) -> float:
        """Seconds of the last ``WINDOW_S`` that went to exchanges of a priority."""
        self._forget(int(now // BUCKET_S))
        return sum(used.get(priority, 0.0) for _, used in self._buckets)

    def _forget(self, number: int) -> None:
        while self._buckets and (number - self._buckets[0][0] - 1) * BUCKET_S >= WINDOW_S:
            del self._buckets[0]
