"""A poller of values of the moment whose line carries no question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meterlink.acquisition.instants import InstantPoller
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.plans import Plan, Point
from meterlink.acquisition.poller import WORKERS
from meterlink.errors import BadAnswer, BusFull, LineLost, MeterlinkError
from meterlink.journal.journal import Journal
from meterlink.model.slot import Reason, Standing, State
from meterlink.model.zone import CHINA_TIME
from metersim import Simulation
from tests.support.records import EPOCH

_PLAN = Plan(name="i", every_s=60, items=("voltage.a",))


class _Driver:
    """A driver on a line that carries nothing.

    Args:
        error: that each question ends with.

    """

    def __init__(self, error: MeterlinkError) -> None:
        self.asked = 0
        self._error = error

    def group(self, address: str, items: Sequence[str]) -> Sequence[str]:
        return items

    async def read(self, line: Any, address: str, item: str, *, priority: Any) -> Any:
        self.asked += 1
        raise self._error


class _Late(_Driver):
    """A driver whose meters answer only when the slot is nearly over."""

    async def read(self, line: Any, address: str, item: str, *, priority: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(10.0)
        raise self._error


async def _nobody(*_: Any) -> None:
    """Nobody is told."""


def _slot_of(
    folder: Path, driver: _Driver, *, meters: int = 1, is_first: bool = False, begun_s: float = 0.0
) -> list[Standing]:
    """Where the slot of each meter stands when it has ended; the first one after a start, or another."""
    sim = Simulation(start=EPOCH + timedelta(seconds=begun_s))

    async def program() -> list[Standing]:
        async with Journal.open(folder / "j.db", clock=sim.clock) as journal:
            poller = InstantPoller(
                plan=_PLAN,
                points=[Point(meter=f"m{number}", address=f"{number}") for number in range(meters)],
                line=SimpleNamespace(name="line1"),
                driver=driver,
                keeper=journal,
                looks=Looks(
                    {},
                    shown={},
                    tell_mixed=_nobody,
                    tell_settles_else=_nobody,
                    book=None,  # type: ignore[arg-type]
                    clock=sim.clock,
                    zone=CHINA_TIME,
                ),
                ledger=journal.ledger,
                clock=sim.clock,
            )
            slot = _PLAN.slot_at(sim.clock.utc_now())
            if not is_first:
                poller._memory.last_slot = slot - timedelta(seconds=_PLAN.every_s)
            poller._memory.looked = poller._look()
            await poller._round(slot)
            return [one for n in range(meters) for one in await journal.ledger.standings(f"m{n}", slot)]

    found = sim.run(program())
    assert EPOCH + timedelta(seconds=60) == sim.clock.utc_now(), "it was tried until the slot ended"
    return found


def test_a_line_whose_queue_is_full_is_too_slow_and_no_try(tmp_path: Path) -> None:
    """A queue that others have filled would count against the meter, as if its data were no good."""
    driver = _Driver(BusFull("256 requests wait"))
    [standing] = _slot_of(tmp_path, driver)
    assert (State.EXPIRED, Reason.LINE_SLOW, 0) == (standing.state, standing.reason, standing.tries)
    assert 4 == driver.asked, "after 0, 5, 15 and 35 s"


def test_a_line_that_is_lost_is_not_tried_for_each_of_its_meters(tmp_path: Path) -> None:
    """Each meter behind a server that is away would wait for it in turn, longer than the slot lasts."""
    driver = _Driver(LineLost("gone"))
    found = _slot_of(tmp_path, driver, meters=3 * WORKERS)
    assert [(State.EXPIRED, Reason.LINE_DOWN, 0)] * 3 * WORKERS == [
        (one.state, one.reason, one.tries) for one in found
    ]
    assert 4 * WORKERS >= driver.asked, "after 0, 5, 15 and 35 s, by whoever was at it"


@pytest.mark.parametrize(
    ("is_first", "reason"), [(True, Reason.NOT_RUNNING), (False, Reason.LINE_SLOW)], ids=["start", "later"]
)
def test_whom_a_start_late_in_a_slot_does_not_come_to(tmp_path: Path, is_first: bool, reason: Reason) -> None:
    """People would look for what slows a line down, where the gateway was away for most of the slot."""
    driver = _Late(BadAnswer("of another item"))
    found = _slot_of(tmp_path, driver, meters=WORKERS + 1, is_first=is_first, begun_s=50.0)
    assert {reason, Reason.BAD_DATA} == {one.reason for one in found}
    assert [reason] == [one.reason for one in found if one.reason is not Reason.BAD_DATA]
    assert WORKERS == driver.asked
