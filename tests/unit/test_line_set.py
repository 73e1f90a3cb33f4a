"""All lines of a daemon at once: how long they may take to end."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.bus.work import LineWork
from meterlink.daemon.line_set import LineSet
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.terminal_archive import Archivist
from meterlink.drivers.terminal_clock import TerminalClock
from meterlink.errors import LineClosed
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Simulation

_LINES: Final = 500
_CLOSE_S: Final = 2.0
_TIMEOUT_S: Final = 5.0


class _Stuck:
    """A stream whose device takes its time to be closed."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.send = stream.send
        self.receive = stream.receive
        self.receive_nowait = stream.receive_nowait

    async def aclose(self) -> None:
        await asyncio.sleep(_CLOSE_S)
        await self._stream.aclose()


class _Part:
    """A line with one meter that is silent, and is asked again and again whatever it is told."""

    archivist: Archivist | None = None
    terminal_clock: TerminalClock | None = None
    is_at_work = True

    def __init__(self, number: int, simulation: Simulation) -> None:
        self.name = f"line{number}"
        self.work = LineWork()
        self._clock = simulation.clock
        self._far: list[ByteStream] = []

    def stop(self) -> None:
        """It has a question in hand for longer than anybody waits."""

    def stop_opening(self) -> None:
        """It is open."""

    def look_at_clock(self) -> None:
        """It looks at none."""

    async def run(self) -> None:
        line = Line(
            self.name,
            opener=self._open,
            timing=Timing(reply_timeout_s=60.0),
            rng=random.Random(1),
            told=False,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(line.run())
            group.create_task(self._ask(line))

    async def _ask(self, line: Line) -> None:
        try:
            await Dlt645Driver(self._clock).read(line, "000000000001", "frequency", priority=Priority.CURVE)
        except LineClosed:
            return

    async def _open(self) -> ByteStream:
        near, far = memory_line()
        self._far.append(far)
        return _Stuck(near)


def test_lines_that_do_not_end_are_cut_off_all_at_once() -> None:
    """With thousands of lines the service manager would kill the daemon before its journal is closed."""
    simulation = Simulation()
    took_s: list[float] = []

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            lines = LineSet(group)
            lines.start(_Part(number, simulation) for number in range(_LINES))
            await asyncio.sleep(10)
            begun_s = asyncio.get_running_loop().time()
            await lines.stop(_TIMEOUT_S)
            took_s.append(asyncio.get_running_loop().time() - begun_s)

    simulation.run(story())
    assert took_s[0] <= _TIMEOUT_S + _CLOSE_S + 0.1
    assert took_s[0] >= _TIMEOUT_S, "they were given their time"
