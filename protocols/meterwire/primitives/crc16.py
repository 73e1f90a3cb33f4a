"""The CRC-16 that guards Modbus RTU frames: 8005H, reflected, begun at FFFFH, sent low octet first.

The *register* is the state between octets; over octets and their own two check octets it ends at 0. It is
linear, so the register over a piece follows from those of two beginnings: ``ahead`` does the one step that
this needs, and whoever keeps the registers of a stream checks any piece of it at the same small cost.
Source: Modbus over serial line V1.02, 6.2.2 and appendix B.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

START: Final = 0xFFFF
AHEAD_MAX: Final = 256
"""Longest piece that ``ahead`` goes over: one frame."""

_POLYNOMIAL = 0xA001


def _of_octet(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register


_TABLE = tuple(_of_octet(octet) for octet in range(256))


def step(register: int, octet: int) -> int:
    """The register after one more octet."""
    return register >> 8 ^ _TABLE[(register ^ octet) & 0xFF]


def crc16(octets: bytes | bytearray, before: int = START) -> int:
    """The register after ``octets``; 4B37H for the text ``123456789``.

    Args:
        octets: what goes through the register.
        before: register to go on from.

    """
    for octet in octets:
        before = before >> 8 ^ _TABLE[(before ^ octet) & 0xFF]
    return before


def check_octets(octets: bytes) -> bytes:
    """The two octets that go on the wire behind ``octets``."""
    return crc16(octets).to_bytes(2, "little")


_BITS_AHEAD = tuple(
    accumulate(
        range(AHEAD_MAX),
        lambda bits, _: tuple(step(bit, 0) for bit in bits),
        initial=tuple(1 << bit for bit in range(16)),
    )
)


def ahead(register: int, octets: int) -> int:
    """The register after so many octets 00H.

    Args:
        register: before them.
        octets: 0 to 256.

    """
    found = 0
    for bit in _BITS_AHEAD[octets]:
        if register & 1:
            found ^= bit
        register >>= 1
    return found
