"""Whom a collector leaves alone, and for how long: a silent meter, and one that left a question open."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.fault_rules import FaultRule
from metersim.works.moments import PLANT_TIME
from tests.support.collection_truth import QUARTER, Book, Row
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_FREEZE = {"class": "daily_freeze", "every_s": 3_600, "items": ["forward_active_energy"]}
_CURVE = {"class": "curve", "every_s": 900, "gather_s": 900, "items": ["forward_active_energy"]}
_ADDRESS = "000000000161"
_FREEZE_VALUE = "05060101"
_ALL_OF_FREEZES = "0506*"


def _gateway(folder: Path) -> SimulatedGateway:
    return SimulatedGateway(
        folder, [Station(meter=Meter(_ADDRESS, seed=1))], plans=[_FREEZE, _CURVE], start=_NOON
    )


def _strike(gateway: SimulatedGateway, seconds: float, *, begins_s: float = 0, item: str = "*") -> None:
    """No answer of the meter comes through for so long, or none about an item."""
    between = (timedelta(seconds=begins_s), timedelta(seconds=begins_s + seconds))
    rule = FaultRule(what="silence", meter=_ADDRESS, item=item, between=between)
    gateway.strikes.rules.add(rule, at=gateway.sim.clock.utc_now())


def _rows(folder: Path, data_class: str) -> dict[datetime, Row]:
    with closing(Book(folder / JOURNAL_FILE)) as book:
        return {slot: row for (_, of, slot), row in book.slots().items() if of == data_class}


def _asked(gateway: SimulatedGateway) -> int:
    """How often the fault struck: so often the meter was asked in vain."""
    return sum(report.struck for report in gateway.strikes.rules.reports())


def test_a_meter_that_leaves_one_question_unanswered_gives_all_else(tmp_path: Path) -> None:
    """A meter that answers nothing about one identifier would lose its curves to that, an hour each time."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 86_400, item=_FREEZE_VALUE)
    gateway.run(seconds=6 * 3_600)
    now = gateway.sim.clock.utc_now()
    late = [
        (slot, row)
        for slot, row in _rows(tmp_path, "curve").items()
        if _NOON <= slot <= now - timedelta(minutes=30)
        and (row.state != "kept" or row.changed_at is None or row.changed_at > slot + timedelta(minutes=25))
    ]
    assert not late
    [freeze] = _rows(tmp_path, "daily_freeze").values()
    assert ("due", "silent") == (freeze.state, freeze.reason)
    tries = 2 * (5 + 4)  # an hour each at last, with four shorter rests before, and two tries each time
    assert 8 <= _asked(gateway) <= tries


def test_a_meter_that_answers_nothing_about_freezes_gives_all_else(tmp_path: Path) -> None:
    """All of it would be put aside for its freezes, and its curves come hours late and be called silent."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 86_400, item=_ALL_OF_FREEZES)
    gateway.run(seconds=6 * 3_600)
    _check_curve(gateway, since=_NOON)
    [freeze] = _rows(tmp_path, "daily_freeze").values()
    assert ("due", "silent") == (freeze.state, freeze.reason)
    bouts = 5 + 4  # an hour each at last, with four shorter rests before
    assert 8 <= _asked(gateway) <= 2 * bouts + 1


def _check_curve(gateway: SimulatedGateway, since: datetime) -> None:
    """Its points came when they were due, and nobody says otherwise."""
    now = gateway.sim.clock.utc_now()
    curve = {slot: row for slot, row in _rows(gateway.folder, "curve").items() if slot >= since}
    late = [
        (slot, row)
        for slot, row in curve.items()
        if slot <= now - timedelta(minutes=30)
        and (row.state != "kept" or row.changed_at is None or row.changed_at > slot + timedelta(minutes=25))
    ]
    assert not late
    assert {"waiting"} == {row.reason for row in curve.values()}


def test_a_meter_that_answers_nothing_about_one_night_gives_all_else(tmp_path: Path) -> None:
    """Each try to fetch that night would put all of the meter aside."""
    gateway = _gateway(tmp_path)
    gateway.run(seconds=600)
    gateway.sim.clock.advance(4 * 86_400)
    for item in ("05060003", "05060103"):
        _strike(gateway, 86_400, item=item)
    gateway.run(seconds=4 * 3_600)
    _check_curve(gateway, since=gateway.sim.clock.utc_now() - timedelta(hours=4))
    nights = _rows(tmp_path, "daily_freeze")
    assert 5 == len(nights)
    [night] = [row for row in nights.values() if row.state != "kept"]
    assert "silent" == night.reason
    assert 4 <= _asked(gateway) <= 2 * (4 + 4)


def test_a_meter_that_falls_silent_about_all_is_put_aside(tmp_path: Path) -> None:
    """One that is known to say nothing of its freezes would never be called dead, and be asked all day."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 2 * 86_400, item=_ALL_OF_FREEZES)
    asked: list[int] = []

    async def die() -> None:
        await asyncio.sleep(3 * 3_600)
        asked.append(_asked(gateway))
        _strike(gateway, 86_400)

    gateway.run(seconds=9 * 3_600, meanwhile=die)
    since = _NOON + timedelta(hours=3)
    assert {"silent"} == {
        row.reason
        for slot, row in _rows(tmp_path, "curve").items()
        if since <= slot <= since + timedelta(hours=4)
    }
    rests, first, freezes = 6 * 4, 2, 6  # a quarter of an hour of curves at last, an hour of freezes
    assert rests <= _asked(gateway) - asked[0] <= 2 * (rests + first + freezes)


def test_a_meter_that_is_back_soon_is_read_soon(tmp_path: Path) -> None:
    """A line that was bad for a minute would cost all its meters an hour."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 60)
    gateway.run(seconds=600)
    assert {"kept"} == {row.state for row in _rows(tmp_path, "daily_freeze").values()}


def test_a_dead_meter_costs_its_neighbours_two_tries_an_hour(tmp_path: Path) -> None:
    """Who is dead for a day would be asked all day long."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 2 * 86_400)
    gateway.run(seconds=86_400)
    rests, first = 24, 4
    assert 2 * rests <= _asked(gateway) <= 2 * (rests + first)


def test_after_an_answer_the_rests_begin_anew(tmp_path: Path) -> None:
    """A meter that was dead for hours would rest for an hour after each passing silence ever after."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 6 * 3_600)
    _strike(gateway, 60, begins_s=10 * 3_600 + 300)
    gateway.run(seconds=11 * 3_600)
    slot = _NOON + timedelta(hours=10) - QUARTER
    row = _rows(tmp_path, "curve")[slot]
    assert row.state == "kept"
    assert row.changed_at is not None
    assert timedelta(minutes=6) < row.changed_at - slot - QUARTER < timedelta(minutes=15)


@pytest.mark.parametrize(
    ("protocol", "data_class", "item"),
    [
        ("dlt645-2007", "daily_freeze", "05060201"),
        ("dlt645-2007", "monthly_freeze", "0002FF01"),
        ("dlt698.45", "daily_freeze", "00200200"),
    ],
)
def test_a_meter_that_cannot_give_one_of_two_items_now_rests_too(
    tmp_path: Path, protocol: str, data_class: str, item: str
) -> None:
    """It gave the other item each time, was asked again at once, and took the line from its neighbours."""
    meter = (Meter698 if protocol == "dlt698.45" else Meter)(_ADDRESS, seed=1)
    plan = {
        "class": data_class,
        "every_s": 3_600,
        "items": ["forward_active_energy.*", "reverse_active_energy.*"],
    }
    gateway = SimulatedGateway(
        tmp_path, [Station(meter=meter)], plans=[plan], protocols={_ADDRESS: protocol}, start=_NOON
    )
    rule = FaultRule(what="abnormal", item=item, word=1, between=(None, timedelta(hours=1)))
    gateway.strikes.rules.add(rule, at=gateway.sim.clock.utc_now())
    told: list[tuple[Row, int]] = []

    async def look() -> None:
        await asyncio.sleep(3_590)
        told.extend((row, _asked(gateway)) for row in _rows(tmp_path, data_class).values())

    gateway.run(seconds=5_400, meanwhile=look)
    [(row, asked)] = told
    assert ("due", "bad_data") == (row.state, row.reason)
    bouts = 4  # at once, and after 5, 15 and 35 minutes
    assert 2 * bouts == row.tries
    assert 1 <= asked <= 2 * row.tries
    assert "kept" in {row.state for row in _rows(tmp_path, data_class).values()}
    first = min(one.readings[0].taken_at for one in gateway.rows() if one.readings)
    assert first < _NOON + timedelta(minutes=1), "what it can give is kept at once"
