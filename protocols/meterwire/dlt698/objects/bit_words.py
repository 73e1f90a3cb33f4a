"""Words whose bits have names: status words, control words, combination words.

A bit has the name that it has in DL/T 645, where it means the same. On the wire bit 0 is the first of
the bit-string; some meters send the word as a number instead, bit 0 last: ``BitOrder``.
``dictionary/bit_words.csv`` holds one bit a line. Source: spec section 6.4; control-and-prepayment, 1.4.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Literal

from meterwire.dlt698.axdr.values import BitString
from meterwire.primitives.bits import Bit, read_bits

BitOrder = Literal["bit0_first", "number"]


@functools.cache
def bit_words() -> Mapping[str, tuple[Bit, ...]]:
    """Every word's bits, lowest first."""
    found: dict[str, tuple[Bit, ...]] = {}
    for word, bit in read_bits("meterwire.dlt698.objects"):
        found[word] = (*found.get(word, ()), bit)
    return found


def word_number(bits: BitString, order: BitOrder = "bit0_first") -> int:
    """A word as a number whose bit n is bit n of the word.

    Args:
        bits: as on the wire.
        order: how this meter sends it.

    """
    text = str(bits)
    return int((text[::-1] if order == "bit0_first" else text) or "0", 2)


def word_bits(number: int, size: int, order: BitOrder = "bit0_first") -> BitString:
    """Undo ``word_number``; ``size`` in bits."""
    text = f"{number:0{size}b}"
    return BitString.of(text[::-1] if order == "bit0_first" else text)


def bits_set(word: str, number: int) -> tuple[Bit, ...]:
    """The bits that are set and have a name; a word that nobody knows has none."""
    return tuple(bit for bit in bit_words().get(word, ()) if number >> bit.place & 1)
