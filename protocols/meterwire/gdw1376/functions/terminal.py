"""The functions of 1376.1: AFN, Fn and direction -> layout and words, from ``rows/terminal.csv``.

A query (0A) is answered by what a setting (04) sends. Requests of class 1 (0C) carry nothing, those of
class 2 (0D) the time mark with which the answer begins. Source: spec section B3.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from meterwire.gdw1376.functions.events import EventList
from meterwire.gdw1376.functions.function import NOTHING, Function, ItemRule, Way
from meterwire.gdw1376.functions.tables import by_function, records
from meterwire.gdw1376.layouts.notation import Layout, parse

CONFIRM: Final = 0x00
RESET: Final = 0x01
LINK: Final = 0x02
SET: Final = 0x04
CONTROL: Final = 0x05
AUTHENTICATE: Final = 0x06
QUERY: Final = 0x0A
CLASS_1: Final = 0x0C
CLASS_2: Final = 0x0D
EVENTS: Final = 0x0E
FILE: Final = 0x0F
FORWARD: Final = 0x10

AFNS: Final = {
    0x00: ("confirm or deny", "确认/否认"),
    0x01: ("reset", "复位"),
    0x02: ("link", "链路接口检测"),
    0x03: ("relay station command", "中继站命令"),
    0x04: ("set parameters", "设置参数"),
    0x05: ("control", "控制命令"),
    0x06: ("authentication", "身份认证及密钥协商"),
    0x08: ("cascade", "请求被级联终端主动上报"),
    0x09: ("terminal configuration", "请求终端配置"),
    0x0A: ("query parameters", "查询参数"),
    0x0B: ("task data", "请求任务数据"),
    0x0C: ("class 1 data", "请求1类数据"),
    0x0D: ("class 2 data", "请求2类数据"),
    0x0E: ("class 3 data (events)", "请求3类数据（事件）"),
    0x0F: ("file transfer", "文件传输"),
    0x10: ("data forwarding", "数据转发"),
}
"""Every application function code, with its words in English and Chinese."""

_FILE: Final = "terminal.csv"
_ITEM: Final = re.compile(r"(?P<field>\w+)=(?P<item>[\w.]+)(?:\[(?P<along>\w+)\])?(?:/(?P<divisor>\d+))?$")


@functools.cache
def function(afn: int, fn: int, way: Way) -> Function | None:
    """What the table says; ``None`` where it does not know the function.

    Args:
        afn: application function code.
        fn: 1..248.
        way: ``down`` or ``up``.

    """
    if afn == QUERY and way == "up":
        found = _row(SET, fn, "down")
        return None if found is None else _made(found, afn, way)
    if afn in {CLASS_1, CLASS_2} and way == "down":
        return _request(afn, fn)
    found = _row(afn, fn, way)
    return None if found is None else _made(found, afn, way)


@functools.cache
def functions() -> tuple[Function, ...]:
    """Every function that the table has a row of."""
    return tuple(one for key in by_function(_FILE) if (one := function(*key)) is not None)


def _row(afn: int, fn: int, way: Way) -> dict[str, str] | None:
    return by_function(_FILE).get((afn, fn, way))


def _request(afn: int, fn: int) -> Function | None:
    """A request names no more than the time mark of its answer."""
    row = _row(afn, fn, "up")
    if row is None and afn == CLASS_2:
        return None
    mark, en, zh = (row["mark"], row["en"], row["zh"]) if row else ("", "", "")
    layout = mark_layout(mark) if mark else NOTHING
    return Function(afn=afn, fn=fn, way="down", layout=layout, told=True, mark=mark, en=en, zh=zh)


@functools.cache
def mark_layout(mark: str) -> Layout:
    """The layout of a time mark: ``day``, ``month`` or ``curve``."""
    return parse(f"+{mark}", records())


def _made(row: dict[str, str], afn: int, way: Way) -> Function:
    return Function(
        afn=afn,
        fn=int(row["fn"]),
        way=way,
        layout=_layout(row["mark"], row["layout"]),
        told=row["keys"] == "yes",
        whole=row["whole"] == "yes",
        items=tuple(_item(text) for text in row["items"].split()),
        mark=row["mark"],
        en=row["en"],
        zh=row["zh"],
    )


def _layout(mark: str, text: str) -> Layout | None:
    """``?`` stands for a layout that nobody knows."""
    if text == "?":
        return None
    whole = " | ".join(f"+{mark} {one}" if mark else one for one in text.split(" | "))
    return parse(whole, records(), {"events": EventList()})


def _item(text: str) -> ItemRule:
    found = _ITEM.match(text)
    assert found is not None, f"terminal.csv: {text!r} is no item"
    return ItemRule(found["field"], found["item"], found["along"] or "", int(found["divisor"] or 1))
