"""CTRL-17: three frames, or half an hour, are the end for one household, by however many orders it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.payload import time_out
from tests.sim.test_orders_under_a_hold import inspected, tell_hold
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

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


async def _balance(gateway: OrderGateway, name: str, cents: int) -> None:
    await gateway.told(_told(gateway, name, kind="balance_statement", balance_cents=cents))


async def _sent(gateway: OrderGateway) -> int:
    """Frames of all closings."""
    return sum(one["transmissions"] for one in await _closings(gateway))


@pytest.mark.parametrize("first", ["balance", "payment"])
def test_a_balance_and_a_payment_that_clear_one_debt_count_together(tmp_path: Path, first: str) -> None:
    """Billing tells both: six frames would go, and two people to one house, the second one in vain."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=12)
        if first == "balance":
            await _balance(gateway, "b1", 500)
        await gateway.paid(M)
        if first == "payment":
            await _balance(gateway, "b1", 500)
        await asyncio.sleep(3 * 3600)
        assert 3 == await _sent(gateway)
        assert 1 == len(await _field_orders(gateway))

    gateway.run(seconds=4 * 3600, meanwhile=script)


def test_a_payment_behind_the_last_attempt_sends_no_frame_and_nobody_else(tmp_path: Path) -> None:
    """Who pays a little more while somebody is on the way would be closed from afar, and he at the box."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=3)
        (close,) = (await gateway.paid(M))["orders"]
        assert "not_done" == (await gateway.until(close))["state"]
        (item,) = await _field_orders(gateway)
        (second,) = (await gateway.paid(M, "p2", amount_cents=500))["orders"]
        assert ("refused", 3) == ((await gateway.until(second))["state"], await _sent(gateway))
        (again,) = await _field_orders(gateway)
        assert (item["id"], second) == (again["id"], again["order"])

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_who_owed_again_and_paid_has_attempts_of_his_own(tmp_path: Path) -> None:
    """Money that clears a new debt would bring nobody current before somebody goes there (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=3)
        await _balance(gateway, "b1", 500)
        await asyncio.sleep(3600)
        assert 3 == await _sent(gateway)
        await _balance(gateway, "b2", -9_000)
        await asyncio.sleep(3600)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")

    gateway.run(seconds=4 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_a_second_payment_while_the_key_is_to_be_pressed_sends_nobody(tmp_path: Path) -> None:
    """Its permit would rest behind the first one until its time is over, and somebody would drive there."""
    gateway = one_meter(tmp_path)

    async def paid_twice() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        assert [close] == (await gateway.paid(M, "p2", amount_cents=500))["orders"]
        await asyncio.sleep(2400)

    async def again() -> None:
        await gateway.up()
        assert 1 == len(await _closings(gateway))
        assert [] == await _field_orders(gateway)

    gateway.run(seconds=3600, meanwhile=paid_twice)
    gateway.run(seconds=60, meanwhile=again)
    assert ["trip", "permit_close"] == gateway.obeyed()


@pytest.mark.parametrize("state", ["unconfirmed", "waiting_for_key"])
def test_a_payment_while_a_persons_permit_waits_for_the_key_sends_nobody(tmp_path: Path, state: str) -> None:
    """The same, of a permit that a clerk ordered because of a work order, or had just ordered."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        until = time_out(gateway.now() + timedelta(days=3))
        work = {**_told(gateway, "w1", kind="work_order", until=until, why="repair"), "sender": "desk"}
        assert "refused" not in (await gateway.ask("david", "evidence.add", records=[work]))["records"][0]
        order = gateway.order("c-1", "permit_close", M, reference="desk:w1")
        await gateway.ask("clara", "order.create", order=order)
        gateway.strikes.add("silence")
        await gateway.operated("c-1")
        await gateway.until("c-1", state)
        (close,) = (await gateway.paid(M))["orders"]
        assert (state == "waiting_for_key") == (close == "c-1")
        await gateway.until("c-1", "waiting_for_key")
        await asyncio.sleep(2400)
        assert [] == await _field_orders(gateway)
        await asyncio.sleep(24 * 3600)
        (item,) = await _field_orders(gateway)
        assert "c-1" == item["order"], "nobody has pressed it for a day"

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()
