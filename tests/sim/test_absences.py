"""Time without the daemon is told as such, whatever commands have written meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter, Station
from metersim.works.moments import PLANT_TIME
from tests.support.collection_truth import DAY, Book
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_YESTERDAY = "2026-11-21"
_PLANS = (
    {"class": "daily_freeze", "every_s": 3_600, "items": ["forward_active_energy"]},
    {"class": "curve", "every_s": 900, "gather_s": 900, "items": ["forward_active_energy"]},
)


def _gateway(folder: Path) -> SimulatedGateway:
    stations = [Station(meter=Meter(f"{n:012d}", seed=n), reply_delay_ms=2_000) for n in range(1, 7)]
    return SimulatedGateway(folder, stations, plans=_PLANS, start=_NOON, reply_timeout_ms=5_000)


def _holes(folder: Path, since: datetime, until: datetime) -> Counter[str]:
    """Reasons of what is not kept of a time."""
    with closing(Book(folder / JOURNAL_FILE)) as book:
        slots = book.slots().items()
    return Counter(row.reason for (_, _, at), row in slots if since <= at < until and row.state != "kept")


def _move_to(gateway: SimulatedGateway, area: str) -> None:
    """What somebody applies to the roster while no daemon runs."""
    gateway.meter_keys = {address: {"area": area} for address in gateway.addresses.values()}
    gateway.apply_roster()


def test_an_act_in_an_outage_does_not_hide_it(tmp_path: Path) -> None:
    """A week without the daemon would be called a slow line, because somebody has moved a meter on paper."""
    gateway = _gateway(tmp_path)
    gateway.run(seconds=2 * 3_600)
    gateway.sim.clock.advance(3 * DAY.total_seconds())
    _move_to(gateway, "east")
    gateway.sim.clock.advance(3_600)
    gateway.run(seconds=8)
    found = _holes(tmp_path, _NOON + timedelta(hours=3), _NOON + 3 * DAY)
    assert found["not_running"] > 1_000
    assert {"not_running"} == set(found)


def test_what_was_due_before_the_first_start_was_not_due_of_a_slow_line(tmp_path: Path) -> None:
    """Who installs a gateway at noon would be told of the morning that his line is too slow."""
    gateway = _gateway(tmp_path)
    _move_to(gateway, "east")
    gateway.sim.clock.advance(2 * 3_600)
    told: list[str] = []

    async def ask() -> None:
        await asyncio.sleep(3)  # the line is open, and its plans are applied
        found = await gateway.ask("anybody", "collection.why", meter="6", slot=_YESTERDAY)
        told.extend(one["reason"] or "kept" for one in found["found"])

    gateway.run(seconds=8, meanwhile=ask)
    found = _holes(tmp_path, _NOON - DAY, _NOON + timedelta(hours=1))
    assert found["not_running"] > 100
    assert {"not_running"} == set(found)
    assert {"not_running"} == set(told)
