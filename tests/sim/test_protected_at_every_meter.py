"""A protection is about a customer: none of his meters is cut off, whichever it was told of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.cases.rounds import WAIT_MAX_S
from meterlink.orders.judging.gathering import Gatherer
from meterlink.orders.judging.judge import Stopped
from meterlink.orders.rules.verdict import Stage, Verdict
from metersim import Station
from tests.sim.test_orders_of_a_changed_roster import change
from tests.support.control_bench import ADDRESS, CUSTOMER, NUMBER, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, document, kinds_of
from tests.support.rules import chain, without

SECOND = "000000000162"
M, OTHER = f"m{ADDRESS}", f"m{SECOND}"


def two_meters(folder: Path, **first: object) -> OrderGateway:
    """One customer with two meters."""
    other = a_meter(OPEN_TO_ALL, address=SECOND, number=f"{int(NUMBER) + 1:012d}")
    keys: dict[str, dict[str, object]] = {SECOND: {"customer_number": CUSTOMER}}
    keys[ADDRESS] = {"customer_number": CUSTOMER, **first}
    return OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL)), Station(meter=other)], keys=keys)


def test_a_protection_of_the_first_meter_stops_a_trip_at_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who lives by a machine would be cut off because the machine hangs at his other meter (CTRL-08)."""
    gateway = two_meters(tmp_path)
    judged = Gatherer.judge
    lives: list[Sequence[Verdict]] = []

    async def judge(self: Gatherer, stage: Stage, *args: Any) -> Sequence[Verdict]:
        verdicts = await judged(self, stage, *args)
        if stage is Stage.LIVE:
            lives.append(verdicts)
            if len(lives) == 2:  # behind the proof: the next thing is the intent
                assert all(verdict.passed for verdict in verdicts)
                await gateway.told_of_life_support(meter=M)
        return verdicts

    monkeypatch.setattr(Gatherer, "judge", judge)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(OTHER)
        await gateway.trip("t-1", OTHER)
        order = await gateway.until("t-1")
        assert "refused" == order["state"] and "intend" not in kinds_of(order["steps"])

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed(SECOND)


def test_a_customer_whom_the_roster_protects_at_one_meter_keeps_the_other(tmp_path: Path) -> None:
    """The ward behind the second meter of a hospital would be dark (CTRL-08)."""
    gateway = two_meters(tmp_path, protected=["hospital"])

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(OTHER)
        trip = gateway.order("t-1", OrderKind.TRIP, OTHER)
        error = await gateway.refused("clara", "order.create", order=trip)
        assert isinstance(error, Stopped) and "CTRL-08" in str(error)

    gateway.run(seconds=30, meanwhile=script)


def test_a_case_at_the_second_meter_ends_with_a_protection_told_of_the_first(tmp_path: Path) -> None:
    """Who lives by a machine would get a last notice for his other meter (CTRL-08)."""
    gateway = two_meters(tmp_path)

    async def script() -> None:
        await case_at_the_second(gateway)
        told = await gateway.ask("billing", "evidence.add", records=[life_support(gateway)])
        assert ["c-1"] == told["records"][0]["cases"]
        case = await gateway.ask("clara", "case.show", id="c-1")
        assert ("cancelled", "protect") == (case["state"], case["steps"][-1]["verb"])

    gateway.run(seconds=30, meanwhile=script)


@pytest.mark.parametrize("whose", [{"protected": ["hospital"]}, {"customer_number": "000000000007"}])
def test_a_case_ends_within_a_minute_when_the_roster_says_so(tmp_path: Path, whose: dict[str, Any]) -> None:
    """The case of a ward, or of somebody who moved out, would stand for a day as if he were to be cut off."""
    gateway = two_meters(tmp_path)
    gateway.employ("olga", "operator")
    meter = M if "protected" in whose else OTHER

    async def script() -> None:
        await case_at_the_second(gateway)
        await change(gateway, meter=meter, are_corrected=False, are_new=True, **whose)
        await asyncio.sleep(WAIT_MAX_S + 1)
        assert "cancelled" == (await gateway.ask("clara", "case.show", id="c-1"))["state"]

    gateway.run(seconds=120, meanwhile=script)


async def case_at_the_second(gateway: OrderGateway) -> None:
    """A clerk begins a case at the second meter of a customer."""
    await gateway.up()
    kept = without(chain(gateway.now()), "n1", "n1r", "f1")
    await gateway.told(*(document(one.record.body, OTHER, CUSTOMER) for one in kept))
    case = await gateway.ask("clara", "case.create", id="c-1", meter=OTHER, reason="arrears of May")
    assert "warned" == case["state"], "which nobody looks at by itself for a day"


def life_support(gateway: OrderGateway) -> dict[str, Any]:
    """Somebody lives by a machine at the first meter; the sender names the meter alone."""
    told = {"kind": "protection", "id": "x1", "sender": "billing", "at": time_out(gateway.now())}
    return {**told, "meter": M, "protection": "life_support", "state": "set"}
