"""Marks of octets and the ranges that they make."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.primitives.ranges import Ranges, marked


@pytest.mark.parametrize(
    ("marks", "ranges"),
    [
        (b"", ()),
        (b"\x00\x00", ()),
        (b"\x01", ((0, 1),)),
        (b"\x01\x02\x00\xff", ((0, 2), (3, 4))),
        (b"\x00\x01\x01", ((1, 3),)),
    ],
)
def test_marks_make_ranges(marks: bytes, ranges: Ranges) -> None:
    """An octet of a password at an end of a range would be shown."""
    assert ranges == marked(marks)


@given(st.lists(st.integers(0, 2), max_size=40).map(bytes))
def test_ranges_are_the_marks_and_do_not_touch(marks: bytes) -> None:
    """An octet would be hidden that nobody marked, or be in two ranges."""
    found = marked(bytearray(marks))
    within = [number for first, end in found for number in range(first, end)]
    assert [number for number, mark in enumerate(marks) if mark] == within
    assert all(end < first for (_, end), (first, _) in pairwise(found))
