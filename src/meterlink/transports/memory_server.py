"""Dialling a hall in memory: the transport of a connection without a socket, for simulated time.

The hall, its callers and both streams are the real ones; only what the kernel does is done here. What a
connection promises stands in the contract tests, which run against sockets and this.
"""

from __future__ import annotations

import asyncio
from typing import Any

from meterlink.transports.hall import Hall
from meterlink.transports.protocol_stream import ProtocolStream

_LOW_SHARE = 4
"""A writer goes on when its buffer is down to a quarter of what stopped it; asyncio does the same."""


def dial(hall: Hall[Any], *, peer: str = "memory", kernel_octets: int = 65_536) -> ProtocolStream:
    """Make a connection to a hall; the far end, which is a terminal's.

    Args:
        hall: who is dialled.
        peer: where the call seems to come from.
        kernel_octets: what may be under way in one direction beside the buffers of both ends.

    """
    near, far = hall.accept(), ProtocolStream("the terminal's end")
    near_transport = MemoryTransport(near, (peer, 0), kernel_octets)
    far_transport = MemoryTransport(far, ("hall", 0), kernel_octets)
    near_transport.peer, far_transport.peer = far_transport, near_transport
    far.connection_made(far_transport)
    near.connection_made(near_transport)
    return far


class MemoryTransport(asyncio.Transport):
    """One end of a connection.

    Args:
        protocol: whom it serves.
        peername: what it says of the other end.
        kernel_octets: octets that go on their way at once; more wait in the buffer.

    """

    peer: MemoryTransport

    def __init__(self, protocol: asyncio.Protocol, peername: tuple[str, int], kernel_octets: int) -> None:
        super().__init__({"peername": peername})
        self._protocol = protocol
        self._kernel_octets = kernel_octets
        self._loop = asyncio.get_running_loop()
        self._arriving = bytearray()
        self._buffer = bytearray()
        self._high = kernel_octets
        self._reading = True
        self._writing_paused = False
        self._closing = False
        self._peer_gone = False
        self._delivery: asyncio.Handle | None = None

    # --- asyncio.Transport -----------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send: on their way at once as many as the way holds."""
        if self._closing:
            return
        self._buffer += data
        self._push()
        if len(self._buffer) > self._high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """How many octets may wait before the writer is told."""
        assert low is None
        self._high = self._kernel_octets if high is None else high

    def get_write_buffer_size(self) -> int:
        """Octets that wait."""
        return len(self._buffer)

    def pause_reading(self) -> None:
        """Deliver nothing for now."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver again."""
        self._reading = True
        self._schedule()

    def is_closing(self) -> bool:
        """Whether it has ended for our side."""
        return self._closing

    def abort(self) -> None:
        """End it now: what is on its way arrives, what waits in the buffer is gone."""
        if self._closing:
            return
        self._closing = True
        self._buffer.clear()
        self._loop.call_soon(self._protocol.connection_lost, None)
        self.peer.lose_peer()

    close = abort

    # --- between the two ends --------------------------------------------------------------

    def bring(self, octets: bytes) -> None:
        """Octets of the other end are on their way to ours."""
        self._arriving += octets
        self._schedule()

    @property
    def room(self) -> int:
        """How many more octets the way to our end holds."""
        return self._kernel_octets - len(self._arriving)

    def lose_peer(self) -> None:
        """The other end is gone; told after what it had sent."""
        self._peer_gone = True
        self._schedule()

    def _push(self) -> None:
        """Put on their way as many octets as fit."""
        count = min(self.peer.room, len(self._buffer))
        if count > 0:
            self.peer.bring(bytes(self._buffer[:count]))
            del self._buffer[:count]
        if self._writing_paused and len(self._buffer) <= self._high // _LOW_SHARE:
            self._writing_paused = False
            self._protocol.resume_writing()

    def _schedule(self) -> None:
        if self._delivery is None:
            self._delivery = self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        if self._closing:
            return
        if self._arriving and self._reading:
            octets = bytes(self._arriving)
            self._arriving.clear()
            self._protocol.data_received(octets)
            if not self.peer.is_closing():
                self.peer._push()
        if self._peer_gone and not self._arriving and not self._closing:
            self._protocol.eof_received()
            self.abort()
