"""Orders for meters of both protocols behind a carrier module: given once, and proved (decision 22, b)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metersim import Station
from metersim.carrier.ways import CarrierWays
from tests.support.carried import QUICK, CarriedOrders
from tests.support.control_bench import ADDRESS, a_meter, a_meter698
from tests.support.order_gateway import OPEN_TO_ALL

PROTOCOLS = ("dlt645-2007", "dlt698.45")
_HOUR_S = 3600
M = f"m{ADDRESS}"


def _gateway(folder: Path, protocol: str, ways: CarrierWays = QUICK) -> CarriedOrders:
    meter = a_meter(OPEN_TO_ALL) if protocol == "dlt645-2007" else a_meter698(OPEN_TO_ALL)
    return CarriedOrders(folder, [Station(meter=meter)], ways=ways, protocols={ADDRESS: protocol})


async def _tripped(gateway: CarriedOrders, ways: CarrierWays = QUICK) -> None:
    """Give the order, once the module is ready; from then on it is as ``ways`` says."""
    await gateway.up()
    await asyncio.sleep(60)
    gateway.module.standing.ways = ways
    await gateway.told_for_trip(M)
    await gateway.trip("t-1", M)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_order_goes_through_a_module_once_and_is_proved(tmp_path: Path, protocol: str) -> None:
    """A disconnection through a carrier would be sent twice, or never proved."""
    gateway = _gateway(tmp_path, protocol)
    ended: dict[str, Any] = {}

    async def script() -> None:
        await _tripped(gateway)
        ended.update(await gateway.until("t-1"))

    gateway.run(seconds=2 * _HOUR_S, meanwhile=script)
    assert ("done", ["trip"]) == (ended["state"], gateway.obeyed())
    assert 1 == ended["transmissions"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_household_is_cut_off_and_has_power_again_through_a_module(tmp_path: Path, protocol: str) -> None:
    """Who has paid would stay in the dark behind every carrier."""
    gateway = _gateway(tmp_path, protocol)
    ended: dict[str, Any] = {}

    async def script() -> None:
        await _tripped(gateway)
        assert "done" == (await gateway.until("t-1"))["state"]
        (close,) = (await gateway.paid(M))["orders"]
        assert "waiting_for_key" == (await gateway.until(close, "waiting_for_key"))["state"]
        assert gateway.press_key()
        ended.update(await gateway.until(close))

    gateway.run(seconds=4 * _HOUR_S, meanwhile=script)
    assert ("done", ["trip", "permit_close"]) == (ended["state"], gateway.obeyed())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("seed", range(2))
def test_an_order_whose_answer_is_lost_is_obeyed_at_most_once(
    tmp_path: Path, seed: int, protocol: str
) -> None:
    """A module that loses and repeats answers would make us trip a customer twice."""
    gateway = _gateway(tmp_path, protocol, replace(QUICK, seed=seed))
    storm = replace(QUICK, loss=0.4, doubled=0.3, late=0.2, seed=seed)
    ended: dict[str, Any] = {}

    async def script() -> None:
        await _tripped(gateway, storm)
        ended.update(await gateway.until("t-1"))

    gateway.run(seconds=30 * _HOUR_S, meanwhile=script)
    assert gateway.obeyed() in ([], ["trip"])
    assert (ended["state"] == "done") == (["trip"] == gateway.obeyed())
