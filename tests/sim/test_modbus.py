"""The daemon with meters of Modbus: on one line with a meter of DL/T 645, and none is read as another."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterprofiles import Profile, generic, packaged
from metersim import Faults, Port, Station
from metersim.loop import START
from metersim.plant.making import Named, speaker
from metersim.plant.rows import MeterRow
from tests.support.agreement import readings_of
from tests.support.simulated import SimulatedGateway

_ENERGY = "forward_active_energy"
_METERS = {
    "000000000161": ("dlt645-2007", ""),
    "000000000017": ("modbus-rtu", "SDM230-Modbus"),
    "000000000018": ("modbus-rtu", "ADL3000-E-A"),
}


def _profile(address: str) -> Profile:
    protocol, model = _METERS[address]
    return packaged().find(protocol, model) if model else generic(protocol)


def _station(address: str, faults: Faults, port: Port | None) -> Station:
    row = MeterRow(address=address, profile=_profile(address))
    meter = speaker(Named(address, "line-1", row), seed=5, start=START - timedelta(days=400))
    return Station(meter=meter, faults=faults, port=port)


@pytest.mark.parametrize("port", [None, Port(9600, "none")], ids=["quick", "paced"])
def test_meters_of_two_protocols_stand_on_one_line(tmp_path: Path, port: Port | None) -> None:
    """A question of one protocol would be an answer of the other, or a meter's energy its neighbour's."""
    faults = Faults(seed=3, noise=0.3, bit_flip=0.1, loss=0.1)
    gateway = SimulatedGateway(
        tmp_path,
        [_station(address, faults, port) for address in _METERS],
        protocols={address: protocol for address, (protocol, _) in _METERS.items()},
        models={address: model for address, (_, model) in _METERS.items()},
        plans=[{"name": "p", "every_s": 30, "items": [_ENERGY, "voltage.*"]}],
        port=port,
    )
    gateway.run(seconds=200)
    gateway.check()
    kept = {(one.meter, one.item) for one in readings_of(gateway.rows()) if one.value is not None}
    assert {(f"m{address}", _ENERGY) for address in _METERS} <= kept
    assert ("m000000000017", "voltage.a") in kept
    assert ("m000000000018", "voltage.a") not in kept, "its map has none"
    energies = {one.value for one in readings_of(gateway.rows()) if one.item == _ENERGY}
    assert all(value is not None and value > Decimal(0) for value in energies)
