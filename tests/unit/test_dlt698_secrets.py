"""Passwords, keys, MACs and frames of DL/T 698.45 in texts, in traces and in what people are shown."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from rich.console import Console

from meterlink.explain import dlt698
from meterlink.explain.parts import Language
from meterlink.explain.tree import render
from meterwire.dlt645.messages.secrets import secret_ranges as secret_ranges_645
from meterwire.dlt698.apdus.action import (
    ActionRequestNormal,
    ActionResponseNormal,
    ActionThenGetResponseNormalList,
)
from meterwire.dlt698.apdus.apdu import Apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestRecord, GetResponseNormal, GetResponseRecord
from meterwire.dlt698.apdus.parts import (
    ActionItem,
    ActionResult,
    ActionThenGetResult,
    AttributeResult,
    Dar,
    Piid,
    RecordRequest,
    RecordResult,
    SetItem,
)
from meterwire.dlt698.apdus.proxy import (
    ProxyActionRequestList,
    ProxyActionTarget,
    ProxyTransCommandRequest,
    ProxyTransCommandResponse,
)
from meterwire.dlt698.apdus.report import ReportNotificationTransData
from meterwire.dlt698.apdus.secret_ranges import secret_ranges
from meterwire.dlt698.apdus.secrets import secret_spans
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.selection import (
    Comdcb,
    Oad,
    Omd,
    Road,
    SelectAll,
    SelectEqual,
    SelectRange,
    SelectRanges,
    SidMac,
    Tsa,
)
from meterwire.dlt698.axdr.values import Data, DataType
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.object_rows import Object, Row
from tests.wire.dlt698.plant import sent

_PIID: Final = Piid(5)
_SECRET: Final = "SECRET99"
_METER: Final = Tsa.of("201601200001")
_PORT: Final = Oad.of("F2010201")
_ENERGY: Final = Oad.of("00100200")
_STRINGS: Final[tuple[DataType, ...]] = ("octet-string", "visible-string", "utf8-string")
_NAMES_A_SECRET: Final = re.compile(
    r"password|\bkeys?\b|\bmac\b|_mac\b|frame|cipher|authentic|transparent|certificate"
    r"|密码|密钥|报文|mac|认证|透明|证书",
    re.IGNORECASE,
).search
_HOLDS_OCTETS: Final = re.compile("octet-string|visible-string|utf8-string|MAC|any").search
_NO_SECRET: Final[dict[str, str]] = {
    r"attribute 1 of .*": "the logical name",
    r"(attribute|method) \d+ of (3026|3109)": "that keys or certificates were changed, not what they are",
    r"(attribute|method) \d+ of F301": "keys that a finger presses",
    r"attribute 5 of 451[0-7]": "the hardware address of an Ethernet port",
    r"method [12] of (6018|601A)": "reset and run of every set",
    r"attribute 4 of F100": "the version of the keys",
    r"attribute (8|9|10|11|12) of F100": "certificates, which are public, and their versions",
}
_REFERENCE_NAMES: Final = (
    *("44010200", "45000200", "45010200", "60000200", "60010200", "60180200", "60190200", "601A0200"),
    *(f"451{digit}0{attribute}00" for digit in range(8) for attribute in (2, 4)),
)
_REFERENCE_NAMES_METHODS: Final = (
    *("60007F00", "60008000", "60008100", "60008400", "60008500", "60187F00", "60188000", "80008300"),
    *("80008301", "F1000400", "F1000700", "F1000800", "F1000B00", "F1000C00", "F1000D00", "F1000E00"),
    *("F2097F00", "F2097F01"),
)


def _named(one: Object, row: Row) -> bool:
    words = " ".join((one.en, one.zh, one.item, row.en, row.zh, row.item, row.written))
    return bool(_NAMES_A_SECRET(words) and row.written and _HOLDS_OCTETS(row.written))


def _of_the_dictionary() -> Iterator[Oad | Omd]:
    for one in dictionary().objects:
        for row in one.rows:
            place = f"{'method' if row.is_method else 'attribute'} {row.number} of {one.oi:04X}"
            if _named(one, row) and not any(re.fullmatch(known, place) for known in _NO_SECRET):
                yield Omd(one.oi, row.number, 0) if row.is_method else Oad(one.oi, row.number, 0)


_HOLDERS: Final = sorted(
    {*_of_the_dictionary(), *map(Oad.of, _REFERENCE_NAMES), *map(Omd.of, _REFERENCE_NAMES_METHODS)},
    key=lambda one: (str(one), type(one).__name__),
)
_MACS_ONLY: Final = {Omd.of("F1000600"), Omd.of("F1000A00")}
"""Named for the MAC in them; the MAC is told by its type."""


def _within(data: Data) -> Data:
    return Data("structure", (Data("unsigned", 1), Data("array", (Data("structure", (data,)),))))


def _carriers(of: Oad | Omd, data: Data) -> Iterator[Apdu]:
    """APDUs that hold a value of an attribute, or of a method."""
    if isinstance(of, Omd):
        yield from _method_carriers(of, data)
        return
    yield SetRequestNormal(piid=_PIID, item=SetItem(of, data))
    annex = Data("structure", (Data("OAD", of), data))
    for whole in (of, Oad(of.oi, 0, 0), Oad(of.oi, of.attribute | 0x20, 0), of._replace(index=1)):
        yield GetResponseNormal(piid=_PIID, result=AttributeResult(whole, data))
    yield GetResponseNormal(piid=_PIID, result=AttributeResult(Oad.of("60020200"), annex))
    for column in (of, Road(Oad.of("50040200"), (of,))):
        record = RecordResult(Oad.of("60120300"), (column,), ((data,),))
        yield GetResponseRecord(piid=_PIID, record=record)
    equal = SelectEqual(of, data)
    between = SelectRanges((SelectRange(_ENERGY, *[Data("null", None)] * 3), SelectRange(of, *[data] * 3)))
    for selector in (equal, between):
        record_of = RecordRequest(Oad.of("50040200"), selector, (_ENERGY,))
        yield GetRequestRecord(piid=_PIID, record=record_of)
        scheme = Data("structure", (Data("RSD", selector),))
        yield ActionRequestNormal(piid=_PIID, item=ActionItem(Omd.of("601C7F00"), scheme))
    asked = RecordRequest(of, SelectEqual(_ENERGY, data), (_ENERGY,))
    yield GetRequestRecord(piid=_PIID, record=asked)


def _method_carriers(of: Omd, data: Data) -> Iterator[Apdu]:
    item, result = ActionItem(of, data), ActionResult(of, Dar(0), data)
    then = ActionThenGetResult(of, Dar(0), data, AttributeResult(_ENERGY, Dar(4)))
    yield ActionRequestNormal(piid=_PIID, item=item)
    yield ActionResponseNormal(piid=_PIID, item=result)
    yield ActionThenGetResponseNormalList(piid=_PIID, items=(then,))
    target = ProxyActionTarget(_METER, 10, (item,))
    yield ProxyActionRequestList(piid=_PIID, timeout_s=60, targets=(target,))


def _blanked(octets: bytes, ranges: tuple[tuple[int, int], ...]) -> bytes:
    left = bytearray(octets)
    for first, after in ranges:
        left[first:after] = bytes(after - first)
    return bytes(left)


def _drawn(octets: bytes, language: Language) -> str:
    drawn = io.StringIO()
    console = Console(width=1000, file=drawn)
    for tree in render(dlt698.explain(octets), language):
        console.print(tree)
    return drawn.getvalue()


def _everywhere(apdu: Apdu) -> dict[str, str]:
    """All that is ever written of an APDU."""
    octets = sent(apdu)
    inner = encode_apdu(apdu)
    return {
        "text": repr(apdu),
        "trace": _blanked(octets, secret_ranges(octets)).hex(),
        "report": _blanked(inner, secret_spans(inner, secret_ranges_645)).hex(),
        "decode en": _drawn(octets, "en"),
        "decode zh": _drawn(octets, "zh"),
    }


def _shows(text: str, secret: bytes) -> bool:
    plain = text.lower()
    forms = (secret.hex(), secret.hex(" "), repr(secret)[2:-1].lower(), secret.decode("latin-1").lower())
    return any(form in plain for form in forms)


@pytest.mark.parametrize("of", _HOLDERS, ids=lambda of: f"{type(of).__name__}-{of}")
def test_no_object_shows_what_it_keeps_secret(of: Oad | Omd) -> None:
    """The password of a meter or a terminal would stand in a log, a trace or on a screenshot."""
    for kind in _STRINGS if of not in _MACS_ONLY else ():
        value: Any = _SECRET.encode() if kind == "octet-string" else _SECRET
        for apdu in _carriers(of, _within(Data(kind, value))):
            assert _SECRET.encode() in encode_apdu(apdu)
            shown = [where for where, text in _everywhere(apdu).items() if _shows(text, _SECRET.encode())]
            assert [] == shown, (type(apdu).__name__, kind)


@pytest.mark.parametrize("of", _HOLDERS, ids=lambda of: f"{type(of).__name__}-{of}")
def test_no_object_shows_a_mac(of: Oad | Omd) -> None:
    """Whoever reads the log could send the command again under its MAC."""
    mac = _SECRET.encode()
    for data in (Data("MAC", mac), Data("SID_MAC", SidMac(1, b"\x00\x24", mac))):
        for apdu in _carriers(of, _within(data)):
            shown = [where for where, text in _everywhere(apdu).items() if _shows(text, mac)]
            assert [] == shown, type(apdu).__name__


def test_the_dictionary_was_looked_through() -> None:
    """An expression that finds nothing would let every object pass."""
    found = set(_of_the_dictionary())
    assert {Oad.of("44010200"), Oad.of("60190200"), Omd.of("60008400"), Omd.of("F2097F00")} <= found
    assert len(found) >= 25


# --- frames ----------------------------------------------------------------------------------------

_PASSWORD: Final = bytes((octet + 0x33) & 0xFF for octet in bytes.fromhex("DEADBE"))


def _frame_645() -> bytes:
    """A write with a password, as it stands on the wire."""
    data = bytes.fromhex("04000101 02 DEADBE 10203040 01")
    head = bytes.fromhex("68 610100000000 68 14") + bytes((len(data),))
    body = head + bytes((octet + 0x33) & 0xFF for octet in data)
    return body + bytes((sum(body) & 0xFF, 0x16))


def _frame_carriers() -> Iterator[Apdu]:
    frame, dialled = _frame_645(), Comdcb(3, 2, 8, 1, 0)
    for of in ("60180200", "60190200", "601A0200"):
        data = _within(Data("octet-string", frame))
        yield GetResponseNormal(piid=_PIID, result=AttributeResult(Oad.of(of), data))
    for of in ("60187F00", "60188000", "F2097F00", "F2097F01"):
        yield from _method_carriers(Omd.of(of), _within(Data("octet-string", frame)))
    yield ProxyTransCommandRequest(
        piid=_PIID, port=_PORT, comdcb=dialled, frame_timeout_s=20, byte_timeout_ms=50, command=frame
    )
    yield ProxyTransCommandResponse(piid=_PIID, port=_PORT, result=frame)
    yield ReportNotificationTransData(piid=_PIID, port=_PORT, data=(b"", frame))


@pytest.mark.parametrize("apdu", list(_frame_carriers()), ids=lambda apdu: type(apdu).__name__)
def test_the_password_in_a_frame_that_is_passed_on_is_hidden(apdu: Apdu) -> None:
    """A password of DL/T 645 would come to light because a terminal carries it."""
    assert _PASSWORD in encode_apdu(apdu)
    written = _everywhere(apdu)
    assert [] == [where for where, text in written.items() if _shows(text, _PASSWORD)]
    assert not _shows(written["text"], _frame_645())


def test_a_frame_that_is_passed_on_is_shown_but_for_its_secret() -> None:
    """Nobody could tell what a transparent scheme sends to which meter."""
    data = _within(Data("octet-string", _frame_645()))
    apdu = GetResponseNormal(piid=_PIID, result=AttributeResult(Oad.of("601A0200"), data))
    assert "6861010000000068140c" not in _everywhere(apdu)["trace"]
    assert _frame_645()[:10].hex() in _everywhere(apdu)["report"]


def test_a_refusal_of_a_transparent_command_is_told() -> None:
    """A log would hide why nothing came back through a port."""
    assert "Dar(33)" in repr(ProxyTransCommandResponse(piid=_PIID, port=_PORT, result=Dar(33)))


# --- what is no secret -------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["40010200", "60020200", "F1000200"])
def test_what_is_no_secret_is_shown(of: str) -> None:
    """Hiding everything would pass every test above, and help nobody."""
    data = Data("structure", (Data("OAD", _ENERGY), Data("octet-string", _SECRET.encode())))
    found = Oad.of(of)
    record = RecordResult(Oad.of("60120300"), (found,), ((data,),))
    for apdu in (
        SetRequestNormal(piid=_PIID, item=SetItem(found, data)),
        GetResponseRecord(piid=_PIID, record=record),
        GetRequestRecord(piid=_PIID, record=RecordRequest(found, SelectEqual(_ENERGY, data), (found,))),
    ):
        assert [] == [
            where for where, text in _everywhere(apdu).items() if not _shows(text, _SECRET.encode())
        ], type(apdu).__name__
    assert "SelectAll()" in repr(RecordRequest(found, SelectAll(), (found,)))
