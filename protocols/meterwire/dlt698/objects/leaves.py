"""One value: ``Data`` of a simple type <-> content (a ``Decimal``, or text as people write it).

What a device sends in place of the dictionary's type is taken where only one reading is possible:
any integer type for another, an octet-string for an address. Otherwise the value has a problem, never
a wrong number: ``absent`` (NULL), ``type``, ``size`` (bits), ``shape`` (members), ``unit``.
Source: spec sections 2, 6 and 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Literal, cast

from meterwire.dlt698.axdr.data import TAGS, data_from_octets, data_to_octets
from meterwire.dlt698.axdr.selection import TSA_OCTETS_MAX, Oad, Omd, Ti, Tsa
from meterwire.dlt698.axdr.values import NULL, BitString, Data, DataType, Date, DateTime, DateTimeS, Time
from meterwire.dlt698.objects.bit_words import BitOrder, word_bits, word_number
from meterwire.dlt698.objects.notation import Leaf
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.item_value import Content

Problem = Literal["absent", "empty", "type", "size", "shape", "unit"]
"""``empty`` is an array without elements, which is no fault."""

_SIGNED: Final = frozenset({"integer", "long", "double-long", "long64"})
_UNSIGNED: Final = frozenset({"unsigned", "long-unsigned", "double-long-unsigned", "long64-unsigned"})
INTEGERS: Final = _SIGNED | _UNSIGNED
FLOATS: Final = frozenset({"float32", "float64"})
CODES: Final = frozenset({"enum", "bool"})
NUMBERS: Final = INTEGERS | FLOATS | CODES
TI_UNITS: Final = ("s", "min", "h", "day", "month", "year")
_SECRET: Final = frozenset({"MAC", "SID_MAC"})
_SHOWN: Final = NUMBERS | {"date_time_s", "date_time", "date", "time", "OI", "OAD", "OMD", "TI", "TSA"}
"""Types whose content stands in an error."""
_PLAIN_ADDRESS_OCTETS: Final = 6


class Hidden(str):
    """Text that stands in no log; ``reveal`` gives it."""

    __slots__ = ()

    def reveal(self) -> str:
        """The text."""
        return "".join(self)

    def __repr__(self) -> str:
        """Nothing of it."""
        return "<hidden>"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        """Nothing of it."""
        return "<hidden>"


def decode_leaf(
    leaf: Leaf, exponent: int, data: Data, order: BitOrder = "bit0_first"
) -> tuple[Content, Problem | None]:
    """The content of a value; never raises.

    Args:
        leaf: what the dictionary expects.
        exponent: power of ten of a number, from the value's scaler and the unit.
        data: what the device sent.
        order: order of the bits in words.

    """
    kind = data[0]
    if kind == "null":
        return None, None if leaf.type == "null" else "absent"
    if leaf.type in NUMBERS:
        return _number(leaf, exponent, data)
    if leaf.type == "any":
        return _any_text(data), None
    if leaf.type != kind:
        return _address(data[1]) if (leaf.type, kind) == ("TSA", "octet-string") else (None, "type")
    return _word(leaf.size, data[1], order) if leaf.word and leaf.size else (_text(data), None)


def encode_leaf(leaf: Leaf, exponent: int, content: Content, order: BitOrder = "bit0_first") -> Data:
    """Undo ``decode_leaf``: the Data of the dictionary's type; ``None`` is NULL.

    Raises:
        LocalProtocolError: the content does not fit the type.

    """
    if content is None:
        return NULL
    try:
        if leaf.type in NUMBERS:
            return _from_number(cast(DataType, leaf.type), exponent, content)
        text = content.reveal() if isinstance(content, Hidden) else cast(str, content)
        if leaf.type == "any":
            return _from_any_text(text)
        if leaf.word and leaf.size:
            return Data("bit-string", word_bits(int(text, 16), leaf.size, order))
        return _from_text(cast(DataType, leaf.type), text)
    except (ValueError, TypeError, AttributeError, ArithmeticError, RemoteProtocolError):
        shown = repr(content) if leaf.type in _SHOWN else "the content"  # a text may be a password
        raise LocalProtocolError(f"{shown} is no {leaf.type}") from None


def _word(size: int, bits: BitString, order: BitOrder) -> tuple[Content, Problem | None]:
    """A word of named bits, as its number in hexadecimal digits."""
    if bits.bits != size:
        return None, "size"
    return f"{word_number(bits, order):0{size // 4}X}", None


def _number(leaf: Leaf, exponent: int, data: Data) -> tuple[Content, Problem | None]:
    kind, value = data
    if kind in INTEGERS and leaf.type not in FLOATS:
        return Decimal(f"{value}E{exponent}") if exponent else Decimal(value), None
    if kind in CODES and (leaf.type in CODES or (not exponent and not leaf.unit and leaf.type in INTEGERS)):
        return Decimal(int(value)), None
    if kind in FLOATS and leaf.type in FLOATS:
        return Decimal(repr(value)).scaleb(exponent), None
    return None, "type"


def _from_number(kind: DataType, exponent: int, content: Content) -> Data:
    number = Decimal(cast(Decimal, content)).scaleb(-exponent)
    if kind in FLOATS:
        return Data(kind, float(number))
    whole = int(number)
    if whole != number:
        raise LocalProtocolError(f"{content} has more decimals than 10^{exponent} holds")
    return Data(kind, bool(whole) if kind == "bool" else whole)


# --- text ---------------------------------------------------------------------------------------------


def _civil(value: DateTimeS | DateTime) -> str:
    return str(value).replace("T", " ", 1)


def _parts(pattern: str, text: str) -> list[int]:
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ValueError(text)
    return [
        (0xFFFF if name[0] in "yf" else 0xFF) if part == "*" else int(part)
        for name, part in found.groupdict().items()
    ]


def _part(name: str, digits: str) -> str:
    return rf"(?P<{name}>\*|\d{{{digits}}})"


_DATE: Final = f"{_part('y', '4,5')}-{_part('m', '2,3')}-{_part('d', '2,3')}"
_CLOCK: Final = f"{_part('h', '2,3')}:{_part('n', '2,3')}:{_part('s', '2,3')}"
_WEEKDAY: Final = f" w{_part('w', '1,3')}"


def _ti(text: str) -> Ti:
    value, _, unit = text.partition(" ")
    return Ti(TI_UNITS.index(unit) if unit in TI_UNITS else int(unit), int(value))


def _ti_text(value: Ti) -> str:
    return f"{value.value} {TI_UNITS[value.unit] if value.unit < len(TI_UNITS) else value.unit}"


def _date_time(text: str) -> DateTime:
    y, m, d, h, n, s, f, w = _parts(rf"{_DATE} {_CLOCK}\.{_part('f', '3,5')}{_WEEKDAY}", text)
    return DateTime(y, m, d, w, h, n, s, f)


def _tsa_text(value: Tsa) -> str:
    plain = 1 < len(value.raw) <= TSA_OCTETS_MAX + 1 and Tsa.of(value.digits) == value
    return value.digits if plain else f"raw:{value.raw.hex().upper()}"


def _tsa(text: str) -> Tsa:
    return Tsa(bytes.fromhex(text[4:])) if text.startswith("raw:") else Tsa.of(text)


def _address(octets: bytes) -> tuple[Content, Problem | None]:
    """An address that came as an octet-string: plain, or behind its AF octet."""
    if len(octets) == _PLAIN_ADDRESS_OCTETS:
        return octets.hex().upper(), None
    if len(octets) == _PLAIN_ADDRESS_OCTETS + 1 and octets[0] == _PLAIN_ADDRESS_OCTETS - 1:
        return octets[1:].hex().upper(), None
    return None, "type"


_TEXTS: Final[dict[str, tuple[Callable[[Any], str], Callable[[str], Any]]]] = {
    "octet-string": (lambda value: value.hex().upper(), bytes.fromhex),
    "visible-string": (str, str),
    "utf8-string": (str, str),
    "bit-string": (str, BitString.of),
    "date_time_s": (_civil, lambda text: DateTimeS(*_parts(f"{_DATE} {_CLOCK}", text))),
    "date_time": (_civil, _date_time),
    "date": (str, lambda text: Date(*_parts(_DATE + _WEEKDAY, text))),
    "time": (str, lambda text: Time(*_parts(_CLOCK, text))),
    "OI": (lambda value: f"{value:04X}", lambda text: int(text, 16)),
    "OAD": (str, Oad.of),
    "OMD": (str, Omd.of),
    "TI": (_ti_text, _ti),
    "TSA": (_tsa_text, _tsa),
}


def _text(data: Data) -> str:
    """A value as text; types that people do not write stand as the octets behind their tag."""
    if data.type in _TEXTS:
        return _TEXTS[data.type][0](data.value)
    octets = data_to_octets(data)[1:].hex().upper()
    return Hidden(octets) if data.type in _SECRET else octets


def _from_text(kind: DataType, text: str) -> Data:
    if kind in _TEXTS:
        return Data(kind, _TEXTS[kind][1](text))
    return data_from_octets(bytes((TAGS[kind],)) + bytes.fromhex(text))


def _any_text(data: Data) -> str:
    """A value with its type before it: ``enum:3``; arrays and structures as octets."""
    if data.type in {"array", "structure"}:
        return f"data:{data_to_octets(data).hex().upper()}"
    if data.type in _SECRET:
        return Hidden(f"data:{data_to_octets(data).hex().upper()}")
    if data.type in NUMBERS:
        return f"{data.type}:{data.value!r}" if data.type in FLOATS else f"{data.type}:{int(data.value)}"
    return f"{data.type}:{_text(data)}"


def _from_any_text(text: str) -> Data:
    kind, _, rest = text.partition(":")
    if kind == "data":
        return data_from_octets(bytes.fromhex(rest))
    if kind in NUMBERS:
        return _from_number(cast(DataType, kind), 0, Decimal(rest))
    return _from_text(cast(DataType, kind), rest)
