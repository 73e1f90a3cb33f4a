"""Who was cut off and owes nothing waits until current is seen, whatever orders and items have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from meterlink.model.payload import time_out
from metersim.works.switch import Command
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
LATE = ["RECONNECT_LATE_1", "RECONNECT_LATE_2"]


async def work(gateway: OrderGateway) -> list[tuple[str, str]]:
    """The open work items: kind and order."""
    items = (await gateway.ask("david", "work.list"))["items"]
    return [(item["kind"], item["order"]) for item in items]


async def alarms(gateway: OrderGateway) -> list[str]:
    """The rules of the open alarms, once each."""
    return sorted({one["rule"] for one in (await gateway.ask("david", "alarm.list"))["alarms"]})


def stopping(order: Mapping[str, Any]) -> list[str]:
    """The rules that refused an order."""
    return [rule["rule"] for rule in order["steps"][-1]["rules"] if not rule["passed"]]


async def held(gateway: OrderGateway, name: str, state: str) -> None:
    """An inspector sets or releases a hold."""
    record = {
        "kind": "safety_hold",
        "id": name,
        "sender": "ines",
        "at": time_out(gateway.now()),
        "hold": "h",
        "meter": M,
        "why": "danger",
        "state": state,
    }
    (told,) = (await gateway.ask("ines", "evidence.add", records=[record]))["records"]
    assert told["is_new"]


def test_a_payer_who_is_held_back_is_not_forgotten(tmp_path: Path) -> None:
    """A hold that nobody releases would keep a payer in the dark, and no alarm would tell (2.2, HELD)."""
    gateway = one_meter(tmp_path)
    gateway.employ("ines", "inspector")

    async def script() -> None:
        await gateway.cut_off(M)
        await held(gateway, "h1", "set")
        (close,) = (await gateway.paid(M))["orders"]
        assert ["HOLD-01"] == stopping(await gateway.until(close))
        assert [("hold", close)] == await work(gateway)
        await asyncio.sleep(23.9 * 3600)
        assert "RECONNECT_LATE_2" not in await alarms(gateway)
        await asyncio.sleep(0.2 * 3600)
        assert LATE == await alarms(gateway)

    gateway.run(seconds=25 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_released_hold_starts_the_reconnection_again(tmp_path: Path) -> None:
    """An inspector who says that all is safe would bring nobody current: the order has ended (2.2)."""
    gateway = one_meter(tmp_path)
    gateway.employ("ines", "inspector")

    async def script() -> None:
        await gateway.cut_off(M)
        await held(gateway, "h1", "set")
        (first,) = (await gateway.paid(M))["orders"]
        await gateway.until(first)
        await asyncio.sleep(3600)
        await held(gateway, "h2", "released")
        await asyncio.sleep(70)
        (close,) = (await gateway.ask("clara", "order.list", meter=M))["orders"]
        assert (True, "billing:p1") == (close["id"] != first, close["payment"])
        await gateway.until(close["id"], "waiting_for_key")
        assert gateway.press_key()
        await gateway.until(close["id"])
        await asyncio.sleep(25 * 3600)
        assert ["RECONNECT_LATE_1"] == await alarms(gateway), "the clocks end with the light"

    gateway.run(seconds=28 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_a_payer_whose_meter_is_to_be_replaced_is_not_forgotten(tmp_path: Path) -> None:
    """A meter in doubt gets no closing, and the family behind it would be on nobody's list (CTRL-12, 16)."""
    gateway = one_meter(tmp_path)
    gateway.run(seconds=600, meanwhile=lambda: gateway.cut_off(M))
    keys = gateway.meter_keys[ADDRESS]
    gateway.meter_keys = {ADDRESS: {**keys, "pending_replacement": True}}

    async def script() -> None:
        await gateway.up()
        (close,) = (await gateway.paid(M))["orders"]
        assert ["CTRL-12"] == stopping(await gateway.until(close))
        await asyncio.sleep(25 * 3600)
        assert LATE == await alarms(gateway)

    gateway.apply_roster()
    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


async def nobody_at_home(gateway: OrderGateway) -> None:
    """Who was cut off pays, his meter is silent, and whoever was sent there closes the work with a note."""
    await gateway.cut_off_and_unplugged(M)
    (close,) = (await gateway.paid(M))["orders"]
    await gateway.until(close)
    await gateway.ask("david", "work.close", item=f"field_order:{close}", why="nobody at home")


def test_who_closes_the_work_has_brought_nobody_current(tmp_path: Path) -> None:
    """A note that nobody was at home would end the clocks of a household that paid (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await nobody_at_home(gateway)
        await asyncio.sleep(25 * 3600)
        assert [] == await work(gateway)
        assert LATE == await alarms(gateway)

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_the_clocks_go_on_behind_a_restart(tmp_path: Path) -> None:
    """A restart would forget who is in the dark, once the orders and the work of it have ended."""
    gateway = one_meter(tmp_path)

    async def again() -> None:
        await gateway.up()
        await asyncio.sleep(25 * 3600)
        assert LATE == await alarms(gateway)

    gateway.run(seconds=3600, meanwhile=lambda: nobody_at_home(gateway))
    gateway.run(seconds=26 * 3600, meanwhile=again)
    assert ["trip"] == gateway.obeyed()


def test_a_meter_that_shows_itself_closed_ends_the_wait(tmp_path: Path) -> None:
    """Field staff who closed with a handheld would leave an alarm for a house with light (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        (first,) = (await gateway.paid(M))["orders"]
        await gateway.until(first)
        handheld = Command(kind="permit_close", came_by="645")
        gateway.meters[ADDRESS].works.switch.obey(handheld, gateway.sim.clock.utc_now())
        assert gateway.press_key()
        gateway.plugged = True
        await asyncio.sleep(60)
        order = {**gateway.order("f-1", "permit_close", M), "payment": "billing:p1"}
        await gateway.ask("clara", "order.create", order=order)
        await gateway.operated("f-1")
        assert ["NEED-01"] == stopping(await gateway.until("f-1"))
        await asyncio.sleep(25 * 3600)
        assert ["RECONNECT_LATE_1"] == await alarms(gateway)

    gateway.run(seconds=27 * 3600, meanwhile=script)


async def stated(gateway: OrderGateway, name: str, cents: int, ago_h: int = 0) -> None:
    """The billing system says how the account stands, or stood some hours ago."""
    at = time_out(gateway.now() - timedelta(hours=ago_h))
    statement = {"kind": "balance_statement", "id": name, "sender": "billing", "at": at, "meter": M}
    debt = {"overdue_since": time_out(gateway.now() - timedelta(days=60))} if cents < 0 else {}
    await gateway.told({**statement, "balance_cents": cents, **debt})


async def disputed(gateway: OrderGateway, state: str) -> None:
    """The customer contests the debt, or that ended."""
    dispute = {"kind": "dispute", "sender": "billing", "dispute": "d", "meter": M}
    await gateway.told({**dispute, "id": f"d-{state}", "state": state, "at": time_out(gateway.now())})


async def newest_close(gateway: OrderGateway) -> Mapping[str, Any]:
    """The only reconnection that is open."""
    orders = (await gateway.ask("clara", "order.list", meter=M))["orders"]
    (close,) = [one for one in orders if one["id"].startswith("pay-close")]
    return dict(close)


def test_who_paid_in_parts_is_reconnected(tmp_path: Path) -> None:
    """A debt that no single payment settles would be paid, and its household stay in the dark (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        for name in ("p1", "p2"):
            assert [] == (await gateway.paid(M, name, settles=False, amount_cents=6_000))["orders"]
        await stated(gateway, "b0", 0)
        await asyncio.sleep(70)
        close = await newest_close(gateway)
        assert ("", "billing:b0", "nothing is owed: billing:b0") == (
            close["payment"],
            close["reference"],
            close["reason"],
        )
        await gateway.until(close["id"], "waiting_for_key")
        assert gateway.press_key()
        assert "done" == (await gateway.until(close["id"]))["state"]
        await stated(gateway, "b1", 0)
        await asyncio.sleep(3600)
        assert [] == [*await work(gateway), *await alarms(gateway)]

    gateway.run(seconds=2 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_whose_dispute_is_upheld_is_reconnected(tmp_path: Path) -> None:
    """A household that was cut off for what it did not owe would stay in the dark, on nobody's list (2.2)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        await disputed(gateway, "opened")
        await asyncio.sleep(70)
        assert [] == (await gateway.ask("clara", "order.list", meter=M))["orders"]
        await disputed(gateway, "upheld")
        await asyncio.sleep(70)
        close = await newest_close(gateway)
        assert "billing:d-upheld" == close["reference"]
        await gateway.until(close["id"], "waiting_for_key")

    gateway.run(seconds=600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_who_owes_nothing_at_a_silent_meter_is_not_forgotten(tmp_path: Path) -> None:
    """The clocks would run for payments only, and a wrong trip be nobody's matter (CTRL-16, CTRL-17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await disputed(gateway, "upheld")
        await asyncio.sleep(70)
        close = await newest_close(gateway)
        await asyncio.sleep(3600)
        assert [("field_order", close["id"])] == await work(gateway)
        await asyncio.sleep(24 * 3600)
        assert LATE == await alarms(gateway)

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_nothing_closes_while_the_trip_is_read_back(tmp_path: Path) -> None:
    """A closing would leave blindly for a meter of which nobody knows how it stands."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await gateway.until("t-1", "accepted", "readback")
        gateway.unplug()
        await asyncio.sleep(1)
        await stated(gateway, "b0", 0)
        await asyncio.sleep(31 * 60)
        assert "readback" == (await gateway.ask("clara", "order.show", id="t-1"))["state"]
        (order,) = (await gateway.ask("clara", "order.list", meter=M))["orders"]
        assert "t-1" == order["id"], "there is no closing"
        assert [("field_order", "t-1")] == await work(gateway)
        item = await gateway.ask("david", "work.show", item="field_order:t-1")
        assert item["why"].startswith("nothing owed (billing:b0) more than 30 minutes ago")
        gateway.plugged = True
        await gateway.until("t-1")
        await asyncio.sleep(70)
        await gateway.until((await newest_close(gateway))["id"], "waiting_for_key")

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_an_old_balance_reconnects_nobody(tmp_path: Path) -> None:
    """A statement of last week that comes late would reconnect who owes, or send somebody there in vain."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        await stated(gateway, "b0", 0, ago_h=100)
        await asyncio.sleep(3600)
        assert [] == (await gateway.ask("clara", "order.list", meter=M))["orders"]
        assert [] == [*await work(gateway), *await alarms(gateway)]

    gateway.run(seconds=2 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_who_owes_again_waits_no_longer(tmp_path: Path) -> None:
    """A balance that was corrected at once would stay an alarm, or reconnect who owes."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await stated(gateway, "b0", 0)
        await stated(gateway, "b1", -12_000)
        await asyncio.sleep(25 * 3600)
        assert [] == [*await work(gateway), *await alarms(gateway)]

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()
