"""A person declares a freeze: no trip goes until its time is over or somebody of another post lifts it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import one_meter

M = f"m{ADDRESS}"


@pytest.mark.parametrize("area", ["*", "east"])
def test_a_second_freeze_ends_no_first_one(tmp_path: Path, area: str) -> None:
    """A clerk, who may not lift, would end a storm's freeze with one of a second, and cut people off."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("sam", "control.freeze", area=area, reason="typhoon")
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", OrderKind.TRIP, M))
        soon = time_out(gateway.now() + timedelta(seconds=1))
        told = await gateway.ask("clara", "control.freeze", area=area, reason="x", until=soon)
        assert [{"area": area, "reason": "typhoon", "until": ""}] == told["frozen"]
        await asyncio.sleep(5)
        assert "typhoon" in str(await gateway.refused("anna", "order.approve", id="t-1"))
        await gateway.ask("sam", "control.lift", area=area, reason="over")
        await gateway.ask("anna", "order.approve", id="t-1")
        await gateway.operated("t-1")
        assert "done" == (await gateway.until("t-1"))["state"]

    gateway.run(seconds=600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_an_area_that_is_none_is_not_frozen(tmp_path: Path) -> None:
    """A mistyped "East" would be taken in words, and trips go on in "east", in the flood."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        error = await gateway.refused("sam", "control.freeze", area="East", reason="flood")
        assert "area: no meter is in 'East': did you mean east?" == str(error)
        late = time_out(gateway.now())
        error = await gateway.refused("sam", "control.freeze", area="east", reason="flood", until=late)
        assert "is over already" in str(error)

    gateway.run(seconds=60, meanwhile=script)
