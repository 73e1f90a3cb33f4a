"""The vectors through the explanation: what people and programs are told about real frames."""

from __future__ import annotations

import io
import json
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from rich.console import Console

from meterlink.explain.explain import EXPLAINERS, explain
from meterlink.explain.jsonl import answer
from meterlink.explain.parts import Explanation, Part
from meterlink.explain.tree import render
from meterwire.dlt645 import decode, from_frame
from meterwire.dlt645.link.functions import EDITIONS
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.address import ServerAddress
from meterwire.errors import RemoteProtocolError
from tests.support.batches import in_batches
from tests.support.vectors import octets, vectors

_645 = vectors("dlt645.jsonl", "dlt645") + vectors("control.jsonl", "dlt645") + vectors("own-dlt645.jsonl")
_1376 = vectors("gdw1376.jsonl")
_ALL = _645 + vectors("dlt698.jsonl", "dlt698") + vectors("control.jsonl", "dlt698") + _1376
_IDS = [vector["id"] for vector in _ALL]
_FOR_PEOPLE = {"name"}


def _same(expected: object, actual: object) -> bool:
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and _same(value, actual[key])
            for key, value in expected.items()
            if key not in _FOR_PEOPLE
        )
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(_same, expected, actual))
    if expected is None or actual is None or isinstance(expected, bool):
        return expected is actual
    return str(expected).upper() == str(actual).upper() or _number(expected) == _number(actual) is not None


def _number(text: object) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


@in_batches(_ALL, _IDS)
def test_the_answer_holds_everything_expected(vector: dict[str, Any]) -> None:
    """A published frame would be explained otherwise than its author meant it."""
    found = answer(json.dumps(vector))
    if "error" in vector:
        assert found["error"]["sentence"]
        return
    assert found["error"] is None
    assert _same(vector["expect"], found["decoded"]), found["decoded"]


def _explained(vector: dict[str, Any]) -> Explanation:
    assert vector["protocol"] in (*EDITIONS, *EXPLAINERS)
    return explain(octets(vector), vector["protocol"])


def _leaves(parts: tuple[Part, ...]) -> bytes:
    return b"".join(part.octets for part in parts)


@in_batches(_ALL, _IDS)
def test_every_octet_of_a_frame_is_named_once(vector: dict[str, Any]) -> None:
    """An octet that nobody explains could be the one that is wrong."""
    stream = octets(vector)
    for frame in _explained(vector).frames:
        assert stream[frame.start : frame.end] == _leaves(frame.parts)
        at = frame.start
        for part in frame.parts:
            assert at == part.start
            assert part.name.en
            assert part.name.zh
            at += len(part.octets)


@in_batches(_ALL, _IDS)
def test_every_frame_is_drawn_in_both_languages(vector: dict[str, Any]) -> None:
    """A frame in the field would end the program instead of being shown."""
    explanation = _explained(vector)
    assert list(render(explanation, "en"))
    assert list(render(explanation, "zh"))


def test_what_is_secret_is_not_drawn() -> None:
    """A screenshot would give away a password or a MAC."""
    (vector,) = [one for one in _ALL if one["id"] == "CTL645-017"]
    parts = {part.name.en: part for part in _explained(vector).frames[0].parts}
    assert parts["password"].secret
    assert parts["MAC"].secret
    assert parts["cipher block"].secret
    assert not parts["operator code"].secret


def test_good_frames_give_messages() -> None:
    """A daemon could not use a frame that the explanation understands."""
    for vector in _645:
        if "expect" not in vector or "frames" in vector["expect"]:
            continue
        try:
            frame = decode(octets(vector))
        except RemoteProtocolError:
            continue  # rubbish around the frame: the deframer's business
        assert from_frame(frame, vector["protocol"]).address == frame.address


@in_batches(_ALL, _IDS)
def test_the_protocol_of_a_frame_is_found(vector: dict[str, Any]) -> None:
    """A person would have to know the protocol before the program tells what a frame is."""
    if "expect" in vector and vector["protocol"] in EXPLAINERS:
        found, told = explain(octets(vector)), _explained(vector)
        assert [frame.decoded for frame in told.frames] == [frame.decoded for frame in found.frames]


_DRAWN_SECRETS = {
    "gen-connect-password": "123456",
    "CTL698-009": "12345678",
    "real-connect-request-01": "88 B7 02",
    "SEC698-003": "FB C0 55",
    "real-sec-getresponsenormal-01": "32 F9 56",
    "gen-data-mac-rn": "12 34 56 78",
    "real-seg-06": "90 00 82",
}


@pytest.mark.parametrize(("name", "secret"), _DRAWN_SECRETS.items())
def test_a_secret_of_698_is_drawn_only_when_asked_for(name: str, secret: str) -> None:
    """A screenshot would give away a password, a key or a MAC, in itself or in the line above it."""
    (vector,) = [one for one in _ALL if one["id"] == name]
    hexadecimal = secret.encode().hex(" ").upper() if " " not in secret else secret
    hidden, shown = _drawn(vector, show=False), _drawn(vector, show=True)
    assert secret not in hidden
    assert hexadecimal not in hidden
    assert hexadecimal in shown


def _drawn(vector: dict[str, Any], *, show: bool) -> str:
    console = Console(width=400, file=io.StringIO())
    for tree in render(_explained(vector), "en", show_secrets=show):
        console.print(tree)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_measured_value_of_698_is_drawn_with_its_decimals_unit_and_name() -> None:
    """A person would have to know the scaler of every object by heart."""
    (vector,) = [one for one in _ALL if one["id"] == "pub-getresponsenormal-22"]
    drawn = _drawn(vector, show=False)
    assert "double-long-unsigned 123456 = 1234.56 kWh, forward active energy" in drawn
    assert "double-long-unsigned 10000 = 100.00 kWh, forward active energy tariff 1" in drawn


_DRAWN = {
    "gen-proxy-list-mixed": "result: 33 request timeout",
    "real-link-response-01": "result: 0 accepted, clock not trusted",
    "real-link-request-01": "type: 0 login",
    "gen-connect-rsp-password-wrong": "result: 1 password wrong",
    "gen-error-service": "error: 2 the service is not supported",
    "gen-conc-freeze-rows-null": "00100200 forward active energy: array of 5",
    "real-proxytranscommandrequest-01": (
        "port settings: 2400 baud, even parity, data bits 8, stop bits 1, no flow control"
    ),
    "gen-scaler-voltage": "10^-1 V",
    "real-stream-01": "put together from frames 1, 2",
}


@pytest.mark.parametrize(("name", "words"), _DRAWN.items())
def test_codes_of_698_are_drawn_in_words(name: str, words: str) -> None:
    """A person would have to look every code up in the standard."""
    (vector,) = [one for one in _ALL if one["id"] == name]
    assert words in _drawn(vector, show=False)


@pytest.mark.parametrize(
    ("apdu", "words"),
    [
        ("10 00 08 0501014001020000 01 02 AABB", ("choice: 0 plain text", "choice: 1 random number")),
        (
            "10 01 02 AABB 02 02 AABB 04 01020304",
            ("choice: 1 cipher text", "choice: 2 random number and MAC"),
        ),
        ("10 01 02 AABB 03 00000001 02 AABB", ("choice: 3 security identifier",)),
        ("10 01 02 AABB 00 00000001 02 AABB 04 01020304", ("choice: 0 SID and MAC",)),
        ("90 01 02 AABB 01 00 04 01020304", ("choice: 1 cipher text", "choice: 0 MAC")),
        ("90 02 16 00", ("choice: 2 refused",)),
    ],
)
def test_choices_of_an_envelope_are_drawn_in_words(apdu: str, words: tuple[str, ...]) -> None:
    """A person would have to look up what 0 and 2 mean, once for each place of the envelope."""
    user_data = bytes.fromhex(apdu)
    server = apdu.startswith("90")
    frame = frame698.Frame(ServerAddress("000000000001"), 0x10, user_data, server, True)
    drawn = _drawn({"hex": frame698.encode(frame).hex(), "protocol": "dlt698.45"}, show=False)
    for one in words:
        assert one in drawn
