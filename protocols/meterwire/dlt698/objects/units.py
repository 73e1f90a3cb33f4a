"""How a value in a unit of the standard is counted in the catalogue: ``dictionary/units.csv``.

Only powers of ten are converted (W to kW, l to m3), so that every digit stays. Source: spec section 2.5.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from meterwire.errors import LocalProtocolError
from meterwire.primitives import tables


class Unit(NamedTuple):
    """One unit.

    Args:
        code: as in Scaler_Unit.
        name: as the dictionary writes it; empty for "none".
        counted_in: the unit that values are given in.
        shift: power of ten from this unit to that one.

    """

    code: int
    name: str
    counted_in: str
    shift: int


@functools.cache
def units() -> Mapping[int, Unit]:
    """Every unit by its code."""
    return {
        int(line["code"]): Unit(int(line["code"]), line["unit"], line["counted_in"], int(line["shift"]))
        for line in tables.lines("meterwire.dlt698.objects", "units.csv")
    }


@functools.cache
def _by_name() -> Mapping[str, Unit]:
    return {unit.name: unit for unit in units().values()}


def unit(name: str) -> Unit:
    """The unit of that name; empty is "none".

    Raises:
        LocalProtocolError: there is none.

    """
    try:
        return _by_name()[name]
    except KeyError:
        raise LocalProtocolError(f"the standard has no unit {name!r}") from None
