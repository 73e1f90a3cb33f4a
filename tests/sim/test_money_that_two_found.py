"""Who was cut off and has paid into the meter is dark until the money is known to be there.

Two persons say what became of money of which nobody can tell; a top-up that ends early leaves a decision. In
both the household waits, and the clocks of those who have paid run for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import JournalError, NotAllowed
from meterlink.orders.paid.payments import Payments
from metersim.security.provider import LabProvider
from tests.sim.test_local_prepayment import Shop, _no_keys, alarms
from tests.support.adapters import Program
from tests.support.control_bench import ADDRESS, CUSTOMER, NUMBER
from tests.support.head_end645 import HeadEnd

M = f"m{ADDRESS}"
PAID_AT = "2026-11-24T02:00:00Z"
MINUTE_S = 60
HOUR_S = 3600


class _Behind:
    """Somebody else buys behind each first top-up of ours: its count then is neither the old nor the new one.

    Args:
        shop: where the meter stands.

    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._is_out = False

    async def __call__(self, program: Program, request: dict[str, Any]) -> None:
        """Answer as a laboratory does."""
        if self._is_out:
            self._is_out = False
            other = HeadEnd(self._shop.meter, self._shop.gateway.sim.clock.utc_now())
            other.provider = LabProvider(random.Random(9).randbytes)
            other.authenticate(number=NUMBER)
            other.buy(3_000, 2, customer=CUSTOMER)
        await program.answer(request)
        self._is_out = request["op"] == "wallet645"


async def orders(shop: Shop, kind: str) -> list[Mapping[str, Any]]:
    """Every order of a kind that there ever was, the oldest first."""
    found = (await shop.gateway.ask("clara", "order.list", all=True))["orders"]
    return [one for one in found if one["kind"] == kind]


async def work(shop: Shop, *kinds: str) -> dict[str, Mapping[str, Any]]:
    """The open items of some kinds, by kind."""
    items = (await shop.gateway.ask("david", "work.list"))["items"]
    return {item["kind"]: item for item in items if item["kind"] in (kinds or ("manual", "field_order"))}


async def paid_unknown(shop: Shop) -> str:
    """A household is cut off and pays, and nobody can tell what became of the money; the top-up."""
    shop.gateway.employ("ivan", "inspector")
    await shop.gateway.cut_off(M)
    shop.behaviour = _Behind(shop)
    (top_up,) = (await shop.gateway.paid(M, at=PAID_AT))["orders"]
    assert "unknown" == (await shop.gateway.until(top_up))["state"]
    shop.behaviour = None
    return str(top_up)


async def found(shop: Shop, order: str, finding: str) -> None:
    """Two persons say what became of it."""
    ask = shop.gateway.ask
    await ask("ivan", "order.find", id=order, finding=finding, evidence="the display shows it")
    await ask("david", "order.confirm", id=order, finding=finding)


def test_money_that_two_found_brings_current_back(tmp_path: Path) -> None:
    """A household would stay dark with its money in the meter, and two persons who said so (CTRL-16)."""
    shop = Shop(tmp_path)

    async def script() -> None:
        top_up = await paid_unknown(shop)
        await found(shop, top_up, "done")
        await asyncio.sleep(MINUTE_S)
        (close,) = await orders(shop, "permit_close")
        await shop.gateway.until(close["id"], "waiting_for_key")
        assert shop.gateway.press_key()
        assert "done" == (await shop.gateway.until(close["id"]))["state"]
        await asyncio.sleep(2 * HOUR_S)
        assert set() == {"RECONNECT_LATE_2"} & await alarms(shop.gateway)
        assert {"manual"} == (await work(shop)).keys()

    shop.run(3 * HOUR_S, script)
    assert ["trip", "top_up", "top_up", "permit_close"] == shop.gateway.obeyed()


def test_it_is_closed_once_whatever_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding whose closing a crash has swallowed would bring none, or each start another one."""
    shop = Shop(tmp_path)
    tried: list[str] = []

    async def crashed(_payments: Payments, wait: Any) -> None:
        tried.append(wait.credited)
        raise JournalError("the program dies here")

    async def script() -> None:
        top_up = await paid_unknown(shop)
        await asyncio.sleep(2 * MINUTE_S)
        assert [] == [one for one in tried if one]
        await found(shop, top_up, "done")
        await asyncio.sleep(MINUTE_S)
        assert top_up in tried
        assert [] == await orders(shop, "permit_close")

    async def later() -> None:
        await shop.gateway.up()
        await asyncio.sleep(2 * MINUTE_S)
        (close,) = await orders(shop, "permit_close")
        assert "waiting_for_key" == close["state"]
        (top_up,) = await orders(shop, "top_up")
        again = {"finding": "done", "evidence": "once more", "instead": "done"}
        for op, body in (("order.find", again), ("order.confirm", {"finding": "done"})):
            assert isinstance(await shop.gateway.refused("ivan", op, id=top_up["id"], **body), NotAllowed)
        await shop.gateway.paid(M, at=PAID_AT)
        await asyncio.sleep(10 * MINUTE_S)
        assert [close["id"]] == [one["id"] for one in await orders(shop, "permit_close")]

    with monkeypatch.context() as patch:
        patch.setattr(Payments, "resume", crashed)
        shop.run(HOUR_S, script)
    shop.run(HOUR_S, later)
    shop.run(HOUR_S, later)
    assert ["trip", "top_up", "top_up", "permit_close"] == shop.gateway.obeyed()


def test_found_a_day_later_the_words_of_the_house_follow(tmp_path: Path) -> None:
    """Who is sent there would read that money is looked for which two have found, and no alarm come."""
    shop = Shop(tmp_path)
    shop.gateway.employ("ivan", "inspector")

    async def breaks(program: Program, request: dict[str, Any]) -> None:
        await program.answer(request)
        if request["op"] == "wallet645":
            shop.behaviour = _no_keys

    async def script() -> None:
        await shop.gateway.cut_off(M)
        shop.behaviour = breaks
        (top_up,) = (await shop.gateway.paid(M))["orders"]
        await asyncio.sleep(6 * MINUTE_S)
        assert "RECONNECT_LATE_1" in await alarms(shop.gateway), "the frame of the money closes nothing"
        await asyncio.sleep(30 * MINUTE_S)
        why = (await work(shop))["field_order"]["why"]
        assert "is still readback" in why
        assert "do not close before" in why
        assert "用户自2026-11-24 10:00起停电" in why
        await asyncio.sleep(25 * HOUR_S)
        shop.behaviour = None
        assert "ended as unknown" in (await work(shop))["field_order"]["why"]
        await found(shop, top_up, "done")
        await asyncio.sleep(MINUTE_S)
        items = await work(shop)
        assert "two persons found it done. The money is in the meter" in items["field_order"]["why"]
        assert "ivan, david found the 120.00 yuan" in items["manual"]["notes"][-1]["text"]
        (close,) = await orders(shop, "permit_close")
        await shop.gateway.until(close["id"], "waiting_for_key")
        assert shop.gateway.press_key()
        await shop.gateway.until(close["id"])
        assert {"manual"} == (await work(shop)).keys()

    shop.run(27 * HOUR_S, script)
    assert ["trip", "top_up", "permit_close"] == shop.gateway.obeyed()


def test_money_that_two_did_not_find_is_decided_on(tmp_path: Path) -> None:
    """A payer would have neither money in the meter nor current, and all work about him be ticked off."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    gateway.strikes.then(lambda: gateway.strikes.add("loss"))  # the trip is not the one

    async def script() -> None:
        gateway.employ("ivan", "inspector")
        await gateway.cut_off(M)
        shop.behaviour = _no_keys_behind(shop)
        (top_up,) = (await gateway.paid(M))["orders"]
        assert "unknown" == (await gateway.until(top_up))["state"]
        shop.behaviour = None
        for item in (await gateway.ask("david", "work.list"))["items"]:
            for user in ("david", "anna") if item["kind"] == "manual" else ("david",):
                await gateway.ask(user, "work.close", item=item["id"], why="looked after")
        assert {} == await work(shop)
        await found(shop, top_up, "not_done")
        await asyncio.sleep(HOUR_S)
        item = (await work(shop))["manual"]
        assert "not in the meter: order them once more" in item["why"]
        assert "The household is dark since 2026-11-24 10:00 (order t-1)" in item["why"]
        assert [] == await orders(shop, "permit_close"), "nobody closes for money that is not there"
        again = gateway.order("again", "top_up", M, payment="billing:p1", amount_cents=12_000)
        await gateway.ask("clara", "order.create", order=again)
        await gateway.operated("again")
        assert "done" == (await gateway.until("again"))["state"]
        await asyncio.sleep(MINUTE_S)
        (close,) = await orders(shop, "permit_close")
        await gateway.until(close["id"], "waiting_for_key")

    shop.run(30 * HOUR_S, script)
    assert ["trip", "top_up", "permit_close"] == gateway.obeyed()


def _no_keys_behind(shop: Shop) -> Any:
    async def breaks(program: Program, request: dict[str, Any]) -> None:
        await program.answer(request)
        if request["op"] == "wallet645":
            shop.behaviour = _no_keys

    return breaks


def test_money_that_ends_early_leaves_nobody_dark_unseen(tmp_path: Path) -> None:
    """A household would be dark for a day because its top-up was refused within a second (CTRL-17)."""
    shop = Shop(tmp_path)
    seen: list[Any] = []

    async def script() -> None:
        await shop.gateway.cut_off(M)
        (top_up,) = (await shop.gateway.paid(M, amount_cents=1_000_001))["orders"]
        assert "refused" == (await shop.gateway.until(top_up))["state"]
        assert "The household is dark since 2026-11-24 10:00" in (await work(shop))["manual"]["why"]
        await asyncio.sleep(29 * MINUTE_S)
        assert {"manual"} == (await work(shop)).keys()
        assert {"RECONNECT_LATE_1"} == await alarms(shop.gateway)
        await asyncio.sleep(3 * MINUTE_S)
        item = (await work(shop))["field_order"]
        assert (top_up, M) == (item["order"], item["meter"])
        assert item["why"].startswith("paid (billing:p1) more than 30 minutes ago")
        assert "not in the meter: two persons decide about it first, do not close before" in item["why"]
        assert "款项未到表" in item["why"]
        seen.append(item)

    async def later() -> None:
        await shop.gateway.up()
        await asyncio.sleep(10 * MINUTE_S)
        assert seen == [(await work(shop))["field_order"]]

    async def closed() -> None:
        await shop.gateway.up()
        await shop.gateway.ask("david", "work.close", item=seen[0]["id"], why="the till gives it back")
        await asyncio.sleep(10 * MINUTE_S)

    async def last() -> None:
        await shop.gateway.up()
        await asyncio.sleep(10 * MINUTE_S)
        assert {"manual"} == (await work(shop)).keys(), "once, also behind a restart"

    for part in (script, later, closed, last):
        shop.run(HOUR_S, part)
    assert ["trip"] == shop.gateway.obeyed()


@pytest.mark.parametrize("lost", [0, 2], ids=["at once", "behind lost frames"])
def test_a_second_payer_behind_it_gets_his_money_and_one_closing(tmp_path: Path, lost: int) -> None:
    """The closing of one and the money of the other would refuse each other, or somebody go in vain."""
    shop = Shop(tmp_path)

    async def script() -> None:
        top_up = await paid_unknown(shop)
        (second,) = (await shop.gateway.paid(M, "p2", amount_cents=5_000))["orders"]
        assert "refused" == (await shop.gateway.until(second))["state"]
        await asyncio.sleep(2 * MINUTE_S)
        if lost:
            shop.gateway.strikes.add("loss", times=lost)
        await found(shop, top_up, "done")
        await asyncio.sleep(25 * MINUTE_S)
        assert ["unknown", "refused", "done"] == [one["state"] for one in await orders(shop, "top_up")]
        (close,) = await orders(shop, "permit_close")
        assert "waiting_for_key" == close["state"]
        assert shop.gateway.press_key()
        await shop.gateway.until(close["id"])
        await asyncio.sleep(HOUR_S)
        assert {"manual"} == (await work(shop)).keys()
        assert 1 == len(await orders(shop, "permit_close"))

    shop.run(3 * HOUR_S, script)
    obeyed = shop.gateway.obeyed()
    assert (["trip", "top_up", "top_up"], ["permit_close", "top_up"]) == (obeyed[:3], sorted(obeyed[3:]))


@pytest.mark.parametrize("finding", ["done", "not_done"])
def test_one_person_alone_brings_nothing(tmp_path: Path, finding: str) -> None:
    """Whoever knows his neighbour's meter would have it closed by a word (decision 21)."""
    shop = Shop(tmp_path)

    async def script() -> None:
        top_up = await paid_unknown(shop)
        before = (await work(shop))["manual"]
        await shop.gateway.ask("ivan", "order.find", id=top_up, finding=finding, evidence="I think so")
        await asyncio.sleep(5 * MINUTE_S)
        assert [] == await orders(shop, "permit_close")
        assert before == (await work(shop))["manual"]

    shop.run(HOUR_S, script)


def test_the_work_says_what_was_counted(tmp_path: Path) -> None:
    """Two persons would be asked about money and told nothing by which to decide, in one language only."""
    shop = Shop(tmp_path)

    async def script() -> None:
        await paid_unknown(shop)
        why = (await work(shop))["manual"]["why"]
        assert "purchase count 0 before, 1 sent, 2 now; the balance grew by 150.00 yuan, 120.00 yuan" in why
        assert "购电次数:充值前0,下发1,现为2;剩余金额变化150.00元,充值金额120.00元" in why

    shop.run(HOUR_S, script)
