"""A stop opens no line: thousands that are down would be dialled on until the stop is cut off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import LineLost
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Line as SimulatedLine
from metersim import Meter, Simulation, Station
from tests.support.simulated import Duplex

_ADDRESS = "000000000161"


class _Adapter:
    """A line that can be opened or not; counts how often somebody tries."""

    def __init__(self, group: asyncio.TaskGroup, simulated: SimulatedLine) -> None:
        self._group = group
        self._simulated = simulated
        self.tries = 0
        self.is_there = True
        self.opening_s = 0.0

    async def open(self) -> ByteStream:
        self.tries += 1
        await asyncio.sleep(self.opening_s)
        if not self.is_there:
            raise LineLost("adapter: pulled out")
        near, far = memory_line()
        self._serving = self._group.create_task(self._simulated.serve(Duplex(far)))
        self._far = far
        return near

    async def pull_out(self) -> None:
        self.is_there = False
        await self._far.aclose()


def _with_line(then: Callable[[_Adapter, Line, Callable[[], Awaitable[object]]], Awaitable[None]]) -> None:
    sim = Simulation(seed=1)
    simulated = SimulatedLine([Station(meter=Meter(_ADDRESS, seed=1))], clock=sim.clock)

    async def program() -> None:
        async with asyncio.TaskGroup() as group:
            adapter = _Adapter(group, simulated)
            line = Line("north", opener=adapter.open, timing=Timing(), rng=random.Random(1))
            owner = group.create_task(line.run())
            driver = Dlt645Driver(sim.clock)
            await then(
                adapter,
                line,
                lambda: driver.read(line, _ADDRESS, "voltage.a", priority=Priority.CURVE),
            )
            owner.cancel()

    sim.run(program())


def test_an_open_line_finishes_and_one_that_is_down_stays_down() -> None:
    """What is in hand would be lost at a stop, or the stop last as long as there are lines to open."""

    async def then(adapter: _Adapter, line: Line, read: Callable[[], Awaitable[object]]) -> None:
        assert await read()
        line.stop_opening()
        assert await read(), "the line is open"
        await adapter.pull_out()
        for _ in range(3):
            with pytest.raises(LineLost):
                await read()
            await asyncio.sleep(timedelta(minutes=1).total_seconds())
        assert 1 == adapter.tries

    _with_line(then)


def test_what_was_wrong_last_is_the_reason_of_a_line_that_is_opened_no_more() -> None:
    """The ledger would say of a slot that the daemon stopped, and the adapter had been out for days."""

    async def then(adapter: _Adapter, line: Line, read: Callable[[], Awaitable[object]]) -> None:
        adapter.is_there = False
        with pytest.raises(LineLost, match="pulled out"):
            await read()
        line.stop_opening()
        await asyncio.sleep(timedelta(minutes=1).total_seconds())
        with pytest.raises(LineLost, match="pulled out"):
            await read()
        assert 1 == adapter.tries

    _with_line(then)


def test_a_line_that_nobody_has_opened_says_that_the_daemon_stops() -> None:
    """A line that is well would be told to have broken."""

    async def then(adapter: _Adapter, line: Line, read: Callable[[], Awaitable[object]]) -> None:
        line.stop_opening()
        with pytest.raises(LineLost, match="north: the daemon stops"):
            await read()
        assert 0 == adapter.tries

    _with_line(then)


def test_a_try_to_open_that_takes_long_ends_with_the_stop() -> None:
    """A carrier module that is silent, or a far end that drops all, would hold up each stop until its cut."""

    async def then(adapter: _Adapter, line: Line, read: Callable[[], Awaitable[object]]) -> None:
        adapter.opening_s = timedelta(minutes=1).total_seconds()
        loop = asyncio.get_running_loop()
        reading = asyncio.ensure_future(read())
        await asyncio.sleep(1)
        begun_s = loop.time()
        line.stop_opening()
        with pytest.raises(LineLost, match="north: the daemon stops"):
            await reading
        assert begun_s == loop.time()
        assert 1 == adapter.tries
        with pytest.raises(LineLost, match="north: the daemon stops"):
            await read()
        assert 1 == adapter.tries

    _with_line(then)
