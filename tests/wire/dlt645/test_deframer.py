"""Octets in any pieces, with anything around the frames: every good frame comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import Deframer, Frame, encode
from meterwire.dlt645.link.frame import FRAME_OCTETS_MAX
from tests.support.damage import DAMAGES
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


# --- one damaged frame between two good ones ---------------------------------------------------

_INNER = encode(Frame(address="000000000007", function=0x11, data=bytes(8), from_meter=True))
_DAMAGED = {
    "68H and 16H in its address and DATA": encode(_MIDDLE),
    "a preamble in front": encode(_RIGHT, preamble=4),
    "no DATA": encode(Frame(address="AAAAAAAAAAAA", function=0x13)),
    "DATA of start octets alone": encode(Frame(address="686868686868", function=0x08, data=b"\x35" * 30)),
    "DATA of end octets alone": encode(Frame(address="161616161616", function=0x16, data=b"\xe3" * 30)),
    "a whole frame in its DATA": encode(
        Frame(address=_LEFT.address, function=0x11, data=bytes(o - 0x33 & 0xFF for o in _INNER))
    ),
    "the longest that is sent": encode(
        Frame(address=_LEFT.address, function=0x11, data=bytes(range(200)), from_meter=True), preamble=2
    ),
}
_NEIGHBOURS = {
    "plain": (_LEFT, _RIGHT),
    "marks inside": (_MIDDLE, Frame(address="166816681668", function=0x11, data=b"\x35\xe3\x35\xe3")),
}
_BY_CHANCE = frozenset({bytes.fromhex("68AAAAAAAAAAAA68BF1300DF16")})
"""Of some 73,000 damages one makes a good frame with what follows: BFH put before C moves 13H to the length,
a 16H of the next frame's address is where that length ends, and the sum is right. No rule tells it apart."""


@pytest.mark.parametrize("size", [FRAME_OCTETS_MAX * 3, 1], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("neighbours", _NEIGHBOURS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("damaged", _DAMAGED)
def test_a_damaged_frame_never_costs_its_neighbours(
    damaged: str, damage: Callable[[bytes], Iterator[bytes]], neighbours: str, size: int
) -> None:
    """A good answer would be lost with the bad one before or behind it."""
    left, right = _NEIGHBOURS[neighbours]
    before, behind = encode(left), encode(right, preamble=4)
    tried = 0
    chances = _BY_CHANCE if neighbours == "marks inside" else frozenset()
    for octets in damage(_DAMAGED[damaged]):
        found = _fed(before + octets + behind, size)
        assert left == found[0]
        assert (right == found[-1]) is (octets not in chances), octets.hex()
        tried += 1
    assert tried >= len(_DAMAGED[damaged])


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
