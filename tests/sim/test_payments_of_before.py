"""A payment acts on what was before it, whenever it is told or found again, and on nothing later."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.judging.judge import Stopped
from meterlink.orders.paid.payments import Payments
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"


async def orders_of(gateway: OrderGateway) -> dict[str, str]:
    """Where each order of the meter stands."""
    listed = await gateway.ask("clara", "order.list", meter=M, all=True)
    return {one["id"]: one["state"] for one in listed["orders"]}


def test_a_payment_of_before_the_trip_does_nothing_after_it(tmp_path: Path) -> None:
    """A restart, or the same record told again, would start machines of one who has not paid (CTRL-16)."""
    gateway = one_meter(tmp_path)
    consent = {"kind": "consent", "id": "c1", "sender": "billing", "meter": M, "form": "written"}
    old = ""

    async def before() -> None:
        nonlocal old
        await gateway.up()
        old = time_out(gateway.now() - timedelta(days=20))
        await gateway.paid(M, "old", at=old)
        await gateway.told({**consent, "at": old})
        await asyncio.sleep(5)
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        assert "done" == (await gateway.until("t-1"))["state"]
        assert [] == (await gateway.paid(M, "old", at=old))["orders"]
        close = gateway.order("c-1", OrderKind.PERMIT_CLOSE, M, payment="billing:old")
        error = await gateway.refused("clara", "order.create", order=close)
        assert isinstance(error, Stopped) and "CTRL-16" in str(error)

    async def after() -> None:
        await gateway.up()
        assert {"t-1": "done"} == await orders_of(gateway)
        (close,) = (await gateway.paid(M, "new"))["orders"]
        assert "done" == (await gateway.until(close))["state"]

    gateway.run(seconds=60, meanwhile=before)
    gateway.run(seconds=60, meanwhile=after)
    assert ["trip", "direct_close"] == gateway.obeyed()


def test_a_restart_cancels_the_trips_that_were_ordered_before_a_payment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payer would be cut off after a crash, or nobody who paid a part this month (CTRL-21)."""
    gateway = one_meter(tmp_path)

    async def dies(*_: object) -> list[str]:
        raise ConnectionError("the power fails")

    async def authorised(name: str) -> None:
        await gateway.ask("clara", "order.create", order=gateway.order(name, OrderKind.TRIP, M))
        await gateway.ask("anna", "order.approve", id=name)

    async def ordered_after() -> None:
        await gateway.up()
        await gateway.paid(M, "part", settles=False, at=time_out(gateway.now() - timedelta(hours=3)))
        await asyncio.sleep(5)
        await gateway.told_for_trip(M)
        await authorised("t-1")

    async def ordered_before() -> None:
        await gateway.up()
        assert {"t-1": "authorised"} == await orders_of(gateway)
        with monkeypatch.context() as patched, pytest.raises(ConnectionError):
            patched.setattr(Payments, "paid", dies)  # the record is kept, and then the power fails
            await gateway.paid(M)

    async def found_again() -> None:
        await gateway.up()
        assert {"t-1": "cancelled"} == await orders_of(gateway)

    for script in (ordered_after, ordered_before, found_again):
        gateway.run(seconds=30, meanwhile=script)
    assert [] == gateway.obeyed()
