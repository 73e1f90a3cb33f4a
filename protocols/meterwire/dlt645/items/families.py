"""Families of data identifiers: one row of a dictionary, and the slots in its pattern."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from meterwire import catalogue
from meterwire.dlt645.items import formats
from meterwire.dlt645.items.record_selector import takes_selector
from meterwire.dlt645.items.shapes import TARIFFS_USUAL, Fields, Group
from meterwire.dlt645.items.values import Entry, Shape
from meterwire.item_value import Label


class Slot(NamedTuple):
    """A part of an identifier that may take several values.

    ``writes`` says how an item's name shows the value: ``t`` and ``h`` with the number behind,
    ``phase`` as a, b, c; with ``@`` it is the period. 0 is the total and is not written.
    """

    name: str
    digits: int
    low: int
    high: int
    block: bool
    writes: str

    @property
    def all(self) -> int:
        """The value that asks for the whole block."""
        return (1 << 4 * self.digits) - 1

    def accepts(self, value: int) -> bool:
        """Whether the slot may hold ``value``."""
        return self.low <= value <= self.high or (self.block and value == self.all)

    def written(self, value: int) -> str:
        """What an item's name says about ``value``."""
        if value == self.all and self.block:
            return f"{self.writes}.*" if self.writes[0] == "@" else "*"
        if value == 0 and self.low == 0:
            return ""
        if self.writes[0] == "@":
            return f"{self.writes}.{value}"
        return "abc"[value - 1] if self.writes == "phase" else f"{self.writes}{value}"

    @property
    def range(self) -> range:
        """The single values, in the order of a block."""
        return range(self.low, self.high + 1)

    @property
    def usual(self) -> int:
        """How many of the single values most meters have; 0 where that is all of them."""
        return TARIFFS_USUAL + (self.low == 0) if self.writes == "t" else 0


class Field(NamedTuple):
    """One field of a layout: what it is (an item, ``@`` and a period behind), and its format."""

    name: str
    format: formats.Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a row's data is laid out, before the slots are filled in.

    Args:
        head: fields that are always there.
        unit: fields that repeat; their names take the dimension of ``over``.
        over: what the repetitions stand for; ``None`` when they are all the same.
        most: most repetitions.
        own_names: names take the slots' dimensions; those of records say their own.

    """

    head: tuple[Field, ...] = ()
    unit: tuple[Field, ...] = ()
    over: Slot | None = None
    most: int = 0
    own_names: bool = False


Special = Callable[[str], Shape]
"""A layout that is no row of fields; it takes the period of the identifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a dictionary: a family of identifiers.

    Args:
        pattern: identifier with ``{slots}``, as written.
        name: catalogue item of the whole, ``@`` and a period behind.
        layouts: how the data is laid out; the standard's way first.
        format: the layouts as written.
        access: ``r``, ``rw`` or ``w``; ``s`` for what security frames (03H) carry.
        sample: data of one identifier, wire order.
        clause: where the standard or the spec has it.
        parts: ``pattern`` in pieces.
        allowed: what each octet (1997: each digit) of the identifier may be.

    """

    pattern: str
    name: str
    layouts: tuple[Layout | Special, ...]
    format: str
    access: str
    sample: bytes
    clause: str
    parts: tuple[str | Slot, ...]
    allowed: tuple[frozenset[int], ...]

    def match(self, digits: str) -> tuple[int, ...] | None:
        """The slots' values when the identifier ``digits`` belongs to this family."""
        values: list[int] = []
        at = 0
        for part in self.parts:
            if isinstance(part, str):
                if not digits.startswith(part, at):
                    return None
                at += len(part)
                continue
            value = int(digits[at : at + part.digits], 16)
            if not part.accepts(value):
                return None
            values.append(value)
            at += part.digits
        blocks = sum(slot.block and value == slot.all for slot, value in zip(self.slots, values, strict=True))
        return tuple(values) if blocks <= 1 else None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots, left to right."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @property
    def first(self) -> tuple[int, ...]:
        """The slots' values of the family's first member."""
        return tuple(slot.low for slot in self.slots)

    def digits(self, values: Sequence[int]) -> str:
        """The identifier with ``values`` in the slots, in hexadecimal digits."""
        left = iter(values)
        return "".join(
            part if isinstance(part, str) else f"{next(left):0{part.digits}X}" for part in self.parts
        )

    def overlaps(self, other: Row) -> bool:
        """Whether an identifier could belong to both."""
        return not any(map(frozenset.isdisjoint, self.allowed, other.allowed))

    @property
    def choices(self) -> list[list[int]]:
        """For each slot what it may hold, the block last."""
        return [[*slot.range, slot.all] if slot.block else [*slot.range] for slot in self.slots]

    @property
    def width(self) -> int:
        """Hexadecimal digits of an identifier."""
        return sum(len(part) if isinstance(part, str) else part.digits for part in self.parts)

    def entry(self, values: tuple[int, ...]) -> Entry:
        """The identifier with ``values`` in the slots."""
        whole = self._label(self.name.partition("@")[0], values)
        shapes = tuple(self._shape(layout, values, whole.period) for layout in self.layouts)
        first = self.layouts[0]
        block = self._block(values) is not None
        alone = isinstance(first, Layout) and len(first.head) == 1 and not (first.unit or block)
        return Entry(
            di=int(self.digits(values), 16),
            item=f"{whole.item}@{whole.period}" if whole.period else whole.item,
            en=_with_period(whole.en, whole.period),
            zh=_with_period(whole.zh, whole.period),
            unit=whole.unit,
            octets=shapes[0].octets,
            is_block=block,
            access=self.access,
            shapes=shapes,
            label=whole,
            format=first.head[0].format if isinstance(first, Layout) and alone else None,
        )

    def _block(self, values: tuple[int, ...]) -> int | None:
        """Which slot asks for a block."""
        asked = (slot.block and value == slot.all for slot, value in zip(self.slots, values, strict=True))
        return next((place for place, block in enumerate(asked) if block), None)

    def _shape(self, layout: Layout | Special, values: tuple[int, ...], period: str) -> Shape:
        if not isinstance(layout, Layout):
            return layout(period)
        place = self._block(values)
        if place is not None and layout.own_names:
            repeated = [(*values[:place], one, *values[place + 1 :]) for one in self.slots[place].range]
            groups = tuple(self._group(layout, layout.head, one) for one in repeated)
            usual = self.slots[place].usual
            return Fields(Group((), ()), groups, len(groups), 1, usual, delimited=True)
        head = self._group(layout, layout.head, values)
        closable = self._closable(values)
        optional = takes_selector(int(self.digits(values), 16))
        if not layout.unit:
            return Fields(head, delimited=closable, optional=optional)
        over = [layout.over.written(one) for one in layout.over.range] if layout.over else [""]
        return Fields(
            head,
            tuple(self._group(layout, layout.unit, values, dimension) for dimension in over),
            layout.most,
            least=0 if layout.head else 1,
            usual=layout.over.usual if layout.over else 0,
            delimited=closable or not layout.head,
            optional=optional,
        )

    def _closable(self, values: tuple[int, ...]) -> bool:
        """Whether a make closes the data with a delimiter: that of every block asked for with F or FF.

        Source: spec section 4.
        """
        digits = self.digits(values)
        half = self.width // 2
        step = half // 2
        return "F" * step in {digits[half : half + step], digits[half + step :]}

    def _group(
        self, layout: Layout, fields: tuple[Field, ...], values: Sequence[int], more: str = ""
    ) -> Group:
        labels = tuple(self._label(field.name, values, more, own=layout.own_names) for field in fields)
        return Group(labels, tuple(field.format for field in fields))

    def _label(self, name: str, values: Sequence[int], more: str = "", *, own: bool = True) -> Label:
        """What the value ``name`` of one identifier is.

        Args:
            name: an item, ``@`` and a period within the record behind.
            values: what the slots hold.
            more: a further dimension.
            own: whether the item takes the dimensions that the slots write.

        """
        item, _, inner = name.partition("@")
        quantity, *dimensions = item.split(".")
        written = [slot.written(value) for slot, value in zip(self.slots, values, strict=True)]
        if own:
            dimensions += [part for part in written if part and part[0] != "@"]
        if more:
            dimensions.append(more)
        periods = [self.name.partition("@")[2], *(part[1:] for part in written if part[:1] == "@"), inner]
        return _made(
            quantity, tuple(sorted(dimensions, key=_dimension_order)), "/".join(filter(None, periods))
        )


def label(name: str, dimension: str, period: str) -> Label:
    """What ``name`` is, with a further dimension, at a period.

    Args:
        name: an item, ``@`` and a period within the record behind.
        dimension: a dimension to add, or empty.
        period: the period of the record, or empty.

    """
    item, _, inner = name.partition("@")
    quantity, *dimensions = item.split(".")
    ordered = sorted([*dimensions, *([dimension] if dimension else [])], key=_dimension_order)
    return _made(quantity, tuple(ordered), "/".join(filter(None, [period, inner])))


@functools.lru_cache(8192)
def _made(quantity: str, dimensions: tuple[str, ...], period: str) -> Label:
    en, zh = catalogue.words(quantity, dimensions)
    return Label(".".join([quantity, *dimensions]), period, en, zh, catalogue.quantity(quantity).unit)


def _dimension_order(dimension: str) -> int:
    """Tariff, phase, order of a harmonic; a block stands where the phase would."""
    return {"t": 0, "h": 2}.get(dimension[0], 1)


def _with_period(words: str, period: str) -> str:
    return f"{words} ({period})" if period else words
