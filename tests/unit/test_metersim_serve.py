"""What a line does with clients that do not read."""

from __future__ import annotations

import asyncio

import pytest

from metersim import Simulation
from metersim.serving.serve import SEND_TIMEOUT_S, StreamDuplex


class _FullTransport(asyncio.Transport):
    """A connection whose other side reads nothing: one write fills it."""

    def __init__(self, protocol: asyncio.StreamReaderProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._closing = False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._protocol.pause_writing()


def test_a_client_that_does_not_read_is_dropped() -> None:
    """It would hold the line for ever, and every other client would starve behind it."""
    sim = Simulation()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        writer = asyncio.StreamWriter(_FullTransport(protocol), protocol, reader, loop)
        with pytest.raises(ConnectionResetError, match="does not read"):
            await StreamDuplex(reader, writer).send(b"answer")
        writer.close()

    sim.run(main())
    assert SEND_TIMEOUT_S == sim.clock.monotonic_s()
