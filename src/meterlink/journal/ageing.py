"""The time by which old rows may go: never ahead of what the wall clock has shown for a day.

What is taken out does not come back, and a wall clock may be far ahead for minutes (a wrong time server, a
battery that was changed). So rows are aged by the least that the wall clock was ahead of the monotonic one in
the last ``BELIEVED_AFTER_S``; a start goes on from what the last one believed when it was seen alive, so that
a start in the midst of the wrong time changes nothing. A clock that is right, and was right, costs nothing;
one that was set ahead, or a gateway that was off for long, has old rows a day more. A clock without a time
says nothing.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Final

from meterlink.clock import SET_FROM, Clock

BELIEVED_AFTER_S: Final = 86_400.0
"""So long a wall clock must have been where it is now before anything is taken out by it."""
SAMPLE_S: Final = 600.0
"""Looks nearer to one another count as one, so that there are no more than 145 of them."""


class AgeingClock:
    """The time by which rows age.

    Args:
        clock: wall and monotonic time.
        believed_at: this of the start before, when that was last seen alive; ``None``: there was none.

    """

    def __init__(self, clock: Clock, believed_at: datetime | None) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, float]] = deque()
        """Monotonic time, and how far the wall clock was ahead of it; both grow."""
        if believed_at is not None:
            self._note(believed_at.timestamp())

    def now(self) -> datetime:
        """The wall time, or less; aware, UTC. To be asked at least once in an hour."""
        now = self._clock.utc_now()
        if now < SET_FROM and not self._seen:
            return now
        if now >= SET_FROM:
            self._note(now.timestamp())
        monotonic_s = self._clock.monotonic_s()
        while len(self._seen) > 1 and monotonic_s - self._seen[0][0] > BELIEVED_AFTER_S:
            self._seen.popleft()
        return datetime.fromtimestamp(monotonic_s + self._seen[0][1], UTC)

    def _note(self, wall_s: float) -> None:
        monotonic_s = self._clock.monotonic_s()
        ahead_s = wall_s - monotonic_s
        while self._seen and self._seen[-1][1] >= ahead_s:
            self._seen.pop()
        if len(self._seen) < 2 or monotonic_s - self._seen[-1][0] >= SAMPLE_S:
            self._seen.append((monotonic_s, ahead_s))
