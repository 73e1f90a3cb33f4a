"""Words whose bits have names: error words, status words, mode words.

``dictionary/bit_words.csv`` holds one bit a line. ``EXT`` behind the word's name marks a bit that the
standard's text keeps in reserve and a supplement names; ``meter_status_word_3_2007`` is the word without
these. Source: DL/T 645-2007, 7.1 and annex C; spec sections 2.5, 7.1, 7.2 and 9.1; for the control and
security words spec control-and-prepayment, 1.4 and 2.1.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, Literal

from meterwire.primitives.bits import Bit, read_bits

Language = Literal["en", "zh"]

WORD_OCTETS_MAX: Final = 2
"""Longest error word or execution word; what is longer is none that we know, and may be a secret."""
_WORD_BITS: Final = 16
_COMPOSED: Final = {
    "report_mode_word": ("report_word_1", "meter_status_word_4", "meter_status_word_7", "report_word_4")
}
"""Words of several words of 16 bits, the first one lowest: R1 to R4 of 04 00 11 04, spec section 6."""


@functools.cache
def bit_words() -> Mapping[str, tuple[Bit, ...]]:
    """Every word's bits, lowest first; a word that a supplement extends also in the standard's own extent."""
    found: dict[str, list[Bit]] = {}
    supplements: dict[str, set[Bit]] = {}
    for written, bit in read_bits("meterwire.dlt645.items"):
        word, _, mark = written.partition(" ")
        found.setdefault(word, []).append(bit)
        if mark:
            supplements.setdefault(word, set()).add(bit)
    for word, parts in _COMPOSED.items():
        found[word] = [
            bit._replace(place=bit.place + _WORD_BITS * at)
            for at, part in enumerate(parts)
            for bit in found[part]
        ]
    for word, added in supplements.items():
        found[f"{word}_2007"] = [bit for bit in found[word] if bit not in added]
    return {word: tuple(sorted(bits)) for word, bits in found.items()}


def bits_set(word: str, octets: bytes) -> tuple[Bit, ...]:
    """The bits that are set and have a name.

    Args:
        word: name of the word; one that nobody knows has no bits.
        octets: the word as on the wire, lowest octet first.

    """
    number = int.from_bytes(octets, "little")
    return tuple(bit for bit in bit_words().get(word, ()) if number >> bit.place & 1)


def sentence(word: str, octets: bytes, language: Language) -> str:
    """What a refusal says, with the octets as people write them, highest first.

    Of more octets than a word has, only their number is said.
    """
    bits = bits_set(word, octets)
    known = len(octets) <= WORD_OCTETS_MAX
    raw = f"{octets[::-1].hex().upper()}H" if known else ""
    if language == "zh":
        reason = "、".join(bit.zh for bit in bits) or "无说明"
        return f"电表拒绝：{reason}（{raw or f'{len(octets)} 字节'}）"
    reason = ", ".join(bit.en for bit in bits) or "no reason given"
    return f"the meter refused: {reason} ({raw or f'{len(octets)} octets'})"
