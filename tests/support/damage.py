"""What a line does to octets: every single damage of a frame, for tests of what receivers make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

_MARKS = (0x00, 0x16, 0x33, 0x68, 0xFE, 0xFF)
"""Octets that mean something in a frame."""
_EVERY_VALUE_UP_TO = 24
"""Octets of a frame in which each is made every other value."""


def without_one(octets: bytes) -> Iterator[bytes]:
    """Each octet lost."""
    for index in range(len(octets)):
        yield octets[:index] + octets[index + 1 :]


def flipped(octets: bytes) -> Iterator[bytes]:
    """Each bit of each octet, each octet counted up, and made a mark; every value in a short frame."""
    for index, octet in enumerate(octets):
        some = {octet ^ 1 << bit for bit in range(8)} | {*_MARKS, octet + 1 & 0xFF}
        for other in (some if len(octets) > _EVERY_VALUE_UP_TO else set(range(256))) - {octet}:
            yield replaced(octets, index, other)


def with_one_more(octets: bytes) -> Iterator[bytes]:
    """A mark, or the octet before again, put in front of each octet and behind; any octet in short frames."""
    for index in range(len(octets) + 1):
        more = {*_MARKS, octets[index - 1]} if len(octets) > _EVERY_VALUE_UP_TO else range(256)
        for other in more:
            yield octets[:index] + bytes((other,)) + octets[index:]


DAMAGES: tuple[Callable[[bytes], Iterator[bytes]], ...] = (without_one, flipped, with_one_more)


def replaced(octets: bytes, place: int, octet: int) -> bytes:
    """Another octet at a place; places go round."""
    place %= len(octets)
    return octets[:place] + bytes((octet,)) + octets[place + 1 :]
