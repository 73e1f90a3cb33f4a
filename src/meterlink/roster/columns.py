"""The columns of a roster's table: each field of an entry once, with its names in both languages."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

from meterlink.model.protocols import PROTOCOLS
from meterlink.roster.cells import Cell, Choice, Many, Ratio, Text, Time, Whole, YesNo
from meterlink.roster.digit_cells import Address, Digits, ManyDigits

NAME_MAX: Final = 64
"""Characters of a name."""
REFERENCE_MAX: Final = 4_096
"""Characters of a path."""

_WORLDS: Final = {"none": "后付费", "remote": "远程费控", "local": "本地费控"}
_PROTECTED: Final = {
    "hospital": "医院",
    "life_support": "生命维持",
    "water": "供水",
    "heating": "供热",
    "school": "学校",
    "social": "社会福利",
}
_PHASES: Final = {"1": "单相", "3": "三相"}


class _Phases(Choice):
    """1 or 3."""

    def read(self, text: str, zone: object) -> int:
        """See ``Cell``."""
        return int(super().read(text.removesuffix(".0"), zone))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        key: the field of an entry; its name in English.
        zh: its name in Chinese.
        cell: what it holds.
        others: other names that people give it.
        is_needed: whether each row must fill it in.

    """

    key: str
    zh: str
    cell: Cell
    others: tuple[str, ...] = ()
    is_needed: bool = False


COLUMNS: Final[tuple[Column, ...]] = (
    Column("id", "标识", Text(NAME_MAX), ("编号", "表计标识"), is_needed=True),
    Column("address", "通信地址", Address(), ("表地址", "电表地址"), is_needed=True),
    Column("meter_number", "表号", Digits(), ("电表号", "资产编号", "资产号")),
    Column("customer_number", "户号", Digits(), ("用户编号", "客户编号")),
    Column("customer_was", "曾用户号", ManyDigits()),
    Column("customer", "户名", Text(100), ("用户名称", "客户名称")),
    Column("point_of_supply", "用电地址", Text(100), ("地址",)),
    Column("area", "台区", Text(NAME_MAX), ("台区名称", "台区编号")),
    Column("line", "线路", Text(REFERENCE_MAX), ("采集线路", "终端", "采集终端"), is_needed=True),
    Column("protocol", "规约", Choice({name: name for name in PROTOCOLS}), ("通信规约",)),
    Column("model", "型号", Text(NAME_MAX), ("电表型号",)),
    Column("firmware", "软件版本", Text(NAME_MAX), ("固件版本",)),
    Column("phases", "相数", _Phases(_PHASES), ("相别",)),
    Column("ct", "CT变比", Ratio(), ("CT", "电流变比", "CT倍率")),
    Column("pt", "PT变比", Ratio(), ("PT", "电压变比", "PT倍率")),
    Column("reading_day", "抄表例日", Whole(1, 28), ("例日",)),
    Column("cost_control", "费控方式", Choice(_WORLDS)),
    Column("agreement", "预付费协议", Text(97)),
    Column("protected", "保护类别", Many(_PROTECTED), ("保护用户",)),
    Column("important", "重要用户", YesNo()),
    Column("residential", "居民", YesNo(), ("居民用户",)),
    Column("motor_load", "电动机负荷", YesNo()),
    Column("opening_limit_a", "分断电流上限", Whole(1, 1_000)),
    Column("pending_replacement", "待换表", YesNo()),
    Column("lab", "试验表", YesNo(), ("实验表",)),
    Column("security", "安全认证", Text(NAME_MAX)),
    Column("control_password", "控制密码引用", Text(REFERENCE_MAX, is_secret=True)),
    Column("control_level", "密码等级", Whole(0, 99)),
    Column("allow_plaintext_control", "允许明文控制", YesNo()),
    Column("password", "读取密码引用", Text(REFERENCE_MAX, is_secret=True)),
    Column("in_service_since", "投运时间", Time()),
    Column("in_service_until", "退运时间", Time()),
    Column("replaces", "所换旧表", Text(NAME_MAX)),
)
"""In the order in which they are written."""

BY_KEY: Final = {column.key: column for column in COLUMNS}


def column_of(header: str) -> Column | None:
    """The column of a header, in either language, whatever its case and blanks; ``None``: there is none."""
    return _BY_NAME.get(_folded(header))


def near(header: str) -> str:
    """The name that was probably meant; empty: none is near."""
    found = difflib.get_close_matches(_folded(header), _BY_NAME, n=1)
    return _BY_NAME[found[0]].key if found else ""


def _folded(header: str) -> str:
    return "".join(header.split()).replace("_", "").replace("*", "").casefold()


_BY_NAME: Final = {
    _folded(name): column for column in COLUMNS for name in (column.key, column.zh, *column.others)
}
