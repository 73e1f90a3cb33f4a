"""Streams of 1376.1 and 1376.2: frames come out whatever stands around them and however they are cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.gdw1376.link import module_frame, terminal_frame
from meterwire.gdw1376.link.deframer import MODULE, TERMINAL, Deframer, Grammar
from tests.wire.gdw1376 import made

_LOGIN = bytes.fromhex("683200320068C903440400000271000001008816")
_QUERY = bytes.fromhex("680F0043000000B00400030100FB16")
_BOTH = pytest.mark.parametrize(("grammar", "frame"), [(TERMINAL, _LOGIN), (MODULE, _QUERY)], ids=["1", "2"])


def _fed(grammar: Grammar, stream: bytes, cuts: list[int]) -> list[bytes]:
    deframer = Deframer(grammar)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    found = [one for first, end in pairwise(places) for one in deframer.feed(stream[first:end])]
    assert all(stream[one.start :].startswith(one.octets) for one in found)
    deframer.clear()
    assert len(stream) == sum(len(one.octets) for one in found) + deframer.skipped
    assert deframer.pending == 0
    return [one.octets for one in found]


@given(st.integers(0, 2**32))
def test_how_a_stream_is_cut_changes_nothing(seed: int) -> None:
    """Whether an answer is seen would depend on the packets of a serial server."""
    random = Random(seed)
    frames = [terminal_frame.encode(made.terminal(random)), module_frame.encode(made.module(random))]
    random.shuffle(frames)
    stream = b"".join(one for frame in frames for one in (made.octets(random), frame, made.octets(random, 9)))
    for grammar in (TERMINAL, MODULE):
        whole = _fed(grammar, stream, [])
        assert whole == _fed(grammar, stream, random.choices(range(len(stream)), k=4))
        assert whole == _fed(grammar, stream, list(range(len(stream))))


@_BOTH
def test_frames_come_out_behind_anything(grammar: Grammar, frame: bytes) -> None:
    """A stray octet, a false start or half a frame would swallow the frames behind it."""
    for before in (b"", b"\x68", b"\x68" * 9, b"\x16\xfe\x00", frame[:-3], frame[:5] + b"\x68", b"DTU-0001"):
        assert [frame, frame] == _fed(grammar, before + frame + b"\x16" + frame + frame[:7], [])


@_BOTH
def test_octets_behind_a_frame_stay_behind_it(grammar: Grammar, frame: bytes) -> None:
    """The beginning of the next answer would be eaten with this one."""
    deframer = Deframer(grammar)
    assert [frame] == [one.octets for one in deframer.feed(frame + frame[:9])]
    assert deframer.pending == 9
    assert [frame] == [one.octets for one in deframer.feed(frame[9:])]


@_BOTH
def test_after_clear_half_a_frame_is_forgotten(grammar: Grammar, frame: bytes) -> None:
    """Half an answer of yesterday would be completed by octets of today."""
    deframer = Deframer(grammar)
    deframer.feed(frame[:9])
    deframer.clear()
    assert deframer.feed(frame[9:]) == []


_SHORT = 4096


def _costly(grammar: Grammar) -> bytes:
    """Heads wherever they can stand, each of a frame that would end where the octets end."""
    size, head = 4000, grammar.head_octets
    stream = bytearray(b"\x16" * size)
    for start in range(0, size - head - 20, head):
        left = size - start
        length = (left - terminal_frame.OVERHEAD_OCTETS) << 2 | 2 if grammar is TERMINAL else left
        field = length.to_bytes(2, "little")
        stream[start : start + head] = b"h" + (field * 2 + b"h" if grammar is TERMINAL else field)
    return bytes(stream)


@pytest.mark.parametrize("grammar", [TERMINAL, MODULE], ids=["1", "2"])
@pytest.mark.parametrize("size", [1, 1000])
def test_memory_and_work_stay_bounded(grammar: Grammar, size: int) -> None:
    """A hostile terminal, octet by octet, would take the memory or the time of all others."""
    looked_at = 0

    def counted(octets: bytearray, start: int) -> int:
        nonlocal looked_at
        looked_at += 1
        return grammar.size(octets, start)

    deframer = Deframer(grammar._replace(size=counted, octets_max=_SHORT))
    stream = _costly(grammar) * 4
    kept = 0
    for at in range(0, len(stream), size):
        deframer.feed(stream[at : at + size])
        kept = max(kept, len(deframer._buffer))
    assert looked_at <= len(stream)
    assert kept <= 2 * _SHORT + size


def test_the_limit_of_a_grammar_is_kept() -> None:
    """A length that no terminal sends would make us wait, and keep octets, for ever."""
    size: Callable[[bytearray, int], int] = TERMINAL.size
    frame = bytearray(_LOGIN)
    assert [] == Deframer(TERMINAL._replace(octets_max=size(frame, 0) - 1)).feed(_LOGIN)
    assert [_LOGIN] == [
        one.octets for one in Deframer(TERMINAL._replace(octets_max=size(frame, 0))).feed(_LOGIN)
    ]
