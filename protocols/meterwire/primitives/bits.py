"""Words whose bits have names, one bit a line of ``rows/bit_words.csv`` -> bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from meterwire.primitives.tables import lines


class Bit(NamedTuple):
    """One bit of a word: its place, its short name and what it says when set."""

    place: int
    name: str
    en: str
    zh: str


def read_bits(package: str) -> Iterator[tuple[str, Bit]]:
    """Each line of a package's ``rows/bit_words.csv``: the word as it is written there, and the bit."""
    for row in lines(package, "bit_words.csv"):
        yield row["word"], Bit(int(row["bit"]), row["name"], row["en"], row["zh"])
