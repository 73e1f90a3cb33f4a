"""The connections of the API's server: so many at one time, and none that asks nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

CONNECTIONS_MAX: Final = 64
"""Connections at one time that are served; what is asked over more is answered with 503."""
ASKS_WITHIN_S: Final = 5.0
"""A connection over which no request came whole for so long is closed."""

_LOG: Final = logging.getLogger("metersim.api.connections")
_LOG.setLevel(logging.ERROR)
"""Who is refused is told so; the plant's standard error is not filled by clients."""


class ServerConfig(Config):
    """Settings of a server with these connections.

    Args:
        served: the application.
        asks_within_s: seconds in which a request has to come whole.
        settings: those of uvicorn.

    """

    def __init__(self, served: ASGIApp, *, asks_within_s: float, **settings: Any) -> None:
        super().__init__(served, http=_Connection, **settings)
        self.asks_within_s = asks_within_s


class _Connection(H11Protocol):
    """One connection.

    Whether it is one too many is settled when it begins: those that were there first are served on.
    """

    def __init__(self, config: ServerConfig, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.logger = _LOG
        self._asks_within_s = config.asks_within_s
        self._seen: RequestResponseCycle | None = None
        self._looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.limit_concurrency = 0 if len(self.connections) > CONNECTIONS_MAX else None
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(self._asks_within_s, self._look)

    def _look(self) -> None:
        """Close a connection that has asked nothing since the last look."""
        cycle = self.cycle
        waits_for_client = cycle is None or cycle.response_complete or cycle.more_body
        if cycle is self._seen and waits_for_client:
            self.transport.close()
            return
        self._seen = cycle
        self._look_later()
