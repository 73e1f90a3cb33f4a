"""How the data of an identifier is laid out: fields in a row, and groups of fields repeated.

Source: DL/T 645-2007, annex A; spec sections 4, 6 and 8.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import construct as c

from meterwire.dlt645 import formats
from meterwire.dlt645.values import ItemValue, Label, new_tuple
from meterwire.errors import LocalProtocolError

DELIMITER: Final = b"\xaa"
"""Some makes close a block, or each part of one, with it; it can never be BCD."""


@dataclass(frozen=True, slots=True)
class Group:
    """Fields one after the other.

    Args:
        labels: what they are.
        layout: their formats.

    """

    labels: tuple[Label, ...]
    layout: tuple[formats.Format, ...]
    octets: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "octets", sum(format_.octets for format_ in self.layout))

    def values(self, data: bytes, at: int = 0) -> list[ItemValue]:
        """The values that begin at ``at``."""
        found = []
        for label, format_ in zip(self.labels, self.layout, strict=True):
            raw = data[at : at + format_.octets]
            at += format_.octets
            found.append(new_tuple(ItemValue, (label, *format_.decode(raw), raw)))
        return found

    def declaration(self) -> c.Construct[list[bytes], list[bytes]]:
        """The same fields as a construct declaration, for checks and explanation."""
        return c.Sequence(*(c.Bytes(format_.octets) for format_ in self.layout))


@dataclass(frozen=True, slots=True)
class Fields:
    """A head of fields, then a group that repeats as often as the length says.

    Args:
        head: fields that are always there; may be none.
        repeated: the group, with other labels each time; the last labels serve the rest.
        most: most repetitions; 0 for a record of fixed length.
        least: fewest repetitions.
        delimited: a delimiter may close the data.

    """

    head: Group
    repeated: tuple[Group, ...] = ()
    most: int = 0
    least: int = 0
    delimited: bool = False

    @property
    def octets(self) -> int:
        """Octets of the head, or of one repetition where there is no head."""
        return self.head.octets or self.repeated[0].octets

    @property
    def items(self) -> tuple[str, ...]:
        """Items of the head and of each repetition that has labels of its own."""
        return tuple(label.item for group in (self.head, *self.repeated) for label in group.labels)

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values in ``data``; ``None`` when the length does not fit."""
        size = self.repeated[0].octets if self.repeated else 1
        count, rest = divmod(len(data) - self.head.octets, size)
        if rest == 1 and self.delimited and data[-1:] == DELIMITER:
            rest = 0
        if rest or not self.least <= count <= self.most:
            return None
        values = self.head.values(data)
        at = self.head.octets
        for index in range(count):
            values += self._group(index).values(data, at)
            at += size
        return tuple(values)

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: too few or too many values, or one out of its range.

        """
        unit = self.repeated[0].layout if self.repeated else ()
        count, rest = divmod(len(values) - len(self.head.layout), len(unit) or 1)
        if rest or not self.least <= count <= self.most:
            raise LocalProtocolError(f"{self._name()} does not take {len(values)} values")
        layout = itertools.chain(self.head.layout, itertools.cycle(unit))
        return b"".join(format_.encode(value) for format_, value in zip(layout, values, strict=False))

    def _group(self, index: int) -> Group:
        return self.repeated[min(index, len(self.repeated) - 1)]

    def _name(self) -> str:
        return (self.head.labels or self.repeated[0].labels)[0].item
