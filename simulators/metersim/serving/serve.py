"""Lines for other processes: a TCP port, or a pseudo-terminal, that carries one line's octets.

TCP behaves as a serial server: any number of clients may be connected to a line (64 at most), they take
turns on the wire, and an answer goes to the one that asked. A client that goes away takes nothing with it;
one that does not read its answers is dropped.

A pseudo-terminal is raw and stays open on our side, so a client may close and open it again. As on a real
port, an answer that nobody read waits there; clients empty the port when they open it (pyserial does).
What does not fit into it is lost.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from meterprofiles import LineTraits, generic
from metersim.line.line import Duplex

CLIENTS_MAX = 64
SEND_TIMEOUT_S = 5.0  # a client that takes no octets for so long holds the line up for the others
_READ_OCTETS = 4096


class Served(Protocol):
    """What answers over a connection: a line, or a terminal on one."""

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it."""


class SystemClock:
    """The machine's wall clock."""

    def utc_now(self) -> datetime:
        """Wall time, aware, UTC."""
        return datetime.now(UTC)


@asynccontextmanager
async def open_tcp(line: Served, host: str, port: int) -> AsyncIterator[str]:
    """Serve a line on a TCP port; gives its URL, ``tcp://host:port``.

    Args:
        line: the line, or the terminal.
        host: address to listen on.
        port: 0 takes any free one.

    Raises:
        OSError: the port cannot be had.

    """
    clients: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(clients) >= CLIENTS_MAX:
            writer.transport.abort()
            return
        client = group.create_task(_serve_client(line, reader, writer), name="tcp.client")
        clients.add(client)
        client.add_done_callback(clients.discard)

    server = await asyncio.start_server(accept, host, port, start_serving=False)
    async with asyncio.TaskGroup() as group:
        await server.start_serving()
        bound_port = server.sockets[0].getsockname()[1]
        written_host = f"[{host}]" if ":" in host else host
        try:
            yield f"tcp://{written_host}:{bound_port}"
        finally:
            server.close()
            for client in clients:
                client.cancel()


async def _serve_client(line: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await line.serve(StreamDuplex(reader, writer))
    finally:
        writer.transport.abort()


class StreamDuplex:
    """A TCP connection as a duplex."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` when the client has ended, or broke off."""
        try:
            return await self._reader.read(_READ_OCTETS)
        except OSError:
            return b""

    async def send(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionResetError: the client has gone, or has taken nothing for 5 s.

        """
        self._writer.write(octets)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._writer.drain()
        except OSError as error:  # TimeoutError is one
            raise ConnectionResetError("the client has gone, or does not read") from error


@asynccontextmanager
async def open_pty(
    line: Served, link: Path | None = None, traits: LineTraits | None = None
) -> AsyncIterator[str]:
    """Serve a line on a pseudo-terminal; gives its URL, ``serial:///dev/pts/N?...``.

    Args:
        line: the line.
        link: a symbolic link to make for it; one that is there already is replaced.
        traits: how its port is said to be set, which a pseudo-terminal does not mind; 2400 bit/s and even
            parity by default.

    Raises:
        OSError: no pseudo-terminal can be had, or something that is no link stands at ``link``.

    """
    ours, theirs = os.openpty()
    try:
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        device = Path(os.ttyname(theirs))
        with _linked(link, device) as path:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(line.serve(_PtyDuplex(ours)), name=f"pty[{device.name}]")
                try:
                    set_to = traits or generic("dlt645-2007").line
                    yield f"serial://{path}?baud={set_to.baud}&parity={set_to.parity}"
                finally:
                    serving.cancel()
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def _linked(link: Path | None, device: Path) -> Iterator[Path]:
    if link is None:
        yield device
        return
    link = link.absolute()
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise FileExistsError(f"{link} stands there and is no link; choose another place for it")
    link.symlink_to(device)
    try:
        yield link
    finally:
        if link.is_symlink() and link.readlink() == device:
            link.unlink()


class _PtyDuplex:
    """Our end of a pseudo-terminal as a duplex."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def receive(self) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, _READ_OCTETS)
            except BlockingIOError:
                await self._readable()

    async def send(self, octets: bytes) -> None:
        with suppress(BlockingIOError):  # not one octet fits
            os.write(self._descriptor, octets)  # what does not fit is lost, as in a UART

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        news: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _settle, news)
        try:
            await news
        finally:
            loop.remove_reader(self._descriptor)


def _settle(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
