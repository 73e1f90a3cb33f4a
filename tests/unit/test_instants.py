"""A poller of values of the moment whose line carries no question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meterlink.acquisition.instants import InstantPoller
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.plans import Plan, Point
from meterlink.acquisition.poller import LATE_ANSWER_S, WORKERS
from meterlink.clock import Clock
from meterlink.errors import BadAnswer, BusFull, LineLost, MeterlinkError, ReplyTimeout
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


class _Silent(_Driver):
    """A driver whose meters do not answer; it knows when each was asked."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        super().__init__(ReplyTimeout("silence"))
        self.asked_at: dict[str, list[float]] = {}
        self._now_s = now_s

    async def read(self, line: Any, address: str, item: str, *, priority: Any) -> Any:
        self.asked_at.setdefault(address, []).append(self._now_s())
        await super().read(line, address, item, priority=priority)


def _poller(journal: Journal, clock: Clock, driver: _Driver, *, meters: int = 1) -> InstantPoller:
    return InstantPoller(
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
            clock=clock,
            zone=CHINA_TIME,
        ),
        ledger=journal.ledger,
        clock=clock,
    )


def _slot_of(
    folder: Path, driver: _Driver, *, meters: int = 1, is_first: bool = False, begun_s: float = 0.0
) -> list[Standing]:
    """Where the slot of each meter stands when it has ended; the first one after a start, or another."""
    sim = Simulation(start=EPOCH + timedelta(seconds=begun_s))

    async def program() -> list[Standing]:
        async with Journal.open(folder / "j.db", clock=sim.clock) as journal:
            poller = _poller(journal, sim.clock, driver, meters=meters)
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


@pytest.mark.parametrize("begun_s", [57.5, 59.5])
def test_a_late_answer_has_time_to_pass_before_the_next_slot_asks(tmp_path: Path, begun_s: float) -> None:
    """What a meter said of one slot would be kept as the next one's: DL/T 645 numbers no question."""
    sim = Simulation(start=EPOCH + timedelta(seconds=begun_s))
    driver = _Silent(sim.clock.monotonic_s)

    async def program() -> None:
        async with Journal.open(tmp_path / "j.db", clock=sim.clock) as journal:
            poller = _poller(journal, sim.clock, driver, meters=2)
            async with asyncio.TaskGroup() as group:
                group.create_task(poller.run())
                await asyncio.sleep(60.0)
                poller.stop()

    sim.run(program())
    assert {"0", "1"} == driver.asked_at.keys()
    for asked_at in driver.asked_at.values():
        assert len(asked_at) >= 4, "at the end of one slot, and in the next one"
        pauses = [later - before for before, later in pairwise(asked_at)]
        assert min(pauses) > LATE_ANSWER_S - 0.1
        assert pauses[0] < LATE_ANSWER_S + 3.0, "and not much later"
