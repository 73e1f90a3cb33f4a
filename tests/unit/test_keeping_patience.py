"""Who waits for a journal that cannot keep anything, and how often he asks."""

from __future__ import annotations

import asyncio

from meterlink.acquisition.keeping import JOURNAL_PAUSE_MAX_S, Patience
from meterlink.errors import DiskFull
from metersim import Simulation
from tests.support.records import EPOCH


def test_who_waits_for_room_asks_ever_more_seldom_and_goes_on_soon() -> None:
    """On a disk that is full for hours each plan of each line would write in vain once a second."""
    sim = Simulation(start=EPOCH)
    tries: list[float] = []
    full_s = 4 * 3_600.0

    async def work() -> str:
        tries.append(sim.clock.monotonic_s())
        if tries[-1] - tries[0] < full_s:
            raise DiskFull("no room")
        return "kept"

    async def program() -> str:
        return await Patience("line1").until_done(work)

    assert "kept" == sim.run(program())
    assert len(tries) <= 10 + full_s / JOURNAL_PAUSE_MAX_S
    assert tries[-1] - tries[0] - full_s <= JOURNAL_PAUSE_MAX_S
    assert tries[1] - tries[0] <= 1.0, "what passes in a moment costs a moment"


def test_each_wait_begins_anew() -> None:
    """After one long wait every short one would last as long."""
    sim = Simulation(start=EPOCH)
    failures = iter([True] * 8 + [False, True, False])

    async def work() -> None:
        await asyncio.sleep(0)
        if next(failures):
            raise DiskFull("no room")

    async def program() -> float:
        patience = Patience("line1")
        await patience.until_done(work)
        began = sim.clock.monotonic_s()
        await patience.until_done(work)
        return sim.clock.monotonic_s() - began

    assert sim.run(program()) <= 1.0
