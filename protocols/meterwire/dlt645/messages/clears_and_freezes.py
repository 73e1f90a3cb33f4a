"""What a meter is to forget, and what it is to keep: demands, events or all cleared; values frozen.

Source: DL/T 645-2007, 7.2 to 7.15; DL/T 645-1997, 6; spec section 2.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

import construct as c

from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.command import ACCESS, Command, Layouts, Password, wire_digits, wire_octets
from meterwire.errors import LocalProtocolError

_ALL_EVENTS = 0xFFFFFFFF
_EVENT_CLASSES = frozenset({0x03, *range(0x10, 0x22)})
_FREEZE_PATTERN = re.compile(
    "99(?:(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9]"
    "|99(?:[01][0-9]|2[0-3])[0-5][0-9]|9999[0-5][0-9]|999999)"
)
_Pattern = c.ExprAdapter(c.Bytes(4), wire_digits, wire_octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clear(Command):
    """What the clears have.

    Args:
        level: password level.
        password: 6 digits.
        operator_code: 8 hexadecimal digits, highest first; empty in 1997.
        sealed: enciphered data and MAC under level 98H, else empty.

    """

    level: int
    password: str = field(repr=False)
    operator_code: str = ""
    sealed: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearDemandRequest(_Clear):
    """Head-end: clear the present maximum demands (19H; 10H in 1997)."""

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x19): c.Struct(*ACCESS, "sealed" / c.GreedyBytes),
        ("dlt645-1997", 0x10): c.Struct("level" / c.Byte, "password" / Password, c.Terminated),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearMeterRequest(_Clear):
    """Head-end: clear energies, demands, freezes, events and load records (1AH)."""

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x1A): c.Struct(*ACCESS, "sealed" / c.GreedyBytes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearEventsRequest(_Clear):
    """Head-end: clear event records (1BH).

    Args:
        event: 0xFFFFFFFF for all, or DI3 DI2 DI1 FF for one kind.

    """

    event: int

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x1B): c.Struct(*ACCESS, "event" / c.Int32ul, "sealed" / c.GreedyBytes)
    }

    def check(self, edition: Edition) -> None:
        """Refuse what is no kind of event.

        Raises:
            LocalProtocolError: neither all events, nor an identifier of events with FFH in DI0.

        """
        Command.check(self, edition)
        kind = self.event >> 24 in _EVENT_CLASSES and self.event & 0xFF == 0xFF
        if self.event != _ALL_EVENTS and not kind:
            raise LocalProtocolError(
                f"{self.event:08X} is neither FFFFFFFF nor a kind of event like 030100FF"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRequest(Command):
    """Head-end: freeze now or from now on at a time (16H).

    Args:
        pattern: MMDDhhmm, 99 for "every": ``99999999`` now, ``99990000`` each day at 00:00.

    """

    pattern: str

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x16): c.Struct("pattern" / _Pattern, c.Terminated)}
    ADDRESSES = frozenset({"single", "broadcast"})
    UNANSWERED = frozenset({"broadcast"})

    def check(self, edition: Edition) -> None:
        """Refuse what is no pattern of the standard; a meter would refuse it too.

        Raises:
            LocalProtocolError: another pattern.

        """
        if not _FREEZE_PATTERN.fullmatch(self.pattern):
            raise LocalProtocolError(f"{self.pattern!r} is no freeze pattern like 99DDhhmm or 99999999")
