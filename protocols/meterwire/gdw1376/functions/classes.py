"""Which functions of 1376.1 hold an item of a class of data, the preferred first, from ``rows/classes.csv``.

A quantity may stand in two functions of one class: by itself (F161), and in a block with others (F1). What
stands first in the file is asked first. The reading-day functions are in no class here: their day is one that
the terminal chose. Source: spec section B3.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from meterwire.gdw1376.functions.function import Function, ItemRule
from meterwire.gdw1376.functions.tables import lines
from meterwire.gdw1376.functions.terminal import function

NOW: Final = "now"
"""Class 1: what the terminal has read last."""
_FILE: Final = "classes.csv"


@functools.cache
def class_functions(name: str) -> tuple[Function, ...]:
    """The functions of a class, the preferred first; none where the class is not known.

    Args:
        name: ``now``, ``daily_freeze``, ``monthly_freeze`` or ``curve``.

    """
    found = []
    for line in lines(_FILE):
        if line["class"] == name:
            for fn in range(int(line["first"]), int(line["last"]) + 1):
                known = function(int(line["afn"], 16), fn, "up")
                if known is not None and known.items:
                    found.append(known)
    return tuple(found)


@functools.cache
def holders(name: str) -> Mapping[str, tuple[Function, ...]]:
    """The functions that may hold a quantity, by its name without dimensions, the preferred first.

    Args:
        name: as for ``class_functions``.

    """
    found: dict[str, list[Function]] = {}
    for known in class_functions(name):
        for rule in known.items:
            for quantity in _quantities(rule):
                if known not in (among := found.setdefault(quantity, [])):
                    among.append(known)
    return {quantity: tuple(known) for quantity, known in found.items()}


def choices(name: str, item: str) -> tuple[tuple[Function, ...], ...]:
    """What to ask for an item, or for all parts of a block: all of these, and of each one of the functions.

    Args:
        name: as for ``class_functions``.
        item: e.g. ``forward_active_energy``, ``forward_active_energy.t1``, ``voltage.*``.

    Returns:
        For each part that stands apart, the functions that hold it, the preferred first; none where no
        function holds the item.

    """
    quantity, _, dimension = item.partition(".")
    found: dict[str, list[Function]] = {}
    for known in holders(name).get(quantity, ()):
        for rule in known.items:
            if _holds(rule, quantity, dimension):
                found.setdefault(rule.along or rule.item, []).append(known)
    if "tariff" in found and dimension == "*":
        found.pop("phase", None)  # a block is the total with its tariffs; phases are asked for by name
    return tuple(map(tuple, found.values()))


def _quantities(rule: ItemRule) -> tuple[str, ...]:
    own = rule.item.partition(".")[0]
    return (own, "neutral_current") if rule.along == "phase_neutral" else (own,)


def _holds(rule: ItemRule, quantity: str, dimension: str) -> bool:
    own, _, fixed = rule.item.partition(".")
    if own != quantity:
        return rule.along == "phase_neutral" and quantity == "neutral_current" and not dimension
    if dimension == "*":
        return True
    if not rule.along:
        return dimension == fixed
    is_tariff = dimension[:1] == "t" and dimension[1:].isdecimal()
    is_phase = dimension in {"a", "b", "c"}
    return {
        "tariff": is_tariff or not dimension,
        "phase": is_phase,
        "total_phase": is_phase or not dimension,
        "phase_neutral": is_phase,
    }[rule.along]
