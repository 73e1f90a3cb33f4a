"""How a contact opens, as meters of both protocols tell it: its limit (CTRL-14), its time (CTRL-20)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.drivers.control import (
    OPENING_LIMIT_MAX_A,
    OPENS_WITHIN_MAX,
    Opening,
    opening_limit,
    opens_within,
)
from meterlink.orders.life.switch_proof import FAULT_AFTER
from metersim import Station
from metersim.works.cost_control import CostControl
from tests.support.control_bench import ADDRESS, ControlBench, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, kinds_of
from tests.support.ordered698 import Ordered
from tests.support.secured698 import ADDRESS as ADDRESS_698

M = f"m{ADDRESS}"
MINUTE = timedelta(minutes=1)
NO_RELAY = CostControl(has_relay=False)
Told = Callable[[Decimal | None], Decimal | None]
"""A limit that a meter has, and what its driver says that it is."""


def _of_645(limit_a: Decimal | None) -> Decimal | None:
    bench = ControlBench(a_meter() if limit_a is not None else a_meter(NO_RELAY))
    bench.meter.works.switch.trip_current_a = limit_a or Decimal()
    return bench.run(lambda line: bench.driver.opening(line, ADDRESS)).limit_a


def _of_698(limit_a: Decimal | None) -> Decimal | None:
    here = Ordered() if limit_a is not None else Ordered(NO_RELAY)
    here.works.switch.trip_current_a = limit_a or Decimal()
    return here.run(lambda line: here.driver.opening(line, ADDRESS_698)).limit_a


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


def test_a_meter_of_645_tells_how_long_a_trip_may_wait() -> None:
    """A trip that a meter took and forgot would stay open for a day, and keep every other order waiting."""
    bench = ControlBench(a_meter())
    switch = bench.meter.works.switch
    switch.trip_delay, switch.trip_wait = 7 * MINUTE, 25 * MINUTE
    told = bench.run(lambda line: bench.driver.opening(line, ADDRESS))
    assert Opening(limit_a=None, within=32 * MINUTE) == told


def test_a_meter_of_698_tells_how_long_a_trip_may_wait() -> None:
    """The same; its delay stands in the order, and ours have none."""
    here = Ordered()
    here.works.switch.trip_delay, here.works.switch.trip_wait = 7 * MINUTE, 25 * MINUTE
    told = here.run(lambda line: here.driver.opening(line, ADDRESS_698))
    assert Opening(limit_a=None, within=25 * MINUTE) == told


def test_a_meter_that_tells_no_time_opens_at_no_known_time() -> None:
    """A trip that waits would be called a fault, and its meter's whole model be withdrawn."""
    bench, here = ControlBench(a_meter(NO_RELAY)), Ordered(NO_RELAY)
    assert bench.run(lambda line: bench.driver.opening(line, ADDRESS)).within is None
    assert here.run(lambda line: here.driver.opening(line, ADDRESS_698)).within is None
    assert opens_within(Decimal(5), None) is None
    assert opens_within(Decimal(-1)) is None


def test_a_time_that_no_contact_takes_is_none() -> None:
    """A parameter that was never set (FFFFH minutes) would be waited for."""
    longest = Decimal(OPENS_WITHIN_MAX // MINUTE)
    assert OPENS_WITHIN_MAX == opens_within(longest - 1, Decimal(1))
    assert opens_within(longest, Decimal(1)) is None


@pytest.mark.parametrize("delay_min", [0, 20])
def test_an_accepted_trip_that_never_opens_ends_when_its_time_is_over(tmp_path: Path, delay_min: int) -> None:
    """It would stay open for 24 h: nobody would be sent there, and no other order could go."""
    meter = a_meter(dataclasses.replace(OPEN_TO_ALL, only_answers=True))
    meter.works.switch.trip_delay = delay_min * MINUTE
    gateway = OrderGateway(tmp_path, [Station(meter=meter)])
    ended: dict[str, Any] = {}

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        ended.update(await gateway.until("t-1"))

    gateway.run(seconds=3 * 3600, meanwhile=script)
    at = {one["verb"]: datetime.fromisoformat(one["at"]) for one in ended["steps"]}
    assert ("not_done", 1) == (ended["state"], kinds_of(ended["steps"]).count("intend"))
    assert delay_min * MINUTE + FAULT_AFTER <= at["prove_not"] - at["accept"] < timedelta(hours=1)
