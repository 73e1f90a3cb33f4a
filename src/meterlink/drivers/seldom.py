"""Lines of the log that a device causes: the first at once, and then one in so long for all of its kind.

A device that has gone mad, or whoever stands at its address, could fill a disk with them otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

TOLD_EVERY_S: Final = 60.0
"""One line a minute says that something goes on, and how often it was."""


class Seldom:
    """Whether one kind of line is due, for one device.

    Args:
        now_s: monotonic time.
        every_s: from one line to the next.

    """

    def __init__(self, now_s: Callable[[], float], every_s: float = TOLD_EVERY_S) -> None:
        self._now_s = now_s
        self._every_s = every_s
        self._told_s = float("-inf")
        self._times = 0

    def times(self) -> int:
        """It has happened: how often it has since it was told last; 0: it is not to be told now."""
        self._times += 1
        now_s = self._now_s()
        if now_s - self._told_s < self._every_s:
            return 0
        times, self._times, self._told_s = self._times, 0, now_s
        return times
