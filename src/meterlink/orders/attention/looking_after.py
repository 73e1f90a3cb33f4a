"""Looking after something for as long as the daemon runs, whatever the log can read just then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from meterlink.errors import MeterlinkError

_log = structlog.get_logger(__name__)


async def looking_after(
    look: Callable[[], Awaitable[None]], *, every_s: float, trouble: str, sooner: asyncio.Event | None = None
) -> None:
    """Look again and again, until cancelled.

    Args:
        look: one look; what the log does not let it see, the next one may.
        every_s: between the end of a look and the next.
        trouble: what is told where a look failed.
        sooner: set by whoever wants a look at once; ``None``: nobody does.

    """
    sooner = sooner or asyncio.Event()
    while True:
        sooner.clear()  # before: what comes while it looks is looked at again
        try:
            await look()
        except MeterlinkError as error:
            _log.error(trouble, reason=str(error))
        try:
            async with asyncio.timeout(every_s):
                await sooner.wait()
        except TimeoutError:
            continue
