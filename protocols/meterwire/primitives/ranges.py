"""Which octets of a piece of the wire are meant: as marks, one an octet, or as ranges."""

from __future__ import annotations

from itertools import groupby

Ranges = tuple[tuple[int, int], ...]
"""Octets by index, each range as (first, one after), in order."""


def marked(marks: bytes | bytearray) -> Ranges:
    """The ranges in which the marks are not zero, as long as they can be.

    Args:
        marks: one octet for each octet of the wire.

    """
    found: list[tuple[int, int]] = []
    at = 0
    for is_meant, run in groupby(marks, bool):
        end = at + sum(1 for _ in run)
        if is_meant:
            found.append((at, end))
        at = end
    return tuple(found)
