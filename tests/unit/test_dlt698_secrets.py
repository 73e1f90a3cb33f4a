"""Passwords, keys, MACs and frames of DL/T 698.45 in texts, in traces and in what people are shown."""

from __future__ import annotations

import functools
import io
import itertools
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from meterlink.clock import SystemClock
from meterlink.drivers.dlt698.reports import Told
from meterlink.explain import dlt698
from meterlink.explain.hexadecimal import NotHexadecimal, octets_of
from meterlink.explain.parts import Language
from meterlink.explain.tree import render
from meterlink.trace import TraceRing, Transcript
from meterwire.dlt645.messages.secrets import secret_ranges as secret_ranges_645
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestRecord, GetResponseMD5, GetResponseNormal, GetResponseRecord
from meterwire.dlt698.apdus.parts import (
    AttributeResult,
    Dar,
    Piid,
    RecordRequest,
    RecordResult,
    SetItem,
)
from meterwire.dlt698.apdus.proxy import (
    ProxyTransCommandResponse,
)
from meterwire.dlt698.apdus.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
)
from meterwire.dlt698.apdus.secret_objects import secret_types
from meterwire.dlt698.apdus.secret_ranges import secret_ranges
from meterwire.dlt698.apdus.secrets import secret_spans
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.coding import PassedOn, Secret
from meterwire.dlt698.axdr.selection import (
    Oad,
    Omd,
    Road,
    SelectAll,
    SelectEqual,
    SelectRange,
    SelectRanges,
    SidMac,
)
from meterwire.dlt698.axdr.values import Data, DataType
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.segments import Joined, JoinSignal, Segment, SegmentKind, SegmentReceiver
from meterwire.dlt698.objects.answers import answer
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.leaves import encode_leaf
from meterwire.dlt698.objects.notation import Leaf
from meterwire.dlt698.objects.object_rows import Object, Row
from meterwire.dlt698.objects.records import records
from meterwire.dlt698.sessions.listener import Report
from meterwire.dlt698.sessions.transfer import Arrival
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from tests.support.dlt698_carriers import apdus, carriers, enveloped
from tests.wire.dlt698.plant import METER, piece, sent

_PIID: Final = Piid(5)
_LANGUAGES: Final[tuple[Language, Language]] = ("en", "zh")
_SECRET: Final = "Zq7Xk9Wv"
_CLOCK: Final = SystemClock()
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


_REST: Final = Data("double-long-unsigned", 0xA5C3B1D7)
_REST_FORMS: Final = ("a5c3b1d7", "a5 c3 b1 d7", str(_REST.value))
"""What stands beside the secret and is none."""


def _within(data: Data) -> Data:
    return Data("structure", (_REST, Data("array", (Data("structure", (data,)),))))


def _lacks_rest(apdu: Apdu, of: Oad | Omd, text: str) -> bool:
    """Whether what is no secret is hidden too; of a selector in a parameter only the method is shown."""
    selector = "'RSD'" in repr(apdu)
    names = ("601c7f00", f"oi={0x601C}") if selector else (str(of).lower(), f"oi={of.oi}")
    plain = text.lower()
    rest = selector or _REST.type in secret_types(of) or any(form in plain for form in _REST_FORMS)
    return not rest or not any(name in plain for name in names)


def _traced(octets: bytes) -> str:
    """What the ring keeps of a turn, which came in two pieces."""
    ring = TraceRing(_CLOCK)
    transcript = Transcript(ring, "line", functools.lru_cache(maxsize=1)(secret_ranges))  # it is asked twice
    transcript.received(octets[:11])
    transcript.received(octets[11:])
    transcript.settle()
    transcript.sent(octets)
    return " ".join(f"{entry.hexadecimal()} {entry.octets.hex()}" for entry in ring)


def _drawn(octets: bytes, language: Language) -> str:
    """The words of what is drawn, a label a line."""
    return "\n".join(line for tree in render(dlt698.explain(octets), language) for line in _labels(tree))


def _labels(drawn: object) -> Iterator[str]:
    if isinstance(drawn, Tree):
        yield from _labels(drawn.label)
        for child in drawn.children:
            yield from _labels(child)
    else:
        assert isinstance(drawn, Text)
        yield drawn.plain


@pytest.mark.parametrize("language", _LANGUAGES)
def test_what_is_drawn_are_the_labels(language: Language) -> None:
    """The tests below look for secrets in the labels; rich might show more than these."""
    for apdu in carriers(_PORT, _within(Data("visible-string", _SECRET))):
        drawn = io.StringIO()
        console = Console(width=1000, file=drawn)
        for tree in render(dlt698.explain(sent(apdu)), language):
            console.print(tree)
        lines = [line.lstrip("│├└─ \xa0").rstrip() for line in drawn.getvalue().splitlines()]
        assert [line.strip() for line in _drawn(sent(apdu), language).splitlines()] == lines


def _everywhere(apdu: Apdu, *languages: Language) -> dict[str, str]:
    """All that is ever written of an APDU."""
    octets = sent(apdu)
    drawn = {f"decode {one}": _drawn(octets, one) for one in languages or _LANGUAGES}
    return _written(apdu, octets) | drawn


def _written(apdu: Apdu, octets: bytes = b"") -> dict[str, str]:
    """What is written of it without anybody asking.

    Args:
        apdu: what is sent.
        octets: of the frame that it is sent in; empty: they are made here.

    """
    octets = octets or sent(apdu)
    frame = link.decode(octets)
    return {
        "text": f"{apdu} {apdu!r} {frame}",
        "trace": _traced(octets),
        "report": _digits(frame.user_data),
    }


def _digits(apdu: bytes) -> str:
    """As a report that cannot be read is kept."""
    shown = [f"{octet:02x}" for octet in apdu]
    for first, after in secret_spans(apdu, secret_ranges_645):
        shown[first:after] = ["**"] * (after - first)
    return "".join(shown)


def _shows(text: str, secret: bytes) -> bool:
    """Whether four octets of the secret that follow each other are there: a part of it is too much."""
    plain = text.lower()
    return any(form in plain for form in _forms_of(secret))


@functools.lru_cache(maxsize=16)
def _forms_of(secret: bytes) -> tuple[str, ...]:
    pieces = (secret[at : at + 4] for at in range(len(secret) - 3 or 1))
    return tuple(form for piece in pieces for form in _forms(piece))


def _forms(piece: bytes) -> tuple[str, ...]:
    return piece.hex(), piece.hex(" "), repr(piece)[2:-1].lower(), piece.decode("latin-1").lower()


def _values_of(of: Oad | Omd) -> Iterator[Data]:
    for kind in _STRINGS if of not in _MACS_ONLY else ():
        value: Any = _SECRET.encode() if kind == "octet-string" else _SECRET
        yield Data(kind, value)
    yield Data("MAC", _SECRET.encode())
    yield Data("SID_MAC", SidMac(1, b"\x00\x24", _SECRET.encode()))


_TURNS: Final = 4
"""So many holders share the services in which the types behind the first are looked for."""

_of_each_holder = pytest.mark.parametrize("of", _HOLDERS, ids=lambda of: f"{type(of).__name__}-{of}")


@_of_each_holder
def test_no_service_shows_what_an_object_keeps_secret_and_each_shows_the_rest(of: Oad | Omd) -> None:
    """The password of a meter or a terminal would stand in a log, a trace or on a screenshot.

    Each holder is tried in each service and as each type, and each type in each service.
    """
    number = itertools.count(of.oi)
    for kind, data in enumerate(_values_of(of)):
        mine = slice((_HOLDERS.index(of) + kind) % _TURNS, None, _TURNS) if kind else slice(None)
        for apdu in list(carriers(of, _within(data)))[mine]:
            assert _SECRET.encode() in encode_apdu(apdu)
            written = _everywhere(apdu, _LANGUAGES[next(number) % 2]) if kind == 0 else _written(apdu)
            shown = [where for where, text in written.items() if _shows(text, _SECRET.encode())]
            assert [] == shown, (type(apdu).__name__, data.type)
            hidden = [where for where, text in written.items() if _lacks_rest(apdu, of, text)]
            assert [] == hidden, (type(apdu).__name__, data.type)


@_of_each_holder
def test_an_envelope_hides_what_its_apdu_hides(of: Oad | Omd) -> None:
    """A MAC around a password would bring it to light."""
    for data in _values_of(of):
        first = next(iter(carriers(of, _within(data))))
        for apdu in apdus(enveloped(first)):
            for twice in (apdu, *apdus(enveloped(apdu))):
                written = _everywhere(twice, "en")
                assert [] == [where for where, text in written.items() if _shows(text, _SECRET.encode())]
                assert str(of).lower() in written["trace"].lower()
                assert str(of) in written["decode en"]


@_of_each_holder
def test_segments_hide_what_their_apdu_hides(of: Oad | Omd) -> None:
    """A secret that is cut in two would be shown as two halves."""
    for data in _values_of(of):
        whole = encode_apdu(next(iter(carriers(of, _within(data)))))
        pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
        kinds = [SegmentKind.FIRST, *[SegmentKind.MIDDLE] * (len(pieces) - 2), SegmentKind.LAST]
        segments = [Segment(kind, n, one) for n, (kind, one) in enumerate(zip(kinds, pieces, strict=True))]
        stream = b"".join(piece(segment) for segment in segments)
        told = _drawn(stream, "en")
        texts = (_traced(stream), told, _drawn(stream, "zh"), repr(segments))
        assert [] == [text for text in texts if _shows(text, _SECRET.encode())]
        assert "put together from frames" in told
        assert str(of) in told


@_of_each_holder
def test_no_fault_shows_a_secret(of: Oad | Omd) -> None:
    """Half a frame in an error of the log would show the password that the whole one hides."""
    for data in itertools.islice(_values_of(of), 1):
        whole = encode_apdu(next(iter(carriers(of, data))))
        for at in range(len(whole)):
            for broken in (whole[:at], whole[:at] + whole[at + 1 :], whole[:at] + b"\xff" + whole[at + 1 :]):
                if _SECRET.encode() not in broken:
                    continue
                faults = dlt698.explain(sent(broken)).faults
                words = "".join(f"{fault} {fault!r} {fault.octets}" for fault in faults)
                assert not _shows(words, _SECRET.encode())
                assert not faults or not _shows(_drawn(sent(broken), "en"), _SECRET.encode())


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


def _frame_698() -> bytes:
    """A write of a password that a terminal carries to a meter of 698.45."""
    item = SetItem(Oad.of("44010200"), Data("octet-string", _PASSWORD))
    return sent(SetRequestNormal(piid=_PIID, item=item), from_server=False)


def _frame_carriers(frame: bytes) -> Iterator[Apdu]:
    data = _within(Data("octet-string", frame))
    for of in ("60180200", "60190200", "601A0200"):
        yield GetResponseNormal(piid=_PIID, result=AttributeResult(Oad.of(of), data))
        yield from itertools.islice(carriers(Oad.of(of), data), 0, None, 10)
    for of in ("60187F00", "60188000", "F2097F00"):
        yield from carriers(Omd.of(of), data)
    yield from apdus({PassedOn: [frame]})


@pytest.mark.parametrize("frame", [_frame_645(), b"\xfe" * 4 + _frame_645(), _frame_698()])
def test_the_password_in_a_frame_that_is_passed_on_is_hidden(frame: bytes) -> None:
    """A password of either protocol would come to light because a terminal carries it."""
    number = itertools.count()
    for apdu in _frame_carriers(frame):
        if isinstance(apdu, GetResponseMD5):
            continue
        assert _PASSWORD in encode_apdu(apdu)
        written = _everywhere(apdu, _LANGUAGES[next(number) % 2])
        assert [] == [where for where, text in written.items() if _shows(text, _PASSWORD)], type(apdu)
        assert repr(frame)[2:-1] not in written["text"]


def test_the_checks_of_a_frame_with_a_secret_are_hidden() -> None:
    """Whoever guesses a password of four octets could prove it by the sum over it."""
    inner = _frame_698()
    apdu = ProxyTransCommandResponse(piid=_PIID, port=_PORT, result=inner)
    fcs = inner[-3:-1].hex()
    assert fcs in encode_apdu(apdu).hex()
    assert fcs not in _everywhere(apdu)["report"]
    assert inner[2:10].hex() in _everywhere(apdu)["report"]
    octets = sent(apdu)
    for language in _LANGUAGES:
        (line,) = [
            line for line in _drawn(octets, language).splitlines() if "frame check" in line or "FCS" in line
        ]
        assert "** **" in line
        assert octets[-3:-1].hex(" ").upper() not in line
    plain = sent(GetResponseNormal(piid=_PIID, result=AttributeResult(_ENERGY, Dar(4))))
    assert f"{plain[-3:-1].hex(' ').upper()}  frame check" in _drawn(plain, "en")


def test_the_digest_of_a_secret_is_hidden_and_any_other_is_shown() -> None:
    """A short password can be found from its MD5."""
    digest = b"Zq7Xk9WvZq7Xk9Wv"
    hidden = _everywhere(GetResponseMD5(piid=_PIID, oad=Oad.of("44010200"), result=digest))
    assert [] == [where for where, text in hidden.items() if _shows(text, digest)]
    shown = _everywhere(GetResponseMD5(piid=_PIID, oad=_ENERGY, result=digest))
    assert ["text"] == [where for where, text in shown.items() if not _shows(text, digest)]
    assert "Dar(6)" in repr(GetResponseMD5(piid=_PIID, oad=_ENERGY, result=Dar(6)))


def test_every_member_that_is_marked_secret_is_hidden_wherever_it_is_declared() -> None:
    """A CONNECT, a key or a cipher block of a service that is added later would be shown."""
    found = 0
    for apdu in apdus({Secret: [_SECRET, _SECRET.encode()]}):
        written = _everywhere(apdu)
        assert _SECRET.encode() in encode_apdu(apdu)
        assert [] == [where for where, text in written.items() if _shows(text, _SECRET.encode())], type(apdu)
        found += 1
    assert found >= 10


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


# --- values, link layer, faults ------------------------------------------------------------------------


_TOLD: Final = (ReportNotificationList, ReportNotificationRecordList)
"""Reports whose values are told."""


def _told(apdu: Any, fault: RemoteProtocolError | None = None) -> str:
    """A report on its way to the database and the log, and the values in it."""
    report = Report(
        server=METER,
        notification=apdu if fault is None else None,
        octets=encode_apdu(apdu),
        envelope=None,
        fault=fault,
        acknowledgement=b"",
    )
    told = Told(report, address="000000000161", zone=UTC, received_at=datetime(2026, 10, 1, tzinfo=UTC))
    values = [answer(apdu.results)] if isinstance(apdu, ReportNotificationList) else []
    rows = [*map(records, apdu.records)] if isinstance(apdu, ReportNotificationRecordList) else []
    return f"{report!r} {told.summary} {told.parts} {values} {rows}"


@pytest.mark.parametrize("of", [of for of in _HOLDERS if isinstance(of, Oad)], ids=str)
def test_no_value_shows_what_its_object_or_its_annex_keeps_secret(of: Oad) -> None:
    """A terminal that reports its settings would send passwords to every subscriber and the database."""
    for data in _values_of(of):
        for shape in (data, _within(data), Data("array", (data,)), Data("structure", (data, _REST))):
            for apdu in carriers(of, shape, services=_TOLD):
                assert not _shows(_told(apdu), _SECRET.encode()), (data.type, apdu)


@pytest.mark.parametrize("of", ["60020200", "60000200", "60120300"])
def test_values_without_a_secret_are_told(of: str) -> None:
    """Hiding every text would pass the test above."""
    annex = Data("structure", (Data("OAD", Oad.of("40010200")), Data("octet-string", _SECRET.encode())))
    result = AttributeResult(Oad.of("60020500"), Data("array", (annex,)))
    apdu = ReportNotificationList(piid=_PIID, results=(result, AttributeResult(Oad.of(of), Dar(4))))
    assert _shows(_told(apdu), _SECRET.encode())


def test_objects_that_are_named_in_other_ways_hide_their_values() -> None:
    """A maker's list of objects before the list of their values would show a password."""
    secret = Data("array", (Data("visible-string", _SECRET), _REST))
    password = Oad.of("44010200")
    for name in (
        Data("array", (Data("OAD", _ENERGY), Data("OAD", password))),
        Data("array", (Data("OI", password.oi),)),
        Data("OI", password.oi),
        Data("CSD", Road(_ENERGY, (password,))),
        Data("RCSD", (_ENERGY, password)),
    ):
        apdu = SetRequestNormal(
            piid=_PIID, item=SetItem(Oad.of("60020500"), Data("structure", (name, secret)))
        )
        assert [] == [where for where, text in _everywhere(apdu).items() if _shows(text, _SECRET.encode())]


def test_a_plaintext_close_hides_a_password_of_any_type_and_shows_relay_and_command() -> None:
    """Tools send four octets or a number in place of eight characters."""
    relay, permit = Data("OAD", Oad.of("F2050201")), Data("enum", 0)
    octets = bytes.fromhex("5A7137DE")
    for password in (Data("octet-string", octets), Data("double-long-unsigned", int.from_bytes(octets))):
        data = Data("array", (Data("structure", (relay, permit, password)),))
        for apdu in carriers(Omd.of("80008300"), data):
            written = _everywhere(apdu)
            shown = [
                where
                for where, text in written.items()
                if _shows(text, octets) or str(int.from_bytes(octets)) in text
            ]
            assert [] == shown
            assert "f2050201" in written["trace"].lower()
            assert "F2050201" in written["decode zh"]


def test_what_layers_hand_to_each_other_does_not_show_the_octets() -> None:
    """One line of debugging would bring every password on the line into the log."""
    item = SetItem(Oad.of("44010200"), Data("octet-string", _PASSWORD))
    octets = sent(SetRequestNormal(piid=_PIID, item=item))
    frame = link.decode(octets)
    segment = Segment(SegmentKind.LAST, 1, frame.user_data)
    every = [
        frame,
        segment,
        list(Deframer().feed_found(octets)),
        SegmentReceiver().feed(segment),
        Joined(JoinSignal.LAST, segment, frame.user_data),
        Arrival(JoinSignal.LAST, frame, frame.user_data),
        SelectEqual(Oad.of("44010200"), Data("octet-string", _PASSWORD)),
        SelectRanges((SelectRange(Oad.of("44010200"), *[Data("octet-string", _PASSWORD)] * 3),)),
    ]
    assert [] == [one for one in every if _shows(f"{one} {one!r}", _PASSWORD)]
    assert "000000000161" in repr(frame)


def test_a_fault_in_a_secret_names_no_octet_of_it() -> None:
    """The error on the screen and in the report would spell the password out, octet by octet."""
    data = Data("octet-string", b"\x5a\x5a\x5a")
    whole = encode_apdu(SetRequestNormal(piid=_PIID, item=SetItem(Oad.of("44010200"), data)))
    broken = whole.replace(b"\x03\x5a", b"\x00\x5a")
    (fault,) = dlt698.explain(sent(broken)).faults
    assert "5AH" in str(fault)
    pieces = [Segment(SegmentKind.FIRST, 0, broken[:9]), Segment(SegmentKind.LAST, 1, broken[9:])]
    for octets in (sent(broken), b"".join(map(piece, pieces))):
        for language in _LANGUAGES:
            assert "5A" not in _drawn(octets, language)
    apdu = ReportNotificationList(piid=_PIID, results=(AttributeResult(_ENERGY, Dar(4)),))
    assert "5A" not in _told(apdu, fault)
    later = "service 05 07H is of a later edition and not supported"
    assert later in _drawn(sent(b"\x05\x07\x05"), "en")


def test_half_an_octet_is_refused_without_its_neighbours() -> None:
    """Whoever pastes a frame with one digit too few would see its password in the error."""
    item = SetItem(Oad.of("44010200"), Data("octet-string", _PASSWORD))
    digits = sent(SetRequestNormal(piid=_PIID, item=item)).hex()[:-1]
    with pytest.raises(NotHexadecimal) as refused:
        octets_of(digits)
    assert not _shows(str(refused.value), _PASSWORD)
    assert "digits make no whole octets" in str(refused.value)


def test_a_text_that_cannot_be_written_is_not_in_the_error() -> None:
    """The operator's new password would stand in the log."""
    with pytest.raises(LocalProtocolError) as refused:
        encode_leaf(Leaf("octet-string"), 0, f"{_SECRET} is no hexadecimal")
    assert not _shows("".join(traceback.format_exception(refused.value)), _SECRET.encode())


@pytest.mark.parametrize("of", ["44017F00", "60018000", "45009900"])
@pytest.mark.parametrize("service", ["070105{}0A{}00", "090504003C010705000000000001003C01{}0A{}00"])
def test_a_method_that_nobody_knows_hides_what_its_object_keeps_secret(service: str, of: str) -> None:
    """A maker's method that sets the password would show it, to all who read a trace of it."""
    text = f"{len(_SECRET):02X}{_SECRET.encode().hex()}"
    octets = bytes.fromhex(service.format(of, text))
    apdu = decode_apdu(octets)
    assert octets == encode_apdu(apdu)
    for where, shown in _everywhere(apdu).items():
        assert not _shows(shown, _SECRET.encode()), where
