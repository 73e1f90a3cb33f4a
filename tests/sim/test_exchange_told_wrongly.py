"""A first register that was told wrongly, and the daemon that reads the new meter's first night."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarm, Alarms
from metersim import Meter, Station
from tests.support.faulty_line import MIDNIGHT
from tests.support.simulated import SimulatedGateway

_ADDRESS = "000000000001"
_TOTAL = "forward_active_energy"


def test_the_daemon_looks_at_what_was_told_when_the_first_night_is_read(tmp_path: Path) -> None:
    """Nobody would look at the photo of the new meter again before the bill is out."""
    gateway = SimulatedGateway(
        tmp_path,
        [Station(meter=Meter(_ADDRESS, seed=1))],
        plans=[{"class": "daily_freeze", "every_s": 86_400, "items": [_TOTAL]}],
        start=MIDNIGHT,
        meter_keys={_ADDRESS: {"meter_number": "202600000001"}},
    )

    async def exchange() -> None:
        await asyncio.sleep(20 * 3600)
        at = gateway.clock.utc_now().isoformat()
        await gateway.ask(
            "li",
            "roster.exchange",
            meter=f"m{_ADDRESS}",
            meter_number="202699999999",
            new="new",
            address=_ADDRESS,
            removed_at=at,
            installed_at=at,
            evidence="work order 7",
            last={_TOTAL: "79999.00"},
            first={_TOTAL: "0.02"},
        )

    gateway.run(seconds=29 * 3600, meanwhile=exchange)

    async def alarms() -> list[Alarm]:
        async with Journal.open(tmp_path / JOURNAL_FILE, clock=gateway.clock) as journal:
            return await Alarms(journal.acts, gateway.clock, zone=CHINA_TIME).list()

    found = [one for one in gateway.sim.run(alarms()) if one.seen.value == f"{_TOTAL} 0.02 (first)"]
    assert [("METER_CHANGE", "new", 1)] == [(one.seen.rule, one.seen.meter, one.count) for one in found]
