"""Qualification of a model at a meter, from the first look to the signed result, and what takes it away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metersim import Station
from tests.support.at_the_meter import AtTheMeter
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"


def a_gateway(tmp_path: Path, meter: Any = None, **more: Any) -> OrderGateway:
    return OrderGateway(tmp_path, [Station(meter=meter or a_meter(OPEN_TO_ALL))], proved=None, **more)


def test_a_model_is_qualified_at_a_meter(tmp_path: Path) -> None:
    """The plain way through all probes would not lead to a signed result with the facts of the meter."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    gateway.run(seconds=3600, meanwhile=lambda: fred.qualify(M))
    print(fred.walk, fred.confirmed, gateway.obeyed())
    assert "qualified" == fred.walk["result"]
