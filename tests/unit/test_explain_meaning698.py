"""What programs are told of controls and their answers, however packed: in envelopes, lists, proxies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meterlink.explain.dlt698 import explain
from meterlink.explain.dlt698_plain import ENVELOPES_MAX
from meterlink.explain.jsonl import answer
from meterlink.explain.parts import Part
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import Frame

_CLOSE = "07 01 05 80008200 01 01 02 02 51 F2050201 16 01 01 07EA0B160F1E00 01 0005"
_TRIP_ITEM = "80008100 01 01 02 04 51 F2050201 11 00 12 0000 03 00"
_TAG = "01 07EA0B160F1E00 01 0005"
_TOLD_TAG = {"sent": "2026-11-22T15:30:00", "allow": {"unit": "minute", "value": 5}}
_LATE = {"dar": 32, "ok": False, "error": "time_tag_invalid"}
_TRIP = {
    "omd": "80008100",
    "command": "trip",
    "relays": [{"oad": "F2050201", "alarm_delay_min": 0, "limit_min": 0, "auto_close": False}],
}


def _frame(apdu: str, *, from_server: bool) -> str:
    frame = Frame(ServerAddress("000000000001"), 0x10, bytes.fromhex(apdu), from_server, True)
    return link.encode(frame).hex()


def _sealed(service: str, apdu: str, rest: str) -> str:
    inner = bytes.fromhex(apdu)
    return f"{service} 00 {len(inner):02X} {inner.hex()} {rest}"


def _answer(apdu: str) -> dict[str, Any]:
    octets = _frame(apdu, from_server=bytes.fromhex(apdu)[0] >= 0x80)
    return answer(json.dumps({"protocol": "dlt698.45", "hex": octets}))


def _meaning(apdu: str) -> dict[str, Any]:
    found = _answer(apdu)
    assert found["error"] is None
    meaning: dict[str, Any] = found["decoded"]["meaning"]
    return meaning


def _among(expected: dict[str, Any], actual: dict[str, Any]) -> dict[str, Any]:
    """What there is of the keys that are expected."""
    return {key: actual[key] for key in expected if key in actual}


def test_a_control_in_a_plain_envelope_is_told_with_its_envelope() -> None:
    """A program that watches for switching would miss every one that goes out with a MAC."""
    meaning = _meaning(_sealed("10", _CLOSE, "00 811C8310 02 0024 04 01020304"))
    relays = [{"oad": "F2050201", "mode": "direct"}]
    control = {"omd": "80008200", "command": "close", "relays": relays, "time_tag": _TOLD_TAG}
    envelope = {"service": "SecurityRequest", "encrypted": False, "verification": "SID_MAC"}
    proof = {"piid": "05", "sid": "811C8310", "mac": "01020304"}
    expected = control | envelope | proof
    assert expected == _among(expected, meaning)


def test_what_the_envelope_says_of_itself_stands_before_what_it_holds() -> None:
    """The MAC of a top-up inside would be taken for that of the envelope."""
    proof = "5E 4C414201 02 0012 04 2D8E21D8"
    topup = f"07 01 0D F1000600 02 06 0F 01 06 00002710 06 00000005 09 06 000012345678 {proof} 09 01 00 00"
    meaning = _meaning(_sealed("10", topup, "00 811C8310 02 0024 04 01020304"))
    expected = {"operation": "topup", "amount_cents": 10000, "sid": "811C8310", "mac": "01020304"}
    assert expected == _among(expected, meaning)


@pytest.mark.parametrize(
    ("apdu", "expected"),
    [
        ("87 01 05 80008100 20 00 00 00", {"omd": "80008100", **_LATE}),
        (
            "85 01 0C 202C0200 01 02 02 06 00005749 06 00000005 00 00",
            {"oad": "202C0200", "remaining_yuan": "223.45", "purchase_count": 5},
        ),
    ],
    ids=["refused", "balance"],
)
def test_an_answer_in_a_plain_envelope_is_told(apdu: str, expected: dict[str, Any]) -> None:
    """A refusal would pass for an answer of which nothing is known."""
    meaning = _meaning(_sealed("90", apdu, "01 00 04 01020304"))
    envelope = {"service": "SecurityResponse", "verification": "MAC"}
    assert envelope | expected == _among(envelope | expected, meaning)


@pytest.mark.parametrize("inner", ["0501", "10 00 02 0501 00"], ids=["no APDU", "an envelope"])
def test_an_envelope_whose_content_is_no_message_is_told_alone(inner: str) -> None:
    """The envelope is good although its content is not."""
    meaning = _meaning(_sealed("10", inner, "00 811C8310 02 0024 04 01020304"))
    assert bytes.fromhex(inner).hex().upper() == meaning["inner"]
    assert not {"omd", "oad", "command", "piid"} & set(meaning)


@pytest.mark.parametrize(
    ("apdu", "expected"),
    [
        ("05 01 02 80000500 00", {"oad": "80000500"}),
        ("06 01 02 80010300 12 000A 00", {"oad": "80010300"}),
        (
            "86 01 02 F1010200 0F 00 00",
            {"oad": "F1010200", "dar": 15, "ok": False, "error": "password_or_unauthorised"},
        ),
        ("86 01 02 F1010200 00 00 00", {"oad": "F1010200", "dar": 0, "ok": True}),
        ("86 02 02 01 F1010200 00 00 00", {"oad": "F1010200", "dar": 0, "ok": True}),
        (f"07 02 05 01 {_TRIP_ITEM} {_TAG}", {**_TRIP, "time_tag": _TOLD_TAG}),
        ("87 02 05 01 80008100 20 00 00 00", {"omd": "80008100", **_LATE}),
        (f"09 05 05 0000 01 07 05 000000000001 0000 01 {_TRIP_ITEM} {_TAG}", _TRIP),
        ("89 05 05 01 07 05 000000000001 01 80008100 20 00 00 00", {"omd": "80008100", **_LATE}),
    ],
    ids=[
        "get",
        "set",
        "set refused",
        "set done",
        "set list",
        "list",
        "list refused",
        "proxy",
        "proxy refused",
    ],
)
def test_what_is_asked_and_answered_is_told(apdu: str, expected: dict[str, Any]) -> None:
    """A trip in a list or behind a concentrator would be no trip, and a refusal none."""
    assert expected == _among(expected, _meaning(apdu))


@pytest.mark.parametrize(
    ("octets", "shown"),
    [("01FF8081", "\x01\\xff\\x80\\x81"), ("C7EBFF", "请\\xff"), ("313233", "123")],
    ids=["nothing", "Chinese and an octet", "digits"],
)
def test_a_password_of_any_octets_is_told_by_its_octets(octets: str, shown: str) -> None:
    """Numbers that stand in no octet of the frame would be sought there in vain."""
    password = f"0A {len(bytes.fromhex(octets)):02X} {octets}"
    meaning = _meaning(f"07 01 05 80008300 01 01 02 03 51 F2050201 16 00 {password} 00")
    assert [{"oad": "F2050201", "mode": "permit", "password": shown}] == meaning["relays"]


def test_several_in_one_message_are_told_one_by_one() -> None:
    """The verdict on one call would pass for that on another."""
    asked = _meaning(f"07 02 05 02 80007F00 00 {_TRIP_ITEM} {_TAG}")
    assert [{"omd": "80007F00", "command": "alarm_on"}, _TRIP] == asked["items"]
    told = _meaning("87 02 05 02 80007F00 00 00 80008100 20 00 00 00")
    assert [{"omd": "80007F00", "dar": 0, "ok": True}, {"omd": "80008100", **_LATE}] == told["items"]
    assert "command" not in asked
    assert "dar" not in told


def _depth(part: Part) -> int:
    return (part.name.en == "APDU") + max(map(_depth, part.parts), default=0)


@pytest.mark.parametrize("depth", [ENVELOPES_MAX, ENVELOPES_MAX + 1, 600])
def test_envelopes_in_envelopes_come_to_an_end(depth: int) -> None:
    """A frame of an attacker would bring the explainer down."""
    apdu = bytes.fromhex("0501014001020000")
    for _ in range(depth):
        apdu = b"\x10\x00\x82" + len(apdu).to_bytes(2, "big") + apdu + b"\x01\x10" + bytes(16)
    said = _answer(apdu.hex())["decoded"]["apdu"]
    found = 0
    while "payload" in said:
        said, found = said["payload"], found + 1
    assert min(depth, ENVELOPES_MAX) == found
    assert ("payload_error" in said) == (depth > ENVELOPES_MAX)
    [frame] = explain(bytes.fromhex(_frame(apdu.hex(), from_server=False))).frames
    assert min(depth, ENVELOPES_MAX + 1) == max(map(_depth, frame.parts))
