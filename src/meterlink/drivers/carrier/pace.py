"""How fast a module is answered that begins exchanges by itself: one that waits for answers goes no faster.

A module that asks for a thousand meters of which nothing is due, or reports each meter of an area without
power, may do so in a burst, and then so many a second. It notices nothing but that we take our time. What a
module says without waiting for that counts as unasked (``bus.endurance``).
"""

from __future__ import annotations

from typing import Final

ANSWERS_BURST: Final = 64
ANSWERS_PER_S: Final = 32.0
"""More than a module of 9,600 baud can ask for, and a tenth of a second of work each minute for us."""
UNANSWERED_MAX: Final = 2
"""What a module that waits for answers has begun since the last one: one thing, and its repeat."""

_TINY: Final = 1e-6
"""A wait for one answer brings a little less, as such numbers are."""


class Pace:
    """The answers to one module, and what it has begun.

    Args:
        now_s: loop time.

    """

    def __init__(self, now_s: float) -> None:
        self._left, self._at_s = float(ANSWERS_BURST), now_s
        self._unanswered = 0

    def wait_s(self, now_s: float) -> float:
        """How long to wait with the answer that is due; 0: it goes now.

        Args:
            now_s: loop time.

        """
        self._left = min(self._left + (now_s - self._at_s) * ANSWERS_PER_S, float(ANSWERS_BURST))
        self._at_s = now_s
        if self._left < 1 - _TINY:
            return (1 - self._left) / ANSWERS_PER_S
        self._left -= 1
        self._unanswered = 0
        return 0.0

    def is_kept(self) -> bool:
        """The module has begun something: whether it waits for our answers."""
        self._unanswered += 1
        return self._unanswered <= UNANSWERED_MAX
