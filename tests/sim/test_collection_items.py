"""A slot whose record came without one of its items: it is not whole, and what passes is made up for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from meterlink.model.slot import Standing, State, lacking
from metersim import FaultRule, Meter, SimClock, Station
from metersim.works.moments import PLANT_TIME
from tests.support.collection_truth import Book, Row
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_ADDRESS = "000000000161"
_POWER, _ENERGY = "active_power", "forward_active_energy"
_CURVE = {"class": "curve", "every_s": 900, "gather_s": 900, "items": [_ENERGY, _POWER]}


def _gateway(folder: Path, plan: Mapping[str, object], *, start: datetime = _NOON) -> SimulatedGateway:
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


_NIGHTLY = {"class": "daily_freeze", "items": ["forward_active_energy.*", "reverse_active_energy.*"]}
_REVERSE = "reverse_active_energy"
_REVERSE_DI = "05060201"
_MIDNIGHT = datetime(2026, 11, 22, tzinfo=PLANT_TIME)
_NO_SUCH = 2


def _why(folder: Path, slot: datetime) -> Standing:
    async def told() -> Standing:
        async with Journal.open(folder / JOURNAL_FILE, clock=SimClock(slot), is_start=False) as journal:
            [found] = await journal.ledger.standings(f"m{_ADDRESS}", slot)
            return found

    return asyncio.run(told())


@pytest.mark.parametrize("starts", [1, 2])
def test_an_item_that_was_refused_for_a_while_is_made_up_for(tmp_path: Path, starts: int) -> None:
    """The reverse register of a night was never read, and nobody was told: 'kept', 100 % complete."""
    gateway = _gateway(tmp_path, _NIGHTLY, start=_MIDNIGHT)
    _refuse(gateway, _REVERSE_DI, word=_NO_SUCH, minutes=20)
    gateway.run(seconds=3_600)
    told = _why(tmp_path, _MIDNIGHT)
    assert State.KEPT is told.state
    assert {f"{_REVERSE}.*"} == lacking(told.note)
    assert f", without {_REVERSE}.*: " in told.sentence("en")
    assert f",缺少 {_REVERSE}.*: " in told.sentence("zh")
    assert _MIDNIGHT not in _slots_of(gateway, _REVERSE)
    for _ in range(starts):
        gateway.run(seconds=86_400 / starts)
    told = _why(tmp_path, _MIDNIGHT)
    assert (State.KEPT, "") == (told.state, told.note)
    assert _MIDNIGHT in _slots_of(gateway, _REVERSE)
    keys = [(one.item, one.slot) for row in gateway.rows() for one in row.readings]
    assert len(set(keys)) == len(keys), "what was there is not kept again"


def test_an_item_that_a_meter_never_has_is_asked_for_once_a_day(tmp_path: Path) -> None:
    """Each of its nights would be read again each night, or stay open, for a register that it has not."""
    gateway = _gateway(tmp_path, _NIGHTLY, start=_MIDNIGHT)
    _refuse(gateway, "0506020*", word=_NO_SUCH, minutes=4 * 1_440)
    gateway.run(seconds=3 * 86_400)
    nights = [_why(tmp_path, _MIDNIGHT + timedelta(days=day)) for day in range(3)]
    assert [(State.KEPT, frozenset({f"{_REVERSE}.*"}), 1)] * 3 == [
        (one.state, lacking(one.note), one.tries) for one in nights
    ]
    [struck] = [report.struck for report in gateway.strikes.rules.reports()]
    assert 3 <= struck <= 2 * 4, "twice a day, as a refusal is believed when it comes again"


def _counted(folder: Path, since: datetime) -> tuple[int, int]:
    """How many slots of the moment of a day are kept, and how many of these lack something."""

    async def told() -> tuple[int, int]:
        until = since + timedelta(days=1)
        async with Journal.open(folder / JOURNAL_FILE, clock=SimClock(until), is_start=False) as journal:
            found = await journal.ledger.tallies(("instant",), since=since, until=until)
            return sum(one.slots for one in found), sum(one.lacking for one in found)

    return asyncio.run(told())


_MOMENT = {"name": "moment", "every_s": 900, "items": ["forward_active_energy", "voltage.a"]}


def test_a_value_of_the_moment_that_a_meter_has_not_is_said_to_lack(tmp_path: Path) -> None:
    """A voltage was missing in each quarter of a day, and each of them stood kept, without a word."""
    gateway = _gateway(tmp_path, _MOMENT)
    _refuse(gateway, "voltage.a", word=_NO_SUCH, minutes=20)
    gateway.run(seconds=2_400)
    rows = _rows(tmp_path)
    assert [("kept", frozenset({"voltage.a"}))] * 3 == [
        (row.state, row.lacks) for _, row in sorted(rows.items())
    ]
    told = _why(tmp_path, _NOON)
    assert ", without voltage.a: " in told.sentence("en")
    assert (3, 3) == _counted(tmp_path, _NOON)


def test_what_a_start_brings_in_the_middle_of_a_slot_is_not_lacking(tmp_path: Path) -> None:
    """The slot would be said to lack what stands in the journal."""
    gateway = _gateway(tmp_path, {**_MOMENT, "every_s": 3_600})
    _refuse(gateway, "voltage.a", word=_NO_SUCH, minutes=20)
    gateway.run(seconds=1_500)
    assert {"voltage.a"} == _rows(tmp_path)[_NOON].lacks
    gateway.run(seconds=600)
    assert _NOON in _slots_of(gateway, "voltage")
    assert ("kept", "") == (_rows(tmp_path)[_NOON].state, _rows(tmp_path)[_NOON].note)
