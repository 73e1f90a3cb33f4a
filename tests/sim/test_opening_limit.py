"""CTRL-14: above which current a contact must not open, as the meters of both protocols tell it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.drivers.control import OPENING_LIMIT_MAX_A, opening_limit
from metersim import Station
from metersim.works.cost_control import CostControl
from tests.support.control_bench import ADDRESS, ControlBench, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway
from tests.support.ordered698 import Ordered
from tests.support.secured698 import ADDRESS as ADDRESS_698

M = f"m{ADDRESS}"
NO_RELAY = CostControl(has_relay=False)
Told = Callable[[Decimal | None], Decimal | None]
"""A limit that a meter has, and what its driver says that it is."""


def _of_645(limit_a: Decimal | None) -> Decimal | None:
    bench = ControlBench(a_meter() if limit_a is not None else a_meter(NO_RELAY))
    bench.meter.works.switch.trip_current_a = limit_a or Decimal()
    return bench.run(lambda line: bench.driver.opening_limit_a(line, ADDRESS))


def _of_698(limit_a: Decimal | None) -> Decimal | None:
    here = Ordered() if limit_a is not None else Ordered(NO_RELAY)
    here.works.switch.trip_current_a = limit_a or Decimal()
    return here.run(lambda line: here.driver.opening_limit_a(line, ADDRESS_698))


@pytest.mark.parametrize("told", [_of_645, _of_698])
def test_a_meter_tells_its_limit(told: Told) -> None:
    """A contact of 20 A would open under 60 A, and weld or burn."""
    assert Decimal("21.5") == told(Decimal("21.5"))


@pytest.mark.parametrize("told", [_of_645, _of_698])
def test_a_meter_without_one_tells_none(told: Told) -> None:
    """0 A would forbid every trip; an answer that there is no such thing would stop the look."""
    assert told(Decimal()) is None
    assert told(None) is None


def test_a_limit_that_no_contact_has_is_none() -> None:
    """A parameter that was never set (FFFFFFFFH) would let a contact open under any current."""
    assert Decimal(1_000) == opening_limit(OPENING_LIMIT_MAX_A)
    assert opening_limit(OPENING_LIMIT_MAX_A + Decimal("0.001")) is None
    assert _of_698(Decimal("429496.7295")) is None
    assert opening_limit(None) is None


@pytest.mark.parametrize(("limit_a", "state", "obeyed"), [("0.1", "expired", []), ("60", "done", ["trip"])])
def test_a_trip_above_the_limit_of_the_meter_waits(
    tmp_path: Path, limit_a: str, state: str, obeyed: list[str]
) -> None:
    """The limit would be read and not be obeyed."""
    meter = a_meter(OPEN_TO_ALL)
    meter.works.switch.trip_current_a = Decimal(limit_a)
    gateway = OrderGateway(tmp_path, [Station(meter=meter)])
    ended: dict[str, Any] = {}

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        ended.update(await gateway.until("t-1"))

    gateway.run(seconds=2 * 3600, meanwhile=script)
    assert (state, obeyed) == (ended["state"], gateway.obeyed())
    waits = [one for one in ended["steps"] if one["verb"] == "postpone"]
    assert bool(waits) == (not obeyed)
    assert all("CTRL-14" in str(one) for one in waits)
