"""Server addresses (SA): address flag AF and 1 to 16 octets, least significant first <-> ``ServerAddress``.

AF says everything beside the digits: bits 0-3 how many octets (less one), bits 4-5 the logical address,
bits 6-7 the kind. So kind, logical address and digits keep AF whole, whatever it holds. Devices of 2018
and later read bit 5 as "the first octet is an extended logical address": such an address is kept as its
digits too, and ``extended_logical`` and ``device_digits`` read it the later way.
Source: DL/T 698.45-2017, 7.1.3 (spec section 1.3).
"""

from __future__ import annotations

import enum
import functools
import re
from typing import Final, NamedTuple

from meterwire.errors import LocalProtocolError

ADDRESS_OCTETS_MAX: Final = 16
"""Longest address that AF can announce."""

_DIGITS = re.compile(rf"(?:[0-9A-F]{{2}}){{1,{ADDRESS_OCTETS_MAX}}}").fullmatch
_ADDRESSES_KEPT: Final = 8192
_ANY_DIGIT: Final = "A"
_EXTENDED = 0b10


class AddressKind(enum.IntEnum):
    """Whom an address means; bits 6-7 of AF."""

    SINGLE = 0
    WILDCARD = 1
    GROUP = 2
    BROADCAST = 3


class ServerAddress(NamedTuple):
    """Address of a meter or terminal.

    Args:
        digits: 2 to 32 hexadecimal digits, upper case, an even number, highest first (reading order,
            as printed on the meter); in a wildcard ``A`` stands for any digit.
        kind: single, wildcard, group or broadcast.
        logical: 0 = the whole device, 1 = the metering part of a two-chip meter, or the AC sampling of a
            terminal; 2 and 3 as they come.

    Source: spec section 1.3.

    """

    digits: str
    kind: AddressKind = AddressKind.SINGLE
    logical: int = 0

    @property
    def flag(self) -> int:
        """AF."""
        return len(self.digits) // 2 - 1 | self.logical << 4 | self.kind << 6

    @property
    def octets(self) -> bytes:
        """AF and address as they go out, least significant octet first.

        Raises:
            LocalProtocolError: not 2 to 32 digits in pairs, or a logical address outside 0..3.

        """
        return _octets(self)

    @property
    def expects_answer(self) -> bool:
        """Whether a device may answer: one meant by itself, not a group and not everybody."""
        return self.kind in {AddressKind.SINGLE, AddressKind.WILDCARD}

    @property
    def is_wildcard(self) -> bool:
        """Whether any digit is left open; tools in the field also leave them open with kind single."""
        return self.expects_answer and _ANY_DIGIT in self.digits

    @property
    def extended_logical(self) -> int | None:
        """The first address octet, where bit 5 of AF announces an extended logical address."""
        return int(self.digits[-2:], 16) if self.logical & _EXTENDED else None

    @property
    def device_digits(self) -> str:
        """``digits`` without the octet of an extended logical address."""
        return self.digits[:-2] if self.logical & _EXTENDED else self.digits

    def is_answered_by(self, other: ServerAddress) -> bool:
        """Whether an answer from ``other`` can belong to a request to this address.

        A wildcard is answered by any device whose digits fit, under its real address; all digits left
        open fit an address of any length. A single address is answered by itself alone, with the
        logical address that was asked.
        """
        if not self.expects_answer:
            return False
        if self.is_wildcard:
            return _fits(self.digits, other.digits)
        return self.digits == other.digits and self.logical == other.logical

    def means(self, own: ServerAddress) -> bool:
        """Whether a device with address ``own`` is spoken to; groups are the device's own affair."""
        if self.kind is AddressKind.BROADCAST:
            return True
        if self.kind is AddressKind.GROUP:
            return False
        return self.is_answered_by(own)

    def __str__(self) -> str:
        """Digits, with the kind in front and the logical address behind where they are not 0."""
        kind = "" if self.kind in {AddressKind.SINGLE, AddressKind.WILDCARD} else f"{self.kind.name.lower()}:"
        return f"{kind}{self.digits}" + (f"/{self.logical}" if self.logical else "")


BROADCAST: Final = ServerAddress("AA", AddressKind.BROADCAST)
"""Everybody; nobody answers."""
ANY: Final = ServerAddress("A" * 12, AddressKind.WILDCARD)
"""Whoever is on the line."""


def parse(text: str) -> ServerAddress:
    """Undo ``str(address)``; digits with an ``A`` among them are a wildcard.

    Args:
        text: such as ``"000000000001"``, ``"AAAAAAAAAAAA"``, ``"000000000001/1"``, ``"group:04030201"``.

    Raises:
        LocalProtocolError: an unknown kind, not 2 to 32 digits in pairs, or a logical address that is not
            0 to 3.

    """
    digits, slash, logical = text.rpartition("/") if "/" in text else (text, "", "0")
    kind, colon, digits = digits.rpartition(":")
    if slash and logical not in {"0", "1", "2", "3"}:
        raise LocalProtocolError(f"the logical address of {text!r} is not 0, 1, 2 or 3")
    if colon and kind not in {"group", "broadcast"}:
        raise LocalProtocolError(f"{text!r} begins with a kind that is neither group nor broadcast")
    open_digits = AddressKind.WILDCARD if _ANY_DIGIT in digits else AddressKind.SINGLE
    address = ServerAddress(digits, AddressKind[kind.upper()] if colon else open_digits, int(logical))
    _octets(address)
    return address


@functools.lru_cache(_ADDRESSES_KEPT)
def from_octets(octets: bytes) -> ServerAddress:
    """The address in AF and its octets; never refuses what AF announces.

    Args:
        octets: AF, and as many octets as its bits 0-3 say.

    """
    flag = octets[0]
    return ServerAddress(octets[:0:-1].hex().upper(), AddressKind(flag >> 6), flag >> 4 & 3)


@functools.lru_cache(_ADDRESSES_KEPT)
def _octets(address: ServerAddress) -> bytes:
    if not _DIGITS(address.digits):
        sentence = f"address {address.digits!r} is not 2 to 32 digits in pairs; pad it with a leading 0"
        raise LocalProtocolError(sentence)
    if not 0 <= address.logical <= 3:
        raise LocalProtocolError(f"logical address {address.logical} is outside 0..3")
    return bytes((address.flag,)) + bytes.fromhex(address.digits)[::-1]


def _fits(pattern: str, digits: str) -> bool:
    if set(pattern) == {_ANY_DIGIT}:
        return True
    pairs = zip(pattern, digits, strict=False)
    return len(pattern) == len(digits) and all(open_ in {_ANY_DIGIT, digit} for open_, digit in pairs)
