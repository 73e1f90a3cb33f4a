"""Restarting a part that crashed, with a limit, so that one bad line never takes the others along."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

RESTARTS_MAX = 5
RESTART_WINDOW_S = 600.0
"""A part that crashes more often than this within the window stays down until it has been quiet that long."""
RESTART_PAUSE_S = 1.0

_log = structlog.get_logger(__name__)


async def supervised(name: str, start: Callable[[], Awaitable[None]]) -> None:
    """Run a part until it ends by itself; start it again when it crashes.

    A crash here is a bug of ours: whatever the world does wrong is handled further down. It is logged with
    its traceback each time.

    Args:
        name: what people call the part.
        start: makes a fresh run of it.

    """
    loop = asyncio.get_running_loop()
    crashes: list[float] = []  # of the last ones
    while True:
        try:
            await start()
        except Exception as error:  # noqa: BLE001 (a line's bug may not reach its neighbours)
            now = loop.time()
            full = len(crashes) == RESTARTS_MAX and now - crashes[0] < RESTART_WINDOW_S
            pause_s = RESTART_WINDOW_S if full else RESTART_PAUSE_S
            crashes = [*crashes[1 - RESTARTS_MAX :], now]
            _log.error("part_crashed", part=name, pause_s=pause_s, exc_info=error)
            await asyncio.sleep(pause_s)
        else:
            return
