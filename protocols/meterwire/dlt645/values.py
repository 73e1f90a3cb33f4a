"""What a data identifier carries: entries, and the values out of an answer.

Source: DL/T 645-2007, annex A; spec sections 3 to 8.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from meterwire.dlt645 import formats
from meterwire.errors import LocalProtocolError, RemoteProtocolError

_new_tuple = tuple.__new__  # what a NamedTuple's own constructor ends in, without the way there
_DELIMITER = b"\xaa"  # some makes close a block with it; it can never be BCD


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One data identifier.

    Args:
        di: e.g. 0x00010000.
        item: the name it is asked for by; with ``@`` the period: ``forward_active_energy@settlement.1``.
        en: English words.
        zh: Chinese words.
        unit: unit of the (first) value.
        octets: octets of the value; of one of them in a block.
        is_block: FFH stands in one octet.
        access: ``r``, ``rw`` or ``w``.
        labels: what the values are, for each repetition in turn; a block may answer fewer.
        layout: formats of one repetition.

    """

    di: int
    item: str
    en: str
    zh: str
    unit: str
    octets: int
    is_block: bool
    access: str
    labels: tuple[tuple[Label, ...], ...]
    layout: tuple[formats.Format, ...]

    def decode(self, data: bytes) -> tuple[ItemValue, ...]:
        """The values in ``data``, the octets after the identifier.

        Raises:
            RemoteProtocolError: the length does not fit; ``kind`` is ``"length"``.

        """
        size = self.octets
        if len(data) == size and len(self.layout) == 1:
            return (_new_tuple(ItemValue, (self.labels[0][0], *self.layout[0].decode(data), data)),)
        count, rest = divmod(len(data), size)
        if self.is_block and rest == 1 and data[-1:] == _DELIMITER:
            rest = 0
        if rest or not 1 <= count <= len(self.labels):
            raise self._does_not_fit(data)
        return tuple(self._values(data, count))

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """Undo ``decode``: the octets after the identifier.

        Args:
            values: one content a value, in the order of ``decode``; ``None`` fills with FFH.

        Raises:
            LocalProtocolError: too few or too many values, or one out of its range.

        """
        count, rest = divmod(len(values), len(self.layout))
        if rest or not 1 <= count <= len(self.labels):
            raise LocalProtocolError(f"{self.item} does not take {len(values)} values")
        layout = itertools.cycle(self.layout)
        return b"".join(format_.encode(value) for format_, value in zip(layout, values, strict=False))

    def _values(self, data: bytes, count: int) -> Iterator[ItemValue]:
        at = 0
        for labels in self.labels[:count]:
            for label, format_ in zip(labels, self.layout, strict=True):
                raw = data[at : at + format_.octets]
                at += format_.octets
                yield _new_tuple(ItemValue, (label, *format_.decode(raw), raw))

    def _does_not_fit(self, data: bytes) -> RemoteProtocolError:
        most = f"1 to {len(self.labels)} times " if self.is_block else ""
        sentence = f"{self.item} is {most}{self.octets} octets, the answer holds {len(data)}"
        return RemoteProtocolError(sentence, kind="length", octets=data, offset=min(len(data), self.octets))
