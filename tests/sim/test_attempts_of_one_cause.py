"""CTRL-17: three frames, or half an hour, are the end of one cause, by however many orders it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from meterlink.model.payload import time_out
from tests.sim.test_orders_under_a_hold import inspected, tell_hold
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway

M = f"m{ADDRESS}"


def _told(gateway: OrderGateway, name: str, **fields: Any) -> dict[str, Any]:
    return {"sender": "billing", "id": name, "at": time_out(gateway.now()), "meter": M, **fields}


async def _closings(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    orders = (await gateway.ask("clara", "order.list", meter=M, all=True))["orders"]
    return [one for one in orders if one["kind"] in ("permit_close", "direct_close")]


async def _field_orders(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    return [one for one in (await gateway.ask("david", "work.list"))["items"] if one["kind"] == "field_order"]


def test_frames_of_both_closings_of_a_dispute_count_together(tmp_path: Path) -> None:
    """Five frames would go by themselves for one dispute, and nobody be sent after the third."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        until = time_out(gateway.now() + timedelta(days=3))
        await gateway.told(_told(gateway, "c1", kind="consent", form="written", until=until))
        gateway.strikes.add("loss", times=12)
        for number, state in enumerate(("opened", "upheld")):
            await gateway.told(_told(gateway, f"d{number}", kind="dispute", dispute="D", state=state))
        for _ in range(3000):
            await asyncio.sleep(1)
            orders = await _closings(gateway)
            if orders and 2 == orders[0]["transmissions"]:
                break
        await gateway.ask("billing", "evidence.withdraw", id="billing:c1", reason="not his hand")
        await asyncio.sleep(3000)
        orders = await _closings(gateway)
        assert ["direct_close", "permit_close"] == [one["kind"] for one in orders]
        assert 3 == sum(one["transmissions"] for one in orders)
        (item,) = await _field_orders(gateway)
        assert "3 frames for billing:d1" in item["why"]

    gateway.run(seconds=2 * 3600, meanwhile=script)


def test_attempts_that_a_hold_outlasts_leave_one_field_order_that_says_so(tmp_path: Path) -> None:
    """Two people would go to one house, the first of them because of a hold that is long released."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=1)
        (close,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(1)
        await tell_hold(gateway)
        assert "not_done" == (await gateway.until(close))["state"]
        (item,) = await _field_orders(gateway)
        await gateway.ask("david", "work.assign", item=item["id"], assignee="fred")
        await asyncio.sleep(40 * 60)
        await tell_hold(gateway, "released", "h2")
        (item,) = await _field_orders(gateway)
        assert item["why"].endswith("; that hold is released")
        await asyncio.sleep(300)
        first, second = await _closings(gateway)
        assert (close, "refused", 0) == (first["id"], second["state"], second["transmissions"])
        (item,) = await _field_orders(gateway)
        assert ("fred", second["id"]) == (item["assignee"], item["order"])
        assert "CTRL-17" in item["why"] and "HOLD-01" not in item["why"]

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_reconnection_that_begins_again_late_sends_nobody_a_second_time(tmp_path: Path) -> None:
    """Somebody is on the way to that house already; a second one would meet him there."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.unplug()
        (close,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(20 * 60)
        gateway.strikes.add("loss", times=1)
        gateway.plugged = True
        await gateway.until(close, "sending", "unconfirmed", "readback")
        await tell_hold(gateway)
        assert "not_done" == (await gateway.until(close))["state"]
        (item,) = await _field_orders(gateway)
        await asyncio.sleep(15 * 60)
        gateway.unplug()
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(180)
        (_, again) = await _closings(gateway)
        assert again["is_open"]
        assert [item["id"]] == [one["id"] for one in await _field_orders(gateway)]

    gateway.run(seconds=3 * 3600, meanwhile=script)
