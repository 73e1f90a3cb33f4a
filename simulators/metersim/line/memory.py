"""A wire in memory: two ends, for a simulator in the same process and for simulated time."""

from __future__ import annotations

import asyncio

UNREAD_OCTETS_MAX = 65_536  # a direction; what does not fit is lost, as in a UART that nobody reads


class _Direction:
    """Octets on their way from one end to the other."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._ended = False
        self._news = asyncio.Event()

    def put(self, octets: bytes) -> None:
        if self._ended:
            raise ConnectionResetError("the wire is cut")
        self._unread += octets[: UNREAD_OCTETS_MAX - len(self._unread)]
        self._news.set()

    async def get(self) -> bytes:
        while not self._unread and not self._ended:
            self._news.clear()
            await self._news.wait()
        octets = bytes(self._unread)
        self._unread.clear()
        return octets

    def end(self) -> None:
        self._ended = True
        self._news.set()


class MemoryDuplex:
    """One end of a wire; make both with `memory_pair`."""

    def __init__(self, inward: _Direction, outward: _Direction) -> None:
        self._inward = inward
        self._outward = outward

    async def send(self, octets: bytes) -> None:
        """Hand octets to the other end.

        Raises:
            ConnectionResetError: an end was closed.

        """
        self._outward.put(octets)

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` when all have been read and an end was closed."""
        return await self._inward.get()

    def close(self) -> None:
        """Cut the wire; what is on its way can still be read."""
        self._inward.end()
        self._outward.end()


def memory_pair() -> tuple[MemoryDuplex, MemoryDuplex]:
    """Both ends of a new wire: one for `metersim.line.line.Line.serve`, one for the program under test."""
    one, other = _Direction(), _Direction()
    return MemoryDuplex(one, other), MemoryDuplex(other, one)
