"""A serial server that speaks RFC 2217, by pyserial's own server side, over a port that is settings only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from serial import rfc2217

from meterlink.model.line_url import Rfc2217Url
from meterlink.transports.protocol_stream import ProtocolStream
from meterlink.transports.rfc2217 import open_rfc2217
from meterlink.transports.stream import ByteStream


@dataclass
class Port:
    """What a client can set of a serial port; ``told`` is each setting in the order in which it came.

    Attributes:
        told: name and value.

    """

    told: list[tuple[str, Any]] = field(default_factory=list)
    cts: bool = True
    dsr: bool = True
    ri: bool = False
    cd: bool = True

    def __getattr__(self, name: str) -> Any:
        """Where a setting stands now; the library asks for each of them."""
        for what, value in reversed(self.__dict__["told"]):
            if what == name:
                return value
        return {"baudrate": 1200, "bytesize": 8, "parity": "N", "stopbits": 1}.get(name, False)

    def __setattr__(self, name: str, value: Any) -> None:
        """Note it."""
        if name in type(self).__dataclass_fields__:
            object.__setattr__(self, name, value)
        else:
            self.told.append((name, value))

    def reset_input_buffer(self) -> None:
        """Nothing is kept here."""

    def reset_output_buffer(self) -> None:
        """Nothing is kept here."""


class ServedPort(ProtocolStream):
    """One client's connection; a ``ByteStream`` whose octets are those on the two wires.

    Args:
        port: takes the settings.

    """

    def __init__(self, port: Port) -> None:
        super().__init__("the wires")
        self.port = port
        self._manager: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the negotiation."""
        super().connection_made(transport)
        self._manager = rfc2217.PortManager(cast(Any, self.port), cast(Any, self))

    def data_received(self, data: bytes) -> None:
        """Take what is telnet's out of it."""
        octets = b"".join(self._manager.filter(data))
        if octets:
            super().data_received(octets)

    def write(self, octets: bytes) -> None:
        """What the library sends by itself."""
        assert self.transport is not None
        self.transport.write(octets)

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``: FFH goes twice over the connection."""
        await super().send(b"".join(self._manager.escape(octets)))


@asynccontextmanager
async def connected(
    port: Port | None = None, **settings: Any
) -> AsyncIterator[tuple[ByteStream, ServedPort]]:
    """A line over RFC 2217, and the other end of its connection."""
    async with serving(port or Port()) as (number, came):
        ours = await open_rfc2217(Rfc2217Url(host="127.0.0.1", port=number, **settings))
        theirs = await came.get()
        try:
            yield ours, theirs
        finally:
            await ours.aclose()
            await theirs.aclose()


@asynccontextmanager
async def serving(port: Port) -> AsyncIterator[tuple[int, asyncio.Queue[ServedPort]]]:
    """Serve on loopback; gives the TCP port, and each connection as it comes."""
    came: asyncio.Queue[ServedPort] = asyncio.Queue()

    def accept() -> ServedPort:
        served = ServedPort(port)
        came.put_nowait(served)
        return served

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1]), came
    finally:
        server.close()
        await server.wait_closed()
