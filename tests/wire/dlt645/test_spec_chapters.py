"""The dictionaries against a list from the reference's chapters: nothing forgotten, nothing made up."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterwire.dlt645 import dictionary
from meterwire.dlt645.link.functions import EDITIONS, Edition

_LINES = [
    line.split()
    for line in (Path(__file__).parent / "spec_identifiers.txt").read_text(encoding="utf-8").splitlines()
    if line and line[0] != "#"
]
_COUNTED = {"dlt645-2007": 40523, "dlt645-1997": 1405}
"""Identifiers of the chapters; a line that gets lost from list and tables alike shows here."""


def _octets(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found += range(int(low, 16), int(high or low, 16) + 1)
    return found


def _identifiers(text: str) -> Iterator[int]:
    """The identifiers of a line; at most one octet asks for a block."""
    for octets in itertools.product(*(_octets(part) for part in text.split("."))):
        if octets.count(0xFF) < 2:
            yield int.from_bytes(bytes(octets), "big")


@functools.cache
def _listed(edition: Edition) -> list[int]:
    return [di for year, _, text, *_ in _LINES if edition.endswith(year) for di in _identifiers(text)]


@pytest.mark.parametrize(
    ("year", "chapter", "identifiers", "octets", "unit"), _LINES, ids=[" ".join(line) for line in _LINES]
)
def test_every_identifier_of_a_chapter_is_known(
    year: str, chapter: str, identifiers: str, octets: str, unit: str
) -> None:
    """A quantity of the standard could not be read, or would be read with another length or unit."""
    del chapter
    edition: Edition = "dlt645-2007" if year == "2007" else "dlt645-1997"
    entries = [(di, dictionary(edition).by_di(di)) for di in _identifiers(identifiers)]
    unknown = [f"{di:X}" for di, entry in entries if entry is None]
    sizes = {str(entry.octets) for _, entry in entries if entry is not None}
    units = {entry.unit or "-" for _, entry in entries if entry is not None}
    assert unknown == []
    assert octets == "-" or sizes == {octets}
    assert {unit} == units


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_dictionary_has_the_identifiers_of_the_chapters_and_no_other(edition: Edition) -> None:
    """A row could get lost without anybody noticing, and an identifier could be made up."""
    known = {
        int(row.digits(values), 16)
        for row in dictionary(edition).rows
        for values in itertools.product(*row.choices)
        if row.match(row.digits(values)) is not None
    }
    listed = _listed(edition)
    assert len(set(listed)) == len(listed), "the list has an identifier twice"
    assert sorted(set(listed) - known) == []
    assert sorted(f"{di:X}" for di in known - set(listed)) == []
    assert _COUNTED[edition] == len(listed)
