"""The functions of 1376.2: AFN, Fn and direction -> layout and words, from ``rows/module.csv``.

Source: spec sections A3 to A14.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

from meterwire.gdw1376.functions.function import Function, Way
from meterwire.gdw1376.functions.tables import by_function, lines
from meterwire.gdw1376.layouts.notation import parse

CONFIRM: Final = 0x00
FORWARD: Final = 0x02
QUERY: Final = 0x03
CONTROL: Final = 0x05
REPORT: Final = 0x06
ROUTE_READ: Final = 0x14

AFNS: Final = {
    0x00: ("confirm or deny", "确认/否认"),
    0x01: ("initialise", "初始化"),
    0x02: ("data forward", "数据转发"),
    0x03: ("query", "查询数据"),
    0x04: ("link test", "链路接口检测"),
    0x05: ("control", "控制命令"),
    0x06: ("report", "主动上报"),
    0x10: ("route query", "路由查询"),
    0x11: ("route set", "路由设置"),
    0x12: ("route control", "路由控制"),
    0x13: ("route data forward", "路由数据转发"),
    0x14: ("route data read", "路由数据抄读"),
    0x15: ("file transfer", "文件传输"),
    0xF0: ("vendor debugging", "内部调试"),
    0xF1: ("concurrent reading", "并发抄表"),
}
"""Every application function code, with its words in English and Chinese."""

PROTOCOLS: Final = {
    0: ("transparent", "透明传输"),
    1: ("DL/T 645-1997", "DL/T 645-1997"),
    2: ("DL/T 645-2007", "DL/T 645-2007"),
    3: ("DL/T 698.45", "DL/T 698.45"),
}
"""The protocol octet in front of a meter's frame, with its words in English and Chinese."""

_FILE: Final = "module.csv"


class Denial(NamedTuple):
    """Why a module denies.

    Args:
        en: English words.
        zh: Chinese words.
        retry: when to try again, in English words; ``no`` for never.

    """

    en: str
    zh: str
    retry: str


@functools.cache
def function(afn: int, fn: int, way: Way) -> Function | None:
    """What the table says; ``None`` where it does not know the function.

    Args:
        afn: application function code.
        fn: 1..248.
        way: ``down`` or ``up``.

    """
    row = by_function(_FILE).get((afn, fn, way))
    if row is None:
        return None
    layout = None if row["layout"] == "?" else parse(row["layout"])
    told = row["keys"] == "yes"
    return Function(afn=afn, fn=fn, way=way, layout=layout, told=told, en=row["en"], zh=row["zh"])


@functools.cache
def functions() -> tuple[Function, ...]:
    """Every function that the table has a row of."""
    return tuple(one for key in by_function(_FILE) if (one := function(*key)) is not None)


@functools.cache
def denials() -> dict[int, Denial]:
    """Why a module denies, by the code of 00-F2; every other code is a vendor's."""
    return {int(line["code"]): Denial(line["en"], line["zh"], line["retry"]) for line in lines("denials.csv")}
