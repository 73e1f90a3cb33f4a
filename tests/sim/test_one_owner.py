"""One owner a line: never two requests open at once, whatever is asked how."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from meterlink.bus.dialling import REOPEN_FIRST_S, REOPEN_MAX_S
from meterlink.bus.exchange import EXCHANGE_MAX_S, Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import BusFull, LineClosed, LineLost, MeterlinkError, ReplyTimeout
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim.loop import Simulation
from meterwire.dlt645 import Frame, encode
from tests.support.exchanges import Act, Asked, Peer

_TIMING = Timing(reply_timeout_s=1.0, octet_gap_s=0.5, answer_max_s=2.0)

_ACTS = st.builds(
    Act,
    delay_s=st.sampled_from([0.0, 0.02, 0.5, 0.99, 1.01, 1.7, 4.0]),
    pieces=st.integers(1, 6),
    piece_gap_s=st.sampled_from([0.0, 0.1, 0.49, 0.6]),
    answers=st.booleans(),
    rubbish=st.binary(max_size=30),
)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Somebody who asks: when, how urgently, and when he gives up."""

    at_s: float
    priority: Priority
    gives_up_after_s: float | None


_CALLERS = st.builds(
    _Caller,
    at_s=st.floats(0, 10),
    priority=st.sampled_from(list(Priority)),
    gives_up_after_s=st.none() | st.floats(0, 3),
)


@settings(max_examples=150)
@given(acts=st.lists(_ACTS, min_size=1, max_size=12), callers=st.lists(_CALLERS, min_size=1, max_size=12))
def test_never_two_requests_open_on_one_line(acts: list[Act], callers: list[_Caller]) -> None:
    """Two requests on a half-duplex line collide, and answers are credited to the wrong meter."""

    async def program() -> list[Asked]:
        simulation = Simulation()
        near, far = memory_line()
        peer = Peer(far, act=lambda n: acts[n % len(acts)])
        line = _line(near)
        driver = Dlt645Driver(simulation.clock)
        async with asyncio.TaskGroup() as group:
            served = group.create_task(peer.run())
            owner = group.create_task(line.run())
            async with asyncio.TaskGroup() as asking:
                for number, caller in enumerate(callers):
                    asking.create_task(_call(caller, number, line, driver))
            owner.cancel()
            await asyncio.wait([owner])
            await far.aclose()
            await asyncio.wait([served])
        return peer.asked

    asked = Simulation().run(program())
    for earlier, later in itertools.pairwise(asked):
        timed_out_at = earlier.at + _TIMING.reply_timeout_s
        answered_at = timed_out_at if earlier.answered_at is None else earlier.answered_at
        closed_at = min(timed_out_at, answered_at)
        assert later.at >= closed_at, f"{later} began while {earlier} was open"


async def _call(caller: _Caller, number: int, line: Line, driver: Dlt645Driver) -> None:
    await asyncio.sleep(caller.at_s)
    try:
        async with asyncio.timeout(caller.gives_up_after_s):
            answer = await driver.read(
                line, f"{number:012d}", "forward_active_energy", priority=caller.priority
            )
    except (ReplyTimeout, TimeoutError):
        return
    assert 1 == len(answer.values)


def _line(stream: ByteStream, tickets_max: int = 1000) -> Line:
    async def opener() -> ByteStream:
        return stream

    return Line("line1", opener=opener, timing=_TIMING, rng=random.Random(1), tickets_max=tickets_max)


async def _with_line(peer_act: Act, questions: int) -> list[Decimal | str | None]:
    """Ask so many questions at once; the value or the name of the failure for each."""
    near, far = memory_line()
    peer, line = Peer(far, act=lambda _: peer_act), _line(near)
    driver = Dlt645Driver(Simulation().clock)

    async def ask(number: int) -> Decimal | str | None:
        try:
            answer = await driver.read(
                line, f"{number:012d}", "forward_active_energy", priority=Priority.CURVE
            )
        except MeterlinkError as error:
            return type(error).__name__
        return answer.values[0].value

    async with asyncio.TaskGroup() as group:
        group.create_task(peer.run())
        owner = group.create_task(line.run())
        results = await asyncio.gather(*(ask(number) for number in range(questions)))
        owner.cancel()
        await far.aclose()
    return results


def test_answers_go_to_those_who_asked() -> None:
    """Readings would be mixed up between meters."""
    values = Simulation().run(_with_line(Act(delay_s=0.02), 5))
    assert [Decimal(n).scaleb(-2) for n in range(5)] == values


def test_an_answer_ends_with_its_last_octet() -> None:
    """Waiting out a timer after each good answer would double the time of a round."""
    simulation = Simulation()
    begun = simulation.clock.monotonic_s()
    simulation.run(_with_line(Act(delay_s=0.02), 5))
    assert 0.1 == pytest.approx(simulation.clock.monotonic_s() - begun)


def test_a_slow_answer_is_waited_for_while_it_flows() -> None:
    """A meter that pauses inside its answer would never be read."""
    slow = Act(delay_s=0.9, pieces=4, piece_gap_s=0.45)
    assert [Decimal("0.00")] == Simulation().run(_with_line(slow, 1))
    too_slow = Act(delay_s=0.9, pieces=2, piece_gap_s=0.55)
    assert ["ReplyTimeout"] == Simulation().run(_with_line(too_slow, 1))


def test_a_babbling_node_is_bounded() -> None:
    """F10: rubbish without end would hold the line for ever."""

    async def program() -> float:
        near, far = memory_line()
        line = _line(near)

        async def babble() -> None:
            while True:
                await far.send(b"\x68" * 20)
                await asyncio.sleep(0.1)

        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            babbler, owner = group.create_task(babble()), group.create_task(line.run())
            begun = loop.time()
            with pytest.raises(ReplyTimeout):
                await Dlt645Driver(Simulation().clock).read(
                    line, "1".zfill(12), "voltage.a", priority=Priority.CURVE
                )
            took = loop.time() - begun
            owner.cancel()
            babbler.cancel()
        return took

    longest = _TIMING.reply_timeout_s + _TIMING.whole_answer_s
    assert Simulation().run(program()) <= longest + 0.11


class _Endless:
    """A peer that always has one more question for us."""

    finished = False

    def octets_to_send(self) -> bytes:
        return b"?"

    def feed(self, octets: bytes) -> None:
        """Nothing ends it."""

    def expire(self) -> None:
        self.finished = True

    def secret_ranges(self, _octets: bytes) -> tuple[tuple[int, int], ...]:
        return ()


def test_an_exchange_has_an_end() -> None:
    """A peer that never comes to an end would keep all other meters of the line waiting for ever."""

    async def program() -> tuple[float, bool]:
        near, far = memory_line()
        line, session = _line(near), _Endless()

        async def answer() -> None:
            while True:
                await far.receive()
                await asyncio.sleep(0.5)
                await far.send(b"!")

        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            peer, owner = group.create_task(answer()), group.create_task(line.run())
            begun = loop.time()
            with pytest.raises(ReplyTimeout, match="no end"):
                await line.exchange(session, priority=Priority.CURVE)
            took = loop.time() - begun
            owner.cancel()
            peer.cancel()
        return took, session.finished

    took, finished = Simulation().run(program())
    assert (True, True) == (EXCHANGE_MAX_S <= took <= EXCHANGE_MAX_S + 2.0, finished)


def test_a_long_frame_on_a_slow_line_is_waited_for() -> None:
    """A 698.45 meter sends frames of 2,048 octets: at 1,200 baud they take 19 s, a 645 answer not 4."""
    character_s = 11 / 1200
    short = Timing(character_s=character_s)
    long = Timing(character_s=character_s, answer_octets_max=2_100)
    assert short.whole_answer_s < 4 < 2_048 * character_s < long.whole_answer_s


def test_a_full_queue_says_so_at_once() -> None:
    """The caller must keep the thing due, not wait in a hidden queue."""

    async def program() -> None:
        near, _ = memory_line()
        line = _line(near, tickets_max=2)
        driver = Dlt645Driver(Simulation().clock)
        async with asyncio.TaskGroup() as group:
            waiting = [
                group.create_task(driver.read(line, "1".zfill(12), "voltage.a", priority=Priority.BACKFILL))
                for _ in range(2)
            ]
            await asyncio.sleep(0)
            with pytest.raises(BusFull):
                await driver.read(line, "1".zfill(12), "voltage.a", priority=Priority.CONTROL)
            for task in waiting:
                task.cancel()

    Simulation().run(program())


def test_a_line_that_vanishes_comes_back() -> None:
    """An adapter pulled out and put back would need a restart of the daemon."""

    async def program() -> list[str]:
        ends: list[ByteStream] = []
        plugged = True
        outcome: list[str] = []

        async def opener() -> ByteStream:
            if not plugged:
                raise LineLost("no such device")
            near, far = memory_line()
            ends.append(far)
            group.create_task(Peer(far).run())
            return near

        line = Line("line1", opener=opener, timing=_TIMING, rng=random.Random(1))
        driver = Dlt645Driver(Simulation().clock)

        async def ask() -> None:
            try:
                await driver.read(line, "1".zfill(12), "forward_active_energy", priority=Priority.CURVE)
            except LineLost:
                outcome.append("lost")
            else:
                outcome.append("read")

        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            await ask()
            plugged = False
            await ends[0].aclose()
            await ask()  # finds the stream broken
            await ask()  # finds no device
            plugged = True
            await ask()  # at once: the next try is not due yet
            await asyncio.sleep(REOPEN_MAX_S)
            await ask()
            owner.cancel()
            await asyncio.wait([owner])
            await ends[-1].aclose()
        with pytest.raises(LineClosed):
            await driver.read(line, "1".zfill(12), "forward_active_energy", priority=Priority.CURVE)
        return outcome

    assert ["read", "lost", "lost", "lost", "read"] == Simulation().run(program())


def test_a_line_that_is_ended_as_soon_as_it_is_taken_gets_pauses() -> None:
    """A serial server whose one place is taken would be dialled as often as there are meters to ask."""

    async def program() -> tuple[list[float], list[str]]:
        loop, opened = asyncio.get_running_loop(), list[float]()
        is_taken = True

        async def opener() -> ByteStream:
            opened.append(loop.time())
            near, far = memory_line()
            if is_taken:
                await far.aclose()
            else:
                group.create_task(Peer(far).run())
            return near

        line = Line("line1", opener=opener, timing=_TIMING, rng=random.Random(1))
        driver = Dlt645Driver(Simulation().clock)

        async def ask() -> None:
            with contextlib.suppress(LineLost):
                await driver.read(line, "1".zfill(12), "forward_active_energy", priority=Priority.CURVE)

        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            with capture_logs() as logs:
                for _ in range(600):
                    await ask()
                    await asyncio.sleep(0.1)
            is_taken = False
            await asyncio.sleep(REOPEN_MAX_S)
            await ask()
            owner.cancel()
            await asyncio.wait([owner])
        return opened, [entry["event"] for entry in logs]

    opened, told = Simulation().run(program())
    assert 7 <= len(opened) <= 12, "in a minute"
    assert all(REOPEN_FIRST_S / 2 <= later - sooner for sooner, later in itertools.pairwise(opened))
    assert ["line_up", "line_closed"] == told


def test_what_came_before_the_question_is_no_answer() -> None:
    """The late answer to an earlier question would be taken for the answer to the same one asked again."""

    async def program() -> Decimal | None:
        near, far = memory_line()
        line, driver, peer = _line(near), Dlt645Driver(Simulation().clock), Peer(far)
        stale = Frame(
            address="1".zfill(12), function=0x11, data=bytes.fromhex("0000010099999900"), from_meter=True
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(peer.run())
            owner = group.create_task(line.run())
            await driver.read(line, "2".zfill(12), "forward_active_energy", priority=Priority.CURVE)
            await far.send(encode(stale))
            answer = await driver.read(line, "1".zfill(12), "forward_active_energy", priority=Priority.CURVE)
            owner.cancel()
            await far.aclose()
        return answer.values[0].value

    assert Decimal("0.01") == Simulation().run(program())
