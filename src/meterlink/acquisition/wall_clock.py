"""Seeing that somebody has set the wall clock: one look for the whole daemon, so that nobody else must wake.

Whoever waits for a time of day sleeps through to it. A clock that is set makes that wrong, and no timer tells
of it: the time that the wall clock says has passed is held against the monotonic clock's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from meterlink.clock import Clock

LOOK_S: Final = 30.0
"""How often it is looked."""
SET: Final = timedelta(seconds=2)
"""A clock that moved by more beside the other was set; by less it was kept right, a little at a time."""


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
