"""Waiting until something changes, without a lock and without a task of one's own."""

from __future__ import annotations

import asyncio


class Wakers:
    """Those who wait; after ``wake`` each looks again whether what it waits for has come."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Until the next ``wake``."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def wake(self) -> None:
        """Wake everybody who waits now."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
