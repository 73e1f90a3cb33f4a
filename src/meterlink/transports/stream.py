"""The one interface of a line: octets out, octets in, and the ways it can end."""

from __future__ import annotations

from typing import Protocol


class ByteStream(Protocol):
    """A duplex stream of octets with one reader and one writer."""

    async def send(self, octets: bytes) -> None:
        """Hand octets to the line; returns when the operating system has taken them.

        Raises:
            LineLost: the line broke.
            LineClosed: we closed it.

        """

    async def receive(self, limit: int = 4096) -> bytes:
        """Wait for octets: at least one, at most ``limit``.

        Raises:
            LineLost: the line broke, or the other side ended it.
            LineClosed: we closed it.

        """

    def receive_nowait(self) -> bytes:
        """Take what has already arrived, without waiting; empty when there is nothing.

        Raises nothing: a broken line shows at the next ``send`` or ``receive``.
        """

    async def aclose(self) -> None:
        """Close; harmless when already closed."""
