"""Layouts that end where the spec or the meter does: records known in part, and blocks of unlike fields.

Source: spec sections 6, 9.2 and 10 ("not established").
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from meterwire.dlt645 import formats
from meterwire.dlt645.shapes import DELIMITER, Group
from meterwire.dlt645.values import ItemValue, Label
from meterwire.errors import LocalProtocolError


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """Fields that are known, and one more for all octets behind them, in wire order.

    Args:
        head: the known fields; may be none.
        rest: what the octets behind them are called.

    """

    head: Group
    rest: Label

    @property
    def octets(self) -> int:
        """Octets of what is known; of a record of which nothing is known, the least."""
        return self.head.octets or 1

    @property
    def items(self) -> tuple[str, ...]:
        """None that are sure to be there."""
        return ()

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values in ``data``; ``None`` when it is shorter than what is known."""
        if len(data) < self.octets:
            return None
        values = self.head.values(data)
        if rest := data[self.head.octets :]:
            content, problem = formats.Hex(len(rest), wire_order=True).decode(rest)
            values.append(ItemValue(self.rest, content, problem, rest))
        return tuple(values)

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: too few or too many values, or one out of its range.

        """
        layout = self.head.layout
        if not len(layout) <= len(values) <= len(layout) + 1 or not values:
            raise LocalProtocolError(f"{self.rest.item} does not take {len(values)} values")
        known = b"".join(format_.encode(value) for format_, value in zip(layout, values, strict=False))
        return known + b"".join(_octets(rest) for rest in values[len(layout) :])


@dataclass(frozen=True, slots=True)
class MixedBlock:
    """Unlike fields in rising order of their identifiers; a meter sends as many as it has, from the first on.

    Args:
        group: the fields.

    """

    group: Group
    _ends: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Know where each field ends."""
        ends = itertools.accumulate(format_.octets for format_ in self.group.layout)
        object.__setattr__(self, "_ends", tuple(ends))

    @property
    def octets(self) -> int:
        """Octets of all fields."""
        return self.group.octets

    @property
    def items(self) -> tuple[str, ...]:
        """Items of all fields."""
        return tuple(label.item for label in self.group.labels)

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values in ``data``; ``None`` when it ends inside a field. A closing AAH is dropped."""
        if data.endswith(DELIMITER) and len(data) != self.octets and len(data) - 1 in self._ends:
            data = data[:-1]
        if len(data) not in self._ends:
            return None
        return tuple(self.group.values(data)[: self._ends.index(len(data)) + 1])

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: no or too many values, or one out of its range.

        """
        if not 1 <= len(values) <= len(self.group.layout):
            raise LocalProtocolError(f"{self.items[0]} does not take {len(values)} values")
        return b"".join(
            format_.encode(value) for format_, value in zip(self.group.layout, values, strict=False)
        )


def _octets(content: formats.Content) -> bytes:
    try:
        return bytes.fromhex(content if isinstance(content, str) else "-")
    except ValueError:
        raise LocalProtocolError(f"{content!r} is not hexadecimal digits") from None
