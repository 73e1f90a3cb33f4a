"""The way along a type: ``Data`` of an attribute <-> values of items. Source: spec sections 2 and 7."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from meterwire.dlt698.apdus.secret_objects import Types, holds_secret, types_named
from meterwire.dlt698.axdr.selection import ScalerUnit
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.bit_words import BitOrder
from meterwire.dlt698.objects.item_values import Contents, Context, ItemValue
from meterwire.dlt698.objects.leaves import (
    INTEGERS,
    NUMBERS,
    Hidden,
    Problem,
    decode_leaf,
    encode_leaf,
)
from meterwire.dlt698.objects.notation import Array, Leaf, Structure, Table, Type
from meterwire.dlt698.objects.units import unit, units
from meterwire.errors import LocalProtocolError
from meterwire.item_value import Content, Label

ELEMENTS_MAX: Final = 1024
"""Most elements that are looked for when an array is built from contents."""

SCALER_MAX: Final = 10
"""Largest power of ten, either way, that a device may scale by; a standard's quantity needs 4 at most."""
_NO_UNIT_CODES: Final = frozenset({0, 254, 255})


class Node(Protocol):
    """A type at its place."""

    def decode(self, data: Data, order: BitOrder, out: list[ItemValue]) -> None:
        """Append the values in ``data``."""
        ...

    def encode(self, contents: Contents, order: BitOrder) -> Data | None:
        """The Data out of contents; ``None`` when nothing of it is there."""
        ...

    def element(self, index: int) -> Node | None:
        """The node of element ``index``, from 1; ``None`` where there is none."""
        ...


def node(kind: Type, context: Context, scaler: int | None = None, unit_name: str = "") -> Node:
    """The node of a type.

    Args:
        kind: the type.
        context: where it stands.
        scaler: power of ten of numbers that do not say theirs.
        unit_name: their unit.

    Raises:
        LocalProtocolError: the unit is not the one of the catalogue.

    """
    if isinstance(kind, Array):
        return _ArrayNode(kind, context, scaler, unit_name)
    if isinstance(kind, Structure):
        return _StructureNode(kind, context, scaler, unit_name)
    if isinstance(kind, Table):
        return _LeafNode.of(Leaf("any"), context, None, "")
    return _LeafNode.of(kind, context, scaler, unit_name)


def rescaled(kind: Type, found: ScalerUnit) -> Type:
    """A type whose measured numbers have the scaler and the unit that the device says.

    Raises:
        LocalProtocolError: the unit has a code that the standard does not have, or the scaler cannot be true.

    """
    if abs(found.scaler) > SCALER_MAX:
        raise LocalProtocolError(f"a scaler of {found.scaler} is none: {-SCALER_MAX} to {SCALER_MAX}")
    if isinstance(kind, Array):
        return kind._replace(element=rescaled(kind.element, found))
    if isinstance(kind, Structure):
        return kind._replace(
            fields=tuple(one._replace(type=rescaled(one.type, found)) for one in kind.fields)
        )
    if isinstance(kind, Leaf) and kind.scaler is not None:
        if found.unit in _NO_UNIT_CODES:
            return kind._replace(scaler=found.scaler)
        if found.unit not in units():
            raise LocalProtocolError(f"the standard has no unit {found.unit}")
        return kind._replace(scaler=found.scaler, unit=units()[found.unit].name)
    return kind


def filled(kind: Type, scaler: int | None, unit_name: str) -> Type:
    """A type whose numbers say their scaler and unit themselves."""
    if isinstance(kind, Array):
        return kind._replace(element=filled(kind.element, scaler, unit_name))
    if isinstance(kind, Leaf) and kind.scaler is None and scaler is not None and kind.type in NUMBERS:
        return kind._replace(scaler=scaler, unit=unit_name)
    return kind


@dataclass(frozen=True, slots=True)
class _LeafNode:
    leaf: Leaf
    exponent: int
    label: Label
    problem: Problem | None
    secret: frozenset[str]
    suffix: str | None

    @classmethod
    def of(cls, leaf: Leaf, context: Context, scaler: int | None, unit_name: str) -> _LeafNode:
        """The node, with the power of ten to the unit of the catalogue worked out once."""
        has_own = leaf.scaler is not None
        wire = unit(leaf.unit if has_own or leaf.unit else unit_name)
        label = context.label(wire.counted_in)._replace(word=leaf.word)
        counts = leaf.type in NUMBERS and wire.name != ""
        problem: Problem | None = "unit" if counts and label.unit != wire.counted_in else None
        exponent = (leaf.scaler if leaf.scaler is not None else scaler or 0) + wire.shift
        suffix = f"E{exponent}" if problem is None and leaf.type in INTEGERS else None
        return cls(leaf, exponent, label, problem, context.secret, suffix)

    def decode(self, data: Data, order: BitOrder, out: list[ItemValue]) -> None:
        """Append the value."""
        if self.suffix is not None and data[0] in INTEGERS:
            # What ``decode_leaf`` says, without the way there: registers are most of what is read.
            content: Content = Decimal(f"{data[1]}{self.suffix}")
            out.append(_new(ItemValue, (self.label, content, None, data)))
            return
        content, problem = decode_leaf(self.leaf, self.exponent, data, order)
        if self.problem is not None and problem is None:
            content, problem = None, self.problem
        content = _hidden(content, data, self.secret)
        out.append(_new(ItemValue, (self.label, content, problem, data)))

    def encode(self, contents: Contents, order: BitOrder) -> Data | None:
        """The Data; ``None`` when the contents say nothing of it."""
        key = self.label.key
        if key not in contents:
            return None
        return encode_leaf(self.leaf, self.exponent, contents[key], order)

    def element(self, index: int) -> Node | None:
        """None: a value has no elements."""
        del index
        return None


class _ArrayNode:
    def __init__(self, kind: Array, context: Context, scaler: int | None, unit_name: str) -> None:
        self._kind = kind
        self._context = context
        self._numbers = scaler, unit_name
        self._block = context.label(block=".*")
        self.element = functools.cache(self._element)

    def _element(self, index: int) -> Node:
        return node(self._kind.element, self._context.element(self._kind.dimension, index), *self._numbers)

    def decode(self, data: Data, order: BitOrder, out: list[ItemValue]) -> None:
        if data[0] != "array" or not data[1]:
            problem: Problem = "absent" if data[0] == "null" else "empty" if data[0] == "array" else "type"
            out.append(ItemValue(self._block, None, problem, data))
            return
        for index, element in enumerate(data[1], start=1):
            self.element(index).decode(element, order, out)

    def encode(self, contents: Contents, order: BitOrder) -> Data | None:
        if self._block.key in contents:
            return NULL if contents[self._block.key] is None else Data("array", ())
        elements: list[Data] = []
        while (found := self.element(len(elements) + 1).encode(contents, order)) is not None:
            elements.append(found)
            if len(elements) > ELEMENTS_MAX:
                raise LocalProtocolError(f"{self._block.item}: more than {ELEMENTS_MAX} elements")
        return Data("array", tuple(elements)) if elements else None


class _StructureNode:
    """Members in order; what an array-like structure has beyond them is numbered."""

    def __init__(self, kind: Structure, context: Context, scaler: int | None, unit_name: str) -> None:
        self._kind = kind
        self._context = context
        self._members = [node(one.type, context.member(one), scaler, unit_name) for one in kind.fields]
        self._least = 0 if kind.as_array else sum(not one.may_miss for one in kind.fields)
        self._type = "array" if kind.as_array else "structure"
        self._block = context.label(block=".*")
        self._beyond = functools.cache(self._number)

    def _number(self, index: int) -> Node:
        return node(Leaf("any"), self._context.element("", index))

    def element(self, index: int) -> Node | None:
        if index <= len(self._members):
            return self._members[index - 1]
        return self._beyond(index) if self._kind.as_array else None

    def decode(self, data: Data, order: BitOrder, out: list[ItemValue]) -> None:
        if data[0] == "null":
            out.append(ItemValue(self._block, None, "absent", data))
            return
        problem = self._misfit(data)
        if problem is not None:
            out.append(ItemValue(self._block, None, problem, data))
            return
        named: Types = frozenset()
        for index, member in enumerate(data[1], start=1):
            found = self.element(index)
            assert found is not None
            first = len(out)
            found.decode(member, order, out)
            if named:
                _hide(out, first, named)
            named |= types_named(member)

    def _misfit(self, data: Data) -> Problem | None:
        """Why the members cannot be told apart; an array of as many members as the structure has will do."""
        if data[0] not in {"array", "structure"}:
            return "type"
        most = len(data[1]) if self._kind.as_array else len(self._members)
        return None if self._least <= len(data[1]) <= most else "shape"

    def encode(self, contents: Contents, order: BitOrder) -> Data | None:
        if self._block.key in contents:
            return NULL
        found = [member.encode(contents, order) for member in self._members]
        while self._kind.as_array and (one := self._beyond(len(found) + 1).encode(contents, order)):
            found.append(one)
        if all(one is None for one in found):
            return None
        while found[-1] is None and len(found) > self._least:
            found.pop()
        return Data(
            "array" if self._kind.as_array else "structure",
            tuple(NULL if one is None else one for one in found),
        )


def _hidden(content: Content, data: Data, types: Types) -> Content:
    """The content, as a text that stands in no log where there is a secret in it."""
    if isinstance(content, str) and not isinstance(content, Hidden) and holds_secret(data, types):
        return Hidden(content)
    return content


def _hide(out: list[ItemValue], first: int, types: Types) -> None:
    """Hide contents that are secret because a member before them names the object they are of."""
    for index, value in enumerate(out[first:], start=first):
        out[index] = value._replace(content=_hidden(value.content, value.raw, types))


_new = tuple.__new__
