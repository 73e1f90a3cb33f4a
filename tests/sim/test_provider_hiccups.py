"""What a security provider says before a frame has left, and whether the order is tried again."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import SecurityFailed
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.life.life import Life
from meterlink.security.later import OURS, TOLD
from metersim import Meter, Station
from metersim.security.hsm import Hsm
from metersim.security.provider import LabProvider
from metersim.works.cost_control import REMOTE
from tests.support.adapters import Program
from tests.support.control_bench import ADDRESS, a_meter, a_shop
from tests.support.lab_provider import LabSecurity
from tests.support.order_bench import OrderBench
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, kinds_of

M = f"m{ADDRESS}"
LATER = sorted(OURS | TOLD)
NEVER = ("not_verified", "no_production_keys", "bad_args", "lab_provider", "unfit", "site_refuses", "no_code")
PROVED = {OrderKind.PERMIT_CLOSE: "control645", OrderKind.TOP_UP: "wallet645"}


class Hiccups(LabSecurity):
    """A provider that says no to one operation, so many times.

    Args:
        operation: its name.
        code: what it says.
        times: how often.

    """

    def __init__(self, operation: str, code: str, times: int = 1) -> None:
        super().__init__()
        self._operation, self._code, self._times = operation, code, times

    def _no(self, operation: str) -> None:
        if operation == self._operation and self._times:
            self._times -= 1
            self.asked.append(operation)
            raise SecurityFailed("no", code=self._code)

    async def auth645(self, div: bytes) -> Any:
        self._no("auth645")
        return await super().auth645(div)

    async def control645(self, ctx: str, **proof: Any) -> bytes:
        self._no("control645")
        return await super().control645(ctx, **proof)

    async def wallet645(self, ctx: str, **proof: Any) -> Any:
        self._no("wallet645")
        return await super().wallet645(ctx, **proof)


def _carried_out(folder: Path, provider: LabSecurity, kind: OrderKind) -> tuple[Life, OrderBench]:
    is_money = kind is OrderKind.TOP_UP
    meter = a_shop() if is_money else Meter("000000000161", seed=7, control=REMOTE)
    bench = OrderBench(folder, Station(meter=meter), security=lambda: provider)
    life = bench.run(lambda: _to_its_end(bench, kind))
    assert life is not None
    return life, bench


async def _to_its_end(bench: OrderBench, kind: OrderKind) -> Life:
    await bench.book.begin(bench.order(kind), "meterlink")
    async with asyncio.timeout(3 * 3600):
        while True:
            life = await bench.book.read("o-1")
            if not life.is_open or life.state is OrderState.WAITING_FOR_KEY:
                return life
            await asyncio.sleep(10)


@pytest.mark.parametrize("operation", ["auth645", "the proof"])
@pytest.mark.parametrize("code", LATER)
@pytest.mark.parametrize("kind", PROVED)
def test_a_hiccup_costs_a_minute_and_not_the_order(
    tmp_path: Path, kind: OrderKind, code: str, operation: str
) -> None:
    """Who has paid would stay in the dark because a machine was started anew, and no frame had left."""
    provider = Hiccups(PROVED[kind] if operation == "the proof" else operation, code)
    life, bench = _carried_out(tmp_path, provider, kind)
    assert (1, 1) == (life.postponed, life.transmissions)
    assert [kind] == bench.obeyed()
    assert life.sent is not None
    assert life.sent.left_by is not None
    assert life.sent.left_by - life.created_at >= timedelta(minutes=1)
    assert 0 == provider.open


@pytest.mark.parametrize("code", NEVER)
def test_every_other_no_is_the_end_of_the_order(tmp_path: Path, code: str) -> None:
    """A provider that refuses the key would be asked on, and a meter might lock itself."""
    provider = Hiccups("control645", code)
    life, bench = _carried_out(tmp_path, provider, OrderKind.PERMIT_CLOSE)
    assert (OrderState.REFUSED, 0, 0) == (life.state, life.postponed, life.transmissions)
    assert 1 == provider.asked.count("control645")
    assert [] == bench.obeyed()


def test_hiccups_without_an_end_send_somebody(tmp_path: Path) -> None:
    """A provider that is broken would be asked for ever, and nobody would go to the house (CTRL-17)."""
    provider = Hiccups("control645", "internal", times=99)
    life, bench = _carried_out(tmp_path, provider, OrderKind.PERMIT_CLOSE)
    assert (OrderState.REFUSED, 3, 0) == (life.state, life.postponed, life.transmissions)
    assert life.last_at - life.created_at <= timedelta(minutes=30)
    assert 4 == provider.asked.count("control645")
    assert [] == bench.obeyed()


async def _busy(program: Program, request: Mapping[str, Any], code: str) -> None:
    error = {"code": code, "what": "x", "do": "y"}
    await program.say(json.dumps({"id": request["id"], "ok": False, "error": error}).encode() + b"\n")


@pytest.mark.parametrize("how", ["busy", "internal", "restarted", "rubbish"])
def test_who_has_paid_is_reconnected_over_a_hiccup(tmp_path: Path, how: str) -> None:
    """The whole way: one answer of the machine, and a household waits for field staff."""
    trouble = {"is_due": False}

    async def behave(program: Program, request: dict[str, Any]) -> None:
        if not (trouble["is_due"] and request["op"] == "control645"):
            return await program.answer(request)
        trouble["is_due"] = False
        if how == "restarted":
            program._hsm = Hsm(LabProvider(random.Random(9).randbytes))  # it knows no handle of before
            return await program.answer(request)
        if how == "rubbish":
            return await program.say(b"{oops\n")
        return await _busy(program, request, how)

    gateway = OrderGateway(
        tmp_path,
        [Station(meter=a_meter(OPEN_TO_ALL))],
        keys={ADDRESS: {"security": "lab", "control_password": None, "allow_plaintext_control": False}},
        tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
        provider=lambda group: Program(group, behave, name="lab").open,
    )

    async def script() -> None:
        await gateway.cut_off(M)
        trouble["is_due"] = True
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key", "refused")
        order = await gateway.ask("clara", "order.show", id=close)
        assert ("waiting_for_key", 1) == (order["state"], order["transmissions"])
        assert 1 == kinds_of(order["steps"]).count("postpone")
        assert [] == (await gateway.ask("david", "work.list"))["items"]

    gateway.run(seconds=1200, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()
