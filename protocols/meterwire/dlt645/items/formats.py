"""The data formats of DL/T 645: octets of one field <-> its content.

A format is written as the standard writes it, or shorter:

- ``6.2``: packed BCD with 6 digits before and 2 after the point, ``s6.2`` with the sign in the top bit;
- ``YYMMDDhhmm``, ``hhmmss``, ``DDhh``, ``YYMMDDWW``, ...: a time, two digits a part; ``MMDDNN`` and
  ``hhmmNN`` have a number of two digits behind;
- ``digits6``: twelve digits, as of an address; ``ascii6``: six characters;
- ``hex2``: two octets as hexadecimal digits, highest first, as bit words are written;
  ``hex2#meter_status_word_1`` when ``bit_words.csv`` says what the bits mean; ``mode1#load_mode_word``
  for a word that people set, of which all bits may be set on purpose;
- ``raw4``: four octets as they stand on the wire, as operator codes are written.

Content is a ``Decimal`` with the digits that the meter sent, or text; ``None`` with a problem when
the meter filled the field with FFH (absent) or sent digits that are none (invalid-bcd). A time is
also absent when it is all zero (never happened) or all 99 (not set).
Every field goes lowest octet first. Source: DL/T 645-2007, annex A; spec section 3.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from meterwire.errors import LocalProtocolError
from meterwire.item_value import Content
from meterwire.primitives import bcd

Problem = Literal["absent", "invalid-bcd"]


class Format(Protocol):
    """One field's octets <-> content."""

    @property
    def octets(self) -> int:
        """Octets of the field."""
        ...

    def decode(self, raw: bytes) -> tuple[Content, Problem | None]:
        """Content of exactly ``octets`` octets; never raises."""
        ...

    def encode(self, content: Content) -> bytes:
        """Undo ``decode``; ``None`` fills the field with FFH.

        Raises:
            LocalProtocolError: content of the wrong kind or out of range.

        """
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """Packed BCD with a fixed decimal point.

    Args:
        whole: digits before the point.
        decimals: digits after it.
        signed: the top bit is the sign, the rest stays a BCD magnitude.

    """

    whole: int
    decimals: int
    signed: bool = False

    octets: int = field(init=False)
    _exponent: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what each value needs."""
        object.__setattr__(self, "octets", (self.whole + self.decimals + 1) // 2)
        object.__setattr__(self, "_exponent", f"E-{self.decimals}")

    def decode(self, raw: bytes) -> tuple[Content, Problem | None]:
        """A ``Decimal`` with exactly the digits sent."""
        digits = raw[::-1].hex()
        if digits.isdecimal() and not (self.signed and digits[0] in "89"):
            return Decimal(digits + self._exponent), None
        return self._decode_unusual(raw, digits)

    def _decode_unusual(self, raw: bytes, digits: str) -> tuple[Content, Problem | None]:
        if raw == b"\xff" * len(raw):
            return None, "absent"
        top = int(digits[0], 16)
        if not self.signed or top < 8:
            return None, "invalid-bcd"
        digits = f"{top - 8}{digits[1:]}"
        if not digits.isdecimal():
            return None, "invalid-bcd"
        return Decimal(f"-{digits}{self._exponent}"), None

    def encode(self, content: Content) -> bytes:
        """Digits of a ``Decimal``, which must fit without rounding.

        Raises:
            LocalProtocolError: no ``Decimal``, too many digits, or a sign where there is none.

        """
        if content is None:
            return b"\xff" * self.octets
        whole, _, part = str(content).partition(".")
        if isinstance(content, Decimal) and len(part) == self.decimals and len(whole) <= self.whole:
            digits = f"{whole}{part}"
            if digits.isdecimal() and not (self.signed and len(whole) == self.whole):
                return bytes.fromhex(digits.zfill(2 * self.octets))[::-1]
        return self._encode_unusual(content)

    def _encode_unusual(self, content: Content) -> bytes:
        if not isinstance(content, Decimal) or not content.is_finite():
            raise LocalProtocolError(f"{content!r} is no number")
        scaled = content.scaleb(self.decimals)
        magnitude = int(abs(scaled))
        limit = 8 * 10 ** (2 * self.octets - 1) if self.signed else 10 ** (2 * self.octets)
        if magnitude != abs(scaled) or magnitude >= limit:
            raise LocalProtocolError(f"{content} does not fit {self.whole}.{self.decimals} digits")
        raw = bytearray.fromhex(f"{magnitude:0{2 * self.octets}d}")[::-1]
        if content.is_signed():
            if not self.signed:
                raise LocalProtocolError(f"{content} is negative, the field has no sign")
            raw[-1] |= 0x80
        return bytes(raw)


_PARTS = ("YY", "MM", "DD", "WW", "hh", "mm", "ss", "NN")
_SHOWN = {  # how people read a pattern; what is not listed is two digits with a blank between
    "YYMMDDWW": "20{YY}-{MM}-{DD} w{WW}",
    "YYMMDDhhmm": "20{YY}-{MM}-{DD} {hh}:{mm}",
    "YYMMDDhhmmss": "20{YY}-{MM}-{DD} {hh}:{mm}:{ss}",
    "YYMMDDWWhhmmss": "20{YY}-{MM}-{DD} w{WW} {hh}:{mm}:{ss}",
    "YYMMDD": "20{YY}-{MM}-{DD}",
    "MMDDhhmm": "{MM}-{DD} {hh}:{mm}",
    "hhmmss": "{hh}:{mm}:{ss}",
    "hhmm": "{hh}:{mm}",
    "MMDD": "{MM}-{DD}",
    "MMDDNN": "{MM}-{DD} {NN}",
    "hhmmNN": "{hh}:{mm} {NN}",
    "YYMMDDNN": "20{YY}-{MM}-{DD} {NN}",
}


@dataclass(frozen=True, slots=True)
class Time:
    """A time of the meter's civil clock, as sent: it may name no day of any calendar.

    Args:
        pattern: two letters a part, highest first, e.g. ``YYMMDDhhmm``.

    """

    pattern: str

    @property
    def octets(self) -> int:
        """Octets of the field."""
        return len(self.pattern) // 2

    @property
    def _parts(self) -> list[str]:
        return re.findall("..", self.pattern)

    @property
    def _shown(self) -> str:
        return _SHOWN.get(self.pattern) or " ".join(f"{{{part}}}" for part in self._parts)

    def decode(self, raw: bytes) -> tuple[Content, Problem | None]:
        """Text such as ``2026-09-08 14:25``; all zero (never), all 99 (not set) and all FFH are absent."""
        never = not any(raw) and "DD" in self.pattern
        if never or raw in {b"\xff" * len(raw), b"\x99" * len(raw)}:
            return None, "absent"
        digits = raw[::-1].hex()
        if not digits.isdecimal():
            return None, "invalid-bcd"
        return self._shown.format(**dict(zip(self._parts, re.findall("..", digits), strict=True))), None

    def encode(self, content: Content) -> bytes:
        """Octets of text as ``decode`` gives it; ``None`` is all zero, "never happened".

        Raises:
            LocalProtocolError: text of another shape.

        """
        if content is None:
            return bytes(self.octets) if "DD" in self.pattern else b"\xff" * self.octets
        shape = re.sub(r"\\?{(..)\\?}", r"(?P<\1>[0-9]{2})", re.escape(self._shown))
        match = re.fullmatch(shape, content) if isinstance(content, str) else None
        if match is None:
            raise LocalProtocolError(f"{content!r} is no time like {self._shown}")
        return bytes.fromhex("".join(match[part] for part in self._parts))[::-1]


@dataclass(frozen=True, slots=True)
class Digits:
    """A number that is a name, such as an address: all its digits count.

    Args:
        octets: octets of the field.

    """

    octets: int

    def decode(self, raw: bytes) -> tuple[Content, Problem | None]:
        """The digits, highest first."""
        if raw == b"\xff" * len(raw):
            return None, "absent"
        digits = bcd.digits(raw)
        return (digits, None) if digits.isdecimal() else (None, "invalid-bcd")

    def encode(self, content: Content) -> bytes:
        """Octets of exactly as many digits.

        Raises:
            LocalProtocolError: another number of digits.

        """
        if content is None:
            return b"\xff" * self.octets
        if not isinstance(content, str) or len(content) != 2 * self.octets or not content.isdecimal():
            raise LocalProtocolError(f"{content!r} is not {2 * self.octets} digits")
        return bcd.octets(content)


@dataclass(frozen=True, slots=True)
class Text:
    """Characters, the last one first on the wire; 00H, blanks and FFH around them are filling.

    Args:
        octets: octets of the field.

    """

    octets: int

    def decode(self, raw: bytes) -> tuple[Content, Problem | None]:
        """The text without its filling."""
        if raw == b"\xff" * len(raw):
            return None, "absent"
        return raw[::-1].strip(b"\x00 \xff").decode("ascii", "replace"), None

    def encode(self, content: Content) -> bytes:
        """Octets of ASCII text, filled with 00H.

        Raises:
            LocalProtocolError: no ASCII text, or too long.

        """
        if content is None:
            return b"\xff" * self.octets
        if not isinstance(content, str) or not content.isascii() or len(content) > self.octets:
            raise LocalProtocolError(f"{content!r} is no ASCII text of {self.octets} characters at most")
        return content.encode().ljust(self.octets, b"\x00")[::-1]


@dataclass(frozen=True, slots=True)
class Hex:
    """Octets that are no number: bit words, identifiers, codes.

    Args:
        octets: octets of the field.
        wire_order: written lowest octet first, as operator codes are.
        word: name of the bit word, when ``bit_words.csv`` has it.
        is_set: people set the word; all of its bits may be set on purpose.

    """

    octets: int
    wire_order: bool = False
    word: str = ""
    is_set: bool = False

    def decode(self, raw: bytes) -> tuple[Content, Problem | None]:
        """Hexadecimal digits; every pattern is content but a state with all bits set: that is filling."""
        if self.word and not self.is_set and raw == b"\xff" * len(raw):
            return None, "absent"
        return (raw if self.wire_order else raw[::-1]).hex().upper(), None

    def encode(self, content: Content) -> bytes:
        """Octets of exactly as many digits.

        Raises:
            LocalProtocolError: another number of digits, or none.

        """
        if content is None:
            return b"\xff" * self.octets
        if not isinstance(content, str) or len(content) != 2 * self.octets:
            raise LocalProtocolError(f"{content!r} is not {2 * self.octets} hexadecimal digits")
        octets = bcd.octets(content)
        return octets[::-1] if self.wire_order else octets


_MOMENT = re.compile(r"(20\d\d-\d\d-\d\d)(?: w\d\d)?((?: \d\d:\d\d(?::\d\d)?)?)")


def moment(content: Content) -> datetime | None:
    """The calendar time that text of a ``Time`` names (meter's civil time, no zone), if it is one."""
    shown = _MOMENT.fullmatch(content) if isinstance(content, str) else None
    if shown is None:
        return None
    try:
        return datetime.fromisoformat(shown[1] + shown[2])
    except ValueError:
        return None


@functools.cache
def parse(text: str) -> Format:
    """The format that ``text`` writes.

    Raises:
        LocalProtocolError: it writes none.

    """
    if number := re.fullmatch(r"(s?)(\d+)\.(\d+)", text):
        return Number(int(number[2]), int(number[3]), number[1] == "s")
    if re.fullmatch(f"({'|'.join(_PARTS)})+", text):
        return Time(text)
    if other := re.fullmatch(r"(digits|ascii|hex|raw|mode)(\d+)(?:#(\w+))?", text):
        octets = int(other[2])
        plain: dict[str, Format] = {"digits": Digits(octets), "ascii": Text(octets), "raw": Hex(octets, True)}
        return plain.get(other[1]) or Hex(octets, word=other[3] or "", is_set=other[1] == "mode")
    raise LocalProtocolError(f"unknown data format {text!r}")
