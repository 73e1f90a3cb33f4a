"""The daemon before a simulated concentrator that dials in: its reports are kept, and acknowledged once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.event import Event
from meterlink.model.reading import Record
from metersim import Line, Meter, Station
from metersim.dlt698 import Meter698
from metersim.dlt698.terminal import Terminal
from metersim.line.faults import Faults
from metersim.line.language import Speaker
from metersim.loop import START
from metersim.terminals.collector import Persistence
from metersim.terminals.concentrator import Concentrator
from metersim.terminals.plan import CARRIER, ConcentratorPlan
from metersim.terminals.port import Route
from metersim.terminals.ways import Ways
from metersim.works.items import items_of
from metersim.works.moments import PLANT_TIME
from tests.sim.test_reports import ADDRESS, GatewayWithTerminal

METERS: dict[str, Speaker] = {
    "000000000201": Meter698("000000000201", seed=1),
    "000000000202": Meter("000000000202", seed=1),
}
DEAD = "000000000203"
DAY_S = 86400
WAYS = Ways(report_daily=True, reports_allowed=True, persistence=Persistence(rounds=1))


class _Gateway(GatewayWithTerminal):
    """A gateway that a concentrator dials."""

    addresses = (ADDRESS, *METERS, DEAD)
    concentrator: Concentrator

    def make_terminal(self) -> Terminal:
        stations = [Station(meter=meter) for meter in METERS.values()]
        silent = Faults(seed=1, silence=1.0)
        stations.append(Station(meter=Meter(DEAD, seed=1), faults=silent))
        line = Line(stations, clock=self.sim.clock, record=lambda _: None)
        plan = ConcentratorPlan(address=ADDRESS, carrier=Route(), ways=WAYS)
        self.concentrator = plan.build({CARRIER: line}, clock=self.sim.clock)
        return self.concentrator.terminal


def test_the_night_of_every_meter_is_kept_as_reported(tmp_path: Path) -> None:
    """Behind a concentrator that reports, meters would have no days, or those of a neighbour."""
    gateway = _Gateway(tmp_path / "j.db")

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(gateway.concentrator.run(), name="concentrator")
            await asyncio.sleep(DAY_S)
            running.cancel()

    rows = gateway.life(body)
    midnight = START.astimezone(PLANT_TIME).replace(hour=0) + timedelta(days=1)
    records = [row.record for row in rows if isinstance(row.record, Record)]
    kept = [one for one in records if one.data_class == DAILY_FREEZE]
    found = {
        (one.meter, reading.item): reading.value
        for one in kept
        for reading in one.readings
        if reading.slot == midnight
    }
    assert len(found) == sum(len(one.readings) for one in kept), "of one night, once"
    for number, (address, meter) in enumerate(METERS.items(), start=2):
        for item in items_of("forward_active_energy"):
            assert meter.value(item, midnight) == found[f"m{number}", item], address
    assert {"m2", "m3"} == {meter for meter, _ in found}, "the last one is dead"
    assert 2 == gateway.concentrator.reporter.told


def test_a_dead_meter_is_an_event_of_that_meter(tmp_path: Path) -> None:
    """An operator would look at the concentrator, or at nothing."""
    gateway = _Gateway(tmp_path / "j.db")

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(gateway.concentrator.run(), name="concentrator")
            await asyncio.sleep(3600)
            running.cancel()

    events = [row.record for row in gateway.life(body) if isinstance(row.record, Event)]
    assert [("m4", "reading_failure")] == [(event.meter, event.kind) for event in events]
