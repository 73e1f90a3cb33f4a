"""Octets in any pieces, with anything around the frames: every good frame comes out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import Deframer, Frame, encode
from meterwire.dlt645.frame import FRAME_OCTETS_MAX
from tests.wire.dlt645 import strategies as of

_LEFT = Frame(address="123456789012", function=0x11, data=bytes.fromhex("00000100"))
_RIGHT = Frame(address="000000000161", function=0x11, data=bytes.fromhex("0000010026000000"), from_meter=True)
_MIDDLE = Frame(
    address="681616681668", function=0x11, data=bytes.fromhex("0001010226163568"), from_meter=True
)


def _fed(octets: bytes, size: int) -> list[Frame]:
    deframer = Deframer()
    found = []
    for index in range(0, len(octets), size):
        found += deframer.feed(octets[index : index + size])
    return found


@given(frames=st.lists(of.frames, max_size=4), preamble=st.integers(0, 9))
def test_frames_in_a_row_all_come_out(frames: list[Frame], preamble: int) -> None:
    """An echo and the answer, or two answers, would become one or none."""
    octets = b"".join(b"\xfe" * preamble + encode(frame) for frame in frames)
    assert frames == _fed(octets, len(octets) or 1)


@given(pieces=st.lists(of.frames.map(encode) | of.noise, max_size=5).map(b"".join), size=st.integers(1, 40))
def test_how_the_octets_are_cut_changes_nothing(pieces: bytes, size: int) -> None:
    """The same line would give other readings through another serial server."""
    assert _fed(pieces, len(pieces) or 1) == _fed(pieces, size) == _fed(pieces, 1)


@given(of.noise)
def test_rubbish_never_raises_and_never_piles_up(octets: bytes) -> None:
    """A noisy line would stop its reader, or eat the memory of the gateway."""
    deframer = Deframer()
    for octet in octets * 3:
        deframer.feed(bytes((octet,)))
        assert deframer.pending < FRAME_OCTETS_MAX
    deframer.feed(octets * 50)
    assert deframer.pending < FRAME_OCTETS_MAX


def test_memory_is_bounded_at_the_limit() -> None:
    """The longest frame that may still come is kept, one octet of rubbish more is not."""
    deframer = Deframer()
    start = b"\x68\x12\x90\x78\x56\x34\x12\x68\x91\xff"
    deframer.feed(start + bytes(FRAME_OCTETS_MAX - 1 - len(start)))
    assert FRAME_OCTETS_MAX - 1 == deframer.pending
    deframer.feed(b"\x00")
    assert 0 == deframer.pending
    assert FRAME_OCTETS_MAX == deframer.skipped


def _damages(octets: bytes) -> list[bytes]:
    out = []
    for index, octet in enumerate(octets):
        out.append(octets[:index] + octets[index + 1 :])
        for other in {0x00, 0x16, 0x68, 0xFE, 0xFF, octet ^ 1, octet ^ 0x80, (octet + 1) & 0xFF} - {octet}:
            out.append(octets[:index] + bytes((other,)) + octets[index + 1 :])
        for other in (0x00, 0x16, 0x68, 0xFE, 0xFF):
            out.append(octets[:index] + bytes((other,)) + octets[index:])
    return out


def test_a_damaged_frame_never_costs_its_neighbours() -> None:
    """Delete, flip and insert each octet between two good frames: a good answer would be lost."""
    left, right = encode(_LEFT), encode(_RIGHT, preamble=4)
    middles = [encode(_MIDDLE), encode(_RIGHT, preamble=2), encode(_LEFT)]
    tried = 0
    for middle in middles:
        for damaged in _damages(middle):
            for size in (1, FRAME_OCTETS_MAX * 3):
                found = _fed(left + damaged + right, size)
                assert (_LEFT, _RIGHT) == (found[0], found[-1]), damaged.hex()
                tried += 1
    assert tried > 1000


def test_every_length_octet_leaves_the_next_frame_alone() -> None:
    """A length made too large would hold back the answer that follows until the deadline."""
    left, right = encode(_LEFT), encode(_RIGHT)
    for length in range(256):
        damaged = bytearray(encode(_MIDDLE))
        damaged[9] = length
        found = _fed(left + damaged + right, 1)
        assert (_LEFT, _RIGHT) == (found[0], found[-1]), length


def test_clear_forgets_a_partial_frame() -> None:
    """Half an answer from before the silence would be glued to the next one."""
    deframer = Deframer()
    octets = encode(_RIGHT)
    deframer.feed(octets[:11])
    deframer.clear()
    assert [] == deframer.feed(octets[11:])
    assert [_RIGHT] == deframer.feed(octets)
