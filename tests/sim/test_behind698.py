"""The daemon before a concentrator of DL/T 698.45 that it dials: nights of the meters behind it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.model.data_classes import DAILY_FREEZE, INSTANT
from metersim import Faults, Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.language import Speaker
from metersim.terminals.collector import Persistence
from metersim.terminals.port import Route
from metersim.terminals.ways import Mishap, Ways
from meterwire.dlt698.sessions.transfer import Sizes
from tests.support.agreement import readings_of, repeated_keys
from tests.support.behind698 import BehindGateway, lines_to
from tests.support.concentrator import ADDRESS, SELDOM
from tests.support.simulated import SimulatedGateway


def _meters() -> dict[str, Speaker]:
    return {
        f"{number:012d}": (Meter698 if number % 2 else Meter)(f"{number:012d}", seed=number)
        for number in range(301, 307)
    }


METERS = _meters()
"""Made anew by each test: the clock of a meter does not go back to the evening."""
PLANS: list[dict[str, object]] = [
    {"class": "daily_freeze", "items": ["forward_active_energy"], "name": "night"},
    {"class": "instant", "items": ["voltage.a"], "every_s": 3600, "name": "now"},
]
EVENING = datetime(2026, 11, 22, 15, 20, tzinfo=UTC)
"""23:20 of the plant's time."""
MIDNIGHT = datetime(2026, 11, 22, 16, tzinfo=UTC)


def _gateway(folder: Path, **line: object) -> tuple[SimulatedGateway, list[Station]]:
    METERS.update(_meters())
    stations = [Station(meter=meter) for meter in METERS.values()]
    protocols = {address: "dlt698.45" for address, meter in METERS.items() if isinstance(meter, Meter698)}
    more = lines_to(**line)
    gateway = SimulatedGateway(folder, stations, plans=PLANS, protocols=protocols, more=more, start=EVENING)
    return gateway, stations


def _check_nights(gateway: SimulatedGateway) -> None:
    """Every meter has its own night, once, and the database has it too."""
    readings = readings_of(gateway.rows())
    nights = {one.meter: one for one in readings if one.slot == MIDNIGHT and "energy" in one.item}
    assert {f"m{address}" for address in METERS} == set(nights)
    for address, meter in METERS.items():
        assert meter.value("forward_active_energy", MIDNIGHT) == nights[f"m{address}"].value
    assert [] == repeated_keys(readings)
    gateway.check_database()


def test_a_day_of_meters_behind_a_terminal_that_we_dial(tmp_path: Path) -> None:
    """A concentrator that waits to be dialled would have no days, or those of its neighbours' meters."""
    gateway, stations = _gateway(tmp_path)
    plant = BehindGateway(gateway, stations, ways=Ways(call=SELDOM))
    plant.run(seconds=3 * 3600)
    _check_nights(gateway)
    readings = readings_of(gateway.rows())
    routes = defaultdict(set)
    for row in gateway.rows():
        for one in row.readings:
            routes[row.record.data_class].add(one.route)
    assert {f"terminal {ADDRESS} proxy"} == routes[INSTANT]
    assert f"terminal {ADDRESS} store" in routes[DAILY_FREEZE]
    assert [] == repeated_keys(readings)


@pytest.mark.parametrize("block", [1, 2])
def test_f15_a_concentrator_that_restarts_amid_blocks_costs_no_night(tmp_path: Path, block: int) -> None:
    """F15: half an answer would be kept for the whole, or its meters be without a night."""
    gateway, stations = _gateway(tmp_path)
    mishap = Mishap(reset_at_block=block, reset_s=40)
    ways = Ways(call=SELDOM, sizes=Sizes(256, 256), mishap=mishap)
    plant = BehindGateway(gateway, stations, ways=ways)
    plant.run(seconds=3 * 3600)
    _check_nights(gateway)
    assert 1 == plant.concentrator.resets


@pytest.mark.parametrize("seed", [1, 2])
def test_f16_a_carrier_of_half_a_second_to_half_a_minute_costs_no_night(tmp_path: Path, seed: int) -> None:
    """F16: values would change places, or meters be given up, when answers take half a minute."""
    gateway, stations = _gateway(tmp_path)
    route = Route(shortest_s=0.5, longest_s=29.0, loss=0.05)
    plant = BehindGateway(gateway, stations, ways=Ways(call=SELDOM), carrier=route, seed=seed)
    plant.run(seconds=5 * 3600)
    _check_nights(gateway)


def test_a_silent_meter_costs_its_neighbours_no_night(tmp_path: Path) -> None:
    """One dead meter of six would eat the time of the carrier, or of the line."""
    gateway, stations = _gateway(tmp_path)
    dead = Meter("000000000399", seed=9)
    gateway.addresses[f"m{dead.address}"] = dead.address
    stations.append(Station(meter=dead, faults=Faults(seed=1, silence=1.0)))
    plant = BehindGateway(gateway, stations, ways=Ways(call=SELDOM, persistence=Persistence(rounds=1)))
    plant.run(seconds=3 * 3600)
    _check_nights(gateway)
    hourly = [one for one in readings_of(gateway.rows()) if one.item == "voltage.a" and one.slot > EVENING]
    assert 3 * len(METERS) <= len(hourly)
    assert max(one.taken_at - one.slot for one in hourly) < timedelta(minutes=5)


def test_what_a_dialled_terminal_reports_is_kept_under_the_right_meter(tmp_path: Path) -> None:
    """Of a concentrator that waits to be dialled nothing would be heard, or of its meters as of itself."""
    gateway, stations = _gateway(tmp_path)
    ways = Ways(call=SELDOM, report_daily=True, reports_allowed=True)
    plant = BehindGateway(gateway, stations, ways=ways)
    plant.run(seconds=3 * 3600)
    told = [one for one in readings_of(gateway.rows()) if one.route == f"terminal {ADDRESS}"]
    assert {f"m{address}" for address in METERS} == {one.meter for one in told}
    for one in told:
        assert METERS[one.meter.removeprefix("m")].value(one.item, one.slot) == one.value
    assert plant.concentrator.reporter.told, "and it was told that they are kept"
