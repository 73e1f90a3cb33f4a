"""The security module (ESAM) of one meter: serial, keys, counters, and what both protocols do with them."""

from __future__ import annotations

import random
from typing import Final

from metersim.security import suite698
from metersim.security.association import Association698
from metersim.security.failures import FailureLimits, Failures
from metersim.security.identity import Identity645
from metersim.security.keys import LAB_ROOT, LabKeys, diversifier_of

KEY_VERSION: Final = bytes(16)
"""All zero: test keys, which everybody knows. Source: spec section 4.7, F100 attribute 4."""
KEY_INFO: Final = "00000001"
"""The same in DL/T 645, where vectors show it so."""
VERSION: Final = b"LAB-SM4 1"


class LabModule:
    """The module of one meter.

    Its diversifier is the meter number; an association of DL/T 698.45 may also be made with its serial, as
    head-ends do with meters that still have test keys (spec section 5.1, step 2).

    Args:
        meter_number: 12 digits.
        seed: of the plant; serial and random numbers follow from it and the meter number.
        serial: 16 hexadecimal digits, in place of the one that follows.
        root: key of the suite.
        limits: how many wrong MACs it bears.

    Attributes:
        serial: 8 octets.
        failures: wrong MACs, of both protocols.
        identity: DL/T 645.
        association: DL/T 698.45.

    Raises:
        ValueError: meter number, serial or root is of no use.
        SecurityUnavailable: this machine has no SM4.

    """

    def __init__(
        self,
        meter_number: str,
        *,
        seed: int,
        serial: str | None = None,
        root: bytes = LAB_ROOT,
        limits: FailureLimits | None = None,
    ) -> None:
        randomness = random.Random(f"{seed}:{meter_number}:security module")  # noqa: S311 - replayed by seed
        self.serial = _serial(serial) if serial else b"\x51\x01" + randomness.randbytes(6)
        self.failures = Failures(limits)
        keys = LabKeys(diversifier_of(meter_number), root=root)
        by_serial = LabKeys(self.serial, root=root)
        self.identity = Identity645(keys, self.serial, randomness=randomness, failures=self.failures)
        self.association = Association698(
            (keys, by_serial), self.serial, randomness=randomness, failures=self.failures
        )

    def __repr__(self) -> str:
        """Its serial and nothing else."""
        return f"LabModule(serial={self.serial.hex().upper()})"


def _serial(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) != suite698.SERIAL_OCTETS:
        raise ValueError(f"{text!r} is no serial of a security module: 16 hexadecimal digits")
    return octets
