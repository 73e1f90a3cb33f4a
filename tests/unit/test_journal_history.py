"""What the journal tells of the past of a meter: the same as one who remembers everything, and quickly."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.clock import SystemClock
from meterlink.journal import history_rows, rows
from meterlink.journal.history_rows import HEADS_MAX, WALK_MAX
from meterlink.journal.journal import Journal
from meterlink.journal.migrations import migrate
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, INSTANT, MONTHLY_FREEZE
from meterlink.model.history import PAST_MAX, History, Told, Wanted
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.roster.book import RosterBook
from meterlink.roster.exchange import Exchange
from tests.support.kept import DAY, ITEM, METER, NIGHT, Kept, freeze, record_of
from tests.support.rosters import CHECKS, meter

_CLASSES = (INSTANT, CURVE, DAILY_FREEZE, MONTHLY_FREEZE)
_ITEMS = (ITEM, f"{ITEM}.t1", "voltage.a")


@contextlib.contextmanager
def _journal() -> Iterator[sqlite3.Connection]:
    """The tables of a journal; in memory, because many examples on a disk take long."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        db.execute("INSERT INTO boot (started_at) VALUES (0)")
        yield db


def _keep(db: sqlite3.Connection, *records: Record) -> None:
    for record in records:
        rows.insert(db, 1, rows.encode(record, NIGHT))


def _history(db: sqlite3.Connection, record: Record) -> History:
    items = [reading.item for reading in record.readings]
    slot = record.readings[0].slot
    return history_rows.select(db, record.data_class, record.meter, {slot: Wanted(items, items)})[slot]


@st.composite
def _records(draw: st.DrawFn) -> Record:
    items = draw(st.lists(st.sampled_from(_ITEMS), min_size=1, max_size=3, unique=True))
    day = draw(st.integers(0, 6))
    marks = st.sampled_from([NO_MARKS, Marks.CLOCK_FAR, Marks.REG_BACK])
    number = st.none() | st.integers(0, 9).map(Decimal)
    readings = [freeze(day, draw(number), item=item, marks=draw(marks)) for item in items]
    name = draw(st.sampled_from([METER, "m2"]))
    return Record(
        meter=name,
        data_class=draw(st.sampled_from(_CLASSES)),
        readings=tuple(replace(one, meter=name) for one in readings),
    )


@given(records=st.lists(_records(), min_size=1, max_size=25), asked=_records())
def test_as_one_who_remembers_everything(records: list[Record], asked: Record) -> None:
    """A reading judged by another class's, meter's or night's past would be marked for nothing."""
    remembered = Kept(rows=records).history(asked)
    items = {reading.item for reading in asked.readings}
    # Of what was kept beside it in the slot only that is asked for: its own step is judged elsewhere.
    expected = {
        item: one
        if item in items
        else replace(one, past=(), later=None, seen=None, later_seen=None, settled=None)
        for item, one in remembered.items.items()
    }
    with _journal() as db:
        _keep(db, *records)
        told = _history(db, asked)
    assert expected == told.items


def test_a_month_and_no_more() -> None:
    """Ten years of nights would be read for each new one."""
    with _journal() as db:
        _keep(db, *(record_of(freeze(day, str(day))) for day in range(-400, 400)))
        known = _history(db, record_of(freeze(0, "0"))).of(ITEM)
    assert [-n for n in range(1, PAST_MAX + 1)] == [(one.at - NIGHT) // DAY for one in known.past]
    assert known.later is not None
    assert NIGHT + DAY == known.later.slot


def test_a_record_of_two_nights() -> None:
    """Its earlier night would pass for the one behind, and a sound reading be restated."""
    both = record_of(freeze(-1, "7"), freeze(1, "9", item=f"{ITEM}.t1"))
    with _journal() as db:
        _keep(db, both)
        asked = record_of(freeze(0, "8"), freeze(0, "8", item=f"{ITEM}.t1"))
        found = _history(db, asked)
        same = _history(db, record_of(freeze(1, "7")))
    assert found.of(ITEM).later is None
    assert _slot(found.of(f"{ITEM}.t1").later) == NIGHT + DAY
    assert same.of(ITEM).same is None


def _slot(reading: Reading | None) -> datetime | None:
    return None if reading is None else reading.slot


@pytest.mark.parametrize(("others", "is_found"), [(HEADS_MAX - 1, True), (HEADS_MAX, False)])
def test_a_night_of_very_many_records(others: int, is_found: bool) -> None:
    """The limit of a look; what lies behind so many records is not found, and the look stays short."""
    tariff = f"{ITEM}.t1"
    noise = [record_of(freeze(-1, "1", item=f"x{n}")) for n in range(others)]
    with _journal() as db:
        _keep(db, record_of(freeze(-2, "7", item=tariff)), *noise)
        assert is_found == bool(_history(db, record_of(freeze(0, "8", item=tariff))).of(tariff).past)


@pytest.mark.parametrize(("others", "is_found"), [(WALK_MAX - 1, True), (WALK_MAX, False)])
def test_very_many_readings_of_another_class(others: int, is_found: bool) -> None:
    """The same among values of the moment."""
    minute = timedelta(minutes=1)
    first = replace(freeze(-1, "7"), slot=NIGHT - (others + 1) * minute)
    noise = [
        record_of(replace(first, slot=NIGHT - (n + 1) * minute), data_class=CURVE) for n in range(others)
    ]
    with _journal() as db:
        _keep(db, record_of(first, data_class=INSTANT), *noise)
        asked = record_of(freeze(0, "8"), data_class=INSTANT)
        assert is_found == bool(_history(db, asked).of(ITEM).past)


@pytest.mark.parametrize("data_class", [DAILY_FREEZE, INSTANT])
def test_a_damaged_row_is_passed_over(data_class: str) -> None:
    """One false digit on the disk would stop the collection of its meter for ever."""
    with _journal() as db:
        _keep(db, *(record_of(one, data_class=data_class) for one in (freeze(-2, "7"), freeze(-1, "8"))))
        db.execute("DROP TRIGGER reading_keeps_values")
        db.execute("UPDATE reading SET value = 'eight' WHERE value = '8'")
        past = _history(db, record_of(freeze(0, "9"), data_class=data_class)).of(ITEM).past
    assert ["7"] == [str(one.value) for one in past]


@pytest.mark.asyncio
async def test_what_the_registers_showed_at_an_exchange(tmp_path: Path) -> None:
    """The first night of a new meter is measured against what the fitter wrote down, not against nothing."""
    clock = SystemClock()
    at = clock.utc_now().replace(microsecond=0) - timedelta(hours=1)
    exchange = Exchange(
        old="m1",
        new="m9",
        meter_number="000000000009",
        removed_at=at - timedelta(minutes=30),
        installed_at=at,
        last={ITEM: Decimal("812345.67")},
        first={ITEM: Decimal("0.02")},
    )
    async with Journal.open(tmp_path / "j.db", clock=clock) as journal:
        book = RosterBook(journal.roster, CHECKS, clock)
        await book.apply([meter(1), meter(2)], revision=0, actor="li")
        await book.exchange(exchange, actor="field")
    with contextlib.closing(sqlite3.connect(tmp_path / "j.db")) as db:
        wanted = {NIGHT: Wanted([ITEM], [ITEM])}
        told = {
            name: history_rows.select(db, DAILY_FREEZE, name, wanted)[NIGHT].exchanges
            for name in ("m1", "m2", "m9")
        }
    assert {
        "m1": (Told(at=exchange.removed_at, registers=exchange.last),),
        "m2": (),
        "m9": (Told(at=at, registers=exchange.first),),
    } == told


def test_of_a_meter_that_was_never_read() -> None:
    """The very first reading has nothing to be judged by, and is kept."""
    with _journal() as db:
        for data_class in _CLASSES:
            found = _history(db, record_of(freeze(0, "1"), data_class=data_class))
            assert History().of(ITEM) == found.of(ITEM)


@pytest.mark.parametrize(
    "query",
    [
        history_rows._BEFORE,
        history_rows._MONTH,
        history_rows._NIGHT,
        history_rows._SETTLED,
        history_rows._SINCE,
        history_rows._NEAREST_BEFORE,
        history_rows._NEAREST_BEHIND,
        history_rows._THE_SAME,
    ],
)
def test_every_look_goes_by_an_index(query: str) -> None:
    """A look that reads the whole table takes seconds in a year, at each reading."""
    values: Mapping[str, object] = {
        "meter": METER,
        "data_class": DAILY_FREEZE,
        "item": ITEM,
        "slot": 0,
        "since": 0,
        "unusable": 0,
        "heads": HEADS_MAX,
    }
    with _journal() as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
    steps = [step for *_, step in plan]
    tables = [step for step in steps if step.startswith(("SCAN", "SEARCH"))]
    assert any("log_freezes" in step or "reading_by_key" in step for step in tables), steps
    assert all(step.startswith("SEARCH") for step in tables), steps
    sorts = [step for step in steps if "TEMP B-TREE" in step]
    assert {"USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"} >= set(sorts), "those of one slot alone are sorted"
