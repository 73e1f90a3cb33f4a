"""A poller of values of the moment whose line has no room for another question."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from meterlink.acquisition.instants import InstantPoller
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.plans import Plan, Point
from meterlink.errors import BusFull
from meterlink.journal.journal import Journal
from meterlink.model.slot import Reason, Standing, State
from meterlink.model.zone import CHINA_TIME
from metersim import Simulation
from tests.support.records import EPOCH

_PLAN = Plan(name="i", every_s=60, items=("voltage.a",))


class _Full:
    """A driver on a line whose queue is full."""

    def __init__(self) -> None:
        self.asked = 0

    def group(self, address: str, items: Sequence[str]) -> Sequence[str]:
        return items

    async def read(self, line: Any, address: str, item: str, *, priority: Any) -> Any:
        self.asked += 1
        raise BusFull("256 requests wait")


async def _nobody(*_: Any) -> None:
    """Nobody is told."""


def test_a_line_whose_queue_is_full_is_too_slow_and_no_try(tmp_path: Path) -> None:
    """A queue that others have filled would count against the meter, as if its data were no good."""
    sim, driver = Simulation(start=EPOCH), _Full()

    async def program() -> list[Standing]:
        async with Journal.open(tmp_path / "j.db", clock=sim.clock) as journal:
            poller = InstantPoller(
                plan=_PLAN,
                points=[Point(meter="m1", address="1")],
                line=SimpleNamespace(name="line1"),
                driver=driver,
                keeper=journal,
                looks=Looks(
                    {},
                    shown={},
                    tell_mixed=_nobody,
                    tell_settles_else=_nobody,
                    clock=sim.clock,
                    zone=CHINA_TIME,
                ),
                ledger=journal.ledger,
                clock=sim.clock,
            )
            slot = _PLAN.slot_at(sim.clock.utc_now())
            await poller._round(slot)
            return await journal.ledger.standings("m1", slot)

    [standing] = sim.run(program())
    assert (State.EXPIRED, Reason.LINE_SLOW, 0) == (standing.state, standing.reason, standing.tries)
    assert EPOCH + timedelta(seconds=60) == sim.clock.utc_now(), "it was tried until the slot ended"
    assert 4 == driver.asked, "after 0, 5, 15 and 35 s"
