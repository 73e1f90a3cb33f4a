"""A protection is about a customer: none of his meters is cut off, whichever it was told of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from meterlink.orders.judging.gathering import Gatherer
from meterlink.orders.judging.judge import Stopped
from meterlink.orders.rules.verdict import Stage, Verdict
from metersim import Station
from tests.support.control_bench import ADDRESS, CUSTOMER, NUMBER, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, kinds_of

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
