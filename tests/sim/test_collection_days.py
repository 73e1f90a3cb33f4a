"""Days of collection in simulated time: truth, journal and ledger agree, and every hole has its reason."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Faults, Station
from tests.support.collection_truth import DAY, QUARTER, Book, Verdict, compare, due_slots
from tests.support.faulty_line import CLASSES, MIDNIGHT, in_turn
from tests.support.simulated import SimulatedGateway

_HOUR = timedelta(hours=1)
_PLANS: list[Mapping[str, object]] = [
    {"class": "daily_freeze", "items": ["forward_active_energy.*"]},
    {"class": "monthly_freeze", "items": ["forward_active_energy"]},
    {"class": "curve", "every_s": 900, "items": ["forward_active_energy"], "gather_s": 14_400},
]
_NOISY = {"silence": 0.05, "bit_flip": 0.05, "half_frame": 0.05, "noise": 0.1, "late": 0.03, "double": 0.03}


class _Plant:
    """Meters of both protocols in turn: some silent for good, some with all kinds of mischance.

    Args:
        folder: of the gateway.
        count: of meters; one in ten is silent, three in ten are noisy.
        seed: of everything.

    """

    def __init__(self, folder: Path, count: int, seed: int, start: datetime = MIDNIGHT) -> None:
        self.meters: dict[str, Any] = {}
        self.silent, self.noisy = set[str](), set[str]()
        stations = []
        protocols: dict[str, str] = {}
        for number in range(count):
            address = f"{number:012d}"
            faults = Faults()
            if number % 10 == 3:
                faults = Faults(silence=1.0)
                self.silent.add(f"m{address}")
            elif number % 10 in {5, 6, 8}:
                faults = Faults(seed=seed, **_NOISY)  # type: ignore[arg-type]
                self.noisy.add(f"m{address}")
            meter, protocol = in_turn(number, address, seed=seed)
            protocols |= protocol
            self.meters[f"m{address}"] = meter
            stations.append(Station(meter=meter, faults=faults))
        self.start = start
        self.gateway = SimulatedGateway(
            folder, stations, seed=seed, plans=_PLANS, protocols=protocols, start=start
        )

    def verdict(self, until: datetime) -> Verdict:
        """What truth, journal and ledger say of all that was due before a time."""
        due = list(due_slots(CLASSES, self.start, until))
        path = self.gateway.folder / JOURNAL_FILE
        return compare(path, self.meters, due, truth=lambda meter, _, item, slot: meter.value(item, slot))


def _unexplained(plant: _Plant, verdict: Verdict) -> dict[tuple[str, str], Counter[str]]:
    """The holes of meters that answer, or that have another reason than that nobody answers."""
    return {
        key: reasons
        for key, reasons in verdict.holes.items()
        if key[0] not in plant.silent or set(reasons) != {"silent"}
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_day_of_trouble(tmp_path: Path, seed: int) -> None:
    """Silent and noisy meters, kills, a line that is gone for hours: nothing that can be had is missing."""
    plant, moments = _Plant(tmp_path, 12, seed), random.Random(seed)

    async def unplugged() -> None:
        await asyncio.sleep(moments.uniform(0.5, 2) * 3600)
        plant.gateway.unplug()
        await asyncio.sleep(moments.uniform(1, 3) * 3600)
        plant.gateway.plugged = True

    plant.gateway.run(seconds=7 * 3600, meanwhile=unplugged, kill=True)
    for _ in range(4):
        plant.gateway.sim.clock.advance(moments.choice([1, 60, 1800, 5400]))
        plant.gateway.run(seconds=moments.choice([1, 10, 600, 3600]), kill=True)
    left = MIDNIGHT + DAY + 3 * _HOUR - plant.gateway.sim.clock.utc_now()
    plant.gateway.run(seconds=left.total_seconds())
    assert {} == _unexplained(plant, plant.verdict(MIDNIGHT + DAY))
    assert [] == plant.gateway.database_differences()


def test_a_week_without_the_gateway(tmp_path: Path) -> None:
    """All that the meters still hold comes back: days of every customer would be missing in the bills."""
    plant = _Plant(tmp_path, 6, seed=1)
    plant.gateway.run(seconds=2 * 3600)
    plant.gateway.sim.clock.advance(7 * DAY.total_seconds())
    before = plant.gateway.sim.clock.utc_now()
    plant.gateway.run(seconds=0.05)
    early = plant.verdict(MIDNIGHT + 7 * DAY)
    sound = next(name for name in plant.meters if name not in plant.silent | plant.noisy)
    assert {"not_running"} == set(early.holes[sound, "curve"]), "nobody has come to it yet, and why"
    plant.gateway.run(seconds=10 * 3600)
    verdict = plant.verdict(before - QUARTER)
    assert {} == _unexplained(plant, verdict)
    assert 8 == verdict.kept[sound, "daily_freeze"], "that of the first night, and seven"


def test_f19_what_the_meters_have_overwritten_is_told_gone(tmp_path: Path) -> None:
    """F19: slots that nobody will ever have would be asked for until the end of days."""
    plant = _Plant(tmp_path, 2, seed=1)
    plant.gateway.run(seconds=2 * 3600)
    plant.gateway.sim.clock.advance(80 * DAY.total_seconds())
    plant.gateway.run(seconds=20 * 3600)
    book = Book(tmp_path / JOURNAL_FILE)
    slots = book.slots()
    book.close()
    now = plant.gateway.sim.clock.utc_now()
    for name in plant.meters:
        freezes = {
            slot: row for (meter, kind, slot), row in slots.items() if (meter, kind) == (name, "daily_freeze")
        }
        held = {slot for slot in freezes if slot > now - 62 * DAY}
        lost = {slot for slot in freezes if slot not in held and slot > MIDNIGHT}
        assert len(lost) >= 15
        assert {"kept"} == {freezes[slot].state for slot in held}
        assert {("expired", "gone")} == {(freezes[slot].state, freezes[slot].reason) for slot in lost}


@pytest.mark.parametrize("number", [0, 1], ids=["dlt645", "dlt698.45"])
def test_after_a_long_absence_what_is_overwritten_next_is_read_first(tmp_path: Path, number: int) -> None:
    """Behind the last week, the oldest night came last, when the meter had overwritten it (FRZ-03)."""
    meter, protocol = in_turn(number, "000000000161", seed=1)
    gateway = SimulatedGateway(
        tmp_path,
        [Station(meter=meter)],
        plans=[{"class": "daily_freeze", "items": ["forward_active_energy"]}],
        protocols=protocol,
        start=MIDNIGHT,
        meter_keys={"000000000161": {"reading_day": (MIDNIGHT + 20 * DAY + timedelta(hours=8)).day}},
    )
    gateway.run(seconds=3_600)
    gateway.sim.clock.advance(40 * DAY.total_seconds())
    gateway.run(seconds=2 * 3_600)
    nights = [
        (row.readings[0].slot - MIDNIGHT) // DAY
        for row in gateway.rows()
        if row.readings and row.record.data_class == "daily_freeze"
    ]
    last_week = list(range(39, 33, -1))
    assert [0, 40, 20, *last_week] == nights[:9]
    turns = [sorted(nights[at : at + 4]) for at in range(9, len(nights), 4)]
    old = [night for night in range(1, 34) if night != 20]
    assert old == [night for turn in turns for night in turn], "the oldest first"
