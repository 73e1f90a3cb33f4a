"""Settlements of meters that settle on different days of the month, of both protocols."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.language import Speaker
from metersim.works.moments import PLANT_TIME
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.support.collection_truth import Book
from tests.support.simulated import SimulatedGateway

_PLAN: Mapping[str, object] = {"class": "monthly_freeze", "items": ["forward_active_energy.*"]}
_DAYS = (1, 15, 28)
_START = datetime(2026, 11, 10, tzinfo=PLANT_TIME)


class _Plant:
    """Three meters of each protocol, whose places have the same reading days.

    Args:
        folder: of the gateway.
        plan: what it is asked for.
        settles_on: the day in all meters; ``None``: the reading day of each.

    """

    def __init__(self, folder: Path, plan: Mapping[str, object] = _PLAN, settles_on: int | None = None):
        self.meters: dict[str, Speaker] = {}
        self.days: dict[str, int] = {}
        protocols, keys = {}, {}
        for number, day in enumerate(_DAYS * 2):
            address = f"{number:012d}"
            works = Works(Plate(address=address, settlement_day=settles_on or day), seed=number)
            is_698 = number >= len(_DAYS)
            self.meters[f"m{address}"] = (Meter698 if is_698 else Meter)(address, seed=number, works=works)
            self.days[f"m{address}"] = day
            keys[address] = {"reading_day": day}
            if is_698:
                protocols[address] = "dlt698.45"
        stations = [Station(meter=meter) for meter in self.meters.values()]
        self.gateway = SimulatedGateway(
            folder, stations, plans=[plan], protocols=protocols, meter_keys=keys, start=_START
        )

    def run_until(self, until: datetime) -> Book:
        """Some hours of every eighth day; the rest of the time nobody is there."""
        while self.gateway.sim.clock.utc_now() < until:
            self.gateway.run(seconds=2 * 3600)
            self.gateway.sim.clock.advance(8 * 86_400)
        self.gateway.run(seconds=3 * 3600)
        return Book(self.gateway.folder / JOURNAL_FILE)


def _kept(book: Book) -> dict[str, list[str]]:
    """By meter the days whose settlement the ledger calls kept."""
    found: dict[str, list[str]] = {}
    for (meter, _, slot), at in sorted(book.slots().items()):
        assert "kept" == at.state, (meter, slot, at)
        found.setdefault(meter, []).append(f"{slot.astimezone(PLANT_TIME):%m-%d}")
    return found


def test_each_meter_settles_on_its_own_reading_day(tmp_path: Path) -> None:
    """SCH-02: settlements of all days but the first would be lost, and what stood on the first be kept."""
    plant = _Plant(tmp_path)
    book = plant.run_until(datetime(2027, 1, 2, tzinfo=PLANT_TIME))
    months = {
        1: ["11-01", "12-01", "01-01"],
        15: ["10-15", "11-15", "12-15"],
        28: ["10-28", "11-28", "12-28"],
    }
    assert {meter: months[day] for meter, day in plant.days.items()} == _kept(book)
    for (meter, _, slot), values in book.readings().items():
        assert plant.days[meter] == slot.astimezone(PLANT_TIME).day
        assert plant.meters[meter].value("forward_active_energy", slot) == values["forward_active_energy"]


@pytest.mark.parametrize("settles_on", [1, 15])
def test_a_plan_may_say_one_day_for_all_meters(tmp_path: Path, settles_on: int) -> None:
    """A fleet that settles on one day whatever its customers' reading days would have no settlements."""
    plant = _Plant(tmp_path, {**_PLAN, "settlement_day": settles_on}, settles_on)
    book = plant.run_until(_START + timedelta(days=30))
    days = {1: ["11-01", "12-01"], 15: ["10-15", "11-15"]}[settles_on]
    assert dict.fromkeys(plant.meters, days) == _kept(book)
