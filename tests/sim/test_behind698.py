"""The daemon before a concentrator of DL/T 698.45 that it dials: nights of the meters behind it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from meterlink.model.data_classes import DAILY_FREEZE, INSTANT
from metersim import Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.language import Speaker
from metersim.terminals.ways import Ways
from tests.support.agreement import readings_of, repeated_keys
from tests.support.behind698 import BehindGateway, lines_to
from tests.support.concentrator import ADDRESS, SELDOM
from tests.support.simulated import SimulatedGateway

METERS: dict[str, Speaker] = {
    f"{number:012d}": (Meter698 if number % 2 else Meter)(f"{number:012d}", seed=number)
    for number in range(301, 307)
}
PLANS = [
    {"class": "daily_freeze", "items": ["forward_active_energy"], "name": "night"},
    {"class": "instant", "items": ["voltage.a"], "every_s": 3600, "name": "now"},
]
EVENING = datetime(2026, 11, 22, 15, 20, tzinfo=UTC)
"""23:20 of the plant's time."""
MIDNIGHT = datetime(2026, 11, 22, 16, tzinfo=UTC)


def _gateway(folder: Path, **line: object) -> tuple[SimulatedGateway, list[Station]]:
    stations = [Station(meter=meter) for meter in METERS.values()]
    protocols = {address: "dlt698.45" for address, meter in METERS.items() if isinstance(meter, Meter698)}
    more = lines_to(**line)
    gateway = SimulatedGateway(folder, stations, plans=PLANS, protocols=protocols, more=more, start=EVENING)
    return gateway, stations


def test_a_day_of_meters_behind_a_terminal_that_we_dial(tmp_path: Path) -> None:
    """A concentrator that waits to be dialled would have no days, or those of its neighbours' meters."""
    gateway, stations = _gateway(tmp_path)
    plant = BehindGateway(gateway, stations, ways=Ways(call=SELDOM))
    plant.run(seconds=3 * 3600)
    readings = readings_of(gateway.rows())
    nights = {one.meter: one for one in readings if one.slot == MIDNIGHT and "energy" in one.item}
    assert {f"m{address}" for address in METERS} == set(nights)
    for address, meter in METERS.items():
        assert meter.value("forward_active_energy", MIDNIGHT) == nights[f"m{address}"].value
    routes = defaultdict(set)
    for row in gateway.rows():
        for one in row.readings:
            routes[row.record.data_class].add(one.route)
    assert {f"terminal {ADDRESS} proxy"} == routes[INSTANT]
    assert f"terminal {ADDRESS} store" in routes[DAILY_FREEZE]
    assert [] == repeated_keys(readings)
