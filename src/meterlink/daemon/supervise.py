"""Restarting a part that crashed, with a limit, and ending one that does not end by itself.

So one bad line never takes the others along, neither while the daemon works nor when it stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from meterlink.clock import apart

RESTARTS_MAX = 5
RESTART_WINDOW_S = 600.0
"""A part that crashes more often than this within the window stays down until it has been quiet that long."""
RESTART_PAUSE_S = 1.0
CUT_PATIENCE_S: Final = 5.0
"""So long a part may take to put away what it had in hand when it is cut off; a module is told within two."""
CUT_AGAIN_S: Final = 1.0
CUTS_MAX: Final = 5
"""A part that has not ended by then is cut off again, so often, and then left."""

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
            await apart(_run(start), name)
        except Exception as error:  # noqa: BLE001 (a line's bug may not reach its neighbours)
            now = loop.time()
            full = len(crashes) == RESTARTS_MAX and now - crashes[0] < RESTART_WINDOW_S
            pause_s = RESTART_WINDOW_S if full else RESTART_PAUSE_S
            crashes = [*crashes[1 - RESTARTS_MAX :], now]
            _log.error("part_crashed", part=name, pause_s=pause_s, exc_info=error)
            await asyncio.sleep(pause_s)
        else:
            return


async def _run(start: Callable[[], Awaitable[None]]) -> None:
    await start()


class Leavable:
    """A part under supervision for which nobody waits without end.

    One that a bug keeps from ending, though it was cut off again and again, is told in the log and left to
    itself: whoever stops it has waited ``CUT_PATIENCE_S`` and some times ``CUT_AGAIN_S`` then.

    Args:
        name: what people call the part.
        start: makes a fresh run of it.

    Attributes:
        is_left: it may still be at work, and nobody waits for it.

    """

    def __init__(self, name: str, start: Callable[[], Awaitable[None]]) -> None:
        self.is_left = False
        self._name = name
        self._start = start

    async def run(self) -> None:
        """Run it until it ends; cancelled, cut it off."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(supervised(self._name, self._start), name=self._name)
        try:
            await asyncio.wait([task])
        finally:
            self.is_left = not task.done()  # as it is if we are cancelled once more
            self.is_left = not await cut_off(task)
            if self.is_left:
                _log.error("part_left", part=self._name, cuts=CUTS_MAX)
        task.result()


async def cut_off(*tasks: asyncio.Task[Any]) -> bool:
    """Cancel tasks until they have ended, within limits; whether all have."""
    patience_s = CUT_PATIENCE_S
    for _ in range(CUTS_MAX):
        left = [task for task in tasks if not task.done()]
        if not left:
            return True
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=patience_s)
        patience_s = CUT_AGAIN_S
    return all(task.done() for task in tasks)
