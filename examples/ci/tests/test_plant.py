"""A whole line out of a plant file, and an hour that takes no time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from headend import NoAnswer, read_energy_kwh
from metersim.testing import PlantMaker, RunningMeter


def read(meter: RunningMeter) -> str:
    try:
        return str(read_energy_kwh(meter.host, meter.port, meter.address, tries=1))
    except NoAnswer:
        return "nothing"


@pytest.mark.metersim("plant.yaml")
def test_one_dead_meter_does_not_keep_us_from_the_others(metersim_plant: PlantMaker) -> None:
    plant = metersim_plant()
    *sound, dead = map(read, plant.meters.values())
    assert 2 == len(sound)
    assert "nothing" == dead
    assert "nothing" not in sound


def test_consumption_of_an_hour(metersim_plant: PlantMaker) -> None:
    plant = metersim_plant(growth_kw=100)
    before = plant.meter().value("forward_active_energy")
    plant.jump(timedelta(hours=1))
    assert float(read(plant.meter())) > before
