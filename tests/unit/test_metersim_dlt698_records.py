"""Record tables of the simulated DL/T 698.45 meter: freezes that grow, the curve, events, selectors."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import Meter
from metersim.dlt698 import FACTORY_PASSWORD, Meter698
from metersim.dlt698.records import ROWS_MAX
from metersim.dlt698.services import CLOCK
from metersim.works.events import EVENT_DEPTH
from metersim.works.freezes import CURVE as CURVE_TABLE
from metersim.works.freezes import DEPTH as DAILY_DEPTH
from metersim.works.freezes import MONTHLY as MONTHLY_TABLE
from metersim.works.items import items_of
from metersim.works.moments import INSTALLED_AT, PLANT_TIME
from meterwire.dlt698.apdus.get import GetRequestRecordList
from meterwire.dlt698.apdus.parts import Dar, Piid, RecordRequest, SetItem
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.selection import (
    NoMeters,
    Oad,
    SelectAll,
    SelectEqual,
    Selection,
    SelectLast,
    SelectNthLast,
    SelectRange,
    SelectRanges,
    SelectStoredAt,
    Ti,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.records import FREEZE_NUMBER, FROZEN_AT, Records
from meterwire.dlt698.objects.requests import At, Between, Last, NthLast, ReadCurve, ReadEvents, ReadFreezes
from tests.support.meter698 import AT, Client

ADDRESS = "000000000161"
CURVE_DEPTH, MONTHLY_DEPTH = CURVE_TABLE.depth, MONTHLY_TABLE.depth
DAILY, MONTHLY, CURVE = "50040200", "50060200", "50020200"
TIME, NUMBER = str(FROZEN_AT), str(FREEZE_NUMBER)
TODAY = datetime(2026, 10, 1)  # noqa: DTZ001 - as the meter writes it
DAY = timedelta(days=1)


def meter(clock_ahead: timedelta = timedelta(), since: datetime = INSTALLED_AT) -> Meter698:
    return Meter698(ADDRESS, seed=1, clock_ahead=clock_ahead, since=since)


def moment(at: datetime) -> Data:
    return Data("date_time_s", DateTimeS.of(at))


def number(n: int) -> Data:
    return Data("double-long-unsigned", n)


def times(found: Records) -> list[datetime | None]:
    return [row.at for row in found.rows]


def days(*back: int) -> list[datetime]:
    return [TODAY - n * DAY for n in back]


# --- freezes --------------------------------------------------------------------------------------


def test_a_daily_freeze_is_what_the_registers_showed_at_midnight() -> None:
    """The freeze would be a reading of now, or of another day."""
    here = meter()
    client = Client(here)
    [request] = ReadFreezes(
        freeze="daily_freeze", items=("forward_active_energy.*",), which=NthLast(1)
    ).records()
    [row] = client.records(str(request.oad), request.rsd, *map(str, request.rcsd)).rows
    midnight = TODAY.replace(tzinfo=PLANT_TIME)
    assert TODAY == row.at
    shown = [here.value(item, midnight) for item in items_of("forward_active_energy")]
    assert shown == [value.value for value in row.readings]
    assert shown != [here.value(item, AT) for item in items_of("forward_active_energy")]
    assert set(shown) == set(client.values.values())


@given(
    ahead=st.timedeltas(min_value=timedelta(days=-3), max_value=timedelta(days=3)),
    age=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=70)),
)
def test_the_daily_table_is_that_of_a_645_meter(ahead: timedelta, age: timedelta) -> None:
    """One night would be two points, by which protocol the meter speaks."""
    here = meter(clock_ahead=ahead, since=AT - age)
    other = Meter(ADDRESS, seed=1, since=AT - age, clock_ahead=ahead)
    assert list(other.works.freezes("daily_freeze", AT)) == here.freezes(0x5004, AT)


@pytest.mark.parametrize(
    ("table", "depth"), [(0x5002, CURVE_DEPTH), (0x5004, DAILY_DEPTH), (0x5006, MONTHLY_DEPTH)]
)
def test_tables_grow_to_their_depth_and_no_further(table: int, depth: int) -> None:
    """A table would be full on the first day, or never forget."""
    here = meter()
    assert [] == here.freezes(table, INSTALLED_AT)
    assert depth == len(here.freezes(table, INSTALLED_AT + timedelta(days=800)))
    young = here.freezes(table, INSTALLED_AT + timedelta(days=31))
    assert {0x5002: CURVE_DEPTH, 0x5004: 31, 0x5006: 1}[table] == len(young)
    newest_first = [freeze.frozen_at for freeze in young]
    assert sorted(newest_first, reverse=True) == newest_first


def test_a_monthly_freeze_is_taken_on_the_first_of_the_month() -> None:
    """A month of consumption would begin on another day than the bill."""
    found = Client(meter()).records(MONTHLY, SelectLast(12, NoMeters()), TIME)
    months = [(2025, month) for month in (11, 12)] + [(2026, month) for month in range(1, 11)]
    assert [datetime(year, month, 1) for year, month in months] == times(found)  # noqa: DTZ001


def test_without_columns_all_are_named_and_sent() -> None:
    """A reader that does not know the columns would get none, or values without names."""
    here = meter()
    found = Client(here).records(DAILY, SelectNthLast(1))
    [row] = found.rows
    assert (datetime(2026, 10, 1) - datetime(2024, 1, 1)).days == row.number  # noqa: DTZ001
    midnight = TODAY.replace(tzinfo=PLANT_TIME)
    ended = midnight - timedelta(microseconds=1)
    for value in row.readings:
        if "_max_demand" not in value.item:
            assert here.value(value.item, midnight) == value.value
        elif not value.item.partition(".")[0].endswith("_at"):
            assert here.value(value.item, ended) == value.value != 0, "of the month that ended"
    assert 3 * 5 + 2 * 2 * 5 == len(row.readings)


def test_a_column_that_is_not_kept_is_null() -> None:
    """A voltage of now would be told as one of midnight."""
    client = Client(meter())
    [row] = client.records(DAILY, SelectNthLast(1), TIME, "00100201", "20000200", "00300200").rows
    assert TODAY == row.at
    assert ["forward_active_energy"] == [value.item for value in row.readings]
    assert [NULL, NULL] == [value.raw for value in row.values[2:]]


# --- selectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (SelectNthLast(1), days(0)),
        (SelectNthLast(62), days(61)),
        (SelectNthLast(63), []),
        (SelectLast(3, NoMeters()), days(2, 1, 0)),
        (SelectEqual(FROZEN_AT, moment(TODAY - 5 * DAY)), days(5)),
        (SelectEqual(FROZEN_AT, moment(TODAY + timedelta(hours=1))), []),
        (SelectEqual(FREEZE_NUMBER, number(1004)), days(0)),
        (SelectRange(FROZEN_AT, moment(TODAY - 3 * DAY), moment(TODAY), NULL), days(3, 2, 1)),
        (
            SelectRange(FROZEN_AT, moment(TODAY - 4 * DAY), moment(TODAY + DAY), Data("TI", Ti(3, 2))),
            days(4, 2, 0),
        ),
        (SelectRange(FROZEN_AT, moment(TODAY - 40 * DAY), moment(TODAY), Data("TI", Ti(4, 1))), days(40, 9)),
        (SelectRange(FROZEN_AT, moment(TODAY - 2 * DAY), moment(TODAY), Data("TI", Ti(3, 0))), days(2, 1)),
        (SelectRange(FREEZE_NUMBER, number(1000), number(1004), Data("unsigned", 2)), days(4, 2)),
        (
            SelectRanges(
                (
                    SelectRange(FROZEN_AT, moment(TODAY - 9 * DAY), moment(TODAY), NULL),
                    SelectRange(FREEZE_NUMBER, number(1001), number(1003), NULL),
                )
            ),
            days(3, 2),
        ),
    ],
)
def test_selectors_mean_the_rows_that_the_standard_says(
    selection: Selection, expected: list[datetime]
) -> None:
    """A driver would be tested against rows that no real meter sends."""
    found = Client(meter()).records(DAILY, selection, TIME)
    assert expected == times(found)
    assert ("no_rows" if not expected else None) == found.missing


@pytest.mark.parametrize(
    ("selection", "dar"),
    [
        (SelectStoredAt(DateTimeS.of(TODAY), NoMeters()), 9),
        (SelectNthLast(0), 9),
        (SelectLast(0, NoMeters()), 9),
        (SelectRanges(()), 9),
        (SelectEqual(Oad.of("00100200"), number(1)), 9),
        (SelectEqual(FROZEN_AT, number(1)), 9),
        (SelectEqual(FROZEN_AT, Data("date_time_s", DateTimeS(2026, 17, 1, 0, 0, 0))), 9),
        (SelectRange(FROZEN_AT, moment(TODAY), number(1), NULL), 9),
        (SelectRange(FROZEN_AT, moment(TODAY), moment(TODAY + DAY), number(1)), 9),
        (SelectRange(FROZEN_AT, moment(TODAY), moment(TODAY + DAY), Data("TI", Ti(9, 1))), 9),
        (SelectRange(FREEZE_NUMBER, number(1), number(2), Data("TI", Ti(3, 1))), 9),
        (SelectRange(FROZEN_AT, moment(TODAY), moment(TODAY), NULL), 8),
        (SelectRange(FREEZE_NUMBER, number(2), number(1), NULL), 8),
    ],
)
def test_selectors_that_mean_nothing_here_are_refused(selection: Selection, dar: int) -> None:
    """The whole table would be sent for a selector that was not understood."""
    assert Dar(dar) == Client(meter()).records(DAILY, selection, TIME).dar


@pytest.mark.parametrize(
    ("table", "dar"),
    [
        ("50040300", 4),
        ("50010200", 6),
        ("30000600", 4),
        ("00100200", 6),
        ("30000200", 4),
        ("31060200", 6),
        ("60120300", 6),
    ],
)
def test_what_is_no_table_is_refused_by_the_word_for_it(table: str, dar: int) -> None:
    """An attribute would be sent as a row, or a table that is not there as empty."""
    assert Dar(dar) == Client(meter()).records(table, SelectNthLast(1)).dar


@pytest.mark.parametrize(
    "which",
    [NthLast(2), Last(4), At(TODAY - DAY), Between(TODAY - 3 * DAY, TODAY)],
    ids=["nth-last", "last", "at", "between"],
)
def test_typed_requests_bring_what_they_say(which: NthLast | Last | At | Between) -> None:
    """What drivers send would mean other rows than they think."""
    here = meter()
    [request] = ReadFreezes(freeze="daily_freeze", items=("forward_active_energy",), which=which).records()
    found = Client(here).records(str(request.oad), request.rsd, *map(str, request.rcsd))
    wanted = {NthLast(2): days(1), Last(4): days(3, 2, 1, 0), At(TODAY - DAY): days(1)}
    assert wanted.get(which, days(3, 2, 1)) == times(found)
    for row in found.rows:
        assert row.at is not None
        [value] = row.readings
        assert here.value("forward_active_energy", row.at.replace(tzinfo=PLANT_TIME)) == value.value


# --- the curve ------------------------------------------------------------------------------------


def test_a_day_of_the_curve_is_96_points_whose_power_is_the_slope() -> None:
    """A load curve would not fit the registers beside it."""
    here = meter()
    client = Client(here)
    read = ReadCurve(
        items=("active_power.*", "forward_active_energy", "voltage.*"), start=TODAY - DAY, end=TODAY
    )
    rows = [
        row
        for request in read.records()
        for row in client.records(str(request.oad), request.rsd, *map(str, request.rcsd)).rows
    ]
    assert [TODAY - DAY + n * timedelta(minutes=15) for n in range(96)] == [row.at for row in rows]
    for row in rows:
        assert row.at is not None
        for value in row.readings:
            assert here.value(value.item, row.at.replace(tzinfo=PLANT_TIME)) == value.value
    counted = [next(one.value for one in row.readings if "energy" in one.item) for row in rows]
    assert all(before <= after for before, after in pairwise(value or Decimal(-1) for value in counted))


def test_more_rows_than_an_answer_takes_are_refused() -> None:
    """One request would make the simulator work for a minute."""
    client = Client(meter())
    since = moment(AT.astimezone(PLANT_TIME).replace(hour=11) - ROWS_MAX * timedelta(minutes=15))
    until = moment(AT.astimezone(PLANT_TIME))
    assert ROWS_MAX == len(client.records(CURVE, SelectRange(FROZEN_AT, since, until, NULL), TIME).rows)
    assert Dar(2) == client.records(CURVE, SelectAll(), TIME).dar
    wanted = RecordRequest(Oad.of(CURVE), SelectRange(FROZEN_AT, since, until, NULL), (FROZEN_AT,))
    one_more = RecordRequest(Oad.of(DAILY), SelectNthLast(1), (FROZEN_AT,))
    answer = client.ask(GetRequestRecordList(piid=Piid.of(3), records=(wanted, one_more)))
    assert (ROWS_MAX, Dar(254)) == (len(answer.records[0].result), answer.records[1].result)


# --- events, and clocks that are set --------------------------------------------------------------


def test_events_that_never_happened_have_no_rows() -> None:
    """An invented event would raise an alarm."""
    client = Client(meter())
    for event, part in (("power_down", ""), ("voltage_loss", "a"), ("cover_open", ""), ("clock_set", "")):
        [request] = ReadEvents(event=event, which=Last(10), part=part).records()
        found = client.records(str(request.oad), request.rsd, *map(str, request.rcsd))
        assert ("no_rows", None) == (found.missing, found.dar), event


def set_clock(client: Client, to: datetime) -> None:
    client.connect(FACTORY_PASSWORD)
    client.ask(SetRequestNormal(piid=Piid.of(1), item=SetItem(CLOCK, moment(to))))


def test_setting_the_clock_is_an_event() -> None:
    """Somebody could move the clock, and nobody would see it."""
    client = Client(meter())
    noon = TODAY.replace(hour=12)
    set_clock(client, noon)
    client.at += timedelta(hours=1)
    set_clock(client, noon)
    [request] = ReadEvents(event="clock_set", which=Last(2)).records()
    first, second = client.records(str(request.oad), request.rsd, *map(str, request.rcsd)).rows
    assert (1, TODAY.replace(hour=11)) == (first.number, first.at)
    assert (2, TODAY.replace(hour=13)) == (second.number, second.at)
    ended = [value.moment for value in second.values if value.item == "event_ended_at"]
    assert [noon] == ended


def test_events_are_kept_to_their_depth() -> None:
    """A table of events would grow for ever."""
    here = meter()
    client = Client(here)
    for minute in range(EVENT_DEPTH + 5):
        here.clock.set(AT, AT + timedelta(minutes=minute))
    client.at += timedelta(hours=1)
    found = client.records("30160200", SelectAll())
    assert list(range(6, EVENT_DEPTH + 6)) == [row.number for row in found.rows]


def test_a_clock_set_over_midnight_misses_that_freeze() -> None:
    """A freeze would be there that the meter never took."""
    here = meter()
    client = Client(here)
    set_clock(client, TODAY + timedelta(days=1, hours=1))
    client.at += timedelta(hours=1)
    assert days(1, 0) == times(client.records(DAILY, SelectLast(2, NoMeters()), TIME))
    client.at += timedelta(days=1)
    assert days(0, -2) == times(client.records(DAILY, SelectLast(2, NoMeters()), TIME))


def test_a_clock_set_back_takes_a_freeze_again() -> None:
    """Two rows of one night would be two readings of it."""
    here = meter()
    client = Client(here)
    set_clock(client, TODAY - timedelta(hours=1))
    client.at += timedelta(hours=2)
    found = client.records(DAILY, SelectLast(2, NoMeters()), TIME, "00100201")
    assert days(1, 0) == times(found)
    [again] = [row for row in found.rows if row.at == TODAY]
    assert here.value("forward_active_energy", AT + timedelta(hours=1)) == again.readings[0].value
