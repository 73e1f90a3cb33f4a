"""Freeze tables that grow: nothing is stored, a row is a pure function of the meter and its clock's history.

A freeze is taken when the meter's clock shows the end of a period, and carries that time; its values are
what the registers showed at that instant. Of the rows that are due the newest ``depth`` are kept.
Source: DL/T 698.45-2017, annex on freezes (spec sections 6.7 and 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from metersim.works.freezes import (
    CURVE,
    DAILY,
    HOURLY,
    INSTANT,
    MONTHLY,
    ORDERED,
    PRICE_SWITCH,
    SETTLEMENT,
    SETTLEMENTS,
    STEP_SWITCH,
    YEARLY,
    Table,
)
from meterwire.dlt698.axdr.selection import Oad

QUARTER_MIN: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeTable:
    """One freeze object.

    Args:
        oi: its identifier.
        table: what the works call it.
        depth: rows that a meter keeps.
        configured: its period in attribute 3, in the unit of the table.
        columns: what it freezes, of a meter that measures everything.

    """

    oi: int
    table: str
    depth: int
    configured: int
    columns: tuple[Oad, ...]


def _oads(*texts: str) -> tuple[Oad, ...]:
    return tuple(map(Oad.of, texts))


ENERGIES: Final = _oads("00000200", "00100200", "00200200")
_REGISTERS: Final = _oads(
    "00000200",
    *(f"{oi:04X}0200" for oi in (*range(0x0010, 0x0014), *range(0x0020, 0x0024))),
    "00300200",
    "00400200",
    *(f"00{stem:X}{phase}0200" for stem in (5, 6, 7, 8, 9, 10) for phase in range(4)),
)
DEMANDS: Final = _oads("10100200", "10200200")
_PRESENT: Final = _oads("20000200", "20010200", "20040200", "20050200", "200A0200")
_MONTH: Final = _oads("20310200")


def _calendar(oi: int, table: Table, configured: int, *columns: Oad) -> FreezeTable:
    return FreezeTable(oi=oi, table=table.name, depth=table.depth, configured=configured, columns=columns)


FREEZES: Final = {
    table.oi: table
    for table in (
        FreezeTable(
            oi=0x5000,
            table=INSTANT,
            depth=ORDERED[INSTANT],
            configured=0,
            columns=(*ENERGIES, *_PRESENT),
        ),
        _calendar(0x5002, CURVE, QUARTER_MIN, *ENERGIES[1:], *_PRESENT),
        _calendar(0x5003, HOURLY, 1, *ENERGIES, *_PRESENT),
        _calendar(0x5004, DAILY, 1, *ENERGIES, *DEMANDS),
        FreezeTable(
            oi=0x5005,
            table=SETTLEMENT,
            depth=SETTLEMENTS,
            configured=1,
            columns=(*_REGISTERS, *DEMANDS),
        ),
        _calendar(0x5006, MONTHLY, 1, *_REGISTERS, *_MONTH, *DEMANDS),
        _calendar(0x5007, YEARLY, 1, *ENERGIES),
        _calendar(0x500A, PRICE_SWITCH, 0, *ENERGIES),
        _calendar(0x500B, STEP_SWITCH, 0, *ENERGIES),
    )
}
"""The freezes of every meter here, by object; of columns a meter keeps those that it can measure."""
