"""What ends a case: a payment, a dispute, a protection, a person; in each of its states."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from meterlink.errors import NotAllowed, OrderClash
from meterlink.model.act import Topic
from meterlink.orders.cases.machine import CaseState
from meterlink.orders.judging.judge import Stopped
from tests.sim.cases.bench import CaseBench
from tests.sim.cases.states import WAYS, brought_to, owed, pending, state_in, told_of
from tests.support.case_stories import (
    CASE,
    M,
    a_gateway,
    announced,
    begun,
    case_of,
    record,
    until,
    verbs,
    warned,
)

SIGNALS = {
    "payment": "payment",
    "dispute": "dispute",
    "protection": "protect",
    "balance_statement": "payment",
}
DAY = timedelta(days=1)
PART = {"amount_cents": 5_000, "settles": False}
HALF_HOUR_S = 1800.0
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(("state", "kind"), list(product(WAYS, SIGNALS)))
def test_what_ends_it_ends_it_in_every_state(state: CaseState, kind: str, tmp_path: Path) -> None:
    """Somebody who has paid, contests it or needs current to breathe would be cut off (CTRL-08, CTRL-21)."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, state)
        await asyncio.sleep(1)
        (told,) = await bench.told(told_of(bench, kind))
        assert [CASE] == told["cases"]
        case = await case_of(bench)
        assert ("cancelled", SIGNALS[kind]) == (case["state"], case["steps"][-1]["verb"])
        await announced(bench, "f9")
        await asyncio.sleep(DAY.total_seconds())
        assert "cancelled" == (await case_of(bench))["state"]

    bench.live(script)
    assert ([], []) == (bench.obeyed(), bench.acts(Topic.ORDER))


def test_a_payment_after_the_case_cancels_its_order(tmp_path: Path) -> None:
    """The order that a case made would go out although somebody paid before it was operated."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.FINAL_NOTICE)
        case = await until(bench, "ordered")
        (told,) = await bench.told(told_of(bench, "payment"))
        assert [case["order"]] == told["orders"]
        assert "cancelled" == (await bench.ask("clara", "order.show", id=case["order"]))["state"]

    bench.live(script)
    assert [] == bench.obeyed()


@pytest.mark.parametrize("early_s", [-1, -0.001, 0, 0.001, 1])
def test_a_payment_at_the_moment_of_the_order_leaves_none_open(early_s: float, tmp_path: Path) -> None:
    """Case and payment would pass each other: the order is made, and nobody tells it of the payment."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.FINAL_NOTICE)
        await asyncio.sleep(HALF_HOUR_S - early_s)
        await bench.told(told_of(bench, "payment"))
        await asyncio.sleep(600)
        assert [] == (await bench.ask("clara", "order.list"))["orders"]
        assert [] == (await bench.ask("clara", "case.list"))["cases"]

    bench.live(script)
    assert [] == bench.obeyed()


@pytest.mark.parametrize("state", WAYS)
def test_a_person_withdraws_it_in_every_state(state: CaseState, tmp_path: Path) -> None:
    """A case that was begun by mistake could not be stopped."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, state)
        with pytest.raises(NotAllowed):
            await bench.ask("billing", "case.cancel", id=CASE, reason="no right to")
        await bench.ask("clara", "case.cancel", id=CASE, reason="pays by instalments")
        assert "cancelled" == await state_in(bench, MINUTE)

    bench.live(script)


def test_an_approver_says_no(tmp_path: Path) -> None:
    """A case would go on although the second person refused it, or end by who began it."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await warned(bench)
        await bench.ask("both", "case.create", id=CASE, meter=M, reason="arrears of May")
        for verb in ("approve", "reject"):
            with pytest.raises(NotAllowed, match="own_case"):
                await bench.ask("both", f"case.{verb}", id=CASE, reason="it is mine")
        with pytest.raises(NotAllowed):
            await bench.ask("david", "case.reject", id=CASE, reason="not my post")
        await bench.ask("anna", "case.reject", id=CASE, reason="wrong address")
        assert "rejected" == await state_in(bench, MINUTE)
        steps = (await case_of(bench))["steps"]
        held = [(one["actor"], one["body"]["roles"]) for one in steps if "roles" in one["body"]]
        assert [("both", ["approver", "clerk", "dispatcher"]), ("anna", ["approver"])] == held

    bench.live(script)


def test_a_case_is_begun_once_for_a_meter(tmp_path: Path) -> None:
    """Two cases would lead to two orders for one debt; a repeated request would be refused."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        with pytest.raises(NotAllowed):
            await bench.ask("anna", "case.create", id=CASE, meter=M, reason="not my post")
        with pytest.raises(Stopped, match="CTRL-01"):
            await begun(bench)
        await owed(bench)
        first, again = await begun(bench), await begun(bench)
        assert first["steps"] == again["steps"]
        with pytest.raises(OrderClash):
            await bench.ask("clara", "case.create", id=CASE, meter=M, reason="another")
        with pytest.raises(NotAllowed, match="has the open case"):
            await bench.ask("clara", "case.create", id="c-2", meter=M, reason="arrears of May")

    bench.live(script)


def test_nobody_is_cut_off_twice(tmp_path: Path) -> None:
    """Who sits in the dark would get a case, and a second trip, each day that he owes."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.FINAL_NOTICE)
        case = await until(bench, "ordered")
        with pytest.raises(Stopped, match="CTRL-21"):
            await bench.ask("clara", "case.create", id="c-2", meter=M, reason="arrears of May")
        await bench.ask("david", "order.arm", id=case["order"])
        await bench.ask("david", "order.operate", id=case["order"])
        await asyncio.sleep(300)
        assert "done" == (await bench.ask("clara", "order.show", id=case["order"]))["state"]
        with pytest.raises(NotAllowed, match="cut off already"):
            await bench.ask("clara", "case.create", id="c-2", meter=M, reason="arrears of May")

    bench.live(script)
    assert ["trip"] == bench.obeyed()


@pytest.mark.parametrize("name", ["protected", "important"])
def test_the_order_s_own_rules_stay(name: str, tmp_path: Path) -> None:
    """The case would be a side door past the rules of the order (CTRL-07, CTRL-08)."""
    keys = {"protected": ("hospital",)} if name == "protected" else {"important": True}
    bench = CaseBench(tmp_path, meter_keys=keys)

    async def script(_: CaseBench) -> None:
        if name == "protected":
            with pytest.raises(Stopped, match="CTRL-08"):
                await pending(bench)
            return
        await pending(bench)
        case = await case_of(bench)
        assert ("noticed", "CTRL-07") == (case["state"], case["waits_for"][0]["rule"])

    bench.live(script)


@pytest.mark.parametrize(("kind", "says"), [("payment", PART), ("balance_statement", {"balance_cents": 0})])
def test_what_pays_ends_a_case_that_a_later_clock_has_begun(
    kind: str, says: dict[str, object], tmp_path: Path
) -> None:
    """After the clock is set back, payments would be of before the case, and the customer be cut off."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        gateway.clock.ahead = timedelta(minutes=30)
        await warned(gateway)
        await begun(gateway)
        gateway.clock.ahead = timedelta()
        await gateway.told(record(gateway, kind, "p1", **says))
        case = await case_of(gateway)
        assert ("cancelled", "payment") == (case["state"], verbs(case)[-1])

    gateway.run(seconds=60, meanwhile=script)
