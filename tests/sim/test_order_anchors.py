"""The whole gateway and orders, when the world misbehaves; the meters say what they obeyed."""

from __future__ import annotations

from pathlib import Path

from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, kinds_of

M = f"m{ADDRESS}"


def _gateway(tmp_path: Path, **more: object) -> OrderGateway:
    return OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], **more)


def test_a_trip_by_three_persons(tmp_path: Path) -> None:
    """The plain way through evidence, rules, approval and line would not lead to an open contact."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        order = await gateway.until("t-1")
        assert "done" == order["state"]
        print(kinds_of(order["steps"]))

    gateway.run(seconds=120, meanwhile=script)
    assert ["trip"] == gateway.obeyed()
