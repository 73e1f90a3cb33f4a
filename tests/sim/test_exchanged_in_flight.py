"""A meter is exchanged, or taken away, while an order of it is read back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.sim.test_local_prepayment import Shop
from tests.sim.test_orders_after_exchange import NEW, M, a_gateway, exchanged
from tests.sim.test_orders_of_a_changed_roster import change
from tests.support.order_gateway import OrderGateway


async def work(gateway: OrderGateway) -> set[tuple[str, str]]:
    """Kind and order of what is to be done."""
    items = (await gateway.ask("david", "work.list"))["items"]
    return {(one["kind"], one["order"]) for one in items}


async def tripped_and_read_back(gateway: OrderGateway) -> None:
    """A trip has left, and nobody knows yet what came of it."""
    await gateway.up()
    await gateway.told_for_trip(M)
    await gateway.trip("t-1", M)
    await gateway.until("t-1", "readback")


def test_a_top_up_in_flight_ends_unknown_and_takes_two_people(tmp_path: Path) -> None:
    """The money would be on its way for ever, and one person alone say what became of it (TOP-05)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    gateway.employ("olga", "operator")
    gateway.strikes.then(gateway.unplug)

    async def script() -> None:
        await gateway.up()
        (name,) = (await gateway.paid(M))["orders"]
        await gateway.until(name, "readback")
        await exchanged(gateway)
        assert "unknown" == (await gateway.until(name))["state"]
        assert {("manual", name)} == await work(gateway)
        await gateway.ask("david", "order.find", id=name, finding="done", evidence="read in the store")
        day = await shop.reconciled()
        assert [(12_000, ["billing:p1"])] == [(one["gap_cents"], one["waiting"]) for one in day["channels"]]

    shop.run(120, script)


def test_who_paid_for_a_trip_in_flight_is_reconnected_at_the_new_meter(tmp_path: Path) -> None:
    """Who paid would stay in the dark behind an order that is read back for ever (CTRL-16)."""
    gateway = a_gateway(tmp_path)
    gateway.strikes.then(gateway.unplug)

    async def script() -> None:
        await tripped_and_read_back(gateway)
        await gateway.paid(M)
        await exchanged(gateway)
        assert "unknown" == (await gateway.until("t-1"))["state"]
        orders = (await gateway.ask("clara", "order.list", all=True))["orders"]
        assert [(NEW, "permit_close")] == [(o["meter"], o["kind"]) for o in orders if o["id"] != "t-1"]
        assert ("unknown_outcome", "t-1") in await work(gateway)

    gateway.run(seconds=120, meanwhile=script)


def test_an_order_in_flight_at_a_meter_that_goes_is_unknown_after_a_day(tmp_path: Path) -> None:
    """Nobody could say what became of it, for an order that is open takes no finding (decision 21)."""
    gateway = a_gateway(tmp_path)
    gateway.strikes.then(gateway.unplug)

    async def script() -> None:
        await tripped_and_read_back(gateway)
        await change(gateway, in_service_until=gateway.now().isoformat())
        await asyncio.sleep(23 * 3600)
        assert "readback" == (await gateway.ask("clara", "order.show", id="t-1"))["state"]
        assert {("unknown_outcome", "t-1")} == await work(gateway)
        await asyncio.sleep(3600 + 900)
        assert "unknown" == (await gateway.ask("clara", "order.show", id="t-1"))["state"]
        await gateway.ask("david", "order.find", id="t-1", finding="done", evidence="it is open")

    gateway.run(seconds=25 * 3600, meanwhile=script)
