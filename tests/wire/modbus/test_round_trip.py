"""Messages, PDUs and frames of Modbus: what goes out comes back, and what is wrong is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.modbus import (
    FRAMINGS,
    ExceptionReply,
    Framed,
    Framing,
    IdentificationReply,
    ReadReply,
    ReadRequest,
    RegistersWritten,
    Reply,
    Request,
    WriteRegisters,
    decode,
    decode_reply,
    decode_request,
    encode,
    encode_pdu,
)
from meterwire.modbus.pdus.messages import Message
from meterwire.primitives import crc16
from tests.support.damage import DAMAGES
from tests.wire.modbus import strategies as of

_PDU = bytes.fromhex("0304000A0102")
framings = pytest.mark.parametrize("framing", FRAMINGS)


@given(of.requests)
def test_requests_come_back(request: Request) -> None:
    """A request would ask for other registers than were meant."""
    assert request == decode_request(encode_pdu(request))


@given(of.replies)
def test_replies_come_back(reply: Reply) -> None:
    """An answer would be read as other registers than were sent."""
    assert reply == decode_reply(encode_pdu(reply))


@framings
@given(data=st.data())
def test_frames_come_back(framing: Framing, data: st.DataObject) -> None:
    """Unit, PDU or transaction would change on the way."""
    framed = data.draw(of.framed(framing, of.replies.map(encode_pdu)))
    assert framed == decode(encode(framed, framing), framing)


@given(of.noise)
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    """An answer that nobody foresaw would raise what nobody catches."""
    for read in (decode_request, decode_reply):
        try:
            message = read(octets)
        except RemoteProtocolError:
            continue
        assert octets == encode_pdu(message)
    for framing in FRAMINGS:
        try:
            framed = decode(octets, framing)
        except RemoteProtocolError:
            continue
        assert octets == encode(framed, framing)


def test_the_frames_of_the_standard() -> None:
    """A frame of our own making would be read by nobody else.

    Source: application protocol V1.1b3, 6.3 (registers 108 to 110); serial line V1.02, appendix B: the CRC
    of 02 07 is 41 12.
    """
    assert bytes.fromhex("03006B0003") == encode_pdu(ReadRequest(0x03, 107, 3))
    assert ReadReply(0x03, bytes.fromhex("022B00000064")) == decode_reply(bytes.fromhex("0306022B00000064"))
    assert b"\x41\x12" == crc16.check_octets(b"\x02\x07")
    assert 0x4B37 == crc16.crc16(b"123456789")
    assert "illegal data address" == ExceptionReply(3, 2).words.en


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_single_damage_of_a_frame_passes(damage: object) -> None:
    """A disturbed octet would become another value; on a serial line nothing else guards a frame."""
    assert callable(damage)
    octets = encode(Framed(1, _PDU), "rtu")
    for damaged in damage(octets):
        with pytest.raises(RemoteProtocolError):  # 00H behind a good frame: the length tells it, no CRC does
            decode_reply(decode(damaged, "rtu").pdu)


@pytest.mark.parametrize(
    ("kind", "octets", "framing"),
    [
        ("truncated", "010300", "rtu"),
        ("length", "00" * 257, "rtu"),
        ("crc", "0103020001FFFF", "rtu"),
        ("truncated", "00010000000101", "tcp"),
        ("protocol", "0001000100030103", "tcp"),
        ("unit", (b"\xf8\x03\x02\x00\x01" + crc16.check_octets(b"\xf8\x03\x02\x00\x01")).hex(), "rtu"),
        ("length", "000100000009010302000A", "tcp"),
    ],
)
def test_a_frame_is_refused_by_the_name_of_its_fault(kind: str, octets: str, framing: Framing) -> None:
    """Nobody would see from the words what is wrong with a frame."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode(bytes.fromhex(octets), framing)
    assert kind == caught.value.kind


@pytest.mark.parametrize(
    ("kind", "pdu"),
    [("function", ""), ("function", "08000000"), ("length", "0303000000"), ("length", "03020001FF")],
)
def test_a_pdu_is_refused_by_the_name_of_its_fault(kind: str, pdu: str) -> None:
    """Half a register, or one too many, would be read as a value."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_reply(bytes.fromhex(pdu))
    assert kind == caught.value.kind


@pytest.mark.parametrize("pdu", ["0300000000", "030000007E", "03FFFF0002", "01000007D1", "0100000000"])
def test_a_request_outside_its_range_is_refused(pdu: str) -> None:
    """A meter of ours would answer what no answer can hold."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_request(bytes.fromhex(pdu))
    assert "value" == caught.value.kind


@pytest.mark.parametrize(
    "message",
    [
        ReadRequest(0x05, 0, 1),
        ReadRequest(0x03, 0, 126),
        ReadRequest(0x01, 0, 2_001),
        ReadRequest(0x03, 65_535, 2),
        ReadRequest(0x03, -1, 1),
        ReadReply(0x03, b"\x00"),
        ReadReply(0x03, bytes(252)),
        WriteRegisters(0, bytes(248)),
        WriteRegisters(0, b"\x00"),
        RegistersWritten(0, 124),
        ExceptionReply(0x00, 1),
        IdentificationReply(1, 1, 0, 0, ((0, bytes(200)), (1, bytes(60)))),
        IdentificationReply(256, 1, 0, 0, ()),
    ],
)
def test_what_no_pdu_can_carry_is_not_built(message: Message) -> None:
    """A request over the limit would go out and be refused, or worse, be answered in part."""
    with pytest.raises(LocalProtocolError):
        encode_pdu(message)


@pytest.mark.parametrize(
    ("framed", "framing"),
    [
        (Framed(248, _PDU), "rtu"),
        (Framed(-1, _PDU), "tcp"),
        (Framed(256, _PDU), "tcp"),
        (Framed(1, b""), "rtu"),
        (Framed(1, bytes(254)), "tcp"),
        (Framed(1, _PDU, 65_536), "tcp"),
    ],
)
def test_what_no_frame_can_carry_is_not_built(framed: Framed, framing: Framing) -> None:
    """A unit that does not exist would be asked, and another might answer."""
    with pytest.raises(LocalProtocolError):
        encode(framed, framing)


@given(st.binary(max_size=256), st.integers(0, 0xFFFF))
def test_the_step_over_zeros_is_as_many_steps(octets: bytes, register: int) -> None:
    """The check of a stream would find frames where none are, or miss them."""
    expected = register
    for _ in octets:
        expected = crc16.step(expected, 0)
    assert expected == crc16.ahead(register, len(octets))
