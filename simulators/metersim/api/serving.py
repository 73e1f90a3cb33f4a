"""The API on a port, served by uvicorn on the loop of the plant."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from metersim.api.app import application
from metersim.api.served import Served

CONNECTIONS_MAX: Final = 64
"""Requests and connections at one time; more are answered with 503."""
HEAD_OCTETS_MAX: Final = 16_384
"""Longest head of a request."""
GRACE_S: Final = 1


class _Server(uvicorn.Server):
    """Signals belong to the plant."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def open_api(served: Served, host: str, port: int, *, anywhere: bool = False) -> AsyncIterator[str]:
    """Serve the API of a plant until the block ends; gives its URL.

    Args:
        served: the plant.
        host: where it waits.
        port: the same; 0 takes a free one.
        anywhere: whether other machines may ask.

    Raises:
        OSError: the port cannot be had.

    """
    listening = await _listening(host, port)
    config = uvicorn.Config(
        application(served, anywhere=anywhere),
        loop="none",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEAD_OCTETS_MAX,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    with listening:
        shown = f"[{host}]" if ":" in host else host
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listening]), name="api")
            try:
                yield f"http://{shown}:{listening.getsockname()[1]}"
            finally:
                server.should_exit = True


async def _listening(host: str, port: int) -> socket.socket:
    """A socket that waits; connections queue from now on."""
    [(family, _, _, _, address), *_] = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    found = socket.create_server(address[:2], family=family)
    found.setblocking(False)
    return found
