"""How much of a line backfill may take: at most a fifth of its time, measured, not planned.

Source: business rules, FRZ-03.
"""

from __future__ import annotations

from typing import Final

from meterlink.bus.airtime import BUCKET_S, WINDOW_S, Airtime
from meterlink.bus.queue import Priority

SHARE: Final = 0.2
"""Of the line's time, over any ten minutes."""
STARVED_S: Final = Priority.BACKFILL.patience_s
"""Backfill that has waited for so long goes before current work, once: a line that is always busy would
never come to it. Source: decision 19."""


class Allowance:
    """What backfill of one line may still take.

    Args:
        airtime: of the line.

    """

    def __init__(self, airtime: Airtime) -> None:
        self._airtime = airtime
        self._turn_s = 0.0
        self._before_s = 0.0
        self._last_at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether another turn fits, if it takes as long as the last one.

        Args:
            now: loop time.

        """
        budget_s = SHARE * WINDOW_S
        used_s = self._airtime.used_s(Priority.BACKFILL, now)
        return used_s + min(self._turn_s, budget_s) <= budget_s

    def starved(self, now: float) -> bool:
        """Whether backfill has waited too long."""
        if self._last_at is None:
            self._last_at = now
        return now - self._last_at >= STARVED_S

    def begin(self) -> None:
        """A turn begins."""
        self._before_s = self._airtime.total_s[Priority.BACKFILL]

    def end(self, now: float) -> None:
        """A turn has ended."""
        self._turn_s = self._airtime.total_s[Priority.BACKFILL] - self._before_s
        self._last_at = now

    @property
    def look_again_s(self) -> float:
        """How soon there may be more."""
        return BUCKET_S
