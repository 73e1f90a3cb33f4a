"""Disconnect cases with the whole gateway around them: from what is owed to the meter's own memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.case_stories import (
    CASE,
    M,
    a_gateway,
    announced,
    begun,
    case_of,
    policy_told,
    statement,
    trips,
    until,
    verbs,
    warned,
)
from tests.support.order_gateway import OrderGateway, kinds_of

STEPS = ["open", "warn", "notice", "submit", "approve", "announce", "order"]


async def _all_orders(gateway: OrderGateway) -> list[Any]:
    answer = await gateway.ask("clara", "order.list", meter=M, all=True)
    return list(answer["orders"])


def test_a_case_of_a_person_ends_with_one_trip(tmp_path: Path) -> None:
    """The steps before the button would lead to no order, to two, or past one of the three persons."""
    gateway = a_gateway(tmp_path)
    found: dict[str, Any] = {}

    async def script() -> None:
        await gateway.up()
        await warned(gateway)
        assert "pending_approval" == (await begun(gateway))["state"]
        assert "approved" == (await gateway.ask("anna", "case.approve", id=CASE))["state"]
        await announced(gateway)
        case = await until(gateway, "ordered")
        order = await gateway.ask("clara", "order.show", id=case["order"])
        assert ("authorised", "clara", ["anna"], CASE) == (
            order["state"],
            order["created_by"],
            order["approvals"],
            order["case"],
        )
        await gateway.operated(case["order"])
        found["order"] = await gateway.until(case["order"])
        found["case"] = await case_of(gateway)
        found["orders"] = await _all_orders(gateway)

    gateway.run(seconds=2 * 3600, meanwhile=script)
    assert STEPS == verbs(found["case"])
    assert "done" == found["order"]["state"]
    assert [CASE] == trips(found["orders"])
    assert ["trip"] == gateway.obeyed()


def test_a_case_from_the_balance_statement_to_the_meter(tmp_path: Path) -> None:
    """A policy of two persons would cut nobody off, or somebody twice (ARR-04, CTRL-10)."""
    gateway = a_gateway(tmp_path, by_policy=True)
    found: dict[str, Any] = {}

    async def script() -> None:
        await gateway.up()
        await policy_told(gateway)
        await warned(gateway)
        (name,) = (await statement(gateway, "s1"))["cases"]
        case = await case_of(gateway, name)
        assert ("approved", "board:v7", "meterlink") == (case["state"], case["policy"], case["opened_by"])
        await announced(gateway)
        case = await until(gateway, "ordered", name)
        found["order"] = await gateway.until(case["order"])
        await statement(gateway, "s2")  # of somebody who is in the dark already
        found["case"] = await case_of(gateway, name)
        found["cases"] = (await gateway.ask("clara", "case.list", meter=M, all=True))["cases"]
        found["orders"] = await _all_orders(gateway)

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert STEPS == verbs(found["case"])
    steps = "create authorise operate take intend accept read_back prove"
    assert steps.split() == kinds_of(found["order"]["steps"])
    assert 1 == len(found["cases"])
    assert [found["case"]["id"]] == trips(found["orders"])
    assert ["trip"] == gateway.obeyed()
