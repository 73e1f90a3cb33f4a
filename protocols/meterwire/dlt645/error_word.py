"""The error word of an abnormal reply: octets <-> names, and a sentence for an operator.

Source: DL/T 645-2007, 7.1 (ERR).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Language = Literal["en", "zh"]


class ErrorBit(NamedTuple):
    """One bit of an error word: its short name and what it says."""

    name: str
    en: str
    zh: str


READ_ERROR_BITS: Final = (
    ErrorBit("other", "other error", "其他错误"),
    ErrorBit("no-data", "no such data", "无请求数据"),
    ErrorBit("password", "wrong password or not authorised", "密码错或未授权"),
    ErrorBit("baud", "the baud rate cannot be changed", "通信速率不能更改"),
    ErrorBit("zones", "too many year zones", "年时区数超"),
    ErrorBit("periods", "too many day periods", "日时段数超"),
    ErrorBit("tariffs", "too many tariffs", "费率数超"),
    ErrorBit("reserved", "reserved bit", "保留位"),
)
"""ERR, lowest bit first."""


def bits_set(word: bytes, bits: tuple[ErrorBit, ...] = READ_ERROR_BITS) -> tuple[ErrorBit, ...]:
    """The bits of ``word`` (lowest octet first) that are set and have a name."""
    number = int.from_bytes(word, "little")
    return tuple(bit for index, bit in enumerate(bits) if number >> index & 1)


def sentence(word: bytes, language: Language, bits: tuple[ErrorBit, ...] = READ_ERROR_BITS) -> str:
    """What the word says, and its octets as the meter sent them."""
    found = bits_set(word, bits)
    raw = word[::-1].hex().upper()
    if language == "zh":
        return f"电表拒绝：{'、'.join(bit.zh for bit in found) or '无说明'}（{raw}H）"
    return f"the meter refused: {', '.join(bit.en for bit in found) or 'no reason given'} ({raw}H)"
