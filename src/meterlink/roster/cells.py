"""One cell of a table, both ways: text as people and Excel write it, and values as an entry has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

from meterlink.config.meters import RATIO_MAX, RATIO_PLACES
from meterlink.model.payload import time_in, time_out
from meterlink.roster.faults import CellRefused, Words

_RATIO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*[/:：]\s*(\d+(?:\.\d+)?)")
_BETWEEN: Final = re.compile(r"[;；、,，|]")
_FORMULA: Final = ("=", "+", "-", "@")
_SHOWN_MAX: Final = 40
_CIVIL: Final = re.compile(
    r"([0-9]{4})[-/年]([0-9]{1,2})[-/月]([0-9]{1,2})日?(?:[ T]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"
)
_EXCEL_DAY: Final = re.compile(r"([0-9]{5})(?:\.[0-9]+)?")
_EXCEL_BEGAN: Final = date(1899, 12, 30)
_YEARS_MEANT: Final = range(1980, 2100)

TRUE: Final = frozenset({"1", "true", "yes", "y", "是", "√"})
FALSE: Final = frozenset({"0", "false", "no", "n", "否", "×"})


class Cell(Protocol):
    """What a column holds."""

    def read(self, text: str, zone: tzinfo) -> Any:
        """The value of a cell that is not empty, as an entry has it.

        Args:
            text: without blanks around it.
            zone: of times that name none.

        Raises:
            CellRefused: it is none.

        """

    def write(self, value: Any, zone: tzinfo) -> str:
        """Undo ``read``."""

    @property
    def rule(self) -> Words:
        """What it takes."""


class Text:
    """Text.

    Args:
        most: characters.
        is_secret: whether the cell might hold a secret by mistake: it is never repeated.

    """

    def __init__(self, most: int, *, is_secret: bool = False) -> None:
        self._most = most
        self._is_secret = is_secret

    @property
    def rule(self) -> Words:
        """What it takes."""
        if self._is_secret:
            return Words(
                "where the secret stands: file:/path or env:NAME", "密码的存放处:file:/路径 或 env:变量名"
            )
        return Words(f"text, at most {self._most} characters", f"文本,最多 {self._most} 个字符")

    def read(self, text: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        if self._is_secret and not text.startswith(("file:", "env:")):
            raise refused("is not by reference", "不是引用,请勿直接填写密码", self.rule)
        if text.startswith(_FORMULA):
            raise refused(
                f"{shown(text)} begins like a formula of a spreadsheet",
                f"{shown(text)} 以公式符号开头",
                self.rule,
            )
        if not text.isprintable():
            raise refused("has characters that cannot be seen", "含有不可见字符", self.rule)
        if len(text) > self._most:
            raise refused(f"has {len(text)} characters", f"有 {len(text)} 个字符", self.rule)
        return text

    def write(self, value: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return value


class Choice:
    """One of a few words; of people's words for them, too.

    Args:
        words: people's words by ours.

    """

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words
        self._known = {word.casefold(): ours for ours, word in words.items()} | {ours: ours for ours in words}

    @property
    def rule(self) -> Words:
        """What it takes."""
        known = ", ".join(self._words)
        return Words(
            f"one of {known}", f"只能是:{'、'.join(dict.fromkeys(self._words.values()))}(或 {known})"
        )

    def read(self, text: str, zone: tzinfo) -> Any:
        """See ``Cell``."""
        del zone
        found = self._known.get(text.casefold())
        if found is None:
            raise refused(f"{shown(text)} is none of them", f"{shown(text)} 不在其中", self.rule)
        return found

    def write(self, value: Any, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return str(value)


class Many(Choice):
    """Several of a few words, with semicolons between them."""

    def read(self, text: str, zone: tzinfo) -> list[str]:
        """See ``Cell``."""
        read = super().read
        return list(dict.fromkeys(read(part, zone) for part in several(text)))

    def write(self, value: list[str], zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return ";".join(value)


class YesNo:
    """Yes or no."""

    rule: Final = Words("yes or no", "是 或 否")

    def read(self, text: str, zone: tzinfo) -> bool:
        """See ``Cell``."""
        del zone
        if (word := text.casefold()) in TRUE:
            return True
        if word in FALSE:
            return False
        raise refused(f"{shown(text)} is neither", f"{shown(text)} 两者都不是", self.rule)

    def write(self, value: bool, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return "yes" if value else "no"


class Whole:
    """A whole number.

    Args:
        least: at least.
        most: at most.

    """

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most

    @property
    def rule(self) -> Words:
        """What it takes."""
        return Words(
            f"a whole number from {self._least} to {self._most}", f"{self._least} 至 {self._most} 的整数"
        )

    def read(self, text: str, zone: tzinfo) -> int:
        """See ``Cell``."""
        del zone
        digits = text.removesuffix(".0")  # as a spreadsheet writes a whole number
        is_whole = digits.isascii() and digits.isdecimal() and len(digits) <= 9
        if not is_whole or not self._least <= int(digits) <= self._most:
            raise refused(f"{shown(text)} is none", f"{shown(text)} 不符", self.rule)
        return int(digits)

    def write(self, value: int, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return str(value)


class Ratio:
    """The ratio of a transformer: 30, or as its nameplate has it, 150/5."""

    rule: Final = Words(
        "a number greater than 0, at most 100000 with at most 6 decimal places, e.g. 30 or 150/5",
        "大于 0 且不超过 100000 的数,最多 6 位小数,如 30 或 150/5",
    )

    def read(self, text: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        try:
            if parts := _RATIO.fullmatch(text):
                found = Decimal(parts[1]) / Decimal(parts[2])
            else:
                found = Decimal(text)
        except (InvalidOperation, ZeroDivisionError):
            raise refused(f"{shown(text)} is none", f"{shown(text)} 不是数", self.rule) from None
        if not found.is_finite() or not 0 < found <= RATIO_MAX or found != round(found, RATIO_PLACES):
            raise refused(f"{shown(text)} is none", f"{shown(text)} 不符", self.rule)
        return format(found.normalize(), "f")

    def write(self, value: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        del zone
        return value


class Time:
    """A moment; a date is its first. People and Excel write `2026/1/5 8:00`, and 2026年1月5日, too."""

    rule: Final = Words(
        "a date or a time, e.g. 2026-11-22 or 2026-11-22 10:30",
        "日期或时间,如 2026-11-22 或 2026-11-22 10:30",
    )

    def read(self, text: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        try:
            if parts := _CIVIL.fullmatch(text):
                year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
                found = datetime(year, month, day, hour, minute, second, tzinfo=zone)
            else:
                found = datetime.fromisoformat(text.replace("/", "-"))
            written = time_out(found if found.tzinfo else found.replace(tzinfo=zone))
            time_in(written).astimezone(zone)  # as `write` and the plans will
            return written
        except (ValueError, OverflowError):
            if day_meant := _excel_day(text):
                raise refused(
                    f"{shown(text)} is how Excel counts days (perhaps {day_meant}): format it as a date",
                    f"{shown(text)} 是 Excel 的日期序列号(可能是 {day_meant}),请将该列设为日期格式",
                    self.rule,
                ) from None
            raise refused(f"{shown(text)} is none", f"{shown(text)} 无法识别", self.rule) from None

    def write(self, value: str, zone: tzinfo) -> str:
        """See ``Cell``."""
        try:
            local = datetime.fromisoformat(value).astimezone(zone)
        except OverflowError:  # told by somebody in another zone, and for ever: it stands as it was told
            return value
        if local.time() == datetime.min.time():
            return date(local.year, local.month, local.day).isoformat()
        return local.replace(tzinfo=None).isoformat(sep=" ")


def _excel_day(text: str) -> date | None:
    """The day that a number is to Excel, where one of our time may be meant."""
    if not (number := _EXCEL_DAY.fullmatch(text)):
        return None
    meant = _EXCEL_BEGAN + timedelta(days=int(number[1]))
    return meant if meant.year in _YEARS_MEANT else None


def refused(en: str, zh: str, rule: Words) -> CellRefused:
    """A refusal that says what is wrong and what the column takes."""
    return CellRefused(Words(f"{en}. This column takes {rule.en}", f"{zh}。本列应为{rule.zh}"))


def several(text: str) -> list[str]:
    """What stands between semicolons, or what people write in their place."""
    return [part for part in (one.strip() for one in _BETWEEN.split(text)) if part]


def shown(text: str) -> str:
    """A cell's text, so that it can stand in a sentence."""
    short = text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
    return f'"{short}"' if short.isprintable() else ascii(short)
