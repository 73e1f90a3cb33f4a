"""The hall of one port: who comes in, who is turned away, and what each of them may cost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from meterlink.errors import LineClosed, LineLost
from meterlink.transports.caller import (
    IDENTIFY_OCTETS_MAX,
    IDENTIFY_TIMEOUT_S,
    WRITE_BUFFER_MAX,
    WRITE_STALL_S,
)
from meterlink.transports.hall import LOGGED_EACH_S, LOGGED_MAX, Hall
from meterlink.transports.memory_server import dial
from meterlink.transports.stream import ByteStream
from metersim.loop import Simulation
from tests.support.dial_in import TextSession, login, read_line, settle

Body = Callable[[Hall[TextSession]], Awaitable[None]]


def _run(body: Body, *, known: tuple[str, ...] = ("1", "2"), strangers_max: int = 3) -> None:
    async def program() -> None:
        hall = Hall(lambda: TextSession(known), strangers_max=strangers_max)
        await body(hall)
        await hall.close()
        await settle()
        assert (0, 0) == (hall.strangers, hall.terminals)

    Simulation().run(program())


async def _ends_after(stream: ByteStream) -> float:
    """Seconds until the other side ends a connection."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with contextlib.suppress(LineLost):
        while True:
            await stream.receive()
    return loop.time() - begun


def test_who_logs_in_is_let_in_whatever_the_pieces() -> None:
    """A login in two packets, as mobile networks cut them, would be no login."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        for octet in b"LOGIN 1 60\n":
            assert hall.door("1").visitor() is None
            await far.send(bytes((octet,)))
            await settle()
        seat = hall.door("1").visitor()
        assert seat is not None
        assert "OK" == await read_line(far)
        await seat.stream.send(b"hello\n")
        assert "hello" == await read_line(far)

    _run(body)


def test_what_comes_behind_the_login_is_not_lost() -> None:
    """A terminal reports what happened while it was away in the same packet as its login."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        await far.send(b"LOGIN 1 60\nA early\nA la")
        seat = await hall.door("1").visit()
        await far.send(b"te\n")
        seat.keeper.feed(await seat.stream.receive())
        assert b"A early\nA late\n" == seat.keeper.octets_for_exchange()

    _run(body)


def test_an_unknown_terminal_is_told_and_turned_away() -> None:
    """A stranger's readings would be kept under somebody's name."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        await far.send(b"LOGIN 9 60\nA x\n")
        assert "NO" == await read_line(far)
        assert 0 == await _ends_after(far)
        assert (1, 0, 1) == (hall.counts.accepted, hall.counts.logins, hall.counts.turned_away)

    _run(body)


def test_a_caller_who_says_nothing_is_turned_away_in_time() -> None:
    """Connections of port scanners would pile up until no file descriptor is left."""

    async def body(hall: Hall[TextSession]) -> None:
        assert IDENTIFY_TIMEOUT_S == await _ends_after(dial(hall))
        babbler = dial(hall)

        async def babble() -> None:
            for _ in range(100):
                await babbler.send(b"x")  # which keeps nobody's place
                await asyncio.sleep(1)

        babbling = asyncio.get_running_loop().create_task(babble())
        assert IDENTIFY_TIMEOUT_S == await _ends_after(babbler)
        await asyncio.wait([babbling])
        assert isinstance(babbling.exception(), LineLost)
        assert 2 == hall.counts.turned_away

    _run(body)


def test_rubbish_without_a_login_is_bounded() -> None:
    """Who sends without end would fill the memory of a gateway, or its processor."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        await far.send(b"x" * (IDENTIFY_OCTETS_MAX - 1) + b"\n")
        await settle()
        await login(far, "1")  # so many were not too many yet
        flood = dial(hall)
        await flood.send(b"x" * (IDENTIFY_OCTETS_MAX + 1))
        assert 0 == await _ends_after(flood)
        assert 1 == hall.counts.turned_away

    _run(body)


def test_callers_without_a_name_keep_no_terminal_out() -> None:
    """A few hundred open sockets of somebody would cut off a district."""

    async def body(hall: Hall[TextSession]) -> None:
        silent = [dial(hall) for _ in range(3)]
        far = dial(hall)
        assert 3 == hall.strangers
        await login(far, "1")
        assert 0 == await _ends_after(silent[0])
        assert 1 == hall.counts.crowded_out
        assert (2, 1) == (hall.strangers, hall.terminals)

    _run(body)


def test_a_flood_behind_a_login_is_left_to_the_line() -> None:
    """Whatever comes in one piece with a login would be parsed before anybody else has his turn."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        flood = b"x" * 10 * IDENTIFY_OCTETS_MAX
        await far.send(b"LOGIN 1 60\n" + flood)
        seat = await hall.door("1").visit()
        assert 1 == seat.keeper.frames
        left = b""
        while len(left) < len(flood) - IDENTIFY_OCTETS_MAX:
            left += await seat.stream.receive()
        assert len(flood) - len(left) + len(b"LOGIN 1 60\n") == IDENTIFY_OCTETS_MAX

    _run(body)


def test_each_caller_who_did_not_come_in_has_his_line_in_the_log() -> None:
    """Nobody would find out who dials, or a flood of callers would fill the disk with lines."""

    async def body(hall: Hall[TextSession]) -> None:
        for number in range(LOGGED_MAX + 20):
            dial(hall, peer=f"p{number}")
        assert LOGGED_MAX + 17 == hall.counts.crowded_out
        await asyncio.sleep(IDENTIFY_TIMEOUT_S)
        dial(hall, peer="late")
        await asyncio.sleep(IDENTIFY_TIMEOUT_S)

    with capture_logs() as logs:
        _run(body, strangers_max=3)
    told = [line for line in logs if line["event"] == "caller_turned_away"]
    peers = [line["peer"].partition(":")[0] for line in told]
    assert [f"p{number}" for number in range(LOGGED_MAX)] == peers[:LOGGED_MAX]
    assert "late" == peers[-1]
    assert LOGGED_MAX + 20 + 1 == len(told) + sum(line.get("left_out", 0) for line in told)
    assert IDENTIFY_TIMEOUT_S // LOGGED_EACH_S >= 3, "the last three of the flood had a line again"


def test_terminals_are_not_limited_by_strangers() -> None:
    """The limit is on those without a name: a gateway with more terminals than that would never have all."""
    known = tuple(map(str, range(300)))

    async def body(hall: Hall[TextSession]) -> None:
        ends = [dial(hall) for _ in range(3)]
        for name in known:
            ends.append(dial(hall))
            await login(ends[-1], name)
        assert 300 == hall.terminals
        assert len(ends) == hall.counts.accepted

    _run(body, known=known, strangers_max=4)


def test_the_newest_connection_of_a_terminal_wins() -> None:
    """Behind NAT the old connection is dead and says nothing; its terminal would be locked out by itself."""

    async def body(hall: Hall[TextSession]) -> None:
        old, new = dial(hall), dial(hall)
        await login(old, "1")
        first = await hall.door("1").visit()
        waiting = asyncio.ensure_future(first.stream.receive())
        await settle()
        await login(new, "1")
        with pytest.raises(LineLost, match="dialled in anew"):
            await waiting
        assert 0 == await _ends_after(old)
        second = await hall.door("1").visit()
        assert second.stream is not first.stream
        await first.stream.aclose()  # its owner tidies up late: the new one is not touched
        await second.stream.send(b"x\n")
        assert "x" == await read_line(new)
        assert (1, 1) == (hall.counts.replaced, hall.terminals)

    _run(body)


def test_the_newest_wins_though_nobody_took_the_older() -> None:
    """The line would be given a dead connection."""

    async def body(hall: Hall[TextSession]) -> None:
        old, new = dial(hall), dial(hall)
        await login(old, "1")
        await login(new, "1")
        seat = await hall.door("1").visit()
        await seat.stream.send(b"x\n")
        assert "x" == await read_line(new)
        assert hall.door("1").visitor() is None

    _run(body)


def test_a_connection_that_went_is_not_given_to_its_line() -> None:
    """The line would take it for up, and wait."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        await login(far, "1")
        await far.aclose()
        await settle()
        assert hall.door("1").visitor() is None
        assert "terminal 1 is not connected" in hall.door("1").absence
        waiting = asyncio.ensure_future(hall.door("1").visit())
        await settle()
        waiting.cancel()
        await asyncio.wait([waiting])
        again = dial(hall)
        await login(again, "1")
        assert (await hall.door("1").visit()).stream.terminal == "1"

    _run(body)


def test_a_silent_terminal_is_gone_after_its_own_limit() -> None:
    """A connection that died without a word would be polled in vain until the kernel notices."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        await login(far, "1", heartbeat_s=60)
        seat = await hall.door("1").visit()
        loop = asyncio.get_running_loop()
        for _ in range(5):
            await asyncio.sleep(119.9)  # the limit is twice the heartbeat
            await far.send(b"BEAT\n")
            await settle()
        begun = loop.time()
        seat.keeper.idle_limit_s = 200  # it told another period since
        with pytest.raises(LineLost, match="nothing came for 200 s"):
            while True:
                await seat.stream.receive()
        assert 200 == pytest.approx(loop.time() - begun)
        assert 0 == hall.terminals

    _run(body)


def test_a_terminal_that_does_not_read_is_given_up() -> None:
    """Its heartbeats would keep a line that takes no request, and our octets for it would lie there."""

    async def body(hall: Hall[TextSession]) -> None:
        far = dial(hall)
        await login(far, "1")
        seat = await hall.door("1").visit()
        loop = asyncio.get_running_loop()
        begun, sent = loop.time(), 0
        with pytest.raises(LineLost, match="reads nothing"):
            while True:
                await seat.stream.send(bytes(1_000))
                sent += 1_000
        assert WRITE_STALL_S == loop.time() - begun
        assert sent <= 3 * 65_536 + WRITE_BUFFER_MAX  # what both ends and the way between them hold

    _run(body)


def test_after_the_end_nobody_comes_in() -> None:
    """A stopping daemon would be kept by those who dial."""

    async def body(hall: Hall[TextSession]) -> None:
        far, stranger = dial(hall), dial(hall)
        await login(far, "1")
        seat = await hall.door("1").visit()
        await hall.close()
        with pytest.raises((LineLost, LineClosed)):
            await seat.stream.receive()
        for end in (far, stranger, dial(hall)):
            assert 0 == await _ends_after(end)

    _run(body)
