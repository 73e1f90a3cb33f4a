"""What the frames of 1376.1 and 1376.2 have in common: 68H, a head, a sum behind it, 16H."""

from __future__ import annotations

from typing import Final

from meterwire.primitives.checksum import sum8

START: Final = 0x68
END: Final = 0x16
TAIL_OCTETS: Final = 2
"""Checksum and 16H."""


def good_end(octets: bytes, start: int, head_octets: int, size: int) -> int:
    """Index after the frame of a head; -1 when what stands there is no good one.

    Args:
        octets: with the head.
        start: where the frame begins.
        head_octets: octets of the head; the sum begins behind them.
        size: octets of the frame by its head; 0: it is no head.

    """
    end = start + size
    if not size or len(octets) < end or octets[end - 1] != END:
        return -1
    return end if sum8(octets[start + head_octets : end - TAIL_OCTETS]) == octets[end - TAIL_OCTETS] else -1


def tail_fault(octets: bytes, start: int, head_octets: int, end: int) -> tuple[str, int, str] | None:
    """What is wrong with the last octets of a frame that is all there: kind, place and sentence.

    Args:
        octets: with the whole frame.
        start: where it begins.
        head_octets: as of ``good_end``.
        end: index after it.

    """
    if octets[end - 1] != END:
        return "end", end - 1, f"the end octet is {octets[end - 1]:02X}H, not 16H"
    at = end - TAIL_OCTETS
    found, wanted = octets[at], sum8(octets[start + head_octets : at])
    if found != wanted:
        return "checksum", at, f"the checksum is {found:02X}H, the octets add up to {wanted:02X}H"
    return None
