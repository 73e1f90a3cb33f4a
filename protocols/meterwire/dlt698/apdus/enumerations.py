"""Codes -> words, from ``enumerations.csv``: DAR, units, results, kinds, conformance bits.

A code that the standard does not list has no word and stays a number. Source: spec sections 2.5, 3.3, 4.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import NamedTuple


class Meaning(NamedTuple):
    """What a code means.

    Args:
        name: short name for programs.
        en: English words.
        zh: Chinese words.

    """

    name: str
    en: str
    zh: str


@cache
def enumeration(name: str) -> dict[int, Meaning]:
    """All codes of one enumeration, e.g. ``"dar"``; empty for one that does not exist."""
    return _enumerations().get(name, {})


def meaning(enumeration_name: str, code: int) -> Meaning | None:
    """What a code means; ``None`` when the standard leaves it open."""
    return enumeration(enumeration_name).get(code)


def name_of(enumeration_name: str, code: int) -> str | int:
    """The short name of a code, or the code itself."""
    found = meaning(enumeration_name, code)
    return code if found is None else found.name


def bits_of(enumeration_name: str, octets: bytes) -> tuple[Meaning, ...]:
    """The bits that are set in a conformance block, bit 0 first; bits without a name are left out."""
    return tuple(
        what
        for bit, what in enumeration(enumeration_name).items()
        if bit < 8 * len(octets) and octets[bit // 8] << bit % 8 & 0x80
    )


@cache
def _enumerations() -> dict[str, dict[int, Meaning]]:
    text = resources.files("meterwire.dlt698.apdus").joinpath("enumerations.csv").read_text(encoding="utf-8")
    found: dict[str, dict[int, Meaning]] = {}
    for row in csv.DictReader(text.splitlines()):
        words = Meaning(row["name"], row["en"], row["zh"])
        found.setdefault(row["enumeration"], {})[int(row["code"])] = words
    return found
