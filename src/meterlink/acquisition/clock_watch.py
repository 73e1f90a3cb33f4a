"""Whether the gateway knows what time it is, and seeing that somebody has set its wall clock.

One without a clock battery starts in 1970. One look serves the whole daemon, so that nobody else must wake:
whoever waits for a time of day sleeps through to it. A clock that is set makes that wrong, and no timer tells
of it: the time that the wall clock says has passed is held against the monotonic clock's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from meterlink.clock import SET_FROM, Clock

LOOK_S: Final = 30.0
"""How often it is looked."""
SET: Final = timedelta(seconds=2)
"""A clock that moved by more beside the other was set; by less it was kept right, a little at a time."""

_log = structlog.get_logger(__name__)


class Wall:
    """The wall clock of a gateway, asked whether it was set.

    Until it was, nothing is due: what is asked for would stand under days that never were.

    Args:
        line: its name, for the log.
        clock: wall time.

    """

    def __init__(self, line: str, clock: Clock) -> None:
        self._line = line
        self._clock = clock
        self._is_told = False

    def is_set(self) -> bool:
        """Whether the clock shows a time at which this program can run; says so once when it does not."""
        now = self._clock.utc_now()
        is_set = now >= SET_FROM
        if not is_set and not self._is_told:
            _log.warning("clock_not_set", line=self._line, shows=now.isoformat())
        self._is_told = not is_set
        return is_set


async def watch(clock: Clock, was_set: Callable[[], None]) -> None:
    """Call ``was_set`` within ``LOOK_S`` of each time when the wall clock was set; until cancelled.

    Args:
        clock: wall and monotonic time.
        was_set: wakes all who wait for a time of day.

    """
    wall, monotonic_s = clock.utc_now(), clock.monotonic_s()
    while True:
        await asyncio.sleep(LOOK_S)
        ought = wall + timedelta(seconds=clock.monotonic_s() - monotonic_s)
        wall, monotonic_s = clock.utc_now(), clock.monotonic_s()
        if abs(wall - ought) > SET:
            was_set()
