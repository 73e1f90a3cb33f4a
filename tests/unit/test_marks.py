"""Marks: their bits, names, words and what they mean for billing."""

from __future__ import annotations

import pytest

from meterlink.model.marks import MARK_WORDS, NO_MARKS, UNUSABLE, Marks, Standing


def test_a_bit_never_changes() -> None:
    """The numbers stand in databases and journals: another meaning would mark years of readings anew."""
    bits = {
        "invalid_digits": 0,
        "absent": 1,
        "reg_back": 2,
        "roll_over": 3,
        "sudden_change": 4,
        "tariff_sum": 5,
        "clock_dev": 6,
        "clock_far": 7,
        "frz_time": 8,
        "meter_mixed": 9,
        "meter_fault": 10,
        "duplicate": 11,
        "conflict": 12,
        "backfill": 13,
        "restated": 14,
        "meter_change": 15,
    }
    assert bits == {mark.names[0]: mark.bit_length() - 1 for mark in Marks}


def test_every_mark_is_explained_in_both_languages() -> None:
    """A mark that nobody can read is one that nobody acts upon."""
    assert list(Marks) == list(MARK_WORDS)
    for words in MARK_WORDS.values():
        assert words.en and not words.en.endswith(".")
        assert any("\u4e00" <= letter <= "\u9fff" for letter in words.zh)


@pytest.mark.parametrize(
    ("marks", "standing"),
    [
        (NO_MARKS, Standing.VALID),
        (Marks.BACKFILL | Marks.ROLL_OVER, Standing.VALID),
        (Marks.BACKFILL | Marks.CLOCK_DEV, Standing.SUSPECT),
        (Marks.CLOCK_DEV | Marks.CLOCK_FAR, Standing.REJECTED),
    ],
)
def test_the_worst_mark_decides(marks: Marks, standing: Standing) -> None:
    """Billing would take what a person has to see first, or wait for a person where none is needed."""
    assert standing == marks.standing


def test_what_others_are_not_measured_against() -> None:
    """A rejected reading as a base would put its fault on the sound reading behind it."""
    rejected = Marks.INVALID_DIGITS | Marks.ABSENT | Marks.CLOCK_FAR | Marks.FRZ_TIME
    assert rejected == UNUSABLE
