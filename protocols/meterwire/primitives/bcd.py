"""Packed BCD, lowest octet first, as DL/T 645, DL/T 698.45 and Q/GDW 1376 send numbers and addresses."""

from __future__ import annotations

from meterwire.errors import LocalProtocolError


def digits(octets: bytes) -> str:
    """The digits of ``octets``, highest first; letters A..F stay, upper case.

    Args:
        octets: packed digits, lowest pair first (wire order).

    """
    return octets[::-1].hex().upper()


def octets(text: str) -> bytes:
    """Undo ``digits``.

    Args:
        text: an even number of hexadecimal digits, highest first.

    Raises:
        LocalProtocolError: an odd number of digits, or a character that is no digit.

    """
    if len(text) % 2 or not text.isalnum():
        raise LocalProtocolError(f"{text!r} is not an even number of digits; pad it with a leading 0")
    try:
        return bytes.fromhex(text)[::-1]
    except ValueError:
        raise LocalProtocolError(f"{text!r} holds a character that is no digit") from None
