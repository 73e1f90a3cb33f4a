"""Cells that hold digits which are a name and no number: addresses, and numbers of meters and customers.

What Excel destroys is found here and never guessed at: a number that it has shortened to 1.23E+11, and one
whose leading zeros it has dropped, are other numbers than were written.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Final

from meterlink.model.address import BROADCAST
from meterlink.roster.cells import refused, several, shown
from meterlink.roster.faults import Words

_SHORTENED: Final = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
_AS_NUMBER: Final = re.compile(r"\d+\.0*")


class Digits:
    """Twelve digits that are a name and no number."""

    rule: Final = Words(
        "12 digits as text: format the column as text before filling it in, and export it again",
        "12 位数字(文本):请先将该列设为“文本”格式,重新填写并导出",
    )

    def read(self, text: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        text = text.removeprefix("'")  # as people keep Excel from taking it for a number
        if _SHORTENED.fullmatch(text) or _AS_NUMBER.fullmatch(text):
            raise refused(
                f"{shown(text)}: Excel has made a number of it, and digits are lost",
                f"{shown(text)}:已被 Excel 当作数值,位数丢失",
                self.rule,
            )
        if not (text.isascii() and text.isdecimal()):
            raise refused(f"{shown(text)} is not of digits alone", f"{shown(text)} 不全是数字", self.rule)
        if len(text) < 12:
            raise refused(
                f"{shown(text)} has {len(text)} digits: Excel may have dropped zeros in front",
                f"{shown(text)} 只有 {len(text)} 位:前面的 0 可能被 Excel 去掉",
                self.rule,
            )
        if len(text) > 12:
            raise refused(
                f"{shown(text)} has {len(text)} digits", f"{shown(text)} 有 {len(text)} 位", self.rule
            )
        return text

    def write(self, value: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return value


class Address(Digits):
    """A meter's address."""

    def read(self, text: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        found = super().read(text, zone)
        if found == BROADCAST:
            raise refused(
                f"{found} is the broadcast address: no meter answers to it",
                f"{found} 是广播地址,没有电能表以它应答",
                Words("the 12 digits of the meter's nameplate", "电能表铭牌上的 12 位通信地址"),
            )
        return found


class ManyDigits:
    """Several numbers of twelve digits, with semicolons between them."""

    rule: Final = Digits.rule

    def read(self, text: str, zone: tzinfo) -> list[str]:
        """See ``Cell``."""
        return list(dict.fromkeys(Digits().read(part, zone) for part in several(text)))

    def write(self, value: list[str], zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return ";".join(value)
