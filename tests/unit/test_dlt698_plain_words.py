"""What ``meterlink decode`` tells people about 698.45 values: words, and never how Python writes a value."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from meterlink.explain import dlt698
from meterlink.explain.dlt698_parts import apdu_parts
from meterlink.explain.dlt698_values import typed_says
from meterlink.explain.parts import Language, Part, Text
from meterlink.explain.tree import render
from meterwire.dlt698.apdus.apdu import encode_apdu
from meterwire.dlt698.apdus.get import GetResponseNormal
from meterwire.dlt698.apdus.parts import AttributeResult, Piid
from meterwire.dlt698.axdr import selection, values
from meterwire.dlt698.axdr.selection import Oad, Region, SelectEqual, SidMac, Ti, Tsa
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from tests.support.batches import in_batches
from tests.support.vectors import octets, vectors
from tests.wire.dlt698.apdu_strategies import BY_SERVICE, datas, descriptors

_ALL = vectors("dlt698.jsonl", "dlt698") + vectors("control.jsonl", "dlt698")
_CLASSES = "|".join(
    sorted(
        {
            one.__name__
            for module in (selection, values)
            for one in vars(module).values()
            if isinstance(one, type)
        }
    )
)
_CLASS = re.compile(rf"\b({_CLASSES})\(|=({_CLASSES})\(|<hidden>|\(\d+, \d")
"""A value, as Python writes it; no pattern that a text of a meter could have by chance."""
_ANY = re.compile(r"[A-Za-z_]\w*\(|\b(True|False|None)\b|\bb'")
_UNKNOWN = Oad.of("12340200")


def _every(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        yield part
        yield from _every(part.parts)


def _assert_words(parts: tuple[Part, ...], *patterns: re.Pattern[str]) -> None:
    for part in _every(parts):
        for text in (*part.name, *part.says, *part.problem):
            for pattern in patterns:
                assert not pattern.search(text), (part.name.en, text)


@in_batches(_ALL, [vector["id"] for vector in _ALL])
def test_vectors_are_told_in_words(vector: dict[str, Any]) -> None:
    """A person would read ``RSD SelectNthLast(nth_last=1)`` beside a captured frame."""
    explanation = dlt698.explain(octets(vector))
    for frame in explanation.frames:
        _assert_words(frame.parts, _CLASS, _ANY)
    for joined in explanation.joined or ():
        _assert_words(joined.parts, _CLASS, _ANY)


@pytest.mark.parametrize("service", sorted(BY_SERVICE))
@settings(max_examples=15)
@given(drawn=st.data())
def test_every_service_is_told_in_words(service: str, drawn: st.DataObject) -> None:
    """A service that no vector shows would be told as Python writes its members."""
    _assert_words(apdu_parts(encode_apdu(drawn.draw(BY_SERVICE[service])), 0), _CLASS)


def _tagged(data: Data) -> tuple[Part, ...]:
    result = AttributeResult(_UNKNOWN, data)
    return apdu_parts(encode_apdu(GetResponseNormal(piid=Piid(1), result=result)), 0)


@settings(max_examples=200)
@given(datas | descriptors)
def test_every_type_of_data_is_told_in_words(data: Data) -> None:
    """A type that is new in the table of types would fall back on Python's own text."""
    _assert_words(_tagged(data), _CLASS)


_METERS = selection.MeterAddressRegions(
    (Region(2, Data("TSA", Tsa.of("000000000001")), Data("TSA", Tsa.of("000000000009"))),)
)
_DAY = (DateTimeS(2026, 10, 1, 0, 0, 0), DateTimeS(2026, 10, 2, 0, 0, 0))
_TIME = Oad.of("20210200")
_RANGE = selection.SelectRange(
    _TIME, Data("date_time_s", _DAY[0]), Data("date_time_s", _DAY[1]), Data("TI", Ti(1, 15))
)
_ROAD = selection.Road(Oad.of("50040200"), (Oad.of("00100200"), Oad.of("00200200")))
_TOLD = [
    (Data("RSD", selection.SelectNthLast(1)), "the n-th last record: 1", "上第n次记录：1"),
    (Data("RSD", selection.SelectAll()), "no selection", "不选择"),
    (Data("RSD", selection.SelectLast(3, selection.AllMeters())),
     "the last n records: 3, all meters", "最近n条记录：3，全部用户地址"),
    (Data("RSD", SelectEqual(_TIME, Data("unsigned", 7))),
     "records with a value: 20210200 data freeze time: freeze time = 7",
     "指定对象指定值：20210200 数据冻结时间：冻结时间 = 7"),
    (Data("RSD", _RANGE),
     "records in a range: 20210200 data freeze time: freeze time 2026-10-01T00:00:00 to "
     "2026-10-02T00:00:00, every 15 min",
     "指定对象区间内连续间隔值：20210200 数据冻结时间：冻结时间 2026-10-01T00:00:00 至 "
     "2026-10-02T00:00:00，间隔 15 分"),
    (Data("RSD", selection.SelectRanges((_RANGE,))),
     "records in several ranges: 20210200 data freeze time: freeze time 2026-10-01T00:00:00 to "
     "2026-10-02T00:00:00, every 15 min",
     "多个选择方法2的组合：20210200 数据冻结时间：冻结时间 2026-10-01T00:00:00 至 "
     "2026-10-02T00:00:00，间隔 15 分"),
    (Data("RSD", selection.SelectStoredAt(_DAY[0], selection.MeterTypes((1, 2)))),
     "by time of storage: 2026-10-01T00:00:00, user types: 1, 2",
     "指定采集存储时间：2026-10-01T00:00:00，一组用户类型：1，2"),
    (Data("RSD", selection.SelectStoredWithin(*_DAY, Ti(2, 1), _METERS)),
     "by time of storage, a span: 2026-10-01T00:00:00 to 2026-10-02T00:00:00, every 1 h, "
     "regions of addresses: 000000000001 to 000000000009, start and end included",
     "采集存储时间区间：2026-10-01T00:00:00 至 2026-10-02T00:00:00，间隔 1 时，"
     "一组用户地址区间：000000000001 至 000000000009，前闭后闭"),
    (Data("MS", selection.MeterAddresses((Tsa.of("000000000001"), Tsa.of("000000000002")))),
     "addresses: 000000000001, 000000000002", "一组用户地址：000000000001，000000000002"),
    (Data("CSD", _ROAD),
     "50040200 daily freeze: records: 00100200 forward active energy, 00200200 reverse active energy",
     "50040200 日冻结：冻结数据表：00100200 正向有功电能，00200200 反向有功电能"),
    (Data("RCSD", (_TIME, selection.Road(Oad.of("50040200"), ()))),
     "20210200 data freeze time: freeze time; 50040200 daily freeze: records",
     "20210200 数据冻结时间：冻结时间；50040200 日冻结：冻结数据表"),
    (Data("RCSD", ()), "all columns", "全部列"),
    (Data("Region", Region(1, Data("unsigned", 1), NULL)),
     "1 to null, end included, start not", "1 至 null，前开后闭"),
    (Data("TI", Ti(1, 15)), "15 min", "15 分"),
    (Data("TI", Ti(9, 15)), "15 of unit 9", "15，单位 9"),
    (Data("TSA", Tsa.of("000000000001", 1)), "000000000001, single address, logical 1",
     "000000000001，单地址，逻辑地址 1"),
    (Data("TSA", Tsa()), "no address", "无地址"),
    (Data("Scaler_Unit", selection.ScalerUnit(-1, 38)), "10^-1 V", "10^-1 伏"),
    (Data("COMDCB", selection.Comdcb(3, 2, 8, 1, 0)),
     "2400 baud, even parity, data bits 8, stop bits 1, no flow control",
     "2400 bps，偶校验，数据位 8，停止位 1，无流控"),
    (Data("COMDCB", selection.Comdcb(99, 9, 8, 1, 9)),
     "baud rate 99, parity 9, data bits 8, stop bits 1, flow control 9",
     "波特率 99，校验 9，数据位 8，停止位 1，流控 9"),
    (Data("OI", 0x0010), "0010 forward active energy", "0010 正向有功电能"),
    (Data("SID", selection.Sid(0x81000001, b"\x00\x01")), "81000001, additional data 0001",
     "81000001，附加数据 0001"),
    (Data("bool", True), "yes", "是"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "en", "zh"), _TOLD, ids=[one[0].type for one in _TOLD])
def test_values_have_these_words(data: Data, en: str, zh: str) -> None:
    """Somebody who reads a task of a terminal would have to know the codes of the standard."""
    assert Text(en, zh) == typed_says(data)


def _drawn(data: Data, language: Language) -> str:
    apdu = encode_apdu(GetResponseNormal(piid=Piid(1), result=AttributeResult(_UNKNOWN, data)))
    octets = link.encode(link.Frame(ServerAddress("000000000001"), 16, apdu, True, True))
    console = Console(width=1000, file=io.StringIO())
    for tree in render(dlt698.explain(octets), language):
        console.print(tree)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


_MAC = bytes.fromhex("A1B2C3D4")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("data", [Data("MAC", _MAC), Data("SID_MAC", SidMac(1, b"", _MAC))])
def test_words_leave_a_mac_hidden(data: Data, language: Language) -> None:
    """The words beside the stars would say what the stars hide."""
    drawn = _drawn(data, language).upper().replace(" ", "")
    assert "A1B2C3D4" not in drawn
    assert "********" in drawn
    region = typed_says(Data("Region", Region(0, data, data)))
    assert f"{data.type} to {data.type}, start included, end not" == region.en
