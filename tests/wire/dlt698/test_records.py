"""Rows out of answers, and answers out of contents; the requests that ask for them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu, walk_apdu
from meterwire.dlt698.apdus.get import GetRequestRecord, GetResponseRecord
from meterwire.dlt698.apdus.parts import Dar, Piid, RecordRequest, RecordResult
from meterwire.dlt698.axdr.coding import Span
from meterwire.dlt698.axdr.selection import Oad, Road, SelectEqual, SelectRange, Ti
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.objects.records import FROZEN_AT, Records, column, encode_row, joined, records
from meterwire.dlt698.objects.requests import (
    CURVE_PIECES_MAX,
    RECORDS_MAX,
    At,
    Between,
    Last,
    NthLast,
    ReadCurve,
    ReadEvents,
    ReadFreezes,
    ReadItems,
    event_table,
    freeze_table,
)
from meterwire.errors import LocalProtocolError, RemoteProtocolError

_DAILY = Oad.of("50040200")
_civil = datetime.fromisoformat
_NIGHT = _civil("2025-10-31")
_ENERGIES = ("forward_active_energy.*",)


def _answer(text: str) -> Records:
    apdu = decode_apdu(bytes.fromhex(text))
    assert isinstance(apdu, GetResponseRecord)
    return records(apdu.record)


def _octets(request: RecordRequest, number: int) -> str:
    return encode_apdu(GetRequestRecord(piid=Piid(number), record=request)).hex().upper()


def test_the_latest_daily_freeze_is_asked_as_the_reference_shows() -> None:
    """A meter would be asked for another table, record or column (spec 9.7)."""
    (request,) = ReadFreezes(freeze="daily_freeze", items=_ENERGIES, which=NthLast(1)).records()
    assert "05030A50040200090102002021020000001002" + "0000" == _octets(request, 10)


def test_its_answer_becomes_readings_at_the_instant_of_the_freeze() -> None:
    """The night's registers would be lost, or stand at another time (spec 9.8)."""
    found = _answer(
        "85030A500402000200202102000000100200010" + "11C07E90A1F0000000105060000BC6106000027100600002710"
        "0600004E2006000036D10000"
    )
    (row,) = found.rows
    assert (None, _NIGHT, None) == (found.missing, row.at, row.number)
    assert [
        ("forward_active_energy@daily_freeze", "482.25"),
        ("forward_active_energy.t1@daily_freeze", "100.00"),
        ("forward_active_energy.t2@daily_freeze", "100.00"),
        ("forward_active_energy.t3@daily_freeze", "200.00"),
        ("forward_active_energy.t4@daily_freeze", "140.33"),
    ] == [(value.label.key, value.text) for value in row.readings]


def test_a_captured_point_of_a_curve() -> None:
    """A single-phase meter's curve would be read wrongly (spec 9.26)."""
    found = _answer(
        "850337500202000800202102000020010400002000020000200102000020040200"
        "00200A020000001002010000200201"
        "01011C07EA061D0E1E00050000000001011208A301010500000000010205000000000500000000010210"
        "03E81003E8060000000006000000000000"
    )
    (row,) = found.rows
    assert _civil("2026-06-29 14:30") == row.at
    assert [
        "neutral_current", "voltage.a", "current.a", "active_power", "active_power.a", "power_factor",
        "power_factor.a", "forward_active_energy", "reverse_active_energy",
    ] == [value.item for value in row.readings]  # fmt: skip
    assert {"curve"} == {value.period for value in row.readings}


@pytest.mark.parametrize(("which", "selector"), [
    (NthLast(3), "0903"),
    (Last(7), "0A0700"),
    (Last(7, all_meters=True), "0A0701"),
    (At(_NIGHT), "01202102001C07E90A1F000000"),
    (Between(_NIGHT, _civil("2025-11-01")), "02202102001C07E90A1F0000001C07E90B0100000000"),
    (Between(_NIGHT, _civil("2025-11-01"), Ti(3, 1)), "02202102001C07E90A1F0000001C07E90B0100000054030001"),
])  # fmt: skip
def test_each_selector(which: NthLast | Last | At | Between, selector: str) -> None:
    """Another night than the wanted one would be read."""
    (request,) = ReadFreezes(freeze="monthly_freeze", items=_ENERGIES, which=which).records()
    assert f"050305500602{'00'}{selector}02002021020000001002" + "0000" == _octets(request, 5)


def test_a_day_of_a_curve_is_asked_in_pieces() -> None:
    """96 points would be asked at once, which no meter can answer, or a point would be asked twice."""
    read = ReadCurve(items=("active_power",), start=_NIGHT, end=_civil("2025-11-01"))
    pieces = [request.rsd for request in read.records()]
    assert 6 == len(pieces)
    spans = [(one.start, one.end, one.interval) for one in pieces if isinstance(one, SelectRange)]
    assert Data("date_time_s", DateTimeS.of(_NIGHT)) == spans[0][0]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
    assert Data("date_time_s", DateTimeS(2025, 11, 1, 0, 0, 0)) == spans[-1][1]
    assert {Data("TI", Ti(1, 15))} == {one[2] for one in spans}


def test_the_limits_of_what_can_be_asked() -> None:
    """A slip of the caller would be sent to a meter as something else, or run for days."""
    longest = ReadFreezes(freeze="daily_freeze", items=_ENERGIES, which=NthLast(RECORDS_MAX))
    assert longest.records()
    for which in (NthLast(0), NthLast(RECORDS_MAX + 1), Last(0), Between(_NIGHT, _NIGHT)):
        with pytest.raises(LocalProtocolError):
            ReadFreezes(freeze="daily_freeze", items=_ENERGIES, which=which).records()
    end = _civil("2025-10-31 17:04")
    most = ReadCurve(items=("voltage.a",), start=_NIGHT, end=end, interval_min=1, points_max=1)
    assert CURVE_PIECES_MAX == len(most.records())
    for start, end_, step in (
        (_NIGHT, _civil("2025-10-31 17:05"), 1),
        (_NIGHT, _NIGHT, 1),
        (_NIGHT, end, 0),
    ):
        with pytest.raises(LocalProtocolError):
            ReadCurve(items=("voltage.a",), start=start, end=end_, interval_min=step, points_max=1).records()


@pytest.mark.parametrize(("event", "part", "oad"), [
    ("power_down", "", "30110200"), ("relay_trip", "", "301F0200"), ("voltage_loss", "a", "30000700"),
    ("voltage_loss", "c", "30000900"), ("flow_reversal", "", "30070600"),
    ("flow_reversal", "total", "30070600"), ("flow_reversal", "b", "30070800"),
    ("reactive_demand_over_limit", "4", "300B0900"),
])  # fmt: skip
def test_the_record_table_of_an_event(event: str, part: str, oad: str) -> None:
    """An event would be asked by an attribute that is no record table: DAR 4."""
    assert Oad.of(oad) == event_table(event, part)


@pytest.mark.parametrize(("event", "part"), [
    ("voltage_loss", ""), ("voltage_loss", "total"), ("power_down", "a"), ("power", ""), ("daily_freeze", ""),
])  # fmt: skip
def test_an_event_without_such_a_table_is_refused(event: str, part: str) -> None:
    """A table that no meter has would be asked for."""
    with pytest.raises(LocalProtocolError):
        event_table(event, part)


def test_the_last_event_is_asked_with_what_was_at_its_start() -> None:
    """The register at the start of an outage could not be asked for."""
    read = ReadEvents(event="power_down", which=NthLast(1), items=("forward_active_energy@start",))
    expected = "0503013011020009010500202202000020" + "1E0200002020020000202402000000102201" + "00"
    assert expected == _octets(read.records()[0], 1)


def test_an_event_that_lasts_has_no_end() -> None:
    """A running event would stop the reading of all of them, or end at a made-up time."""
    rows = (
        (Data("double-long-unsigned", 2), Data("date_time_s", DateTimeS(2026, 1, 2, 3, 4, 5)), NULL),
        (
            Data("double-long-unsigned", 1),
            Data("date_time_s", DateTimeS(2026, 1, 1, 0, 0, 0)),
            Data("date_time_s", DateTimeS(2026, 1, 1, 1, 0, 0)),
        ),
    )
    columns = (Oad.of("20220200"), Oad.of("201E0200"), Oad.of("20200200"))
    found = records(RecordResult(Oad.of("30110200"), columns, rows))
    assert [1, 2] == [row.number for row in found.rows]
    assert ["event_ended_at@power_down"] == [value.label.key for value in found.rows[0].readings]
    assert () == found.rows[1].readings


@pytest.mark.parametrize(("result", "missing"), [
    ((), "no_rows"), (((NULL, NULL),), "null_row"), (Dar(33), "refused"), (Dar(20), "refused"),
])  # fmt: skip
def test_no_such_record_is_said_in_three_ways(
    result: Dar | tuple[tuple[Data, ...], ...], missing: str
) -> None:
    """A meter without data would bring readings of nothing, or be asked no more."""
    found = records(RecordResult(_DAILY, (FROZEN_AT, Oad.of("00100200")), result))
    assert (missing, ()) == (found.missing, found.rows)
    assert found.dar == (result if isinstance(result, Dar) else None)


def test_a_freeze_that_kept_no_such_column_is_a_record() -> None:
    """A freeze that was taken would be asked for again and again."""
    at = Data("date_time_s", DateTimeS.of(_NIGHT))
    found = records(RecordResult(_DAILY, (FROZEN_AT, Oad.of("00100200")), ((NULL, NULL), (at, NULL))))
    (row,) = found.rows
    assert (None, 1, _NIGHT, ()) == (found.missing, found.null_rows, row.at, row.readings)


def test_rows_are_sorted_by_their_time() -> None:
    """Consumption would be counted backwards for a meter that answers the newest first."""
    days = [3, 1, 2]
    rows = tuple((Data("date_time_s", DateTimeS(2026, 1, day, 0, 0, 0)),) for day in days)
    found = records(RecordResult(_DAILY, (FROZEN_AT,), rows))
    assert [1, 2, 3] == [row.at.day for row in found.rows if row.at is not None]


def test_the_columns_of_the_answer_count() -> None:
    """A meter that drops a column would have its values read as those of another."""
    read = ReadFreezes(freeze="daily_freeze", items=("forward_active_energy", "voltage.a"), which=NthLast(1))
    (request,) = read.records()
    assert 3 == len(request.rcsd)
    row = (Data("date_time_s", DateTimeS.of(_NIGHT)), Data("long-unsigned", 2201))
    found = records(RecordResult(_DAILY, (FROZEN_AT, Oad.of("20000201")), (row,)))
    assert [("voltage.a", "220.1")] == [(value.item, value.text) for value in found.rows[0].readings]


def test_a_row_of_another_width_is_the_meters_fault() -> None:
    """Values would move into the columns of others."""
    with pytest.raises(RemoteProtocolError) as caught:
        records(RecordResult(_DAILY, (FROZEN_AT,), ((NULL, Data("unsigned", 1)),)))
    assert "rows" == caught.value.kind


def test_a_column_that_no_object_has_is_kept_as_it_is() -> None:
    """One unknown column would hide the others."""
    row = (Data("date_time_s", DateTimeS.of(_NIGHT)), Data("unsigned", 7))
    found = records(RecordResult(_DAILY, (FROZEN_AT, Oad.of("12340200")), (row,)))
    assert [("12340200", "unsigned:7")] == [(value.item, value.text) for value in found.rows[0].readings]


def test_nested_columns_take_the_period_of_their_table() -> None:
    """Freezes that a concentrator collected would not join those that a meter gave."""
    nested = Road(_DAILY, (FROZEN_AT, Oad.of("00100201"), Oad.of("00200201")))
    columns = (Oad.of("202A0200"), nested)
    address = Data("octet-string", bytes.fromhex("000000000001"))
    at = Data("date_time_s", DateTimeS.of(_NIGHT))
    members = (at, Data("double-long-unsigned", 100), NULL)
    rows = ((address, Data("array", members)), (address, NULL), (address, Data("structure", (at,))))
    found = records(RecordResult(Oad.of("60120300"), columns, rows))
    by_time = {row.at: row for row in found.rows}
    assert {"000000000001"} == {row.address for row in found.rows}
    assert ["forward_active_energy@daily_freeze"] == [v.label.key for v in by_time[_NIGHT].readings]
    problems = [{value.problem for value in row.values} - {None} for row in found.rows]
    assert [{"absent"}, {"shape"}, {"absent"}] == problems


def test_blocks_are_joined() -> None:
    """The rows after the first block would be lost."""
    one = RecordResult(_DAILY, (FROZEN_AT,), ((NULL,),))
    other = one._replace(result=((NULL,), (NULL,)))
    refused = one._replace(oad=Oad.of("50060200"), result=Dar(33))
    assert (one._replace(result=((NULL,),) * 3), refused) == joined([one, other, refused])
    assert (refused,) == joined([refused, refused])


def test_what_a_meter_answers_is_what_is_read() -> None:
    """The simulated meter would answer other values than it has."""
    contents: Contents = {
        "frozen_at": "2025-10-31 00:00:00",
        "forward_active_energy": Decimal("482.25"),
        "forward_active_energy.t1": Decimal("100.00"),
        "forward_active_max_demand": Decimal("0.2000"),
        "forward_active_max_demand_at": "2025-10-30 18:15:00",
    }
    columns = (
        FROZEN_AT,
        column("forward_active_energy.*"),
        column("forward_active_max_demand.*"),
        column("voltage.*"),
    )
    row = encode_row((*columns, Road(_DAILY, (FROZEN_AT,)), Oad.of("12340200")), contents)
    (found,) = records(RecordResult(_DAILY, columns, (row[:4],))).rows
    assert _NIGHT == found.at
    brought = {value.item: value.content for value in found.readings}
    assert contents == {"frozen_at": "2025-10-31 00:00:00", **brought}
    assert (NULL, Data("structure", (row[0],)), NULL) == (row[3], row[4], row[5])


def test_present_values_are_asked_by_name() -> None:
    """A status word or the clock of a meter could not be asked for."""
    status = ReadItems(items=("meter_status_words", "meter_clock"))
    assert ("20140200", "40000200") == tuple(map(str, status.oads()))
    demand = ReadItems(items=("forward_active_max_demand", "forward_active_max_demand_at"))
    assert ("10100201",) == tuple(map(str, demand.oads()))
    with pytest.raises(LocalProtocolError, match="no item 'furlongs'"):
        ReadItems(items=("furlongs",)).oads()


def test_freezes_are_named_as_in_dlt645() -> None:
    """The frozen registers of two protocols would be two series."""
    assert ("50040200", "50060200", "50000200") == tuple(
        str(freeze_table(name)) for name in ("daily_freeze", "monthly_freeze", "instant_freeze")
    )
    with pytest.raises(LocalProtocolError, match="no freeze"):
        freeze_table("nightly_freeze")
    request = ReadFreezes(freeze="daily_freeze", items=_ENERGIES, which=At(_NIGHT)).records()[0]
    assert isinstance(request.rsd, SelectEqual)


def _without_columns(count: str) -> bytes:
    return bytes.fromhex(f"85030550040200 00 01 {count} 0000")


def test_a_row_without_columns_is_no_record() -> None:
    """The answer of a device to a request that names no columns would pass for a broken one."""
    octets = _without_columns("01")
    answer = decode_apdu(octets)
    assert isinstance(answer, GetResponseRecord)
    assert ((),) == answer.record.result
    assert octets == encode_apdu(answer)
    found = records(answer.record)
    assert ((), 1, "null_row") == (found.rows, found.null_rows, found.missing)
    assert octets == b"".join(octets[part.start : part.end] for part in _leaves(walk_apdu(octets)))


def test_more_rows_without_columns_are_refused() -> None:
    """They take no octets: in a list of records, counts alone would take all memory."""
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(_without_columns("02"))
    assert "rows" == refused.value.kind
    one = decode_apdu(_without_columns("01"))
    assert isinstance(one, GetResponseRecord)
    with pytest.raises(LocalProtocolError):
        encode_apdu(replace(one, record=one.record._replace(result=((), ()))))


def _leaves(span: Span) -> list[Span]:
    return [leaf for part in span.parts for leaf in _leaves(part)] if span.parts else [span]
