"""What a line promises: the same for the one in memory and for real ones.

A further kind of line is one more entry in ``PAIRS``: a context manager that gives both ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from meterlink.errors import LineClosed, LineLost
from meterlink.model.line_url import TcpUrl
from meterlink.transports.hall import Hall
from meterlink.transports.memory import memory_line
from meterlink.transports.memory_server import dial
from meterlink.transports.protocol_stream import ProtocolStream
from meterlink.transports.stream import ByteStream
from meterlink.transports.tcp_client import open_tcp
from meterlink.transports.tcp_server import listening
from tests.support.rfc2217_server import connected

Pair = tuple[ByteStream, ByteStream]
PairMaker = Callable[[], AbstractAsyncContextManager[Pair]]

_SENDS_MAX = 1_000  # more than enough to fill any buffer on the way
_CHUNK = bytes(65_536)


@asynccontextmanager
async def _memory() -> AsyncIterator[Pair]:
    yield memory_line()


@asynccontextmanager
async def _tcp() -> AsyncIterator[Pair]:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[ProtocolStream] = loop.create_future()

    class Accepted(ProtocolStream):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            accepted.set_result(self)

    server = await loop.create_server(lambda: Accepted("theirs"), "127.0.0.1", 0)
    ours = await open_tcp(TcpUrl(host="127.0.0.1", port=server.sockets[0].getsockname()[1]))
    theirs = await accepted
    try:
        yield ours, theirs
    finally:
        await ours.aclose()
        await theirs.aclose()
        server.close()
        await server.wait_closed()


class _Welcome:
    """A doorkeeper that lets in whoever says hello."""

    ending = ""
    idle_limit_s = 60.0

    def __init__(self) -> None:
        self.terminal: str | None = None

    def feed(self, octets: bytes) -> None:
        self.terminal = "1" if octets else None

    def octets_to_send(self) -> bytes:
        return b""


async def _greeted(hall: Hall[_Welcome], far: ByteStream) -> ByteStream:
    await far.send(b"hello")
    return (await hall.door("1").visit()).stream


@asynccontextmanager
async def _accepted() -> AsyncIterator[Pair]:
    hall = Hall(_Welcome)
    async with listening("127.0.0.1", 0, hall) as port:
        far = await open_tcp(TcpUrl(host="127.0.0.1", port=port))
        yield await _greeted(hall, far), far
        await far.aclose()


@asynccontextmanager
async def _dialling() -> AsyncIterator[Pair]:
    async with _accepted() as (accepted, far):
        yield far, accepted


@asynccontextmanager
async def _accepted_in_memory() -> AsyncIterator[Pair]:
    hall = Hall(_Welcome)
    far = dial(hall)
    yield await _greeted(hall, far), far
    await hall.close()
    await far.aclose()


@asynccontextmanager
async def _dialling_in_memory() -> AsyncIterator[Pair]:
    async with _accepted_in_memory() as (accepted, far):
        yield far, accepted


PAIRS: dict[str, PairMaker] = {
    "memory": _memory,
    "tcp": _tcp,
    "accepted": _accepted,
    "dialling": _dialling,
    "accepted in memory": _accepted_in_memory,
    "dialling in memory": _dialling_in_memory,
    "rfc2217": connected,
}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> PairMaker:
    """Each kind of line in turn."""
    return PAIRS[request.param]


async def _receive_exactly(stream: ByteStream, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        octets += await stream.receive(count - len(octets))
    return octets


@pytest.mark.asyncio
async def test_octets_arrive_in_order_both_ways(pair: PairMaker) -> None:
    """A frame with one octet out of place is no frame."""
    async with pair() as (ours, theirs):
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            await sender.send(b"abc")
            await sender.send(b"")
            await sender.send(bytes(range(256)))
            assert b"abc" + bytes(range(256)) == await _receive_exactly(receiver, 259)


@pytest.mark.asyncio
async def test_receive_gives_at_least_one_and_at_most_the_limit(pair: PairMaker) -> None:
    """A reader that got nothing would spin; one that got more than it asked for would overflow."""
    async with pair() as (ours, theirs):
        await theirs.send(b"abcdef")
        octets = [await ours.receive(1) for _ in range(6)]
        assert [b"a", b"b", b"c", b"d", b"e", b"f"] == octets


@pytest.mark.asyncio
async def test_receive_waits_and_loses_nothing_when_cancelled(pair: PairMaker) -> None:
    """A reply timeout cancels the read; the answer that comes after it must still be there."""
    async with pair() as (ours, theirs):
        waiting = asyncio.ensure_future(ours.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        await theirs.send(b"late")
        assert b"late" == await _receive_exactly(ours, 4)


@pytest.mark.asyncio
async def test_what_has_come_is_taken_without_waiting(pair: PairMaker) -> None:
    """What came late for an earlier request must be gone before the next one is sent."""
    async with pair() as (ours, theirs):
        assert b"" == ours.receive_nowait()
        await theirs.send(b"late answer")
        assert b"l" == await ours.receive(1)
        assert b"ate answer" == ours.receive_nowait()
        assert b"" == ours.receive_nowait()
        await theirs.send(b"x")
        assert b"x" == await ours.receive()
        await ours.aclose()
        assert b"" == ours.receive_nowait()


@pytest.mark.asyncio
async def test_what_was_sent_before_the_end_still_arrives(pair: PairMaker) -> None:
    """A meter gateway that answers and hangs up has answered."""
    async with pair() as (ours, theirs):
        await theirs.send(b"answer")
        await theirs.aclose()
        assert b"answer" == await _receive_exactly(ours, 6)
        for _ in range(2):
            with pytest.raises(LineLost):
                await ours.receive()


@pytest.mark.asyncio
async def test_the_other_end_going_wakes_who_waits(pair: PairMaker) -> None:
    """The line's owner would wait for ever instead of connecting again."""
    async with pair() as (ours, theirs):
        waiting = asyncio.ensure_future(ours.receive())
        await asyncio.sleep(0)
        await theirs.aclose()
        with pytest.raises(LineLost):
            await waiting


@pytest.mark.asyncio
async def test_sending_into_a_line_whose_end_is_gone_fails(pair: PairMaker) -> None:
    """It may take a few sends until the news is back, but not for ever."""
    async with pair() as (ours, theirs):
        await theirs.aclose()
        with pytest.raises(LineLost):
            for _ in range(_SENDS_MAX):
                await ours.send(_CHUNK)
                await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_after_our_close_everything_is_closed(pair: PairMaker) -> None:
    """Who closed must not read "lost", which means: connect again."""
    async with pair() as (ours, _theirs):
        waiting = asyncio.ensure_future(ours.receive())
        await asyncio.sleep(0)
        await ours.aclose()
        await ours.aclose()  # harmless
        with pytest.raises(LineClosed):
            await waiting
        with pytest.raises(LineClosed):
            await ours.receive()
        with pytest.raises(LineClosed):
            await ours.send(b"x")


@pytest.mark.asyncio
async def test_a_reader_that_does_not_read_stops_the_sender(pair: PairMaker) -> None:
    """Without back pressure a stuck meter gateway would fill our memory."""
    async with pair() as (ours, theirs):

        async def send_much() -> None:
            for _ in range(_SENDS_MAX):
                await ours.send(_CHUNK)

        sending = asyncio.ensure_future(send_much())
        for _ in range(_SENDS_MAX):
            await asyncio.sleep(0)
        assert not sending.done()
        assert _CHUNK == await _receive_exactly(theirs, len(_CHUNK))
        sending.cancel()
        await asyncio.wait([sending])
        await theirs.aclose()
