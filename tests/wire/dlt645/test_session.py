"""One read: every state with every signal, foreign frames, following pieces, deadlines."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import (
    BROADCAST,
    WILDCARD,
    AbnormalReply,
    Frame,
    Message,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    ReadSession,
    decode,
    dictionary,
    encode,
    from_frame,
    to_frame,
)
from meterwire.dlt645.items.dialects import choices
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.dlt645.sessions.read import PIECES_MAX, TRANSITIONS, Signal, State
from meterwire.errors import LocalProtocolError
from tests.wire.dlt645 import strategies as of

_ME, _OTHER = "000000000161", "000000000162"
_DI, _BLOCK = 0x00010000, 0x0301FF01
_REQUEST = ReadRequest(address=_ME, di=_DI)
_ENERGY = bytes.fromhex("26000000")


def _octets(message: Message) -> bytes:
    return encode(to_frame(message), preamble=2)


def _reply(data: bytes = _ENERGY, *, address: str = _ME, di: int = _DI, more: bool = False) -> bytes:
    return _octets(ReadReply(address=address, di=di, data=data, has_following=more))


def _piece(sequence: int, *, di: int = _DI, address: str = _ME, more: bool = False) -> bytes:
    return _octets(
        ReadFollowingReply(
            address=address, di=di, data=bytes((sequence,)), sequence=sequence, has_following=more
        )
    )


def _refusal(function: int = 0x11, address: str = _ME) -> bytes:
    return _octets(AbnormalReply(address=address, function=function, error_word=b"\x02"))


def test_a_read_is_one_request_and_one_answer() -> None:
    """The simplest exchange of all would not work."""
    session = ReadSession(_REQUEST)
    assert _REQUEST == from_frame(decode(session.octets_to_send()))
    assert session.octets_to_send() == b""
    session.feed(_reply())
    assert session.finished
    assert ReadReply(address=_ME, di=_DI, data=_ENERGY) == session.reply
    assert session.ignored == 0


def test_a_refusal_ends_the_read() -> None:
    """A meter that says no would be asked until the deadline, and again."""
    session = ReadSession(_REQUEST)
    session.octets_to_send()
    session.feed(_refusal())
    assert session.finished
    assert AbnormalReply(address=_ME, function=0x11, error_word=b"\x02") == session.reply


def test_a_deadline_ends_the_read_without_a_reply() -> None:
    """A dead meter would hold its line."""
    session = ReadSession(_REQUEST)
    session.octets_to_send()
    session.expire()
    assert session.finished
    assert session.reply is None
    session.feed(_reply())
    assert session.reply is None


@pytest.mark.parametrize(
    "octets",
    [
        _octets(_REQUEST),
        _reply(address=_OTHER),
        _reply(di=0x00020000),
        _refusal(function=0x12),
        _refusal(function=0x14),
        _refusal(address=_OTHER),
        _piece(1),
        encode(Frame(address=_ME, function=0x11, data=b"\x00", from_meter=True)),
        encode(Frame(address=_ME, function=0x11, from_meter=True, abnormal=True)),
        encode(Frame(address=_ME, function=0x13, data=bytes(6), from_meter=True)),
    ],
)
def test_what_is_not_the_answer_is_ignored(octets: bytes) -> None:
    """An echo, a neighbour or an older answer would be taken for this meter's value."""
    session = ReadSession(_REQUEST)
    session.octets_to_send()
    session.feed(octets)
    assert not session.finished
    assert session.ignored == 1
    session.feed(_reply())
    assert ReadReply(address=_ME, di=_DI, data=_ENERGY) == session.reply


def test_octets_before_the_request_are_not_its_answer() -> None:
    """An answer to an earlier request, late, would be taken for this one's."""
    session = ReadSession(_REQUEST)
    session.feed(_reply())
    assert not session.finished
    assert session.ignored == 1


@pytest.mark.parametrize("address", ["AAAAAAAAAAAA", "AAAAAAAA0161"])
def test_a_wildcard_takes_any_address(address: str) -> None:
    """A shortened address could never be answered."""
    session = ReadSession(ReadRequest(address=address, di=_DI))
    session.octets_to_send()
    session.feed(_reply())
    assert ReadReply(address=_ME, di=_DI, data=_ENERGY) == session.reply


@given(octets=of.noise, frame=of.frames)
def test_rubbish_never_finishes_a_read(octets: bytes, frame: Frame) -> None:
    """A noisy line would give values nobody measured."""
    session = ReadSession(ReadRequest(address="123456789012", di=0x02800002))
    session.octets_to_send()
    session.feed(octets)
    session.feed(encode(frame))
    ours = frame.address == "123456789012" and frame.from_meter and frame.function == 0x11
    assert not session.finished or ours


@given(st.integers(1, PIECES_MAX), st.integers(1, 30))
def test_any_number_of_pieces_is_joined(following: int, size: int) -> None:
    """A long record would be cut, or its pieces mixed up."""
    session = ReadSession(ReadRequest(address="AAAAAAAAAAAA", di=_BLOCK))
    session.octets_to_send()
    stream = _reply(b"first", di=_BLOCK, more=True)
    for sequence in range(1, following + 1):
        for index in range(0, len(stream), size):
            session.feed(stream[index : index + size])
        asked = from_frame(decode(session.octets_to_send()))
        assert ReadFollowingRequest(address=_ME, di=_BLOCK, sequence=sequence) == asked
        stream = _piece(sequence, di=_BLOCK, more=sequence < following)
    session.feed(stream)
    expected = b"first" + bytes(range(1, following + 1))
    assert ReadReply(address=_ME, di=_BLOCK, data=expected) == session.reply


def test_pieces_have_a_limit() -> None:
    """A meter that never stops would fill the memory."""
    session = ReadSession(ReadRequest(address=_ME, di=_BLOCK))
    session.octets_to_send()
    session.feed(_reply(di=_BLOCK, more=True))
    for sequence in range(1, PIECES_MAX + 1):
        assert not session.finished
        session.octets_to_send()
        session.feed(_piece(sequence, di=_BLOCK, more=True))
    assert session.finished
    assert session.reply is None


def _continuing(di: int, data: bytes = _ENERGY) -> ReadSession:
    session = ReadSession(ReadRequest(address=_ME, di=di))
    session.octets_to_send()
    session.feed(_reply(data, di=di, more=True))
    session.octets_to_send()
    return session


def test_a_piece_out_of_order_fails_the_read() -> None:
    """A record would be put together from the wrong pieces."""
    session = _continuing(_BLOCK)
    session.feed(_piece(2, di=_BLOCK))
    assert session.finished
    assert session.reply is None


def test_a_first_answer_again_is_no_following_piece() -> None:
    """A repeated first piece would stand twice in the record."""
    session = _continuing(_BLOCK)
    session.feed(_reply(di=_BLOCK, more=True))
    assert not session.finished
    assert session.ignored == 1


@pytest.mark.parametrize("end", [lambda s: s.expire(), lambda s: s.feed(_refusal(0x12))])
def test_half_a_record_is_no_data(end: Callable[[ReadSession], None]) -> None:
    """The first part of a block would be taken for the whole of it."""
    session = _continuing(0x0001FF00, bytes(24))
    end(session)
    assert session.finished
    assert not isinstance(session.reply, ReadReply)


@pytest.mark.parametrize("end", [lambda s: s.expire(), lambda s: s.feed(_refusal(0x12))])
def test_a_whole_item_with_the_report_flag_is_kept(end: Callable[[ReadSession], None]) -> None:
    """Meters that raise D5 to call for their report word could not be read."""
    session = _continuing(_DI)
    end(session)
    assert ReadReply(address=_ME, di=_DI, data=_ENERGY, has_following=True) == session.reply


@pytest.mark.parametrize("selector", [b"\x01", bytes.fromhex("010030150911")])
@pytest.mark.parametrize("repeats", [False, True])
def test_some_meters_want_the_selector_in_following_requests(selector: bytes, repeats: bool) -> None:
    """A load record of more than one frame could not be read from a meter of that make."""
    request = ReadRequest(address=_ME, di=0x06010000, selector=selector)
    session = ReadSession(request, repeat_selector=repeats)
    assert request == from_frame(decode(session.octets_to_send()))
    session.feed(_reply(b"one", di=request.di, more=True))
    asked = ReadFollowingRequest(
        address=_ME, di=request.di, sequence=1, selector=selector if repeats else b""
    )
    assert asked == from_frame(decode(session.octets_to_send()))
    session.feed(_piece(1, di=request.di))
    assert ReadReply(address=_ME, di=request.di, data=b"one\x01") == session.reply


def test_what_is_a_whole_item_says_the_meters_own_dictionary() -> None:
    """A frequency with the report flag would be taken for a part of a neutral current, and lost."""
    own = dictionary(layout=choices("dlt645-2007", {"variable_numbering": "from_00"}))
    replies = []
    for items in (None, own):
        session = ReadSession(ReadRequest(address=_ME, di=0x02800001), items=items)
        session.octets_to_send()
        session.feed(_reply(b"\x02\x50", di=0x02800001, more=True))
        session.octets_to_send()
        session.expire()
        replies.append(session.reply)
    assert [None, ReadReply(address=_ME, di=0x02800001, data=b"\x02\x50", has_following=True)] == replies


@pytest.mark.parametrize(
    ("di", "octets", "kept"),
    [
        (0x04000103, 1, True),
        (0x04000103, 2, True),
        (0x04000407, 4, True),
        (0x040005FF, 14, True),
        (0x040005FF, 15, True),  # and a delimiter
        (0x0201FF00, 6, True),
        (0x0201FF00, 4, False),
        (0x0001FF00, 20, True),
        (0x0001FF00, 24, False),
        (0x000100FF, 52, True),
        (0x000100FF, 20, False),
        (0x05060101, 20, True),
        (0x05060101, 4, False),
        (0x0504FF01, 13, True),
        (0x0506FF01, 45, True),
        (0x0506FF01, 25, False),
        (0x061001FF, 11, False),
        (0x03300501, 52, False),
    ],
)
def test_a_first_piece_is_kept_when_it_is_whole_by_its_length(di: int, octets: int, kept: bool) -> None:
    """Meters that raise D5 to call for their report word could not be read, or half a record passed."""
    data = bytes(octets - 1) + b"\xaa" if (di, octets) == (0x040005FF, 15) else bytes(octets)
    session = _continuing(di, data)
    session.feed(_refusal(0x12))
    expected = ReadReply(address=_ME, di=di, data=data, has_following=True)
    assert kept == (expected == session.reply)


@pytest.mark.parametrize("edition", EDITIONS)
def test_no_first_piece_is_kept_that_fills_a_frame_and_may_go_on(edition: Edition) -> None:
    """The head of a curve, or 40 of 64 registers, would be taken for all that the meter had to say."""
    filled, kept = range(170, 197), 0  # one firmware sends 170 octets, the standard allows 196
    for row in dictionary(edition).rows:
        for values in (row.first, tuple(slot.all if slot.block else slot.low for slot in row.slots)):
            entry = dictionary(edition).by_di(int(row.digits(values), 16))
            if entry is None:
                continue
            for size in filled:
                if any(shape.is_whole(bytes(size)) for shape in entry.shapes):
                    kept += 1
                    assert all(
                        shape.decode(bytes(size + more)) is None
                        for shape in entry.shapes
                        for more in range(1, 60)
                    )
    assert (kept > 0) == (edition == "dlt645-2007")


def _piece_1997(data: bytes, *, more: bool) -> bytes:
    piece = ReadFollowingReply(address=_ME, di=0x901F, data=data, sequence=0, has_following=more)
    return encode(to_frame(piece, "dlt645-1997"))


def _continuing_1997() -> tuple[ReadSession, bytes]:
    session = ReadSession(ReadRequest(address=_ME, di=0x901F), edition="dlt645-1997")
    session.octets_to_send()
    first = ReadReply(address=_ME, di=0x901F, data=bytes(4), has_following=True)
    octets = encode(to_frame(first, "dlt645-1997"))
    session.feed(octets)
    session.octets_to_send()
    return session, octets


@pytest.mark.parametrize("seen_at", ["first answer", "before the request"])
def test_on_a_line_that_repeats_a_piece_of_1997_is_not_taken_twice(seen_at: str) -> None:
    """A serial server that repeats would double a part of the record."""
    session, first = _continuing_1997()
    second = _piece_1997(b"two!", more=True)
    if seen_at == "first answer":
        session.feed(first)
        session.feed(second)
    else:
        session.feed(second + second)
    session.octets_to_send()
    session.feed(second)
    assert not session.finished
    session.feed(_piece_1997(b"end.", more=False))
    assert ReadReply(address=_ME, di=0x901F, data=bytes(4) + b"two!end.") == session.reply


def test_a_piece_of_2007_comes_again_under_its_number() -> None:
    """A repeated piece would fail the read, or stand in the record twice."""
    session = _continuing(_BLOCK)
    session.feed(_piece(1, di=_BLOCK, more=True))
    session.octets_to_send()
    session.feed(_piece(1, di=_BLOCK, more=True))
    assert session.ignored == 1
    session.feed(_piece(2, di=_BLOCK))
    assert ReadReply(address=_ME, di=_BLOCK, data=_ENERGY + b"\x01\x02") == session.reply


def test_a_1997_meter_is_read_with_its_own_codes_and_numbers_no_pieces() -> None:
    """The older meters of a plant could not be read, or only the first part of their blocks."""
    session = ReadSession(ReadRequest(address="AAAAAAAAAAAA", di=0x901F), edition="dlt645-1997")
    first = decode(session.octets_to_send())
    assert (0x01, bytes.fromhex("1F90")) == (first.function, first.data)
    session.feed(_reply(di=0x901F))
    assert session.ignored == 1
    answer = ReadReply(address=_ME, di=0x901F, data=b"one", has_following=True)
    session.feed(encode(to_frame(answer, "dlt645-1997")))
    second = decode(session.octets_to_send())
    assert (0x02, bytes.fromhex("1F90"), _ME) == (second.function, second.data, second.address)
    piece = ReadFollowingReply(address=_ME, di=0x901F, data=b"two", sequence=0)
    session.feed(encode(to_frame(piece, "dlt645-1997")))
    assert ReadReply(address=_ME, di=0x901F, data=b"onetwo") == session.reply


def test_the_table_is_walked_whole() -> None:
    """A state without a rule for a signal would be found out on a customer's line."""
    assert set(State) == set(TRANSITIONS)
    final = {State.DONE, State.FAILED}
    for state, signal in itertools.product(State, Signal):
        session = ReadSession(_REQUEST)
        session._state = state
        session._signal(signal)
        expected = TRANSITIONS[state].get(signal, state)
        assert expected == session.state
        assert (expected in final) == session.finished
        assert state not in final or expected is state
        assert signal is not Signal.EXPIRED or expected in final


def test_a_request_that_cannot_be_built_is_refused_at_once() -> None:
    """The mistake would show up on the line instead of where it was made."""
    with pytest.raises(LocalProtocolError):
        ReadSession(ReadRequest(address="161", di=_DI))
    with pytest.raises(LocalProtocolError):
        ReadSession(ReadRequest(address=_ME, di=1 << 32))
    with pytest.raises(LocalProtocolError):
        ReadSession(ReadRequest(address=_ME, di=_DI, selector=b"ab"))


def test_only_meters_of_1997_answer_the_broadcast() -> None:
    """An old meter's address could not be found out; or a read of 2007 would wait for what never comes."""
    session = ReadSession(ReadRequest(address=BROADCAST, di=0xC032), edition="dlt645-1997")
    session.octets_to_send()
    reply = ReadReply(address="000000000161", di=0xC032, data=bytes.fromhex("610100000000"))
    session.feed(encode(to_frame(reply, "dlt645-1997")))
    assert reply == session.reply
    with pytest.raises(LocalProtocolError, match="nobody answers"):
        ReadSession(ReadRequest(address=BROADCAST, di=0x04000402))


def test_the_rest_of_an_answer_is_asked_of_one_meter() -> None:
    """Pieces of two meters would be put together: whoever gives no address of its own is not asked on."""
    session = ReadSession(ReadRequest(address=WILDCARD, di=_DI))
    session.octets_to_send()
    session.feed(encode(to_frame(ReadReply(address=WILDCARD, di=_DI, data=b"hh", has_following=True))))
    assert (State.FAILED, b"") == (session.state, session.octets_to_send())
