"""One latch a meter: whoever meets a wrong proof first shuts it for everybody who would prove something."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.sim.test_local_prepayment import DAY, M, Shop, alarms
from tests.support.adapters import Program


async def _other_keys(program: Program, request: dict[str, Any]) -> None:
    """Answer as a provider whose key of authentication is not the meter's."""
    if request["op"] != "auth645":
        await program.answer(request)
        return
    result = {"ctx": "c-1", "rand1": "00" * 8, "cipher1": "00" * 8}
    await program.say(json.dumps({"id": request["id"], "ok": True, "result": result}).encode() + b"\n")


async def _finds_wrong(program: Program, request: dict[str, Any]) -> None:
    """Answer as a provider that finds every MAC of the meter wrong."""
    if request["op"] != "verify645":
        await program.answer(request)
        return
    error = {"code": "not_verified", "message": "the MAC is another"}
    await program.say(json.dumps({"id": request["id"], "ok": False, "error": error}).encode() + b"\n")


BEHAVIOURS = pytest.mark.parametrize("behaviour", [_other_keys, _finds_wrong])


@BEHAVIOURS
def test_the_first_refused_proof_of_money_shuts_the_meter(tmp_path: Path, behaviour: Any) -> None:
    """Every payment would be one wrong proof more, until the meter's module suspends itself."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        shop.behaviour = behaviour
        for number in range(3):
            (order,) = (await gateway.paid(M, name=f"p{number}", amount_cents=100 + number))["orders"]
            assert "refused" == (await gateway.until(order))["state"]
        assert [M] == (await gateway.ask("david", "control.status"))["shut_meters"]
        assert "METER_SHUT" in await alarms(gateway)

    shop.run(300, script)
    assert 1 == shop.asked.count("auth645")


@BEHAVIOURS
def test_looks_at_wallets_shut_the_meter_for_orders_too(tmp_path: Path, behaviour: Any) -> None:
    """Whoever compares often would lock a meter, and its next payer could not be credited."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        shop.behaviour = behaviour
        for _ in range(5):
            (money,) = (await gateway.ask("david", "reconcile", day=DAY))["meters"]
            assert "unread" == money["verdict"]
        assert [M] == (await gateway.ask("david", "control.status"))["shut_meters"]
        (order,) = (await gateway.paid(M))["orders"]
        assert "refused" == (await gateway.until(order))["state"]
        assert {"METER_SHUT"} <= await alarms(gateway)

    shop.run(300, script)
    assert 1 == shop.asked.count("auth645")


@BEHAVIOURS
def test_a_read_back_of_money_stops_at_the_first_wrong_proof(tmp_path: Path, behaviour: Any) -> None:
    """35 looks in a day would be 35 wrong proofs; opened again, the order is read back to its end."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    gateway.strikes.add("silence")
    before: list[int] = []

    async def to_other_keys(program: Program, request: dict[str, Any]) -> None:
        await program.answer(request)
        if request["op"] == "wallet645":
            shop.behaviour = behaviour
            before.append(len(shop.asked))

    async def script() -> None:
        await gateway.up()
        shop.behaviour = to_other_keys
        (order,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(2 * 3600)
        assert 1 == shop.asked[before[0] :].count("auth645")
        assert "readback" == (await gateway.ask("clara", "order.show", id=order))["state"]
        assert [M] == (await gateway.ask("david", "control.status"))["shut_meters"]
        shop.behaviour = None
        await gateway.ask("sam", "control.unlock", meter=M, reason="the key was another")
        assert "done" == (await gateway.until(order))["state"]

    shop.run(4 * 3600, script)
