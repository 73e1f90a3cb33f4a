"""A protection, or another customer, is told once the frame of a trip has left: nobody is left dark, untold."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from metersim import Station
from tests.sim.test_orders_of_a_changed_roster import _committed
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"


def _gateway(folder: Path, *, delay_min: int = 0) -> OrderGateway:
    gateway = OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))])
    gateway.employ("olga", "operator")
    if delay_min:
        gateway.meters[ADDRESS].works.switch.trip_delay = timedelta(minutes=delay_min)
    return gateway


async def _orders(gateway: OrderGateway) -> list[tuple[str, str]]:
    found = (await gateway.ask("clara", "order.list", all=True))["orders"]
    return [(one["kind"], one["state"]) for one in found]


async def _work(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = (await gateway.ask("david", "work.list"))["items"]
    return [one for one in found if one["kind"] == "cut_off"]


async def _alarms(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = (await gateway.ask("david", "alarm.list"))["alarms"]
    return [one for one in found if one["rule"].startswith("CUT_OFF")]


@pytest.mark.parametrize("delay_min", [0, 20, 40])
def test_who_lives_by_a_machine_is_told_of_and_reconnected(tmp_path: Path, delay_min: int) -> None:
    """Somebody who lives by a machine would stay in the dark, and nothing and nobody would say so."""
    gateway = _gateway(tmp_path, delay_min=delay_min)
    switch = gateway.meters[ADDRESS].works.switch

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await asyncio.sleep(300)
        assert switch.contact_open is not bool(delay_min)
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(1)
        (item,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert ("CUT_OFF_PROTECTED", "serious", M) == (alarm["rule"], alarm["severity"], alarm["meter"])
        for words in (
            "life_support",
            "billing:x1",
            "t-1",
            "受保护用户",
            "stands open" if not delay_min else "open",
        ):
            assert words in item["why"], item["why"]
        await asyncio.sleep(delay_min * 60 + 600)
        gateway.meters[ADDRESS].works.advance(gateway.sim.clock.utc_now())
        assert [("permit_close", "waiting_for_key"), ("trip", "done")] == sorted(await _orders(gateway))
        assert gateway.press_key()
        await asyncio.sleep(1800)
        assert [("permit_close", "done"), ("trip", "done")] == sorted(await _orders(gateway))

    gateway.run(seconds=9000, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()[:2]
