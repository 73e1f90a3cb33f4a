"""What stands inside a security frame (03H): fields by identifier, told apart by length.

Each field is turned round by itself, lowest octet first on the wire. Amounts are binary, in cents.
Source: spec control-and-prepayment, section 2.2.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

from meterwire.errors import LocalProtocolError
from meterwire.primitives import tables

Direction = Literal["request", "reply"]
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)

KEYS_MAX: Final = 4
"""Most keys of one update in the style of 2013."""
SECRETS: Final = frozenset(
    {"cipher1", "cipher2", "rand1", "rand2", "mac", "mac1", "mac2", "key_cipher", "esam_data"}
    | {f"key_cipher_{number}" for number in range(1, KEYS_MAX + 1)}
)
"""Fields that no log, trace or screen shows."""
SECRET_ITEMS: Final = frozenset(
    {
        *("random_1", "random_2", "random_1_cipher", "random_2_cipher"),
        *("mac", "mac_1", "mac_2", "key_cipher", "esam_data"),
    }
)
"""The same by their items."""
_REST = "*"
_BINARY = frozenset({"binary", "cents"})
_OLDER = {0x07000201: 0x070002FF, 0x07810201: 0x078102FF, 0x07800101: 0x078001FF}


class SecurityField(NamedTuple):
    """One field of a layout: its name, octets, and how it is written (hex, binary, cents, bcd).

    ``octets`` is -1 for the one field of a layout that takes what the others leave; ``item`` is its name in
    the catalogue.
    """

    name: str
    octets: int
    kind: str
    item: str


class SecurityValue(NamedTuple):
    """One field of a frame: where it begins in the payload, its octets, and what it holds."""

    field: SecurityField
    start: int
    raw: bytes
    value: int | str


def split(di: int, direction: Direction, payload: bytes) -> tuple[SecurityValue, ...] | None:
    """The fields of ``payload``; ``None`` when no layout of the identifier has that length.

    Args:
        di: identifier of the frame; the three older ones are read as those that took their place.
        direction: whose frame it is.
        payload: the octets after identifier and operator code, wire order.

    """
    for layout in layouts(di, direction):
        if (fitted := _fitted(layout, len(payload))) is not None:
            return tuple(_values(fitted, payload))
    return None


def layouts(di: int, direction: Direction) -> Sequence[tuple[SecurityField, ...]]:
    """How the frames of one identifier and direction are laid out, the standard's way first."""
    return _layouts().get((_OLDER.get(di, di), direction), ())


def _fitted(layout: Sequence[SecurityField], octets: int) -> list[SecurityField] | None:
    """The layout for that many octets; ``None`` when it does not have that length."""
    growing = [place for place, field in enumerate(layout) if field.octets < 0]
    left = octets - sum(field.octets for field in layout if field.octets > 0)
    if left < len(growing) or (left and not growing):
        return None
    return [field._replace(octets=left) if field.octets < 0 else field for field in layout]


def join(di: int, direction: Direction, values: Mapping[str, int | str]) -> bytes:
    """Undo ``split``, by the layout of the identifier that has all of the values, or else its first.

    Raises:
        LocalProtocolError: an unknown identifier, a field missing, or a value that does not fit.

    """
    known = _layouts().get((di, direction))
    if known is None:
        raise LocalProtocolError(f"no security {direction} with identifier {di:08X}")
    layout = next((one for one in known if {field.name for field in one} == values.keys()), known[0])
    return b"".join(field_octets(field, values.get(field.name)) for field in layout)


def field_octets(field: SecurityField, value: int | str | None) -> bytes:
    """One field as it stands in a frame.

    Raises:
        LocalProtocolError: the value is missing or does not fit.

    """
    if field.kind in _BINARY and isinstance(value, int) and 0 <= value < 1 << 8 * field.octets:
        return value.to_bytes(field.octets, "little")
    text = f"{value:0{2 * field.octets}d}" if field.kind == "bcd" and isinstance(value, int) else value
    try:
        octets = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        octets = b""
    if not octets or field.octets not in {len(octets), -1}:
        raise LocalProtocolError(f"{field.name} does not fit {field.octets} octets")
    return octets[::-1]


def _values(layout: Sequence[SecurityField], payload: bytes) -> list[SecurityValue]:
    found, at = [], 0
    for field in layout:
        raw = payload[at : at + field.octets]
        found.append(SecurityValue(field, at, raw, value_of(field, raw)))
        at += field.octets
    return found


def value_of(field: SecurityField, raw: bytes) -> int | str:
    """What one field holds: a number, or hexadecimal digits where it has none."""
    if field.kind in _BINARY:
        return int.from_bytes(raw, "little")
    digits = raw[::-1].hex()
    return int(digits) if field.kind == "bcd" and digits.isdecimal() else digits


@functools.cache
def _layouts() -> Mapping[tuple[int, str], list[tuple[SecurityField, ...]]]:
    fields: dict[tuple[int, str, str], tuple[SecurityField, ...]] = {}
    for row in tables.lines("meterwire.dlt645.items", "security.csv"):
        key = int(row["di"], 16), row["direction"], row["layout"]
        size = -1 if row["octets"] == _REST else int(row["octets"])
        one = SecurityField(row["field"], size, row["kind"], row["item"])
        fields[key] = (*fields.get(key, ()), one)
    found: dict[tuple[int, str], list[tuple[SecurityField, ...]]] = {}
    for (di, direction, _), layout in fields.items():
        found.setdefault((di, direction), []).append(layout)
    return found
