"""Objects: what an attribute, an element of one, or a method parameter holds, by descriptor or by name.

Source: DL/T 698.45-2017, annexes A and B; spec sections 5 and 6.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from meterwire.dlt698.apdus.secret_objects import secret_types
from meterwire.dlt698.axdr.selection import Oad, Omd, ScalerUnit
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.bit_words import BitOrder
from meterwire.dlt698.objects.item_values import Contents, Context, ItemValue
from meterwire.dlt698.objects.notation import Array, Leaf, Structure, Table, Type, parse
from meterwire.dlt698.objects.object_rows import CHAPTERS, Object, Row, objects_of
from meterwire.dlt698.objects.shapes import Node, filled, node, rescaled
from meterwire.errors import LocalProtocolError

FEATURES: Final = {1: "start", 2: "after_start", 3: "before_end", 4: "end"}
"""Bits 5 to 7 of an attribute octet: when around an event a related quantity was taken."""

_ENTRIES_KEPT: Final = 4096
_ATTRIBUTE_BITS: Final = 0x1F
_FEATURE_SHIFT: Final = 5
_INDEX_MAX: Final = {"tariff": 64, "rate": 63, "phase": 3, "phase_neutral": 3, "total_phase": 4, "order": 64}
"""Highest element that has a name of its own, by dimension."""


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
        index: which element it is; 0 is the whole.

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
        """The item that it is asked for by; ``.*`` behind an array; the descriptor where there is none."""
        if not self.context.quantity:
            return str(self.descriptor)
        return self.context.label(block=".*" if isinstance(self.type, Array) else "").key

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

    def element(self, index: int) -> Entry | None:
        """An element of this one, counted from 1; ``None`` where there is none."""
        return _element(self, index)

    def within(self, period: str) -> Entry:
        """This entry as the column of a table whose records stand for a period; empty: as it is."""
        if not period:
            return self
        context = self.context._replace(period=(period, *self.context.period))
        return replace(self, context=context, node=node(self.type, context))

    def scaled(self, found: ScalerUnit) -> Entry:
        """This entry with the scaler and unit that the device says, in place of the dictionary's.

        Raises:
            LocalProtocolError: the standard has no such unit, or the scaler cannot be true.

        """
        kind = rescaled(self.type, found)
        return replace(self, type=kind, node=node(kind, self.context))


def unknown(oad: Oad) -> Entry:
    """An entry for a descriptor that no object has: its value as it is."""
    text = str(oad)
    context = Context("", (), (), text, text, text)
    kind = Leaf("any")
    row = Row(
        number=oad.attribute,
        is_method=False,
        item="",
        type=kind,
        written="any",
        scaler=None,
        unit="",
        access="r",
        en=text,
        zh=text,
        by="",
        sample=b"",
    )
    nobody = Object(
        oi=oad.oi,
        pattern=text[:4],
        interface_class=0,
        item="",
        dimensions=(),
        period=(),
        en=text,
        zh=text,
        by="",
        chapter="",
        own={},
    )
    return Entry(descriptor=oad, object=nobody, row=row, type=kind, context=context, node=node(kind, context))


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
        self.entry = functools.lru_cache(_ENTRIES_KEPT, typed=True)(self._entry)
        self.by_name = functools.lru_cache(_ENTRIES_KEPT)(self._by_name)

    @property
    def families(self) -> tuple[Object, ...]:
        """The first object of each family, in the order of the chapters."""
        return tuple({one.pattern: one for one in reversed(self.objects)}.values())[::-1]

    def object(self, oi: int) -> Object | None:
        """The object, or ``None``."""
        return self._by_oi.get(oi)

    def _entry(self, descriptor: Oad | Omd) -> Entry | None:
        """What an attribute (element) or a method parameter holds; ``None`` where nobody knows."""
        found = self._by_oi.get(descriptor.oi)
        is_method = isinstance(descriptor, Omd)
        octet = descriptor.method if isinstance(descriptor, Omd) else descriptor.attribute
        if found is None:
            return None
        row = found.row(octet if is_method else octet & _ATTRIBUTE_BITS, is_method=is_method)
        if row is None or row.type is None:
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
        """The descriptor that brings an item, an element where that is enough; ``.*`` gives the whole array.

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
                    if entry is not None and not index and entry.context.quantity and item == entry.item:
                        return oad  # all members together
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
    if isinstance(entry.type, Array) and entry.type.dimension != "first":
        return (entry.item,)
    return tuple(_keys(entry.type, entry.context))


def _keys(kind: Type, context: Context) -> Iterator[str]:
    if isinstance(kind, Array):
        if kind.dimension == "first":
            yield from _keys(kind.element, context)
    elif isinstance(kind, Structure):
        if kind.as_array:
            yield context.label().key
        for field in kind.fields:
            yield from _keys(field.type, context.member(field))
    elif context.quantity:
        yield context.label().key


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
        secret=secret_types(descriptor),
    )


def type_of(row: Row, found: Object) -> Type:
    """The row's type, with the object's own items where a class says ``{event}``."""
    assert row.type is not None
    return parse(row.written.replace("{event}", found.item)) if "{event}" in row.written else row.type


def _element(entry: Entry, index: int) -> Entry | None:
    """An element of an attribute."""
    inner = entry.node.element(index)
    if inner is None:
        return (
            replace(entry, index=index) if isinstance(entry.type, Leaf) and entry.type.type == "any" else None
        )
    if isinstance(entry.type, Array):
        context = entry.context.element(entry.type.dimension, index)
        return replace(entry, type=entry.type.element, context=context, node=inner, index=index)
    assert isinstance(entry.type, Structure)
    if index > len(entry.type.fields):
        return replace(
            entry, type=Leaf("any"), context=entry.context.element("", index), node=inner, index=index
        )
    field = entry.type.fields[index - 1]
    return replace(entry, type=field.type, context=entry.context.member(field), node=inner, index=index)


@functools.cache
def dictionary() -> Dictionary:
    """The objects of DL/T 698.45.

    Raises:
        LocalProtocolError: a row is wrong.

    """
    return Dictionary([one for chapter in CHAPTERS for one in objects_of(chapter)])
