"""A meter is read by what is proven of the firmware that answers, and an order read back by what was then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from metersim import Station
from metersim.dlt645 import nameplate
from metersim.line.fault_rules import FaultRule
from metersim.works import controlled
from metersim.works.cost_control import CostControl
from tests.sim.test_orders_under_a_hold import open_work
from tests.sim.test_qualification import becomes
from tests.support.at_the_meter import AtTheMeter
from tests.support.control_bench import a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

_ONE, _OTHER = "000000000161", "000000000162"
_VENDOR = replace(OPEN_TO_ALL, status_word="vendor")
_DELAY = timedelta(minutes=3)
_LONG_S = 30 * 3_600


def _gateway(
    folder: Path, *of: tuple[str, CostControl], keys: Mapping[str, Mapping[str, Any]] | None = None
) -> OrderGateway:
    """Meters of one model, of which nothing is proven yet."""
    stations = [
        Station(meter=a_meter(character, address=address, number=f"000000990{address[-3:]}"))
        for address, character in of
    ]
    return OrderGateway(folder, stations, proved=None, keys=keys)


@pytest.mark.parametrize("file_names", ["", "metersim|fw-161|metersim", "metersim|fw-162|metersim"])
def test_a_trip_is_read_back_by_the_firmware_that_took_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_names: str
) -> None:
    """The bit of another firmware's word never turns: the trip would be sent again while the meter waits."""
    monkeypatch.setitem(
        nameplate._ITEMS, "software_version", lambda works, _p, _a: f"fw-{works.plate.address[-3:]}"
    )
    keys = {_OTHER: {"firmware": file_names}}
    grid = replace(OPEN_TO_ALL, guarantee_on="cancels_trip")
    vendor = replace(_VENDOR, guarantee_on="cancels_trip")
    gateway = _gateway(tmp_path, (_ONE, grid), (_OTHER, vendor), keys=keys)
    meter = f"m{_OTHER}"
    before: list[str] = []

    async def script() -> None:
        for address in (_ONE, _OTHER):
            fred = AtTheMeter(gateway)
            await fred.qualify(f"m{address}")
            assert "qualified" == fred.walk["result"]
        before.extend(gateway.obeyed(_OTHER))
        gateway.meters[_OTHER].works.switch.trip_delay = _DELAY
        await gateway.told_for_trip(meter)
        gateway.strikes.add("silence")
        await gateway.trip("t-1", meter)
        assert "done" == (await gateway.until("t-1"))["state"]

    gateway.run(seconds=_LONG_S, meanwhile=script)
    assert ["trip"] == gateway.obeyed(_OTHER)[len(before) :]


def test_what_falls_meanwhile_does_not_change_what_a_look_says(tmp_path: Path) -> None:
    """A permit that never arrived would be called "press the key", and nobody would come."""
    gateway = _gateway(tmp_path, (_ONE, _VENDOR), (_OTHER, _VENDOR), keys={_OTHER: {"area": "west"}})
    cut, other = f"m{_ONE}", f"m{_OTHER}"

    def away() -> None:
        now = gateway.sim.clock.utc_now()
        span = (now - timedelta(seconds=1), now + timedelta(minutes=12))
        gateway.strikes.rules.add(FaultRule(what="loss", meter=_ONE, between=span), at=now)

    async def script() -> None:
        await AtTheMeter(gateway).qualify(other)
        await gateway.told_for_trip(cut)
        await gateway.trip("t-1", cut)
        await gateway.until("t-1")
        gateway.strikes.then(away)
        (close,) = (await gateway.paid(cut))["orders"]
        await gateway.until(close, "readback")
        becomes(gateway.meters[_OTHER], status_word="inverted")
        await gateway.ask("clara", "order.create", order=gateway.order("a-1", "alarm_on", other))
        await gateway.operated("a-1")
        await gateway.until("a-1")
        assert "not_done" == (await gateway.until(close))["state"]
        assert "field_order" in await open_work(gateway)

    gateway.run(seconds=_LONG_S, meanwhile=script)
    assert ["trip"] == gateway.obeyed(_ONE)


def test_a_word_that_tells_a_trip_when_the_contact_opens_sends_no_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk sees the bit of a permit; that of a trip may turn later, and a second one would go."""
    told = controlled.Controlled.status_bits
    monkeypatch.setattr(
        controlled.Controlled,
        "status_bits",
        lambda works: told(works) if works.switch.contact_open else told(works) & ~(1 << 1),
    )
    gateway = _gateway(tmp_path, (_ONE, _VENDOR))
    meter = f"m{_ONE}"
    before: list[str] = []

    async def script() -> None:
        fred = AtTheMeter(gateway)
        await fred.qualify(meter)
        assert "yes" == fred.facts["permit_waits_for_key"]
        before.extend(gateway.obeyed())
        gateway.meters[_ONE].works.switch.trip_delay = _DELAY
        await gateway.told_for_trip(meter)
        gateway.strikes.add("silence")
        await gateway.trip("t-1", meter)
        assert "done" == (await gateway.until("t-1"))["state"]

    gateway.run(seconds=_LONG_S, meanwhile=script)
    assert ["trip"] == gateway.obeyed()[len(before) :]
