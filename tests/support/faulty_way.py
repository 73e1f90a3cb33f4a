"""A way over TCP that somebody can spoil: between a client and a real server, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from tests.support.processes import LOOPBACK

Mode = Literal["open", "refuses", "hangs", "resets", "half-open", "drips"]
Filter = Callable[[bytes], bytes]


class FaultyWay:
    """Carries connections to a server, or does not.

    Attributes:
        port: where it listens; another one would be another server.
        mode: *open*; *refuses* connections; *hangs*: takes them and says nothing; *resets* them;
            *half-open*: those that stand carry nothing any more, and no end either; *drips*: octet by octet.
        back: what of the server's octets goes on to the client.
        connections: that were ever taken.

    """

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.mode: Mode = "open"
        self.back: Filter = bytes
        self.connections = 0
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[FaultyWay]:
        """Listen until the end of the block."""
        await self._listen()
        try:
            yield self
        finally:
            await self._close()

    async def turn(self, mode: Mode) -> None:
        """From now on so."""
        self.mode = mode
        if mode == "refuses":
            await self._close()
        elif self._server is None:
            await self._listen()
        if mode in ("resets", "hangs"):
            self.cut()
        if mode == "half-open":
            self._dead |= self._writers
        elif mode == "open":
            for writer in self._dead:
                _reset(writer)
            self._dead.clear()

    def cut(self) -> None:
        """Reset the connections that stand."""
        for writer in self._writers:
            _reset(writer)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self.cut()
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            if self.mode == "resets":
                return
            if self.mode in ("hangs", "half-open"):
                self._dead.add(writer)
                await reader.read()
                return
            back, there = await asyncio.open_connection(LOOPBACK, self._server_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, there, writer, bytes))
                group.create_task(self._carry(back, writer, writer, self._come_back))
        except* (ConnectionError, _Ended):
            pass
        finally:
            self._writers.discard(writer)
            self._dead.discard(writer)
            for each in (writer, there):
                if each is not None:
                    _reset(each)

    def _come_back(self, octets: bytes) -> bytes:
        return self.back(octets)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
        allowed: Filter,
    ) -> None:
        while octets := allowed(await reader.read(4096)) or not reader.at_eof():
            if octets is True or client in self._dead:
                continue
            assert isinstance(octets, bytes)
            if self.mode == "drips":
                for number in range(len(octets)):
                    writer.write(octets[number : number + 1])
                    await writer.drain()
                    await asyncio.sleep(0)
            else:
                writer.write(octets)
                await writer.drain()
        if client in self._dead:
            await asyncio.Event().wait()  # not even its end is told
        raise _Ended


class _Ended(Exception):
    """One side has nothing more to say."""


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        assert sock is not None
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
