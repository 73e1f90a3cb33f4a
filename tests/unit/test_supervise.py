"""Restarting a part that crashed."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from meterlink.daemon.supervise import (
    CUT_AGAIN_S,
    CUT_PATIENCE_S,
    CUTS_MAX,
    RESTART_PAUSE_S,
    RESTART_WINDOW_S,
    RESTARTS_MAX,
    Leavable,
    cut_off,
    supervised,
)
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


def test_a_cancellation_in_the_moment_of_a_crash_passes() -> None:
    """A part that crashes as it is stopped would be started again, and the stop wait for it for ever."""
    starts: list[int] = []

    async def crash() -> None:
        raise ZeroDivisionError("a bug")

    async def part() -> None:
        starts.append(1)
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_cancelled())
            await asyncio.sleep(1)
            group.create_task(crash())

    async def program() -> bool:
        loop = asyncio.get_running_loop()
        task = loop.create_task(supervised("part", part))
        await asyncio.sleep(1)
        loop.call_soon(task.cancel)  # as its group ends
        await asyncio.sleep(RESTART_PAUSE_S / 2)
        ended = task.cancelled()
        task.cancel()
        await asyncio.wait([task])
        return ended

    assert Simulation().run(program())
    assert [1] == starts


async def _until_cancelled() -> None:
    await asyncio.Event().wait()


class _Stubborn:
    """A part that puts cancellations by, so many of them."""

    def __init__(self, cancellations: int) -> None:
        self.left = cancellations

    async def run(self) -> None:
        while True:
            try:
                await _until_cancelled()
            except asyncio.CancelledError:
                if self.left <= 0:
                    raise
                self.left -= 1


async def _ended(leavable: Leavable) -> float:
    """Seconds until it ends after it was told to."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(leavable.run())
    await asyncio.sleep(1)
    begun_s = loop.time()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    return loop.time() - begun_s


@pytest.mark.parametrize("loses", [0, 1, CUTS_MAX - 1])
def test_a_part_that_loses_a_cancellation_gets_another(loses: int) -> None:
    """One cancellation that is lost somewhere would keep the daemon from ending."""

    async def program() -> None:
        leavable = Leavable("part", _Stubborn(loses).run)
        after_s = CUT_PATIENCE_S + (loses - 1) * CUT_AGAIN_S if loses else 0.0
        assert after_s == pytest.approx(await _ended(leavable))
        assert not leavable.is_left

    Simulation().run(program())


def test_a_part_that_never_ends_is_told_and_left() -> None:
    """One such part would keep the journal open until the daemon is killed."""

    async def program() -> None:
        stubborn = _Stubborn(100)
        leavable = Leavable("part", stubborn.run)
        assert CUT_PATIENCE_S + (CUTS_MAX - 1) * CUT_AGAIN_S == pytest.approx(await _ended(leavable))
        assert leavable.is_left
        stubborn.left = 0
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert await cut_off(*others)

    with capture_logs() as logs:
        Simulation().run(program())
    assert ["part_left"] == [line["event"] for line in logs]
