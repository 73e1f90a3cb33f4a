"""Families of data identifiers: one row of a dictionary, and the slots in its pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from meterwire import catalogue
from meterwire.dlt645 import formats
from meterwire.dlt645.values import Entry, Label


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a dictionary: a family of identifiers.

    Args:
        pattern: identifier with ``{slots}``, as written.
        names: catalogue items of the values, ``@`` and a period behind.
        layout: their formats.
        format: the formats as written.
        access: ``r``, ``rw`` or ``w``.
        sample: data of one identifier, wire order.
        clause: where the standard or the spec has it.
        parts: ``pattern`` in pieces.
        allowed: what each octet (1997: each digit) of the identifier may be.

    """

    pattern: str
    names: tuple[str, ...]
    layout: tuple[formats.Format, ...]
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
        return all(mine & theirs for mine, theirs in zip(self.allowed, other.allowed, strict=True))

    @property
    def choices(self) -> list[list[int]]:
        """For each slot what it may hold, the block last."""
        return [[*slot.range, slot.all] if slot.block else [*slot.range] for slot in self.slots]

    @property
    def width(self) -> int:
        """Hexadecimal digits of an identifier."""
        return sum(len(part) if isinstance(part, str) else part.digits for part in self.parts)

    def label(self, name: str, values: Sequence[int]) -> Label:
        """What the value ``name`` of one identifier is."""
        item, _, period = name.partition("@")
        quantity, *dimensions = item.split(".")
        for slot, value in zip(self.slots, values, strict=True):
            if written := slot.written(value):
                if written[0] == "@":
                    period = written[1:]
                else:
                    dimensions.append(written)
        ordered = sorted(dimensions, key=_dimension_order)
        en, zh = catalogue.words(quantity, tuple(ordered))
        unit = catalogue.quantity(quantity).unit
        return Label(".".join([quantity, *ordered]), period, en, zh, unit)

    def entry(self, values: tuple[int, ...]) -> Entry:
        """The identifier with ``values`` in the slots."""
        block = [slot.block and value == slot.all for slot, value in zip(self.slots, values, strict=True)]
        repeated = [values]
        if any(block):
            place = block.index(True)
            repeated = [(*values[:place], one, *values[place + 1 :]) for one in self.slots[place].range]
        whole = self.label(self.names[0], values)
        return Entry(
            di=int(self.digits(values), 16),
            item=f"{whole.item}@{whole.period}" if whole.period else whole.item,
            en=_with_period(whole.en, whole.period),
            zh=_with_period(whole.zh, whole.period),
            unit=whole.unit,
            octets=sum(format_.octets for format_ in self.layout),
            is_block=any(block),
            access=self.access,
            labels=tuple(tuple(self.label(name, one) for name in self.names) for one in repeated),
            layout=self.layout,
        )


def _dimension_order(dimension: str) -> int:
    """Tariff, phase, order of a harmonic; a block stands where the phase would."""
    return {"t": 0, "h": 2}.get(dimension[0], 1)


def _with_period(words: str, period: str) -> str:
    return f"{words} ({period})" if period else words
