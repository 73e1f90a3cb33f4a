"""Streams of Modbus: frames come out whatever stands around them and however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterwire.modbus import (
    FRAMINGS,
    RTU,
    TCP,
    Deframer,
    Framed,
    Framing,
    ReadReply,
    ReadRequest,
    encode,
    encode_pdu,
)
from meterwire.modbus.link.deframer import Grammar
from meterwire.modbus.pdus.functions import Direction
from tests.wire.modbus import strategies as of

_GRAMMARS: dict[Framing, Grammar] = {"rtu": RTU, "tcp": TCP}
_REPLY = encode_pdu(ReadReply(0x03, bytes.fromhex("43668000013A")))
_REQUEST = encode_pdu(ReadRequest(0x03, 0x0300, 3))
framings = pytest.mark.parametrize("framing", FRAMINGS)


def _fed(framing: Framing, stream: bytes, size: int, direction: Direction = "reply") -> list[bytes]:
    deframer = Deframer(_GRAMMARS[framing], (direction,))
    found = [one for at in range(0, len(stream), size) for one in deframer.feed(stream[at : at + size])]
    assert all(stream[one.start :].startswith(one.octets) for one in found)
    deframer.clear()
    assert deframer.pending == 0
    assert len(stream) == deframer.skipped + sum(len(one.octets) for one in found)
    return [one.octets for one in found]


@framings
@given(data=st.data(), size=st.integers(1, 40))
@settings(max_examples=50)
def test_how_a_stream_is_cut_changes_nothing(framing: Framing, data: st.DataObject, size: int) -> None:
    """Whether an answer is seen would depend on the packets of a serial server."""
    frames = of.framed(framing, of.replies.map(encode_pdu)).map(lambda one: encode(one, framing))
    stream = b"".join(data.draw(st.lists(frames | of.noise, max_size=4)))
    assert _fed(framing, stream, len(stream) or 1) == _fed(framing, stream, size) == _fed(framing, stream, 1)


@framings
@given(data=st.data())
@settings(max_examples=50)
def test_frames_in_a_row_all_come_out(framing: Framing, data: st.DataObject) -> None:
    """Two answers, one late, would become one or none."""
    every = data.draw(st.lists(of.framed(framing, of.requests.map(encode_pdu)), max_size=4))
    frames = [encode(one, framing) for one in every]
    stream = b"".join(frames)
    assert frames == _fed(framing, stream, len(stream) or 1, "request")


@framings
def test_frames_come_out_behind_anything(framing: Framing) -> None:
    """Rubbish, a false start, an echo or half a frame would swallow the answers behind it."""
    frame = encode(Framed(9, _REPLY, 7 * (framing == "tcp")), framing)
    echo = encode(Framed(9, _REQUEST, 7 * (framing == "tcp")), framing)
    befores = [
        b"",
        b"\x00",
        b"\x01\x03\xfa",
        b"\x01\x2b\x0e" * 9,
        b"\xff" * 20,
        b"DTU-0001\r\n",
        echo,
        bytes(9),
    ]
    known_at = len(frame) if framing == "rtu" else 9  # from there on a TCP frame has all that tells it
    for before in [*befores, *(frame[:cut] for cut in range(1, known_at))]:
        assert [frame, frame] == _fed(framing, before + frame + b"\x01" + frame + frame[:4], 1)


@given(before=of.noise, between=of.noise)
def test_rubbish_never_loses_a_good_frame(before: bytes, between: bytes) -> None:
    """One disturbance on the line would cost an answer.

    Where rubbish and the frame behind it make another good frame by chance (the CRC has 16 bits), that one
    would be given: it is nowhere in these octets, as the check says.
    """
    frame = encode(Framed(9, _REPLY), "rtu")
    found = _fed("rtu", before + frame + between + frame, 64)
    by_chance = [one for one in found if one != frame]
    assert [frame, frame] == [one for one in found if one == frame] or by_chance


@framings
def test_octets_behind_a_frame_stay_behind_it(framing: Framing) -> None:
    """The beginning of the next answer would be eaten with this one."""
    frame = encode(Framed(9, _REPLY), framing)
    deframer = Deframer(_GRAMMARS[framing], ("reply",))
    assert [frame] == [one.octets for one in deframer.feed(frame + frame[:8])]
    assert [frame] == [one.octets for one in deframer.feed(frame[8:])]


@framings
def test_after_clear_half_a_frame_is_forgotten(framing: Framing) -> None:
    """Half an answer of a line that broke would be completed by octets of the next one."""
    frame = encode(Framed(9, _REPLY), framing)
    deframer = Deframer(_GRAMMARS[framing], ("reply",))
    deframer.feed(frame[:8])
    deframer.clear()
    assert [] == deframer.feed(frame[8:])


@framings
@pytest.mark.parametrize("rubbish", ["01", "0103fa", "00", "012b0e0101000001ff", "0001000000fd0103fa"])
def test_memory_is_bounded(framing: Framing, rubbish: str) -> None:
    """A noisy or hostile line would eat the memory of the gateway."""
    grammar = _GRAMMARS[framing]
    deframer = Deframer(grammar)
    piece = bytes.fromhex(rubbish) * 8
    for _ in range(100):
        deframer.feed(piece)
        assert deframer.pending < grammar.octets_max
        assert len(deframer._open) <= 2 * grammar.octets_max


def test_a_request_and_its_answer_are_told_apart() -> None:
    """A recording of a line would be explained the wrong way round."""
    deframer = Deframer(RTU)
    stream = encode(Framed(1, _REQUEST), "rtu") + encode(Framed(1, _REPLY), "rtu")
    assert ["request", "reply"] == [one.direction for one in deframer.feed(stream)]
