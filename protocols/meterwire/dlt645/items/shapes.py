"""How the data of an identifier is laid out: fields in a row, and groups of fields repeated.

Source: DL/T 645-2007, annex A; spec sections 4, 6 and 8.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from meterwire.dlt645.items import formats
from meterwire.dlt645.items.registers import RegisterRow
from meterwire.dlt645.items.values import Given, ItemValue, new_tuple, octets_of
from meterwire.errors import LocalProtocolError
from meterwire.item_value import Content, Label

DELIMITER: Final = b"\xaa"
"""Some makes close a block, or each part of one, with it; it can never be BCD."""
TARIFFS_USUAL: Final = 4
"""Tariffs that almost all meters have: sharp, peak, flat and valley."""

_Decoder = Callable[[bytes], tuple[Content, formats.Problem | None]]
_Step = tuple[Label, _Decoder, int, int]


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
    _plan: tuple[_Step, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ends = list(itertools.accumulate(format_.octets for format_ in self.layout))
        starts = [0, *ends[:-1]]
        decoders = [format_.decode for format_ in self.layout]
        object.__setattr__(self, "octets", ends[-1] if ends else 0)
        object.__setattr__(self, "_plan", tuple(zip(self.labels, decoders, starts, ends, strict=False)))

    def values(self, data: bytes, at: int = 0) -> list[ItemValue]:
        """The values that begin at ``at``."""
        found: list[ItemValue] = []
        self.extend(found, data, at)
        return found

    def extend(self, found: list[ItemValue], data: bytes, at: int) -> None:
        """Add the values that begin at ``at``."""
        for label, decode, start, end in self._plan:
            raw = data[at + start : at + end]
            content, problem = decode(raw)
            found.append(new_tuple(ItemValue, (label, content, problem, raw)))

    def encode(self, values: Sequence[Given]) -> bytes:
        """Undo ``values``; one for each field.

        Raises:
            LocalProtocolError: one out of its range.

        """
        return b"".join(map(octets_of, values, self.layout))

    def begins(self, values: Sequence[Given], at: int) -> bool:
        """Whether the values from ``at`` on are those of this group, by their labels; the period is free."""
        given = values[at : at + len(self.labels)]
        items = [value.item if isinstance(value, ItemValue) else None for value in given]
        return items == [label.item for label in self.labels]


@dataclass(frozen=True, slots=True)
class Fields:
    """A head of fields, then a group that repeats as often as the length says.

    Args:
        head: fields that are always there; may be none.
        repeated: the group, with other labels each time; the last labels serve the rest.
        most: most repetitions; 0 for a record of fixed length.
        least: fewest repetitions.
        usual: repetitions that most meters have, where they may have more.
        delimited: a delimiter may close the data.
        optional: no data at all says that there is nothing.

    """

    head: Group
    repeated: tuple[Group, ...] = ()
    most: int = 0
    least: int = 0
    usual: int = 0
    delimited: bool = False
    optional: bool = False
    _size: int = field(init=False, repr=False, compare=False)
    _row: RegisterRow | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """See whether the data is a row of registers."""
        # Without a repetition any size but 1 will do: one octet more may be a delimiter.
        object.__setattr__(self, "_size", self.repeated[0].octets if self.repeated else 2)
        object.__setattr__(self, "_row", self._register_row())

    def _register_row(self) -> RegisterRow | None:
        layouts = {group.layout for group in self.repeated}
        if self.head.layout or len(layouts) != 1 or len(self.repeated) != self.most or self.least > 1:
            return None
        (layout,) = layouts
        if len(layout) != 1 or not isinstance(layout[0], formats.Number) or layout[0].signed:
            return None
        return RegisterRow(tuple(group.labels[0] for group in self.repeated), layout[0])

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
        if self._row is not None and (row := self._row.decode(data)) is not None:
            return row
        if self.optional and not data:
            return ()
        at, size = self.head.octets, self._size
        count, rest = divmod(len(data) - at, size)
        if rest == 1 and self.delimited and data.endswith(DELIMITER):
            rest = 0
            data = data[:-1]
        if rest or not self.least <= count <= self.most:
            return None
        values = self.head.values(data)
        last = len(self.repeated) - 1
        for index in range(count):
            self.repeated[index if index < last else last].extend(values, data, at)
            at += size
        return tuple(values)

    def delimiters(self, data: bytes) -> int:
        """1 when one closes ``data``."""
        return (len(data) - self.head.octets) % self._size if data else 0

    def is_whole(self, data: bytes) -> bool:
        """A record of fixed length; of a block all values, or as many as most meters have.

        What comes behind a record may always go on.
        """
        if not data or self.decode(data) is None:
            return False
        if not self.repeated:
            return True
        own_labels = not self.head.layout and len(self.repeated) == self.most
        return own_labels and len(data) // self._size in {self.most, self.usual}

    def encode(self, values: Sequence[Given], delimiters: int | None = None) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: too few or too many values, one out of its range, or more delimiters than
                one, or one where none closes.

        """
        if self.optional and not values:
            return b""
        unit = self.repeated[0].layout if self.repeated else ()
        count, rest = divmod(len(values) - len(self.head.layout), len(unit) or 1)
        if rest or not self.least <= count <= self.most:
            raise LocalProtocolError(f"{self._name()} does not take {len(values)} values")
        if not 0 <= (delimiters or 0) <= self.delimited:
            raise LocalProtocolError(f"{self._name()} does not take {delimiters} delimiters")
        layout = itertools.chain(self.head.layout, itertools.cycle(unit))
        return b"".join(map(octets_of, values, layout)) + DELIMITER * (delimiters or 0)

    def _name(self) -> str:
        return (self.head.labels or self.repeated[0].labels)[0].item
