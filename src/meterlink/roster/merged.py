"""Which cells of a sheet are merged: only the first of them has a value, the others look like empty ones."""

from __future__ import annotations

import re
from typing import IO, Final

RANGES_NAMED_MAX: Final = 5
"""A sheet is not searched for more: so many show what is meant."""
_CHUNK_OCTETS: Final = 1024 * 1024
_TAG_OCTETS_MAX: Final = 512
_TAG: Final = re.compile(
    rb"<(?:[\w.-]{1,64}:)?mergeCell\s[^<>]{0,256}?ref\s{0,8}=\s{0,8}[\"']([A-Z0-9:$]{1,32})[\"']"
)


def merged_ranges(sheet: IO[bytes]) -> tuple[list[str], bool]:
    """The ranges of merged cells, the first ``RANGES_NAMED_MAX`` of them, and whether there are more.

    Args:
        sheet: the XML of it, which may be long and is read piece by piece.

    """
    found: dict[str, None] = {}
    left = b""
    while octets := sheet.read(_CHUNK_OCTETS):
        octets = left + octets
        for tag in _TAG.finditer(octets) if b"mergeCell" in octets else ():  # sheets of no such word are fast
            found[tag[1].decode()] = None
            if len(found) > RANGES_NAMED_MAX:
                return list(found)[:RANGES_NAMED_MAX], True
        left = octets[-_TAG_OCTETS_MAX:]
    return list(found), False
