"""A permit may wait a day for its key, and a closing be read back as long: nothing else waits behind them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.orders.life.switch_facts import SwitchFacts
from tests.sim.test_local_prepayment import M, Shop
from tests.sim.test_payments_of_before import orders_of
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import Proved, one_meter

BLIND = Proved(
    SwitchFacts(command_at_once=True, waits_for_key=True, expiry_obeyed=True, known={"command_bit": "none"})
)
"""A model of which nobody knows where the command stands: a permit at it is read back for a day."""
SOON = timedelta(minutes=15)


async def _closing_is(shop: Shop, state: str) -> str:
    """Somebody is cut off and pays, and the closing behind his money stands so."""
    gateway = shop.gateway
    await gateway.cut_off(M)
    (money,) = (await gateway.paid(M, "p1"))["orders"]
    assert "done" == (await gateway.until(money))["state"]
    (close,) = set(await orders_of(gateway)) - {"t-1", money}
    await gateway.until(close, state)
    await asyncio.sleep(60)
    return str(close)


async def _paid_soon(shop: Shop) -> str:
    """He pays once more, and the money is in the meter."""
    gateway = shop.gateway
    (money,) = (await gateway.paid(M, "p2"))["orders"]
    since = gateway.now()
    order: Any = await gateway.until(money)
    assert ("done", True) == (order["state"], gateway.now() - since < SOON)
    return str(money)


def test_money_does_not_wait_until_somebody_presses_the_key(tmp_path: Path) -> None:
    """Who pays once more before he presses the key waited a day for his money, and then it was too late."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        close = await _closing_is(shop, "waiting_for_key")
        money = await _paid_soon(shop)
        orders = await orders_of(gateway)
        assert ("waiting_for_key", "done") == (orders[close], orders[money])
        assert gateway.press_key()
        assert "done" == (await gateway.until(close))["state"]
        await asyncio.sleep(3600)
        assert 4 == len(await orders_of(gateway)), "one permit is enough"
        assert [] == (await gateway.ask("david", "work.list"))["items"]

    shop.run(3 * 3600, script)
    assert ["trip", "top_up", "permit_close", "top_up"] == gateway.obeyed()


def test_a_key_that_nobody_presses_ends_the_day_with_one_field_order(tmp_path: Path) -> None:
    """Money behind a permit would end the wait, or send two people to one house (CTRL-17)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        close = await _closing_is(shop, "waiting_for_key")
        await _paid_soon(shop)
        await asyncio.sleep(26 * 3600)
        items = (await gateway.ask("david", "work.list"))["items"]
        assert [close] == [one["order"] for one in items if one["kind"] == "field_order"]

    shop.run(28 * 3600, script)
    assert ["trip", "top_up", "permit_close", "top_up"] == gateway.obeyed()


def test_money_does_not_wait_for_a_closing_that_is_read_back(tmp_path: Path) -> None:
    """A closing of which nobody can tell kept the money out of the meter for a day."""
    shop = Shop(tmp_path, proved=BLIND)

    async def script() -> None:
        close = await _closing_is(shop, "readback")
        await _paid_soon(shop)
        assert "readback" == (await orders_of(shop.gateway))[close]

    shop.run(3600, script)
    assert ["trip", "top_up", "permit_close", "top_up"] == shop.gateway.obeyed()


@pytest.mark.parametrize("is_pressed", [False, True])
def test_the_end_of_an_alarm_does_not_wait_for_the_key(tmp_path: Path, is_pressed: bool) -> None:
    """Who paid would be warned until he presses it; or the key be taken for what the alarm did (fact 8)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.warned_and_cut_off(M)
        gateway.strikes.then(lambda: None)  # the permit
        if is_pressed:
            gateway.strikes.then(lambda: pressed.append(gateway.press_key()))
        await gateway.paid(M)
        await asyncio.sleep(120)
        ended = sorted((await orders_of(gateway)).values())
        assert ["done", "done", "done", "done" if is_pressed else "waiting_for_key"] == ended
        assert [] == (await gateway.ask("david", "alarm.list"))["alarms"]

    pressed: list[bool] = []
    gateway.run(seconds=3600, meanwhile=script)
    assert ["alarm_on", "trip", "permit_close", "alarm_off"] == gateway.obeyed()
    assert ([True] if is_pressed else []) == pressed
    assert not gateway.meters[ADDRESS].works.switch.alarm
