"""A stop ends the owner of a carrier module whatever happens to the port at that moment."""

from __future__ import annotations

import asyncio

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import LineLost
from tests.support.scripted_module import ONE, Bench, bench_of

TURNS = 40
"""Turns of the loop in which a port that breaks is given up, and then some."""
ENDS_WITHIN_S = 1.0


async def _stopped(bench: Bench, turn: int, *, at_s: float) -> bool:
    """Whether the owner ends when it is told to so many turns of the loop behind a moment."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(bench.owner.run())

    def hop(left: int) -> None:
        if left:
            loop.call_soon(hop, left - 1)
        else:
            task.cancel()

    if at_s:
        loop.call_at(at_s, hop, turn)
    else:
        await bench.owner.until_ready()
        bench.module.cut()
        hop(turn)
    await asyncio.sleep(at_s + ENDS_WITHIN_S)
    has_ended = task.done()
    while not task.done():  # what the defect would leave behind
        task.cancel()
        await asyncio.wait([task], timeout=1)
    return has_ended


@pytest.mark.parametrize("silent", [False, True], ids=["the port breaks", "the module is silent"])
def test_a_stop_in_the_moment_in_which_the_port_is_given_up(silent: bool) -> None:
    """The daemon would be stopped, and go on dialling its carrier module until it is killed."""
    lost = []
    for turn in range(TURNS):
        bench = bench_of()
        bench.module.silent = silent

        async def told(bench: Bench = bench, turn: int = turn) -> bool:
            bench.make_owner()
            return await _stopped(bench, turn, at_s=60.0 if silent else 0.0)

        if not bench.sim.run(told()):
            lost.append(turn)
    assert [] == lost


def test_a_stop_waits_for_no_module_that_is_silent() -> None:
    """Each stop would be cut off after its five seconds, with an order of another line in hand."""
    bench = bench_of()
    bench.module.silent = True

    async def story(bench: Bench) -> None:
        driver = Dlt645Driver(bench.sim.clock)
        async with bench.lane() as lane:
            reading = asyncio.ensure_future(driver.read(lane, ONE, "voltage.a", priority=Priority.CURVE))
            await asyncio.sleep(1)
            assert not reading.done(), "the module is being started"
            lane.stop_opening()
            await asyncio.wait([reading], timeout=ENDS_WITHIN_S)
            assert isinstance(reading.exception(), LineLost)

    bench.run(story)
