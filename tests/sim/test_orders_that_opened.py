"""An alarm or a guarantee that opened the contact: a fault of the relay, and a cut for whoever pays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from meterlink.model.order import OrderKind
from metersim import Station
from metersim.works.cost_control import CostControl
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

METER: Final = f"m{ADDRESS}"
ALARM: Final = replace(OPEN_TO_ALL, alarm_is_breaker=True)
GUARANTEE: Final = replace(OPEN_TO_ALL, guarantee_off="opens")


async def _sent(gateway: OrderGateway, kind: OrderKind) -> str:
    """The state in which such an order ends."""
    await gateway.ask("clara", "order.create", order=gateway.order(kind.value, kind, METER))
    if kind is not OrderKind.ALARM_ON:
        await gateway.ask("anna", "order.approve", id=kind.value)
    await gateway.operated(kind.value)
    return str((await gateway.until(kind.value))["state"])


@pytest.mark.parametrize(
    ("control", "kinds"),
    [(ALARM, [OrderKind.ALARM_ON]), (GUARANTEE, [OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF])],
)
def test_what_should_open_no_contact_and_did_is_a_fault(
    tmp_path: Path, control: CostControl, kinds: list[OrderKind]
) -> None:
    """A hospital would be dark and its order `done`; nobody would go there, and who pays is forgotten."""
    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(control))])

    async def script() -> None:
        await gateway.up()
        states = [await _sent(gateway, kind) for kind in kinds]
        assert [*["done"] * (len(kinds) - 1), "relay_fault"] == states
        assert ["relay_fault"] == [one["kind"] for one in (await gateway.ask("david", "work.list"))["items"]]
        alarms = (await gateway.ask("david", "alarm.list", only_open=True))["alarms"]
        assert ["RELAY_FAULT"] == [one["rule"] for one in alarms]
        (close,) = (await gateway.paid(METER))["orders"]
        await gateway.until(close, "waiting_for_key")

    gateway.run(seconds=900, meanwhile=script)
