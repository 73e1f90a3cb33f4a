"""The FCS-16 that guards DL/T 698.45 frames: CRC-16/X.25, reflected, computed by the C code of ``binascii``.

``binascii.crc_hqx`` shifts left where X.25 shifts right, so octets and result pass through a table that
reverses bits. The *register* is the state of ``crc_hqx`` between octets; over any octets followed by
their two check octets it ends at ``RESIDUE``, which makes a check one call, and lets a second check
that covers the first go on from there.
Source: RFC 1662, C.2; spec section 1.4.
"""

from __future__ import annotations

import binascii
from typing import Final

RESIDUE: Final = 0x1D0F
"""Register after octets and their own check octets (F0B8H with its bits reversed)."""

_START = 0xFFFF
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
_REVERSED_INVERTED = bytes(octet ^ 0xFF for octet in _REVERSED)


def register(octets: bytes | bytearray, before: int = _START) -> int:
    """The register after ``octets``.

    Args:
        octets: what goes through the register.
        before: register to go on from.

    """
    return binascii.crc_hqx(octets.translate(_REVERSED), before)


def check_octets(after: int) -> bytes:
    """The two check octets for a register, low octet first as they go on the wire."""
    return after.to_bytes(2, "big").translate(_REVERSED_INVERTED)


def fcs16(octets: bytes | bytearray) -> int:
    """The check value of ``octets``; 906EH for the text ``123456789``."""
    return int.from_bytes(check_octets(register(octets)), "little")
