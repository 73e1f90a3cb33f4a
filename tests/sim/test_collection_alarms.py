"""The daemon itself raises the alarms of collection, out of what simulated meters told it, or did not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.attention.work import WorkItems
from metersim import Meter, Station
from metersim.dlt645.meter import Answer
from metersim.works.moments import PLANT_TIME
from meterwire.dlt645.link.frame import Frame
from tests.support.simulated import SimulatedGateway

_SOUND, _DEAD, _OTHER_DAY = "000000000001", "000000000002", "000000000003"
_DAY_S = 86_400


class _Dead(Meter):
    """A meter that was torn out."""

    def answer(self, frame: Frame, at: object) -> Answer | None:
        return None


def test_the_daemon_tells_what_it_could_not_collect(tmp_path: Path) -> None:
    """SCH-02, FRZ-01, FRZ-05, FRZ-06, VEE-01: the rules would hold in their tests, and nowhere else."""
    days = {_SOUND: 1, _DEAD: 24, _OTHER_DAY: 25}
    gateway = SimulatedGateway(
        tmp_path,
        [Station(meter=(_Dead if one == _DEAD else Meter)(one, seed=7)) for one in days],
        plans=[{"class": DAILY_FREEZE, "every_s": 3_600}],
        meter_keys={one: {"reading_day": day, "area": "A"} for one, day in days.items()},
        more={"alarms": {"silent_work_days": 5}},
    )
    gateway.run(seconds=5.5 * _DAY_S)
    gateway.run(seconds=_DAY_S / 2)
    alarms, work = _told(gateway)
    dead = f"m{_DEAD}"
    assert {
        "DEMAND_MISSING": [],
        "FRZ_GAP": [],
        "MANUAL_READ": [f"MANUAL_READ:{dead}:2026-11-23"],
        "POINT_SILENT": [f"POINT_SILENT:{dead}:2026-11-22"],
        "READ_DAY_CHANGED": [],
        "READ_MISSING": [f"READ_MISSING:{dead}:2026-11-23"],
        "SETTLE_DAY_MISMATCH": [
            f"SETTLE_DAY_MISMATCH:m{_OTHER_DAY}:2026-11-22",
        ],
    } == {
        rule: [one for one in alarms if one.startswith(f"{rule}:")]
        for rule in (
            "DEMAND_MISSING",
            "FRZ_GAP",
            "MANUAL_READ",
            "POINT_SILENT",
            "READ_DAY_CHANGED",
            "READ_MISSING",
            "SETTLE_DAY_MISMATCH",
        )
    }
    low = {one: count for one, count in alarms.items() if one.startswith("FRZ_LOW:@A:")}
    assert {f"FRZ_LOW:@A:2026-11-{day}" for day in range(22, 27)} <= low.keys(), "one of three is missing"
    assert {1, 2} == set(low.values()), "told at eight, and once more a day later"
    assert [f"manual_read:MANUAL_READ:{dead}:2026-11-23", f"silent:POINT_SILENT:{dead}:2026-11-22"] == work


def _told(gateway: SimulatedGateway) -> tuple[dict[str, int], list[str]]:
    """How often each alarm was told, and the open work."""

    async def told() -> tuple[dict[str, int], list[str]]:
        path = gateway.folder / JOURNAL_FILE
        async with Journal.open(path, clock=gateway.clock, is_start=False) as journal:
            alarms = await Alarms(journal.acts, gateway.clock, zone=PLANT_TIME).list(only_open=False)
            work = await WorkItems(journal.acts, gateway.clock).list()
            return {one.id: one.count for one in alarms}, [one.id for one in work]

    return asyncio.run(told())
