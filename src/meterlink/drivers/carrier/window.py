"""How many meters are read at once through one module, and who is next.

The limit is the module's own and nobody says it: one begins small, adds one place after as many good answers
as there are places, and halves when the module denies (109). A module without F1-F1 has one place.

Whoever waits does so in the order in which he came. A lane that gave up waiting comes back with the time of
its first try, so that on a slow module nobody starves. Frames that are no reads (orders) go before all.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from meterlink.errors import LineBusy

WINDOW_FIRST: Final = 5
"""Places at the beginning. Source: spec gdw1376, A14."""
WAIT_MAX_S: Final = 240.0
"""Longest wait for a place. A line's watch counts this as part of an exchange in hand."""

_Waiting = tuple[bool, float, int, "asyncio.Future[None]"]


class Window:
    """The places of one module.

    Args:
        most: places at most, 1 or more.

    Attributes:
        places: how many there are now.
        used: how many of them are taken.

    """

    def __init__(self, most: int) -> None:
        self._most = self._limit = most
        self.places = min(WINDOW_FIRST, most)
        self.used = 0
        self._good = 0
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()
        self._since: dict[int, float] = {}
        self._loop = asyncio.get_running_loop()

    def narrow(self, *, one_at_a_time: bool) -> None:
        """The module has, or has not, a way to read several meters at once; the places begin anew."""
        self._limit = 1 if one_at_a_time else self._most
        self.places = min(WINDOW_FIRST, self._limit)
        self._good = 0
        self._admit()

    def answered(self) -> None:
        """The module took a request and did with it what it could."""
        self._good += 1
        if self._good >= self.places:
            self._good = 0
            self.places = min(self.places + 1, self._limit)
            self._admit()

    def denied(self) -> None:
        """The module said that there are too many."""
        self.places, self._good = max(1, self.places // 2), 0

    @asynccontextmanager
    async def place(self, lane: int, *, urgent: bool) -> AsyncIterator[None]:
        """Have a place: ``async with window.place(...)``.

        Args:
            lane: who wants it; a lane wants one at a time.
            urgent: before everybody who is not.

        Raises:
            LineBusy: there was none for ``WAIT_MAX_S``; the lane keeps its place in the row.

        """
        await self._take(lane, urgent=urgent)
        try:
            yield
        finally:
            self.used -= 1
            self._admit()

    async def _take(self, lane: int, *, urgent: bool) -> None:
        since = self._since.setdefault(lane, self._loop.time())
        turn: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (not urgent, since, next(self._numbers), turn))
        self._admit()
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.used -= 1
                self._admit()
            turn.cancel()
            if isinstance(error, TimeoutError):
                raise LineBusy(
                    f"{self.places} meters are read at once, and others were first for {WAIT_MAX_S:g} s"
                ) from None
            raise
        self._since.pop(lane, None)

    def _admit(self) -> None:
        while self._waiting and self.used < self.places:
            turn = heapq.heappop(self._waiting)[-1]
            if not turn.done():
                self.used += 1
                turn.set_result(None)
        if not self.used:
            self._waiting = [one for one in self._waiting if not one[-1].done()]
            heapq.heapify(self._waiting)
