"""A line that is listened to, and held: its terminal is heard, and answered between two exchanges."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.hold import Hold
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.errors import HoldEnded, LineClosed, LineLost, ReplyTimeout
from meterlink.transports.hall import Hall
from meterlink.transports.memory import memory_line
from meterlink.transports.memory_server import dial
from meterlink.transports.stream import ByteStream
from metersim.loop import Simulation
from tests.support.dial_in import TextExchange, TextSession, listening_line, login, read_line, settle

_TIMING = Timing(reply_timeout_s=1.0, octet_gap_s=0.5, answer_max_s=2.0)
_SEEDS = range(100)


def _run(body: Callable[[], Awaitable[None]]) -> None:
    async def program() -> None:
        await body()

    Simulation().run(program())


async def _quietly(body: Awaitable[None]) -> None:
    with suppress(HoldEnded, LineLost, ReplyTimeout):
        await body


async def _asked(held: Hold, question: str) -> str:
    session = TextExchange(question)
    await held.exchange(session, priority=Priority.CONTROL)
    return session.answer


def test_a_terminal_is_heard_while_its_line_is_held() -> None:
    """A terminal whose heartbeat nobody answers drops the connection, the order's answer with it."""

    async def body() -> None:
        reports: list[tuple[str, Callable[[], None]]] = []
        hall = Hall(lambda: TextSession(("1",), lambda *report: reports.append(report)))
        line = listening_line(hall, "1")
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            far = dial(hall)
            await login(far, "1")
            await settle()
            async with line.hold(priority=Priority.CONTROL) as held:
                await far.send(b"BEAT\nREPORT r\n")
                assert "BEAT OK" == await read_line(far)
                answered = group.create_task(_asked(held, "x"))
                assert "Q x" == await read_line(far)
                reports[0][1]()
                assert "ACK r" == await read_line(far)
                await far.send(b"BEAT\nA x\n")
                assert "A x" == await answered
                assert "BEAT OK" == await read_line(far)
            owner.cancel()
            await asyncio.wait([owner])
        await hall.close()

    _run(body)


class _Terminal:
    """A terminal that answers most questions, beats and reports when it likes, and dials again.

    Args:
        hall: where it dials in.
        rng: chance.

    """

    def __init__(self, hall: Hall[TextSession], rng: random.Random) -> None:
        self._hall = hall
        self._rng = rng
        self.asked: list[str] = []
        self.owed = 0
        self.is_quick = False

    async def run(self, lives: int) -> None:
        """So many connections one after the other, and then one that stays."""
        for life in range(lives + 1):
            far = dial(self._hall)
            await login(far, "1")
            self.owed = 0
            listening = asyncio.ensure_future(self._listen(far))
            await self._speak(far)
            if life < lives:
                await far.aclose()
            await listening

    async def _speak(self, far: ByteStream) -> None:
        for _ in range(8):
            await asyncio.sleep(self._rng.choice([0, 0.1, 0.4]))
            self.owed += 1
            await far.send(self._rng.choice([b"BEAT\n", b"REPORT r\n"]))

    async def _listen(self, far: ByteStream) -> None:
        with suppress(LineLost, LineClosed):
            while True:
                line = await read_line(far)
                if not line.startswith("Q "):
                    self.owed -= 1
                    continue
                self.asked.append(line[2:])
                await asyncio.sleep(0 if self.is_quick else self._rng.choice([0, 0.1, 6]))
                await far.send(f"A {line[2:]}\n".encode())


async def _dial_in_storm(seed: int) -> tuple[list[str], int]:
    """Whose turns there were on the line, and what the terminal was not answered at the end."""
    rng = random.Random(seed)
    hall = Hall(lambda: TextSession(("1",), lambda _, kept: kept()))
    line, terminal = listening_line(hall, "1"), _Terminal(hall, rng)

    async def hold(name: str) -> None:
        await asyncio.sleep(rng.uniform(0, 3))
        async with line.hold(priority=Priority.CONTROL, longest_s=rng.uniform(0.2, 8)) as held:
            for _ in range(3):
                await asyncio.sleep(rng.choice([0, 0.2]))
                await _asked(held, name)

    async def read(name: str) -> None:
        await asyncio.sleep(rng.uniform(0, 3))
        await line.exchange(TextExchange(name), priority=Priority.CURVE)

    async with asyncio.TaskGroup() as group:
        owner, far = group.create_task(line.run()), group.create_task(terminal.run(rng.randrange(3)))
        callers = [group.create_task(_quietly(hold(f"h{n}"))) for n in range(4)]
        callers += [group.create_task(_quietly(read(f"r{n}"))) for n in range(4)]
        for _ in range(rng.randrange(8)):
            await asyncio.sleep(rng.uniform(0, 0.8))
            rng.choice(callers).cancel()
        await asyncio.wait(callers)
        await asyncio.sleep(30)
        terminal._rng = random.Random(0)
        await line.exchange(TextExchange("last"), priority=Priority.CURVE)
        for task in (owner, far):
            task.cancel()
        await asyncio.wait([owner, far])
    await hall.close()
    runs = [name for name, _ in itertools.groupby(terminal.asked) if name.startswith("h")]
    return runs, terminal.owed


def test_a_terminal_is_heard_whoever_holds_its_line() -> None:
    """An owner that waits for a holder would miss the terminal, or one that hears it the holder."""
    for seed in _SEEDS:
        try:
            runs, owed = Simulation(seed=seed).run(_dial_in_storm(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        assert len(set(runs)) == len(runs), f"seed {seed}: somebody came between: {runs}"
        assert 0 == owed, f"seed {seed}: what the last connection said was not answered"


def test_a_hold_of_a_line_whose_terminal_is_away() -> None:
    """An order for a terminal that is gone would wait, and go out hours later when it dials in."""

    async def body() -> None:
        hall = Hall(lambda: TextSession(("1",)))
        line = listening_line(hall, "1")
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            async with line.hold(priority=Priority.CONTROL) as held:
                with pytest.raises(LineLost):
                    await _asked(held, "x")
                far = dial(hall)
                await login(far, "1")
                await settle()
                answered = group.create_task(_asked(held, "y"))
                assert "Q y" == await read_line(far)
                await far.send(b"A y\n")
                assert "A y" == await answered
            owner.cancel()
            await asyncio.wait([owner])
        await hall.close()

    _run(body)


def test_acknowledgements_on_our_line_go_between_the_exchanges_of_a_hold() -> None:
    """Sent within one they would collide with the order's answer; never sent, the meter reports again."""

    async def body() -> None:
        reports: list[tuple[str, Callable[[], None]]] = []
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        line = Line(
            "line1",
            opener=opener,
            timing=_TIMING,
            rng=random.Random(1),
            ear=lambda: TextSession((), lambda *report: reports.append(report)),
        )
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            async with line.hold(priority=Priority.CONTROL) as held:
                answered = group.create_task(_asked(held, "x"))
                assert "Q x" == await read_line(far)
                await far.send(b"REPORT r\n")
                await settle()
                reports[0][1]()
                await far.send(b"A x\n")
                assert "A x" == await answered
                answered = group.create_task(_asked(held, "y"))
                assert "ACK r" == await read_line(far)
                assert "Q y" == await read_line(far)
                await far.send(b"A y\n")
                assert "A y" == await answered
            owner.cancel()
            await asyncio.wait([owner])
            await far.aclose()

    _run(body)
