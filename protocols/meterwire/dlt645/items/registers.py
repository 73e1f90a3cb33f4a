"""The fast path for a block of registers: plain unsigned BCD of one format, one behind the other.

Beside the declared layout, for the commonest long answer (total and tariffs of an energy): its digits
are checked, turned round, cut and given their point all at once. What is not plain (absent, no digits,
a delimiter, another length) is left to the declaration.
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from meterwire.dlt645.items.formats import Number
from meterwire.dlt645.items.values import ItemValue, new_tuple
from meterwire.item_value import Label

_PLAIN_BCD: Final = bytes(octet for octet in range(256) if octet >> 4 < 10 and octet & 0x0F < 10)
_NO_PROBLEM: Final = itertools.repeat(None)
_value: Callable[[tuple[object, ...]], ItemValue] = functools.partial(new_tuple, ItemValue)

_Cutter = Callable[[bytes], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """Registers in a row.

    Args:
        labels: what each of them is; an answer may hold fewer, from the first on.
        number: their format, without a sign.

    """

    labels: tuple[Label, ...]
    number: Number
    _cutters: Mapping[int, _Cutter] = field(init=False, repr=False, compare=False)
    _point: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Get ready for every length."""
        object.__setattr__(self, "_cutters", _cutters_for(self.number.octets, len(self.labels)))
        object.__setattr__(self, "_point", f"E-{self.number.decimals}")

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values, when ``data`` is whole registers of plain digits and nothing else."""
        cut = self._cutters.get(len(data))
        if cut is None or data.translate(None, _PLAIN_BCD):
            return None
        point = self._point  # "78260012340000" becomes "002678E-2 003412E-2", read from behind
        texts = (data[::-1].hex(" ", self.number.octets).replace(" ", point + " ") + point).split()
        texts.reverse()
        return tuple(map(_value, zip(self.labels, map(Decimal, texts), _NO_PROBLEM, cut(data))))  # noqa: B905


@functools.cache
def _cutters_for(size: int, most: int) -> Mapping[int, _Cutter]:
    """For each length of 1 to ``most`` pieces of ``size`` octets, what cuts it into them."""
    return {size * count: struct.Struct(f"{size}s" * count).unpack for count in range(1, most + 1)}
