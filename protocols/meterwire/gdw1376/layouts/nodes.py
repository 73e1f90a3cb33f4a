"""What a layout is made of, and how it reads and builds octets.

A node reads its octets from a place and gives ``Field``s: name, place, value, fields within; and it builds
the same octets from values by name. Counts look at what stands before them, in the group itself and around
it. Reading takes time and memory in proportion to the octets that are there, whatever a count says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.layouts.counts import Count
from meterwire.gdw1376.layouts.leaves import Leaf

Values = Mapping[str, Any]
"""Values by field name: numbers, times, texts, octets, lists, and values by name again."""


class CutShort(Exception):
    """The octets end inside the layout."""


class Field(NamedTuple):
    """One field of a content; ``repr`` tells its place alone, for it may be a password.

    Args:
        name: of the field; empty for an element of a list.
        start: index of its first octet in the content.
        end: index after its last octet; of bits, that of the whole octets that hold them.
        value: decoded: a leaf's value, a list of values, or values by name.
        shown: the same as JSON shows it.
        parts: the fields within; empty for a leaf and for bits.

    """

    name: str
    start: int
    end: int
    value: Any
    shown: Any
    parts: tuple[Field, ...] = ()

    def __repr__(self) -> str:
        """Name and place."""
        return f"Field({self.name!r}, {self.start}, {self.end}, {len(self.parts)} parts)"


class Node(ABC):
    """One node of a layout."""

    @abstractmethod
    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> list[Field]:
        """The fields from ``at`` on.

        Args:
            octets: the whole content.
            at: where to begin.
            scope: what stands before; what is read is added to it.

        Raises:
            CutShort: the content ends within.

        """

    @abstractmethod
    def build(self, values: Values, scope: dict[str, Any]) -> bytes:
        """The octets of the values.

        Raises:
            LocalProtocolError: a value is missing or does not fit.

        """

    @property
    @abstractmethod
    def least(self) -> int:
        """Octets that it has at least."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the values that it takes."""


@dataclass(frozen=True, slots=True)
class One(Node):
    """One value of a leaf; ``octets`` may be counted, as of a payload behind its length."""

    name: str
    leaf: Leaf
    octets: Count

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> list[Field]:
        """The one field."""
        ahead, size = self.octets.read(octets, at, scope)
        start, end = at + ahead, at + ahead + size
        if end > len(octets):
            raise CutShort
        raw = octets[start:end]
        value = self.leaf.decode(raw)
        scope[self.name] = value
        return [Field(self.name, at, end, value, self.leaf.shown(value, raw))]

    def build(self, values: Values, scope: dict[str, Any]) -> bytes:
        """Octets of the value."""
        value = wanted(values, self.name)
        ahead, size = self.octets.build(len(value) if isinstance(value, bytes) else None, scope, self.name)
        scope[self.name] = value
        try:
            return ahead + self.leaf.encode(value, size)
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{self.name}: {error}") from None

    @property
    def least(self) -> int:
        """Its octets, where they are fixed."""
        return self.octets.least

    @property
    def names(self) -> tuple[str, ...]:
        """Its name."""
        return (self.name,)


class Bit(NamedTuple):
    """A field of some bits; ``name`` is empty for reserved ones, which are read as nothing and sent as 0.

    Args:
        name: of the field.
        width: number of bits.
        offset: added to the number that is sent.
        words: one for each number, told instead of it.
        letters: told is which bits are set, as letters A, B, C.
        bcd: the bits are two digits; ``None`` where they are none.

    """

    name: str
    width: int
    offset: int = 0
    words: tuple[str, ...] = ()
    letters: bool = False
    bcd: bool = False

    def decode(self, number: int) -> Any:
        """What a number says."""
        if self.letters:
            return [letter for index, letter in enumerate("ABCDEFGH"[: self.width]) if number >> index & 1]
        if self.bcd:
            return number // 16 * 10 + number % 16 if number % 16 < 10 else None
        return self.words[number] if self.words else number + self.offset

    def encode(self, value: Any) -> int:
        """The number that says it.

        Raises:
            LocalProtocolError: none does.

        """
        if self.letters or self.words or self.bcd:
            for number in range(1 << self.width):
                if self.decode(number) == value:
                    return number
        elif isinstance(value, int) and 0 <= value - self.offset < 1 << self.width:
            return value - self.offset
        raise LocalProtocolError(f"{self.name}: {value!r} does not fit into {self.width} bits")


@dataclass(frozen=True, slots=True)
class Bits(Node):
    """Fields within octets, lowest bit first."""

    octets: int
    bits: tuple[Bit, ...]

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> list[Field]:
        """One field for each name."""
        end = at + self.octets
        if end > len(octets):
            raise CutShort
        number, found = int.from_bytes(octets[at:end], "little"), []
        for bit in self.bits:
            if bit.name:
                value = bit.decode(number & (1 << bit.width) - 1)
                scope[bit.name] = value
                found.append(Field(bit.name, at, end, value, value))
            number >>= bit.width
        return found

    def build(self, values: Values, scope: dict[str, Any]) -> bytes:
        """The octets, reserved bits 0."""
        number, place = 0, 0
        for bit in self.bits:
            if bit.name:
                scope[bit.name] = value = wanted(values, bit.name)
                number |= bit.encode(value) << place
            place += bit.width
        return number.to_bytes(self.octets, "little")

    @property
    def least(self) -> int:
        """Its octets."""
        return self.octets

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(bit.name for bit in self.bits if bit.name)


@dataclass(frozen=True, slots=True)
class Many(Node):
    """Elements of one kind, one after the other.

    Args:
        name: of the list.
        element: nodes of one element.
        count: how many there are.
        named: an element is values by name; otherwise the values of its nodes, in a list, or the value alone
            where there is one node.

    """

    name: str
    element: tuple[Node, ...]
    count: Count
    named: bool

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> list[Field]:
        """One field that holds the elements."""
        ahead, count = self.count.read(octets, at, scope)
        elements: list[Field] = []
        begin = at
        at += ahead
        least = sum(node.least for node in self.element)
        if not self.count.to_the_end and count * least > len(octets) - at:
            raise CutShort
        while len(elements) < count and (not self.count.to_the_end or len(octets) - at >= max(least, 1)):
            found = self._element(octets, at, scope)
            elements.append(found)
            at = found.end
        value = [element.value for element in elements]
        scope[self.name] = value
        return [Field(self.name, begin, at, value, [one.shown for one in elements], tuple(elements))]

    def _element(self, octets: bytes, at: int, scope: dict[str, Any]) -> Field:
        fields = read_all(self.element, octets, at, dict(scope))
        end = fields[-1].end if fields else at
        if self.named:
            value: Any = {field.name: field.value for field in fields}
            return Field("", at, end, value, {field.name: field.shown for field in fields}, tuple(fields))
        if len(fields) == 1:
            return fields[0]._replace(name="")
        shown = [field.shown for field in fields]
        return Field("", at, end, [field.value for field in fields], shown, tuple(fields))

    def build(self, values: Values, scope: dict[str, Any]) -> bytes:
        """Octets of all elements."""
        elements = wanted(values, self.name)
        if not isinstance(elements, Sequence) or isinstance(elements, str | bytes):
            raise LocalProtocolError(f"{self.name}: a list is wanted")
        ahead, count = self.count.build(len(elements), scope, self.name)
        if count != len(elements):
            raise LocalProtocolError(f"{self.name}: {count} elements are wanted, not {len(elements)}")
        scope[self.name] = elements
        return ahead + b"".join(self._built(element, scope) for element in elements)

    def _built(self, element: Any, scope: dict[str, Any]) -> bytes:
        names = [name for node in self.element for name in node.names]
        if self.named:
            by_name = element
        elif len(names) == 1:
            by_name = {names[0]: element}
        else:
            by_name = dict(zip(names, element, strict=False)) if isinstance(element, Sequence) else None
        if not isinstance(by_name, Mapping):
            raise LocalProtocolError(f"{self.name}: an element with {', '.join(names)} is wanted")
        try:
            return build_all(self.element, by_name, dict(scope))
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{self.name}: {error}") from None

    @property
    def least(self) -> int:
        """Its elements, where their number is fixed."""
        return self.count.least * sum(node.least for node in self.element)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the list."""
        return (self.name,)


@dataclass(frozen=True, slots=True)
class MayEnd(Node):
    """Nodes that are there only when octets are left: what later editions added, or an answer leaves out."""

    nodes: tuple[Node, ...]

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> list[Field]:
        """The fields, or none."""
        return read_all(self.nodes, octets, at, scope) if at < len(octets) else []

    def build(self, values: Values, scope: dict[str, Any]) -> bytes:
        """The octets; none when none of the values is given."""
        return build_all(self.nodes, values, scope) if any(name in values for name in self.names) else b""

    @property
    def least(self) -> int:
        """It may be missing."""
        return 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values that may be given."""
        return tuple(name for node in self.nodes for name in node.names)


def read_all(nodes: Sequence[Node], octets: bytes, at: int, scope: dict[str, Any]) -> list[Field]:
    """The fields of nodes one after the other.

    Raises:
        CutShort: the octets end within.

    """
    fields: list[Field] = []
    for node in nodes:
        found = node.read(octets, at, scope)
        fields += found
        at = found[-1].end if found else at
    return fields


def build_all(nodes: Sequence[Node], values: Values, scope: dict[str, Any]) -> bytes:
    """The octets of nodes one after the other.

    Raises:
        LocalProtocolError: a value is missing, is in no field, or does not fit.

    """
    names = {name for node in nodes for name in node.names}
    if stray := [name for name in values if name not in names]:
        raise LocalProtocolError(f"there is no field {stray[0]!r}; there are {', '.join(sorted(names))}")
    return b"".join(node.build(_of(node, values), scope) for node in nodes)


def _of(node: Node, values: Values) -> Values:
    return {name: values[name] for name in node.names if name in values}


def wanted(values: Values, name: str) -> Any:
    """The value of a name.

    Raises:
        LocalProtocolError: there is none.

    """
    try:
        return values[name]
    except KeyError:
        raise LocalProtocolError(f"{name!r} is missing") from None
