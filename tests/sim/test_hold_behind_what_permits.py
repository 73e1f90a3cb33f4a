"""An inspector forbids current where money or a guarantee that is done lets the key close."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from meterlink.model.payload import time_out
from tests.sim.test_orders_under_a_hold import dark_shop, inspected, inspected_shop, open_work, tell_hold
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway

M = f"m{ADDRESS}"


async def _told(gateway: OrderGateway, order: str) -> None:
    """The hold answers, alarms and sends somebody, and all of it names the order."""
    (standing,) = (await tell_hold(gateway))["standing"]
    assert (order, "done") == (standing["order"], standing["state"])
    assert "let nobody press the key" in standing["en"]
    assert "禁止按键" in standing["zh"]
    work = await open_work(gateway)
    assert ["secure"] == list(work)
    assert order in work["secure"]
    alarms = (await gateway.ask("david", "alarm.list"))["alarms"]
    (alarm,) = [one for one in alarms if one["rule"] == "CLOSING_UNDER_HOLD"]
    assert f"order:{order}" in alarm["evidence"]


def test_a_hold_behind_a_guarantee_over_an_open_contact_is_told(tmp_path: Path) -> None:
    """The guarantee is done, so nobody would be told, and the key closes behind open wires (fact 5)."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        until, at = time_out(gateway.now() + timedelta(days=3)), time_out(gateway.now())
        work = {"kind": "work_order", "id": "w1", "sender": "desk", "at": at, "meter": M}
        await gateway.ask("david", "evidence.add", records=[{**work, "until": until, "why": "repair"}])
        consent = {"kind": "consent", "id": "c1", "sender": "billing", "at": at, "meter": M}
        await gateway.told({**consent, "form": "written", "until": until})
        order = gateway.order("g-1", "guarantee_on", M, reference="desk:w1")
        await gateway.ask("clara", "order.create", order=order)
        await gateway.ask("anna", "order.approve", id="g-1")
        await gateway.operated("g-1")
        assert "done" == (await gateway.until("g-1"))["state"]
        await _told(gateway, "g-1")
        assert gateway.press_key()

    gateway.run(seconds=3600, meanwhile=script)


def test_a_hold_behind_money_that_came_to_the_dark_is_told(tmp_path: Path) -> None:
    """The money is there, so nobody would be told, and the key closes behind open wires (fact 1)."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(4 * 3600)  # the meter has opened for want of money
        (top_up,) = (await gateway.paid(M))["orders"]
        assert "done" == (await gateway.until(top_up))["state"]
        await _told(gateway, top_up)
        assert gateway.press_key()

    shop.run(7 * 3600, script)


def test_a_hold_behind_money_that_came_to_the_light_disturbs_nobody(tmp_path: Path) -> None:
    """Each hold at a meter with a wallet would raise an alarm, for money of long ago."""
    shop = inspected_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        (top_up,) = (await gateway.paid(M))["orders"]
        assert "done" == (await gateway.until(top_up))["state"]
        assert [] == (await tell_hold(gateway))["standing"]
        assert {} == await open_work(gateway)

    shop.run(3600, script)


def test_a_hold_while_money_is_on_its_way_is_told(tmp_path: Path) -> None:
    """The frame that nobody can call back would let the key close, and nobody be sent there."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(4 * 3600)
        gateway.strikes.then(gateway.unplug)
        (top_up,) = (await gateway.paid(M))["orders"]
        await gateway.until(top_up, "readback", "unconfirmed")
        (standing,) = (await tell_hold(gateway))["standing"]
        assert top_up == standing["order"]
        assert "brings money, by which the meter may close" in (await open_work(gateway))["secure"]

    shop.run(6 * 3600, script)


def test_who_looks_what_an_order_did_reads_the_hold(tmp_path: Path) -> None:
    """Somebody would stand before a meter of which nobody knows anything, and close it behind open wires."""
    gateway = inspected(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.then(gateway.unplug)
        (close,) = (await gateway.paid(M))["orders"]
        assert "unknown" == (await gateway.until(close))["state"]
        gateway.plugged = True
        before = (await open_work(gateway))["unknown_outcome"]
        await tell_hold(gateway)
        work = await open_work(gateway)
        assert f"DO NOT CLOSE, safety hold (open wires). Before: {before}" == work["unknown_outcome"]
        assert "is unknown, and may bring current back" in work["secure"]
        await tell_hold(gateway, "released", "h2")
        assert before == (await open_work(gateway))["unknown_outcome"]

    gateway.run(seconds=27 * 3600, meanwhile=script)
