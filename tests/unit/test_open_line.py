"""Opening real lines: a pseudo-terminal for a serial device, a port on loopback for a serial server."""

from __future__ import annotations

import asyncio
import os
import pty
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from meterlink.errors import LineBusy, LineError, LineLost
from meterlink.model.line_url import Rfc2217Url, SerialUrl, TcpUrl
from meterlink.transports import rfc2217
from meterlink.transports.open import open_line
from meterlink.transports.protocol_stream import ProtocolStream
from tests.support.rfc2217_server import Port, connected, serving


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


@pytest.mark.asyncio
async def test_rate_and_parity_are_set_once_over_the_connection() -> None:
    """A library that sends all settings again at each read makes a line several times as slow."""
    port = Port()
    async with connected(port, baud=9600, parity="even") as (ours, theirs):
        assert (9600, "E", 8, 1) == (port.baudrate, port.parity, port.bytesize, port.stopbits)
        told = len(port.told)
        await ours.send(bytes(range(256)))
        got = b""
        while len(got) < 256:
            got += await theirs.receive()
        assert bytes(range(256)) == got
        await theirs.send(b"\xff\xff\x00")
        got = b""
        while len(got) < 3:
            got += await ours.receive()
        assert b"\xff\xff\x00" == got
        assert told == len(port.told)


@pytest.mark.asyncio
async def test_a_line_of_rfc_2217_has_one_owner_and_can_be_opened_again() -> None:
    """Two programs that set one port to two rates would both read rubbish."""
    async with serving(Port()) as (number, came):
        url = Rfc2217Url(host="127.0.0.1", port=number)
        ours = await open_line(url)
        with pytest.raises(LineBusy, match="which has it open"):
            await open_line(TcpUrl(host="127.0.0.1", port=number))
        await ours.aclose()
        again = await open_line(url)
        await again.aclose()
        while not came.empty():
            await came.get_nowait().aclose()


@pytest.mark.asyncio
async def test_what_does_not_speak_rfc_2217_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw TCP and RFC 2217 look alike in a serial server's menu; the words say which to try."""
    monkeypatch.setattr("serial.rfc2217.Timeout", lambda _: _Over())
    callers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    with pytest.raises(LineLost, match="does not speak RFC 2217"):
        await open_line(Rfc2217Url(host="127.0.0.1", port=number))
    server.close()
    await server.wait_closed()
    for caller in callers:
        caller.close()
        with suppress(ConnectionError):
            await caller.wait_closed()
    with pytest.raises(LineLost, match="Connection refused"):
        await open_line(Rfc2217Url(host="127.0.0.1", port=number))


class _Over:
    """A time that is up after one look."""

    def __init__(self) -> None:
        self._looks = 0

    def expired(self) -> bool:
        self._looks += 1
        return self._looks > 1


@pytest.mark.asyncio
async def test_octets_without_end_wait_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that babbles while nobody reads would fill the memory through the library's queue."""
    monkeypatch.setattr(rfc2217, "QUEUED_OCTETS_MAX", 4_096)  # the library takes them one by one
    async with connected() as (ours, theirs):
        assert isinstance(ours, ProtocolStream)
        assert isinstance(ours.transport, rfc2217.ThreadedTransport)
        sent = 32 * rfc2217.QUEUED_OCTETS_MAX
        babbling = asyncio.create_task(theirs.send(bytes(sent)))
        while (kept := ours.transport.queued) < rfc2217.QUEUED_OCTETS_MAX:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert rfc2217.QUEUED_OCTETS_MAX == kept
        got = 0
        while got < sent:
            got += len(await ours.receive())
            assert ours.transport.queued <= rfc2217.QUEUED_OCTETS_MAX
        await babbling


class _Endless(queue.Queue[bytes]):
    """Brings another octet for each that is taken."""

    def get_nowait(self) -> bytes:
        self.put_nowait(b"x")
        return super().get_nowait()


def test_what_is_taken_at_once_is_what_is_there() -> None:
    """A line that babbles faster than we take would never be handed on, and fill the memory."""
    port = rfc2217._Port()
    port._read_buffer = _Endless()
    port._read_buffer.put_nowait(b"a")
    port._read_buffer.put_nowait(b"b")
    assert b"ab" == port.rest()
    assert 2 == port.queued


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\xff\xfa" + bytes(16 * rfc2217.WORD_OCTETS_MAX), id="a word without end"),
        pytest.param(b"\xff\xfa" + b"\xff\xff" * 8 * rfc2217.WORD_OCTETS_MAX, id="of doubled octets"),
        pytest.param(b"\xff\xf0", id="an end without a beginning"),
    ],
)
async def test_telnet_without_sense_ends_the_connection(octets: bytes) -> None:
    """A server gone mad would fill the memory, or its line stay open and dead."""
    async with connected() as (ours, theirs):
        assert theirs.transport is not None
        theirs.write(octets)
        with pytest.raises(LineLost):
            async with asyncio.timeout(10):
                await ours.receive()


@pytest.mark.asyncio
async def test_words_of_telnet_between_octets_are_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that tells its modem lines each second would be cut off after an hour."""
    monkeypatch.setattr(rfc2217, "WORD_OCTETS_MAX", 64)
    async with connected() as (ours, theirs):
        for _ in range(40):
            theirs.write(b"\xff\xfa\x2c\x6b\x30\xff\xf0")  # NOTIFY-MODEMSTATE
            await asyncio.sleep(0)
        await theirs.send(b"here")
        got = b""
        while len(got) < 4:
            got += await ours.receive()
        assert b"here" == got


@pytest.mark.asyncio
async def test_what_is_opened_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A serial server takes one connection: a forgotten one would keep its line from ever opening again."""
    monkeypatch.setattr(rfc2217, "OPEN_TIMEOUT_S", 0.01)
    async with serving(Port()) as (number, came):
        with pytest.raises(LineLost, match="not open within"):
            await open_line(Rfc2217Url(host="127.0.0.1", port=number))
        theirs = await came.get()
        with pytest.raises(LineLost):
            async with asyncio.timeout(15):
                await theirs.receive()
        await theirs.aclose()
