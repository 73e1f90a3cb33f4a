"""A line on a TCP port, or one that calls somebody's port.

A port behaves as a serial server: any number of clients may be connected to a line (64 at most), they take
turns on the wire, and an answer goes to the one that asked. A client that goes away takes nothing with it;
one that does not read its answers is dropped. What real serial servers do besides, does
`metersim.serving.serial_server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, cast

from metersim.serving.refused import refused
from metersim.serving.served import Served

CLIENTS_MAX = 64
SEND_TIMEOUT_S = 5.0  # a client that takes no octets for so long holds the line up for the others
REDIAL_S: Final = 5.0
"""Pause between two calls."""

RECEIVE_OCTETS_MAX: Final = 4096
"""Most octets that are answered before other connections have their turn."""

UNREAD_OCTETS_MAX: Final = 65_536
"""Octets that wait to be answered; more stay with the network."""


class TcpDuplex(asyncio.Protocol):
    """A TCP connection as a duplex.

    Args:
        connected: called once, as soon as it can be used.

    """

    def __init__(self, connected: Callable[[TcpDuplex], None] = lambda _: None) -> None:
        self._connected = connected
        self._unread = b""
        self._ended = False
        self._holding = False
        self._at_once: Callable[[bytes], bytes | None] | None = None
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._connected(self)

    def data_received(self, data: bytes) -> None:
        """Answer octets at once where that can be, else keep them until they are asked for."""
        waited_for = self._news is not None and not self._news.done() and not self._unread
        if waited_for and self._answered_at_once(data):
            return
        self._unread = self._unread + data if self._unread else data
        if len(self._unread) > UNREAD_OCTETS_MAX and not self._holding:
            self._holding = True
            self._transport.pause_reading()
        _settle(self._news)

    def _answered_at_once(self, data: bytes) -> bool:
        if self._at_once is None or self._room is not None or len(data) > RECEIVE_OCTETS_MAX:
            return False
        try:
            answer = self._at_once(data)
        except OSError as error:  # asyncio would close the connection, and tell nobody
            self._fail(error)
            return True
        if answer:
            self._transport.write(answer)
        return answer is not None

    def _fail(self, error: OSError) -> None:
        """Raise what went wrong where the octets are waited for."""
        if self._news is not None:
            self._news.set_exception(error)

    def eof_received(self) -> bool:
        """The client says no more; it may still listen."""
        self._ended = True
        _settle(self._news)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._ended = True
        _settle(self._news)
        _settle(self._room)

    def pause_writing(self) -> None:
        """The client does not read as fast as it asks."""
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """It has caught up."""
        _settle(self._room)
        self._room = None

    def answer_with(self, at_once: Callable[[bytes], bytes | None]) -> None:
        """Ask first whether there is an answer at once, while nothing else is under way.

        Args:
            at_once: takes octets and gives the answer; ``None``: whoever receives gets them again, first.

        """
        self._at_once = at_once

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` when the client has ended, or broke off."""
        while not self._unread:
            if self._ended:
                return b""
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        octets, self._unread = self._unread[:RECEIVE_OCTETS_MAX], self._unread[RECEIVE_OCTETS_MAX:]
        if self._unread:
            await asyncio.sleep(0)
        elif self._holding:
            self._holding = False
            self._transport.resume_reading()
        return octets

    async def send(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionResetError: the client has gone, or has taken nothing for 5 s.

        """
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(octets)
        if self._room is not None:
            await self._drained(self._room)

    def abort(self) -> None:
        """Drop the connection, and what has not left yet."""
        self._transport.abort()

    async def _drained(self, room: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await asyncio.shield(room)
        except TimeoutError as error:
            raise ConnectionResetError("the client does not read") from error
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")


def _settle(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


@asynccontextmanager
async def open_tcp(line: Served, host: str, port: int) -> AsyncIterator[str]:
    """Serve a line on a TCP port; gives its URL, ``tcp://host:port``.

    Args:
        line: the line, or what stands before it.
        host: address to listen on.
        port: 0 takes any free one.

    Raises:
        OSError: the port cannot be had.

    """
    clients: set[asyncio.Task[None]] = set()

    def accept(duplex: TcpDuplex) -> None:
        if len(clients) >= CLIENTS_MAX:
            duplex.abort()
            return
        client = group.create_task(_serve_client(line, duplex), name="tcp.client")
        clients.add(client)
        client.add_done_callback(clients.discard)

    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: TcpDuplex(accept), host, port, start_serving=False)
    except OSError as error:
        raise refused(error, f"tcp://{_written(host)}:{port}") from None
    async with asyncio.TaskGroup() as group:
        await server.start_serving()
        bound_port = server.sockets[0].getsockname()[1]
        try:
            yield f"tcp://{_written(host)}:{bound_port}"
        finally:
            server.close()
            for client in clients:
                client.cancel()


async def _serve_client(line: Served, duplex: TcpDuplex) -> None:
    try:
        await line.serve(duplex)
    finally:
        duplex.abort()


@asynccontextmanager
async def open_dial(
    line: Served, host: str, port: int, *, redial_s: float = REDIAL_S, name: str = "line"
) -> AsyncIterator[str]:
    """Keep a line calling somebody, as a DTU does; gives ``dial://host:port``.

    Args:
        line: the line, or what stands before it.
        host: whom it calls.
        port: whom it calls.
        redial_s: pause between two calls, 0 s or more.
        name: of its task.

    """
    async with asyncio.TaskGroup() as group:
        calling = group.create_task(_dial(line, host, port, redial_s), name=f"{name}.dial")
        try:
            yield f"dial://{_written(host)}:{port}"
        finally:
            calling.cancel()


async def _dial(line: Served, host: str, port: int, redial_s: float) -> None:
    """Call, and again each time the connection ends or cannot be made; until cancelled."""
    while True:
        duplex = None
        with suppress(OSError):
            _, duplex = await asyncio.get_running_loop().create_connection(TcpDuplex, host, port)
        if duplex is not None:
            with suppress(ConnectionError):  # another OSError is no fault of the connection
                await _serve_client(line, duplex)
        await asyncio.sleep(redial_s)


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
