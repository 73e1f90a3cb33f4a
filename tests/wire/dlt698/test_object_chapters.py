"""The object model against a list from the reference's chapters: nothing forgotten, nothing made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.object_rows import CHAPTERS, class_rows

_LINES = [
    line.split()
    for line in (Path(__file__).parent / "spec_objects.txt").read_text(encoding="utf-8").splitlines()
    if line and line[0] != "#"
]
_OBJECTS = [line for line in _LINES if line[0][0].isdigit() or line[0].startswith("control")]
_CLASSES = [line for line in _LINES if line[0] == "class"]
_MEMBERS = [line for line in _LINES if line[0] == "member"]
_OWN_ROWS = 332


def _numbers(text: str, base: int) -> Iterator[int]:
    low, _, high = text.partition("-")
    yield from range(int(low, base), int(high or low, base) + 1)


def _members(texts: list[str]) -> set[tuple[bool, int]]:
    return {(text[0] == "m", number) for text in texts for number in _numbers(text.lstrip("m"), 10)}


@pytest.mark.parametrize("line", _OBJECTS, ids=" ".join)
def test_every_object_of_a_chapter_is_known(line: list[str]) -> None:
    """An object of the standard could not be read by its name, or would be read as another class."""
    _, interface_class, *ranges = line
    for oi in (oi for text in ranges for oi in _numbers(text, 16)):
        found = dictionary().object(oi)
        assert found is not None, f"{oi:04X}"
        assert int(interface_class) == found.interface_class, f"{oi:04X}"


@pytest.mark.parametrize("line", _CLASSES, ids=" ".join)
def test_every_member_of_a_class_is_known(line: list[str]) -> None:
    """An attribute or a method that all objects of a class have would be unknown, or be made up."""
    rows = class_rows()[int(line[1])]
    assert _members(line[2:]) == set(rows) - {(False, 0), (False, 1)}


@pytest.mark.parametrize("line", _MEMBERS, ids=" ".join)
def test_every_member_of_an_object_is_known(line: list[str]) -> None:
    """An attribute or a method that one object has of its own would be unknown, or be made up."""
    found = dictionary().object(int(line[1], 16))
    assert found is not None
    assert _members(line[2:]) == set(found.own)


def test_no_object_stands_outside_the_chapters() -> None:
    """An object could be made up."""
    listed = {oi for _, _, *ranges in _OBJECTS for text in ranges for oi in _numbers(text, 16)}
    assert listed == {one.oi for one in dictionary().objects}


def test_rows_are_counted() -> None:
    """A row could get lost without anybody noticing; a new one belongs into the list."""
    families = {one.pattern: one for one in dictionary().objects}
    assert _OWN_ROWS == sum(len(one.own) for one in families.values())
    assert set(CHAPTERS) == {one.chapter for one in families.values()}
