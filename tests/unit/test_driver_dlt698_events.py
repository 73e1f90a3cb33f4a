"""Event records of DL/T 698.45 meters by name, and every name that is listed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.base import MeterAnswer, Window
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.dlt698.items import asked
from meterlink.errors import UnknownItem
from meterlink.explain import catalogue
from meterlink.model.zone import CHINA_TIME
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestRecord
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.axdr.selection import SelectLast, SelectNthLast
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.objects.records import (
    EVENT_ENDED_AT,
    EVENT_NUMBER,
    EVENT_SOURCE,
    EVENT_STARTED_AT,
)
from tests.support.dlt698_meter import ADDRESS, ScriptedMeter, converse

_STARTED = datetime(2026, 11, 21, 3, 15)  # noqa: DTZ001 - a meter's clock has no zone
_EVENT: Contents = {
    "event_number": Decimal(7),
    "event_started_at": "2026-11-21 03:15:00",
    "event_ended_at": "2026-11-21 03:45:00",
}
_TABLES = [
    ("power_down_record", "@", "30110200", "power_down"),
    ("voltage_loss_record.a", "@", "30000700", "voltage_loss.a"),
    ("flow_reversal_record", "@", "30070600", "flow_reversal"),
    (
        "reactive_demand_over_limit_record@quadrant.4",
        "/",
        "300B0900",
        "reactive_demand_over_limit@quadrant.4",
    ),
]
"""Name of a table, what stands before the record, its descriptor, and whose records they are."""


def _read(meter: ScriptedMeter, item: str, window: Window | None = None) -> MeterAnswer:
    async def program(driver: Dlt698Driver, line: Line) -> MeterAnswer:
        return await driver.read(line, ADDRESS, item, window=window, priority=Priority.ON_DEMAND)

    answer = converse(meter, program)
    assert isinstance(answer, MeterAnswer)
    return answer


def test_every_name_that_is_listed_builds_a_request() -> None:
    """People copy a name from the list, and are told that there is no such item."""
    listed = catalogue.families("dlt698.45", "", "")
    assert len(listed) > 300
    for family in listed:
        found = asked(family.item)
        if found.table:
            [record] = found.records(None, CHINA_TIME)
            request = GetRequestRecord(piid=Piid(1), record=record)
            assert request == decode_apdu(encode_apdu(request)), family.item
        else:
            plain = GetRequestNormal(piid=Piid(1), oad=found.oad)
            assert plain == decode_apdu(encode_apdu(plain)), family.item


@pytest.mark.parametrize(("table", "mark", "oad", "event"), _TABLES)
def test_an_event_record_is_read_by_the_name_that_645_has(
    table: str, mark: str, oad: str, event: str
) -> None:
    """When the power was off, and which phase failed, could not be asked of a meter of this protocol."""
    meter = ScriptedMeter(records=[(_STARTED, _EVENT)])
    answer = _read(meter, f"{table}{mark}last.1")
    [request] = meter.asked
    assert isinstance(request, GetRequestRecord)
    assert (oad, SelectNthLast(1)) == (str(request.record.oad), request.record.rsd)
    assert (EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT, EVENT_SOURCE) == request.record.rcsd
    period = f"{event}/last.1"
    assert [
        (f"event_number@{period}", "7"),
        (f"event_started_at@{period}", "2026-11-21 03:15:00"),
        (f"event_ended_at@{period}", "2026-11-21 03:45:00"),
        (f"event_source@{period}", None),
    ] == [(value.name, value.text) for value in answer.values]


@pytest.mark.parametrize(("table", "event"), [(row[0], row[3]) for row in _TABLES])
def test_the_last_events_by_count(table: str, event: str) -> None:
    """A night of short breaks would take an exchange each."""
    second = {**_EVENT, "event_number": Decimal(8), "event_started_at": "2026-11-21 05:00:00"}
    meter = ScriptedMeter(records=[(_STARTED, _EVENT), (_STARTED, second)])
    answer = _read(meter, table, Window(count=2))
    [request] = meter.asked
    assert isinstance(request, GetRequestRecord)
    assert isinstance(request.record.rsd, SelectLast)
    assert 2 == request.record.rsd.last_n
    assert [(f"event_number@{event}", "7"), (f"event_number@{event}", "8")] == [
        (value.name, value.text) for value in answer.values if value.item == "event_number"
    ]


@pytest.mark.parametrize(
    ("item", "window", "words"),
    [
        ("power_down_record", None, "power_down_record: say which: @last.1"),
        ("reactive_demand_over_limit_record@quadrant.1", None, "say which: /last.1"),
        ("forward_active_energy@daily_freeze", None, "say which: /last.1"),
        ("power_down_record@last.0", None, "1 to 255"),
        ("power_down_record@last.256", None, "1 to 255"),
        ("power_down_record@last.1", Window(count=2), "one record"),
        ("power_down_record", Window(since=datetime(2026, 11, 21, tzinfo=UTC)), "else by count"),
    ],
)
def test_which_events_are_wanted_must_be_said(item: str, window: Window | None, words: str) -> None:
    """Another record would be read than was meant, or all of them."""
    with pytest.raises(UnknownItem, match=words):
        asked(item).records(window, CHINA_TIME)


@pytest.mark.parametrize(
    "item",
    [
        "power_down_record@last.1000",
        "power_down_record/last.1",
        "power_down_record@last.x",
        "power_down_record@first",
        "power_dawn_record@last.1",
        "last.1",
    ],
)
def test_what_names_no_record_is_no_item(item: str) -> None:
    """A typing error would be asked of every meter, for ever."""
    with pytest.raises(UnknownItem, match="no item"):
        asked(item)


def test_members_of_a_whole_are_read_together() -> None:
    """The traffic of the day and that of the month stand in one attribute, which is listed as one."""
    meter = ScriptedMeter(contents={"traffic@day": Decimal(12), "traffic@month": Decimal(345)})
    answer = _read(meter, "traffic")
    assert [("traffic@day", Decimal(12)), ("traffic@month", Decimal(345))] == [
        (value.name, value.value) for value in answer.values
    ]


@pytest.mark.parametrize("item", ["traffic", "power_down_record", "power_down_record@last.1"])
def test_what_is_of_another_time_is_no_value_of_the_moment(item: str) -> None:
    """The traffic of a month would be kept as that of this minute."""
    with pytest.raises(UnknownItem):
        Dlt698Driver(SystemClock(), random_octets=bytes).check_instant(item)


def test_what_can_only_be_written_is_not_listed() -> None:
    """A password that no meter gives would be listed as what can be read."""
    assert [] == catalogue.families("dlt698.45", "application_password", "")


def test_columns_that_a_meter_adds_to_an_event_are_kept() -> None:
    """What the meter knows of a failure beyond our question, its voltage say, would be thrown away."""
    answer = "30110200 03 00 20220200 00 201E0200 00 20000201 01 01 06 00000007 1C 07EA0B15030F00 12 08FC"
    meter = ScriptedMeter(
        records=[(_STARTED, _EVENT)], damage=lambda octets: octets[:3] + bytes.fromhex(f"{answer} 0000")
    )
    found = {value.name: value.text for value in _read(meter, "power_down_record@last.1").values}
    assert "230.0" == found["voltage.a@power_down/last.1"]


@pytest.mark.parametrize("item", ["60000200", "60000201", "6000020", "30140300"])
def test_only_what_can_be_asked_for_is_near(item: str) -> None:
    """Who writes a descriptor would be told that there is none, and that the same one is near it."""
    with pytest.raises(UnknownItem, match="no item") as caught:
        asked(item)
    assert "near it" not in str(caught.value)
