"""What all commands share: address and checks, how their fields stand in DATA, and the common answer.

A command is a message beside reads: a frozen dataclass whose DATA is declared with construct. A
declaration's fields bear the names of the dataclass's; both directions and both editions stand together.
Passwords, keys, cipher blocks and MACs do not show in ``repr`` and are listed in ``SECRET_FIELDS``;
operator codes show. Which addresses a request may go to is part of its class: nothing that changes a
meter can be built for a broadcast or shortened address, except what the standard sends to all.
Source: DL/T 645-2007, 7.2 to 7.15; DL/T 645-1997, 6; spec sections 2.2 and 9.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import construct as c

from meterwire.dlt645.items import formats
from meterwire.dlt645.link.functions import Edition
from meterwire.errors import LocalProtocolError
from meterwire.primitives import bcd

Layouts = dict[tuple[Edition, int], Any]
"""DATA (a construct declaration) by edition and function code."""

SECRET_FIELDS: Final = frozenset({"password", "new_password", "cipher", "mac", "payload", "sealed"})
"""Fields that no log, trace or screen shows."""

CLOCK = formats.parse("YYMMDDhhmmss")
_PASSWORD = re.compile("[0-9]{6}")


def wire_digits(octets: bytes, _context: object) -> str:
    """Digits, highest first, of octets that go lowest first."""
    return bcd.digits(octets)


def wire_octets(text: str, _context: object) -> bytes:
    """Undo ``wire_digits``."""
    return bcd.octets(text)


Password = c.ExprAdapter(c.Bytes(3), wire_digits, wire_octets)  # P0 P1 P2, lowest pair first
Operator = c.ExprAdapter(c.Bytes(4), wire_digits, wire_octets)  # C0..C3

NOTHING = c.Struct(c.Terminated)
ACCESS = ("level" / c.Byte, "password" / Password, "operator_code" / Operator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What all of these messages have: the meter's address.

    Args:
        address: 12 digits, highest first.

    """

    address: str

    LAYOUTS: ClassVar[Layouts] = {}
    """For each edition and function code that carries the message, its DATA."""
    FROM_METER: ClassVar[bool] = False
    ADDRESSES: ClassVar[frozenset[str]] = frozenset({"single"})
    """Kinds of address that a request may go to: ``single``, ``shortened``, ``wildcard``, ``broadcast``."""
    UNANSWERED: ClassVar[frozenset[str]] = frozenset()
    """Kinds of address from which no answer comes."""

    @classmethod
    def addresses(cls, edition: Edition) -> frozenset[str]:
        """Kinds of address that a request of ``edition`` may go to."""
        return cls.ADDRESSES

    def check(self, edition: Edition) -> None:
        """Refuse what must not be sent; what this class refuses holds for those made of it too.

        Args:
            edition: whose frame it will be.

        Raises:
            LocalProtocolError: a value outside its range.

        """
        for name in ("password", "new_password"):
            if not _PASSWORD.fullmatch(getattr(self, name, "000000")):
                raise LocalProtocolError(f"{type(self).__name__}: {name} is not 6 decimal digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAgainRequest(Command):
    """Head-end, 1997 only: send the last answer again (03H)."""

    LAYOUTS: ClassVar[Layouts] = {("dlt645-1997", 0x03): NOTHING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement(Command):
    """Meter: it took the command (94H, 95H, 96H, 99H..9CH, of one make 88H; in 1997 84H, 8AH, 90H).

    Args:
        function: function code of the command.
        execution_word: two octets of newer meters after 1CH, wire order; else empty.

    """

    function: int
    execution_word: bytes = b""

    LAYOUTS: ClassVar[Layouts] = {
        **{("dlt645-2007", code): NOTHING for code in (0x08, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B)},
        **{("dlt645-1997", code): NOTHING for code in (0x04, 0x0A, 0x10)},
        ("dlt645-2007", 0x1C): c.Struct("execution_word" / c.GreedyBytes),
    }
    FROM_METER = True
