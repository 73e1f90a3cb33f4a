"""What holds of every record and history: nothing dropped, nothing changed, the same twice, in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.model.data_classes import CURVE, DAILY_FREEZE, INSTANT, MONTHLY_FREEZE
from meterlink.model.look import Look
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from tests.support.kept import ITEM, NIGHT, Kept, freeze, record_of

_VALUES = st.one_of(
    st.none(),
    st.decimals(min_value=0, max_value=Decimal("999999.99"), places=2),
    st.sampled_from([Decimal("999999.99"), Decimal("900000.00"), Decimal("0.00"), Decimal(-1)]),
)
_ITEMS = st.sampled_from([ITEM, f"{ITEM}.t1", f"{ITEM}.t2", "combined_active_energy", "voltage.a", "x"])
_MARKS = st.sampled_from([NO_MARKS, Marks.ABSENT, Marks.INVALID_DIGITS, Marks.REG_BACK | Marks.RESTATED])
_CLASSES = st.sampled_from([INSTANT, DAILY_FREEZE, MONTHLY_FREEZE, CURVE])
_LOOKS = st.builds(
    Look,
    meter_number=st.sampled_from([None, "", "000000000161", "000000000162"]),
    clock_ahead=st.none() | st.timedeltas(),
    clock_at=st.none() | st.just(NIGHT),
    status_word=st.none() | st.integers(0, 0xFFFF),
)


@st.composite
def _records(draw: st.DrawFn) -> Record:
    day = draw(st.integers(0, 40))
    after = draw(st.timedeltas(min_value=timedelta(days=-30), max_value=timedelta(days=30)))
    items = draw(st.lists(_ITEMS, min_size=1, max_size=4, unique=True))
    readings = [freeze(day, draw(_VALUES), item=item, marks=draw(_MARKS), after=after) for item in items]
    return record_of(*readings, data_class=draw(_CLASSES))


@given(records=st.lists(_records(), max_size=8), new=_records(), look=_LOOKS)
def test_marks_are_added_and_nothing_else_happens(records: list[Record], new: Record, look: Look) -> None:
    """A value changed or dropped on the way to the journal is lost for ever; a mark gained twice is none."""
    kept = Kept(rows=list(records))
    history = kept.history(new)
    marked = kept.validator.marked(new, history, look)
    assert new == replace(marked, readings=tuple(map(_with_marks_of, marked.readings, new.readings)))
    for before, after in zip(new.readings, marked.readings, strict=True):
        assert before.marks in after.marks
    assert marked == kept.validator.marked(marked, history, look)


def _with_marks_of(reading: Reading, other: Reading) -> Reading:
    return replace(reading, marks=other.marks)


@given(records=st.lists(_records(), max_size=8), new=_records())
def test_what_is_restated_is_what_was_kept(records: list[Record], new: Record) -> None:
    """A correction of a value is none; and one that is kept is not made again."""
    kept = Kept(rows=list(records))
    history = kept.history(new)
    marked = kept.validator.marked(new, history)
    restated = kept.validator.restated(marked, history)
    for reading in restated.readings if restated else ():
        known = history.of(reading.item).later
        assert known is not None
        assert known == _with_marks_of(reading, known)
        assert Marks.RESTATED in reading.marks != known.marks
    if restated is not None:
        kept.rows.append(restated)
        assert kept.validator.restated(marked, kept.history(new)) is None


_NEAR_THE_END = st.sampled_from(["999800.00", "999999.99", "0.00", "5.50", "149.00", "500.00"]).map(Decimal)


@given(registers=st.lists(_NEAR_THE_END | _VALUES, min_size=2, max_size=9), data=st.data())
def test_the_order_of_arrival_does_not_matter(registers: list[Decimal | None], data: st.DataObject) -> None:
    """After an outage the newest come first: steps back and roll-overs must be where they were."""
    freezes = [
        freeze(day, value, marks=Marks.ABSENT if value is None else NO_MARKS)
        for day, value in enumerate(registers)
    ]
    in_order, shuffled = Kept(), Kept()
    for one in freezes:
        in_order.take(record_of(one))
    for one in data.draw(st.permutations(freezes)):
        shuffled.take(record_of(one))
    steps = Marks.REG_BACK | Marks.ROLL_OVER | Marks.ABSENT
    expected = {day: marks & steps for day, marks in in_order.marks().items()}
    assert expected == {day: marks & steps for day, marks in shuffled.marks().items()}


@pytest.mark.parametrize("late", [1, 2])
def test_a_reset_that_backfill_finds_is_on_its_own_day(late: int) -> None:
    """A false alarm that stays on the later reading would send somebody to look at the wrong day."""
    registers = {0: "500.00", 1: "510.00", 2: "3.00", 3: "9.00"}
    kept = Kept()
    for day in (0, 3):
        kept.take(record_of(freeze(day, registers[day])))
    assert {0: NO_MARKS, 3: Marks.REG_BACK} == kept.marks()
    for day in (late, 3 - late):
        kept.take(record_of(freeze(day, registers[day], after=timedelta(days=5 - day))))
    late_ones = {1: Marks.BACKFILL, 2: Marks.BACKFILL | Marks.REG_BACK}
    marks = kept.marks()
    assert {0: NO_MARKS, **late_ones, 3: Marks.RESTATED} == {
        day: one & ~Marks.RESTATED if day == 2 else one for day, one in marks.items()
    }
    assert [registers[day] for day in sorted(registers)] == [
        str(reading.value) for _, reading in sorted(kept.newest(DAILY_FREEZE).items())
    ]


def test_a_sudden_change_of_a_gap_is_found_on_its_day() -> None:
    """The mean of a gap hides it or lays it on all of its days; what comes later shows which day it was."""
    kept = Kept()
    for day in range(9):
        kept.take(record_of(freeze(day, str(100 + 8 * day))))
    kept.take(record_of(freeze(12, "260.00")))  # 24 on each of 4 days
    assert Marks.SUDDEN_CHANGE == kept.marks()[12]
    for day, value in ((11, "252.00"), (10, "244.00"), (9, "236.00")):  # all of it on the ninth
        kept.take(record_of(freeze(day, value)))
    found = {day: Marks.SUDDEN_CHANGE in marks for day, marks in kept.marks().items() if day > 8}
    assert {9: True, 10: False, 11: False, 12: False} == found
