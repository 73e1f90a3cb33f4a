"""Dialling a raw TCP line: a serial server, a simulator, a concentrator's transparent port."""

from __future__ import annotations

import asyncio
import socket

from meterlink.errors import LineBusy, LineLost
from meterlink.model.line_url import TcpUrl
from meterlink.transports.keep_alive import keep_alive
from meterlink.transports.ours import OwnStream, taken_by
from meterlink.transports.stream import ByteStream

_CONNECT_TIMEOUT_S = 5.0
"""A serial server on a local network answers in milliseconds, one behind a mobile network in seconds."""


class _LockedStream(OwnStream):
    """A stream that gives its lock back when it is closed."""

    lock: socket.socket | None = None

    async def aclose(self) -> None:
        """Close the connection, then let others have the line."""
        await super().aclose()
        if self.lock is not None:
            self.lock.close()
            self.lock = None


async def open_tcp(url: TcpUrl) -> ByteStream:
    """Connect to a raw TCP line and own it alone on this machine.

    Args:
        url: where to dial.

    Raises:
        LineBusy: another process of this machine has that line open.
        LineLost: it cannot be reached.

    """
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            return await _connect_first(url)
    except TimeoutError:
        raise LineLost(f"{url}: no connection within {_CONNECT_TIMEOUT_S:g} s") from None
    except OSError as error:
        raise LineLost(f"{url}: {error.strerror or error}") from None


async def _connect_first(url: TcpUrl) -> ByteStream:
    """Try each address that the name has; a name may stand for one of version 6 that nobody serves."""
    found = await asyncio.get_running_loop().getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for *_, address in found:
        try:
            return await _connect(url, str(address[0]), int(address[1]))
        except OSError as error:
            failure = error
    raise failure or OSError("the name has no address")


async def _connect(url: TcpUrl, host: str, port: int) -> ByteStream:
    lock = lock_place(place_of(host, port), str(url))
    try:
        transport, stream = await asyncio.get_running_loop().create_connection(
            lambda: _LockedStream(str(url), place_of(host, port)), host, port
        )
    except BaseException:
        lock.close()
        raise
    stream.lock = lock
    keep_alive(transport)
    return stream


def place_of(host: str, port: int) -> str:
    """What a line over TCP really is, for ``lock_place`` and ``OwnStream``.

    Args:
        host: address.
        port: 1 to 65535.

    """
    return f"{host}:{port}"


def lock_place(place: str, url: str) -> socket.socket:
    """Bind a name in the kernel's abstract namespace: it goes with the process, even on kill -9.

    Args:
        place: of the line.
        url: as it is written, for people.

    Raises:
        LineBusy: it is taken.

    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0meterlink/line/tcp/{place}")
    except OSError:
        lock.close()
        raise LineBusy(f"{url}: {taken_by(place)}") from None
    return lock
