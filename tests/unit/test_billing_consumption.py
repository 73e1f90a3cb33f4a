"""Consumption between two freezes: exact, across roll-over, multiplier and exchange, and never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meterlink.billing.consumption import LACK_WORDS, Consumption, End, Lack, Stretch, consumption
from meterlink.model.marks import NO_MARKS, Marks
from tests.support.kept import DAY, FACTS, ITEM, NIGHT

_REGISTER = st.decimals(min_value=0, max_value=Decimal("899999.99"), places=2)
_FULL_REGISTER = st.decimals(min_value=999_000, max_value=Decimal("999999.99"), places=2)
_DAY_KWH = st.decimals(min_value=0, max_value=Decimal("340.00"), places=2)
_RATIO = st.sampled_from([Decimal(1), Decimal(30), Decimal("0.000001"), Decimal(100_000), Decimal("1.5")])


def _end(day: int, value: Decimal | str | None, marks: Marks = NO_MARKS, seq: int | None = 1) -> End:
    number = Decimal(value) if isinstance(value, str) else value
    return End(at=NIGHT + day * DAY, value=number, marks=marks, seq=seq)


_UNTOLD = _end(0, None, seq=None)
"""A meter came or went, and nobody said what it showed."""
_UNTOLD_LACK = Lack.NO_EXCHANGE_REGISTERS


def _stretch(
    start: End | None,
    end: End | None,
    *,
    meter: str = "m1",
    multiplier: Decimal | None = Decimal(1),
    between: Sequence[End] = (),
) -> Stretch:
    return Stretch(
        meter=meter, facts=FACTS, multiplier=multiplier, start=start, end=end, between=iter(between)
    )


def _of(*stretches: Stretch) -> Consumption:
    return consumption(ITEM, stretches)


@example(first=Decimal("999999.99"), days=[Decimal("0.01"), Decimal("7.50")], ratio=Decimal(30))
@given(first=_REGISTER | _FULL_REGISTER, days=st.lists(_DAY_KWH, min_size=1, max_size=12), ratio=_RATIO)
def test_the_days_together_are_the_difference_of_the_registers(
    first: Decimal, days: list[Decimal], ratio: Decimal
) -> None:
    """A cent lost a day is a complaint a year, also across a roll-over of the register."""
    shown = [first]
    for one in days:
        shown.append((shown[-1] + one) % 1_000_000)
    found = [
        _of(_stretch(_end(n, before), _end(n + 1, after), multiplier=ratio))
        for n, (before, after) in enumerate(pairwise(shown))
    ]
    assert [one * ratio for one in days] == [one.amount for one in found]
    assert sum(days) * ratio == sum((one.amount for one in found if one.amount is not None), Decimal(0))
    ends = [_end(n, one) for n, one in enumerate(shown)]
    whole = _of(_stretch(ends[0], ends[-1], multiplier=ratio, between=ends[1:-1]))
    assert sum(days) * ratio == whole.amount


def test_a_register_that_rolls_over_goes_on() -> None:
    """The difference would be minus a million."""
    found = _of(_stretch(_end(0, "999990.00"), _end(1, "12.50", Marks.ROLL_OVER), multiplier=Decimal(30)))
    assert (Decimal("675.00"), "valid", Marks.ROLL_OVER) == (found.amount, found.quality, found.marks)


def test_an_exchange_is_both_meters_with_their_own_multipliers() -> None:
    """The formula of VEE-12; a new meter that begins at 3 has not counted 3."""
    old = _stretch(_end(0, "100.00", seq=7), _end(0, "104.00", seq=None), meter="a", multiplier=Decimal(30))
    new = _stretch(_end(0, "3.00", seq=None), _end(1, "5.50", seq=9), meter="b", multiplier=Decimal(40))
    found = _of(old, new)
    assert Decimal("4.00") * 30 + Decimal("2.50") * 40 == found.amount
    assert (("a", Decimal("4.00"), Decimal(30)), ("b", Decimal("2.50"), Decimal(40))) == found.parts
    assert (7, 9) == found.seqs


@pytest.mark.parametrize(
    ("stretches", "lack"),
    [
        ([_stretch(None, _end(1, "1"))], Lack.NO_START),
        ([_stretch(_end(0, "1"), None)], Lack.NO_END),
        ([_stretch(_end(0, None, Marks.ABSENT), _end(1, "1"))], Lack.START_REJECTED),
        ([_stretch(_end(0, "1"), _end(1, "2", Marks.CLOCK_FAR))], Lack.END_REJECTED),
        ([_stretch(_end(0, "5"), _end(1, "4"))], Lack.WENT_BACK),
        (
            [_stretch(_end(0, "1"), _UNTOLD), _stretch(_end(0, "1"), _end(1, "2"))],
            Lack.NO_EXCHANGE_REGISTERS,
        ),
        (
            [_stretch(_end(0, "1"), _end(0, "2")), _stretch(_UNTOLD, _end(1, "2"))],
            Lack.NO_EXCHANGE_REGISTERS,
        ),
        ([_stretch(_end(0, "1"), _end(1, "2"), multiplier=None)], Lack.MULTIPLIER_CHANGED),
    ],
)
def test_where_something_lacks_there_is_a_reason_and_no_amount(stretches: list[Stretch], lack: Lack) -> None:
    """A guess in place of a gap is the wrong bill that VEE-02 forbids."""
    found = consumption(ITEM, stretches)
    assert (None, lack, "missing") == (found.amount, found.lack, found.kind)


def test_what_is_no_register_has_no_consumption() -> None:
    """A voltage of 230 after one of 229 is no energy of 1."""
    assert Lack.NO_REGISTER is consumption("voltage.a", [_stretch(_end(0, "1"), _end(1, "2"))]).lack


def test_marks_of_both_ends_are_told_but_not_those_of_the_step_before() -> None:
    """A day after the sudden one would be held back for it as well."""
    start = _end(0, "1", Marks.SUDDEN_CHANGE | Marks.CLOCK_DEV)
    found = _of(_stretch(start, _end(1, "2", Marks.BACKFILL)))
    assert (Marks.CLOCK_DEV | Marks.BACKFILL, "suspect") == (found.marks, found.quality)


@pytest.mark.parametrize(
    ("shown", "lack", "amount"),
    [
        (("100", "110", "5", "400"), Lack.WENT_BACK, None),
        (("995000", "995010", "0", "10"), Lack.WENT_BACK, None),
        (("999800", "999990", "20", "300"), None, "500"),
        (("100", None, "120", "130"), None, "30"),
    ],
)
def test_what_a_register_did_between_the_ends_counts(
    shown: Sequence[str | None], lack: Lack | None, amount: str | None
) -> None:
    """A meter that was set back to 0 within a month would be billed the difference of the month's ends."""
    ends = [_end(n, one, NO_MARKS if one else Marks.ABSENT) for n, one in enumerate(shown)]
    found = _of(_stretch(ends[0], ends[-1], between=ends[1:-1]))
    assert (lack, amount) == (found.lack, None if found.amount is None else str(found.amount))
    assert (lack is Lack.WENT_BACK) == (Marks.REG_BACK in found.marks)


def test_a_span_is_held_for_a_sudden_day_within_it_but_not_for_a_clock() -> None:
    """The day is to be confirmed by a person; its month would be billed without."""
    sudden = _stretch(_end(0, "1"), _end(2, "3"), between=[_end(1, "2", Marks.SUDDEN_CHANGE)])
    clock = _stretch(_end(0, "1"), _end(2, "3"), between=[_end(1, "2", Marks.CLOCK_DEV)])
    assert (Marks.SUDDEN_CHANGE, NO_MARKS) == (_of(sudden).marks, _of(clock).marks)


def test_each_lack_has_a_sentence_in_both_languages() -> None:
    """Billing would get a code that nobody can read."""
    assert set(Lack) == set(LACK_WORDS)
    assert all({"en", "zh"} == words.keys() and all(words.values()) for words in LACK_WORDS.values())


def test_a_long_stretch_may_count_more_than_a_day() -> None:
    """The ceiling of a roll-over is that of the time between, not of one day."""
    start, end = _end(0, "999000.00"), _end(30, "500.00")
    assert Decimal("1500.00") == _of(_stretch(start, end)).amount
    assert timedelta(days=30) == end.at - start.at
