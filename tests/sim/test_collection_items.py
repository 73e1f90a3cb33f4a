"""A slot whose record came without one of its items: it is not whole, and what passes is made up for."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import FaultRule, Meter, Station
from metersim.works.moments import PLANT_TIME
from tests.support.collection_truth import Book, Row
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_ADDRESS = "000000000161"
_POWER, _ENERGY = "active_power", "forward_active_energy"
_CURVE = {"class": "curve", "every_s": 900, "gather_s": 900, "items": [_ENERGY, _POWER]}


def _gateway(folder: Path, plan: dict[str, object], *, start: datetime = _NOON) -> SimulatedGateway:
    return SimulatedGateway(folder, [Station(meter=Meter(_ADDRESS, seed=1))], plans=[plan], start=start)


def _refuse(gateway: SimulatedGateway, item: str, *, word: int, minutes: float) -> None:
    """The meter refuses an identifier for so long."""
    between = (None, timedelta(minutes=minutes))
    rule = FaultRule(what="abnormal", item=item, word=word, between=between)
    gateway.strikes.rules.add(rule, at=gateway.sim.clock.utc_now())


def _rows(folder: Path) -> dict[datetime, Row]:
    with closing(Book(folder / JOURNAL_FILE)) as book:
        return {slot: row for (_, _, slot), row in book.slots().items()}


def _slots_of(gateway: SimulatedGateway, quantity: str) -> set[datetime]:
    return {
        one.slot for row in gateway.rows() for one in row.readings if one.item.partition(".")[0] == quantity
    }


@pytest.mark.parametrize(("word", "identifier"), [(1, "0602*"), (1, "0604*"), (4, "0602*")])
def test_a_class_of_load_records_that_is_refused_for_now_comes_later(
    tmp_path: Path, word: int, identifier: str
) -> None:
    """The powers of a day were never read, and their slots stood kept: no hole was seen, and none filled."""
    gateway = _gateway(tmp_path, _CURVE)
    _refuse(gateway, identifier, word=word, minutes=40)
    told: list[dict[datetime, Row]] = []

    async def look() -> None:
        await asyncio.sleep(35 * 60)
        told.append(_rows(tmp_path))

    gateway.run(seconds=3 * 3_600, meanwhile=look)
    [meanwhile] = told
    due = {slot for slot in meanwhile if abs(slot - _NOON) <= timedelta(hours=1) and slot <= _NOON}
    assert len(due) >= 3
    assert {("due", "bad_data")} == {(meanwhile[slot].state, meanwhile[slot].reason) for slot in due}
    kept = {slot for slot, row in _rows(tmp_path).items() if row.state == "kept"}
    assert due <= kept
    assert kept <= _slots_of(gateway, _POWER)
    assert kept <= _slots_of(gateway, _ENERGY)
    struck = sum(report.struck for report in gateway.strikes.rules.reports())
    assert 1 <= struck <= 2 * 3 * 2 * 4, "current and backfill; two tries at once, and after 5, 15 and 35 min"
