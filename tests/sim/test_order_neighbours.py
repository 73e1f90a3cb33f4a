"""What is wrong with one order is not its neighbours': those of its line go on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.orders.dispatch import worker
from meterlink.orders.dispatch.due import due_at
from meterlink.orders.life.life import Life
from meterlink.orders.life.timeline import Timeline
from metersim import Meter, Station
from tests.support.control_bench import ADDRESS, NUMBER, a_meter
from tests.support.order_bench import OrderBench
from tests.support.order_gateway import OPEN_TO_ALL

OTHER = "000000000162"
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The last second that a calendar has."""


def a_line(folder: Path) -> OrderBench:
    """A line of two meters."""
    other: Meter = a_meter(OPEN_TO_ALL, address=OTHER, number=f"{int(NUMBER) + 1:012d}")
    return OrderBench(folder, Station(meter=a_meter(OPEN_TO_ALL)), Station(meter=other))


@pytest.mark.parametrize("step", [timedelta(), timedelta(seconds=-2), timedelta(days=-1), timedelta(days=1)])
def test_an_order_without_an_end_hinders_nobody(tmp_path: Path, step: timedelta) -> None:
    """A payer at the next meter would stay in the dark, and nobody be told: the line's orders stood still."""
    bench = a_line(tmp_path)

    async def script() -> OrderState:
        bench.sim.clock.step_wall(step)
        forgotten = bench.order(
            OrderKind.ALARM_ON, id="a-1", meter=f"m{OTHER}", origin=Origin.PERSON, deadline_at=LAST
        )
        await bench.book.begin(forgotten, "clara")
        await asyncio.sleep(60)
        async with asyncio.timeout(600):
            return (await bench.carry_out(bench.order(OrderKind.TRIP))).state

    assert OrderState.DONE == bench.run(script)
    assert () == bench.meters[OTHER].works.memory.controls
    assert ["trip"] == [control.kind for control in bench.meters[ADDRESS].works.memory.controls]


def test_an_order_at_which_the_program_fails_rests_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault in the program that one order meets would stop its whole line, again and again."""

    def failing(life: Life, trip_delay: timedelta, timeline: Timeline) -> datetime:
        if life.order.id == "a-1":
            raise OverflowError("date value out of range")
        return due_at(life, trip_delay, timeline)

    monkeypatch.setattr(worker, "due_at", failing)
    bench = a_line(tmp_path)

    async def script() -> OrderState:
        await bench.book.begin(bench.order(OrderKind.ALARM_ON, id="a-1", meter=f"m{OTHER}"), "meterlink")
        async with asyncio.timeout(600):
            state = (await bench.carry_out(bench.order(OrderKind.TRIP))).state
        await asyncio.sleep(3_600 - 1 - bench.sim.clock.monotonic_s())
        return state

    with capture_logs() as logs:
        assert OrderState.DONE == bench.run(script)
    told = [one for one in logs if one["event"] == "order_crashed"]
    assert ["a-1"] * 6 == [one["order"] for one in told], "looked at again every ten minutes"
