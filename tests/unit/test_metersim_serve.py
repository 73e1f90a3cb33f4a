"""What a line does with clients over TCP that do not read, or say more than can be answered at once."""

from __future__ import annotations

import asyncio
import errno

import pytest

from metersim import Line, Simulation, Station
from metersim.line.wires import Duplex
from metersim.serving.tcp import RECEIVE_OCTETS_MAX, SEND_TIMEOUT_S, UNREAD_OCTETS_MAX, TcpDuplex, open_dial
from meterwire.dlt645 import Deframer
from tests.support.paced import A161, A162, ask645, meter645


class _Transport(asyncio.Transport):
    """A connection in memory."""

    def __init__(self, *, full: bool = False) -> None:
        super().__init__()
        self.duplex = TcpDuplex()
        self.written = b""
        self.held: list[bool] = []
        self._full = full
        self._closing = False
        self.duplex.connection_made(self)

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True
        self.duplex.connection_lost(None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)
        if self._full:
            self.duplex.pause_writing()

    def pause_reading(self) -> None:
        self.held.append(True)

    def resume_reading(self) -> None:
        self.held.append(False)


def test_a_client_that_does_not_read_is_dropped() -> None:
    """It would hold the line for ever, and every other client would starve behind it."""
    sim = Simulation()

    async def main() -> None:
        with pytest.raises(ConnectionResetError, match="does not read"):
            await _Transport(full=True).duplex.send(b"answer")

    sim.run(main())
    assert SEND_TIMEOUT_S == sim.clock.monotonic_s()


def test_a_client_that_catches_up_is_kept() -> None:
    """One slow moment would cost a client its connection."""
    sim = Simulation()

    async def main() -> bytes:
        transport = _Transport(full=True)
        asyncio.get_running_loop().call_later(SEND_TIMEOUT_S / 2, transport.duplex.resume_writing)
        await transport.duplex.send(b"answer")
        return transport.written

    assert b"answer" == sim.run(main())
    assert SEND_TIMEOUT_S / 2 == sim.clock.monotonic_s()


def test_a_client_that_has_gone_is_told_apart() -> None:
    """An answer to nobody would be taken for one that was sent, or the line would wait for its room."""

    async def main() -> None:
        gone = _Transport()
        gone.abort()
        with pytest.raises(ConnectionResetError, match="gone"):
            await gone.duplex.send(b"answer")
        leaving = _Transport(full=True)
        asyncio.get_running_loop().call_later(1, leaving.abort)
        with pytest.raises(ConnectionResetError, match="gone"):
            await leaving.duplex.send(b"answer")
        assert b"" == await gone.duplex.receive()

    Simulation().run(main())


def test_what_is_said_at_once_is_answered_in_turns() -> None:
    """One client that floods its line would keep all the others of the process waiting."""

    async def main() -> None:
        transport = _Transport()
        said = bytes(range(256)) * (UNREAD_OCTETS_MAX // 256)
        transport.duplex.data_received(said)
        assert [] == transport.held
        transport.duplex.data_received(b"x")
        transport.duplex.data_received(b"y")
        assert [True] == transport.held, "more stays with the network"
        heard = b""
        while len(heard) < len(said) + 2:
            octets = await transport.duplex.receive()
            assert len(octets) <= RECEIVE_OCTETS_MAX
            heard += octets
        assert said + b"xy" == heard
        assert [True, False] == transport.held

    Simulation().run(main())


async def _serve(line: Line, transport: _Transport, group: asyncio.TaskGroup) -> None:
    group.create_task(line.serve(transport.duplex), name="line")
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_an_answer_that_need_not_wait_is_there_at_once() -> None:
    """Each poll would cost turns of the loop for nothing, and a plant would answer half as many."""
    request, other = ask645(address=A161), ask645(address=A162)
    line = Line(
        [Station(meter=meter645(A161), reply_delay_ms=0), Station(meter=meter645(A162), reply_delay_ms=20)],
        clock=Simulation().clock,
    )

    async def main() -> None:
        transport = _Transport()
        async with asyncio.TaskGroup() as group:
            await _serve(line, transport, group)
            transport.duplex.data_received(request)
            assert [A161] == _addresses(transport.written), "not a turn of the loop later"
            transport.duplex.data_received(request + other + request)
            assert [A161] == _addresses(transport.written), "what has to wait holds up what is behind it"
            transport.duplex.data_received(request[:7])
            transport.duplex.data_received(request[7:])
            await asyncio.sleep(1)
            assert [A161, A161, A162, A161, A161] == _addresses(transport.written)
            transport.duplex.data_received(ask645(address="000000000999"))
            transport.duplex.data_received(request * (RECEIVE_OCTETS_MAX // len(request) + 1))
            assert 5 == len(_addresses(transport.written)), "others have their turn"
            await asyncio.sleep(1)
            assert RECEIVE_OCTETS_MAX // len(request) + 6 == len(_addresses(transport.written))
            transport.abort()

    Simulation().run(main())


def test_what_goes_wrong_at_once_is_raised_where_octets_are_waited_for() -> None:
    """A capture on a full disk would end every connection, and the plant would run on and say nothing."""

    def full(octets: bytes) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def main() -> None:
        duplex = _Transport().duplex
        duplex.answer_with(full)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_refusal(duplex), name="line")
            await asyncio.sleep(0)
            duplex.data_received(ask645(address=A161))
        assert errno.ENOSPC == waiting.result()

    Simulation().run(main())


async def _refusal(duplex: TcpDuplex) -> int | None:
    with pytest.raises(OSError, match="No space") as caught:
        await duplex.receive()
    return caught.value.errno


class _OnAFullDisk:
    """A line whose capture cannot be written."""

    async def serve(self, duplex: Duplex) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.asyncio
async def test_a_terminal_that_dials_ends_where_its_capture_cannot_be_written() -> None:
    """It would call again for ever, as if its master had hung up, and nobody would say why."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(10), open_dial(_OnAFullDisk(), host, port):
                await asyncio.Event().wait()
    assert caught.group_contains(OSError, match="No space")


def test_a_client_that_does_not_read_is_not_answered_at_once() -> None:
    """Answers to a client that only asks would fill the memory."""
    line = Line([Station(meter=meter645(A161), reply_delay_ms=0)], clock=Simulation().clock)

    async def main() -> None:
        transport = _Transport(full=True)
        async with asyncio.TaskGroup() as group:
            await _serve(line, transport, group)
            for _ in range(100):
                transport.duplex.data_received(ask645())
            await asyncio.sleep(SEND_TIMEOUT_S + 1)
            assert 2 == len(_addresses(transport.written)), "one at once, one that waits for room"
            assert not asyncio.all_tasks() - {asyncio.current_task()}, "the line has let go of it"

    Simulation().run(main())


def _addresses(octets: bytes) -> list[str]:
    return [frame.address for frame in Deframer().feed(octets)]


def test_who_says_no_more_may_still_listen() -> None:
    """A client that closes its half of the connection would get no answer to what it asked before."""

    async def main() -> None:
        transport = _Transport()
        transport.duplex.data_received(b"question")
        assert transport.duplex.eof_received(), "the connection stays open"
        assert [b"question", b""] == [await transport.duplex.receive() for _ in range(2)]
        await transport.duplex.send(b"answer")
        assert b"answer" == transport.written

    Simulation().run(main())
