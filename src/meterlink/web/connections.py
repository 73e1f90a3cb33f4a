"""The connections of the API's server: so many at once, none that asks nothing, none that takes nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import h11
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from meterlink.web.problems import BUSY_RETRY_S, MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

CONNECTIONS_MAX: Final = 64
"""Connections of a listener at one time that are served; what is asked over more is answered with 503."""
ASKS_WITHIN_S: Final = 5.0
"""A connection over which no request came whole for so long is closed."""
TAKES_WITHIN_S: Final = 60.0
"""A caller who takes nothing of his answer for so long is cut off."""

_LOG: Final = logging.getLogger("meterlink.web.connections")
_LOG.setLevel(logging.CRITICAL)
"""Who is refused is told so, and faults of ours are logged by ``limits``."""


class ServerConfig(Config):
    """Settings of a server with these connections.

    Args:
        served: the application.
        asks_within_s: seconds in which a request has to come whole.
        takes_within_s: seconds in which a caller has to take some of his answer.
        settings: those of uvicorn.

    """

    def __init__(
        self, served: ASGIApp, *, asks_within_s: float, takes_within_s: float, **settings: Any
    ) -> None:
        super().__init__(served, http=_Connection, **settings)
        self.asks_within_s = asks_within_s
        self.takes_within_s = takes_within_s


class _Connection(H11Protocol):
    """One connection.

    Whether it is one too many is settled when it begins: those that were there first are served on.
    """

    def __init__(self, config: ServerConfig, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.logger = _LOG
        self._asks_within_s = config.asks_within_s
        self._takes_within_s = config.takes_within_s
        self._seen: RequestResponseCycle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            self.app = _too_many
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._looking, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self._takes_within_s, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request of HTTP."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()  # an answer is on its way already
            return
        problem = Problem("bad-request", msg.rstrip("."), "Send a request of HTTP/1.1 with a head that ends.")
        body = problem.octets("")
        headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(self._asks_within_s, self._look)

    def _look(self) -> None:
        """Close a connection that has asked nothing since the last look."""
        cycle = self.cycle
        waits_for_caller = cycle is None or cycle.response_complete or cycle.more_body
        if cycle is self._seen and waits_for_caller:
            if self.transport.get_write_buffer_size():
                self._looking = self.loop.call_later(self._takes_within_s, self.transport.abort)
            self.transport.close()
            return
        self._seen = cycle
        self._look_later()


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers over a connection that is one too many."""
    problem = Problem(
        "busy",
        f"{CONNECTIONS_MAX} connections are served already",
        f"Come again after {BUSY_RETRY_S} s, and use one connection for all requests.",
        {"Retry-After": str(BUSY_RETRY_S), "Connection": "close"},
    )
    await problem.response(scope["path"])(scope, receive, send)
