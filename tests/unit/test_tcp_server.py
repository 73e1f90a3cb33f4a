"""Terminals on real sockets: many of them, half-open ones, and a port that is taken."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meterlink.bus.queue import Priority
from meterlink.errors import LineBusy, LineLost
from meterlink.model.line_url import TcpUrl
from meterlink.transports.caller import IDENTIFY_OCTETS_MAX
from meterlink.transports.hall import Hall
from meterlink.transports.stream import ByteStream
from meterlink.transports.tcp_client import open_tcp
from meterlink.transports.tcp_server import listening
from tests.support.dial_in import TextExchange, TextSession, listening_line, login, read_line

TERMINALS = tuple(map(str, range(300)))


@asynccontextmanager
async def _hall(known: tuple[str, ...] = ("1",)) -> AsyncIterator[tuple[Hall[TextSession], int]]:
    hall = Hall(lambda: TextSession(known), strangers_max=len(known))
    async with listening("127.0.0.1", 0, hall) as port:
        yield hall, port
    assert (0, 0) == (hall.strangers, hall.terminals)


async def _dial(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(text.encode())
    await writer.drain()


@pytest.mark.asyncio
async def test_three_hundred_terminals_beat_and_answer() -> None:
    """A district is a few hundred concentrators on one port; none may wait for another."""

    async def dial_in(name: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await _dial(port)
        await _say(writer, f"LOGIN {name} 60\n")
        assert b"OK\n" == await reader.readline()
        return reader, writer

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[str]:
        await _say(writer, "BEAT\n")
        heard = [(await reader.readline()).decode().strip() for _ in range(2)]
        question = max(heard)
        await _say(writer, f"BEAT\nA {question[2:]}\n")
        heard.append((await reader.readline()).decode().strip())
        return sorted(heard)

    async def ask(hall: Hall[TextSession], name: str) -> str:
        line, session = listening_line(hall, name), TextExchange(f"to {name}")
        owner = asyncio.get_running_loop().create_task(line.run())
        await line.exchange(session, priority=Priority.CURVE)
        done.add(owner)
        return session.answer

    done: set[asyncio.Task[None]] = set()
    async with _hall(TERMINALS) as (hall, port):
        dialled = dict(
            zip(TERMINALS, await asyncio.gather(*(dial_in(name, port) for name in TERMINALS)), strict=True)
        )
        answering = [asyncio.ensure_future(answer(*dialled[name])) for name in TERMINALS]
        answers = await asyncio.gather(*(ask(hall, name) for name in TERMINALS))
        heard = await asyncio.gather(*answering)
        for owner in done:
            owner.cancel()
        await asyncio.wait(done)
        for _, writer in dialled.values():
            writer.close()
            await writer.wait_closed()
    assert [f"A to {name}" for name in TERMINALS] == answers
    assert [["BEAT OK", "BEAT OK", f"Q to {name}"] for name in TERMINALS] == heard


@pytest.mark.asyncio
async def test_a_half_open_connection_gives_way() -> None:
    """The old connection died in the network without a word to either side; its terminal dials again."""
    async with _hall() as (hall, port):
        readers = []
        for _ in range(3):  # none of them is closed by the terminal
            reader, writer = await _dial(port)
            await _say(writer, "LOGIN 1 60\n")
            assert b"OK\n" == await reader.readline()
            readers.append((reader, writer))
        for reader, writer in readers[:2]:
            with contextlib.suppress(ConnectionError):
                assert b"" == await reader.read()
            writer.close()
        seat = await hall.door("1").visit()
        await seat.stream.send(b"hello\n")
        assert b"hello\n" == await readers[2][0].readline()
        readers[2][1].close()
        assert 2 == hall.counts.replaced


@pytest.mark.asyncio
async def test_a_flood_of_rubbish_is_cut_off() -> None:
    """One socket that sends without end would keep the gateway from everybody else."""
    async with _hall() as (hall, port):
        far = await open_tcp(TcpUrl(host="127.0.0.1", port=port))
        with pytest.raises(LineLost):
            for _ in range(10_000):
                await far.send(b"\x68" * IDENTIFY_OCTETS_MAX)
                await asyncio.sleep(0)
        await far.aclose()
        assert (1, 0) == (hall.counts.turned_away, hall.counts.logins)


@pytest.mark.asyncio
async def test_an_unknown_terminal_hears_why() -> None:
    """The answer says what is wrong with it; a connection that just ends is dialled again at once."""
    async with _hall() as (_, port):
        reader, writer = await _dial(port)
        await _say(writer, "LOGIN 9 60\n")
        assert b"NO\n" == await reader.read()
        writer.close()


@pytest.mark.asyncio
async def test_the_kernel_probes_a_silent_connection() -> None:
    """A terminal without power sends no goodbye; its heartbeat may be an hour."""
    async with _hall() as (hall, port):
        far: ByteStream = await open_tcp(TcpUrl(host="127.0.0.1", port=port))
        await login(far, "1")
        seat = await hall.door("1").visit()
        assert seat.stream.transport is not None
        found = seat.stream.transport.get_extra_info("socket")
        assert 1 == found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await seat.stream.send(b"x\n")
        assert "x" == await read_line(far)
        await far.aclose()


@pytest.mark.asyncio
async def test_a_port_that_is_taken_says_so() -> None:
    """The daemon would run and no terminal reach it."""
    async with _hall() as (_, port):
        with pytest.raises(LineBusy, match=f"port {port} of .*: another program"):
            async with listening("127.0.0.1", port, Hall(lambda: TextSession(()))):
                pytest.fail("it listens")
    with pytest.raises(LineLost, match="cannot listen on port 1 of nowhere"):
        async with listening("nowhere.invalid", 1, Hall(lambda: TextSession(()))):
            pytest.fail("it listens")
