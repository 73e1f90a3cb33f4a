"""What makers put into registers: whole numbers, floats and texts of one or more of them.

Modbus knows registers of 16 bits and nothing else; how a number stands in several is the maker's choice.
High word first is what the standard says of anything larger than an octet; some makers turn the words round.
Source: Modbus application protocol V1.1b3, 4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import Final, Literal, get_args

from meterwire.errors import LocalProtocolError

NumberType = Literal["uint16", "int16", "uint32", "int32", "uint64", "int64", "float32"]
NUMBER_TYPES: Final[tuple[NumberType, ...]] = get_args(NumberType)
WordOrder = Literal["high_first", "low_first"]
WORD_ORDERS: Final[tuple[WordOrder, ...]] = get_args(WordOrder)
REGISTERS: Final[Mapping[NumberType, int]] = MappingProxyType(
    {name: 2 if name == "float32" else int(name.lstrip("uint")) // 16 for name in NUMBER_TYPES}
)
"""Registers of one number."""
REGISTER_OCTETS: Final = 2
_FLOAT: Final = struct.Struct(">f")
_FLOAT_DIGITS: Final = range(6, 10)
"""Decimal digits of a float of 32 bits: six always survive, nine always suffice."""


def number(octets: bytes, kind: NumberType, order: WordOrder = "high_first") -> Decimal | None:
    """The number in some registers; ``None``: a float that is none (NaN, infinity).

    A float is told with the fewest digits that are it and no other.

    Args:
        octets: of the registers, each high octet first, as on the wire.
        kind: what they hold.
        order: of the registers.

    Raises:
        LocalProtocolError: another count of registers than the kind has.

    """
    if len(octets) != REGISTER_OCTETS * REGISTERS[kind]:
        raise LocalProtocolError(f"{len(octets)} octets are no {kind}")
    ordered = in_order(octets, order)
    if kind != "float32":
        return Decimal(int.from_bytes(ordered, "big", signed=kind.startswith("int")))
    value = _FLOAT.unpack(ordered)[0]
    if value - value != 0:  # of NaN and infinity it is NaN
        return None
    return Decimal(next(text for text in _texts(value) if _FLOAT.pack(float(text)) == _FLOAT.pack(value)))


def octets_of(value: Decimal, kind: NumberType, order: WordOrder = "high_first") -> bytes:
    """Registers that hold a number; a whole kind holds the nearest whole one.

    Args:
        value: what to hold.
        kind: in what.
        order: of the registers.

    Raises:
        LocalProtocolError: it does not fit.

    """
    try:
        if kind == "float32":
            octets = _FLOAT.pack(float(value))
        else:
            whole = int(value.to_integral_value(ROUND_HALF_EVEN))
            octets = whole.to_bytes(REGISTER_OCTETS * REGISTERS[kind], "big", signed=kind.startswith("int"))
    except OverflowError:
        raise LocalProtocolError(f"{value} does not fit {kind}") from None
    return in_order(octets, order)


def text(octets: bytes) -> str:
    """The text in some registers: two characters each, the first one in the high octet, filled with 00H."""
    return octets.partition(b"\x00")[0].decode("ascii", "replace").strip()


def _texts(value: float) -> list[str]:
    return [f"{value:.{digits}g}" for digits in _FLOAT_DIGITS]


def in_order(octets: bytes, order: WordOrder) -> bytes:
    """Registers in the order of the standard, or out of it: high word first.

    Args:
        octets: of registers in ``order``.
        order: which.

    """
    if order == "high_first":
        return octets
    words = [octets[at : at + REGISTER_OCTETS] for at in range(0, len(octets), REGISTER_OCTETS)]
    return b"".join(reversed(words))
