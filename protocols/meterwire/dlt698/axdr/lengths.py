"""Lengths and counts of A-XDR, and the limits of everything that can grow. Source: spec section 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meterwire.errors import LocalProtocolError, RemoteProtocolError

APDU_OCTETS_MAX: Final = 65_535
"""Longest APDU: the size that two stations agree on is a long-unsigned."""
ELEMENTS_MAX: Final = 10_000
"""Most elements of one SEQUENCE OF, array or structure."""
DEPTH_MAX: Final = 32
"""How deep Data may stand in Data; the deepest of the object model is 8."""
LENGTH_OCTETS_MAX: Final = 8
"""Longest length field behind its first octet; leading zeros are tolerated."""


def broken(sentence: str, kind: str, at: int) -> RemoteProtocolError:
    """The fault of a peer at an octet."""
    return RemoteProtocolError(sentence, kind=kind, offset=at)


def read_length(octets: bytes, at: int) -> tuple[int, int]:
    """A length or count, also when it is longer than it need be, and the index after it."""
    first = octets[at]
    if first < 0x80:
        return first, at + 1
    end = at + 1 + (first & 0x7F)
    if first == 0x80 or end - at - 1 > LENGTH_OCTETS_MAX:
        raise broken(f"{first:02X}H begins no length that can be", "length", at)
    if end > len(octets):
        raise IndexError
    return int.from_bytes(octets[at + 1 : end], "big"), end


def read_count(octets: bytes, at: int) -> tuple[int, int]:
    """A number of elements, refused before memory is taken when so many cannot follow."""
    count, end = read_length(octets, at)
    if count > len(octets) - end or count > ELEMENTS_MAX:
        kind = "truncated" if count > len(octets) - end else "limit"
        raise broken(f"{count} elements cannot follow", kind, at)
    return count, end


def write_length(length: int) -> bytes:
    """The shortest form."""
    if length < 0x80:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def write_count(elements: Sequence[object]) -> bytes:
    """How many there are; more than may be received are not sent."""
    if len(elements) > ELEMENTS_MAX:
        raise LocalProtocolError(f"{len(elements)} elements; {ELEMENTS_MAX} are allowed")
    return write_length(len(elements))
