"""Cursors and days of billing: texts of ours come back as they were, and all others are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.billing import cursors, days
from meterlink.errors import BadRequest, WrongCursor
from meterlink.model.zone import CHINA_TIME


@given(st.integers(0, 2**63 - 1))
def test_a_cursor_comes_back(seq: int) -> None:
    """Whoever goes on with it would get rows again, or miss some."""
    for origin in ("", "0123456789ab"):
        assert (seq, origin) == cursors.parsed(cursors.written(seq, origin))


_NO_CURSORS = [
    "x",
    "ZjE6",
    cursors.written(5) + "=",
    "ZjI6NQ",
    "é",
    "A" * 65,
    "ZjE6LTE",
    "ZjE6NQ.",
    "ZjE6NQ.0123456789ABCDEF",
    ".0123456789abcdef",
    "ZjE6NQ~",
    "ZjE6NQ~0123456789AB",
    "ZjE6NQ~0123456789abcd",
    "~0123456789ab",
]


@pytest.mark.parametrize("text", _NO_CURSORS)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """A cursor that is cut off would begin somewhere."""
    with pytest.raises(BadRequest, match="cursor"):
        cursors.parsed(text)


def test_a_cursor_is_good_for_its_question_alone() -> None:
    """Who goes on with the cursor of one day or area in another would miss rows and never hear of it."""
    first, second = date(2026, 11, 1), date(2026, 11, 2)
    questions: list[tuple[date | None, str | None]] = list(product((None, first, second), (None, "", "A1")))
    for (day, area), (other_day, other_area) in product(questions, questions):
        cursor = cursors.written(5, day=day, area=area)
        if (day, area) in {(None, None), (other_day, other_area)}:
            assert (5, "") == cursors.parsed(cursor, day=other_day, area=other_area)
        else:
            with pytest.raises(WrongCursor, match="another day or area"):
                cursors.parsed(cursor, day=other_day, area=other_area)


def _edited(seq: int, at: int, other: str) -> str:
    """A cursor with a character in the place of one of its own, or behind it."""
    text = cursors.written(seq)
    return text[:at] + other + text[at + 1 :]


@given(
    st.text(max_size=70)
    | st.builds(
        _edited, st.integers(0, 10**19), st.integers(0, 40), st.sampled_from(["", "A", "Q", "=", "-"])
    )
)
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    """A crash would be an error of ours in place of the caller's."""
    try:
        seq, origin = cursors.parsed(text)
    except BadRequest:
        return
    assert text in {"", cursors.written(seq, origin)}


@pytest.mark.parametrize(("minutes", "day"), [(0, 21), (59, 21), (-59, 21), (719, 21), (-719, 21), (721, 22)])
def test_the_day_of_a_freeze_is_the_one_that_ended(minutes: int, day: int) -> None:
    """A freeze that was taken a minute early would be billed as the day before."""
    frozen_at = datetime(2026, 11, 22, tzinfo=CHINA_TIME) + timedelta(minutes=minutes)
    found = days.day_of(frozen_at.astimezone(UTC), CHINA_TIME)
    assert date(2026, 11, day) == found
    since, before = days.slots_of(found, CHINA_TIME)
    assert since <= frozen_at < before


def test_a_day_ends_at_its_freeze() -> None:
    """Decision 11: the freeze of the 22nd, 00:00, is the reading of the 21st."""
    assert datetime(2026, 11, 21, 16, tzinfo=UTC) == days.end_of(date(2026, 11, 21), CHINA_TIME)


@pytest.mark.parametrize(
    "text", ["", "2026-02-30", "20261122", "2026-W47-1", "1999-12-31", "3000-01-01", "x" * 99]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    """Another day than the one meant would be billed."""
    with pytest.raises(BadRequest, match="write"):
        days.parsed(text)
