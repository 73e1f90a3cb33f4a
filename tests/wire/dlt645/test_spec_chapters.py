"""The dictionaries against a list from the reference's chapters: nothing forgotten, nothing made up."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterwire.dlt645 import dictionary
from meterwire.dlt645.functions import EDITIONS, Edition

_LINES = [
    line.split()
    for line in (Path(__file__).parent / "spec_identifiers.txt").read_text(encoding="utf-8").splitlines()
    if line and line[0] != "#"
]
_ROWS = {"dlt645-2007": 1224, "dlt645-1997": 124}


def _octets(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found += range(int(low, 16), int(high or low, 16) + 1)
    return found


def _identifiers(head: str, rest: str) -> Iterator[int]:
    choices = [_octets(head), *(_octets(part) for part in rest.split("."))]
    for octets in itertools.product(*choices):
        yield int.from_bytes(bytes(octets), "big")


@pytest.mark.parametrize(
    ("year", "chapter", "rest", "head", "size"), _LINES, ids=[" ".join(line) for line in _LINES]
)
def test_every_identifier_of_a_chapter_is_known(
    year: str, chapter: str, rest: str, head: str, size: str
) -> None:
    """A quantity of the standard could not be read, or would be read with another length."""
    del chapter
    edition: Edition = "dlt645-2007" if year == "2007" else "dlt645-1997"
    tried = 0
    for di in _identifiers(head, rest):
        entry = dictionary(edition).by_di(di)
        assert entry is not None, f"{di:X}"
        assert size in {"-", str(entry.octets)}, f"{di:X}"
        tried += 1
    assert tried > 0


@pytest.mark.parametrize("edition", EDITIONS)
def test_rows_are_counted(edition: Edition) -> None:
    """A row could get lost without anybody noticing; a new one belongs into the list above."""
    assert _ROWS[edition] == len(dictionary(edition).rows)


@pytest.mark.parametrize("edition", EDITIONS)
def test_no_row_stands_outside_the_chapters(edition: Edition) -> None:
    """An identifier could be made up."""
    known = {
        di for year, _, rest, head, _ in _LINES if edition.endswith(year) for di in _identifiers(head, rest)
    }
    extra = [row.pattern for row in dictionary(edition).rows if int(row.digits(row.first), 16) not in known]
    # The trip's current limit and wait: spec control-and-prepayment, 1.5.
    assert extra == (["04001402", "04001403"] if edition == "dlt645-2007" else [])
