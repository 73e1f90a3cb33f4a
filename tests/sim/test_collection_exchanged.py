"""What was due of a meter that has left its place is settled: nobody can read it any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from metersim import Meter, Station
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
