"""What one field holds that has no format of its own in B4: integers, texts, octets, addresses of hosts.

Each decodes and encodes octets of a known number, and writes its value as JSON shows it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.formats.formats import Format, formats
from meterwire.primitives import bcd


class Leaf(Protocol):
    """How one value stands on the wire."""

    def decode(self, octets: bytes) -> Any:
        """The value."""

    def encode(self, value: Any, octets: int) -> bytes:
        """So many octets of the value.

        Raises:
            LocalProtocolError: it does not fit.

        """

    def shown(self, value: Any, raw: bytes) -> Any:
        """The value as JSON shows it; ``raw`` are its octets."""


@dataclass(frozen=True, slots=True)
class Formatted:
    """A value of a data format.

    Args:
        format: of ``formats.csv``.
        as_sent: JSON shows the octets and not the text.

    """

    format: Format
    as_sent: bool = False

    def decode(self, octets: bytes) -> Any:
        """Number, time or digits; ``None`` is "no value"."""
        return self.format.decode(octets)

    def encode(self, value: Any, octets: int) -> bytes:
        """Octets by the format."""
        del octets
        try:
            return self.format.encode(value)
        except (AttributeError, TypeError, ValueError):
            raise LocalProtocolError(f"a value of another type than {self.format.form!r} needs") from None

    def shown(self, value: Any, raw: bytes) -> Any:
        """The text with every digit."""
        return raw.hex() if self.as_sent else self.format.text(value)


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An integer, low octet first.

    Args:
        unit: what one step is worth, e.g. 10 for a time in steps of 10 ms.

    """

    unit: int = 1

    def decode(self, octets: bytes) -> int:
        """The number of units times ``unit``."""
        return int.from_bytes(octets, "little") * self.unit

    def encode(self, value: Any, octets: int) -> bytes:
        """Octets of a whole number of steps."""
        if not isinstance(value, int) or value % self.unit or not 0 <= value // self.unit < 1 << 8 * octets:
            most = ((1 << 8 * octets) - 1) * self.unit
            raise LocalProtocolError(f"{value!r} is not a number from 0 to {most} in steps of {self.unit}")
        return (value // self.unit).to_bytes(octets, "little")

    def shown(self, value: Any, raw: bytes) -> Any:
        """The number."""
        del raw
        return value


@dataclass(frozen=True, slots=True)
class FrameTimeout:
    """How long a terminal waits for a meter's frame: bit 7 says seconds or 10 ms, bits 0-6 how many."""

    def decode(self, octets: bytes) -> int:
        """Milliseconds."""
        return (octets[0] & 0x7F) * (1000 if octets[0] & 0x80 else 10)

    def encode(self, value: Any, octets: int) -> bytes:
        """The octet; in seconds only what 10 ms cannot say."""
        del octets
        if isinstance(value, int) and value >= 0:
            if value % 10 == 0 and value // 10 <= 0x7F:
                return bytes((value // 10,))
            if value % 1000 == 0 and value // 1000 <= 0x7F:
                return bytes((0x80 | value // 1000,))
        raise LocalProtocolError(f"{value!r} ms is neither 0..1270 in steps of 10 nor whole seconds to 127")

    def shown(self, value: Any, raw: bytes) -> Any:
        """Milliseconds."""
        del raw
        return value


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets that nobody interprets here."""

    def decode(self, octets: bytes) -> bytes:
        """The octets."""
        return octets

    def encode(self, value: Any, octets: int) -> bytes:
        """The same; they may be a password, so that no error shows them."""
        if not isinstance(value, bytes) or len(value) != octets:
            raise LocalProtocolError(f"{octets} octets are wanted")
        return value

    def shown(self, value: Any, raw: bytes) -> Any:
        """Hexadecimal."""
        del value
        return raw.hex()


@dataclass(frozen=True, slots=True)
class Text:
    """Text in reading order, filled with zeros.

    Args:
        reversed: the last character is sent first, and nothing is filled.

    """

    reversed: bool = False

    def decode(self, octets: bytes) -> str:
        """The text; every octet is one character, so that nothing is lost."""
        return (octets[::-1] if self.reversed else octets.rstrip(b"\0")).decode("latin-1")

    def encode(self, value: Any, octets: int) -> bytes:
        """Octets of the text; it may be a password, so that no error shows it."""
        try:
            raw: bytes = value.encode("latin-1")
        except (AttributeError, UnicodeEncodeError):
            raise LocalProtocolError("a text of single-octet characters is wanted") from None
        if len(raw) > octets or (self.reversed and len(raw) < octets):
            raise LocalProtocolError(f"a text of {len(raw)} characters is not one of {octets} octets")
        return raw[::-1] if self.reversed else raw.ljust(octets, b"\0")

    def shown(self, value: Any, raw: bytes) -> Any:
        """The text."""
        del raw
        return value


@dataclass(frozen=True, slots=True)
class Hexadecimal:
    """Digits that are told as they stand.

    Args:
        reversed: the highest pair is sent last.

    """

    reversed: bool = False

    def decode(self, octets: bytes) -> str:
        """The digits, upper case."""
        return bcd.digits(octets) if self.reversed else octets.hex().upper()

    def encode(self, value: Any, octets: int) -> bytes:
        """Octets of the digits."""
        raw = bcd.octets(value) if isinstance(value, str) else b""
        if len(raw) != octets:
            raise LocalProtocolError(f"{value!r} has not {2 * octets} digits")
        return raw if self.reversed else raw[::-1]

    def shown(self, value: Any, raw: bytes) -> Any:
        """The digits."""
        del raw
        return value


@dataclass(frozen=True, slots=True)
class CalendarDate:
    """Day, month and year of a module's version, in BCD; ``None`` where no calendar has them."""

    def decode(self, octets: bytes) -> date | None:
        """The date."""
        digits = bcd.digits(octets)
        try:
            return date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
        except ValueError:
            return None

    def encode(self, value: Any, octets: int) -> bytes:
        """Octets of a date of this century; zeros for none."""
        if value is None:
            return bytes(octets)
        if not isinstance(value, date) or not 2000 <= value.year < 2100:
            raise LocalProtocolError(f"{value!r} is not a date from 2000 to 2099")
        return bcd.octets(f"{value:%y%m%d}")

    def shown(self, value: Any, raw: bytes) -> Any:
        """``2016-10-20``; ``None`` where it is none."""
        del raw
        return None if value is None else value.isoformat()


@dataclass(frozen=True, slots=True)
class Clock:
    """A time from seconds to years in BCD, shown as ``YYMMDDhhmmss``: the digits, highest first."""

    def decode(self, octets: bytes) -> str:
        """The digits."""
        return bcd.digits(octets)

    def encode(self, value: Any, octets: int) -> bytes:
        """Octets of the digits."""
        return Hexadecimal(reversed=True).encode(value, octets)

    def shown(self, value: Any, raw: bytes) -> Any:
        """The digits."""
        del raw
        return value


@dataclass(frozen=True, slots=True)
class Host:
    """An IPv4 address in written order, and a port with the low octet first where there are six octets."""

    def decode(self, octets: bytes) -> str:
        """Address and port (``a.b.c.d:port``), or the address alone."""
        address = str(ipaddress.IPv4Address(octets[:4]))
        return f"{address}:{int.from_bytes(octets[4:], 'little')}" if len(octets) > 4 else address

    def encode(self, value: Any, octets: int) -> bytes:
        """Octets of an address, and of a port."""
        address, _, port = str(value).partition(":")
        try:
            raw = ipaddress.IPv4Address(address).packed
            return raw + int(port).to_bytes(octets - 4, "little") if octets > 4 else raw
        except (ValueError, OverflowError):
            raise LocalProtocolError(f"{value!r} is not an IPv4 address (and a port to 65535)") from None

    def shown(self, value: Any, raw: bytes) -> Any:
        """The same."""
        del raw
        return value


SIZED: Final[dict[str, tuple[Leaf, int]]] = {
    **{name: (Formatted(one), one.octets) for name, one in formats().items()},
    **{f"{name}#": (Formatted(one, as_sent=True), one.octets) for name, one in formats().items()},
    **{f"u{8 * size}": (Unsigned(), size) for size in (1, 2, 3, 4)},
    "x10ms": (Unsigned(10), 1),
    "timeout": (FrameTimeout(), 1),
    "x": (Hexadecimal(), 1),
    "date": (CalendarDate(), 3),
    "clock": (Clock(), 6),
    "ip": (Host(), 4),
    "host": (Host(), 6),
}
"""Leaves of a fixed size by the names that a layout gives them, and their octets."""

COUNTED: Final[dict[str, Leaf]] = {
    "h": Octets(),
    "t": Text(),
    "r": Text(reversed=True),
    "n": Hexadecimal(reversed=True),
}
"""Leaves whose number of octets the layout says: ``h[6]``."""
