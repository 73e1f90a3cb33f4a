"""What a meter of Modbus has in its registers at a time: the rows of its map, filled from its works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from meterprofiles.registers import RegisterMap, RegisterRow
from meterwire.catalogue import quantity
from meterwire.errors import LocalProtocolError
from meterwire.modbus.pdus.registers import REGISTER_OCTETS, number, octets_of

Shows = Callable[[str], Decimal | None]
"""What the meter shows for an item; ``None``: it has no such item."""

BASE: Final = 40_000
"""Where the marker of a SunSpec meter stands."""
MARKER: Final = b"SunS"
END: Final = b"\xff\xff\x00\x00"
LENGTHS: Final = MappingProxyType({1: 66, 201: 105, 203: 105})
"""Registers of a SunSpec model behind its head. Source: sunspec/models, json/model_*.json."""
METER_MODELS: Final = (201, 203)
INSTANTS: Final = 36
"""Registers of a meter's model behind its head that hold 16 bits each; counters follow. Source: as above."""
_HEAD: Final = 2
_ABSENT_16: Final = b"\x80\x00"
POWERS: Final = MappingProxyType(
    {"A": -2, "V": -1, "Hz": -2, "kW": 1, "kvar": 1, "kVA": 1, "kWh": 1, "kvarh": 1, "kVAh": 1, "": -1}
)
"""Powers of ten that its scale registers say, by unit of the catalogue: so 16 bits hold 300 kW."""
_FLOAT_NAN: Final = b"\x7f\xc0\x00\x00"


class Filled(NamedTuple):
    """A row with what stands in its registers.

    Args:
        row: of the map.
        start: address of its first register, as on the wire.
        octets: of its registers.
        value: what a careful reader takes from them; ``None``: nothing.

    """

    row: RegisterRow
    start: int
    octets: bytes
    value: Decimal | None


def heads(registers: RegisterMap) -> dict[int, int]:
    """Where the heads of its models stand, by ID; of an absolute map 0 alone, at 0."""
    models = dict.fromkeys(row.model for row in registers.rows)
    if registers.addressing != "sunspec":
        return {0: 0}
    found, at = {}, BASE + _HEAD
    for model in sorted(models):
        found[model] = at
        at += _HEAD + _length(registers, model)
    return found


def filled(registers: RegisterMap, shows: Shows, text: Callable[[str], str]) -> list[Filled]:
    """Every row that the meter has.

    Args:
        registers: the map.
        shows: numbers of the meter.
        text: texts of the meter.

    """
    at = heads(registers)
    return [
        found
        for row in registers.rows
        if (found := _filled(registers, row, at[row.model] + row.address, shows, text)) is not None
    ]


def image(registers: RegisterMap, rows: Iterable[Filled]) -> dict[int, bytes]:
    """Registers by address: of a SunSpec map whole models, of any other what its rows name."""
    found: dict[int, bytes] = {}
    at = heads(registers)
    if registers.addressing == "sunspec":
        _put(found, BASE, MARKER)
        end = BASE
        for model, head in at.items():
            length = _length(registers, model)
            nothing = _ABSENT_16 * INSTANTS if model in METER_MODELS else b""
            _put(found, head, model.to_bytes(2, "big") + length.to_bytes(2, "big"))
            _put(found, head + _HEAD, nothing.ljust(REGISTER_OCTETS * length, b"\x00"))
            end = head + _HEAD + length
        _put(found, end, END)
    for row, start, octets, _ in rows:
        _put(found, start, octets)
        if row.scale_at is not None:
            _put(found, at[row.model] + row.scale_at, octets_of(Decimal(_power(row)), "int16"))
    return found


def _length(registers: RegisterMap, model: int) -> int:
    """Registers of a model behind its head; of one that is not known here as many as its rows need."""
    own = [span for row in registers.rows if row.model == model for span in row.spans]
    return LENGTHS.get(model, max(start + count for start, count in own) - _HEAD)


def _put(into: dict[int, bytes], start: int, octets: bytes) -> None:
    for at in range(0, len(octets), REGISTER_OCTETS):
        into[start + at // REGISTER_OCTETS] = octets[at : at + REGISTER_OCTETS]


def _filled(
    registers: RegisterMap, row: RegisterRow, start: int, shows: Shows, text: Callable[[str], str]
) -> Filled | None:
    """A row; ``None`` where the meter has no such register."""
    if row.type == "text":
        octets = text(row.item).encode("ascii")[: REGISTER_OCTETS * row.registers]
        return Filled(row, start, octets.ljust(REGISTER_OCTETS * row.registers, b"\x00"), None)
    scale = row.scale.scaleb(_power(row)) if row.scale_at is not None else row.scale
    shown = shows(row.item)
    if shown is not None:
        try:
            octets = octets_of(shown / scale, row.type, registers.words)
        except LocalProtocolError:
            shown = None
        else:
            held = number(octets, row.type, registers.words)
            return Filled(row, start, octets, None if held is None else held * scale)
    if row.type == "float32":
        return Filled(row, start, _FLOAT_NAN, None)
    if row.absent is None:
        return None
    return Filled(row, start, row.absent.to_bytes(REGISTER_OCTETS * row.registers, "big"), None)


def _power(row: RegisterRow) -> int:
    """What its scale register says beside the scale of the row."""
    return POWERS[quantity(row.item.partition(".")[0]).unit]


def values_in(rows: Iterable[Filled], start: int, count: int) -> Mapping[str, Decimal]:
    """What a careful reader takes from some registers: rows that stand in them whole.

    Args:
        rows: of the meter.
        start: address of the first register.
        count: how many.

    """
    return {
        row.item: value
        for row, begin, _, value in rows
        if value is not None and start <= begin and begin + row.registers <= start + count
    }
