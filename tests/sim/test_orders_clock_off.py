"""A trip at a meter whose clock is wrong waits until somebody has set it (CTRL-13)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from meterlink.model.payload import time_out
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
HOUR_S = 3600


def a_gateway(folder: Path) -> OrderGateway:
    """Its meter's clock is ten minutes ahead."""
    gateway = one_meter(folder)
    now = gateway.now()
    gateway.meters[ADDRESS].works.clock.set(now + timedelta(minutes=10), now)
    return gateway


async def tripped(gateway: OrderGateway) -> Mapping[str, Any]:
    """A trip that was put off for the first time."""
    await gateway.up()
    await gateway.told_for_trip(M)
    deadline_at = gateway.now().replace(microsecond=0) + timedelta(hours=3)
    await gateway.trip("t-1", M, deadline_at=time_out(deadline_at))
    return await gateway.until("t-1", "authorised")


def test_whoever_trips_learns_that_the_clock_must_be_set_and_may_go_on_then(tmp_path: Path) -> None:
    """The clerk would read "120 s", and not know that nobody but a person mends that."""
    gateway = a_gateway(tmp_path)
    ended: dict[str, Any] = {}

    async def script() -> None:
        order = await tripped(gateway)
        (stop,) = [one for one in order["steps"][-1]["rules"] if not one["passed"]]
        assert ("postpone", "CTRL-13") == (order["steps"][-1]["verb"], stop["rule"])
        assert "have it set first" in stop["en"]
        assert "校时" in stop["zh"]
        assert [] == gateway.obeyed()
        gateway.meters[ADDRESS].works.clock.set(gateway.now(), gateway.now())
        await asyncio.sleep(HOUR_S / 2)
        await gateway.operated("t-1")
        ended.update(await gateway.until("t-1"))

    gateway.run(seconds=2 * HOUR_S, meanwhile=script)
    assert ("done", ["trip"]) == (ended["state"], gateway.obeyed())
