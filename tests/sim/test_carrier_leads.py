"""A carrier module that leads our reads: asks whose turn it is, gets a frame, and reports (14-F1, 06-F2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon.control_socket import owners
from metersim import Meter, Station
from metersim.carrier.ways import CarrierWays
from metersim.dlt698 import Meter698
from tests.support.agreement import readings_by_key, readings_of
from tests.support.carried import QUICK, CarriedGateway, CarriedOrders
from tests.support.control_bench import ADDRESS, a_meter, a_meter698
from tests.support.order_gateway import OPEN_TO_ALL
from tests.support.simulated import ITEMS, START, slots_between

LEADS = replace(QUICK, leads="module", window=0)
LED: dict[str, Any] = {"read_by": "14-F1"}
_ME = min(owners())
_645 = [f"{number:012d}" for number in range(1, 7)]
_698 = ["000000000101", "000000000102"]
_BOTH = dict.fromkeys(_698, "dlt698.45")
EVERY_S = 900
M = f"m{ADDRESS}"


def _stations() -> list[Station]:
    meters: list[Meter | Meter698] = [
        *(Meter(one, seed=7) for one in _645),
        *(Meter698(one, seed=7) for one in _698),
    ]
    return [Station(meter=meter, reply_delay_ms=20) for meter in meters]


def _gateway(folder: Path, ways: CarrierWays = LEADS, **more: Any) -> CarriedGateway:
    return CarriedGateway(
        folder, _stations(), ways=ways, carrier=LED, protocols=_BOTH, every_s=EVERY_S, **more
    )


def _lacking(gateway: CarriedGateway, count: int) -> set[tuple[str, str, int]]:
    """What is not kept of the first slots: meter, item and time."""
    slots = [int(slot.timestamp()) for slot in slots_between(START, EVERY_S, count)]
    assert len(slots) == count
    return {*product(gateway.addresses, ITEMS, slots)} - readings_by_key(readings_of(gateway.rows())).keys()


def test_all_is_read_without_a_pause(tmp_path: Path) -> None:
    """A module that can only lead would be stopped and let go all day, and read by the slower way."""
    gateway = _gateway(tmp_path)
    seen: dict[str, Any] = {}

    async def look() -> None:
        await gateway.desk_opened.wait()
        await asyncio.sleep(4 * EVERY_S - 30)
        seen.update(await gateway.ask(_ME, "carrier.routes", line="plc1"))
        seen["paused"] = gateway.module.standing.paused

    gateway.run(seconds=4 * EVERY_S, meanwhile=look)
    assert set() == _lacking(gateway, 3)
    gateway.check()
    told = seen["counts"]["reports"]
    assert 3 * len(gateway.addresses) * len(ITEMS) <= told["led reads"] == told["led answers"]
    assert not seen["paused"]
    assert [] == gateway.happened("reported_values"), "an answer of ours is no report"


def test_who_asks_on_demand_does_not_wait_for_the_round(tmp_path: Path) -> None:
    """A person at the desk would wait until the module comes to his meter."""
    gateway = _gateway(tmp_path, replace(LEADS, shortest_s=5.0, longest_s=10.0))
    took: list[float] = []

    async def ask() -> None:
        await gateway.desk_opened.wait()
        await asyncio.sleep(EVERY_S + 5)  # in the middle of a round
        began_s = gateway.sim.clock.monotonic_s()
        args = {"meter": f"m{_645[-1]}", "items": ["voltage.a"], "count": 0, "tries": 1, "timeout_s": 120}
        told = await gateway.ask(_ME, "read.begin", **args)
        state = await gateway.ask(_ME, "read.follow", id=told["id"], wait_s=60)
        took.append(gateway.sim.clock.monotonic_s() - began_s)
        assert "done" == state["state"]
        assert state["items"][0]["values"], state

    gateway.run(seconds=2 * EVERY_S, meanwhile=ask)
    assert took[0] < 45


def test_a_module_that_does_not_lead_is_read_all_the_same(tmp_path: Path) -> None:
    """A wrong line of configuration would leave a whole area unread."""
    gateway = _gateway(tmp_path, QUICK)
    gateway.run(seconds=3 * EVERY_S)
    assert "concentrator" == gateway.module.standing.ways.leads
    assert set() == _lacking(gateway, 2)


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_an_order_is_not_left_to_the_module(tmp_path: Path, protocol: str) -> None:
    """Somebody would be cut off when the module comes to him, or twice."""
    meter = a_meter(OPEN_TO_ALL) if protocol == "dlt645-2007" else a_meter698(OPEN_TO_ALL)
    gateway = CarriedOrders(
        tmp_path, [Station(meter=meter)], ways=LEADS, carrier=LED, protocols={ADDRESS: protocol}
    )
    ended: dict[str, Any] = {}

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(60)
        await gateway.told_for_trip(M)
        began_s = gateway.sim.clock.monotonic_s()
        await gateway.trip("t-1", M)
        ended.update(await gateway.until("t-1"))
        ended["took_s"] = gateway.sim.clock.monotonic_s() - began_s

    gateway.run(seconds=2 * 3600, meanwhile=script)
    assert ("done", ["trip"]) == (ended["state"], gateway.obeyed())
    assert 1 == ended["transmissions"]
    assert ended["took_s"] < 600
