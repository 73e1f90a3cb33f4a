"""What people are told about frames of Modbus, and how they are told from other protocols."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from meterlink.explain.explain import AUTO, EXPLAINERS, MODBUS_RTU, MODBUS_TCP, Protocol, explain
from meterlink.explain.jsonl import answer
from meterlink.explain.parts import Explanation, Language
from meterlink.explain.tree import render
from meterwire.modbus import (
    ExceptionReply,
    Framed,
    IdentificationReply,
    IdentificationRequest,
    Message,
    ReadReply,
    ReadRequest,
    RegistersWritten,
    WriteRegister,
    WriteRegisters,
    encode,
    encode_pdu,
)


def _rtu(message: Message, unit: int = 9) -> bytes:
    return encode(Framed(unit, encode_pdu(message)), "rtu")


def _tcp(message: Message) -> bytes:
    return encode(Framed(9, encode_pdu(message), 258), "tcp")


def _drawn(explanation: Explanation, language: Language = "en") -> str:
    console = Console(width=400, file=io.StringIO())
    for tree in render(explanation, language):
        console.print(tree)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (ReadRequest(3, 0x2006, 6), ("request, read holding registers", "8198 (2006H)", "count: 6")),
        (ReadReply(4, bytes.fromhex("43668000")), ("answer, read input registers", "[0]: 17254")),
        (ReadReply(1, b"\x05"), ("bits: 10100000",)),
        (ExceptionReply(3, 2), ("refused, read holding registers", "2, illegal data address")),
        (WriteRegister(7, 300), ("write single register", "value: 300")),
        (WriteRegisters(7, b"\x01\x02"), ("count: 1", "[0]: 258")),
        (RegistersWritten(7, 2), ("answer, write multiple registers", "count: 2")),
        (IdentificationRequest(1, 0), ("request, read device identification", "object: 0")),
        (IdentificationReply(1, 1, 0, 0, ((0, b"Maker"), (9, b"x"))), ("vendor name: Maker", "object 9: x")),
    ],
)
def test_a_frame_is_told_in_words(message: Message, words: tuple[str, ...]) -> None:
    """A person would have to look up every function, exception and field by hand."""
    for octets, framing in ((_rtu(message), MODBUS_RTU), (_tcp(message), MODBUS_TCP)):
        explanation = EXPLAINERS[framing](octets)
        drawn = _drawn(explanation)
        assert [word for word in words if word not in drawn] == []
        told = [octet for part in explanation.frames[0].parts for octet in part.octets]
        assert octets == bytes(told), "every octet stands in one field, in order"
        assert "帧" in _drawn(explanation, "zh")


def test_a_guess_says_how_sure_it_is() -> None:
    """A recording would be taken for what it is not, or the right guess not be trusted."""
    request, reply = ReadRequest(3, 0, 2), ReadReply(3, bytes(4))
    rtu = explain(b"\x00" + _rtu(request) + _rtu(reply), AUTO)
    assert rtu.guess is not None
    assert rtu.guess.en.startswith("Modbus RTU, likely: 17 of 18")
    whole = explain(_rtu(request), AUTO)
    assert whole.guess is not None
    assert whole.guess.en.startswith("Modbus RTU, sure: 8 of 8")
    tcp = explain(_tcp(request) + _tcp(reply), AUTO)
    assert tcp.guess is not None
    assert tcp.guess.en.startswith("Modbus TCP, likely: 25 of 25")


@pytest.mark.parametrize(
    ("octets", "protocol", "kind"),
    [
        ("0103000000010000", MODBUS_RTU, "crc"),
        ("0103", MODBUS_RTU, "truncated"),
        ("000100010006010300000001", MODBUS_TCP, "protocol"),
        ("000100000006016300000001", MODBUS_TCP, "function"),
    ],
)
def test_a_refused_frame_says_why(octets: str, protocol: Protocol, kind: str) -> None:
    """Nobody would know whether the line or the meter is at fault."""
    explanation = explain(bytes.fromhex(octets), protocol)
    assert explanation.fault is not None
    assert kind == explanation.fault.kind
    assert "refused" in _drawn(explanation)


def test_a_request_for_nothing_is_a_frame_with_a_fault() -> None:
    """A master that asks for nothing would be taken for rubbish on the line."""
    pdu = bytes.fromhex("0300000000")
    explanation = explain(encode(Framed(1, pdu), "rtu"), MODBUS_RTU)
    assert ["value"] == [fault.kind for fault in explanation.faults]
    assert "count of 0" in _drawn(explanation)


@pytest.mark.parametrize("protocol", [MODBUS_RTU, MODBUS_TCP])
@given(octets=st.binary(min_size=1, max_size=80))
@settings(max_examples=50)
def test_any_octets_are_explained(protocol: Protocol, octets: bytes) -> None:
    """What stood on the line would break the tool that is to say what it is."""
    explanation = explain(octets, protocol)
    assert len(octets) == explanation.skipped + sum(one.end - one.start for one in explanation.frames)
    assert _drawn(explanation)


def test_machines_are_told_the_same() -> None:
    """A script could not use what people see."""
    line = {"id": 1, "protocol": "modbus-tcp", "hex": _tcp(ExceptionReply(3, 2)).hex()}
    told = answer(json.dumps(line))
    assert told["error"] is None
    assert {
        "unit": 9,
        "direction": "reply",
        "transaction": 258,
        "function": "83",
        "code": 2,
        "meaning": "illegal data address",
        "skipped": 0,
    } == told["decoded"]
