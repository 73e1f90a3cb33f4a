"""How long to wait before the next try: longer each time, never in step with others."""

from __future__ import annotations

from random import Random

FIRST_S = 0.5
MAX_S = 30.0


class Backoff:
    """Doubling waits with a cap; each is drawn between half of it and the whole.

    Two thousand gateways that lost one broker would otherwise all come back in the same second.

    Args:
        random: seeded in tests.
        first_s: the first wait, at most.
        max_s: every later one, at most.

    """

    def __init__(self, random: Random, *, first_s: float = FIRST_S, max_s: float = MAX_S) -> None:
        self._random = random
        self._first_s = first_s
        self._max_s = max_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait now; the following wait is longer."""
        wait_s = self._random.uniform(self._next_s / 2, self._next_s)
        self._next_s = min(2 * self._next_s, self._max_s)
        return wait_s

    def reset(self) -> None:
        """It went well: begin anew."""
        self._next_s = self._first_s
