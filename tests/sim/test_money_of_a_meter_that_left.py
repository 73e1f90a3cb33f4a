"""The money of a day is that of the wallets that there were on that day, whatever became of their meters."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from tests.sim.test_local_prepayment import DAY, M, Shop, alarms, nights
from tests.sim.test_orders_of_a_changed_roster import change
from tests.support.order_gateway import one_meter


def test_money_of_a_meter_that_has_left_is_still_to_be_cleared(tmp_path: Path) -> None:
    """Who takes a meter out of the roster would make its money vanish, and the day agree (TOP-06)."""
    shop = Shop(tmp_path, start=datetime(2026, 11, 24, 14, 0, tzinfo=UTC))
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        gateway.employ("olga", "operator")
        gateway.unplug()
        (top_up,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(60)
        before = await shop.reconciled()
        await change(gateway, in_service_until=gateway.now().isoformat())
        await gateway.until(top_up)
        after = await shop.reconciled()
        assert before["channels"] == after["channels"]
        assert ([12_000], False) == ([one["gap_cents"] for one in after["channels"]], after["agrees"])
        await asyncio.sleep(3 * 3600)
        assert {"CHANNEL_GAP"} == await alarms(gateway), "the night tells it, with no wallet left here"

    with capture_logs() as logs:
        shop.run(4 * 3600, script)
    assert [DAY] == nights(logs)


def test_money_that_came_before_its_meter_left_is_settled(tmp_path: Path) -> None:
    """The last day of each meter would never agree, although its money is where it was paid for."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        gateway.employ("olga", "operator")
        (top_up,) = (await gateway.paid(M))["orders"]
        assert "done" == (await gateway.until(top_up))["state"]
        await change(gateway, in_service_until=gateway.now().isoformat())
        await asyncio.sleep(60)
        after = await shop.reconciled()
        assert ([12_000], True) == ([one["settled_cents"] for one in after["channels"]], after["agrees"])

    shop.run(600, script)


def test_a_gateway_without_wallets_compares_no_nights(tmp_path: Path) -> None:
    """Money for the account of the head-end would stand there each night as missing."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.paid(M)
        assert [] == (await gateway.ask("billing", "reconcile", day=DAY))["channels"]
        await asyncio.sleep(20 * 3600)

    with capture_logs() as logs:
        gateway.run(seconds=21 * 3600, meanwhile=script)
    assert [] == nights(logs)
