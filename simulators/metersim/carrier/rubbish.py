"""What real modules do to their frames: rubbish in reserved bits, octets before a meter's frame."""

from __future__ import annotations

from random import Random
from typing import Final

from meterwire.primitives.checksum import sum8

FE: Final = 0xFE
_RESERVED: Final = {4: 0b1010, 5: 0xF0, 8: 0xFE}
"""Bits of a frame from the module that mean nothing, by place. Source: spec section A2."""


def with_rubbish(octets: bytes, random: Random) -> bytes:
    """A frame whose reserved bits are whatever they are.

    Args:
        octets: exactly one frame from a module.
        random: what they are.

    """
    changed = bytearray(octets)
    for at, mask in _RESERVED.items():
        changed[at] = changed[at] & ~mask & 0xFF | random.getrandbits(8) & mask
    changed[-2] = sum8(bytes(changed[3:-2]))
    return bytes(changed)


def frames_in(octets: bytes) -> list[bytes]:
    """The frames that stand one after the other, each with its length before it told by L of 1376.2."""
    found = []
    while octets:
        size = octets[1] | octets[2] << 8
        found.append(octets[:size])
        octets = octets[size:]
    return found


def dressed(frame: bytes, *, preamble: int, stray: int | None) -> bytes:
    """A meter's frame as the module hands it on.

    Args:
        frame: as the meter sent it, with octets FEH before it or not.
        preamble: octets FEH that the module sets before it.
        stray: an octet of rubbish before them; ``None``: none.

    """
    bare = frame.lstrip(bytes((FE,)))
    return bytes(() if stray is None else (stray,)) + bytes((FE,)) * preamble + bare
