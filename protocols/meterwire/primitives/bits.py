"""Words whose bits have names, one bit a line of ``rows/bit_words.csv`` -> bits."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple


class Bit(NamedTuple):
    """One bit of a word: its place, its short name and what it says when set."""

    place: int
    name: str
    en: str
    zh: str


def read_bits(package: str) -> Iterator[tuple[str, Bit]]:
    """Each line of a package's ``rows/bit_words.csv``: the word as it is written there, and the bit."""
    with resources.files(package).joinpath("rows", "bit_words.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["word"], Bit(int(row["bit"]), row["name"], row["en"], row["zh"])
