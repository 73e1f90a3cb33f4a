"""pymodbus as witness: its PDUs and frames are ours, octet for octet.

What it is not asked: rubbish (its RTU framer loses the frame behind it) and PDUs whose length does not agree
with itself (its decoder takes half a register and octets behind the data; ours refuses both).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu import bit_message as bits
from pymodbus.pdu import register_message as registers
from pymodbus.pdu.exceptionresponse import ExceptionResponse

from meterwire.errors import RemoteProtocolError
from meterwire.modbus import (
    FRAMINGS,
    ExceptionReply,
    Framed,
    Framing,
    ReadReply,
    ReadRequest,
    Reply,
    Request,
    WriteRegister,
    WriteRegisters,
    decode,
    decode_reply,
    encode,
    encode_pdu,
)
from tests.wire.modbus import strategies as of

_REQUESTS: dict[int, Any] = {
    1: bits.ReadCoilsRequest,
    2: bits.ReadDiscreteInputsRequest,
    3: registers.ReadHoldingRegistersRequest,
    4: registers.ReadInputRegistersRequest,
}
_FRAMERS: dict[Framing, Any] = {"rtu": FramerRTU, "tcp": FramerSocket}
framings = pytest.mark.parametrize("framing", FRAMINGS)


def _theirs(request: Request) -> Any:
    match request:
        case ReadRequest(function=function, start=start, count=count):
            return _REQUESTS[function](address=start, count=count)
        case WriteRegister(start=start, value=value):
            return registers.WriteSingleRegisterRequest(address=start, registers=[value])
        case WriteRegisters(start=start, data=data):
            return registers.WriteMultipleRegistersRequest(address=start, registers=_words(data))
    return None


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


@framings
@given(data=st.data())
def test_our_requests_are_its_requests(framing: Framing, data: st.DataObject) -> None:
    """A meter that understands pymodbus would not understand us."""
    request, unit = data.draw(of.requests), data.draw(of.units)
    theirs = _theirs(request)
    if theirs is None:  # of identifications
        return
    theirs.dev_id, theirs.transaction_id = unit, 5 if framing == "tcp" else 0
    built = _FRAMERS[framing](DecodePDU(False)).buildFrame(theirs)
    assert built == encode(Framed(unit, encode_pdu(request), theirs.transaction_id), framing)


@framings
@given(data=st.data())
def test_it_reads_our_answers(framing: Framing, data: st.DataObject) -> None:
    """A simulated meter of ours would be no meter to anybody else."""
    reply: Reply = data.draw(of.replies)
    octets = encode(Framed(9, encode_pdu(reply), 5 if framing == "tcp" else 0), framing)
    if not isinstance(reply, ReadReply | ExceptionReply):
        return
    used, theirs = _FRAMERS[framing](DecodePDU(False)).handleFrame(octets, 0, 0)
    assert (len(octets), 9) == (used, theirs.dev_id)
    if isinstance(reply, ExceptionReply):
        assert (reply.refused | 0x80, reply.code) == (theirs.function_code, theirs.exception_code)
    elif reply.function in (3, 4):
        assert _words(reply.data) == theirs.registers
    else:
        assert [bool(octet >> bit & 1) for octet in reply.data for bit in range(8)] == theirs.bits


@framings
@given(words=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125), unit=of.units)
def test_we_read_its_answers(framing: Framing, words: list[int], unit: int) -> None:
    """A meter built with pymodbus could not be read."""
    theirs = registers.ReadInputRegistersResponse(registers=words, dev_id=unit, transaction_id=0)
    octets = _FRAMERS[framing](DecodePDU(True)).buildFrame(theirs)
    framed = decode(octets, framing)
    reply = decode_reply(framed.pdu)
    assert isinstance(reply, ReadReply)
    assert (unit, 4, words) == (framed.unit, reply.function, _words(reply.data))
    refusal = ExceptionResponse(3, 2, device_id=unit)
    framed = decode(_FRAMERS[framing](DecodePDU(True)).buildFrame(refusal), framing)
    assert ExceptionReply(3, 2) == decode_reply(framed.pdu)


@pytest.mark.parametrize("pdu", ["0305000100020300", "030300010000", "03020001FFFF"])
def test_the_known_disagreement(pdu: str) -> None:
    """Why its decoder is no part of ours: it makes registers of a length that does not agree with itself."""
    octets = bytes.fromhex(pdu)
    theirs = DecodePDU(False).decode(octets)
    assert isinstance(theirs, registers.ReadHoldingRegistersResponse)
    assert theirs.registers
    with pytest.raises(RemoteProtocolError):
        decode_reply(octets)
