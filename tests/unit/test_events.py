"""An event in the journal, on MQTT and in the database: the same one, once, and bounded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.clock import SystemClock
from meterlink.errors import EnvelopeError, RowUnreadable
from meterlink.ingest.line_protocol import event_lines_of
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.model.event import TEXT_MAX, VALUES_MAX, Event, EventValue, Fate, Telling, fate
from meterlink.model.event_envelope import EventEnvelope
from meterlink.model.event_mark import EventMark
from meterlink.model.reading import Record
from meterlink.model.topics import event_topic, parse_up_topic
from metersim.loop import SimClock
from tests.support.line_protocol import read_line
from tests.support.records import EPOCH, event, record

_TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=4)
_VALUES = st.builds(
    EventValue,
    item=st.text(max_size=9),
    content=_NUMBERS | _TIMES | st.text(),
    unit=st.sampled_from(["", "V"]),
)
_EVENTS = st.builds(
    Event,
    meter=st.just("表1"),
    kind=st.text(max_size=9),
    occurred_at=st.none() | _TIMES,
    ended_at=st.none() | _TIMES,
    values=st.lists(_VALUES, max_size=4).map(tuple),
    taken_at=_TIMES,
    route=st.text(max_size=9),
    source=st.text(max_size=9),
)


def _told(one: Event) -> EventEnvelope:
    return EventEnvelope(gateway="g", boot=3, seq=7, event=one)


# --- which events are the same ------------------------------------------------------------------------


def test_told_again_it_is_the_same_event() -> None:
    """A power failure that a terminal tells by two ways, or on two days, would be two failures."""
    later = replace(event(1), taken_at=EPOCH + timedelta(days=1), route="another line")
    assert event(1).key == later.key
    in_china = event(1).at.astimezone(timezone(timedelta(hours=8)))
    assert event(1).key == replace(event(1), occurred_at=in_china).key


def test_a_record_is_known_by_its_kind_beginning_and_number() -> None:
    """The end of a failure, or another one in the same second, would be lost as a repeat."""
    first = event(1)
    others = [
        event(2),
        replace(first, ended_at=None),
        replace(first, kind="cover_open"),
        replace(first, values=(EventValue(item="event_number", content=Decimal(2)), *first.values[1:])),
        replace(first, values=(EventValue(item="communication_address", content="000000000009"),)),
    ]
    assert len(others) == len({other.key for other in others} - {first.key})
    same = [replace(first, source="dlt645-2007 03110001"), replace(first, values=first.values[:-1])]
    assert {first.key} == {other.key for other in same}, "whoever tells it, and however much of it"


def test_what_is_no_record_is_another_event_in_other_words() -> None:
    """Of two reports of values in one second the second would be lost."""
    first = replace(event(1), kind="reported_values")
    others = [
        replace(first, ended_at=None),
        replace(first, source="dlt698.45 301B0200"),
        replace(first, values=first.values[:-1]),
    ]
    assert len(others) == len({other.key for other in others} - {first.key})


_BEGINNINGS = st.integers(min_value=0, max_value=3)


class _Tells(NamedTuple):
    """Somebody tells of the event that began so; a report may leave out the number."""

    beginning: int
    is_over: bool
    with_number: bool
    words: int


_TELLS = st.builds(
    _Tells, beginning=_BEGINNINGS, is_over=st.booleans(), with_number=st.booleans(), words=st.integers(0, 2)
)


@given(st.lists(_TELLS, max_size=12))
def test_once_each_in_whatever_order_and_by_whatever_way_they_are_told(told: list[_Tells]) -> None:
    """A power failure would be billed, alarmed and counted twice, or its end never be known."""
    kept: dict[int, list[Telling]] = {}
    for one in told:
        telling = Telling(one.beginning + 1 if one.with_number else None, "", one.is_over)
        rows = kept.setdefault(one.beginning, [])
        if fate(rows, telling) is not Fate.KNOWN:
            rows.append(telling)
    assert {one.beginning for one in told} == set(kept), "nothing is lost"
    for beginning, rows in kept.items():
        is_over = any(one.is_over for one in told if one.beginning == beginning)
        assert is_over == rows[-1].is_over, "completed as soon as anybody knows the end"
        assert 1 == sum(row.is_over for row in rows) or not is_over
        assert len(rows) <= 2, "begun and over, and no third"


@given(st.lists(st.integers(1, 4), max_size=9))
def test_events_of_one_second_are_told_apart_by_their_number(numbers: list[int]) -> None:
    """Two trips within a second would be one."""
    rows: list[Telling] = []
    for number in numbers:
        if fate(rows, Telling(number, "", is_over=True)) is not Fate.KNOWN:
            rows.append(Telling(number, "", is_over=True))
    assert list(dict.fromkeys(numbers)) == [row.number for row in rows]


@pytest.mark.asyncio
async def test_the_log_keeps_a_record_once_and_completes_it(tmp_path: Path) -> None:
    """What a report told in other words than the meter's memory would stand there twice."""
    whole = event(1)
    begun = replace(whole, ended_at=None)
    reported = replace(whole, values=(), source="a report without number")
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        assert [1, 1, 2, 2, 1] == [
            await journal.keep(each)
            for each in (begun, replace(begun, values=(), route="x"), whole, reported, begun)
        ]
        marks = {"power_down": EventMark(device="1", counted=1)}
        await journal.events.keep("m1", [reported, event(2)], marks)
        await journal.events.keep("m1", [event(2)], marks)
        assert [begun, whole, event(2)] == [row.record for row in await journal.rows_after(0, 10)]
        assert marks == await journal.events.marks("m1")
        assert {} == await journal.events.marks("m2")
        await journal.events.keep("m1", [], {"power_down": EventMark(device="2", counted=0, lasting=1)})
        assert EventMark(device="2", counted=0, lasting=1) == (await journal.events.marks("m1"))["power_down"]
    with JournalReader(tmp_path / "j.db") as reader:
        assert [begun, whole, event(2)] == reader.events()
        assert [event(2)] == reader.events(since=event(2).at)
        assert [] == reader.events(kind="cover_open") + reader.events(meter="m2")
        assert [event(2)] == reader.events(kind="power_down", meter="m1", limit=1)


def test_without_a_time_of_its_own_an_event_has_that_of_its_report() -> None:
    """Two door contacts on two days would be one."""
    timeless = replace(event(1), occurred_at=None)
    later = replace(timeless, taken_at=timeless.taken_at + timedelta(days=1))
    assert timeless.key != later.key
    assert timeless.taken_at == timeless.at


# --- journal ------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_log_keeps_an_event_once_among_readings(tmp_path: Path) -> None:
    """Sinks follow one log: an event in another order, twice or in other words would be another story."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        kept: list[Record | Event] = [record(1), event(2), record(3), replace(event(4), values=())]
        assert [1, 2, 3, 4] == [await journal.keep(each) for each in kept]
        assert 2 == await journal.keep(replace(event(2), taken_at=EPOCH)), "it is there already"
        assert 5 == await journal.keep(event(2, meter="m2"))
        rows = await journal.rows_after(0, 10)
        assert [*kept, event(2, meter="m2")] == [row.record for row in rows]
        assert [2, 0, 2, 0, 0] == [len(row.readings) for row in rows]
        assert [4, 5] == [row.id for row in await journal.rows_after(3, 10)]
        assert set() == await journal.kept_in("event", event(2).at)


@given(_EVENTS)
def test_an_event_survives_the_wire(one: Event) -> None:
    """Numbers, times and texts that changed kind on the way would be other facts."""
    assert _told(one) == EventEnvelope.from_json(_told(one).to_json())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ((EventValue(item="x", content=Decimal("NaN")),), "no number"),
        ((EventValue(item="x", content="\ud800"),), "surrogates"),
        ((EventValue(item="x", content=datetime(2026, 1, 1)),), "zone"),  # noqa: DTZ001
        ((EventValue(item="x", content="x" * (TEXT_MAX + 1)),), "characters"),
        ((EventValue(item="x", content=Decimal(1)),) * (VALUES_MAX + 1), "1000 are allowed"),
    ],
)
async def test_a_malformed_event_is_refused_alone(
    tmp_path: Path, values: tuple[EventValue, ...], fault: str
) -> None:
    """It would take what is committed with it along, or grow the file without end."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        with pytest.raises(ValueError, match=fault):
            await journal.keep(replace(event(1), values=values))
        assert 1 == await journal.keep(event(1))


@pytest.mark.asyncio
async def test_at_the_limits_an_event_is_kept(tmp_path: Path) -> None:
    """One value or character too few would make the largest report of a terminal a lost one."""
    values = tuple(EventValue(item=f"x.{n}", content=Decimal(n)) for n in range(VALUES_MAX - 1))
    full = replace(event(1), values=(*values, EventValue(item="octets", content="F" * TEXT_MAX)))
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        await journal.keep(full)
        assert full == (await journal.rows_after(0, 1))[0].record
    assert full == EventEnvelope.from_json(_told(full).to_json()).event


@pytest.mark.asyncio
async def test_a_damaged_or_unknown_row_is_named_and_passed(tmp_path: Path) -> None:
    """One such row must not hold back all the rows behind it, and a row of a later version is no reading."""
    path = tmp_path / "j.db"
    async with Journal.open(path, clock=SystemClock()) as journal:
        for n in range(4):
            await journal.keep(event(n))
    with sqlite3.connect(path) as db:
        for name in ("event_value_keeps_values", "log_keeps_values"):
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE event_value SET content = 'zwölf' WHERE log_id = 2 AND n = 0")
        db.execute("UPDATE log SET kind = 'audit' WHERE id = 3")
    db.close()
    async with Journal.open(path, clock=SystemClock()) as journal:
        assert [1] == [row.id for row in await journal.rows_after(0, 10)]
        for log_id in (2, 3):
            with pytest.raises(RowUnreadable, match=f"row {log_id}") as refused:
                await journal.rows_after(log_id - 1, 10)
            assert log_id == refused.value.log_id
        assert [4] == [row.id for row in await journal.rows_after(3, 10)]


@pytest.mark.parametrize("table", ["event", "event_value"])
@pytest.mark.asyncio
async def test_an_event_is_never_changed(tmp_path: Path, table: str) -> None:
    """What has been told is evidence."""
    path = tmp_path / "j.db"
    async with Journal.open(path, clock=SystemClock()) as journal:
        await journal.keep(event(1))
    db = sqlite3.connect(path)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET log_id = 9"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.close()


@pytest.mark.asyncio
async def test_a_report_is_kept_whole_and_once(tmp_path: Path) -> None:
    """A terminal that did not hear our word would have its reading twice, under two times."""
    clock = SimClock(EPOCH)
    held: Sequence[Record | Event] = [record(1), event(2), event(3)]
    async with Journal.open(tmp_path / "j.db", clock=clock) as journal:
        assert await journal.keep_report(held, key="a", repeat_s=600)
        clock.advance(600)
        again: list[Record | Event] = [replace(record(1), data_class="other"), event(2)]
        assert not await journal.keep_report(again, key="a", repeat_s=600)
        assert await journal.keep_report([event(3), event(4)], key="b", repeat_s=600), "one of them is new"
        assert not await journal.keep_report([event(4)], key="c", repeat_s=600)
        clock.advance(601)
        assert await journal.keep_report([record(5)], key="a", repeat_s=600), "that was another report"
        assert [*held, event(4), record(5)] == [row.record for row in await journal.rows_after(0, 10)]
        assert 5 == journal.newest_id
        with pytest.raises(ValueError, match="at least one reading"):
            await journal.keep_report([event(9), replace(record(9), readings=())], key="d", repeat_s=600)
        assert 5 == journal.newest_id, "all or nothing"


# --- MQTT ---------------------------------------------------------------------------------------------


def test_the_payload_is_the_published_contract() -> None:
    """Others read these messages: a renamed field is a broken integration."""
    assert {
        "v": 1,
        "gateway": "g",
        "boot": 3,
        "seq": 7,
        "meter": "m1",
        "event": {
            "kind": "power_down",
            "occurred_at": "2026-11-22T00:00:01Z",
            "ended_at": "2026-11-22T00:00:31Z",
            "taken_at": "2026-11-22T00:00:32.250000Z",
            "route": "terminal 000000000161",
            "source": "dlt698.45 30110200",
            "values": [
                {"item": "event_number", "unit": "", "value": "1"},
                {"item": "voltage.a@start", "unit": "V", "value": "230.10"},
                {"item": "clock_before", "unit": "", "time": "2026-11-21T23:59:58Z"},
                {"item": "event_source", "unit": "", "text": "enum:0"},
            ],
        },
    } == json.loads(_told(event(1)).to_json())


def test_an_events_topic() -> None:
    """The ingest would take it for a reading, or never see it."""
    topic = event_topic("s", "g", "terminal-000000000161")
    assert "meterlink/v1/s/g/up/event/terminal-000000000161" == topic
    assert ("s", "g", "terminal-000000000161", "event") == parse_up_topic(topic)
    assert parse_up_topic("meterlink/v1/s/g/up/state/m1") is None


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_octets_give_an_event_or_a_refusal(payload: bytes) -> None:
    """A foreign message on our topic must cost a dead letter, never the ingest."""
    with pytest.raises(EnvelopeError):
        EventEnvelope.from_json(payload)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"v":1', '"v":2'),
        ('"value":"230.10"', '"value":230.1'),
        ('"value":"230.10"', '"value":"NaN"'),
        ('"value":"230.10"', '"value":"1","text":"1"'),
        ('"value":"230.10"', '"other":"1"'),
        ('"text":"enum:0"', '"text":null'),
        ('"text":"enum:0"', f'"text":"{"x" * (TEXT_MAX + 1)}"'),
        ('"seq":7', '"seq":-1'),
        ('"kind":"power_down"', '"kind":1'),
        ('"occurred_at":"2026-11-22T00:00:01Z"', '"occurred_at":"2026-11-22T00:00:01"'),
        ('"values":[', '"values":[[],'),
        ('"values":[', f'"values":[{"{}," * VALUES_MAX}'),
        ('"event":{', '"event":7,"x":{'),
    ],
)
def test_a_damaged_field_is_refused(old: str, new: str) -> None:
    """A field of the wrong kind must not slip through as a fact."""
    payload = _told(event(1)).to_json().decode()
    assert old in payload
    with pytest.raises(EnvelopeError):
        EventEnvelope.from_json(payload.replace(old, new).encode())


# --- database -----------------------------------------------------------------------------------------


def test_an_event_is_one_point_of_numbers() -> None:
    """A text would make a series of zeros in one database, and be refused by another."""
    [line] = event_lines_of(_told(event(1)), site="s", area="east")
    assert (
        "event,area=east,gateway=g,meter=m1,site=s power_down=1.0,power_down_ended_at=1795305631.0,"
        "power_down_event_number=1.0,power_down_voltage_a_start=230.10,power_down_clock_before=1795305598.0 "
        "1795305601"
    ) == line


def test_an_event_without_a_time_stands_where_it_was_told() -> None:
    """It would stand at 1970, or nowhere."""
    timeless = replace(event(1), occurred_at=None, ended_at=None, values=())
    [line] = event_lines_of(_told(timeless), site="s")
    found = read_line(line)
    assert ({"power_down": "1.0"}, int(timeless.taken_at.timestamp())) == (found.fields, found.time_s)


def test_two_kinds_in_one_second_do_not_overwrite_each_other() -> None:
    """One point has one value a field: the number of one event would become that of the other."""
    fields = [
        set(read_line(event_lines_of(_told(event(1, kind=kind)), site="s")[0]).fields)
        for kind in ("power_down", "voltage_loss.a")
    ]
    assert set() == fields[0] & fields[1]
    assert "voltage_loss_a" in fields[1]


@pytest.mark.parametrize(
    "broken",
    [
        replace(event(1), kind=""),
        replace(event(1), kind="a\\b"),
        replace(event(1), meter="a\nb"),
        replace(event(1), values=(EventValue(item="", content=Decimal(1)),)),
        replace(event(1), values=(EventValue(item="x", content=Decimal("1e400")),)),
    ],
)
def test_what_line_protocol_cannot_carry_is_refused(broken: Event) -> None:
    """It would be altered, or end the line in the middle."""
    with pytest.raises(EnvelopeError):
        event_lines_of(_told(broken), site="s")


@pytest.mark.asyncio
async def test_a_report_that_was_kept_while_the_clock_was_ahead(tmp_path: Path) -> None:
    """Once the clock is right, each report under a number that was used then would be taken for told."""
    clock = SimClock(EPOCH)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        clock.step_wall(timedelta(days=70))
        assert await journal.keep_report([event(1)], key="a", repeat_s=600)
        clock.step_wall(-timedelta(days=70))
        assert await journal.keep_report([event(2)], key="a", repeat_s=600)
        clock.step_wall(-timedelta(minutes=5))
        assert not await journal.keep_report([event(3)], key="a", repeat_s=600)
