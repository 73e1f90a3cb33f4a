"""A line whose terminal dials in: what it says by itself, between questions and amid an answer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.errors import LineLost, ReplyTimeout
from meterlink.trace import TraceRing
from meterlink.transports.hall import Hall
from meterlink.transports.memory_server import dial
from meterlink.transports.protocol_stream import ProtocolStream
from metersim.loop import Simulation
from tests.support.dial_in import TIMING, TextExchange, TextSession, listening_line, login, read_line, settle

Reports = list[tuple[str, Callable[[], None]]]
Body = Callable[["_Plant"], Awaitable[None]]


class _Plant:
    """A hall, the line of terminal 1, and what it reported."""

    def __init__(self) -> None:
        self.reports: Reports = []
        self.hall = Hall(lambda: TextSession(("1", "2"), lambda *report: self.reports.append(report)))
        self.line = listening_line(self.hall, "1")
        self.loop = asyncio.get_running_loop()

    async def dial(self) -> ProtocolStream:
        far = dial(self.hall)
        await login(far, "1")
        await settle()
        return far

    def ask(self, question: str) -> asyncio.Task[str]:
        return self.loop.create_task(self._ask(question))

    async def _ask(self, question: str) -> str:
        session = TextExchange(question)
        await self.line.exchange(session, priority=Priority.CURVE)
        return session.answer


def _run(body: Body) -> None:
    async def program() -> None:
        plant = _Plant()
        owner = asyncio.get_running_loop().create_task(plant.line.run())
        await body(plant)
        assert not owner.done(), "the owner is alive"
        owner.cancel()
        await asyncio.wait([owner])
        await plant.hall.close()

    Simulation().run(program())


def test_a_heartbeat_is_answered_while_nobody_asks() -> None:
    """An unanswered terminal drops the connection and dials again, every few minutes, for ever."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        for _ in range(3):
            await asyncio.sleep(60)
            at = plant.loop.time()
            await far.send(b"BEAT\n")
            assert "BEAT OK" == await read_line(far)
            assert at == plant.loop.time()

    _run(body)


def test_a_question_does_not_wait_for_octets() -> None:
    """The owner sits at the terminal's ear; a question would be sent with the next heartbeat only."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        at = plant.loop.time()
        for question in "abc":
            asked = plant.ask(question)
            assert f"Q {question}" == await read_line(far)
            await far.send(f"A {question}\n".encode())
            assert f"A {question}" == await asked
        assert at == plant.loop.time()

    _run(body)


def test_a_heartbeat_in_the_middle_of_an_exchange() -> None:
    """A read through a carrier takes a minute; the terminal must not take us for dead meanwhile."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        asked = plant.ask("x")
        assert "Q x" == await read_line(far)
        await asyncio.sleep(4)
        await far.send(b"BEAT\n")
        assert "BEAT OK" == await read_line(far)
        assert not asked.done()
        await far.send(b"BEAT\nA x\nBE")
        assert "A x" == await asked
        assert "BEAT OK" == await read_line(far)
        await far.send(b"AT\n")
        assert "BEAT OK" == await read_line(far)

    _run(body)


def test_heartbeats_do_not_prolong_an_answer() -> None:
    """A terminal that beats and never answers would hold its line, and all that waits for it."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()

        async def beat() -> None:
            while True:
                await far.send(b"BEAT\n")
                await asyncio.sleep(0.3)

        beating = plant.loop.create_task(beat())
        at = plant.loop.time()
        with pytest.raises(ReplyTimeout):
            await plant.ask("x")
        assert TIMING.reply_timeout_s == plant.loop.time() - at
        beating.cancel()
        await asyncio.wait([beating])

    _run(body)


_CHATTER = b"BEAT\nA x\nREPORT r\nBEAT\n"


@settings(max_examples=100)
@example(cuts=list(range(1, len(_CHATTER))), gaps=True)
@given(cuts=st.lists(st.integers(1, len(_CHATTER) - 1), unique=True, max_size=8), gaps=st.booleans())
def test_octets_may_come_in_any_pieces(cuts: list[int], gaps: bool) -> None:
    """Packets are cut where a network likes: half a heartbeat glued to half an answer."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        asked = plant.ask("x")
        assert "Q x" == await read_line(far)
        edges = [0, *sorted(cuts), len(_CHATTER)]
        for start, end in itertools.pairwise(edges):
            await far.send(_CHATTER[start:end])
            if gaps:
                await asyncio.sleep(0.2)
        assert "A x" == await asked
        assert ["BEAT OK", "BEAT OK"] == [await read_line(far), await read_line(far)]
        assert ["r"] == [name for name, _ in plant.reports]

    _run(body)


def test_a_report_is_acknowledged_when_it_is_kept_and_not_before() -> None:
    """Acknowledged and not kept, an event is lost for ever: the terminal does not tell it twice."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        await far.send(b"REPORT 7\nBEAT\n")
        assert "BEAT OK" == await read_line(far)
        await asyncio.sleep(9)
        assert b"" == far.receive_nowait()
        [(name, kept)] = plant.reports
        kept()
        assert f"ACK {name}" == await read_line(far)

    _run(body)


def test_a_report_is_acknowledged_in_the_middle_of_an_exchange() -> None:
    """A terminal repeats a report three times and gives up, long before a slow read is over."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        asked = plant.ask("x")
        assert "Q x" == await read_line(far)
        await far.send(b"REPORT 7\n")
        await asyncio.sleep(1)
        at = plant.loop.time()
        plant.reports[0][1]()
        assert "ACK 7" == await read_line(far)
        assert (at, False) == (plant.loop.time(), asked.done())
        await far.send(b"A x\n")
        assert "A x" == await asked

    _run(body)


def test_an_acknowledgement_for_a_connection_that_went_goes_nowhere() -> None:
    """It would be sent to the next connection, or crash the line."""

    async def body(plant: _Plant) -> None:
        old = await plant.dial()
        await old.send(b"REPORT 7\n")
        await settle()
        new = await plant.dial()
        plant.reports[0][1]()
        await new.send(b"BEAT\n")
        assert "BEAT OK" == await read_line(new)

    _run(body)


def test_a_new_connection_in_the_middle_of_an_exchange() -> None:
    """The exchange would wait on a dead connection until its time is up, and so would those behind it."""

    async def body(plant: _Plant) -> None:
        old = await plant.dial()
        lost, next_one = plant.ask("x"), plant.ask("y")
        assert "Q x" == await read_line(old)
        at = plant.loop.time()
        new = await plant.dial()
        with pytest.raises(LineLost, match="dialled in anew"):
            await lost
        assert "Q y" == await read_line(new)
        await new.send(b"A x\nA y\n")
        assert "A y" == await next_one
        assert at == plant.loop.time()

    _run(body)


def test_a_question_to_a_terminal_that_is_not_there_fails_at_once() -> None:
    """Reads would pile up behind a concentrator that is off for a week."""

    async def body(plant: _Plant) -> None:
        at = plant.loop.time()
        for _ in range(3):
            with pytest.raises(LineLost, match="terminal 1 is not connected"):
                await plant.ask("x")
        assert at == plant.loop.time()
        far = await plant.dial()
        asked = plant.ask("x")
        assert "Q x" == await read_line(far)
        await far.send(b"A x\n")
        assert "A x" == await asked

    _run(body)


def test_a_logout_is_answered_and_ends_the_connection() -> None:
    """A terminal that said goodbye would be asked until its connection times out."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        await far.send(b"BYE\n")
        assert "BYE OK" == await read_line(far)
        with pytest.raises(LineLost):
            await far.receive()
        with pytest.raises(LineLost, match="not connected"):
            await plant.ask("x")

    _run(body)


def test_a_second_login_on_one_connection_is_answered() -> None:
    """Some terminals log in again when they think that a heartbeat was lost."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        await login(far, "1", heartbeat_s=5)
        await asyncio.sleep(119)  # the timer looks when it looks, but the new limit holds
        await login(far, "1", heartbeat_s=600)
        await asyncio.sleep(1_000)
        await far.send(b"BEAT\n")
        assert "BEAT OK" == await read_line(far)

    _run(body)


def test_a_late_answer_is_not_the_next_ones() -> None:
    """Yesterday's reading would be kept as today's."""

    async def body(plant: _Plant) -> None:
        far = await plant.dial()
        with pytest.raises(ReplyTimeout):
            await plant.ask("x")
        await far.send(b"A x\nBEAT\n")
        await settle()
        asked = plant.ask("x")
        assert ["Q x", "BEAT OK", "Q x"] == [await read_line(far) for _ in range(3)]
        await asyncio.sleep(1)
        assert not asked.done()
        await far.send(b"A x\n")
        assert "A x" == await asked

    _run(body)


def test_what_came_in_the_pause_before_a_question_is_no_answer() -> None:
    """The late answer to an earlier question would be kept for the one that is just going out."""

    async def program() -> None:
        plant = _Plant()
        timing = replace(TIMING, turnaround_s=1.0)
        line = Line("1", opener=plant.hall.door("1"), timing=timing, rng=simulation.random)
        owner = plant.loop.create_task(line.run())
        far = await plant.dial()
        session = TextExchange("x")
        asked = plant.loop.create_task(line.exchange(session, priority=Priority.CURVE))
        await asyncio.sleep(0.5)
        await far.send(b"A x\nBEAT\n")
        assert ["BEAT OK", "Q x"] == [await read_line(far), await read_line(far)]
        await asyncio.sleep(1)
        assert not asked.done()
        await far.send(b"A x\n")
        await asked
        owner.cancel()
        await asyncio.wait([owner])
        await plant.hall.close()

    simulation = Simulation()
    simulation.run(program())


def test_a_line_that_starts_anew_takes_the_terminal_again() -> None:
    """After a crash of a line its terminal would stay out until somebody restarts the daemon."""

    async def program() -> None:
        plant = _Plant()
        for _ in range(2):
            line = listening_line(plant.hall, "1")
            owner = plant.loop.create_task(line.run())
            far = await plant.dial()
            await far.send(b"BEAT\n")
            assert "BEAT OK" == await read_line(far)
            owner.cancel()
            await asyncio.wait([owner])
            with pytest.raises(LineLost):
                await far.receive()
        await plant.hall.close()

    Simulation().run(program())


def test_the_trace_has_each_frame_once_and_no_secret() -> None:
    """Somebody who looks into a fault would miss the heartbeats, or read a password."""

    async def program() -> None:
        sim_clock = simulation.clock
        plant, ring = _Plant(), TraceRing(sim_clock)
        line = Line("1", opener=plant.hall.door("1"), timing=TIMING, rng=simulation.random, trace=ring)
        owner = plant.loop.create_task(line.run())
        far = await plant.dial()
        await far.send(b"BEAT\nREPORT my secret\n")
        assert "BEAT OK" == await read_line(far)
        session = TextExchange("x")
        asked = plant.loop.create_task(line.exchange(session, priority=Priority.CURVE))
        assert "Q x" == await read_line(far)
        await far.send(b"A x\nA late\n")
        await asked
        owner.cancel()
        await asyncio.wait([owner])
        await plant.hall.close()
        entries = [(entry.direction, entry.octets.replace(b"\0", b"*")) for entry in ring]
        assert [
            ("in", b"LOGIN 1 60\n"),
            ("in", b"BEAT\nREPORT my ******\n"),
            ("out", b"BEAT OK\n"),
            ("out", b"Q x\n"),
            ("in", b"A x\nA late\n"),
        ] == entries

    simulation = Simulation()
    simulation.run(program())
