"""The plant's clock outside simulations: sped up, begun elsewhere, and never going back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from metersim import SimClock
from metersim.plant.clocks import JUMP_MAX, SPEED_MAX, PlantClock

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
