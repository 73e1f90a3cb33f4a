"""Marks of octets and the ranges that they make."""

from __future__ import annotations

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
    assert [n for n, mark in enumerate(marks) if mark] == [
        n for first, end in found for n in range(first, end)
    ]
    assert all(end < first for (_, end), (first, _) in zip(found, found[1:], strict=False))
