"""Where a model of Modbus has which quantity: a map of its registers, as a maker's document tells it.

Modbus says nothing of what registers mean, so a profile has a row for each item that can be read, and each
row says where in which document it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal, get_args

from meterwire.modbus.pdus.registers import REGISTERS, NumberType, WordOrder

Table = Literal["holding", "input"]
"""Which registers: those that function 03H reads, or 04H."""
TABLES: Final[tuple[Table, ...]] = get_args(Table)
Addressing = Literal["absolute", "sunspec"]
"""How addresses count: as on the wire, or from the ID of a SunSpec model, which the reader looks for."""
ADDRESSINGS: Final[tuple[Addressing, ...]] = get_args(Addressing)
RowType = NumberType | Literal["text"]
ROWS_MAX: Final = 1_000
TEXT_REGISTERS_MAX: Final = 64

KILO: Final = Decimal("0.001")
UNITS: Final = MappingProxyType(
    {
        ("Wh", "kWh"): KILO,
        ("varh", "kvarh"): KILO,
        ("VAh", "kVAh"): KILO,
        ("W", "kW"): KILO,
        ("var", "kvar"): KILO,
        ("VA", "kVA"): KILO,
        ("mA", "A"): KILO,
        ("mV", "V"): KILO,
        ("%", ""): Decimal("0.01"),
    }
)
"""What a document's unit is in the unit of the catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRow:
    """One quantity.

    Args:
        item: name from the catalogue with its dimensions: ``voltage.a``.
        address: of its first register: as on the wire, from 0; or from the ID of its model.
        type: what the registers hold.
        scale: what one is in the catalogue's unit; that of the document is in it already.
        scale_at: address of an int16 that says the power of ten beside ``scale``; ``None``: there is none.
        absent: the bits, as a number without sign, that mean that the meter has no such value, if any do.
        count: registers of a text; of a number those of its type.
        model: of SunSpec; 0: the map is absolute.
        source: page, table or point of the map's document.

    """

    item: str
    address: int
    type: RowType
    scale: Decimal
    source: str
    scale_at: int | None = None
    absent: int | None = None
    count: int = 0
    model: int = 0

    @property
    def registers(self) -> int:
        """How many there are."""
        return self.count if self.type == "text" else REGISTERS[self.type]

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """What has to be read for it: address and count."""
        own = ((self.address, self.registers),)
        return own if self.scale_at is None else (*own, (self.scale_at, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """The registers of a model.

    Args:
        document: maker, title and edition of what the rows were read from.
        table: which registers.
        words: order of the registers of a number.
        addressing: how addresses count.
        registers_max: most registers of one request, 2 to 125.
        gap_max: registers that no row names and that may be read along to save a request, 0 to 123.
        rows: what there is.

    """

    document: str
    table: Table
    words: WordOrder
    addressing: Addressing
    registers_max: int
    gap_max: int
    rows: tuple[RegisterRow, ...]

    def wanted(self, item: str) -> tuple[RegisterRow, ...]:
        """The rows of an item, or of a block: ``voltage.*``; none where there is no such item."""
        name, dot, rest = item.rpartition(".")
        if dot and rest == "*":
            return tuple(row for row in self.rows if row.item == name or row.item.startswith(f"{name}."))
        return tuple(row for row in self.rows if row.item == item)
