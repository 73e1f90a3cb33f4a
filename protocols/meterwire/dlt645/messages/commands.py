"""Messages beside reads, control and security: frozen dataclasses, their DATA declared with construct.

A declaration's fields bear the names of the dataclass's; both directions and both editions stand here.
Passwords, keys, cipher blocks and MACs do not show in ``repr`` and are listed in ``SECRET_FIELDS``;
operator codes show. Which addresses a request may go to is part of its class: nothing that changes a
meter can be built for a broadcast or shortened address, except what the standard sends to all.
Source: DL/T 645-2007, 7.2 to 7.15; DL/T 645-1997, 6; spec sections 2.2 and 9.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

import construct as c

from meterwire.dlt645.items import formats
from meterwire.dlt645.link.frame import BROADCAST, WILDCARD
from meterwire.dlt645.link.functions import Edition
from meterwire.errors import LocalProtocolError
from meterwire.primitives import bcd

Layouts = dict[tuple[Edition, int], Any]
"""DATA (a construct declaration) by edition and function code."""

SECRET_FIELDS: Final = frozenset({"password", "new_password", "cipher", "mac", "payload", "sealed"})
"""Fields that no log, trace or screen shows."""

TERMINAL_SIGNALS: Final = range(3)
"""Signals of the multi-function terminal: second pulse, demand period, switch of the tariff period."""

CLOCK = formats.parse("YYMMDDhhmmss")
_PASSWORD = re.compile("[0-9]{6}")
_PASSWORD_DI = 0x04000C00  # 04 00 0C 01 is the password of level 0, 04 00 0C 0A that of level 9
_LEVELS = range(10)
_ALL_EVENTS = 0xFFFFFFFF
_EVENT_CLASSES = frozenset({0x03, *range(0x10, 0x22)})
_FREEZE_PATTERN = re.compile(
    "99(?:(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9]"
    "|99(?:[01][0-9]|2[0-3])[0-5][0-9]|9999[0-5][0-9]|999999)"
)


def wire_digits(octets: bytes, _context: object) -> str:
    """Digits, highest first, of octets that go lowest first."""
    return bcd.digits(octets)


def wire_octets(text: str, _context: object) -> bytes:
    """Undo ``wire_digits``."""
    return bcd.octets(text)


def _clock_text(octets: bytes, _context: object) -> str:
    content, problem = CLOCK.decode(octets)
    if problem is not None:
        raise c.ValidationError("the time is no BCD, or all zero")
    return str(content)


def _clock_octets(text: str, _context: object) -> bytes:
    return CLOCK.encode(text)


_Password = c.ExprAdapter(c.Bytes(3), wire_digits, wire_octets)  # P0 P1 P2, lowest pair first
Operator = c.ExprAdapter(c.Bytes(4), wire_digits, wire_octets)  # C0..C3
_Address = c.ExprAdapter(c.Bytes(6), wire_digits, wire_octets)
_Clock = c.ExprAdapter(c.Bytes(6), _clock_text, _clock_octets)
_Pattern = c.ExprAdapter(c.Bytes(4), wire_digits, wire_octets)

_NOTHING = c.Struct(c.Terminated)
ACCESS = ("level" / c.Byte, "password" / _Password, "operator_code" / Operator)


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
class ReadAddressRequest(Command):
    """Head-end: tell me your address (13H); point to point only."""

    address: str = WILDCARD

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x13): _NOTHING}
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
class ReadAgainRequest(Command):
    """Head-end, 1997 only: send the last answer again (03H)."""

    LAYOUTS: ClassVar[Layouts] = {("dlt645-1997", 0x03): _NOTHING}


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRequest(Command):
    """Head-end: write one data identifier (14H; 04H in 1997).

    Args:
        di: what to write.
        level: password level, 0 to 9, or 96H to 99H with a security chip.
        password: 6 digits.
        operator_code: 8 hexadecimal digits, highest first; empty in 1997.
        payload: the data as it goes on the wire (with a MAC behind under level 99H).

    """

    di: int
    level: int
    password: str = field(repr=False)
    operator_code: str = ""
    payload: bytes = field(repr=False)

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x14): c.Struct("di" / c.Int32ul, *ACCESS, "payload" / c.GreedyBytes),
        ("dlt645-1997", 0x04): c.Struct(
            "di" / c.Int16ul, "level" / c.Byte, "password" / _Password, "payload" / c.GreedyBytes
        ),
    }


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePasswordRequest(Command):
    """Head-end: a new password (18H; 0FH in 1997).

    Args:
        di: 04 00 0C nn, the password to change; 0 in 1997.
        level: level of the old password.
        password: the old one, 6 digits.
        new_level: level of the new password.
        new_password: 6 digits.

    """

    di: int = 0
    level: int
    password: str = field(repr=False)
    new_level: int
    new_password: str = field(repr=False)

    _PASSWORDS = (
        "level" / c.Byte,
        "password" / _Password,
        "new_level" / c.Byte,
        "new_password" / _Password,
        c.Terminated,
    )
    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x18): c.Struct("di" / c.Int32ul, *_PASSWORDS),
        ("dlt645-1997", 0x0F): c.Struct(*_PASSWORDS),
    }

    def check(self, edition: Edition) -> None:
        """Refuse an identifier of no password, and a level that may not change it (00 is the highest).

        Raises:
            LocalProtocolError: as said.

        """
        Command.check(self, edition)
        if edition == "dlt645-1997":
            return
        changed = self.di - _PASSWORD_DI - 1
        if changed not in _LEVELS:
            raise LocalProtocolError(
                f"{self.di:08X} is no password; those of levels 0 to 9 are 04000C01 to 0A"
            )
        if self.level > changed:
            sentence = f"the password of level {changed} is not changed under level {self.level}"
            raise LocalProtocolError(f"{sentence}: take its own level or a higher one (0 is the highest)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePasswordReply(Command):
    """Meter: the new password stands (98H; 8FH in 1997)."""

    new_level: int
    new_password: str = field(repr=False)

    _NEW = c.Struct("new_level" / c.Byte, "new_password" / _Password, c.Terminated)
    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x18): _NEW, ("dlt645-1997", 0x0F): _NEW}
    FROM_METER = True


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
        ("dlt645-1997", 0x10): c.Struct("level" / c.Byte, "password" / _Password, c.Terminated),
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
class BroadcastTime(Command):
    """Head-end: this is the time (08H); nobody answers, but for one make (88H), for which nobody waits.

    Args:
        clock: ``YYYY-MM-DD hh:mm:ss``, the meters' civil time.

    """

    address: str = BROADCAST
    clock: str

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x08): c.Struct("clock" / _Clock, c.Terminated),
        ("dlt645-1997", 0x08): c.Struct("clock" / _Clock, c.Terminated),
    }
    ADDRESSES = frozenset({"single", "broadcast"})
    UNANSWERED = ADDRESSES

    def check(self, edition: Edition) -> None:
        """Refuse a time that no calendar has: every meter of the line would take it.

        Raises:
            LocalProtocolError: as said.

        """
        try:
            datetime.strptime(self.clock, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - a meter's civil time
        except ValueError:
            raise LocalProtocolError(f"{self.clock!r} is no time like 2026-11-22 15:30:00") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalOutputRequest(Command):
    """Head-end: which signal the multi-function terminal gives (1DH).

    Args:
        signal: 0 second pulse of the clock, 1 demand period, 2 switch of the tariff period.

    """

    signal: int

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x1D): c.Struct("signal" / c.Byte, c.Terminated)}

    def check(self, edition: Edition) -> None:
        """Refuse a signal that no source knows.

        Raises:
            LocalProtocolError: not 0, 1 or 2.

        """
        if self.signal not in TERMINAL_SIGNALS:
            raise LocalProtocolError(f"terminal signal {self.signal} is none of 0, 1, 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalOutputReply(Command):
    """Meter: it took the signal (9DH).

    Args:
        signal: again; ``None`` where the answer is empty. No source shows one, so both are read.

    """

    signal: int | None = None

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x1D): c.Struct("signal" / c.Optional(c.Byte), c.Terminated)
    }
    FROM_METER = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Infrared(Command):
    """What infrared authentication and module commands have: no source tells what stands in them.

    Args:
        payload: DATA, as it came.

    """

    payload: bytes = field(repr=False)

    def check(self, edition: Edition) -> None:
        """Refuse it: nobody knows what a meter would do.

        Raises:
            LocalProtocolError: always.

        """
        raise LocalProtocolError("1FH is read and never built: no source tells what stands in it")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfraredRequest(_Infrared):
    """Head-end: infrared authentication or a command to a module (1FH)."""

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x1F): c.Struct("payload" / c.GreedyBytes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfraredReply(_Infrared):
    """Meter: its part of that (9FH)."""

    LAYOUTS: ClassVar[Layouts] = InfraredRequest.LAYOUTS
    FROM_METER = True


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
        **{("dlt645-2007", code): _NOTHING for code in (0x08, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B)},
        **{("dlt645-1997", code): _NOTHING for code in (0x04, 0x0A, 0x10)},
        ("dlt645-2007", 0x1C): c.Struct("execution_word" / c.GreedyBytes),
    }
    FROM_METER = True
