"""Hexadecimal text, as people paste it -> octets."""

from __future__ import annotations

import re
from typing import Final

OCTETS_MAX: Final = 65_536
"""Most octets that are explained at once."""

_BETWEEN = re.compile(r"0[xX]|[\s,;:\-_\[\]{}()]+")


class NotHexadecimal(Exception):
    """The text holds something else, an odd number of digits, nothing, or too much."""


def octets_of(text: object) -> bytes:
    """Octets of ``text``; blanks, commas, colons, brackets and 0x between them are skipped.

    Raises:
        NotHexadecimal: it is no hexadecimal text.

    """
    if not isinstance(text, str):
        raise NotHexadecimal("there is no hexadecimal text")
    digits = _BETWEEN.sub("", text)
    if len(digits) > 2 * OCTETS_MAX:
        raise NotHexadecimal(f"there are more than {OCTETS_MAX} octets")
    if stray := re.search("[^0-9A-Fa-f]", digits):
        raise NotHexadecimal(f"{stray[0]!r} is no hexadecimal digit")
    if not digits:
        raise NotHexadecimal("there are no hexadecimal digits")
    if len(digits) % 2:
        raise NotHexadecimal(f"{len(digits)} digits make no whole octets: one is missing, or too many")
    return bytes.fromhex(digits)
