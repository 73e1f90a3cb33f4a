"""Control (1CH) and security (03H): the envelopes; what stands inside 03H is in ``security``.

Source: spec control-and-prepayment, sections 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import construct as c

from meterwire.dlt645.items import formats
from meterwire.dlt645.items.dialects import dialects
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.command import (
    ACCESS,
    CLOCK,
    Command,
    Layouts,
    Operator,
    wire_digits,
    wire_octets,
)
from meterwire.errors import LocalProtocolError

CIPHER_LEVELS: Final = frozenset(one.cipher_level for one in dialects() if one.cipher_level is not None)
"""Password levels under which the command is enciphered (98H; 96H in the Southern Grid)."""
MAC_LEVELS: Final = frozenset(one.mac_level for one in dialects() if one.mac_level is not None)
"""Password levels under which data is plain and a MAC follows it."""


ORDERS: Final = frozenset({0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x2A, 0x2B, 0x3A, 0x3B})
"""N1 of a control request: trip, close, trip for a time, alarm and power guarantee."""
TIMED_ORDERS: Final = frozenset({0x1D, 0x1E})
"""Those that undo themselves after N2 units of 5 minutes; for all others N2 is reserved."""
DURATION_MAX: Final = 255
"""Largest N2, binary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRequest(Command):
    """Head-end: trip, close, alarm or power guarantee, in plain (1CH).

    Args:
        level: password level.
        password: 6 digits.
        operator_code: 8 hexadecimal digits, highest first; the meter keeps it in its record.
        command: N1, e.g. 1AH trip.
        duration: N2, units of 5 minutes for 1DH and 1EH, else 0.
        expires: N3..N8, ss mm hh DD MM YY as on the wire.

    """

    level: int
    password: str = field(repr=False)
    operator_code: str
    command: int
    duration: int = 0
    expires: bytes

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x1C): c.Struct(
            *ACCESS, "command" / c.Byte, "duration" / c.Byte, "expires" / c.Bytes(6), c.Terminated
        )
    }

    def check(self, edition: Edition) -> None:
        """Refuse commands that no source knows, an expiry that is no date, and levels that want cipher.

        Raises:
            LocalProtocolError: as said.

        """
        Command.check(self, edition)
        if self.command not in ORDERS:
            known = ", ".join(f"{code:02X}H" for code in sorted(ORDERS))
            raise LocalProtocolError(
                f"no source knows a control command {self.command:02X}H; there are {known}"
            )
        if self.command in TIMED_ORDERS and not 1 <= self.duration <= DURATION_MAX:
            sentence = f"takes 1 to {DURATION_MAX} units of 5 minutes, not {self.duration}"
            raise LocalProtocolError(f"the control command {self.command:02X}H {sentence}")
        if self.command not in TIMED_ORDERS and self.duration:
            raise LocalProtocolError(f"the control command {self.command:02X}H has no duration; leave it 0")
        content, _ = CLOCK.decode(self.expires)
        if formats.moment(content) is None:
            raise LocalProtocolError(f"expiry {self.expires.hex()} is no date and time")
        if self.level > 9:
            raise LocalProtocolError(f"level {self.level:02X}H wants an enciphered command")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedControlRequest(Command):
    """Head-end: the same, enciphered (1CH with level 98H).

    Args:
        level: 98H, or 96H in the Southern Grid.
        password: 6 digits; no password here, ``010000`` asks for two-octet status words.
        operator_code: 8 hexadecimal digits, highest first.
        mac: 8 hexadecimal digits, highest first.
        cipher: 32 hexadecimal digits, highest first.

    """

    level: int = 0x98
    password: str = field(default="000000", repr=False)
    operator_code: str
    mac: str = field(repr=False)
    cipher: str = field(repr=False)

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x1C): c.Struct(
            *ACCESS,
            # Cipher and MAC are turned round as one block, so that the MAC comes first on the wire.
            "mac" / c.ExprAdapter(c.Bytes(4), wire_digits, wire_octets),
            "cipher" / c.ExprAdapter(c.Bytes(16), wire_digits, wire_octets),
            c.Terminated,
        )
    }

    def check(self, edition: Edition) -> None:
        """Refuse a level under which nothing is enciphered.

        Raises:
            LocalProtocolError: as said.

        """
        Command.check(self, edition)
        if self.level not in CIPHER_LEVELS:
            known = " or ".join(f"{level:02X}H" for level in sorted(CIPHER_LEVELS))
            raise LocalProtocolError(f"level {self.level:02X}H takes no enciphered command; {known} does")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRequest(Command):
    """Head-end: authentication, top-up, keys (03H); the fields within are in ``security``.

    Args:
        di: 07 xx xx FF.
        operator_code: 8 hexadecimal digits, highest first.
        payload: what follows, wire order.

    """

    di: int
    operator_code: str
    payload: bytes = field(default=b"", repr=False)

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x03): c.Struct(
            "di" / c.Int32ul, "operator_code" / Operator, "payload" / c.GreedyBytes
        )
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityReply(Command):
    """Meter: its part of a security exchange (83H, or A3H with ``has_following``)."""

    di: int
    payload: bytes = field(default=b"", repr=False)
    has_following: bool = False

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x03): c.Struct("di" / c.Int32ul, "payload" / c.GreedyBytes)
    }
    FROM_METER = True
