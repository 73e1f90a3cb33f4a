"""The API of a daemon: what it is about, and that it costs nothing else when it cannot be opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.collection_requests import places_of
from meterlink.daemon.delivery import Outside
from meterlink.daemon.live_roster import Held
from meterlink.daemon.manager import Manager
from meterlink.daemon.settling import settlements_of
from meterlink.daemon.supervise import supervised
from meterlink.errors import LineBusy, LineLost

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def api_of(held: Held, manager: Manager, outside: Outside) -> AsyncIterator[list[str]]:
    """Serve the API until the block ends; gives where; empty: nowhere.

    A port that another program has is told and costs nothing else: meters are read without it.

    Args:
        held: the configuration that holds.
        manager: knows who serves it.
        outside: the world.

    Raises:
        ConfigError: the certificate of the configuration or its key cannot be used.

    """
    settings, opener = held.file, manager.open_web
    if settings.web is None or opener is None:
        yield []
        return
    from meterlink.web.opening import Gateway  # noqa: PLC0415 (an extra brings what it is made of)

    gateway = Gateway(
        folder=outside.folder,
        journal=outside.folder / JOURNAL_FILE,
        zone=settings.gateway.plant_time,
        profiles=held.profiles,
        settlements=settlements_of(settings, outside.folder),
        places=lambda: places_of(held.settings, held.meters.values()),
        clock=outside.clock,
    )
    async with AsyncExitStack() as stack:
        try:
            urls = await stack.enter_async_context(opener(settings.web, gateway, supervised))
        except (LineBusy, LineLost) as error:
            _log.error("web.unavailable", reason=str(error))
            yield []
            return
        yield urls
