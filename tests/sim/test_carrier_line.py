"""Meters behind a carrier module, read by the daemon in simulated time: the module is metersim's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from metersim import Meter, Station
from metersim.dlt698 import Meter698
from tests.support.agreement import readings_of
from tests.support.carried import QUICK, CarriedGateway
from tests.support.simulated import ITEMS, START, slots_between

_645 = [f"{number:012d}" for number in range(1, 9)]
_698 = ["000000000101", "000000000102"]
_BOTH = dict.fromkeys(_698, "dlt698.45")


def _stations() -> list[Station]:
    return [
        *(Station(meter=Meter(one, seed=7, growth_kw=Decimal(7200)), reply_delay_ms=20) for one in _645),
        *(Station(meter=Meter698(one, seed=7, growth_kw=Decimal(7200)), reply_delay_ms=20) for one in _698),
    ]


@pytest.mark.parametrize("window", [20, 0])
def test_meters_of_both_protocols_are_read_through_a_module(tmp_path: Path, window: int) -> None:
    """Neither 645 nor 698.45 would be read behind a module, with F1-F1 or without."""
    ways = replace(QUICK, window=window)
    gateway = CarriedGateway(tmp_path, _stations(), ways=ways, protocols=_BOTH, every_s=120)
    gateway.run(seconds=600)
    for address in (*_645, *_698):
        for item in ITEMS:
            slots = gateway.slots_of(address, item)
            assert set(slots_between(START, 120, 5)[1:]) <= set(slots), (address, item, slots)
    assert {"plc1"} == {one.route for one in readings_of(gateway.rows())}
    gateway.check()
