"""Layouts that end where the spec or the meter does: records known in part, and blocks of unlike fields.

Source: spec sections 6, 9.2 and 10 ("not established").
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from meterwire.dlt645.items import formats
from meterwire.dlt645.items.shapes import DELIMITER, Group
from meterwire.dlt645.items.values import Given, ItemValue, octets_of
from meterwire.errors import LocalProtocolError
from meterwire.item_value import Label


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

    def delimiters(self, data: bytes) -> int:
        """None that could be told from the rest."""
        return 0

    def is_whole(self, data: bytes) -> bool:
        """Never sure: the rest may go on."""
        return False

    def encode(self, values: Sequence[Given], delimiters: int | None = None) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: too few or too many values, one out of its range, or a delimiter.

        """
        known = len(self.head.layout)
        if not known <= len(values) <= known + 1 or not values or delimiters:
            raise LocalProtocolError(f"{self.rest.item} does not take {len(values)} values")
        rest = values[known:]
        return self.head.encode(values[:known]) + b"".join(map(_octets, rest))


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
        if self._is_closed(data):
            data = data[:-1]
        if len(data) not in self._ends:
            return None
        return tuple(self.group.values(data)[: self._ends.index(len(data)) + 1])

    def delimiters(self, data: bytes) -> int:
        """1 when one closes ``data``."""
        return int(self._is_closed(data))

    def is_whole(self, data: bytes) -> bool:
        """Whether all fields are there."""
        return len(data) - self.delimiters(data) == self.octets

    def encode(self, values: Sequence[Given], delimiters: int | None = None) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: no or too many values, one out of its range, or more delimiters than one.

        """
        if not 1 <= len(values) <= len(self.group.layout) or not 0 <= (delimiters or 0) <= 1:
            raise LocalProtocolError(f"{self.items[0]} does not take {len(values)} values")
        octets = b"".join(map(octets_of, values, self.group.layout))
        return octets + DELIMITER * (delimiters or 0)

    def _is_closed(self, data: bytes) -> bool:
        return data.endswith(DELIMITER) and len(data) != self.octets and len(data) - 1 in self._ends


def _octets(given: Given) -> bytes:
    if isinstance(given, ItemValue):
        return octets_of(given, formats.Hex(len(given.raw), wire_order=True))
    try:
        return bytes.fromhex(given if isinstance(given, str) else "-")
    except ValueError:
        raise LocalProtocolError(f"{given!r} is not hexadecimal digits") from None
