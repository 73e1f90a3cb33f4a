"""What collection does while nothing can be read: it waits, and neither spins nor writes."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Faults, Meter, Station
from metersim.works.moments import PLANT_TIME
from tests.support.collection_truth import QUARTER, Book, Row
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_CURVE = {"class": "curve", "every_s": 900, "gather_s": 900, "items": ["forward_active_energy"]}
_ADDRESS = "000000000161"


def _gateway(folder: Path, station: Station) -> SimulatedGateway:
    return SimulatedGateway(folder, [station], plans=[_CURVE], start=_NOON)


def _slots(folder: Path) -> dict[datetime, Row]:
    """The rows of the ledger, of which there is one series."""
    with closing(Book(folder / JOURNAL_FILE)) as book:
        return {slot: row for (_, _, slot), row in book.slots().items()}


@pytest.mark.parametrize("back", [timedelta(hours=3), timedelta(days=2)])
def test_a_clock_that_is_set_back_stops_nobody(tmp_path: Path, back: timedelta) -> None:
    """What was due is not any more: who looks for it without a pause hangs the whole daemon.

    The meter is silent while the clock is ahead, so that slots are due when it is set back.
    """
    station = Station(meter=Meter(_ADDRESS, seed=1), faults=Faults(silence=1.0))
    gateway = _gateway(tmp_path, station)

    async def set_twice() -> None:
        await asyncio.sleep(3600)
        gateway.clock.ahead = back
        await asyncio.sleep(1800)
        gateway.clock.ahead = timedelta()

    gateway.run(seconds=3 * 3600, meanwhile=set_twice)
    due = {_NOON + n * QUARTER for n in range(11)}
    assert set() == due - _slots(tmp_path).keys(), "what became due behind it is known"


def test_a_line_that_is_gone_is_tried_now_and_then(tmp_path: Path) -> None:
    """Each try writes into the journal: a line that is gone for weeks would wear out a card of flash."""
    gateway = _gateway(tmp_path, Station(meter=Meter(_ADDRESS, seed=1)))
    gateway.plugged = False
    gateway.run(seconds=6 * 3600)
    assert gateway.dialled <= 6 * 60 + 10
    gateway.plugged = True
    gateway.run(seconds=600)
    assert len(gateway.slots_of(_ADDRESS, "forward_active_energy")) > 20, "and is there again"


def test_a_meter_whose_clock_is_lost_explains_all_that_it_lacks(tmp_path: Path) -> None:
    """Of slots that nobody asked for one by one, people would read that the daemon was not running."""
    meter = Meter(_ADDRESS, seed=1, clock_ahead=timedelta(days=3))
    gateway = _gateway(tmp_path, Station(meter=meter))
    gateway.run(seconds=1800)
    gateway.sim.clock.advance(2 * 86_400)
    gateway.run(seconds=12 * 3600)
    reasons = {row.reason for row in _slots(tmp_path).values() if row.state == "due"}
    assert {"clock_wrong"} <= reasons <= {"clock_wrong", "waiting"}
