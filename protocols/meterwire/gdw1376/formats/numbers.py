"""Numbers in packed BCD, lowest octet first <-> ``Decimal`` with the digits that were sent.

A nibble that is no decimal digit makes "no value" (``None``), never zero: terminals fill with EEH, FFH, EFH
and FEH. The sign is the top bit of the last octet, and is looked at only then.
Source: spec section B4.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from meterwire.errors import LocalProtocolError
from meterwire.primitives import bcd

NO_VALUE = 0xEE
"""The octet that we send where there is no value."""


@dataclass(frozen=True, slots=True)
class Number:
    """A fixed-point number.

    Args:
        whole: digits before the point.
        decimals: digits behind it.
        signed: the top bit of the last octet is a sign, so that the first digit is 0 to 7.

    """

    whole: int
    decimals: int
    signed: bool

    @property
    def octets(self) -> int:
        """Octets of one value."""
        return (self.whole + self.decimals) // 2

    def decode(self, octets: bytes) -> Decimal | None:
        """The number; ``None`` where a nibble is no digit."""
        digits, negative = bcd.digits(octets), False
        if self.signed and octets[-1] & 0x80:
            digits, negative = f"{int(digits[0], 16) & 7}{digits[1:]}", True
        if not digits.isdecimal():
            return None
        return Decimal(f"{'-' if negative else ''}{digits}").scaleb(-self.decimals)

    def encode(self, value: Decimal | None) -> bytes:
        """Octets of a number.

        Raises:
            LocalProtocolError: more digits than the format has, or a sign that it has not.

        """
        if value is None:
            return bytes((NO_VALUE,)) * self.octets
        digits = self._digits(value)
        negative = value.is_signed()
        if digits is None or (negative and not self.signed) or (self.signed and digits[0] > "7"):
            raise LocalProtocolError(f"{value} does not fit into {self.form}")
        raw = bytearray(bcd.octets(digits))
        raw[-1] |= 0x80 * negative
        return bytes(raw)

    def text(self, value: Decimal | None) -> str | None:
        """Every digit of the format, zeros in front included."""
        if value is None:
            return None
        digits = self._digits(value) or ""
        sign = "-" if value.is_signed() else ""
        return f"{sign}{digits[: self.whole]}" + (f".{digits[self.whole :]}" if self.decimals else "")

    @property
    def form(self) -> str:
        """As ``formats.csv`` writes it."""
        return (
            ("s" if self.signed else "")
            + "x" * self.whole
            + ("." + "x" * self.decimals) * bool(self.decimals)
        )

    def _digits(self, value: Decimal) -> str | None:
        """All digits of the format; ``None`` where the value needs others."""
        if not value.is_finite():
            return None
        number = abs(value).scaleb(self.decimals)
        if number != number.to_integral_value() or number >= 10 ** (self.whole + self.decimals):
            return None
        return f"{int(number):0{self.whole + self.decimals}d}"


@dataclass(frozen=True, slots=True)
class Power:
    """A.2: three digits and a power of ten, 10^4 to 10^-3; bit 4 of the last octet is the sign."""

    octets: int = 2
    form: str = "xxx"

    def decode(self, octets: bytes) -> Decimal | None:
        """The number, its exponent the power that was sent; ``None`` where a nibble is no digit."""
        digits = bcd.digits(octets)[1:]
        if not digits.isdecimal():
            return None
        return Decimal((octets[1] >> 4 & 1, tuple(map(int, digits)), 4 - (octets[1] >> 5)))

    def encode(self, value: Decimal | None) -> bytes:
        """Octets of a number, with the power that its exponent says.

        Raises:
            LocalProtocolError: more than three digits, or a power out of range.

        """
        if value is None:
            return bytes((NO_VALUE,)) * 2
        sign, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int) or len(digits) > 3 or not -3 <= exponent <= 4:
            raise LocalProtocolError(f"{value} is not three digits and a power of ten from -3 to 4")
        low = bcd.octets("".join(map(str, (0, 0, 0, 0, *digits)[-4:])))
        return bytes((low[0], low[1] | sign << 4 | (4 - exponent) << 5))

    def text(self, value: Decimal | None) -> str | None:
        """The number in full."""
        return None if value is None else format(value, "f")


@dataclass(frozen=True, slots=True)
class Group:
    """A.3: seven digits, in kWh or MWh (bit 6 of the last octet); bit 4 is the sign."""

    octets: int = 4
    form: str = "xxxxxxx"

    def decode(self, octets: bytes) -> Decimal | None:
        """The number in kWh, its exponent 3 where MWh was sent; ``None`` where a nibble is no digit."""
        digits = bcd.digits(octets)[1:]
        if not digits.isdecimal():
            return None
        return Decimal((octets[3] >> 4 & 1, tuple(map(int, digits)), 3 * (octets[3] >> 6 & 1)))

    def encode(self, value: Decimal | None) -> bytes:
        """Octets of a number, in MWh where its exponent is 3.

        Raises:
            LocalProtocolError: more than seven digits, or another exponent than 0 and 3.

        """
        if value is None:
            return bytes((NO_VALUE,)) * 4
        sign, digits, exponent = value.as_tuple()
        if len(digits) > 7 or exponent not in {0, 3}:
            raise LocalProtocolError(f"{value} is not seven digits in kWh or MWh")
        low = bcd.octets("".join(map(str, (*(0,) * 8, *digits)[-8:])))
        return low[:3] + bytes((low[3] | sign << 4 | (exponent == 3) << 6,))

    def text(self, value: Decimal | None) -> str | None:
        """The number in full."""
        return None if value is None else format(value, "f")
