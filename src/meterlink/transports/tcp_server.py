"""One listener a host and port: terminals that dial in."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from meterlink.errors import LineBusy, LineLost
from meterlink.transports.accepting import AT_ONCE, queue
from meterlink.transports.hall import Hall

_BACKLOG = 256
"""Connections that the kernel keeps for us while we are busy."""


@asynccontextmanager
async def listening(host: str, port: int, hall: Hall[Any]) -> AsyncIterator[int]:
    """Let callers into a hall; ends every connection at the end.

    Args:
        host: address to listen on.
        port: 0 to 65535; 0 takes any that is free.
        hall: where they come.

    Yields:
        the port.

    Raises:
        LineBusy: somebody else listens there.
        LineLost: the address is not ours, or the port needs more rights.

    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, *_, address = found[0]
        server = await asyncio.get_running_loop().create_server(
            hall.accept, str(address[0]), int(address[1]), family=family, backlog=AT_ONCE
        )
        queue(server.sockets, _BACKLOG)
    except OSError as error:
        raise _failure(host, port, error) from None
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await hall.close()
        await server.wait_closed()


def _failure(host: str, port: int, error: OSError) -> LineBusy | LineLost:
    where = f"cannot listen on port {port} of {host}"
    if error.errno == errno.EADDRINUSE:
        return LineBusy(f"{where}: another program does (`ss -ltnp` shows which)")
    if error.errno == errno.EACCES:
        return LineLost(f"{where}: permission denied; ports below 1024 are for root")
    return LineLost(f"{where}: {error.strerror or error}")
