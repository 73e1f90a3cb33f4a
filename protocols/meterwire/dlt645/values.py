"""What a data identifier carries: entries, and the values out of an answer.

Source: DL/T 645-2007, annex A; spec sections 3 to 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from meterwire.dlt645 import formats
from meterwire.errors import LocalProtocolError, RemoteProtocolError


class Label(NamedTuple):
    """What one value is: its item and the words for it.

    ``period`` says for which time it stands (``settlement.1``); empty for "now".
    """

    item: str
    period: str
    en: str
    zh: str
    unit: str


class ItemValue(NamedTuple):
    """One value out of an answer.

    Args:
        label: what it is.
        content: number or text, ``None`` when ``problem`` says why.
        problem: ``"absent"`` (FFH filled) or ``"invalid-bcd"``.
        raw: its octets, as sent.

    """

    label: Label
    content: formats.Content
    problem: formats.Problem | None
    raw: bytes

    @property
    def item(self) -> str:
        """Item name, e.g. ``forward_active_energy.t1``."""
        return self.label.item

    @property
    def name(self) -> str:
        """English words."""
        return self.label.en

    @property
    def zh(self) -> str:
        """Chinese words."""
        return self.label.zh

    @property
    def unit(self) -> str:
        """Unit, or empty."""
        return self.label.unit

    @property
    def period(self) -> str:
        """For which time the value stands; empty for "now"."""
        return self.label.period

    @property
    def value(self) -> Decimal | None:
        """The number, exact; ``None`` for text and where there is a problem."""
        return self.content if isinstance(self.content, Decimal) else None

    @property
    def text(self) -> str | None:
        """The content for people: decimals kept, times as ``2026-09-08 14:25``."""
        return format(self.content, "f") if isinstance(self.content, Decimal) else self.content

    @property
    def moment(self) -> datetime | None:
        """The meter's civil time, when the value is a valid one."""
        return formats.moment(self.content)


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

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """Undo ``decode``.

        Raises:
            LocalProtocolError: too few or too many values, or one out of its range.

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
        sentence = f"{self.item} has {self.octets} octets, the answer holds {len(data)}"
        offset = min(len(data), self.octets)
        raise RemoteProtocolError(sentence, kind="length", octets=data, offset=offset)

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """Undo ``decode``: the octets after the identifier, laid out the standard's way.

        Args:
            values: one content a value, in the order of ``decode``; ``None`` fills with FFH.

        Raises:
            LocalProtocolError: too few or too many values, or one out of its range.

        """
        try:
            return self.shapes[0].encode(values)
        except LocalProtocolError:
            if "r" in self.access:
                raise
        raise LocalProtocolError(f"{self.item}: the value does not fit")  # a secret; it stays unsaid


new_tuple = tuple.__new__
"""What a NamedTuple's own constructor ends in, without the way there; for values, which are many."""
