"""The looks at those who wait for current go by line: one that is busy holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.errors import LineClosed
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.paid.looking_in import EVERY_S, LookingIn
from metersim.loop import Simulation

LINES = {"m1": "slow", "m2": "slow", "m3": "quick"}


class Plant:
    """Three who wait, on two lines; the first meter of one has its line for as long as it likes."""

    def __init__(self, clock: Clock) -> None:
        self.asked: list[str] = []
        self.freed = asyncio.Event()
        self.stopped: list[str] = []
        timeline = Timeline(clock)
        since = timeline.stamp()
        self.waiting = {name: SimpleNamespace(meter=name, cause="c", since=since) for name in LINES}
        book = SimpleNamespace(timeline=timeline, open_of=lambda _name: ())
        roster = SimpleNamespace(meter=lambda name: SimpleNamespace(line=LINES[name]))
        self.looking = LookingIn(
            cast("Any", book), cast("Any", roster), self.waits, cast("Any", None), cast("Any", self.at_meter)
        )

    def waits(self) -> Collection[Any]:
        """Who waits."""
        return tuple(self.waiting.values())

    @asynccontextmanager
    async def at_meter(self, meter: str, _priority: Priority) -> AsyncIterator[Any]:
        """A line that is down for whoever gets it."""
        self.asked.append(meter)
        if meter == "m1":
            try:
                await self.freed.wait()
            except asyncio.CancelledError:
                self.stopped.append(meter)
                raise
            raise RuntimeError("a bug")
        raise LineClosed("not up")
        yield


def _run(script: Any) -> Plant:
    sim = Simulation()
    plants: list[Plant] = []

    async def whole() -> None:
        plants.append(Plant(sim.clock))
        running = asyncio.create_task(plants[0].looking.run())
        await script(plants[0])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert [] == [task for task in asyncio.all_tasks() if "looking_in" in task.get_name()]

    sim.run(whole())
    return plants[0]


def test_a_line_that_hangs_holds_up_no_other() -> None:
    """A household on a good line would stay on the list of the dark because another line is busy."""

    async def script(plant: Plant) -> None:
        await asyncio.sleep(2.5 * EVERY_S)
        assert ["m1"] == [name for name in plant.asked if LINES[name] == "slow"], "one task a line"
        assert 3 == plant.asked.count("m3")

    assert ["m1"] == _run(script).stopped, "cancelled at the stop"


def test_a_bug_at_one_meter_costs_its_neighbour_nothing() -> None:
    """Whoever stands behind it on the line would never be looked at, or the daemon end."""

    async def script(plant: Plant) -> None:
        await asyncio.sleep(1)
        plant.freed.set()
        await asyncio.sleep(1.5 * EVERY_S)
        assert ["m1", "m2", "m2"] == [name for name in plant.asked if LINES[name] == "slow"]

    _run(script)


def test_a_wait_that_ended_meanwhile_is_not_looked_at() -> None:
    """A look would end a wait that is over, and call back who was sent there for another reason."""

    async def script(plant: Plant) -> None:
        await asyncio.sleep(1)
        del plant.waiting["m2"]
        plant.freed.set()
        await asyncio.sleep(1.5 * EVERY_S)
        assert "m2" not in plant.asked

    _run(script)
