"""What a data identifier carries: entries, and the values out of an answer.

Source: DL/T 645-2007, annex A; spec sections 3 to 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from meterwire.dlt645.items import formats, security
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.item_value import Content, Label, LabelledValue

_SECRET = security.SECRET_ITEMS | {"password"}
"""Items that do not show in ``repr``: those of entries that can only be written."""


class ItemValue(LabelledValue[formats.Problem, bytes]):
    """One value out of an answer; ``raw`` are its octets, as sent."""

    __slots__ = ()

    def __repr__(self) -> str:
        """All of it; of a password, a key or a seal only that there is one."""
        shown = "hidden" if self.item in _SECRET else f"{self.content!r}, {self.problem!r}, {self.raw!r}"
        return f"ItemValue({self.label!r}, {shown})"

    @property
    def moment(self) -> datetime | None:
        """The meter's civil time, when the value is a valid one."""
        found = formats.moment(self.content)
        # A text may look like a time; the octets of a time are its digits, without the century.
        digits = "".join(filter(str.isdecimal, self.text or ""))
        return found if self.raw[::-1].hex() == digits[2:] else None


Given = ItemValue | Content
"""A value to encode: as it was decoded, or its content alone."""


class Form(NamedTuple):
    """How one answer is laid out, where an identifier's data can be laid out in several ways.

    Args:
        shape: which of the entry's shapes; the first is the standard's.
        delimiters: how many AAH: none or one behind a block, also one behind each part of a freeze block;
            of load records those within each record. ``None``: as the shape usually has it.

    """

    shape: int = 0
    delimiters: int | None = None


def octets_of(value: Given, format_: formats.Format) -> bytes:
    """The octets of one field.

    A value as it was decoded keeps its own: filling, broken digits and blanks around a text are not in its
    content.

    Raises:
        LocalProtocolError: content of the wrong kind or out of range.

    """
    if not isinstance(value, ItemValue):
        return format_.encode(value)
    if len(value.raw) == format_.octets and format_.decode(value.raw) == (value.content, value.problem):
        return value.raw
    return format_.encode(value.content)


class Shape(Protocol):
    """How the data of an identifier is laid out."""

    @property
    def octets(self) -> int:
        """Octets of the data; of one repetition where the number of values varies."""
        ...

    @property
    def items(self) -> tuple[str, ...]:
        """Items of a whole answer in their order; empty where the answer itself says what it holds."""
        ...

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values in ``data``; ``None`` when the length does not fit."""
        ...

    def delimiters(self, data: bytes) -> int:
        """How many delimiters stand in ``data``, which ``decode`` takes; see ``Form``."""
        ...

    def is_whole(self, data: bytes) -> bool:
        """Whether ``data`` is by its length all that a meter says, and not the first piece of more."""
        ...

    def encode(self, values: Sequence[Given], delimiters: int | None = None) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: too few or too many values, one out of its range, or a number of delimiters
                that is not possible.

        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One data identifier.

    Args:
        di: e.g. 0x00010000.
        item: the name it is asked for by; with ``@`` the period: ``forward_active_energy@settlement.1``.
        en: English words.
        zh: Chinese words.
        unit: unit of the (first) value.
        octets: octets of the data; of one repetition where the number of values varies.
        is_block: FFH stands in one octet of the identifier.
        access: ``r``, ``rw`` or ``w``; ``s`` for what security frames (03H) carry.
        shapes: how the data is laid out; the standard's way first, then those of other makes, told
            apart by length.
        label: what the value is, where there is only one.
        format: its format, where there is only one.

    """

    di: int
    item: str
    en: str
    zh: str
    unit: str
    octets: int
    is_block: bool
    access: str
    shapes: tuple[Shape, ...]
    label: Label
    format: formats.Format | None

    @property
    def items(self) -> tuple[str, ...]:
        """Items of a whole answer in their order; empty where the answer itself says what it holds."""
        return self.shapes[0].items

    def decode(self, data: bytes) -> tuple[ItemValue, ...]:
        """The values in ``data``, the octets after the identifier.

        Raises:
            RemoteProtocolError: the length does not fit; ``kind`` is ``"length"``.

        """
        if self.format is not None and len(data) == self.octets:
            content, problem = self.format.decode(data)
            return (new_tuple(ItemValue, (self.label, content, problem, data)),)
        for shape in self.shapes:
            if (values := shape.decode(data)) is not None:
                return values
        raise self._does_not_fit(data)

    def form(self, data: bytes) -> Form:
        """How ``data`` is laid out; with it ``encode`` gives back what ``decode`` took.

        Raises:
            RemoteProtocolError: the length does not fit; ``kind`` is ``"length"``.

        """
        for place, shape in enumerate(self.shapes):
            if shape.decode(data) is not None:
                return Form(place, shape.delimiters(data))
        raise self._does_not_fit(data)

    def encode(self, values: Sequence[Given], form: Form | None = None) -> bytes:
        """Undo ``decode``: the octets after the identifier.

        Args:
            values: in the order of ``decode``: as it gave them, or the content alone (``None`` fills with
                FFH; a time with zero). Parts of a freeze block and classes of a load record that are not
                there are known by the labels of the others.
            form: how to lay them out; by default the first shape that takes the values, of values as
                decoded the first one in which they keep their lengths.

        Raises:
            LocalProtocolError: too few or too many values, one out of its range, or no such form.

        """
        try:
            if form is None:
                if self.format is not None and len(values) == 1 and isinstance(values[0], Decimal):
                    return self.format.encode(values[0])
                return self._encoded(values)
            if not 0 <= form.shape < len(self.shapes):
                raise LocalProtocolError(f"{self.item} has {len(self.shapes)} shapes, no {form.shape}")
            return self.shapes[form.shape].encode(values, form.delimiters)
        except LocalProtocolError:
            if "r" in self.access:
                raise
        raise LocalProtocolError(f"{self.item}: the value does not fit")  # a secret; it stays unsaid

    def _encoded(self, values: Sequence[Given]) -> bytes:
        """By the shape that fits best.

        Raises:
            LocalProtocolError: what the first shape says, when none takes the values.

        """
        found: list[bytes] = []
        refusals: list[LocalProtocolError] = []
        for shape in self.shapes:
            try:
                found.append(shape.encode(values))
            except LocalProtocolError as refusal:
                refusals.append(refusal)
                continue
            if _keeps_lengths(values, found[-1]):
                return found[-1]
        if not found:
            raise refusals[0]
        return found[0]

    def _does_not_fit(self, data: bytes) -> RemoteProtocolError:
        sentence = f"{self.item} has {self.octets} octets, the answer holds {len(data)}"
        offset = min(len(data), self.octets)
        return RemoteProtocolError(sentence, kind="length", octets=data, offset=offset)


def _keeps_lengths(values: Sequence[Given], octets: bytes) -> bool:
    """Whether values as decoded have as many octets as before; contents alone have no lengths."""
    sizes = [len(value.raw) for value in values if isinstance(value, ItemValue)]
    return len(sizes) < len(values) or sum(sizes) == len(octets)


new_tuple = tuple.__new__
"""What a NamedTuple's own constructor ends in, without the way there; for values, which are many."""
