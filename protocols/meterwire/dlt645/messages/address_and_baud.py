"""How a meter is reached: its address, read and written, and its speed.

Source: DL/T 645-2007, 7.2 to 7.15; DL/T 645-1997, 6; spec section 2.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import construct as c

from meterwire.dlt645.link.frame import BROADCAST, WILDCARD
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.command import NOTHING, Command, Layouts, wire_digits, wire_octets
from meterwire.errors import LocalProtocolError

_Address = c.ExprAdapter(c.Bytes(6), wire_digits, wire_octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAddressRequest(Command):
    """Head-end: tell me your address (13H); point to point only."""

    address: str = WILDCARD

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x13): NOTHING}
    ADDRESSES = frozenset({"wildcard"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAddressReply(Command):
    """Meter: its address (93H).

    Args:
        meter_address: 12 digits.

    """

    meter_address: str

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x13): c.Struct("meter_address" / _Address, c.Terminated)}
    FROM_METER = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteAddressRequest(Command):
    """Head-end: take a new address (15H; 0AH in 1997); point to point, programming key pressed.

    Args:
        new_address: 12 digits.

    """

    address: str = WILDCARD
    new_address: str

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x15): c.Struct("new_address" / _Address, c.Terminated),
        ("dlt645-1997", 0x0A): c.Struct("new_address" / _Address, c.Terminated),
    }

    @classmethod
    def addresses(cls, edition: Edition) -> frozenset[str]:
        """All A in 2007, the broadcast in 1997; in both it is for the one meter on the line."""
        return frozenset({"wildcard" if edition == "dlt645-2007" else "broadcast"})

    def check(self, edition: Edition) -> None:
        """Refuse an address that is none, or one that means many meters.

        Raises:
            LocalProtocolError: not 12 decimal digits, or the broadcast address.

        """
        if not re.fullmatch("[0-9]{12}", self.new_address) or self.new_address == BROADCAST:
            raise LocalProtocolError(f"{self.new_address!r} is no address for one meter")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaudRequest(Command):
    """Head-end: talk at another speed (17H; 0CH in 1997).

    Args:
        word: baud word, exactly one bit set, e.g. 08H for 2400.

    """

    word: int

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x17): c.Struct("word" / c.Byte, c.Terminated),
        ("dlt645-1997", 0x0C): c.Struct("word" / c.Byte, c.Terminated),
    }

    def check(self, edition: Edition) -> None:
        """Refuse a word that names no speed, or several.

        Raises:
            LocalProtocolError: not exactly one of bits 1 to 6.

        """
        if self.word not in {0x02, 0x04, 0x08, 0x10, 0x20, 0x40}:
            raise LocalProtocolError(f"baud word {self.word:02X}H names no one speed")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaudReply(Command):
    """Meter: it will talk at that speed after this answer (97H; 8CH in 1997)."""

    word: int

    LAYOUTS: ClassVar[Layouts] = BaudRequest.LAYOUTS
    FROM_METER = True
