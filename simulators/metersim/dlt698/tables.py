"""Freeze tables that grow: nothing is stored, a row is a pure function of the meter and its clock's history.

A freeze is taken when the meter's clock shows the end of a period, and carries that time; its values are
what the registers showed at that instant. Of the rows that are due the newest ``depth`` are kept.
Source: DL/T 698.45-2017, annex on freezes (spec sections 6.7 and 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from metersim.works.freezes import CURVE, DAILY, MONTHLY, Table
from meterwire.dlt698.axdr.selection import Oad

QUARTER_MIN: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeTable:
    """One freeze object.

    Args:
        oi: its identifier.
        table: when it freezes, and how many rows it keeps.
        configured: its period in attribute 3, in the unit of the table.
        columns: what it freezes.

    """

    oi: int
    table: Table
    configured: int
    columns: tuple[Oad, ...]


ENERGIES: Final = tuple(map(Oad.of, ("00000200", "00100200", "00200200")))

FREEZES: Final = {
    table.oi: table
    for table in (
        FreezeTable(
            oi=0x5002,
            table=CURVE,
            configured=QUARTER_MIN,
            columns=(
                *ENERGIES[1:],
                *map(Oad.of, ("20000200", "20010200", "20040200", "20050200", "200A0200")),
            ),
        ),
        FreezeTable(oi=0x5004, table=DAILY, configured=1, columns=ENERGIES),
        FreezeTable(oi=0x5006, table=MONTHLY, configured=1, columns=ENERGIES),
    )
}
"""The freezes of every meter here, by object."""
