"""Meters that send other rows than were asked for: what is given out is what was meant."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer, Window
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.errors import BadAnswer, NoRecord
from meterlink.model.zone import CHINA_TIME
from meterwire.dlt698.axdr.selection import SelectRange
from meterwire.dlt698.objects.item_values import Contents
from tests.support.dlt698_meter import ADDRESS, ScriptedMeter, converse

_MIDNIGHT = datetime(2026, 11, 22)  # noqa: DTZ001 - a meter's clock has no zone
_POINT = timedelta(minutes=15)
_SINCE = _MIDNIGHT.replace(tzinfo=CHINA_TIME)
_Rows = list[tuple[datetime, Contents]]


def _curve(*points: int) -> _Rows:
    return [(_MIDNIGHT + number * _POINT, {"voltage.a": Decimal(200 + number)}) for number in points]


class _Whole(ScriptedMeter):
    """It has understood that records are wanted, and nothing of which."""

    def _selected(self, rsd: object) -> _Rows:
        del rsd
        return self.records


class _Inclusive(ScriptedMeter):
    """It takes the end of a range for a part of it."""

    def _selected(self, rsd: object) -> _Rows:
        assert isinstance(rsd, SelectRange)
        first, last = rsd.start.value.civil(), rsd.end.value.civil()
        return [row for row in self.records if first <= row[0] <= last]


def _read(meter: ScriptedMeter, item: str, window: Window) -> list[Decimal | None]:
    async def program(driver: Dlt698Driver, line: Line) -> MeterAnswer:
        return await driver.read(line, ADDRESS, item, window=window, priority=Priority.ON_DEMAND)

    answer = converse(meter, program)
    assert isinstance(answer, MeterAnswer)
    return [value.value for value in answer.values if value.value is not None]


def test_the_end_of_a_range_is_left_out() -> None:
    """Twenty points were asked for: a twenty-first came, and that of the piece's border twice."""
    values = _read(_Inclusive(records=_curve(*range(30))), "voltage.a@curve", Window(count=20, since=_SINCE))
    assert [200 + number for number in range(20)] == values


def test_rows_outside_of_the_range_are_left_out() -> None:
    """A meter that ignores the range would give yesterday's load for that of today."""
    values = _read(_Whole(records=_curve(-1, 0, 1, 2)), "voltage.a@curve", Window(count=2, since=_SINCE))
    assert [200, 201] == values


def test_nothing_but_rows_of_other_times_is_no_record() -> None:
    """The record of a year ago would be shown for the night that was asked for."""
    with pytest.raises(NoRecord):
        _read(_Whole(records=_curve(-9)), "voltage.a@daily_freeze", Window(count=2, since=_SINCE))


def test_no_more_than_the_last_rows_that_were_asked_for() -> None:
    """Two nights were asked for, and the whole month came: the newest two are meant."""
    values = _read(_Whole(records=_curve(3, 1, 2, 2, 0)), "voltage.a@hourly_freeze", Window(count=2))
    assert [202, 203] == values


def test_a_row_that_is_sent_twice_is_given_once() -> None:
    """Who adds up the points would count one twice."""
    values = _read(_Whole(records=_curve(0, 1, 1)), "voltage.a@curve", Window(count=2, since=_SINCE))
    assert [200, 201] == values


def test_two_rows_of_one_instant_that_differ_are_no_answer() -> None:
    """One of two registers of the same midnight would be picked, and nobody knows which is true."""
    rows = [*_curve(0), (_MIDNIGHT, {"voltage.a": Decimal(199)})]
    with pytest.raises(BadAnswer, match="several records for 2026-11-22 00:00:00"):
        _read(_Whole(records=rows), "voltage.a@curve", Window(count=2, since=_SINCE))


def test_a_row_without_time_is_no_answer_to_a_range() -> None:
    """It may be of any time, and would stand as one of the range."""
    answer = bytes.fromhex("50020200 01 00 20000201 01 01 12 0898 0000")
    meter = ScriptedMeter(records=_curve(0), damage=lambda octets: octets[:3] + answer)
    with pytest.raises(BadAnswer, match="has no time"):
        _read(meter, "voltage.a@curve", Window(count=2, since=_SINCE))
