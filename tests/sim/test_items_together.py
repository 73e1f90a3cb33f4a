"""Plans of the moment that read several items in an exchange, and meters that take no such request."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.model.reading import Record
from metersim import Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.fault_rules import FaultRule
from meterwire.dlt698.apdus.get import GetRequestNormalList, GetResponseNormal, GetResponseNormalList
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import AttributeResult, Dar
from meterwire.dlt698.axdr.selection import Oad
from tests.support.collection_truth import Book
from tests.support.simulated import SimulatedGateway

_ADDRESS = "000000000161"
_ITEMS = ("forward_active_energy", "voltage.a", "voltage.b", "voltage.c", "current.a", "frequency")
_PLANS = [
    {"name": "now", "every_s": 300, "items": _ITEMS},
    {
        "name": "words",
        "class": "status",
        "every_s": 300,
        "items": ["meter_status_word_1", "meter_status_word_3"],
    },
]
_ROUNDS = 4
_LASTS_S = _ROUNDS * 300 - 60
_LIST = bytes((0x05, 0x02))
_FREQUENCY_TEXT = "200F0200"
_FREQUENCY = Oad.of(_FREQUENCY_TEXT)


def _gateway(folder: Path, meter: Meter | Meter698, **keys: Any) -> SimulatedGateway:
    protocols = {_ADDRESS: "dlt698.45"} if isinstance(meter, Meter698) else {}
    return SimulatedGateway(folder, [Station(meter=meter)], plans=_PLANS, protocols=protocols, **keys)


def _holes(folder: Path) -> dict[Any, Any]:
    with closing(Book(folder / JOURNAL_FILE)) as book:
        return {key: row for key, row in book.slots().items() if row.state != "kept"}


class _Deaf(Meter698):
    """Does not answer lists, as some firmware that does not know them."""

    def answer(self, request: Any, at: Any) -> Any:
        if request.frame.user_data[:2] == _LIST:
            return None
        return super().answer(request, at)


class _Old(Meter698):
    """Answers lists with an error."""

    def _answered(self, apdu: Any, how: Any) -> Any:
        if isinstance(apdu, GetRequestNormalList):
            return ServerErrorResponse(piid=apdu.piid, error=2)
        return super()._answered(apdu, how)


class _Lacking(Meter698):
    """Has no frequency."""

    def _answered(self, apdu: Any, how: Any) -> Any:
        answer = super()._answered(apdu, how)
        if isinstance(answer, GetResponseNormalList):
            results = tuple(_lacking(result) for result in answer.results)
            return replace(answer, results=results)
        if isinstance(answer, GetResponseNormal):
            return replace(answer, result=_lacking(answer.result))
        return answer


def _lacking(result: AttributeResult) -> AttributeResult:
    return result._replace(result=Dar(6)) if result.oad == _FREQUENCY else result


def _kept(gateway: SimulatedGateway) -> dict[str, int]:
    """In how many slots each item of the plan was kept."""
    return {item: len(gateway.slots_of(_ADDRESS, item)) for item in _ITEMS}


@pytest.mark.parametrize("meter", [Meter698(_ADDRESS, seed=1), Meter(_ADDRESS, seed=1)], ids=["698", "645"])
def test_several_items_cost_one_exchange(tmp_path: Path, meter: Meter | Meter698) -> None:
    """A plan of ten items would take a line ten times as long, and each exchange would be a message."""
    gateway = _gateway(tmp_path, meter)
    gateway.run(seconds=_LASTS_S)
    assert dict.fromkeys(_ITEMS, _ROUNDS) == _kept(gateway)
    assert not _holes(tmp_path)
    exchanges = 2 if isinstance(meter, Meter698) else 5  # one a plan; two blocks, and three by themselves
    assert exchanges * _ROUNDS == len(gateway.answers)
    records = [row.record for row in gateway.rows() if isinstance(row.record, Record)]
    assert exchanges * _ROUNDS == len(records)
    for record in records:
        names = [reading.item for reading in record.readings]
        assert len(names) == len(set(names)), (
            "a reading would stand twice, and the second be called a duplicate"
        )
    gateway.check_database()


@pytest.mark.parametrize("kind", [_Deaf, _Old])
def test_a_meter_that_takes_no_lists_loses_nothing(tmp_path: Path, kind: type[Meter698]) -> None:
    """A meter that does not know lists would be taken for dead, or for one that refuses all of its items."""
    gateway = _gateway(tmp_path, kind(_ADDRESS, seed=1))
    gateway.run(seconds=_LASTS_S)
    assert dict.fromkeys(_ITEMS, _ROUNDS) == _kept(gateway)
    assert not _holes(tmp_path)


def test_an_item_that_is_refused_in_a_list_takes_no_other_with_it(tmp_path: Path) -> None:
    """One object that a meter lacks would close all of its items for the day."""
    gateway = _gateway(tmp_path, _Lacking(_ADDRESS, seed=1))
    gateway.run(seconds=_LASTS_S)
    assert {**dict.fromkeys(_ITEMS, _ROUNDS), "frequency": 0} == _kept(gateway)
    assert not _holes(tmp_path)
    asked = [str(answer.di) for answer in gateway.answers if _FREQUENCY_TEXT in str(answer.di)]
    assert 1 == len(asked), "what is refused today is not asked for again today"


def test_a_line_that_loses_answers_keeps_its_lists(tmp_path: Path) -> None:
    """After a lost answer or two a meter would be read the slow way for a day."""
    gateway = _gateway(tmp_path, Meter698(_ADDRESS, seed=1))
    rule = FaultRule(what="loss", meter=_ADDRESS, every=5)
    gateway.strikes.rules.add(rule, at=gateway.sim.clock.utc_now())
    gateway.run(seconds=3 * 3_600)
    assert not _holes(tmp_path)
    rounds = 3 * 3_600 // 300
    assert len(gateway.answers) < rounds * 4, "item by item it would be eight"


def test_a_long_silence_is_no_reason_to_ask_item_by_item(tmp_path: Path) -> None:
    """Each meter that was off for an hour would be read the slow way for a day."""
    gateway = _gateway(tmp_path, Meter698(_ADDRESS, seed=1))
    rule = FaultRule(what="silence", meter=_ADDRESS, between=(timedelta(), timedelta(hours=1)))
    gateway.strikes.rules.add(rule, at=gateway.sim.clock.utc_now())
    gateway.run(seconds=2 * 3_600)
    said = [answer for answer in gateway.answers if "silence" not in answer.faults]
    assert len(said) <= 12 * 2 + 6
