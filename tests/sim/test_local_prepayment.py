"""The world in which the wallet is in the meter: a payment becomes a top-up, and the day is reconciled."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.errors import NotEntitled
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.paid.payments import Payments
from metersim import Station
from metersim.security.provider import LabProvider
from tests.sim.test_orders_of_a_changed_roster import change
from tests.support.adapters import Behaviour, Program
from tests.support.control_bench import ADDRESS, CUSTOMER, NUMBER, a_meter, a_shop
from tests.support.head_end645 import HeadEnd
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"
DAY = "2026-11-24"


class Shop:
    """A gateway with one prepayment meter and the laboratory's provider.

    Attributes:
        behaviour: what the provider does about a request; ``None``: as a laboratory does.
        asked: operations that came to it.

    """

    def __init__(
        self, folder: Path, *, meter: Any = None, model: str = "generic-local-prepayment", **more: Any
    ) -> None:
        self.meter = meter or a_shop()
        self.behaviour: Behaviour | None = None
        self.asked: list[str] = []
        keys = {
            "security": "lab",
            "control_password": None,
            "allow_plaintext_control": False,
        }
        self.gateway = OrderGateway(
            folder,
            [Station(meter=self.meter)],
            keys={ADDRESS: keys},
            model=model,
            tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
            provider=lambda group: Program(group, self._behave, name="lab").open,
            **more,
        )

    async def _behave(self, program: Program, request: dict[str, Any]) -> None:
        self.asked.append(request["op"])
        await (self.behaviour or Program.answer)(program, request)

    def run(self, seconds: float, script: Callable[[], Awaitable[None]]) -> None:
        """Run the gateway and the provider beside it."""
        self.gateway.run(seconds=seconds, meanwhile=script)

    async def reconciled(self, day: str = DAY) -> Mapping[str, Any]:
        """The comparison of a day."""
        return await self.gateway.ask("billing", "reconcile", day=day)

    async def stated(self, cents: int, name: str, ago: timedelta = timedelta()) -> None:
        """The head-end's ledger says what should be in the meter."""
        await self.gateway.told(
            {
                "kind": "balance_statement",
                "id": name,
                "sender": "billing",
                "at": time_out(self.gateway.now() - ago),
                "meter": M,
                "balance_cents": cents,
            }
        )


@pytest.mark.parametrize("day", ["2026-11-23", "2000-01-01"])
def test_a_day_before_the_log_agrees_with_nothing(tmp_path: Path, day: str) -> None:
    """Whoever mistypes a day, or moved to another journal, would hear that all money of that day is there."""
    shop = Shop(tmp_path)

    async def script() -> None:
        await shop.gateway.up()
        found = await shop.gateway.ask("billing", "reconcile", day=day)
        assert (False, False) == (found["is_whole"], found["agrees"])
        assert (await shop.reconciled())["is_whole"]

    shop.run(30, script)


def test_a_payment_ahead_of_midnight_is_of_one_day(tmp_path: Path) -> None:
    """Money that a sender's clock puts into the next day would be on neither, and both agree (TOP-06)."""
    shop = Shop(tmp_path, start=datetime(2026, 11, 24, 15, 56, tzinfo=UTC))

    async def script() -> None:
        await shop.gateway.up()
        ahead = shop.gateway.now() + timedelta(minutes=4, seconds=30)
        (order,) = (await shop.gateway.paid(M, at=time_out(ahead)))["orders"]
        await shop.gateway.until(order)
        await asyncio.sleep(300)
        found = [(await shop.reconciled(day))["channels"] for day in (DAY, "2026-11-25")]
        assert ([], [12_000]) == (found[0], [one["settled_cents"] for one in found[1]])

    shop.run(600, script)


def test_a_night_that_the_daemon_was_down_is_made_up_for(tmp_path: Path) -> None:
    """Nobody would compare the day before, and a wallet that lost money be found a day later (TOP-08)."""
    shop = Shop(tmp_path, start=datetime(2026, 11, 23, 15, 59, tzinfo=UTC))
    with capture_logs() as logs:
        shop.run(60, shop.gateway.up)
        shop.gateway.clock.ahead = timedelta(minutes=50)
        shop.run(3 * 3600, shop.gateway.up)
    assert ["2026-11-23"] == nights(logs)


def test_a_wallet_of_later_is_compared_in_its_first_night(tmp_path: Path) -> None:
    """The meters of a gateway that began without a wallet would never be compared (TOP-08)."""
    shop = Shop(
        tmp_path, model="generic-remote-cost-control", start=datetime(2026, 11, 23, 15, 50, tzinfo=UTC)
    )

    async def script() -> None:
        await shop.gateway.up()
        shop.gateway.employ("olga", "operator")
        await change(shop.gateway, model="generic-local-prepayment")

    with capture_logs() as logs:
        shop.run(3600, script)
    assert ["2026-11-23"] == nights(logs)


def test_a_ledger_of_two_days_ago_counts_no_more(tmp_path: Path) -> None:
    """A statement that nobody renews would be compared with wallets for ever (decision 25)."""
    shop = Shop(tmp_path)

    async def script() -> None:
        await shop.gateway.up()
        for ago, verdict, cents in (
            (timedelta(days=2, seconds=60), "unknown", None),
            (timedelta(days=2, seconds=-60), "drift", 1),
        ):
            await shop.stated(1, f"b{ago.seconds}", ago)
            (money,) = (await shop.reconciled())["meters"]
            assert (verdict, cents) == (money["verdict"], money["ledger_cents"])

    shop.run(30, script)


def test_what_was_paid_into_an_account_fills_no_wallet_of_later(tmp_path: Path) -> None:
    """The money of a month would be in the account, and once more in the wallet (TOP-01)."""
    shop = Shop(tmp_path, model="generic-remote-cost-control")
    gateway = shop.gateway
    at = time_out(gateway.now())

    async def script() -> None:
        await gateway.up()
        gateway.employ("olga", "operator")
        await gateway.paid(M, at=at)
        await change(gateway, model="generic-local-prepayment")

    async def again() -> None:
        await gateway.up()
        assert [] == (await gateway.paid(M, at=at))["orders"]
        (top_up,) = (await gateway.paid(M, "p2"))["orders"]
        assert "done" == (await gateway.until(top_up))["state"]
        (channel,) = (await shop.reconciled())["channels"]
        assert (12_000, []) == (channel["received_cents"], channel["waiting"]), "the other is in the account"

    shop.run(60, script)
    shop.run(120, again)
    assert ["top_up"] == gateway.obeyed()


def test_who_paid_into_the_account_is_reconnected_though_the_meter_got_a_wallet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His money is in no wallet and comes into none, and he would wait in the dark for it (CTRL-16)."""
    shop = Shop(tmp_path, model="generic-remote-cost-control")
    gateway = shop.gateway

    async def nothing(*_: object) -> None:
        """The program dies between the payment and its order."""

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.employ("olga", "operator")
        with monkeypatch.context() as patch:
            patch.setattr(Payments, "_follow", nothing)
            assert [] == (await gateway.paid(M))["orders"]
        await change(gateway, model="generic-local-prepayment")

    shop.run(120, script)
    shop.run(120, gateway.up)
    assert ["trip", "permit_close"] == gateway.obeyed()


@pytest.mark.parametrize("transfer", ["", "20261124-7"])
def test_another_sender_s_word_brings_no_money_out_of_the_account(tmp_path: Path, transfer: str) -> None:
    """The bank's word of yesterday's payment would fill the wallet with what is in the account (TOP-01)."""
    shop = Shop(tmp_path, model="generic-remote-cost-control")
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        gateway.employ("olga", "operator")
        await gateway.paid(M, transfer=transfer)
        await change(gateway, model="generic-local-prepayment")

    async def again() -> None:
        await gateway.up()
        orders = (await gateway.paid(M, "b-7", sender="bank", transfer=transfer))["orders"]
        for order in orders:
            assert "refused" == (await gateway.until(order))["state"]
        by_hand = gateway.order("o-1", OrderKind.TOP_UP, M, payment="bank:b-7", amount_cents=12_000)
        error = await gateway.refused("clara", "order.create", order=by_hand)
        assert "TOP-01" in str(error), "nor by a person's order"
        assert bool(transfer) is not bool(orders), "where it is certain, nobody has to find out"

    shop.run(60, script)
    shop.run(120, again)
    assert [] == gateway.obeyed()


def test_what_was_paid_into_the_account_of_one_meter_fills_no_wallet_of_another(tmp_path: Path) -> None:
    """A customer with an account and a wallet would be credited twice, once by each sender (TOP-01)."""
    other = "000000000162"
    wallet = {"security": "lab", "control_password": None, "allow_plaintext_control": False}
    gateway = OrderGateway(
        tmp_path,
        [
            Station(meter=a_shop()),
            Station(meter=a_meter(OPEN_TO_ALL, address=other, number=f"{int(NUMBER) + 1:012d}")),
        ],
        keys={
            ADDRESS: {**wallet, "customer_number": CUSTOMER, "model": "generic-local-prepayment"},
            other: {"customer_number": CUSTOMER},
        },
        tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
        provider=lambda group: Program(group, name="lab").open,
    )

    async def script() -> None:
        await gateway.up()
        await gateway.paid(f"m{other}")
        (top_up,) = (await gateway.paid(M, "b-7", sender="bank"))["orders"]
        assert "refused" == (await gateway.until(top_up))["state"]

    gateway.run(seconds=120, meanwhile=script)
    assert [] == gateway.obeyed(ADDRESS)


def nights(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The days that were compared by themselves."""
    return [one["day"] for one in logs if one["event"] == "reconciled"]


def test_a_payment_becomes_one_top_up(tmp_path: Path) -> None:
    """Money that was paid would not come into the meter, or come twice when it is told twice (TOP-01)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        at = time_out(gateway.now())
        (first,) = (await gateway.paid(M, at=at))["orders"]
        (again,) = (await gateway.paid(M, at=at))["orders"]
        assert first == again
        assert "done" == (await gateway.until(first))["state"]

    shop.run(120, script)
    assert ["top_up"] == gateway.obeyed()


def test_one_payment_that_several_senders_tell(tmp_path: Path) -> None:
    """Each name of a sender would bring the same money once more (TOP-01)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        (first,) = (await gateway.paid(M))["orders"]
        others = [await gateway.paid(M, sender=sender) for sender in ("bank", "till")]
        assert "done" == (await gateway.until(first))["state"]
        for told in others:
            order = await gateway.until(told["orders"][0])
            assert "refused" == order["state"]
        items = (await gateway.ask("david", "work.list"))["items"]
        assert {("manual", told["orders"][0]) for told in others} == {(i["kind"], i["order"]) for i in items}
        assert ["TOP-01" in item["why"] for item in items] == [True, True]

    shop.run(120, script)
    assert ["top_up"] == gateway.obeyed()


def test_two_payments_at_once_are_two_top_ups(tmp_path: Path) -> None:
    """The first would be refused because the second waits behind it, and its money stay with us (TOP-05)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        told = [await gateway.paid(M, name) for name in ("p1", "p2")]
        ended = [await gateway.until(one["orders"][0]) for one in told]
        assert ["done", "done"] == [order["state"] for order in ended]

    shop.run(240, script)
    assert ["top_up", "top_up"] == gateway.obeyed()


def test_one_transfer_that_several_senders_tell(tmp_path: Path) -> None:
    """A bank and a billing system that both tell of a transfer would bring it twice, or work for people."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        (first,) = (await gateway.paid(M, transfer="20261124-7"))["orders"]
        (again,) = (await gateway.paid(M, "b-9", sender="bank", transfer="20261124-7"))["orders"]
        assert first == again
        assert "done" == (await gateway.until(first))["state"]
        (later,) = (await gateway.paid(M, "t-1", sender="till", transfer="20261124-7"))["orders"]
        assert first == later
        assert [] == (await gateway.ask("david", "work.list"))["items"]
        (other,) = (await gateway.paid(M, sender="bank", transfer="20261124-8"))["orders"]
        assert "done" == (await gateway.until(other))["state"]

    shop.run(240, script)
    assert ["top_up", "top_up"] == gateway.obeyed()


def test_one_payment_of_two_senders_and_one_transfer(tmp_path: Path) -> None:
    """What a bank numbers and a billing system does not would come into the meter twice, and nobody know."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        at = time_out(gateway.now())
        (first,) = (await gateway.paid(M, "b-1", sender="bank", at=at, transfer="T-77"))["orders"]
        (second,) = (await gateway.paid(M, "x-9", at=at))["orders"]
        ended = [(await gateway.until(one))["state"] for one in (first, second)]
        assert ["done", "refused"] == ended
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("manual", second) == (item["kind"], item["order"])
        assert "may be the same money" in item["why"]

    shop.run(240, script)
    assert ["top_up"] == gateway.obeyed()


def test_one_transfer_that_is_told_of_two_meters(tmp_path: Path) -> None:
    """Two customers would have the money that one of them paid."""
    other = "000000000162"
    keys = {"security": "lab", "control_password": None, "allow_plaintext_control": False}
    keys["customer_number"] = CUSTOMER
    gateway = OrderGateway(
        tmp_path,
        [
            Station(meter=a_shop()),
            Station(meter=a_shop(address=other, number=f"{int(NUMBER) + 1:012d}")),
        ],
        keys={ADDRESS: keys, other: keys},
        model="generic-local-prepayment",
        tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
        provider=lambda group: Program(group, name="lab").open,
    )

    async def script() -> None:
        await gateway.up()
        (first,) = (await gateway.paid(M, "b-1", sender="bank", transfer="T-77"))["orders"]
        assert "done" == (await gateway.until(first))["state"]
        (second,) = (await gateway.paid(f"m{other}", "x-9", transfer="t-77"))["orders"]
        assert "refused" == (await gateway.until(second))["state"]
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("manual", second) == (item["kind"], item["order"])
        assert "bank:b-1" in item["why"]
        told = {"amount_cents": 7_000, "at": time_out(gateway.now())}
        (third,) = (await gateway.paid(M, "p1", sender="bank", **told))["orders"]
        assert "done" == (await gateway.until(third))["state"]
        (fourth,) = (await gateway.paid(f"m{other}", "p1", sender="till", **told))["orders"]
        assert "refused" == (await gateway.until(fourth))["state"], "without a transfer it may be one"

    gateway.run(seconds=240, meanwhile=script)
    assert (["top_up", "top_up"], []) == (gateway.obeyed(), gateway.obeyed(other))


def test_a_day_that_agrees(tmp_path: Path) -> None:
    """Money would be missing between counter and meter and nobody would see it (TOP-06, TOP-08)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        (order,) = (await gateway.paid(M, channel="counter"))["orders"]
        await gateway.until(order)
        await shop.stated(5_000 + 12_000, "b1")
        found = await shop.reconciled()
        assert found["agrees"]
        (channel,) = found["channels"]
        assert ("counter", 12_000, 12_000, 0) == (
            channel["channel"],
            channel["received_cents"],
            channel["settled_cents"],
            channel["gap_cents"],
        )
        (money,) = found["meters"]
        assert ("agrees", 17_000, 1, 1) == (
            money["verdict"],
            money["wallet_cents"],
            money["count_expected"],
            money["count_found"],
        )

    shop.run(120, script)


def test_a_payment_on_its_way_is_no_drift(tmp_path: Path) -> None:
    """Every payment whose meter does not answer at once would be an alarm."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    gateway.strikes.add("loss", times=3)

    async def script() -> None:
        await gateway.up()
        await gateway.paid(M, channel="app")
        await asyncio.sleep(30)
        await shop.stated(5_000 + 12_000, "b1")
        found = await shop.reconciled()
        assert not found["agrees"], "the gap of the channel is still to be cleared"
        (channel,) = found["channels"]
        assert (12_000, 0, ["billing:p1"]) == (
            channel["gap_cents"],
            channel["settled_cents"],
            channel["waiting"],
        )
        (money,) = found["meters"]
        assert ("agrees", 12_000, 0) == (money["verdict"], money["in_flight_cents"], money["drift_cents"])

    shop.run(50, script)


def test_a_purchase_of_somebody_else_is_a_drift(tmp_path: Path) -> None:
    """Somebody who fills wallets past the books would never be found (WALLET_DRIFT)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        (order,) = (await gateway.paid(M))["orders"]
        await gateway.until(order)
        head_end = HeadEnd(shop.meter, gateway.sim.clock.utc_now())
        head_end.provider = LabProvider(random.Random(9).randbytes)
        head_end.authenticate(number=NUMBER)
        head_end.buy(30_000, 2, customer=CUSTOMER)
        found = await shop.reconciled()
        (money,) = found["meters"]
        assert ("drift", 1, 2) == (money["verdict"], money["count_expected"], money["count_found"])
        alarms = (await gateway.ask("david", "alarm.list"))["alarms"]
        assert ["WALLET_DRIFT"] == [one["rule"] for one in alarms]
        items = (await gateway.ask("david", "work.list"))["items"]
        assert ["drift"] == [one["kind"] for one in items]

    shop.run(120, script)


def test_every_night_compares_the_day_before(tmp_path: Path) -> None:
    """A drift would stand until somebody thinks of comparing (TOP-08)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        await shop.stated(1, "b1")
        await asyncio.sleep(15 * 3600)
        alarms = (await gateway.ask("david", "alarm.list"))["alarms"]
        assert ["WALLET_DRIFT"] == [one["rule"] for one in alarms]

    shop.run(15.1 * 3600, script)


def test_a_meter_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A wallet that nobody looked into would pass for one that agrees."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        gateway.unplug()
        await asyncio.sleep(1)
        found = await shop.reconciled()
        assert not found["agrees"]
        (money,) = found["meters"]
        assert "unread" == money["verdict"]
        assert money["told"]

    shop.run(60, script)


def test_money_of_after_the_statement_is_no_drift_and_hides_none(tmp_path: Path) -> None:
    """Each payment behind a statement would be an alarm; and 120 yuan be lost unseen for one of 120."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def paid(name: str) -> str:
        await asyncio.sleep(1800)
        (order,) = (await gateway.paid(M, name))["orders"]
        await gateway.until(order)
        (money,) = (await shop.reconciled())["meters"]
        return str(money["verdict"])

    async def script() -> None:
        await gateway.up()
        await shop.stated(5_000, "b0")
        assert "agrees" == await paid("p1")
        await shop.stated(17_000 + 12_000, "b1")
        assert "drift" == (await shop.reconciled())["meters"][0]["verdict"]
        assert "drift" == await paid("p2")

    shop.run(2 * 3600, script)


async def _no_keys(program: Program, request: dict[str, Any]) -> None:
    """Answer as a provider whose machine is being repaired."""
    error = {"code": "internal", "message": "the machine is away"}
    await program.say(json.dumps({"id": request["id"], "ok": False, "error": error}).encode() + b"\n")


@pytest.mark.parametrize(("strike", "end"), [("loss", "done"), ("silence", "refused")])
def test_what_two_found_not_done_may_be_brought_once_more(tmp_path: Path, strike: Any, end: str) -> None:
    """Who paid would have nothing; or, where the two are wrong, the money come twice (TOP-01)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    gateway.employ("ivan", "inspector")
    gateway.strikes.add(strike)

    async def breaks_down(program: Program, request: dict[str, Any]) -> None:
        await program.answer(request)
        if request["op"] == "wallet645":
            shop.behaviour = _no_keys

    async def script() -> None:
        await gateway.up()
        shop.behaviour = breaks_down
        (order,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(24.9 * 3600)
        assert "unknown" == (await gateway.until(order))["state"]
        shop.behaviour = None
        again = {**gateway.order("again", OrderKind.TOP_UP, M, payment="billing:p1"), "amount_cents": 12_000}
        assert "may have" in str(await gateway.refused("clara", "order.create", order=again))
        await gateway.ask("ivan", "order.find", id=order, finding="not_done", evidence="its count was read")
        await gateway.ask("david", "order.confirm", id=order, finding="not_done")
        await gateway.ask("clara", "order.create", order=again)
        await gateway.operated("again")
        assert end == (await gateway.until("again"))["state"]
        (channel,) = (await shop.reconciled())["channels"]
        assert ("done" == end) is (0 == channel["gap_cents"])

    shop.run(25 * 3600, script)
    assert ["top_up"] == gateway.obeyed(), "once, by whichever of the two"


def test_who_looks_only_lets_nothing_be_compared(tmp_path: Path) -> None:
    """Who may change nothing would write alarms and ask wallets for proofs; nobody knew who did (AUD-01)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    gateway.employ("vera", "viewer")
    gateway.employ("audi", "auditor")

    async def script() -> None:
        await gateway.up()
        await shop.stated(99_999, "b1")
        for user in ("vera", "audi"):
            assert isinstance(await gateway.refused(user, "reconcile", day=DAY), NotEntitled)
        assert set() == await alarms(gateway)
        for _ in range(3):
            await gateway.ask("david", "reconcile", day=DAY)
            await asyncio.sleep(2)
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("drift", ["david"]) == (item["kind"], [note["actor"] for note in item["notes"]])
        (alarm,) = (await gateway.ask("david", "alarm.list"))["alarms"]
        assert ("WALLET_DRIFT", 3) == (alarm["rule"], alarm["count"])

    shop.run(120, script)


async def cut_off(gateway: OrderGateway) -> None:
    """The customer of a prepayment meter is cut off by us, and then its adapter is pulled out."""
    await gateway.cut_off_and_unplugged(M)


async def alarms(gateway: OrderGateway) -> set[str]:
    """The rules of the open alarms."""
    return {one["rule"] for one in (await gateway.ask("david", "alarm.list"))["alarms"]}


def test_who_paid_into_a_silent_meter_is_not_forgotten(tmp_path: Path) -> None:
    """The clocks would run in one world of payments only, and in the other nobody be missed (CTRL-16)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await cut_off(gateway)
        (top_up,) = (await gateway.paid(M, settles=False))["orders"]
        await asyncio.sleep(4 * 60)
        assert set() == await alarms(gateway)
        await asyncio.sleep(3 * 60)
        assert {"RECONNECT_LATE_1"} == await alarms(gateway)
        await asyncio.sleep(25 * 60)
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("field_order", top_up) == (item["kind"], item["order"])
        assert (await gateway.ask("clara", "order.show", id=top_up))["is_open"]
        await asyncio.sleep(24 * 3600)
        assert {"RECONNECT_LATE_1", "RECONNECT_LATE_2", "CHANNEL_GAP"} == await alarms(gateway)
        items = (await gateway.ask("david", "work.list"))["items"]
        assert ["drift", "field_order", "manual"] == sorted(one["kind"] for one in items)
        assert "expired" == (await gateway.ask("clara", "order.show", id=top_up))["state"]

    shop.run(26 * 3600, script)
    assert ["trip"] == gateway.obeyed()


def test_a_top_up_waits_for_its_line(tmp_path: Path) -> None:
    """Money would be refused for good after 20 minutes of a line that is down (2.3)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await cut_off(gateway)
        (top_up,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(10 * 3600)
        gateway.plugged = True
        assert "done" == (await gateway.until(top_up))["state"]
        (close,) = (await gateway.ask("clara", "order.list", meter=M))["orders"]
        await gateway.until(close["id"], "waiting_for_key")
        assert gateway.press_key()
        assert "done" == (await gateway.until(close["id"]))["state"]
        await asyncio.sleep(24 * 3600)
        assert "RECONNECT_LATE_2" not in await alarms(gateway), "the clocks end with the light"

    shop.run(36 * 3600, script)
    assert ["trip", "top_up", "permit_close"] == gateway.obeyed()


def test_money_that_came_into_the_meter_has_attempts_of_its_own(tmp_path: Path) -> None:
    """Who paid too little first would wait for somebody to come, with his money in the meter (CTRL-17)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.then(lambda: gateway.strikes.add("loss", times=3))  # the top-up is not the one
        await gateway.paid(M)
        await asyncio.sleep(3600)
        assert 5 == len(gateway.strikes.controls), "the trip, the money, and three frames"
        (top_up,) = (await gateway.paid(M, "p2"))["orders"]
        assert "done" == (await gateway.until(top_up))["state"]
        (close,) = (await gateway.ask("clara", "order.list", meter=M))["orders"]
        await gateway.until(close["id"], "waiting_for_key")

    shop.run(2 * 3600, script)
    assert ["trip", "top_up", "top_up", "permit_close"] == gateway.obeyed()
