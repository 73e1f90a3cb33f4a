"""Which objects hold a secret in their data: passwords, key blocks and frames (``secret_objects.csv``).

Its types say what is secret: ``string`` any kind of string, since tools send other kinds than the standard
names; ``frame`` an octet-string that holds a frame, and any other string; ``code`` every scalar but a
descriptor and an enum, which stand beside a password that may be a number; ``any`` every scalar; ``none``
nothing, though its object has an attribute that is.
Source: spec section 6; control-and-prepayment 4.1 and 4.7.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from itertools import chain
from typing import Final, get_args

from meterwire.dlt698.axdr.selection import Oad, Omd, Road, SelectEqual, SelectRange, SelectRanges
from meterwire.dlt698.axdr.values import Data, DataType

FRAME: Final = "frame"
"""Stands among the types where an octet-string holds a frame for a meter, or of one."""
HIDDEN: Final = "<hidden>"
_NESTING: Final = frozenset({"array", "structure"})
_DESCRIPTORS: Final = frozenset({"OI", "OAD", "OMD", "ROAD", "CSD"})
"""Types of Data that name an object; an array of them names what stands in the array behind it."""
_ALWAYS: Final = frozenset({"MAC", "SID_MAC"})
_KINDS: Final = {
    "none": frozenset[str](),
    "string": frozenset({"octet-string", "visible-string", "utf8-string"}),
    FRAME: frozenset({FRAME, "visible-string", "utf8-string"}),
    "code": frozenset(get_args(DataType)) - {"null", "array", "structure", "OAD", "enum"},
    "any": frozenset(get_args(DataType)) - {"null", "array", "structure"},
}

Types = frozenset[str]
"""Types of Data that are secret; ``FRAME`` among them has octet-strings looked into."""


@cache
def _table() -> dict[tuple[str, int, int], Types]:
    text = (
        resources.files("meterwire.dlt698.apdus").joinpath("secret_objects.csv").read_text(encoding="utf-8")
    )
    found = {}
    for row in csv.DictReader(text.splitlines()):
        first, _, last = row["oi"].partition("-")
        for oi in range(int(first, 16), int(last or first, 16) + 1):
            found[row["kind"], oi, int(row["number"])] = _KINDS[row["types"]]
    return found


def secret_types(of: Oad | Omd) -> Types:
    """Types of Data that are secret in a value of the attribute or a parameter of the method.

    A method that the table does not name may take what an attribute of its object holds: nobody knows what
    the methods of makers do.
    """
    table = _table()
    if isinstance(of, Omd):
        named = table.get(("method", of.oi, of.method))
        return _of_attributes(of.oi) if named is None else _ALWAYS | named
    number = of.attribute & 0x1F
    if number:
        return _ALWAYS | table.get(("attribute", of.oi, number), frozenset())
    return _of_attributes(of.oi)


@cache
def _of_attributes(oi: int) -> Types:
    """What is secret in any attribute of an object."""
    return _ALWAYS.union(
        *(types for (kind, one, _), types in _table().items() if (kind, one) == ("attribute", oi))
    )


def has_own(types: Types) -> bool:
    """Whether a secret of an object is among the types, not only what is secret everywhere."""
    return types != _ALWAYS and bool(types)


def types_named(value: object) -> Types:
    """Types that are secret in what belongs to the objects that a value names; of any other value none."""
    return frozenset().union(*map(secret_types, _objects(value)))


def _objects(value: object) -> Iterator[Oad | Omd]:
    match value:
        case Oad() | Omd():
            yield value
        case Road(oad=oad, oads=columns):
            yield from (oad, *columns)
        case Data(type="OI", value=oi):
            yield Oad(oi, 0, 0)
        case Data(type="array", value=elements):
            if all(element.type in _DESCRIPTORS for element in elements):
                yield from chain.from_iterable(map(_objects, elements))
        case Data(type=kind, value=inner):
            yield from _objects(inner) if kind != "structure" else ()
        case tuple():
            yield from chain.from_iterable(_objects(one) for one in value if isinstance(one, Oad | Road))


def hides(data: Data, types: Types) -> bool:
    """Whether a scalar is secret; a frame is, as far as its octets are not looked into."""
    if data.type in types or (data.type == "octet-string" and FRAME in types):
        return True
    return data.type == "RSD" and selection_hides(data.value, types)


def selection_hides(selection: object, types: Types = frozenset()) -> bool:
    """Whether a record selector holds a secret to select by."""
    match selection:
        case SelectEqual(oad=oad, value=value):
            return _hides_some((value,), types | secret_types(oad))
        case SelectRange(oad=oad, start=start, end=end, interval=interval):
            return _hides_some((start, end, interval), types | secret_types(oad))
        case SelectRanges(items=items):
            return any(selection_hides(item, types) for item in items)
    return False


def shown_selection(selection: object, types: Types) -> str:
    """The text of a record selector with its values, as far as they are no secret."""
    match selection:
        case SelectEqual(oad=oad, value=value):
            return f"SelectEqual({oad}, {masked(value, types | secret_types(oad))})"
        case SelectRange(oad=oad, start=start, end=end, interval=interval):
            types |= secret_types(oad)
            values = ", ".join(str(masked(value, types)) for value in (start, end, interval))
            return f"SelectRange({oad}, {values})"
        case SelectRanges(items=items):
            return f"SelectRanges({', '.join(shown_selection(item, types) for item in items)})"
    return repr(selection)


def _hides_some(values: Iterable[Data], types: Types) -> bool:
    return any(holds_secret(value, types) for value in values)


def holds_secret(data: Data, types: Types) -> bool:
    """Whether there is a secret in the data; ``types`` as in ``masked``."""
    if data.type in _NESTING:
        return masked(data, types) != data
    return hides(data, types)


def masked(data: Data, types: Types) -> Data:
    """The data with every secret blanked.

    Args:
        data: of an attribute or method.
        types: that are secret in it; behind an object that a structure names, those of that object too.

    """
    if data.type not in _NESTING:
        return Data(data.type, HIDDEN) if hides(data, types) else data
    elements = []
    for element in data.value:
        elements.append(masked(element, types))
        types |= types_named(element)
    return Data(data.type, tuple(elements))


def shown_data(of: Oad | Omd, value: object) -> str:
    """The text of a value of an attribute or a parameter of a method, without what is secret."""
    return repr(masked(value, secret_types(of)) if isinstance(value, Data) else value)
