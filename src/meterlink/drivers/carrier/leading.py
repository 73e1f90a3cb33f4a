"""A module that leads the reading by itself: paused before a read of ours, and let go on afterwards.

Its own reading and ours would disturb each other, and some modules deny direct reads meanwhile (9).
Source: spec gdw1376, A12.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from meterlink.drivers.carrier.asking import Asking, ModuleDenied
from meterlink.drivers.seldom import Seldom
from meterlink.errors import MeterlinkError, ReplyTimeout

RESUME_AFTER_S: Final = 100.0
"""A module that leads goes on so long after the last read of ours. Source: spec gdw1376, A12."""
LEAVE_MAX_S: Final = 2.0
"""So long a module may take to be told to go on when the daemon stops."""
_log = structlog.get_logger(__name__)


class Leading:
    """Who leads at one module while it is open.

    Args:
        name: of the line.
        asking: gives commands to it.
        told: of what it refuses.

    Attributes:
        leads: whether it reads by itself, as it says.
        is_paused: whether we have paused it.

    """

    def __init__(self, name: str, asking: Asking, told: Seldom) -> None:
        self.leads = False
        self.is_paused = False
        self._name = name
        self._asking = asking
        self._told = told
        self._turn = asyncio.Lock()
        self._paused = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._read_s = float("-inf")

    async def before_read(self) -> None:
        """Pause it (12-F2), if it leads and was not paused.

        Raises:
            LineLost, LineClosed, BusFull: from the port.

        """
        self._read_s = self._loop.time()
        if not self.leads:
            return
        async with self._turn:
            if not self.is_paused:
                await self._tell(2)
                self.is_paused = True
                self._paused.set()

    async def run(self) -> None:
        """Let it go on (12-F3) when nothing was read for a while, until cancelled."""
        while True:
            await self._paused.wait()
            self._paused.clear()
            await self._until_quiet()
            await self._resume()

    async def _until_quiet(self) -> None:
        """Wait until nothing was read for long enough; each read moves that moment on."""
        left_s = RESUME_AFTER_S
        while self.is_paused and left_s > 0:
            await asyncio.sleep(left_s)
            left_s = self._read_s + RESUME_AFTER_S - self._loop.time()

    async def leave(self) -> None:
        """Before we go: it goes on by itself, if it can be told in time."""
        with suppress(TimeoutError, MeterlinkError):
            async with asyncio.timeout(LEAVE_MAX_S):
                await self._resume()

    def begin(self, *, leads: bool) -> None:
        """It has been started, and reads by itself or not."""
        self.leads, self.is_paused = leads, False

    async def _resume(self) -> None:
        async with self._turn:
            if self.is_paused:
                self.is_paused = False
                await self._tell(3)

    async def _tell(self, fn: int) -> None:
        try:
            await self._asking.ask(0x12, fn)
        except (ModuleDenied, ReplyTimeout) as error:
            if times := self._told.times():
                _log.info("carrier_not_led", line=self._name, reason=str(error), times=times)
