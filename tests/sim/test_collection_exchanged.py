"""What was due of a meter that has left its place is settled: nobody can read it any more."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.model.marks import Marks
from metersim import Meter, Station
from metersim.plant.effects import strike
from metersim.plant.happenings import Happening
from tests.support.collection_truth import Book
from tests.support.faulty_line import MIDNIGHT
from tests.support.simulated import SimulatedGateway

_OLD, _OTHER = "000000000001", "000000000002"
_EVIDENCE = {"last": {"forward_active_energy": "79999.00"}, "first": {"forward_active_energy": "0.02"}}


def test_slots_of_a_meter_that_was_exchanged_wait_for_nothing(tmp_path: Path) -> None:
    """The old meter's slots would be missing for good, each as one whose turn has not come."""
    gateway = SimulatedGateway(
        tmp_path,
        [Station(meter=Meter(address, seed=1)) for address in (_OLD, _OTHER)],
        plans=[{"class": "curve", "every_s": 3600, "items": ["forward_active_energy"]}],
        start=MIDNIGHT,
        meter_keys={
            address: {"meter_number": f"2026{address[4:]}", "area": "north"} for address in (_OLD, _OTHER)
        },
    )
    told: dict[str, Any] = {}

    async def exchange() -> None:
        await asyncio.sleep(6.01 * 3600)  # what was taken at 5 and 6 o'clock is not fetched yet
        at = gateway.clock.utc_now().isoformat()
        await gateway.ask(
            "li",
            "roster.exchange",
            meter=f"m{_OLD}",
            meter_number="202699999999",
            new="new",
            address="000000000009",
            removed_at=at,
            installed_at=at,
            evidence="work order 7",
            **_EVIDENCE,
        )
        await asyncio.sleep(60)
        for hour in (1, 6, 20):
            slot = f"2026-11-22T{hour:02}:00+08:00"
            answer = await gateway.ask("li", "collection.why", meter=f"m{_OLD}", slot=slot)
            told[slot[11:13]] = [(one["state"], one["reason"]) for one in answer["found"]]
        day = await gateway.ask("li", "collection.completeness", day="2026-11-22", by="meter", area="north")
        (told["kept"],) = [row["kept"] for row in day["rows"] if row["name"] == f"m{_OLD}"]

    gateway.run(seconds=7 * 3600, meanwhile=exchange)
    assert [("kept", None)] == told["01"]
    assert [("expired", "exchanged")] == told["06"]
    assert [("waived", "not_in_service")] == told["20"]
    assert 5 == told["kept"], "its part of the day stays in its area"


def test_an_exchange_told_days_later_at_the_same_address(tmp_path: Path) -> None:
    """Nobody would fetch the new meter's nights, and what stands under the old id would be its own."""
    removed_at = MIDNIGHT + timedelta(hours=10)
    old = Meter(_OLD, seed=1)
    gateway = SimulatedGateway(
        tmp_path,
        [Station(meter=old)],
        plans=[
            {"class": "daily_freeze"},
            {"class": "curve", "every_s": 3600, "items": ["forward_active_energy"]},
        ],
        start=MIDNIGHT,
        meter_keys={_OLD: {"meter_number": _OLD}},
    )

    async def exchange() -> None:
        await asyncio.sleep(10 * 3600)
        swap = Happening(what="meter_exchange", at=timedelta(), meter_number="000000000777")
        strike(swap, old.works, gateway.sim.clock.utc_now())
        await asyncio.sleep(2 * 86_400 - 3600)
        await gateway.ask(
            "li",
            "roster.exchange",
            meter=f"m{_OLD}",
            meter_number="000000000777",
            new="new",
            address=_OLD,
            removed_at=removed_at.isoformat(),
            installed_at=removed_at.isoformat(),
            evidence="photo",
            **_EVIDENCE,
        )

    gateway.run(seconds=3 * 86_400 - 3600, meanwhile=exchange)
    slots = Book(tmp_path / JOURNAL_FILE).slots()
    nights = {
        meter: [slots[meter, "daily_freeze", MIDNIGHT + timedelta(days=n)].state for n in range(3)]
        for meter in (f"m{_OLD}", "new")
    }
    assert {f"m{_OLD}": ["kept", "waived", "waived"], "new": ["waived", "kept", "kept"]} == nights
    hours = [
        [slots[meter, "curve", MIDNIGHT + timedelta(hours=n)].state for n in range(48)]
        for meter in (f"m{_OLD}", "new")
    ]
    assert ["kept"] * 9 + ["expired"] + ["waived"] * 38 == hours[0], "nobody had asked for the last hour"
    assert ["waived"] * 10 + ["expired"] + ["kept"] * 37 == hours[1], "it came too late to take that of 10:00"
    newest: dict[tuple[str, str, datetime], Marks] = {}
    for row in gateway.rows():
        for one in row.readings:
            newest[row.record.meter, row.record.data_class, one.slot] = one.marks
    mixed = {key for key, marks in newest.items() if Marks.METER_MIXED in marks}
    assert mixed == {key for key in newest if key[0] == f"m{_OLD}" and key[2] > removed_at}, (
        "exactly what the new meter gave"
    )
    assert {"daily_freeze", "curve"} == {data_class for _, data_class, _ in mixed}
