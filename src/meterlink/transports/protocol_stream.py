"""A ``ByteStream`` over any asyncio transport: sockets and serial ports share this one class.

Sockets read into one place for all streams, out of which each takes its octets before the loop goes on. For
a protocol that is handed octets asyncio allocates a quarter of a megabyte a read; where that is the end of
the heap, the system takes it back and gives it anew each time, and a read costs several times as much.
"""

from __future__ import annotations

import asyncio
from typing import cast

from meterlink.errors import LineClosed, LineLost

_BUFFER_MAX = 65_536
"""Octets kept for a reader that does not come; beyond it the transport is paused (backpressure)."""

_ARRIVALS = memoryview(bytearray(_BUFFER_MAX))

_CLOSE_TIMEOUT_S = 2.0
"""How long closing waits for the transport; a stuck device must not hold the daemon's stop."""


class ProtocolStream(asyncio.BufferedProtocol, asyncio.Protocol):
    """Octets of one transport, for one reader and one writer.

    Made by ``open_line``; a line that breaks gives ``LineLost`` from the next call on, after the octets
    that had arrived before have been taken.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._arrived = b""
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._failure: LineLost | LineClosed | None = None
        self._closed = False
        self._reading_paused = False
        self._writing_paused = False

    # --- what the event loop calls ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; reading begins at once."""
        self.transport = cast(asyncio.Transport, transport)  # those of uvloop are none by their class

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where a socket puts what has arrived."""
        return _ARRIVALS

    def buffer_updated(self, nbytes: int) -> None:
        """So many octets lie there."""
        self.data_received(_ARRIVALS[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Buffer octets and wake the reader."""
        self._arrived = self._arrived + data if self._arrived else data
        if len(self._arrived) > _BUFFER_MAX and self.transport is not None:
            self.transport.pause_reading()
            self._reading_paused = True
        _wake(self._reader)

    def eof_received(self) -> bool:
        """The other side ended the stream: for a line that is its loss."""
        if not self._closed:
            self._failure = LineLost(f"{self.name}: the other side closed the connection")
        _wake(self._reader)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember why, and wake everybody who waits."""
        if self._failure is None:
            reason = str(exc) if exc is not None else "the connection ended"
            self._failure = LineLost(f"{self.name}: {reason}")
        _wake(self._reader)
        _wake(self._writer)
        if not self._ended.done():
            self._ended.set_result(None)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._writing_paused = False
        _wake(self._writer)

    # --- ByteStream ------------------------------------------------------------------------

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``."""
        if self._failure is not None:
            raise self._failure
        assert self.transport is not None
        self.transport.write(octets)
        if self._writing_paused:
            self._writer = self._loop.create_future()
            try:
                await self._writer
            finally:
                self._writer = None
            if self._failure is not None:
                raise self._failure

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``."""
        while not self._arrived:
            if self._failure is not None:
                raise self._failure
            assert self._reader is None, "a line has one reader"
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._take(limit)

    def receive_nowait(self) -> bytes:
        """See ``ByteStream.receive_nowait``."""
        return self._take(len(self._arrived)) if self._arrived else b""

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        if self._closed:
            return
        self._closed, self._failure = True, LineClosed(f"{self.name}: closed by us")
        _wake(self._reader)
        _wake(self._writer)
        if self.transport is not None:
            # abort, not close: nothing that is still unsent may hold us (a stalled device would). A serial
            # transport that is closing already, because its device went, must not be ended a second time.
            if not self.transport.is_closing():
                self.transport.abort()
            await asyncio.wait([self._ended], timeout=_CLOSE_TIMEOUT_S)

    def lose(self, failure: LineLost) -> None:
        """End the connection for a reason of ours: who waits gets ``failure``, as if the line had broken."""
        if self._failure is None:
            self._failure = failure
        _wake(self._reader)
        _wake(self._writer)
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()

    def _take(self, limit: int) -> bytes:
        octets = self._arrived
        if len(octets) <= limit:
            self._arrived = b""
        else:
            octets, self._arrived = octets[:limit], octets[limit:]
        if self._reading_paused and len(self._arrived) <= _BUFFER_MAX // 2 and self.transport is not None:
            self._reading_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return octets


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
