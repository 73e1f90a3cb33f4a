"""The API on a port, served by uvicorn on the loop of the plant."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from metersim.api.app import application
from metersim.api.connections import ASKS_WITHIN_S, ServerConfig
from metersim.api.limits import HEAD_OCTETS_MAX
from metersim.api.served import Served

GRACE_S: Final = 1


class _Server(uvicorn.Server):
    """Signals belong to the plant."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def open_api(
    served: Served,
    listening: socket.socket,
    *,
    anywhere: bool = False,
    asks_within_s: float = ASKS_WITHIN_S,
) -> AsyncIterator[str]:
    """Serve the API of a plant until the block ends; gives its URL.

    Args:
        served: the plant.
        listening: where it waits; connections queue there already.
        anywhere: whether other machines may ask.
        asks_within_s: seconds in which a request has to come whole; its connection is closed else.

    """
    config = ServerConfig(
        application(served, anywhere=anywhere),
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=HEAD_OCTETS_MAX,
        timeout_graceful_shutdown=GRACE_S,
        asks_within_s=asks_within_s,
    )
    server = _Server(config)
    host, port, *_ = listening.getsockname()
    shown = f"[{host}]" if ":" in host else host
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listening]), name="api")
        try:
            yield f"http://{shown}:{port}"
        finally:
            server.should_exit = True
