"""Sending an answer to a caller who may be gone, on whichever event loop."""

from __future__ import annotations

import asyncio


async def send(writer: asyncio.StreamWriter, octets: bytes) -> None:
    """Send, and wait until there is room for more.

    Raises:
        ConnectionError: the other end is gone.

    """
    if writer.is_closing():  # asyncio would take it and forget it, uvloop breaks over it
        raise ConnectionResetError("the other end is gone")
    writer.write(octets)
    await writer.drain()
