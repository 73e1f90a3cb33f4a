"""Follow reports and waiting events, through the daemon: what a meter tells along with an answer is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.event import Event, EventValue
from meterlink.model.event_kinds import EVENTS_WAIT, REPORTED_VALUES
from metersim import Station
from metersim.dlt698 import FACTORY_PASSWORD, Meter698
from metersim.dlt698.circumstances import Circumstances
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import GetResponseNormal
from meterwire.dlt698.apdus.parts import (
    AttributeResult,
    AttributeResults,
    FollowReport,
    Piid,
    RecordResults,
    SetItem,
)
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data
from tests.support.agreement import readings_of
from tests.support.meter698 import Client
from tests.support.reports import events
from tests.support.simulated import START, SimulatedGateway

OURS = "000000000161"
_FAILURE = RecordResults(
    (
        events(
            {
                "event_number": Decimal(7),
                "event_started_at": "2026-11-22 10:58:00",
                "event_ended_at": "2026-11-22 10:59:00",
            }
        ),
    )
)
_NEW_EVENTS = AttributeResults(
    (AttributeResult(Oad(0x3320, 2, 0), Data("array", (Data("OAD", Oad(0x3011, 2, 0)),))),)
)


class _Teller(Meter698):
    """A meter with something to tell along: what, says ``follow`` for each answer, from 0."""

    def __init__(self, follow: Callable[[int], FollowReport], waiting: Callable[[int], bool]) -> None:
        super().__init__(OURS, seed=1)
        self.answers = 0
        self._follow, self._waiting = follow, waiting

    def _answered(self, apdu: Apdu, how: Circumstances) -> Apdu:
        answer: Any = super()._answered(apdu, how)
        assert isinstance(answer, GetResponseNormal)
        number, self.answers = self.answers, self.answers + 1
        piid = Piid.of(answer.piid.number, high_priority=answer.piid.high_priority, acd=self._waiting(number))
        return replace(answer, piid=piid, follow_report=self._follow(number))


def _told(
    folder: Path,
    *,
    follow: Callable[[int], FollowReport] = lambda _: None,
    waiting: Callable[[int], bool] = lambda _: False,
    seconds: float = 100,
) -> tuple[list[Event], SimulatedGateway, _Teller]:
    meter = _Teller(follow, waiting)
    plan = {"name": "p", "every_s": 30, "items": ["frequency"]}
    gateway = SimulatedGateway(folder, [Station(meter=meter)], protocols={OURS: "dlt698.45"}, plans=[plan])
    gateway.run(seconds=seconds)
    found = [row.record for row in gateway.rows() if isinstance(row.record, Event)]
    return found, gateway, meter


def test_records_along_with_an_answer_are_kept(tmp_path: Path) -> None:
    """A power failure would be told with every answer, and be known to nobody."""
    [event], gateway, meter = _told(tmp_path, follow=lambda _: _FAILURE)
    assert meter.answers > 2
    assert (f"m{OURS}", "power_down", START - timedelta(minutes=2)) == (
        event.meter,
        event.kind,
        event.occurred_at,
    )
    assert EventValue(item="event_number", content=Decimal(7)) in event.values
    assert meter.answers == len(readings_of(gateway.rows())), "and each answer is kept as before"


def test_an_answer_of_events_that_wait_says_so_once(tmp_path: Path) -> None:
    """The flag would be dropped; or fill the journal, for it stands in every answer until they are read."""
    [event], _, meter = _told(tmp_path, waiting=lambda _: True, seconds=3_600)
    assert 100 < meter.answers
    assert (EVENTS_WAIT, "dlt698.45 33200200") == (event.kind, event.source)


@pytest.mark.parametrize("kind", [EVENTS_WAIT, REPORTED_VALUES])
def test_what_went_away_and_comes_back_is_told_anew(tmp_path: Path, kind: str) -> None:
    """The second failure of one night has the same flag and the same list as the first."""

    def now(number: int) -> bool:
        return number != 1

    told, _, _ = _told(tmp_path, follow=lambda n: _NEW_EVENTS if now(n) else None, waiting=now)
    assert 2 == len([event for event in told if event.kind == kind])


def test_readings_along_with_an_answer_are_readings(tmp_path: Path) -> None:
    """A number that came unasked would be lost, or stand as text."""
    energy = AttributeResult(Oad(0x0010, 2, 1), Data("double-long-unsigned", 12_345))
    told, gateway, _ = _told(tmp_path, follow=lambda _: AttributeResults((energy,)))
    assert [] == told
    brought = {reading.value for reading in readings_of(gateway.rows()) if reading.item != "frequency"}
    assert {Decimal("123.45")} == brought
    gateway.check_database()


def test_the_news_of_a_simulated_meter_are_kept(tmp_path: Path) -> None:
    """An opened cover, which the simulator's own meter tells along, would be known to nobody."""
    meter = Meter698(OURS, seed=1)
    client = Client(meter)
    client.at = START
    client.connect(FACTORY_PASSWORD)
    item = SetItem(Oad(0x4300, 7, 0), Data("bool", True))
    client.ask(SetRequestNormal(piid=Piid(1), item=item))
    meter.works.history.change(START + timedelta(seconds=20), cover_open=True)
    plan = {"name": "p", "every_s": 30, "items": ["frequency"]}
    gateway = SimulatedGateway(tmp_path, [Station(meter=meter)], protocols={OURS: "dlt698.45"}, plans=[plan])
    gateway.run(seconds=200)
    found = [row.record for row in gateway.rows() if isinstance(row.record, Event)]
    assert {EVENTS_WAIT, REPORTED_VALUES} == {event.kind for event in found}
    assert 2 == len(found)
