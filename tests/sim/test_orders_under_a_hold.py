"""An inspector forbids current at a place to which a closing is on its way, or has come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderState
from meterlink.model.payload import time_out
from meterlink.orders.paid import payments
from metersim import Meter
from metersim.works.cost_control import LOCAL
from metersim.works.load import Load
from tests.sim.test_local_prepayment import Shop
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"


def inspected(folder: Path) -> OrderGateway:
    """A gateway of one meter, where an inspector works."""
    gateway = one_meter(folder)
    gateway.employ("ivan", "inspector")
    return gateway


async def tell_hold(
    gateway: OrderGateway, state: str = "set", name: str = "h1", *, why: str = "open wires"
) -> Mapping[str, Any]:
    record = {
        "kind": "safety_hold",
        "id": name,
        "sender": "ivan",
        "at": time_out(gateway.now()),
        "meter": M,
        "hold": "H",
        "state": state,
        "why": why,
    }
    answer = await gateway.ask("ivan", "evidence.add", records=[record])
    found: Mapping[str, Any] = answer["records"][0]
    assert "refused" not in found
    return found


async def open_work(gateway: OrderGateway) -> dict[str, str]:
    """The open work items, by kind: why."""
    items = (await gateway.ask("david", "work.list"))["items"]
    return {item["kind"]: item["why"] for item in items}


async def _alarms(gateway: OrderGateway) -> list[str]:
    return [alarm["rule"] for alarm in (await gateway.ask("david", "alarm.list"))["alarms"]]


def test_a_hold_while_a_permit_stands_is_told_at_once(tmp_path: Path) -> None:
    """Nobody would know that the key behind open wires brings current back; a reminder would ask for it."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        told = await tell_hold(gateway)
        (standing,) = told["standing"]
        assert (close, "waiting_for_key") == (standing["order"], standing["state"])
        assert "presses the key" in standing["en"]
        work = await open_work(gateway)
        assert ["secure"] == list(work)
        assert "open wires" in work["secure"]
        assert close in work["secure"]
        assert ["CLOSING_UNDER_HOLD"] == await _alarms(gateway)
        await asyncio.sleep(3 * 3600)
        assert ["secure"] == list(await open_work(gateway))  # nobody is asked to have the key pressed
        await tell_hold(gateway, "released", "h2")
        assert {} == await open_work(gateway)

    gateway.run(seconds=4 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_a_reminder_that_is_open_ends_with_a_hold_and_comes_back_after_it(tmp_path: Path) -> None:
    """A clerk would tell the customer to press the key behind open wires, or nobody would when it is safe."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        await asyncio.sleep(2 * 3600 + 120)
        assert {"reminder"} == set(await open_work(gateway))
        await tell_hold(gateway, why="线路裸露\u3000危险")  # as a form in Chinese sends it
        work = await open_work(gateway)
        assert {"secure"} == set(work)
        assert "线路裸露 危险" in work["secure"]
        await asyncio.sleep(3600)
        assert {"secure"} == set(await open_work(gateway))
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(120)
        assert {"reminder"} == set(await open_work(gateway))

    gateway.run(seconds=4 * 3600, meanwhile=script)


def test_a_field_order_that_is_open_names_the_hold(tmp_path: Path) -> None:
    """Field staff on their way would close by hand where an inspector forbids it."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=9)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close)
        before = (await open_work(gateway))["field_order"]
        await gateway.ask("david", "work.assign", item=f"field_order:{close}", assignee="fred")
        await tell_hold(gateway)
        work = await open_work(gateway)
        assert {"field_order", "secure"} == set(work)
        assert f"DO NOT CLOSE, safety hold (open wires). Before: {before}" == work["field_order"]
        item = await gateway.ask("david", "work.show", item=f"field_order:{close}")
        assert ("fred", True) == (item["assignee"], item["is_open"])
        assert ["CLOSING_UNDER_HOLD"] == [one for one in await _alarms(gateway) if one.startswith("CLOSING")]
        await tell_hold(gateway, "released", "h2")
        assert {"field_order": before} == await open_work(gateway)

    gateway.run(seconds=3 * 3600, meanwhile=script)


def test_a_hold_where_nothing_is_under_way_disturbs_nobody(tmp_path: Path) -> None:
    """Each hold would raise an alarm, so that nobody looks at the one that matters."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        told = await tell_hold(gateway)
        assert [] == told["standing"]
        assert ({}, []) == (await open_work(gateway), await _alarms(gateway))

    gateway.run(seconds=3600, meanwhile=script)


def test_a_hold_while_a_closing_is_on_its_way_is_told(tmp_path: Path) -> None:
    """The frame that nobody can call back would close behind the inspector, and then somebody by hand."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=9)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "sending", "unconfirmed", "accepted", "readback")
        (standing,) = (await tell_hold(gateway))["standing"]
        assert close == standing["order"]
        assert OrderState(standing["state"]) is not OrderState.WAITING_FOR_KEY
        assert ["CLOSING_UNDER_HOLD"] == await _alarms(gateway)
        assert ("not_done", 1) == ((order := await gateway.until(close))["state"], order["transmissions"])
        work = await open_work(gateway)
        assert work["field_order"].startswith("DO NOT CLOSE, safety hold (open wires). Before: order")
        await tell_hold(gateway, "released", "h2")
        assert (await open_work(gateway))["field_order"].startswith(f"order {close} (permit_close) ended")

    gateway.run(seconds=3600, meanwhile=script)


def inspected_shop(folder: Path, meter: Meter | None = None) -> Shop:
    """A meter with a wallet, where an inspector works."""
    shop = Shop(folder, meter=meter)
    shop.gateway.employ("ivan", "inspector")
    return shop


def dark_shop(folder: Path) -> Shop:
    """One with a wallet of one yuan, and a load by which it is in the dark within an hour."""
    return inspected_shop(folder, a_meter(LOCAL, preset_cents=100, load=Load(mean_kw=Decimal(5))))


def test_money_waits_while_it_may_close_what_is_held(tmp_path: Path) -> None:
    """A payment would let the key close behind open wires, past every rule about closings."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(4 * 3600)  # the meter has opened for want of money
        await tell_hold(gateway)
        (top_up,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(3600)
        order = await gateway.ask("clara", "order.show", id=top_up)
        assert ("authorised", 0) == (order["state"], order["transmissions"])
        assert not gateway.press_key()
        await tell_hold(gateway, "released", "h2")
        assert "done" == (await gateway.until(top_up))["state"]
        assert gateway.press_key()

    shop.run(7 * 3600, script)


def test_money_that_waits_too_long_is_left_to_two_people_who_read_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The money would lie in the ledger and nobody know that it never came to the meter, or why."""
    monkeypatch.setattr(payments, "TOPPED_UP_WITHIN", timedelta(hours=1))
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(4 * 3600)
        await tell_hold(gateway)
        (top_up,) = (await gateway.paid(M))["orders"]
        order = await gateway.until(top_up)
        assert ("expired", 0) == (order["state"], order["transmissions"])
        assert "safety hold (open wires)" in (await open_work(gateway))["manual"]

    shop.run(6 * 3600, script)


def test_money_comes_to_a_meter_that_is_held_and_has_current(tmp_path: Path) -> None:
    """Whoever is held for another reason and has paid would run into the dark for want of money."""
    shop = inspected_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        await tell_hold(gateway)
        (top_up,) = (await gateway.paid(M))["orders"]
        assert "done" == (await gateway.until(top_up))["state"]

    shop.run(3600, script)
