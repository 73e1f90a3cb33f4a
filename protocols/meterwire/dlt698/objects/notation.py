"""The types of attributes and method parameters, as the dictionary writes them.

- ``long-unsigned``, ``visible-string(6)``, ``date_time_s``, ...: a type of A-XDR, with its size where
  the standard fixes one; ``any`` where it differs from device to device, ``null`` for no parameter;
- ``long-unsigned^-1[V]``: power of ten and unit, where the row's own columns do not say them;
- ``bit-string(16)#meter_status_word_1``: a word whose bits have names in ``bit_words.csv``;
- ``array(T)``: numbered elements; ``array[tariff](T)``: elements along a dimension of the catalogue:
  ``tariff`` (total first), ``rate`` (no total), ``phase``, ``total_phase``, ``phase_neutral`` (the neutral
  may stand fourth), ``order`` (total first); ``array[first](T)``: the first is not numbered;
- ``structure{name:T,...}``: members in order; ``name=item:T`` when a member is an item of its own
  (``@`` and a period behind), ``name?:T`` when it may be missing at the end;
- ``array{name:T,...}``: an array whose elements each have their own meaning;
- ``table(OAD OAD ...)``: a record table and its usual columns, read with GetRecord only.

Source: DL/T 698.45-2017, 7.3; spec section 2.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, get_args

from meterwire.dlt698.axdr.values import DataType
from meterwire.errors import LocalProtocolError

_DATA_TYPES: Final = frozenset(get_args(DataType)) - {"array", "structure"}
LEAVES: Final = _DATA_TYPES | {"any"}
DIMENSIONS: Final = frozenset(
    {"", "tariff", "rate", "phase", "phase_neutral", "total_phase", "order", "first"},
)

_TOKEN = re.compile(r"[A-Za-z0-9_.@|/?=^#-]+|[(){}\[\]:, ]|.")
_LEAF = re.compile(r"([A-Za-z][\w-]*?)(?:#(\w+))?(?:\^(-?\d+))?$")


class Leaf(NamedTuple):
    """One value: its type, how many octets, characters or bits, and what its number means."""

    type: str
    size: int | None = None
    word: str = ""
    scaler: int | None = None
    unit: str = ""


class Array(NamedTuple):
    """Elements of one type along a dimension; numbered where there is none."""

    element: Type
    dimension: str = ""


class Field(NamedTuple):
    """A member with its name, and the item that it is, if any."""

    name: str
    item: str
    type: Type
    may_miss: bool = False


class Structure(NamedTuple):
    """Members in order; ``as_array`` when the device sends them as an array."""

    fields: tuple[Field, ...]
    as_array: bool = False


class Table(NamedTuple):
    """A record table and the columns that its records usually have (OADs)."""

    columns: tuple[str, ...]


Type = Leaf | Array | Structure | Table


def parse(text: str) -> Type:
    """The type that ``text`` writes.

    Raises:
        LocalProtocolError: the notation is broken, or a name in it is unknown.

    """
    reader = _Reader(text)
    found = reader.type()
    reader.expect("")
    return found


class _Reader:
    """Reads one type from the left."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = [*_TOKEN.findall(text), ""]
        self.at = 0

    def take(self) -> str:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def expect(self, wanted: str) -> None:
        if (found := self.take()) != wanted:
            raise LocalProtocolError(f"type {self.text!r}: {wanted or 'the end'!r} wanted, not {found!r}")

    def next_is(self, wanted: str) -> bool:
        if self.tokens[self.at] != wanted:
            return False
        self.at += 1
        return True

    def type(self) -> Type:
        name = self.take()
        if name == "array":
            return self.array()
        if name == "structure":
            return Structure(self.fields())
        if name == "table":
            return self.table()
        return self.leaf(name)

    def array(self) -> Type:
        if self.tokens[self.at] == "{":
            return Structure(self.fields(), as_array=True)
        dimension = ""
        if self.next_is("["):
            dimension = self.take()
            self.expect("]")
        if dimension not in DIMENSIONS:
            raise LocalProtocolError(f"type {self.text!r}: unknown dimension {dimension!r}")
        self.expect("(")
        element = self.type()
        self.expect(")")
        return Array(element, dimension)

    def fields(self) -> tuple[Field, ...]:
        self.expect("{")
        found = [self.field()]
        while self.next_is(","):
            found.append(self.field())
        self.expect("}")
        return tuple(found)

    def field(self) -> Field:
        name, _, item = self.take().partition("=")
        self.expect(":")
        return Field(name.removesuffix("?"), item, self.type(), name.endswith("?"))

    def table(self) -> Table:
        columns: list[str] = []
        if self.next_is("("):
            columns.append(self.take())
            while self.next_is(" "):
                columns.append(self.take())
            self.expect(")")
        return Table(tuple(columns))

    def leaf(self, token: str) -> Leaf:
        size = None
        if self.next_is("("):
            size = int(self.take())
            self.expect(")")
            token += self.take() if self.tokens[self.at][:1] in {"#", "^"} else ""
        found = _LEAF.match(token)
        if found is None or found[1] not in LEAVES:
            raise LocalProtocolError(f"type {self.text!r}: unknown type {token!r}")
        unit = ""
        if self.next_is("["):
            while not self.next_is("]"):
                unit += self.take()
        return Leaf(found[1], size, found[2] or "", int(found[3]) if found[3] else None, unit)
