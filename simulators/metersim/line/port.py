"""How a serial port is set, and how long its octets are on the wire: exact whole ticks, no rounding.

A tick is 1/1152 of a microsecond: a bit of every usual baud rate, half of it and the microsecond itself
are whole numbers of it, so times on a line are added and compared as integers.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from meterprofiles.schema import PARITIES, Parity

TICKS_A_MICROSECOND: Final = 1152
TICKS_A_MILLISECOND: Final = 1000 * TICKS_A_MICROSECOND
TICKS_A_SECOND: Final = 1000 * TICKS_A_MILLISECOND
# fmt: off
BAUDS: Final = (
    50, 75, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 7200, 9600, 14400, 19200, 38400, 57600, 115200,
    230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 3000000, 4000000,
)
# fmt: on
"""Rates that a port can be set to; meters have 300 to 115,200."""
DATA_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Port:
    """Settings of one end of a line: a start bit, eight data bits, the parity bit if any, one stop bit.

    Args:
        baud: bits a second, one of `BAUDS`.
        parity: ``"even"``, ``"odd"`` or ``"none"``.

    Raises:
        ValueError: a rate or a parity that no port here has.

    """

    baud: int = 2400
    parity: Parity = "even"

    def __post_init__(self) -> None:
        """Check the figures."""
        if self.baud not in BAUDS:
            raise ValueError(f"a port of {self.baud} bit/s: write one of {', '.join(map(str, BAUDS))}")
        if self.parity not in PARITIES:
            raise ValueError(f"parity {self.parity!r}: write one of {', '.join(PARITIES)}")

    @property
    def bit_ticks(self) -> int:
        """Ticks of one bit; even, so that its middle is a tick too."""
        return TICKS_A_SECOND // self.baud

    @property
    def octet_bits(self) -> int:
        """Bits of one octet on the wire: 11, or 10 without parity."""
        return _octet_bits(self.parity)

    @property
    def octet_ticks(self) -> int:
        """Ticks of one octet on the wire, from its start bit to the end of its stop bit."""
        return self.octet_bits * self.bit_ticks

    def pattern(self, octet: int) -> int:
        """The bits of an octet in the order of the wire, lowest first: start, data, parity, stop."""
        return _patterns(self.parity)[octet]


DEFAULT_PORT: Final = Port()
"""8E1 at 2400 bit/s, as meters of DL/T 645-2007 leave the factory."""


def parity_bit(octet: int, parity: Parity) -> int:
    """The parity bit of an octet.

    Args:
        octet: 0 to 255.
        parity: ``"even"`` or ``"odd"``.

    """
    return octet.bit_count() % 2 ^ (parity == "odd")


def _octet_bits(parity: Parity) -> int:
    return DATA_BITS + (2 if parity == "none" else 3)


@functools.cache
def _patterns(parity: Parity) -> tuple[int, ...]:
    stop = 1 << _octet_bits(parity) - 1
    if parity == "none":
        return tuple(stop | octet << 1 for octet in range(256))
    return tuple(stop | parity_bit(octet, parity) << 9 | octet << 1 for octet in range(256))
