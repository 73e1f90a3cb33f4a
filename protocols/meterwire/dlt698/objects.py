"""Objects: loads ``dictionary/*.csv`` and says what an attribute or a method parameter holds.

``classes.csv`` has the attributes and methods of each interface class. The other files, one a chapter
of the object model, have a line for each object (``class`` filled) and below it a line for each
attribute or method (``m`` before its number) that says more than its class. ``{slots}`` in an object
identifier stand for a family: phases, groups. ``by`` says who agrees on a row: the letters P, T, H, C
or the marks ``2+``, ``1``, ``?`` of the reference; empty is one firmware only.
Source: DL/T 698.45-2017, annexes A and B; spec sections 5 and 6; control-and-prepayment, section 4.
"""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final, NamedTuple

from meterwire import catalogue
from meterwire.dlt698.bit_words import BitOrder
from meterwire.dlt698.item_values import Contents, Context, ItemValue, Node, filled, node, rescaled
from meterwire.dlt698.notation import Array, Leaf, Structure, Table, Type, parse
from meterwire.dlt698.selection import Oad, Omd, ScalerUnit
from meterwire.dlt698.values import Data
from meterwire.errors import LocalProtocolError

CHAPTERS: Final = {
    "energy": "6.1",
    "demand": "6.2",
    "variables": "6.3",
    "events": "6.5",
    "parameters": "6.6",
    "freezes": "6.7",
    "collection": "6.8",
    "control": "control 4",
    "security": "control 4.7",
}
"""Files of the dictionary, and the section of the reference that each holds."""

FEATURES: Final = {1: "start", 2: "after_start", 3: "before_end", 4: "end"}
"""Bits 5 to 7 of an attribute octet: when around an event a related quantity was taken."""

_ENTRIES_KEPT: Final = 4096
_ATTRIBUTE_BITS: Final = 0x1F
_FEATURE_SHIFT: Final = 5
_INDEX_MAX: Final = {"tariff": 64, "rate": 63, "phase": 3, "phase_neutral": 3, "total_phase": 4, "order": 64}
"""Highest element that has a name of its own, by dimension."""


class Slot(NamedTuple):
    """A last digit of an identifier that may vary; ``writes`` is ``phase`` or the period's word."""

    low: int
    high: int
    writes: str


SLOTS: Final = {
    "total_and_phase": Slot(0, 3, "phase"),
    "group": Slot(1, 8, "group"),
    "pulse": Slot(1, 8, "pulse"),
    "cellular": Slot(0, 1, "module"),
    "ethernet": Slot(0, 7, "module"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attribute or method.

    Args:
        number: of the attribute or method; 0 is the object or class itself.
        is_method: the number is a method's.
        item: catalogue item, a period behind; ``{event}`` is the object's own item.
        type: what it holds; ``None`` for number 0.
        written: the type as written.
        scaler: power of ten of its numbers.
        unit: their unit on the wire.
        access: ``r``, ``rw`` or ``w``.
        en: English words.
        zh: Chinese words.
        by: who agrees.
        sample: Data of one answer or parameter, on the wire.

    """

    number: int
    is_method: bool
    item: str
    type: Type | None
    written: str
    scaler: int | None
    unit: str
    access: str
    en: str
    zh: str
    by: str
    sample: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One object.

    Args:
        oi: its identifier.
        pattern: the identifier of its family.
        interface_class: number of its class.
        item: catalogue item of the object, or the stem of an event's items.
        dimensions: what the family's slot adds to items.
        period: what it adds to the period.
        en: English words.
        zh: Chinese words.
        by: who agrees.
        chapter: key of ``CHAPTERS``.
        own: rows that say more than the class.

    """

    oi: int
    pattern: str
    interface_class: int
    item: str
    dimensions: tuple[str, ...]
    period: tuple[str, ...]
    en: str
    zh: str
    by: str
    chapter: str
    own: Mapping[tuple[bool, int], Row]

    def row(self, number: int, *, is_method: bool = False) -> Row | None:
        """What is known of an attribute or method, from the object or else its class."""
        key = is_method, number
        return self.own.get(key) or class_rows()[self.interface_class].get(key)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every attribute, then every method."""
        found = class_rows()[self.interface_class] | self.own
        return tuple(row for key, row in sorted(found.items()) if key != (False, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An attribute, an element of one, or the parameter of a method.

    Args:
        descriptor: its OAD or OMD.
        object: whose it is.
        row: its line in the dictionary.
        type: what it holds, scalers and units filled in.
        context: what its values are called.
        node: both directions.

    """

    descriptor: Oad | Omd
    object: Object
    row: Row
    type: Type
    context: Context
    node: Node
    index: int = 0

    @property
    def item(self) -> str:
        """The item that it is asked for by; ``.*`` behind for an array; the descriptor where there is none."""
        named = self.type if not self.index else Leaf("any")
        if not self.context.quantity:
            return str(self.descriptor)
        label = self.context.label(block=".*" if isinstance(named, Array) else "")
        return label.key

    def decode(self, data: Data, order: BitOrder = "bit0_first") -> tuple[ItemValue, ...]:
        """The values in an answer; never raises: what does not fit has a problem.

        Args:
            data: the attribute, or the element that the index asks for.
            order: how this device sends words of bits.

        """
        if self.index and data.type == "array" and len(data.value) == 1 and not _is_array(self.type):
            data = data.value[0]
        out: list[ItemValue] = []
        self.node.decode(data, order, out)
        return tuple(out)

    def encode(self, contents: Contents, order: BitOrder = "bit0_first") -> Data:
        """Undo ``decode``: the Data in the dictionary's types.

        Args:
            contents: contents by the key of their value (``contents_of``); others are left alone.
            order: how this device sends words of bits.

        Raises:
            LocalProtocolError: nothing of the attribute is there, or a content does not fit its type.

        """
        found = self.node.encode(contents, order)
        if found is None:
            raise LocalProtocolError(f"there are no contents for {self.item}")
        return found

    def scaled(self, found: ScalerUnit) -> Entry:
        """This entry with the scaler and unit that the device says, in place of the dictionary's.

        Raises:
            LocalProtocolError: the standard has no such unit.

        """
        kind = rescaled(self.type, found)
        return replace(self, type=kind, node=node(kind, self.context))


def _is_array(kind: Type) -> bool:
    return isinstance(kind, Array) or (isinstance(kind, Structure) and kind.as_array)


class Dictionary:
    """All objects."""

    def __init__(self, objects: Sequence[Object]) -> None:
        """Take the objects.

        Raises:
            LocalProtocolError: two have one identifier.

        """
        self.objects = tuple(objects)
        self._by_oi: dict[int, Object] = {}
        for one in objects:
            if one.oi in self._by_oi:
                raise LocalProtocolError(f"object {one.oi:04X} stands twice")
            self._by_oi[one.oi] = one
        self.entry = functools.lru_cache(_ENTRIES_KEPT)(self._entry)
        self.by_name = functools.lru_cache(_ENTRIES_KEPT)(self._by_name)

    def object(self, oi: int) -> Object | None:
        """The object, or ``None``."""
        return self._by_oi.get(oi)

    def _entry(self, descriptor: Oad | Omd) -> Entry | None:
        """What an attribute (element) or a method parameter holds; ``None`` where nobody knows."""
        found = self._by_oi.get(descriptor.oi)
        is_method = isinstance(descriptor, Omd)
        octet = descriptor.method if isinstance(descriptor, Omd) else descriptor.attribute
        row = found and found.row(octet if is_method else octet & _ATTRIBUTE_BITS, is_method=is_method)
        if found is None or row is None or row.type is None:
            return None
        feature = 0 if is_method else octet >> _FEATURE_SHIFT
        if feature and feature not in FEATURES:
            return None
        context = _context(found, row, descriptor, FEATURES.get(feature, ""))
        kind = filled(type_of(row, found), row.scaler, row.unit)
        entry = Entry(
            descriptor=descriptor, object=found, row=row, type=kind, context=context, node=node(kind, context)
        )
        index = descriptor.index if isinstance(descriptor, Oad) else 0
        return _element(entry, index) if index and not isinstance(kind, Table) else entry

    def _by_name(self, item: str) -> Oad | None:
        """The descriptor that brings an item, an element where that is enough; ``.*`` gives the whole.

        A maximum demand and its time come with one descriptor.
        """
        for one in self._of_quantity().get(_quantity(item), ()):
            for row in one.rows:
                if row.is_method or row.type is None or isinstance(row.type, Table):
                    continue
                for index in _indices(row.type):
                    oad = Oad(one.oi, row.number, index)
                    if (entry := self.entry(oad)) is not None and item in names(entry):
                        return oad
        return None

    @functools.cache  # noqa: B019 - one dictionary lives as long as the program
    def _of_quantity(self) -> Mapping[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for one in self.objects:
            attributes = [row for row in one.rows if not row.is_method]
            items = {row.item.replace("{event}", one.item) for row in attributes}
            items |= {item for row in attributes for item in items_in(type_of(row, one))}
            for quantity in {_quantity(item) for item in items if item}:
                found.setdefault(quantity, []).append(one)
        return found


def names(entry: Entry) -> tuple[str, ...]:
    """Keys of the values that an entry brings, as far as they do not vary; for an array its block."""
    if isinstance(entry.type, Array):
        return (entry.item,)
    out: list[ItemValue] = []
    kind = entry.type
    if isinstance(kind, Structure) and not kind.as_array:
        for number, field in enumerate(kind.fields, start=1):
            inner = entry.node.element(number)
            if inner is not None and isinstance(field.type, Leaf):
                inner.decode(Data("null", None), "bit0_first", out)
        return tuple(value.label.key for value in out) if entry.context.quantity else ()
    return (entry.context.label().key,) if entry.context.quantity else ()


def items_in(kind: Type) -> Iterator[str]:
    """Items that the members of a type name."""
    if isinstance(kind, Array):
        yield from items_in(kind.element)
    elif isinstance(kind, Structure):
        for field in kind.fields:
            if field.item:
                yield field.item
            yield from items_in(field.type)


def _indices(kind: Type) -> Iterator[int]:
    yield 0
    if isinstance(kind, Array):
        yield from range(1, _INDEX_MAX.get(kind.dimension, 0) + 1)
    elif isinstance(kind, Structure):
        yield from range(1, len(kind.fields) + 1)


def _quantity(item: str) -> str:
    return item.partition("@")[0].partition(".")[0]


def _context(found: Object, row: Row, descriptor: Oad | Omd, feature: str) -> Context:
    item, _, period = row.item.replace("{event}", found.item).partition("@")
    quantity, *dimensions = item.split(".")
    return Context(
        quantity=quantity,
        dimensions=(*found.dimensions, *dimensions),
        period=tuple(filter(None, [*found.period, feature, period])),
        fallback=str(descriptor),
        en=row.en,
        zh=row.zh,
    )


def type_of(row: Row, found: Object) -> Type:
    """The row's type, with the object's own items where a class says ``{event}``."""
    assert row.type is not None
    return _parsed(row.written.replace("{event}", found.item)) if "{event}" in row.written else row.type


def _element(entry: Entry, index: int) -> Entry | None:
    """An element of an attribute."""
    inner = entry.node.element(index)
    if inner is None:
        return replace(entry, index=index) if isinstance(entry.type, Leaf) and entry.type.type == "any" else None
    if isinstance(entry.type, Array):
        context = entry.context.element(entry.type.dimension, index)
        return replace(entry, type=entry.type.element, context=context, node=inner, index=index)
    assert isinstance(entry.type, Structure)
    if index > len(entry.type.fields):
        return replace(entry, type=Leaf("any"), context=entry.context.element("", index), node=inner, index=index)
    field = entry.type.fields[index - 1]
    return replace(entry, type=field.type, context=entry.context.member(field), node=inner, index=index)


# --- loading ------------------------------------------------------------------------------------------


def lines(file_name: str) -> Iterator[dict[str, str]]:
    """The lines of a file of the dictionary."""
    with resources.files("meterwire.dlt698").joinpath("dictionary", file_name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


_parsed = functools.cache(parse)


@functools.cache
def class_rows() -> Mapping[int, Mapping[tuple[bool, int], Row]]:
    """Attributes and methods of each interface class; attribute 1 is the logical name in all of them."""
    found: dict[int, dict[tuple[bool, int], Row]] = {}
    for line in lines("classes.csv"):
        row = _row(line)
        rows = found.setdefault(int(line["class"]), {})
        if not rows:
            rows[False, 1] = _LOGICAL_NAME
        rows[row.is_method, row.number] = row
    return found


_LOGICAL_NAME: Final = Row(
    number=1,
    is_method=False,
    item="",
    type=Leaf("octet-string"),
    written="octet-string",
    scaler=None,
    unit="",
    access="r",
    en="logical name",
    zh="逻辑名",
    by="P",
    sample=bytes.fromhex("09020010"),
)


@functools.cache
def dictionary() -> Dictionary:
    """The objects of DL/T 698.45.

    Raises:
        LocalProtocolError: a row is wrong.

    """
    return Dictionary([one for chapter in CHAPTERS for one in _objects(chapter)])


def _objects(chapter: str) -> Iterator[Object]:
    for pattern, group in itertools.groupby(lines(f"{chapter}.csv"), key=lambda line: line["oi"]):
        head, *members = group
        rows = {(row.is_method, row.number): row for row in map(_row, members)}
        if len(rows) != len(members) or not head["class"]:
            raise LocalProtocolError(f"{chapter}.csv: {pattern} has no class, or a member twice")
        yield from _family(chapter, pattern, head, rows)


def _family(
    chapter: str, pattern: str, head: dict[str, str], rows: Mapping[tuple[bool, int], Row]
) -> Iterator[Object]:
    stem, _, name = pattern.rstrip("}").partition("{")
    slot = SLOTS[name] if name else None
    for digit in range(slot.low, slot.high + 1) if slot else [None]:
        is_phase = slot is not None and slot.writes == "phase"
        yield Object(
            oi=int(f"{stem}{digit if digit is not None else ''}", 16),
            pattern=pattern,
            interface_class=int(head["class"]),
            item=head["item"],
            dimensions=("abc"[digit - 1],) if is_phase and digit else (),
            period=(f"{slot.writes}.{digit}",) if slot and not is_phase else (),
            en=head["en"],
            zh=head["zh"],
            by=head["by"],
            chapter=chapter,
            own=rows,
        )


def _row(line: dict[str, str]) -> Row:
    member = line["member"] or "0"
    item = line["item"]
    known = item and "{" not in item
    en, zh = _words(item) if known and not line["en"] else (line["en"], line["zh"])
    return Row(
        number=int(member.removeprefix("m")),
        is_method=member[0] == "m",
        item=item,
        type=_parsed(line["type"].replace("{event}", "event")) if line["type"] else None,
        written=line["type"],
        scaler=int(line["scaler"]) if line["scaler"] else None,
        unit=line["unit"],
        access=line["access"],
        en=en,
        zh=zh,
        by=line["by"],
        sample=bytes.fromhex(line["sample"]),
    )


def _words(item: str) -> tuple[str, str]:
    quantity, *dimensions = item.partition("@")[0].split(".")
    return catalogue.words(quantity, tuple(dimensions))
