"""The plant's clock outside simulations: sped up, begun elsewhere, and never going back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from metersim import SimClock, Simulation
from metersim.plant.at import At
from metersim.plant.built import BuiltPlant
from metersim.plant.clocks import JUMP_MAX, SPEED_MAX, PlantClock
from metersim.plant.concentrator_row import ConcentratorRow
from metersim.plant.happenings import Happening
from metersim.plant.plant import Plant
from metersim.plant.rows import MeterRow
from metersim.plant.scenario import Scenario

Change = Callable[[PlantClock], None]
HOURS = timedelta(hours=2)
START = datetime(2026, 10, 1, tzinfo=UTC)


def _clock(wall: SimClock, *, start: datetime | None = None, speed: int = 1) -> PlantClock:
    return PlantClock(wall=wall, start=start, speed=speed, monotonic_s=wall.monotonic_s)


def test_a_sped_up_clock_runs_so_many_times_as_fast() -> None:
    """A night of freezes could not be rehearsed in minutes, or would come at wrong times."""
    wall = SimClock()
    clock = _clock(wall, start=START, speed=60)
    wall.advance(30)
    assert START + timedelta(minutes=30) == clock.utc_now()
    wall.step_wall(timedelta(hours=-5))  # somebody sets the machine's clock
    assert START + timedelta(minutes=30) == clock.utc_now()
    clock.run_at(SPEED_MAX)
    wall.advance(1)
    assert START + timedelta(minutes=90) == clock.utc_now()
    assert SPEED_MAX == clock.speed


def test_a_clock_without_start_and_speed_is_the_machines() -> None:
    """Meters would drift away from a machine whose clock is set by NTP."""
    wall = SimClock()
    clock = _clock(wall)
    wall.step_wall(timedelta(seconds=3))
    assert wall.utc_now() == clock.utc_now()


def test_a_clock_jumps_forward_only() -> None:
    """A meter's history is in order of time: one that goes back would break every meter of the plant."""
    wall = SimClock()
    clock = _clock(wall)
    clock.jump(JUMP_MAX)
    assert wall.utc_now() + JUMP_MAX == clock.utc_now()
    clock.jump(timedelta())
    for by in (timedelta(microseconds=-1), JUMP_MAX + timedelta(microseconds=1)):
        with pytest.raises(ValueError, match="forward"):
            clock.jump(by)
    assert wall.utc_now() + JUMP_MAX == clock.utc_now()


@pytest.mark.parametrize("speed", [0, -1, SPEED_MAX + 1])
def test_a_speed_has_its_range(speed: int) -> None:
    """A clock that stands still, or outruns its own loop, makes every test of others hang."""
    with pytest.raises(ValueError, match="1 to 3600"):
        _clock(SimClock(), speed=speed)
    with pytest.raises(ValueError, match="1 to 3600"):
        _clock(SimClock()).run_at(speed)


def test_who_sleeps_is_told_of_a_jump_and_of_a_new_speed() -> None:
    """A plant would let things happen late by as much as it had counted at the old speed."""
    told = []
    clock = _clock(SimClock(), start=START)
    clock.when_changed(lambda: told.append((clock.speed, clock.utc_now())))
    clock.run_at(60)
    clock.jump(timedelta(hours=1))
    assert [(60, START), (60, START + timedelta(hours=1))] == told


@pytest.mark.parametrize("change", [lambda clock: clock.run_at(SPEED_MAX), lambda clock: clock.jump(HOURS)])
def test_a_plant_that_sleeps_counts_again_when_its_clock_changes(
    change: Callable[[PlantClock], None],
) -> None:
    """What is due would happen up to an hour late, unless somebody asks a meter before."""
    sim = Simulation(seed=1)
    clock = PlantClock(wall=sim.clock, start=START, monotonic_s=sim.clock.monotonic_s)
    cut = Happening(what="power_outage", at=HOURS)
    built = BuiltPlant(Plant(start=START, scenario=Scenario(scenario="x", happenings=(cut,))), clock=clock)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(built.run(), name="plant")
            await asyncio.sleep(60)
            change(clock)
            await asyncio.sleep(3)
            running.cancel()

    sim.run(main())
    assert [1] == [report.befallen for report in built.happenings.reports()]


def test_a_concentrator_that_sleeps_counts_again_when_the_clock_changes() -> None:
    """A night that is sped up would pass without the concentrator's tasks."""
    sim = Simulation(seed=1)
    clock = PlantClock(wall=sim.clock, start=START, monotonic_s=sim.clock.monotonic_s)
    at = At(kind="dial", host="127.0.0.1", port=1)
    row = ConcentratorRow(address="000000000012", at=at, port="rs485", meters=(MeterRow(address="161"),))
    built = BuiltPlant(Plant(start=START, concentrators=(row,)), clock=clock)
    collector = built.concentrators["000000000012"].collector

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(built.run(), name="plant")
            await asyncio.sleep(60)
            assert {1} == {run.started_at.day for run in collector.runs.values()}
            clock.jump(timedelta(days=1))
            await asyncio.sleep(3)
            running.cancel()

    sim.run(main())
    assert {2} == {run.started_at.day for run in collector.runs.values()}
