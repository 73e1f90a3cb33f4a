"""What ``Data`` holds: numbers, texts, dates and bits, as typed values that encode to the same octets.

Dates keep their parts as they came: FFH (FFFFH in the year and the milliseconds) is "unspecified", and
parts that no calendar has stay, since meters send them. Source: spec section 2.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

from meterwire.dlt698.axdr.coding import Number, OctetString, Text

Unsigned = Annotated[int, Number("B")]
LongUnsigned = Annotated[int, Number("H")]
DoubleLongUnsigned = Annotated[int, Number("I")]
Integer = Annotated[int, Number("b")]
Octets = Annotated[bytes, OctetString()]
VisibleString = Annotated[str, Text("ascii")]
Bool = Annotated[bool, Number("?")]

UNSPECIFIED: Final = 0xFF
"""A part of a date or time that is left open."""
UNSPECIFIED_LONG: Final = 0xFFFF
"""The same for year and milliseconds."""

DataType = Literal[
    "null", "array", "structure", "bool", "bit-string", "double-long", "double-long-unsigned",
    "octet-string", "visible-string", "utf8-string", "integer", "long", "unsigned", "long-unsigned",
    "long64", "long64-unsigned", "enum", "float32", "float64", "date_time", "date", "time", "date_time_s",
    "OI", "OAD", "ROAD", "OMD", "TI", "TSA", "MAC", "RN", "Region", "Scaler_Unit", "RSD", "CSD", "MS",
    "SID", "SID_MAC", "COMDCB", "RCSD",
]  # fmt: skip


class Data(NamedTuple):
    """A value with its type: what the standard calls Data.

    Args:
        type: name of the type as the standard writes it.
        value: ``int``, ``float``, ``bool``, ``str``, ``bytes``, ``None``, a tuple of ``Data`` (array and
            structure), or a class of this module or of ``selection``.

    Source: spec section 2.

    """

    type: DataType
    value: Any

    def __repr__(self) -> str:
        """What it holds, but no MAC."""
        shown = "<hidden>" if self.type in {"MAC", "SID_MAC"} else repr(self.value)
        return f"Data({self.type!r}, {shown})"


NULL: Final = Data("null", None)
"""No value."""


class BitString(NamedTuple):
    """Bits; bit 0 is the most significant of the first octet.

    Args:
        octets: as on the wire, unused bits included.
        bits: number of bits.

    """

    octets: bytes
    bits: int

    @classmethod
    def of(cls, text: str) -> BitString:
        """From 0/1 text, bit 0 first."""
        padded = text + "0" * (-len(text) % 8)
        return cls(bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8)), len(text))

    def __str__(self) -> str:
        """0/1 text, bit 0 first."""
        return "".join(f"{octet:08b}" for octet in self.octets)[: self.bits]

    def bit(self, number: int) -> bool:
        """Whether a bit is set; a bit behind the end is not."""
        return number < self.bits and bool(self.octets[number // 8] << number % 8 & 0x80)


def _two(part: int) -> str:
    return "*" if part == UNSPECIFIED else f"{part:02d}"


def _year(part: int) -> str:
    return "*" if part == UNSPECIFIED_LONG else f"{part:04d}"


class DateTimeS(NamedTuple):
    """date_time_s: local civil time to the second."""

    year: LongUnsigned
    month: Unsigned
    day: Unsigned
    hour: Unsigned
    minute: Unsigned
    second: Unsigned

    @classmethod
    def of(cls, moment: datetime.datetime) -> DateTimeS:
        """From a moment; its own civil time is taken, no zone is converted."""
        return cls(*moment.timetuple()[:6])

    def civil(self) -> datetime.datetime | None:
        """The moment without a zone; ``None`` when a part is open or no calendar has it."""
        try:
            return datetime.datetime(*self)  # noqa: DTZ001 - a meter's clock has no zone
        except ValueError:
            return None

    def __str__(self) -> str:
        """As ISO 8601 writes it; ``*`` for an open part."""
        date = f"{_year(self.year)}-{_two(self.month)}-{_two(self.day)}"
        return f"{date}T{_two(self.hour)}:{_two(self.minute)}:{_two(self.second)}"


class DateTime(NamedTuple):
    """date_time: to the millisecond, with the day of the week (0 Sunday)."""

    year: LongUnsigned
    month: Unsigned
    day: Unsigned
    weekday: Unsigned
    hour: Unsigned
    minute: Unsigned
    second: Unsigned
    milliseconds: LongUnsigned

    @classmethod
    def of(cls, moment: datetime.datetime) -> DateTime:
        """From a moment; its own civil time is taken, no zone is converted."""
        year, month, day, hour, minute, second = moment.timetuple()[:6]
        return cls(
            year, month, day, moment.isoweekday() % 7, hour, minute, second, moment.microsecond // 1000
        )

    def civil(self) -> datetime.datetime | None:
        """The moment without a zone; ``None`` when a part is open or no calendar has it."""
        try:
            return datetime.datetime(  # noqa: DTZ001 - a meter's clock has no zone
                self.year, self.month, self.day, self.hour, self.minute, self.second, self.milliseconds * 1000
            )
        except ValueError:
            return None

    def __str__(self) -> str:
        """As ISO 8601 writes it, then ``wN`` for the weekday."""
        second = DateTimeS(self.year, self.month, self.day, self.hour, self.minute, self.second)
        thousandth = "*" if self.milliseconds == UNSPECIFIED_LONG else f"{self.milliseconds:03d}"
        weekday = "*" if self.weekday == UNSPECIFIED else str(self.weekday)
        return f"{second}.{thousandth} w{weekday}"


class Date(NamedTuple):
    """Date with the day of the week (0 Sunday)."""

    year: LongUnsigned
    month: Unsigned
    day: Unsigned
    weekday: Unsigned

    def __str__(self) -> str:
        """As ISO 8601 writes it, then ``wN`` for the weekday."""
        weekday = "*" if self.weekday == UNSPECIFIED else str(self.weekday)
        return f"{_year(self.year)}-{_two(self.month)}-{_two(self.day)} w{weekday}"


class Time(NamedTuple):
    """Time of day."""

    hour: Unsigned
    minute: Unsigned
    second: Unsigned

    def __str__(self) -> str:
        """As ISO 8601 writes it."""
        return f"{_two(self.hour)}:{_two(self.minute)}:{_two(self.second)}"
