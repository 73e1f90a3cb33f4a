"""Whose balance is not below 0 again, or whose dispute is upheld, is warned no longer (ARR-06)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from meterlink.orders.paid import unowed
from tests.sim.test_payments_of_before import orders_of
from tests.sim.test_waiting_for_current import disputed, stated
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
LOOKED_AT_S = 70


def _is_on(gateway: OrderGateway) -> bool:
    return bool(gateway.meters[ADDRESS].works.switch.alarm)


async def _warned(gateway: OrderGateway, *cents: int) -> None:
    """An alarm is on, behind such balances."""
    await gateway.up()
    for number, one in enumerate(cents):
        await stated(gateway, f"a{number}", one)
    await gateway.ask("clara", "order.create", order=gateway.order("a-1", "alarm_on", M))
    await gateway.operated("a-1")
    assert "done" == (await gateway.until("a-1"))["state"]


async def _ended(gateway: OrderGateway) -> str:
    """The record for which the only other order has ended the alarm."""
    (off,) = set(await orders_of(gateway)) - {"a-1"}
    order = await gateway.until(off)
    assert ("alarm_off", "done", "") == (order["kind"], order["state"], order["payment"])
    return str(order["reference"])


@pytest.mark.parametrize("before", [(-12_000,), ()])
def test_a_balance_that_is_not_below_0_again_ends_the_alarm_once(
    tmp_path: Path, before: tuple[int, ...]
) -> None:
    """Who paid in parts would be warned for ever; or each statement would bring an order of its own."""
    gateway = one_meter(tmp_path)

    async def first() -> None:
        await _warned(gateway, *before)
        await stated(gateway, "b-owed", -1)
        await asyncio.sleep(LOOKED_AT_S)
        assert {"a-1": "done"} == await orders_of(gateway)
        await stated(gateway, "b0", 0)
        await stated(gateway, "b1", 500)
        await asyncio.sleep(LOOKED_AT_S)
        assert "billing:b0" == await _ended(gateway)
        await stated(gateway, "b2", 700)
        await asyncio.sleep(LOOKED_AT_S)
        await gateway.paid(M)

    async def again() -> None:
        await gateway.up()
        await asyncio.sleep(LOOKED_AT_S)
        assert "billing:b0" == await _ended(gateway)

    for script in (first, again):
        gateway.run(seconds=600, meanwhile=script)
    assert (["alarm_on", "alarm_off"], False) == (gateway.obeyed(), _is_on(gateway))


def test_a_dispute_that_is_upheld_ends_the_alarm(tmp_path: Path) -> None:
    """A household that was warned for what it did not owe would be warned on."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _warned(gateway, -12_000)
        await disputed(gateway, "opened")
        await asyncio.sleep(LOOKED_AT_S)
        assert {"a-1": "done"} == await orders_of(gateway)
        await disputed(gateway, "upheld")
        await asyncio.sleep(LOOKED_AT_S)
        assert "billing:d-upheld" == await _ended(gateway)

    gateway.run(seconds=600, meanwhile=script)
    assert (["alarm_on", "alarm_off"], False) == (gateway.obeyed(), _is_on(gateway))


def test_who_is_warned_that_little_is_left_is_warned_on(tmp_path: Path) -> None:
    """Each morning's statement would switch an alarm off that is not for arrears (ARR-02)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _warned(gateway, -12_000, 1_500)
        await stated(gateway, "b1", 1_400)
        await stated(gateway, "b-old", -5, ago_h=100)
        await asyncio.sleep(LOOKED_AT_S)
        assert {"a-1": "done"} == await orders_of(gateway)
        await stated(gateway, "b2", -1)
        await stated(gateway, "b3", 900)
        await asyncio.sleep(LOOKED_AT_S)
        assert "billing:b3" == await _ended(gateway)

    gateway.run(seconds=600, meanwhile=script)
    assert ["alarm_on", "alarm_off"] == gateway.obeyed()


def test_an_alarm_that_waits_for_its_line_is_cancelled_by_a_balance(tmp_path: Path) -> None:
    """A meter would begin to warn a household that owes nothing any more."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await stated(gateway, "a0", -12_000)
        for name in ("a-1", "a-2"):
            await gateway.ask("clara", "order.create", order=gateway.order(name, "alarm_on", M))
        gateway.unplug()
        await asyncio.sleep(1)
        await gateway.operated("a-1")
        await asyncio.sleep(5)
        await stated(gateway, "b0", 0)
        await asyncio.sleep(LOOKED_AT_S)
        assert {"a-1": "cancelled", "a-2": "authorised"} == await orders_of(gateway)

    gateway.run(seconds=600, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_payment_behind_a_balance_brings_no_second_order(tmp_path: Path) -> None:
    """The alarm of one household would be ended by two orders at once, the second of which is refused."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _warned(gateway, -12_000)
        gateway.unplug()
        await asyncio.sleep(1)
        await stated(gateway, "b0", 0)
        await asyncio.sleep(LOOKED_AT_S)
        (off,) = set(await orders_of(gateway)) - {"a-1"}
        assert [off] == (await gateway.paid(M))["orders"]
        gateway.plugged = True
        assert "billing:b0" == await _ended(gateway)
        await asyncio.sleep(LOOKED_AT_S)
        assert 2 == len(await orders_of(gateway))

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert ["alarm_on", "alarm_off"] == gateway.obeyed()


def test_where_too_many_end_at_once_the_others_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first start on an old log would fill the room of payments, or forget whoever found none."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _warned(gateway, -12_000)
        monkeypatch.setattr(unowed, "OPEN_AT_ONCE", 0)
        await stated(gateway, "b0", 0)
        await asyncio.sleep(3 * LOOKED_AT_S)
        assert {"a-1": "done"} == await orders_of(gateway)
        monkeypatch.setattr(unowed, "OPEN_AT_ONCE", 1)
        await asyncio.sleep(LOOKED_AT_S)
        assert "billing:b0" == await _ended(gateway)

    gateway.run(seconds=3600, meanwhile=script)
    assert not _is_on(gateway)
