"""Times in packed BCD, lowest part first <-> ``Moment``.

A terminal's clock may say what no calendar has (all zeros, month 0); that is kept, and only ``Moment.when``
asks for more. A nibble that is no decimal digit makes "no value". Source: spec section B4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Self

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.formats.numbers import NO_VALUE

CENTURY: Final = 2000
"""Added to the two digits of a year."""
_WEEKDAY_MONTH: Final = "weekday_month"
"""One octet: bits 5-7 the weekday, bits 0-4 the month in BCD."""


class Moment(NamedTuple):
    """A time as far as its format says it; what the format has not is ``None``.

    Args:
        year: two digits, 0..99; 26 is 2026.
        month: 0..99 (0..19 in A.1).
        day: 0..99.
        hour: 0..99.
        minute: 0..99.
        second: 0..99.
        weekday: 1 = Monday .. 7 = Sunday, 0 = not set; A.1 only.

    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    hour: int | None = None
    minute: int | None = None
    second: int | None = None
    weekday: int | None = None

    @classmethod
    def to_the_second(cls, shown: datetime) -> Self:
        """A civil time as A.1 says it.

        Args:
            shown: of the years 2000 to 2099.

        """
        return cls.to_the_minute(shown)._replace(second=shown.second, weekday=shown.isoweekday())

    @classmethod
    def to_the_minute(cls, shown: datetime) -> Self:
        """A civil time as A.15 says it.

        Args:
            shown: of the years 2000 to 2099.

        """
        return cls(shown.year - CENTURY, shown.month, shown.day, shown.hour, shown.minute)

    def when(self) -> datetime | None:
        """Date and time without a zone; ``None`` where parts are missing or no calendar has them."""
        if self.year is None or self.month is None:
            return None
        try:
            return datetime(  # noqa: DTZ001  (the wire carries no zone)
                CENTURY + self.year,
                self.month,
                1 if self.day is None else self.day,
                self.hour or 0,
                self.minute or 0,
                self.second or 0,
            )
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A time of some parts.

    Args:
        parts: names of the parts in the order of their octets.

    """

    parts: tuple[str, ...]

    @property
    def octets(self) -> int:
        """Octets of one value."""
        return len(self.parts)

    @property
    def form(self) -> str:
        """As ``formats.csv`` writes it."""
        return " ".join(self.parts)

    def decode(self, octets: bytes) -> Moment | None:
        """The time; ``None`` where a nibble is no digit."""
        found: dict[str, int] = {}
        for part, octet in zip(self.parts, octets, strict=True):
            name, digits = part, octet
            if part == _WEEKDAY_MONTH:
                found["weekday"], digits, name = octet >> 5, octet & 0x1F, "month"
            if digits >> 4 > 9 or digits & 0xF > 9:
                return None
            found[name] = (digits >> 4) * 10 + (digits & 0xF)
        return Moment(**found)

    def encode(self, value: Moment | None) -> bytes:
        """Octets of a time.

        Raises:
            LocalProtocolError: a part is missing, is not in the format, or has more than two digits.

        """
        if value is None:
            return bytes((NO_VALUE,)) * self.octets
        left = {name: part for name, part in value._asdict().items() if part is not None}
        octets = bytes(self._octet(part, left, value) for part in self.parts)
        if left:
            raise LocalProtocolError(f"{value} has parts that {self.form!r} does not send")
        return octets

    @staticmethod
    def _octet(part: str, left: dict[str, int], value: Moment) -> int:
        weekday = left.pop("weekday", 0) if part == _WEEKDAY_MONTH else 0
        number = left.pop("month" if part == _WEEKDAY_MONTH else part, None)
        most = 19 if part == _WEEKDAY_MONTH else 99
        if number is None or not (0 <= number <= most and 0 <= weekday <= 7):
            raise LocalProtocolError(f"{value} has no {part} that can be sent")
        return weekday << 5 | number // 10 << 4 | number % 10

    def text(self, value: Moment | None) -> str | None:
        """``2026-08-20 00:05``, ``08-19 18:30``, ``19 18:30``; a date alone ``260819`` or ``2608``."""
        if value is None:
            return None
        year, month, day, hour, minute, second, _ = value
        date = [f"{part:02d}" for part in (year, month, day) if part is not None]
        time = [f"{part:02d}" for part in (hour, minute, second) if part is not None]
        if not time:
            return "".join(date)
        first = f"{CENTURY // 100}" if year is not None else ""
        return f"{first}{'-'.join(date)} {':'.join(time)}".strip()
