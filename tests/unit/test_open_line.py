"""Opening real lines: a pseudo-terminal for a serial device, a port on loopback for a serial server."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import threading
from collections.abc import Iterator

import pytest

from meterlink.errors import LineBusy, LineError, LineLost
from meterlink.model.line_url import SerialUrl, TcpUrl
from meterlink.transports.open import open_line


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The far end's descriptor, and the path of the near end."""
    far, near = pty.openpty()
    path = os.ttyname(near)
    os.close(near)
    try:
        yield far, path
    finally:
        os.close(far) if _is_open(far) else None


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.mark.asyncio
async def test_a_serial_line_carries_octets(terminal: tuple[int, str]) -> None:
    """Every octet value must pass: a terminal that edits lines would eat some of a frame."""
    far, path = terminal
    line = await open_line(SerialUrl(device=path))
    await line.send(bytes(range(256)))
    assert bytes(range(256)) == await asyncio.to_thread(os.read, far, 1000)
    os.write(far, b"\x03\x04\x11\x13\x16\x1a\n\r\x00\xff")  # what terminals take for commands
    received = b""
    while len(received) < 10:
        received += await line.receive()
    assert b"\x03\x04\x11\x13\x16\x1a\n\r\x00\xff" == received
    await line.aclose()


@pytest.mark.asyncio
async def test_a_serial_line_has_one_owner(terminal: tuple[int, str]) -> None:
    """Two masters on one RS-485 line hear each other's answers."""
    _, path = terminal
    line = await open_line(SerialUrl(device=path))
    with pytest.raises(LineBusy, match=r"same as the line serial:.* of this gateway"):
        await open_line(SerialUrl(device=path))
    await line.aclose()
    again = await open_line(SerialUrl(device=path))
    await again.aclose()


@pytest.mark.asyncio
async def test_an_adapter_pulled_out_is_a_lost_line(terminal: tuple[int, str]) -> None:
    """The owner would wait for answers from a device that is gone."""
    far, path = terminal
    line = await open_line(SerialUrl(device=path))
    os.close(far)
    with pytest.raises(LineLost):
        await line.receive()
    with pytest.raises(LineLost):
        await line.send(b"x")
    await line.aclose()
    with pytest.raises(LineError):
        await open_line(SerialUrl(device=path))


@pytest.mark.asyncio
async def test_a_tcp_line_has_one_owner_on_this_machine() -> None:
    """Most serial servers take several connections and mix their requests on the wires."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = TcpUrl(host="localhost", port=server.getsockname()[1])
        line = await open_line(url)
        with pytest.raises(LineBusy, match=f"same as the line tcp://localhost:{url.port} of this gateway"):
            await open_line(TcpUrl(host="127.0.0.1", port=url.port))
        await line.aclose()
        again = await open_line(url)
        await again.aclose()


@pytest.mark.asyncio
async def test_a_port_that_nobody_serves() -> None:
    """The error must say where."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = TcpUrl(host="127.0.0.1", port=server.getsockname()[1])
    with pytest.raises(LineLost, match=f"127.0.0.1:{url.port}"):
        await open_line(url)


@pytest.mark.asyncio
async def test_an_address_is_no_name_to_be_looked_up() -> None:
    """Each try of each line that is down would wait for one of a few threads."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def looks_up(host: str) -> bool:
        before = set(threading.enumerate())
        line = await open_line(TcpUrl(host=host, port=port))
        await line.aclose()
        return bool(set(threading.enumerate()) - before)

    async with server:
        assert not await looks_up("127.0.0.1")
        assert await looks_up("localhost")
