"""A trip that leaves seconds before the hours for trips end, or the window after the last notice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.payload import time_in, time_out
from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"
FIVE: datetime = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""17:00 in the plant: from then on nobody is cut off."""


def _gateway(folder: Path, **more: Any) -> OrderGateway:
    return OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], **more)


def _expires_at(order: Any) -> datetime:
    (intend,) = [step for step in order["steps"] if step["verb"] == "intend"]
    return time_in(intend["body"]["sent"]["expires_at"])


async def _at(gateway: OrderGateway, instant: datetime) -> None:
    await asyncio.sleep((instant - gateway.now()).total_seconds())


def test_a_frame_of_a_trip_is_worth_nothing_after_five(tmp_path: Path) -> None:
    """A carrier or concentrator that keeps the frame would cut somebody off at night (CTRL-09)."""
    gateway = _gateway(tmp_path, start=FIVE - timedelta(minutes=5))

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", "trip", M))
        await gateway.ask("anna", "order.approve", id="t-1")
        await _at(gateway, FIVE - timedelta(seconds=30))
        await gateway.operated("t-1")
        order = await gateway.until("t-1")
        assert "done" == order["state"]
        assert FIVE - timedelta(seconds=10) <= _expires_at(order) <= FIVE

    gateway.run(seconds=900, meanwhile=script)


@pytest.mark.parametrize("left_s", [20, 1])
def test_a_frame_of_a_trip_is_worth_nothing_after_the_window(tmp_path: Path, left_s: int) -> None:
    """Somebody would be cut off later than he was told (CTRL-06), and with a second left nothing leaves."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        ends = gateway.now() + timedelta(seconds=120)
        final = {"kind": "final_notice", "id": "f2", "sender": "billing", "channel": "phone", "meter": M}
        told_at = ends - timedelta(hours=4)
        await gateway.told({**final, "at": time_out(told_at)})
        receipt = {"kind": "receipt", "sender": "billing", "id": "f1x", "of": f"{M}-f1", "meter": M}
        await gateway.told({**receipt, "outcome": "failed", "at": time_out(gateway.now())})
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", "trip", M))
        await gateway.ask("anna", "order.approve", id="t-1")
        await _at(gateway, ends - timedelta(seconds=left_s))
        await gateway.operated("t-1")
        if left_s == 1:
            await asyncio.sleep(60)
            order = await gateway.ask("clara", "order.show", id="t-1")
            assert 0 == order["transmissions"]
        else:
            order = await gateway.until("t-1")
            assert ends - timedelta(seconds=10) <= _expires_at(order) <= ends

    gateway.run(seconds=600, meanwhile=script)
    assert (["trip"] if left_s > 1 else []) == gateway.obeyed()
