"""The API on a port, served by uvicorn on the loop of the plant."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from metersim.api.app import application
from metersim.api.limits import HEAD_OCTETS_MAX
from metersim.api.served import Served

CONNECTIONS_MAX: Final = 64
"""Connections at one time; the requests of more are answered with 503."""
GRACE_S: Final = 1


class _Server(uvicorn.Server):
    """Signals belong to the plant."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def open_api(served: Served, listening: socket.socket, *, anywhere: bool = False) -> AsyncIterator[str]:
    """Serve the API of a plant until the block ends; gives its URL.

    Args:
        served: the plant.
        listening: where it waits; connections queue there already.
        anywhere: whether other machines may ask.

    """
    config = uvicorn.Config(
        application(served, anywhere=anywhere),
        loop="none",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX + 1,  # it counts the one that asks
        h11_max_incomplete_event_size=HEAD_OCTETS_MAX,
        timeout_graceful_shutdown=GRACE_S,
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
