"""Segmented transfer: cutting, joining, acknowledging, and every state with every signal."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt698.axdr.lengths import APDU_OCTETS_MAX
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import Frame, decode, encode
from meterwire.dlt698.link.segments import (
    ACKNOWLEDGED_AGAIN_MAX,
    JOIN_TRANSITIONS,
    NUMBERS,
    SEGMENTS_MAX,
    SEND_TRANSITIONS,
    STARTED_OVER_MAX,
    Joined,
    JoinSignal,
    JoinState,
    Segment,
    SegmentKind,
    SegmentReceiver,
    SegmentSender,
    SendSignal,
    SendState,
    cut,
    decode_segment,
    needs_segments,
)
from meterwire.errors import LocalProtocolError, RemoteProtocolError

_METER = ServerAddress("000000000001")
_FIRST, _LAST, _ACK, _MIDDLE = (SegmentKind(kind) for kind in range(4))
_segments = st.builds(
    Segment,
    kind=st.sampled_from([_FIRST, _LAST, _MIDDLE]),
    number=st.integers(0, NUMBERS - 1),
    piece=st.binary(max_size=9),
    reserved=st.integers(0, 3),
)


@pytest.mark.parametrize(
    ("octets", "segment"),
    [
        ("0000AA", Segment(_FIRST, 0, b"\xaa")),
        ("0080", Segment(_ACK, 0)),
        ("01C0BB", Segment(_MIDDLE, 1, b"\xbb")),
        ("0240CC", Segment(_LAST, 2, b"\xcc")),
        ("FF4F", Segment(_LAST, 4095)),
        ("06F1", Segment(_MIDDLE, 262, reserved=3)),
    ],
)
def test_headers_go_lowest_octet_first(octets: str, segment: Segment) -> None:
    """No other maker's segments would be understood."""
    assert segment == decode_segment(bytes.fromhex(octets))
    assert bytes.fromhex(octets) == segment.octets


@given(_segments)
def test_what_is_sent_is_what_is_received(segment: Segment) -> None:
    """A piece would change its place or its octets on the way."""
    assert segment == decode_segment(segment.octets)


@pytest.mark.parametrize(("octets", "offset"), [("", 0), ("05", 1), ("0080AA", 2)])
def test_what_is_no_segment_is_refused(octets: str, offset: int) -> None:
    """Rubbish would be joined into an answer."""
    with pytest.raises(RemoteProtocolError) as refusal:
        decode_segment(bytes.fromhex(octets))
    assert ("segment", offset) == (refusal.value.kind, refusal.value.offset)


def test_reserved_bits_are_tolerated_by_option() -> None:
    """A device that sets them could not be read, or nobody could insist on the standard."""
    with pytest.raises(RemoteProtocolError, match="F106H"):
        decode_segment(b"\x06\xf1", reserved_allowed=False)
    assert Segment(_MIDDLE, 262) == decode_segment(b"\x06\xc1", reserved_allowed=False)


@pytest.mark.parametrize(
    "segment",
    [Segment(_FIRST, -1), Segment(_FIRST, NUMBERS), Segment(_ACK, 0, b"x"), Segment(_LAST, 0, b"", 4)],
)
def test_an_illegal_segment_is_not_built(segment: Segment) -> None:
    """A mistake of ours would reach the line."""
    with pytest.raises(LocalProtocolError):
        _ = segment.octets


def _frame(segment: Segment, *, from_server: bool, scrambled: bool = False) -> Frame:
    return Frame(
        server=_METER,
        client=16,
        user_data=segment.octets,
        from_server=from_server,
        started_by_client=True,
        segmented=True,
        scrambled=scrambled,
    )


@given(apdu=st.binary(min_size=2, max_size=400), size=st.integers(20, 120), scrambled=st.booleans())
def test_an_apdu_goes_over_in_frames_that_the_peer_takes(apdu: bytes, size: int, scrambled: bool) -> None:
    """A long answer would be cut at the wrong place, or sent in frames that the meter drops."""
    sender, receiver = SegmentSender(cut(apdu, _METER, size)), SegmentReceiver()
    whole = None
    while (segment := sender.take()) is not None:
        assert sender.take() is None
        octets = encode(_frame(segment, from_server=True, scrambled=scrambled))
        assert size >= len(octets)
        joined = receiver.feed(decode_segment(decode(octets).user_data))
        whole = joined.apdu
        if joined.acknowledgement is not None:
            back = encode(_frame(joined.acknowledgement, from_server=False, scrambled=scrambled))
            assert sender.acknowledge(decode_segment(decode(back).user_data))
    assert apdu == whole
    assert (SendState.DONE, JoinState.DONE) == (sender.state, receiver.state)


def test_cutting_keeps_to_its_limits() -> None:
    """An APDU that nobody can take would be sent, or one that fits refused."""
    assert [_FIRST, _LAST] == [segment.kind for segment in cut(bytes(2), _METER, 512)]
    assert not needs_segments(bytes(495), _METER, 512)
    assert needs_segments(bytes(496), _METER, 512)
    assert SEGMENTS_MAX == len(cut(bytes(SEGMENTS_MAX), _METER, 20))
    longest = cut(bytes(APDU_OCTETS_MAX), _METER, 200)
    assert APDU_OCTETS_MAX == sum(len(segment.piece) for segment in longest)
    for apdu, size in ((bytes(SEGMENTS_MAX + 1), 20), (bytes(2), 19), (b"x", 512), (b"", 512)):
        with pytest.raises(LocalProtocolError):
            cut(apdu, _METER, size)
    with pytest.raises(LocalProtocolError):
        cut(bytes(APDU_OCTETS_MAX + 1), _METER, 512)


def _receiver(*segments: Segment) -> SegmentReceiver:
    receiver = SegmentReceiver()
    for segment in segments:
        receiver.feed(segment)
    return receiver


_ONE, _TWO, _END = Segment(_FIRST, 0, b"one"), Segment(_MIDDLE, 1, b"two"), Segment(_LAST, 2, b"end")


def test_a_repeated_piece_is_acknowledged_again_and_not_appended() -> None:
    """A lost acknowledgement would put the same piece into the answer twice."""
    receiver = _receiver(_ONE)
    again = Joined(JoinSignal.AGAIN, Segment(_ACK, 0))
    assert again == receiver.feed(_ONE)
    receiver.feed(_TWO)
    assert Joined(JoinSignal.AGAIN, Segment(_ACK, 1)) == receiver.feed(_TWO)
    assert b"onetwoend" == receiver.feed(_END).apdu
    assert Joined(JoinSignal.AGAIN) == receiver.feed(_END)


@pytest.mark.parametrize("before", [[_ONE], [_ONE, _TWO]])
def test_a_repeated_piece_is_not_acknowledged_for_ever(before: list[Segment]) -> None:
    """A peer that answers each acknowledgement with the same piece would hold the line."""
    receiver = _receiver(*before)
    for _ in range(2):  # it falls silent once, and what its timer sends again is taken as before
        for _ in range(ACKNOWLEDGED_AGAIN_MAX):
            assert receiver.feed(before[-1]).acknowledgement == Segment(_ACK, before[-1].number)
        assert Joined(JoinSignal.AGAIN) == receiver.feed(before[-1])
    for segment in (_TWO, _END)[len(before) - 1 :]:
        whole = receiver.feed(segment).apdu
    assert b"onetwoend" == whole


def test_a_series_is_not_begun_for_ever() -> None:
    """A peer that answers each acknowledgement with a new first piece would hold the line."""
    receiver = SegmentReceiver()
    for number in range(1 + STARTED_OVER_MAX):
        assert Segment(_ACK, number) == receiver.feed(Segment(_FIRST, number)).acknowledgement
        assert receiver.feed(Segment(_MIDDLE, number + 1)).acknowledgement is not None
    assert Joined(JoinSignal.FIRST) == receiver.feed(_ONE)
    assert Segment(_ACK, 0) == receiver.feed(_ONE).acknowledgement, "its timer sent it again"
    receiver.feed(_TWO)
    assert b"onetwoend" == receiver.feed(_END).apdu
    for number in range(1 + STARTED_OVER_MAX):
        assert receiver.feed(Segment(_FIRST, number)).acknowledgement is not None


@pytest.mark.parametrize(
    "wrong",
    [
        Segment(_MIDDLE, 2, b"x"),
        Segment(_MIDDLE, 0, b"x"),
        Segment(_LAST, 2, b"x"),
        Segment(_LAST, 0, b"one"),
        Segment(_ACK, 0),
        Segment(_ACK, 1),
    ],
)
def test_a_wrong_piece_changes_nothing(wrong: Segment) -> None:
    """A piece would be missing in the middle of an answer, and nobody would notice."""
    receiver = _receiver(_ONE)
    assert Joined(JoinSignal.OTHER) == receiver.feed(wrong)
    receiver.feed(_TWO)
    assert b"onetwoend" == receiver.feed(_END).apdu


def test_a_new_first_piece_starts_over() -> None:
    """Two answers would be mixed into one."""
    receiver = _receiver(_ONE, _TWO)
    assert Segment(_ACK, 0) == receiver.feed(Segment(_FIRST, 0, b"new")).acknowledgement
    assert b"newend" == receiver.feed(Segment(_LAST, 1, b"end")).apdu
    assert Segment(_ACK, 7) == receiver.feed(Segment(_FIRST, 7, b"later")).acknowledgement
    assert b"laterend" == receiver.feed(Segment(_LAST, 8, b"end")).apdu


def test_nothing_begins_in_the_middle() -> None:
    """The end of an answer whose beginning was lost would pass for the whole of it."""
    for state_before in ([], [_ONE, Segment(_LAST, 1)]):
        receiver = _receiver(*state_before)
        assert Joined(JoinSignal.OTHER) == receiver.feed(_TWO) == receiver.feed(_END)


def test_numbers_begin_again_after_4095() -> None:
    """A series would stop in the middle of a long transfer."""
    receiver = _receiver(Segment(_FIRST, 4094, b"a"), Segment(_MIDDLE, 4095, b"b"))
    assert b"abc" == receiver.feed(Segment(_LAST, 0, b"c")).apdu


def test_pieces_have_a_limit() -> None:
    """A device that never ends its answer would fill the memory."""
    receiver = SegmentReceiver(segments_max=3)
    for segment in (_ONE, _TWO, Segment(_MIDDLE, 2)):
        assert receiver.feed(segment).acknowledgement is not None
    assert Joined(JoinSignal.TOO_MUCH) == receiver.feed(Segment(_LAST, 3))
    assert JoinState.BROKEN is receiver.state
    assert Joined(JoinSignal.OTHER) == receiver.feed(Segment(_LAST, 3))
    receiver.feed(_ONE)
    assert b"oneend" == receiver.feed(Segment(_LAST, 1, b"end")).apdu


def test_octets_have_a_limit() -> None:
    """As above, in few long pieces; an APDU at the limit still passes."""
    receiver = SegmentReceiver(apdu_octets_max=9)
    assert [None, None, b"onetwoend"] == [receiver.feed(segment).apdu for segment in (_ONE, _TWO, _END)]
    assert Joined(JoinSignal.TOO_MUCH) == receiver.feed(Segment(_FIRST, 0, bytes(10)))
    receiver.feed(_ONE)
    receiver.feed(_TWO)
    assert Joined(JoinSignal.TOO_MUCH) == receiver.feed(Segment(_LAST, 2, b"more"))
    assert JoinState.BROKEN is receiver.state


def test_only_the_awaited_acknowledgement_moves_the_sender() -> None:
    """A piece would be skipped because an older acknowledgement came late."""
    sender = SegmentSender(cut(b"abcdef", _METER, 21))
    assert not sender.acknowledge(Segment(_ACK, 0))
    assert sender.take() == Segment(_FIRST, 0, b"ab")
    for other in (Segment(_ACK, 1), Segment(_MIDDLE, 0), Segment(_FIRST, 0)):
        assert not sender.acknowledge(other)
    assert sender.acknowledge(Segment(_ACK, 0))
    assert sender.take() == Segment(_MIDDLE, 1, b"cd")
    assert not sender.acknowledge(Segment(_ACK, 0))
    assert sender.acknowledge(Segment(_ACK, 1))
    assert sender.take() == Segment(_LAST, 2, b"ef")
    assert not sender.acknowledge(Segment(_ACK, 2))
    assert SendState.DONE is sender.state


def test_no_piece_is_sent_twice() -> None:
    """A switching order whose acknowledgement was lost would reach the meter a second time."""
    sender = SegmentSender(cut(b"abcdef", _METER, 21))
    taken, states = [], {sender.state}
    while (piece := sender.take()) is not None:
        taken.append(piece)
        states.add(sender.state)
        for other in (Segment(_ACK, (piece.number - 1) % NUMBERS), Segment(_FIRST, 0), piece):
            sender.acknowledge(other)
            assert sender.take() is None
        sender.acknowledge(Segment(_ACK, piece.number))
    assert cut(b"abcdef", _METER, 21) == taken
    assert set(SendState) == states, "a state that no transfer reaches is a rule that nobody tried"


def test_the_senders_table_is_walked_whole() -> None:
    """A state without a rule for a signal would be found out on a customer's line."""
    assert set(SendState) == set(SEND_TRANSITIONS)
    for state, signal in itertools.product(SendState, SendSignal):
        sender = SegmentSender(cut(b"abcdef", _METER, 21))
        sender._state = state
        sender._signal(signal)
        assert SEND_TRANSITIONS[state].get(signal, state) is sender.state


def test_the_receivers_table_is_walked_whole() -> None:
    """A state without a rule for a signal would be found out on a customer's line."""
    assert set(JoinState) == set(JOIN_TRANSITIONS)
    for state, signal in itertools.product(JoinState, JoinSignal):
        receiver = SegmentReceiver()
        receiver._state = state
        receiver._signal(signal)
        assert JOIN_TRANSITIONS[state].get(signal, state) is receiver.state
        done = receiver.state is JoinState.DONE and state is not JoinState.DONE
        assert done == (state is JoinState.JOINING and signal is JoinSignal.LAST)


_any = st.builds(
    Segment, st.sampled_from(SegmentKind), st.integers(0, 3), st.sampled_from([b"", b"a", b"bc"])
)


@given(st.lists(_any, max_size=30))
def test_any_order_of_segments_gives_unbroken_series_only(segments: list[Segment]) -> None:
    """Whatever the line does, an answer with a gap in it would be taken for whole."""
    receiver = SegmentReceiver(segments_max=4, apdu_octets_max=6)
    series: list[Segment] = []
    for segment in segments:
        joined = receiver.feed(segment)
        if joined.signal is JoinSignal.FIRST:
            series = []
        if joined.signal in {JoinSignal.FIRST, JoinSignal.MIDDLE, JoinSignal.LAST}:
            series.append(segment)
        if joined.apdu is not None:
            kinds = [one.kind for one in series]
            assert [_FIRST, *[_MIDDLE] * (len(series) - 2), _LAST] == kinds
            assert all(b.number == a.number + 1 for a, b in itertools.pairwise(series))
            assert b"".join(one.piece for one in series) == joined.apdu
            assert len(series) <= 4
            assert len(joined.apdu) <= 6
