"""The delivery of a running daemon, which can be exchanged: whole, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from meterlink.config import Settings
from meterlink.daemon.delivery import Delivery, Outside, delivering
from meterlink.errors import MeterlinkError
from meterlink.journal.journal import Journal
from meterlink.publish.relay import Relay

RETRY_S: Final = 5.0
"""Between tries to open the old way again, when neither the new one nor the old one could be opened."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    settings: Settings
    outside: Outside
    opened: asyncio.Future[None]


class DeliverySlot:
    """Where the present delivery is; made by ``exchangeable``.

    Attributes:
        current: ``None`` while it is exchanged.

    """

    def __init__(self, journal: Journal) -> None:
        self.current: Delivery | None = None
        self._journal = journal
        self._next: asyncio.Queue[_Wanted | None] = asyncio.Queue(1)

    async def exchange(self, settings: Settings, outside: Outside) -> None:
        """Deliver in another way from now on; where that fails, in the old one again.

        What has been kept waits behind its cursors meanwhile. One exchange at a time.

        Raises:
            MeterlinkError: the new way cannot be opened; the old one is again.

        """
        wanted = _Wanted(settings, outside, asyncio.get_running_loop().create_future())
        await self._next.put(wanted)
        await wanted.opened

    @property
    def broker(self) -> str:
        """URL of the broker; empty while it is exchanged."""
        return self.current.broker if self.current else ""

    def relay(self) -> Relay | None:
        """The present one; ``None`` while it is exchanged."""
        return self.current.relay if self.current else None

    async def stored(self) -> int:
        """Up to where in the log the ingest of this daemon has written; of another's: everything."""
        current = self.current
        if current is None:
            return 0
        return self._journal.newest_id if current.stored is None else await current.stored()

    async def drain(self) -> None:
        """See ``Delivery.drain``."""
        if self.current is not None:
            await self.current.drain()

    async def close(self) -> None:
        """End it."""
        await self._next.put(None)

    async def run(self, first: _Wanted) -> None:
        """Deliver as wanted, until ``None`` is."""
        wanted: _Wanted | None = first
        good: _Wanted | None = None
        while wanted is not None:
            try:
                async with delivering(wanted.settings, self._journal, wanted.outside) as delivery:
                    good, self.current = wanted, delivery
                    if not wanted.opened.done():
                        wanted.opened.set_result(None)
                    wanted = await self._next.get()
                    self.current = None
            except MeterlinkError as error:
                self.current = None
                if wanted is not None and not wanted.opened.done():
                    wanted.opened.set_exception(error)
                    if good is None:
                        return
                else:
                    _log.error("delivery.away", reason=str(error))
                    await asyncio.sleep(RETRY_S)
                wanted = good


@asynccontextmanager
async def exchangeable(settings: Settings, journal: Journal, outside: Outside) -> AsyncIterator[DeliverySlot]:
    """Deliver until the end of the block; see ``delivering``.

    Raises:
        SinkAway, BrokerAway: see there.

    """
    slot = DeliverySlot(journal)
    first = _Wanted(settings, outside, asyncio.get_running_loop().create_future())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(slot.run(first), name="delivery")
        try:
            await first.opened
            yield slot
        finally:
            if not running.done():
                await slot.close()
