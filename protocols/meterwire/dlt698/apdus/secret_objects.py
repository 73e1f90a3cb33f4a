"""Which objects hold a secret in their data: passwords and key blocks (``secret_objects.csv``).

Source: spec section 6; control-and-prepayment 4.1 and 4.7.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Final

from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.values import Data

_ALWAYS: Final = frozenset({"MAC", "SID_MAC"})


@cache
def _table() -> dict[tuple[str, int, int], frozenset[str]]:
    text = (
        resources.files("meterwire.dlt698.apdus").joinpath("secret_objects.csv").read_text(encoding="utf-8")
    )
    rows = csv.DictReader(text.splitlines())
    return {
        (row["kind"], int(row["oi"], 16), int(row["number"])): frozenset(row["types"].split()) for row in rows
    }


def secret_types(of: Oad | Omd) -> frozenset[str]:
    """Types of Data that are secret in a value of the attribute or a parameter of the method."""
    table = _table()
    if isinstance(of, Omd):
        return _ALWAYS | table.get(("method", of.oi, of.method), frozenset())
    number = of.attribute & 0x1F
    if number:
        return _ALWAYS | table.get(("attribute", of.oi, number), frozenset())
    return _ALWAYS.union(
        *(types for (kind, oi, _), types in table.items() if (kind, oi) == ("attribute", of.oi))
    )


def masked(data: Data, types: frozenset[str]) -> Data:
    """The data with every value of these types blanked."""
    if data.type in {"array", "structure"}:
        return Data(data.type, tuple(masked(element, types) for element in data.value))
    return Data(data.type, "<hidden>") if data.type in types else data


def shown_data(of: Oad | Omd, value: object) -> str:
    """The text of a value of an attribute or a parameter of a method, without what is secret."""
    return repr(masked(value, secret_types(of)) if isinstance(value, Data) else value)
