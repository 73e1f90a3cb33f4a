"""A meter is exchanged, and the roster says so: what was told of its customer, and done to him, is known."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from metersim.works.switch import Command
from tests.sim.test_local_prepayment import Shop
from tests.sim.test_orders_of_a_changed_roster import change
from tests.support import case_stories
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, document, one_meter
from tests.support.rules import chain

M = f"m{ADDRESS}"
NUMBER = "000000000009"
NEW = "m9"


def a_gateway(tmp_path: Path) -> OrderGateway:
    gateway = one_meter(tmp_path)
    gateway.employ("olga", "operator")
    return gateway


async def exchanged(gateway: OrderGateway) -> None:
    """Another meter stands there, under the old address, and the roster says so."""
    gateway.meters[ADDRESS].works.exchange(gateway.now(), meter_number=NUMBER)
    at = time_out(gateway.now())
    answer = await gateway.ask(
        "olga",
        "roster.exchange",
        meter=M,
        new=NEW,
        meter_number=NUMBER,
        address=ADDRESS,
        removed_at=at,
        installed_at=at,
        last={"forward_active_energy": "99999"},
        first={"forward_active_energy": "0"},
    )
    assert "revision" in answer, answer


async def owing(gateway: OrderGateway) -> None:
    """Everything is told of the new meter that must be before a household is cut off."""
    await asyncio.sleep(10)  # its line is built
    kept = chain(gateway.now())
    await gateway.told(*(document(one.record.body, NEW, gateway.number_of(M)) for one in kept))


def test_a_protected_customer_is_protected_at_the_new_meter(tmp_path: Path) -> None:
    """Who lives by a machine would be cut off, because the meter before his door is a new one (CTRL-08)."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        customer = gateway.number_of(M)
        await gateway.told_of_life_support(customer=customer)
        await exchanged(gateway)
        assert "CTRL-08" in await stopping(gateway)
        await gateway.told_of_life_support("x2", customer=customer, meter=NEW, state="lifted")
        assert "CTRL-08" not in await stopping(gateway), "lifted under the new meter"

    gateway.run(seconds=600, meanwhile=script)


def test_an_order_of_the_new_meter_names_a_case_of_the_old_one(tmp_path: Path) -> None:
    """What ends a case that was begun before the exchange would be refused as a slip of the pen."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "case.create", id="c-1", meter=M, reason="arrears")
        await exchanged(gateway)
        order = gateway.order("a-9", OrderKind.ALARM_ON, NEW)
        assert (await gateway.ask("clara", "order.dry_run", order={**order, "case": "c-1"}))["rules"]
        none = await gateway.refused("clara", "order.dry_run", order={**order, "case": "c-2"})
        assert "it has c-1" in str(none)

    gateway.run(seconds=600, meanwhile=script)


async def stopping(gateway: OrderGateway) -> set[str]:
    """The rules that stop a trip of the new meter."""
    order = gateway.order("t-9", OrderKind.TRIP, NEW)
    rules = (await gateway.ask("clara", "order.dry_run", order=order))["rules"]
    return {one["rule"] for one in rules if not one["passed"]}


def test_who_was_cut_off_and_pays_is_reconnected_at_the_new_meter(tmp_path: Path) -> None:
    """A payment would lead to nothing, and nobody know that the customer may be in the dark (CTRL-16)."""
    gateway = a_gateway(tmp_path)

    async def cut_off() -> None:
        await gateway.cut_off(M)
        await exchanged(gateway)

    gateway.run(seconds=600, meanwhile=cut_off)

    async def pays() -> None:
        await gateway.up()
        record = {
            "kind": "payment",
            "id": "p1",
            "sender": "billing",
            "at": time_out(gateway.now()),
            "customer": gateway.number_of(M),
            "amount_cents": 12_000,
            "settles": True,
        }
        (told,) = await gateway.told(record)
        (close,) = told["orders"]
        order = await gateway.ask("clara", "order.show", id=close)
        assert (NEW, "permit_close") == (order["meter"], order["kind"])
        await asyncio.sleep(60)
        order = await gateway.ask("clara", "order.show", id=close)
        assert not order["is_open"]
        found.append([one["rule"] for one in order["steps"][-1]["rules"] if not one["passed"]])

    found: list[list[str]] = []
    gateway.run(seconds=600, meanwhile=pays)
    assert [["NEED-01"]] == found, "the new meter says that its contact is closed: nobody is in the dark"


def test_who_was_cut_off_at_the_old_meter_gets_no_second_case(tmp_path: Path) -> None:
    """Who was cut off would be cut off once more by the debt that he was cut off for (CTRL-21)."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        await exchanged(gateway)
        await owing(gateway)
        refused = await gateway.refused("clara", "case.create", id="c-1", meter=NEW, reason="arrears")
        assert "was cut off already" in str(refused)

    gateway.run(seconds=600, meanwhile=script)


@pytest.mark.parametrize("is_new", [False, True])
def test_who_was_seen_closed_again_can_get_a_case_of_a_later_debt(is_new: bool, tmp_path: Path) -> None:
    """A meter that was closed by hand, or is a new one, could never be in a case again, whatever is owed."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        if is_new:
            await exchanged(gateway)
            await asyncio.sleep(10)
        else:
            gateway.meters[ADDRESS].works.switch.obey(Command(kind="direct_close"), gateway.now())
        meter = NEW if is_new else M
        (close,) = (await gateway.paid(meter))["orders"]
        assert "refused" == (await gateway.until(close))["state"], "it is closed already"
        await asyncio.sleep(60)
        overdue_since = time_out(gateway.now() - timedelta(days=60))
        balance = case_stories.record(
            gateway, "balance_statement", "b9", balance_cents=-500, overdue_since=overdue_since
        )
        await gateway.told({**balance, "meter": meter})
        assert (await gateway.ask("clara", "case.create", id="c-1", meter=meter, reason="arrears"))["is_open"]

    gateway.run(seconds=600, meanwhile=script)


def test_who_was_cut_off_at_the_old_meter_gets_no_case_by_policy(tmp_path: Path) -> None:
    """The next statement of the same debt would begin a second disconnection by itself (CTRL-10)."""
    gateway = case_stories.a_gateway(tmp_path, by_policy=True)
    gateway.employ("olga", "operator")

    async def script() -> None:
        await gateway.up()
        agreement, policy = case_stories.agreed(gateway)
        await gateway.told({**agreement, "until": time_out(gateway.now())})  # billed afterwards by then
        await asyncio.sleep(1)
        await gateway.cut_off(M)
        await exchanged(gateway)
        await change(gateway, meter=NEW, agreement="billing:a2")
        await gateway.told({**agreement, "id": "a2", "meter": NEW})
        await gateway.ask("anna", "evidence.add", records=[policy])
        await gateway.ask("both", "evidence.confirm", id="board:v7")
        await owing(gateway)
        balance = case_stories.record(gateway, "balance_statement", "b7", balance_cents=-12_000)
        readings_until = time_out(gateway.now() - timedelta(hours=6))
        await gateway.told({**balance, "meter": NEW, "readings_until": readings_until})
        assert [] == (await gateway.ask("clara", "case.list"))["cases"]

    gateway.run(seconds=600, meanwhile=script)


def test_money_that_came_into_the_new_meter_reconnects_who_was_cut_off_at_the_old_one(tmp_path: Path) -> None:
    """The wallet would be full and the customer in the dark: nobody looked at the meter before (2.3)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    gateway.employ("olga", "operator")

    async def script() -> None:
        await gateway.cut_off(M)
        await exchanged(gateway)
        # Whoever put it in left it open: the old one was.
        shop.meter.works.switch.obey(Command(kind="trip"), gateway.now())
        (top_up,) = (await gateway.paid(NEW))["orders"]
        assert "done" == (await gateway.until(top_up))["state"]
        orders = (await gateway.ask("clara", "order.list"))["orders"]
        assert [("permit_close", NEW)] == [
            (one["kind"], one["meter"]) for one in orders if one["kind"] == "permit_close"
        ]

    shop.run(600, script)


def test_a_payer_waits_at_the_new_meter_while_the_daemon_runs(tmp_path: Path) -> None:
    """Who paid before the exchange would be forgotten with the meter that has gone (CTRL-16)."""
    gateway = a_gateway(tmp_path)
    station = gateway.meters[ADDRESS].works

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.unplug()
        (close,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(60)
        await exchanged(gateway)
        station.switch.obey(Command(kind="trip"), gateway.now())
        gateway.plugged = True
        await asyncio.sleep(10 * 60)
        orders = (await gateway.ask("clara", "order.list"))["orders"]
        assert NEW in {one["meter"] for one in orders if one["kind"] == "permit_close"}, close

    gateway.run(seconds=3_600, meanwhile=script)
