"""``Data``: every type of the standard, octets <-> typed Python values.

One recursive function each way over a table of types. ``data_reference`` declares the same with
construct, and a property test holds the two equal: construct takes forty times as long.

Not kept when encoding again: lengths that were longer than they need be, a true other than 01H, and
type tags inside a SID_MAC, which one tool sends. Source: spec section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from itertools import repeat
from typing import Annotated, Any, Final

from meterwire.dlt698.axdr.coding import Decode, Encode, Number, Span, Syntax, Text
from meterwire.dlt698.axdr.lengths import (
    DEPTH_MAX,
    broken,
    read_count,
    read_length,
    write_count,
    write_length,
)
from meterwire.dlt698.axdr.selection import (
    Comdcb,
    Csd,
    Ms,
    Oad,
    Omd,
    Rcsd,
    Region,
    Road,
    Rsd,
    ScalerUnit,
    Sid,
    SidMac,
    Ti,
    Tsa,
)
from meterwire.dlt698.axdr.syntax import declare, decoded, encoded, syntax_of
from meterwire.dlt698.axdr.values import (
    NULL,
    BitString,
    Bool,
    Data,
    DataType,
    Date,
    DateTime,
    DateTimeS,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    Octets,
    Time,
    Unsigned,
    VisibleString,
)
from meterwire.errors import LocalProtocolError, RemoteProtocolError

ARRAY: Final = 0x01
STRUCTURE: Final = 0x02

_HINTS: Final[dict[int, tuple[DataType, Any]]] = {
    0x03: ("bool", Bool),
    0x05: ("double-long", Annotated[int, Number("i")]),
    0x06: ("double-long-unsigned", DoubleLongUnsigned),
    0x09: ("octet-string", Octets),
    0x0A: ("visible-string", VisibleString),
    0x0C: ("utf8-string", Annotated[str, Text("utf-8")]),
    0x0F: ("integer", Integer),
    0x10: ("long", Annotated[int, Number("h")]),
    0x11: ("unsigned", Unsigned),
    0x12: ("long-unsigned", LongUnsigned),
    0x14: ("long64", Annotated[int, Number("q")]),
    0x15: ("long64-unsigned", Annotated[int, Number("Q")]),
    0x16: ("enum", Unsigned),
    0x17: ("float32", Annotated[float, Number("f")]),
    0x18: ("float64", Annotated[float, Number("d")]),
    0x19: ("date_time", DateTime),
    0x1A: ("date", Date),
    0x1B: ("time", Time),
    0x1C: ("date_time_s", DateTimeS),
    0x50: ("OI", LongUnsigned),
    0x51: ("OAD", Oad),
    0x52: ("ROAD", Road),
    0x53: ("OMD", Omd),
    0x54: ("TI", Ti),
    0x55: ("TSA", Tsa),
    0x56: ("MAC", Octets),
    0x57: ("RN", Octets),
    0x58: ("Region", Region),
    0x59: ("Scaler_Unit", ScalerUnit),
    0x5A: ("RSD", Rsd),
    0x5B: ("CSD", Csd),
    0x5C: ("MS", Ms),
    0x5D: ("SID", Sid),
    0x5F: ("COMDCB", Comdcb),
    0x60: ("RCSD", Rcsd),
}
_SECRET_TYPES: Final = {"MAC", "SID_MAC"}

_new_data = tuple.__new__


def decode_data(octets: bytes, at: int, depth: int) -> tuple[Data, int]:
    """The Data at an index, and the index after it (a ``Decode`` of ``syntax``)."""
    return _DECODERS[octets[at]](octets, at + 1, depth)


def encode_data(data: Data, depth: int) -> bytes:
    """The octets of a Data (an ``Encode`` of ``syntax``)."""
    tag, encode = _ENCODERS[data[0]]
    return tag + encode(data[1], depth)


# --- array and structure ------------------------------------------------------------------------------


def _elements(name: DataType) -> tuple[Decode, Encode]:
    """Both directions of array and structure."""

    def decode(octets: bytes, at: int, depth: int) -> tuple[Data, int]:
        if depth >= DEPTH_MAX:
            raise broken(f"Data stands more than {DEPTH_MAX} deep", "depth", at)
        count = octets[at]
        if count < 0x80 and count < len(octets) - at:
            at += 1
        else:
            count, at = read_count(octets, at)
        if count == 0:
            return _new_data(Data, (name, ())), at
        row = _ROWS.get(octets[at])
        if row is not None and count > 1:
            stop = at + count * row[0]
            if octets[at : stop : row[0]].count(octets[at]) == count:
                values = row[1](count)(octets, at)
                return _new_data(Data, (name, tuple(map(_new_data, _DATAS, zip(row[2], values))))), stop  # noqa: B905
        elements = []
        for _ in range(count):
            element, at = _DECODERS[octets[at]](octets, at + 1, depth + 1)
            elements.append(element)
        return _new_data(Data, (name, tuple(elements))), at

    def encode(elements: Sequence[Data], depth: int) -> bytes:
        if depth >= DEPTH_MAX:
            raise LocalProtocolError(f"Data stands more than {DEPTH_MAX} deep")
        return write_count(elements) + b"".join([encode_data(element, depth + 1) for element in elements])

    return decode, encode


_DATAS: Final = repeat(Data)
_Row = tuple[int, Callable[[int], Callable[[bytes, int], tuple[Any, ...]]], "repeat[DataType]"]


def _row(name: DataType, form: str) -> _Row:
    """How elements of one fixed type in a row are taken in one stroke: size, unpacker, name."""

    @cache
    def unpacker(count: int) -> Callable[[bytes, int], tuple[Any, ...]]:
        return struct.Struct(">" + f"x{form}" * count).unpack_from

    return struct.calcsize(f">x{form}"), unpacker, repeat(name)


# --- types that no hint can describe -------------------------------------------------------------------


def _decode_bits(octets: bytes, at: int, _depth: int) -> tuple[BitString, int]:
    count, start = read_length(octets, at)
    end = start + (count + 7) // 8
    if end > len(octets):
        raise IndexError
    return BitString(octets[start:end], count), end


def _encode_bits(bits: BitString, _depth: int) -> bytes:
    if len(bits.octets) != (bits.bits + 7) // 8:
        raise LocalProtocolError(f"{len(bits.octets)} octets do not hold {bits.bits} bits")
    return write_length(bits.bits) + bits.octets


def _decode_sid_mac(octets: bytes, at: int, depth: int) -> tuple[SidMac, int]:
    """With or without type tags inside; a head that looks like tags must be followed by tags."""
    if octets[at : at + 2] == b"\x5d\x06" and octets[at + 6 : at + 7] == b"\x09":
        sid = int.from_bytes(octets[at + 2 : at + 6], "big")
        data, end = syntax_of(Octets).decode(octets, at + 7, depth)
        if octets[end] == 0x56:
            mac, end = syntax_of(Octets).decode(octets, end + 1, depth)
            return SidMac(sid, data, mac), end
    value: tuple[SidMac, int] = syntax_of(SidMac).decode(octets, at, depth)
    return value


# --- the table ----------------------------------------------------------------------------------------


def _reserved(octets: bytes, at: int, _depth: int) -> tuple[Data, int]:
    raise broken(f"{octets[at - 1]:02X}H is no type of Data", "type", at - 1)


def _decode_null(_octets: bytes, at: int, _depth: int) -> tuple[Data, int]:
    return NULL, at


def _encode_null(value: None, _depth: int) -> bytes:
    if value is not None:
        raise LocalProtocolError("null holds a value")
    return b""


def _typed(name: DataType, syntax: Syntax) -> Decode:
    inner = syntax.decode
    if syntax.form:
        packer = struct.Struct(">" + syntax.form)
        unpack, size = packer.unpack_from, packer.size

        def decode_number(octets: bytes, at: int, _depth: int) -> tuple[Data, int]:
            return _new_data(Data, (name, unpack(octets, at)[0])), at + size

        return decode_number

    def decode(octets: bytes, at: int, depth: int) -> tuple[Data, int]:
        value, at = inner(octets, at, depth)
        return _new_data(Data, (name, value)), at

    return decode


def _deeper(decode: Decode, encode: Encode) -> tuple[Decode, Encode]:
    """Types that hold Data again."""

    def deeper(octets: bytes, at: int, depth: int) -> tuple[Any, int]:
        if depth >= DEPTH_MAX:
            raise broken(f"Data stands more than {DEPTH_MAX} deep", "depth", at)
        return decode(octets, at, depth + 1)

    def write(value: Any, depth: int) -> bytes:
        if depth >= DEPTH_MAX:
            raise LocalProtocolError(f"Data stands more than {DEPTH_MAX} deep")
        return encode(value, depth + 1)

    return deeper, write


_HOLD_DATA: Final = {"Region", "RSD", "MS"}
_DECODERS: Final[list[Decode]] = [_reserved] * 256
_ENCODERS: Final[dict[str, tuple[bytes, Encode]]] = {}
_ROWS: Final[dict[int, _Row]] = {}
TAGS: Final[dict[DataType, int]] = {}
"""Tag of each type."""


def _enter(tag: int, name: DataType, decode: Decode, encode: Encode) -> None:
    _DECODERS[tag] = decode
    _ENCODERS[name] = (bytes((tag,)), encode)
    TAGS[name] = tag


def _build() -> None:
    _enter(0x00, "null", _decode_null, _encode_null)
    _enter(ARRAY, "array", *_elements("array"))
    _enter(STRUCTURE, "structure", *_elements("structure"))
    _enter(0x04, "bit-string", _typed("bit-string", Syntax(_decode_bits, _encode_bits, _walk)), _encode_bits)
    for tag, (name, hint) in _HINTS.items():
        syntax = syntax_of(hint)
        decode, encode = _typed(name, syntax), syntax.encode
        _enter(tag, name, *(_deeper(decode, encode) if name in _HOLD_DATA else (decode, encode)))
        if syntax.form:
            _ROWS[tag] = _row(name, syntax.form)
    sid_mac = Syntax(_decode_sid_mac, syntax_of(SidMac).encode, _walk)
    _enter(0x5E, "SID_MAC", _typed("SID_MAC", sid_mac), sid_mac.encode)


def _walk(octets: bytes, at: int, name: str) -> Span:
    """Tag and value; elements of arrays and structures one by one."""
    data, end = decode_data(octets, at, 0)
    parts = [Span("type", at, at + 1, data.type)]
    if data.type in {"array", "structure"}:
        count, first = read_length(octets, at + 1)
        parts.append(Span("count", at + 1, first, count))
        for number in range(1, count + 1):
            parts.append(_walk(octets, parts[-1].end, f"{number}"))
    elif end > at + 1:
        parts.append(Span("value", at + 1, end, data.value, secret=data.type in _SECRET_TYPES))
    return Span(name, at, end, data, tuple(parts))


DATA: Final = Syntax(decode_data, encode_data, _walk)
declare(Data, DATA)
_build()


def data_from_octets(octets: bytes) -> Data:
    """Decode octets that hold one Data and nothing else.

    Raises:
        RemoteProtocolError: they do not.

    Source: spec section 2.

    """
    data: Data = decoded(decode_data, octets)
    return data


def data_to_octets(data: Data) -> bytes:
    """Encode a Data, with the shortest lengths.

    Raises:
        LocalProtocolError: a value does not fit its type.

    Source: spec section 2.

    """
    return encoded(encode_data, data)


__all__ = ["DATA", "NULL", "TAGS", "Data", "RemoteProtocolError", "data_from_octets", "data_to_octets"]
