"""The 8-bit sum that closes DL/T 645 and Q/GDW 1376 frames."""

from __future__ import annotations


def sum8(octets: bytes) -> int:
    """Sum of all octets, modulo 256."""
    return sum(octets) & 0xFF
