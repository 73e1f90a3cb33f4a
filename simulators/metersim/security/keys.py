"""The keys of one meter, made from the root of the suite and the meter's diversifier.

Source: spec section 7.2 of control and prepayment, K_p = E(root, diversifier8 || p || 0^7).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from metersim.security import sm4

LAB_ROOT: Final = bytes.fromhex("00112233445566778899aabbccddeeff")
"""Published: it protects nothing, it makes frames that can be checked."""
DIVERSIFIER_OCTETS: Final = 8

_METER_NUMBER = re.compile("[0-9]{12}").fullmatch
_KEYS: Final = 5
_ROOT_FILE_OCTETS_MAX: Final = 256


def diversifier_of(meter_number: str) -> bytes:
    """What tells a meter's keys from those of the others.

    Args:
        meter_number: 12 digits; not the communication address, which may be another.

    Raises:
        ValueError: not 12 digits.

    """
    if not _METER_NUMBER(meter_number):
        raise ValueError(f"{meter_number!r} is no meter number: 12 digits")
    return bytes(2) + bytes.fromhex(meter_number)


def read_root(path: Path) -> bytes:
    """A root key out of a file.

    Args:
        path: text of 32 hexadecimal digits.

    Raises:
        ValueError: something else; the words hold nothing of it.
        OSError: it cannot be read.

    """
    with path.open("rb") as file:
        text = file.read(_ROOT_FILE_OCTETS_MAX).strip()
    try:
        root = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        root = b""
    if len(root) != sm4.BLOCK_OCTETS:
        raise ValueError(f"{path} holds no root key: {2 * sm4.BLOCK_OCTETS} hexadecimal digits")
    return root


class LabKeys:
    """The five keys of one meter; they never show.

    Args:
        diversifier: 8 octets.
        root: 16 octets.

    Attributes:
        auth: key of identity authentication, p = 01.
        control: of control commands, p = 02.
        parameter: of parameters, p = 03.
        wallet: of money, p = 04.
        app698: of associations of DL/T 698.45, p = 05.
        diversifier: what they were made with.

    Raises:
        ValueError: a length is wrong.
        SecurityUnavailable: this machine has no SM4.

    """

    __slots__ = ("app698", "auth", "control", "diversifier", "parameter", "wallet")

    def __init__(self, diversifier: bytes, *, root: bytes = LAB_ROOT) -> None:
        if len(diversifier) != DIVERSIFIER_OCTETS:
            raise ValueError(f"a diversifier of {len(diversifier)} octets: {DIVERSIFIER_OCTETS}")
        if len(root) != sm4.BLOCK_OCTETS:
            raise ValueError(f"a root key of {len(root)} octets: {sm4.BLOCK_OCTETS}")
        sm4.require_sm4()
        seeds = b"".join(diversifier + bytes((number,)) + bytes(7) for number in range(1, _KEYS + 1))
        made = sm4.encipher(root, seeds)
        self.diversifier = diversifier
        self.auth, self.control, self.parameter, self.wallet, self.app698 = (
            made[at : at + sm4.BLOCK_OCTETS] for at in range(0, len(made), sm4.BLOCK_OCTETS)
        )

    def __repr__(self) -> str:
        """Nothing of them."""
        return "LabKeys(<hidden>)"
