"""Restarting a part that crashed."""

from __future__ import annotations

import asyncio

import pytest

from meterlink.daemon.supervise import RESTART_PAUSE_S, RESTART_WINDOW_S, RESTARTS_MAX, supervised
from metersim.loop import Simulation


def test_a_part_that_ends_is_not_started_again() -> None:
    """A line that was told to stop would come back."""
    starts: list[int] = []

    async def part() -> None:
        starts.append(1)

    Simulation().run(supervised("part", part))
    assert [1] == starts


def test_a_crash_is_followed_by_a_new_start_with_a_limit() -> None:
    """One bug in one line would take the other lines along, or fill the log in a loop."""
    simulation = Simulation()
    starts: list[float] = []

    async def part() -> None:
        starts.append(simulation.clock.monotonic_s())
        if len(starts) <= RESTARTS_MAX + 1:
            raise ZeroDivisionError("a bug")

    simulation.run(supervised("part", part))
    pauses = [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)]  # noqa: RUF007
    assert [RESTART_PAUSE_S] * RESTARTS_MAX + [RESTART_WINDOW_S] == pytest.approx(pauses)


def test_a_cancellation_passes() -> None:
    """The daemon could not be stopped."""

    async def program() -> bool:
        async def part() -> None:
            await asyncio.Event().wait()

        task = asyncio.get_running_loop().create_task(supervised("part", part))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert Simulation().run(program())
