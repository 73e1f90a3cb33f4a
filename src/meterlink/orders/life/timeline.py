"""How long ago something of the log was, though somebody sets the clock meanwhile.

The acts of the log bear wall time, and a wall clock is set: by a day, forwards or backwards. What must wait
for so long, neither longer nor shorter, is therefore counted by the monotonic clock. Both meet in *lived*
time: the wall time at which the program began, and from there the monotonic clock alone. Who writes an
instant down takes it from ``stamp``; ``lived`` knows afterwards where in lived time that was. An instant of
an earlier life of the program has nothing but its wall time, and keeps it.

A deadline is the other way round: it is over as soon as either clock says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meterlink.clock import Clock

STAMPS_MAX: Final = 100_000
"""Instants of this life that are remembered: five for each order that may be open at once. What is forgotten
counts like an instant of an earlier life."""
SET_BY: Final = timedelta(seconds=1)
"""By so much the two clocks differ only when one of them was set; being disciplined is slower."""
_TICK: Final = timedelta(microseconds=1)


class Timeline:
    """Wall time and lived time of one life of the program.

    Args:
        clock: both clocks.

    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_at = self._forgotten_at = clock.utc_now()
        self._began_s = clock.monotonic_s()
        self._stamps: dict[datetime, datetime] = {}

    def now(self) -> datetime:
        """Lived time; aware, UTC; never goes back."""
        return self._began_at + timedelta(seconds=self._clock.monotonic_s() - self._began_s)

    @property
    def ahead(self) -> timedelta:
        """How far the wall clock is before lived time: it changes when the wall clock is set."""
        return self._clock.utc_now() - self.now()

    def is_set_since(self, ahead: timedelta) -> bool:
        """Whether the wall clock was set since it was so far ``ahead``."""
        return abs(self.ahead - ahead) >= SET_BY

    def stamp(self) -> datetime:
        """Wall time, to be written down; a wall clock that was set back tells none of them twice."""
        at, now = self._clock.utc_now(), self.now()
        while abs(self._stamps.get(at, now) - now) >= SET_BY:
            at += _TICK
        self._stamps.setdefault(at, now)
        if len(self._stamps) > STAMPS_MAX:
            oldest = next(iter(self._stamps))
            self._forgotten_at = self._stamps.pop(oldest)
        return at

    def lived(self, at: datetime) -> datetime:
        """Where in lived time an instant of the log was.

        Args:
            at: as it was written down, aware. What is not remembered was no later than what was forgotten,
                however far ahead the wall clock was then.

        """
        return self._stamps.get(at) or min(at, self._forgotten_at)

    def shown(self, lived_at: datetime, now: datetime) -> datetime:
        """What the wall clock would have shown at an instant of lived time, as it goes ``now``."""
        return now - (self.now() - lived_at)

    def set_since(self, at: datetime) -> timedelta:
        """By how much the wall clock was set forward since an instant of the log; negative: back.

        Args:
            at: as ``stamp`` gave it, in this life or an earlier one.

        """
        by = self.ahead - (at - self.lived(at))
        return by if abs(by) >= SET_BY else timedelta()

    def left(self, deadline_at: datetime, since: datetime) -> timedelta:
        """How long it is until a deadline, by the clock that gives less; not positive: it is over.

        Args:
            deadline_at: as somebody wrote it down, by the wall clock; it may lie at an end of the calendar.
            since: when he did.

        """
        lived_left = (deadline_at - since) - (self.now() - self.lived(since))  # a span has room, a date not
        return min(deadline_at - self._clock.utc_now(), lived_left)
