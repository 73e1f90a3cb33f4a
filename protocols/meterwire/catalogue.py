"""The quantities that meters measure, once for all protocols: names, 中文, units, OBIS codes.

``catalogue.csv`` holds one quantity a row; protocol dictionaries refer to it by name, so that the
same quantity read through two protocols lands in one series.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from meterwire.errors import LocalProtocolError

KINDS: Final = frozenset({"register", "demand", "instant", "status", "event", "text", "parameter"})
DIMENSIONS: Final = ("tariff", "phase", "order")
"""In the order in which an item's name writes them: ``voltage_harmonic.a.h3``."""

_PHASES = {"a": ("phase A", "A相"), "b": ("phase B", "B相"), "c": ("phase C", "C相")}


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity.

    Args:
        name: as in item names, lower case with ``_``.
        en: English words.
        zh: 中文.
        unit: ``kWh``, ``V``, ...; empty for a number without unit and for text.
        kind: one of ``KINDS``.
        dimensions: which of ``DIMENSIONS`` an item of it may carry.
        obis: IEC 62056-61 code of the total, or empty where there is none.

    """

    name: str
    en: str
    zh: str
    unit: str
    kind: str
    dimensions: tuple[str, ...]
    obis: str


@functools.cache
def quantities() -> Mapping[str, Quantity]:
    """Every quantity by name.

    Raises:
        LocalProtocolError: the catalogue has two rows of one name, or an unknown kind or dimension.

    """
    found: dict[str, Quantity] = {}
    with resources.files("meterwire").joinpath("catalogue.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            entry = Quantity(**(row | {"dimensions": tuple(row["dimensions"].split())}))
            if entry.name in found:
                raise LocalProtocolError(f"catalogue.csv: {entry.name} stands twice")
            if entry.kind not in KINDS or not set(entry.dimensions) <= set(DIMENSIONS):
                raise LocalProtocolError(f"catalogue.csv: {entry.name} has an unknown kind or dimension")
            found[entry.name] = entry
    return found


def quantity(name: str) -> Quantity:
    """The quantity of that name.

    Raises:
        LocalProtocolError: there is none.

    """
    try:
        return quantities()[name]
    except KeyError:
        raise LocalProtocolError(f"the catalogue has no quantity {name!r}") from None


def words(name: str, dimensions: tuple[str, ...]) -> tuple[str, str]:
    """English and Chinese words for an item, e.g. ``forward active energy tariff 1``.

    Args:
        name: a quantity.
        dimensions: as in an item's name: ``t1``, ``a``, ``h3``, or ``*`` for a block.

    Raises:
        LocalProtocolError: no such quantity.

    """
    entry = quantity(name)
    spoken = [_spoken(dimension) for dimension in dimensions]
    english = " ".join([entry.en, *(en for en, _ in spoken)])
    return english, " ".join([entry.zh, *(zh for _, zh in spoken)])


def _spoken(dimension: str) -> tuple[str, str]:
    if dimension in _PHASES:
        return _PHASES[dimension]
    if dimension == "*":
        return "block", "数据块"
    number = dimension[1:]
    return (
        (f"tariff {number}", f"费率{number}") if dimension[0] == "t" else (f"order {number}", f"{number}次")
    )
