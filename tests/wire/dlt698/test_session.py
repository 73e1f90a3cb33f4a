"""One request and its answer: states, stale answers, segments, blocks, envelopes, deadlines."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.bus.exchange import Session as LineSession
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import (
    GetRequestNext,
    GetRequestNormal,
    GetRequestNormalList,
    GetRequestRecordList,
    GetResponseNormal,
    GetResponseNormalList,
    GetResponseRecordList,
)
from meterwire.dlt698.apdus.link_management import LinkRequest, ServerErrorResponse
from meterwire.dlt698.apdus.parts import (
    ActionItem,
    AttributeResult,
    AttributeResults,
    Dar,
    Piid,
    RecordRequest,
    RecordResult,
    TimeTag,
)
from meterwire.dlt698.apdus.security import (
    CipherUnit,
    Mac,
    PlainUnit,
    Rn,
    SecurityRequest,
    SecurityResponse,
)
from meterwire.dlt698.axdr.lengths import APDU_OCTETS_MAX
from meterwire.dlt698.axdr.selection import Oad, Omd, SelectNthLast, Ti
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.link.address import ANY, BROADCAST, AddressKind, ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import FRAME_OCTETS_MAX, Frame, decode, encode
from meterwire.dlt698.link.segments import (
    ACKNOWLEDGED_AGAIN_MAX,
    SEGMENTS_MAX,
    STARTED_OVER_MAX,
    Segment,
    SegmentKind,
    cut,
    decode_segment,
)
from meterwire.dlt698.sessions.blocks import BlockGatherer, BlockSignal
from meterwire.dlt698.sessions.client import RN_OCTETS, ClientSession, with_random_number
from meterwire.dlt698.sessions.exchange import (
    SET_ASIDE_OCTETS_MAX,
    TRANSITIONS,
    TURNS_MAX,
    Signal,
    State,
)
from meterwire.dlt698.sessions.transfer import Sizes
from meterwire.errors import LocalProtocolError
from tests.wire.dlt698 import plant
from tests.wire.dlt698 import strategies as of
from tests.wire.dlt698.plant import ANSWER, ENERGY, FREEZE, METER, OTHER, PIID, REQUEST, VOLTAGE, sent

_TAG = TimeTag(DateTimeS(2026, 10, 1, 12, 0, 0), Ti(1, 5))
_ERROR = ServerErrorResponse(piid=PIID, error=2)


def _begun(request: Any = REQUEST, server: ServerAddress = METER, **options: Any) -> ClientSession:
    session = ClientSession(request, server=server, **options)
    assert session.octets_to_send()
    return session


def _asked(session: ClientSession) -> Any:
    """The APDU that the session sends now."""
    return decode_apdu(decode(session.octets_to_send()).user_data)


def test_a_read_is_one_request_and_one_answer() -> None:
    """The simplest exchange of all would not work."""
    session = ClientSession(REQUEST, server=METER)
    frame = decode(session.octets_to_send())
    assert (0x43, METER, 16) == (frame.control, frame.server, frame.client)
    assert REQUEST == decode_apdu(frame.user_data)
    assert session.octets_to_send() == b""
    session.feed(sent(ANSWER))
    assert session.finished
    assert (ANSWER, 0) == (session.reply, session.ignored)
    assert session.answered_by is not None
    assert METER == session.answered_by.server


def test_a_published_exchange_is_followed() -> None:
    """A real meter could not be asked for its address."""
    request = GetRequestNormal(piid=Piid(0x25), oad=Oad.of("40010200"))
    session = ClientSession(request, server=ANY, client=0, preamble=0)
    asked = bytes.fromhex("6817004345AAAAAAAAAAAA005B4F05012540010200000A9216")
    assert asked == session.octets_to_send()
    answer = "682100C305330920390000004A558501254001020001090600003920093300 00B2D816"
    session.feed(bytes.fromhex(answer))
    assert ServerAddress("000039200933") == (session.answered_by or decode(asked)).server
    assert bytes.fromhex("000039200933") == session.reply.result.result.value


@pytest.mark.parametrize(
    "octets",
    [
        sent(REQUEST, from_server=False),
        sent(ANSWER, server=OTHER),
        sent(ANSWER, client=17),
        sent(ANSWER, function=1),
        sent(plant.energy(piid=Piid.of(4))),
        sent(plant.energy(VOLTAGE)),
        sent(GetResponseNormalList(piid=PIID, results=(ANSWER.result,))),
        sent(plant.freezes(1)),
        sent(encode_apdu(_ERROR)[:-1]),
        sent(ServerErrorResponse(piid=Piid.of(6), error=1)),
        sent(SecurityResponse(unit=PlainUnit(encode_apdu(plant.energy(VOLTAGE))))),
        sent(SecurityResponse(unit=CipherUnit(bytes(16)))),
        sent(SecurityResponse(unit=Dar(20))),
        sent(b""),
        sent(encode_apdu(ANSWER) + b"\x00"),
        plant.piece(Segment(SegmentKind.ACK, 0)),
        plant.piece(Segment(SegmentKind.LAST, 1, b"x")),
        sent(b"\x00", segmented=True),
    ],
)
def test_what_is_not_the_answer_is_ignored(octets: bytes) -> None:
    """An echo, a neighbour or an older answer would be taken for this meter's value."""
    session = _begun()
    session.feed(octets)
    assert not session.finished
    assert session.ignored == 1
    session.feed(sent(ANSWER))
    assert ANSWER == session.reply


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (sent(encode_apdu(ANSWER)[:-3]), "truncated"),
        (sent(encode_apdu(ANSWER) + b"\x00"), "trailing"),
        (sent(SecurityResponse(unit=CipherUnit(bytes(16)), verify=Mac(b"1234"))), "unasked-envelope"),
        (sent(dataclasses.replace(ANSWER, time_tag=_TAG)), "unasked-time-tag"),
    ],
    ids=["cut", "too long", "enciphered", "tagged"],
)
def test_an_answer_that_cannot_be_taken_is_told_from_silence(octets: bytes, kind: str) -> None:
    """People would look for a broken wire where the meter answers."""
    session = _begun()
    session.feed(octets)
    assert session.fault is not None
    assert (kind, 1, False) == (session.fault.kind, session.ignored, session.finished)


@pytest.mark.parametrize(
    "octets",
    [
        sent(plant.energy(VOLTAGE)),
        sent(plant.energy(piid=Piid.of(4))),
        sent(ANSWER, server=OTHER)[:-1] + b"\x00",
        sent(encode_apdu(ANSWER)[:-3], server=OTHER),
        sent(REQUEST, from_server=False),
    ],
)
def test_what_others_say_is_no_fault_of_this_meter(octets: bytes) -> None:
    """A late answer, or a neighbour's damaged one, would stand in the place of a silent meter's."""
    session = _begun()
    session.feed(octets)
    assert session.fault is None


def test_octets_before_the_request_are_not_its_answer() -> None:
    """An answer to an earlier request, late, would be taken for this one's."""
    session = ClientSession(REQUEST, server=METER)
    session.feed(sent(ANSWER))
    assert not session.finished
    assert session.ignored == 1


def test_an_answer_under_another_tag_is_stale() -> None:
    """An answer to the same question of an hour ago would be taken for the present."""
    tag = TimeTag(DateTimeS(2026, 10, 1, 12, 0, 0), Ti(1, 5))
    session = _begun(dataclasses.replace(REQUEST, time_tag=tag))
    older = dataclasses.replace(ANSWER, time_tag=TimeTag(DateTimeS(2026, 10, 1, 11, 0, 0), Ti(1, 5)))
    session.feed(sent(older))
    assert not session.finished
    tagged = dataclasses.replace(ANSWER, time_tag=tag)
    session.feed(sent(tagged))
    assert tagged == session.reply


@pytest.mark.parametrize("address", [ANY, ServerAddress("AAAAAAAA0161", AddressKind.WILDCARD)])
def test_a_wildcard_takes_any_address(address: ServerAddress) -> None:
    """A meter of unknown address could never be read."""
    session = _begun(server=address)
    session.feed(sent(ANSWER))
    assert ANSWER == session.reply


@pytest.mark.parametrize(
    "server", [BROADCAST, ServerAddress("04030201", AddressKind.GROUP)], ids=["broadcast", "group"]
)
def test_nobody_answers_a_broadcast(server: ServerAddress) -> None:
    """A line would wait for an answer that must not come."""
    session = ClientSession(REQUEST, server=server)
    assert not session.finished
    assert session.octets_to_send()
    assert session.finished
    assert session.reply is None
    with pytest.raises(LocalProtocolError):
        ClientSession(REQUEST, server=server, sizes=Sizes(frame=19))


def test_an_error_ends_the_exchange() -> None:
    """A server that cannot serve would be asked until the deadline, and again."""
    session = _begun()
    session.feed(sent(_ERROR))
    assert (State.FAILED, _ERROR) == (session.state, session.reply)


def test_a_deadline_ends_the_exchange() -> None:
    """A dead meter would hold its line."""
    session = _begun()
    session.expire()
    assert session.finished
    session.feed(sent(ANSWER))
    assert session.reply is None
    unsent = ClientSession(REQUEST, server=METER)
    unsent.expire()
    assert (True, b"") == (unsent.finished, unsent.octets_to_send())


def test_the_access_flag_and_the_reports_that_ride_along_are_handed_out() -> None:
    """Events that a meter announces would never be read."""
    follow = AttributeResults((AttributeResult(VOLTAGE, plant.KWH),))
    answer = dataclasses.replace(ANSWER, piid=Piid.of(5, acd=True), follow_report=follow)
    session = _begun()
    session.feed(sent(answer))
    assert session.events_wait
    assert (follow,) == session.follow_reports
    plain = _begun()
    plain.feed(sent(ANSWER))
    assert not plain.events_wait
    assert plain.follow_reports == ()


# --- segments ----------------------------------------------------------------------------------


def test_a_long_answer_comes_in_segments() -> None:
    """A meter that cuts its answers could not be read."""
    long = plant.freezes(*range(120))
    session = _begun(plant.RECORDS)
    segments = cut(encode_apdu(long), METER, 200)
    assert len(segments) > 3
    for segment in segments[:-1]:
        session.feed(plant.piece(segment))
        acknowledgement = decode(session.octets_to_send())
        assert Segment(SegmentKind.ACK, segment.number).octets == acknowledgement.user_data
        assert 0x63 == acknowledgement.control
        session.feed(plant.piece(segment))  # its acknowledgement was lost
        assert Segment(SegmentKind.ACK, segment.number).octets == decode(session.octets_to_send()).user_data
    session.feed(plant.piece(segments[-1]))
    assert long == session.reply


def test_a_long_request_goes_in_segments() -> None:
    """A list of many objects could not be asked for."""
    request = GetRequestNormalList(piid=PIID, oads=(ENERGY,) * 50)
    session = ClientSession(request, server=METER, sizes=Sizes(frame=100))
    pieces = b""
    while (octets := session.octets_to_send()) and not session.finished:
        assert 100 + 4 >= len(octets)
        segment = decode_segment(decode(octets).user_data)
        pieces += segment.piece
        if segment.kind is SegmentKind.LAST:
            break
        session.feed(plant.piece(Segment(SegmentKind.ACK, segment.number + 1)))
        session.feed(sent(GetResponseNormalList(piid=PIID, results=(ANSWER.result,))))
        assert session.octets_to_send() == b""
        session.feed(plant.piece(Segment(SegmentKind.ACK, segment.number)))
    assert request == decode_apdu(pieces)
    session.feed(plant.piece(Segment(SegmentKind.ACK, segment.number)))  # some acknowledge the last too
    answer = GetResponseNormalList(piid=PIID, results=(ANSWER.result,) * 50)
    session.feed(sent(answer))
    assert answer == session.reply


def test_a_switching_order_in_segments_leaves_once() -> None:
    """A lost acknowledgement would have the order sent again, and the meter might obey twice."""
    relays = tuple(Data("structure", (Data("OAD", Oad.of("F2050201")), Data("enum", 0))) for _ in range(20))
    order = ActionRequestNormal(piid=PIID, item=ActionItem(Omd.of("80008200"), Data("array", relays)))
    session = ClientSession(order, server=METER, sizes=Sizes(frame=100))
    first = session.octets_to_send()
    assert SegmentKind.FIRST is plant_segment(decode(first)).kind
    for octets in (first, plant.piece(Segment(SegmentKind.ACK, 7)), sent(ANSWER), b""):
        session.feed(octets)
        assert session.octets_to_send() == b""
    session.expire()
    assert (State.FAILED, b"") == (session.state, session.octets_to_send())


def plant_segment(frame: Frame) -> Segment:
    """The segment in a frame."""
    from meterwire.dlt698.link.segments import decode_segment

    return decode_segment(frame.user_data)


def test_a_server_may_refuse_in_the_middle_of_a_request() -> None:
    """A server without segments would never get to say so."""
    session = _begun(GetRequestNormalList(piid=PIID, oads=(ENERGY,) * 50), sizes=Sizes(frame=100))
    session.feed(sent(_ERROR))
    assert _ERROR == session.reply


def test_a_stale_answer_in_segments_is_not_taken_either() -> None:
    """The answer to an earlier request would pass because it was long."""
    session = _begun(plant.RECORDS)
    stale = dataclasses.replace(plant.freezes(*range(60)), piid=Piid.of(4))
    for answer in (stale, plant.freezes(*range(60))):
        for segment in cut(encode_apdu(answer), METER, 200):
            assert session.reply is None
            session.feed(plant.piece(segment))
            session.octets_to_send()
    assert plant.freezes(*range(60)) == session.reply


def test_an_answer_of_the_most_pieces_over_a_bad_line_is_taken() -> None:
    """A bound against peers without end would cut the longest answer that the standard allows."""
    answer = GetResponseNormal(
        piid=PIID, result=AttributeResult(ENERGY, Data("octet-string", bytes(APDU_OCTETS_MAX - 64)))
    )
    segments = cut(encode_apdu(answer), METER, 36)
    assert SEGMENTS_MAX * 0.9 < len(segments) <= SEGMENTS_MAX
    session = _begun()
    for segment in segments[:-1]:
        octets = plant.piece(segment)
        for _ in range(1 + ACKNOWLEDGED_AGAIN_MAX):  # each acknowledgement is lost as often as may be
            session.feed(octets)
            assert session.octets_to_send()
    session.feed(plant.piece(segments[-1]))
    assert answer == session.reply


@pytest.mark.parametrize(
    "firsts",
    [
        [plant.piece(Segment(SegmentKind.FIRST, 0, b"x"))],
        [plant.piece(Segment(SegmentKind.FIRST, number, b"x")) for number in range(2)],
        [
            sent(Segment(SegmentKind.FIRST, 0, b"x").octets, server=server, segmented=True)
            for server in (METER, OTHER)
        ],
    ],
    ids=["the same", "a new one", "of two meters"],
)
def test_a_peer_that_begins_again_and_again_is_left_alone(firsts: list[bytes]) -> None:
    """Each acknowledgement would bring the next first piece, and the line would carry nothing else."""
    session = _begun(server=ANY)
    acknowledged = []
    for first in itertools.islice(itertools.cycle(firsts), 2 + ACKNOWLEDGED_AGAIN_MAX + STARTED_OVER_MAX):
        session.feed(first)
        acknowledged.append(bool(session.octets_to_send()))
    assert True in acknowledged
    assert False in acknowledged
    assert not session.finished
    assert session.fault is not None
    assert "endless" == session.fault.kind, "it is told from a silent one"
    session.feed(sent(ANSWER))
    assert ANSWER == session.reply


def test_a_peer_whose_pieces_have_no_end_is_left_alone() -> None:
    """A meter that answers too much would pass for a silent one."""
    session = _begun()
    for number in range(SEGMENTS_MAX):
        kind = SegmentKind.MIDDLE if number else SegmentKind.FIRST
        session.feed(plant.piece(Segment(kind, number, b"x")))
        assert session.octets_to_send()
    assert session.fault is None
    session.feed(plant.piece(Segment(SegmentKind.MIDDLE, 0, b"x")))
    assert b"" == session.octets_to_send()
    assert session.fault is not None
    assert "endless" == session.fault.kind


def test_a_stale_answer_whose_last_piece_comes_again_is_no_fault() -> None:
    """Somebody else's answer, repeated, would make a silent meter pass for one that answers badly."""
    session = _begun()
    pieces = [plant.piece(segment) for segment in cut(encode_apdu(plant.energy(VOLTAGE)), METER, 200)]
    for piece in (*pieces, pieces[-1], pieces[-1]):
        session.feed(piece)
        session.octets_to_send()
    assert None is session.fault
    assert not session.finished


def test_turns_have_a_limit() -> None:
    """A peer that sends one long answer to somebody else after the other would hold the line."""
    session = _begun()
    stale = [plant.piece(segment) for segment in cut(encode_apdu(plant.energy(VOLTAGE)), METER, 200)]
    assert len(stale) == 2
    for turn in range(TURNS_MAX + 1):
        assert not session.finished, turn
        session.feed(stale[0])
        assert bool(session.octets_to_send()) == (turn < TURNS_MAX)
        session.feed(stale[1])
    assert (State.FAILED, None) == (session.state, session.reply)
    assert session.fault is not None
    assert "endless" == session.fault.kind


# --- blocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("address", [METER, ANY])
def test_blocks_are_asked_for_and_joined(first: int, address: ServerAddress) -> None:
    """A long record would be cut, or its rows mixed up."""
    session = _begun(plant.RECORDS, server=address)
    session.feed(sent(plant.block(first, 1, 2)))
    octets = session.octets_to_send()
    assert METER == decode(octets).server
    assert GetRequestNext(piid=PIID, last_block=first) == decode_apdu(decode(octets).user_data)
    session.feed(sent(plant.block(first, 1, 2)))  # come again
    assert session.octets_to_send() == b""
    session.feed(sent(plant.block(first + 1, 3)))
    assert GetRequestNext(piid=PIID, last_block=first + 1) == _asked(session)
    session.feed(sent(plant.block(first + 2, 4, 5, last=True)))
    assert plant.freezes(1, 2, 3, 4, 5) == session.reply


def test_one_block_may_be_all() -> None:
    """A server that always answers in blocks could not be read."""
    session = _begun()
    session.feed(sent(plant.attribute_block(1, ENERGY, last=True)))
    assert ANSWER == session.reply


def test_attributes_in_blocks_make_a_list() -> None:
    """A list of attributes would come back without its second half."""
    session = _begun(GetRequestNormalList(piid=PIID, oads=(ENERGY, VOLTAGE)))
    session.feed(sent(plant.attribute_block(1, ENERGY)))
    session.octets_to_send()
    session.feed(sent(plant.attribute_block(2, VOLTAGE, last=True)))
    results = (AttributeResult(ENERGY, plant.KWH), AttributeResult(VOLTAGE, plant.KWH))
    assert GetResponseNormalList(piid=PIID, results=results) == session.reply


def test_records_asked_for_twice_are_not_joined() -> None:
    """The answers to two questions about one table would become one."""
    record = RecordRequest(FREEZE, SelectNthLast(1), (ENERGY,))
    for records, expected in (((record,), 1), ((record, record), 2)):
        session = _begun(GetRequestRecordList(piid=PIID, records=records))
        session.feed(sent(plant.block(0, 1)))
        session.octets_to_send()
        session.feed(sent(plant.block(1, 2, last=True)))
        assert isinstance(session.reply, GetResponseRecordList)
        assert expected == len(session.reply.records)
        rows = [row[0].value for one in session.reply.records for row in _rows(one)]
        assert [1, 2] == rows


def _rows(record: RecordResult) -> Any:
    return () if isinstance(record.result, Dar) else record.result


@pytest.mark.parametrize(
    ("second", "reply"),
    [
        (plant.block(3, 3), None),
        (plant.block(0, 3), None),
        (plant.attribute_block(2, ENERGY), "ignored"),
        (plant.block(2, 3, oad=Oad.of("50060200")), "ignored"),
        (plant.block(2, 3, piid=Piid.of(6)), "ignored"),
        (plant.freezes(1), "ignored"),
        (plant.refused_block(2, 14), "refused"),
        (_ERROR, "refused"),
    ],
)
def test_half_a_record_is_no_data(second: Any, reply: str | None) -> None:
    """The first blocks would be taken for the whole of the answer."""
    session = _begun(plant.RECORDS)
    session.feed(sent(plant.block(1, 1)))
    session.octets_to_send()
    session.feed(sent(second))
    if reply == "ignored":
        assert not session.finished
        session.expire()
    assert State.FAILED is session.state
    assert (second if reply == "refused" else None) == session.reply


def test_blocks_begin_at_nought_or_one() -> None:
    """A block of an earlier answer would be taken for the beginning of this one."""
    session = _begun(plant.RECORDS)
    session.feed(sent(plant.block(2, 1)))
    assert (False, 1) == (session.finished, session.ignored)
    session.feed(sent(plant.refused_block(7, 9)))
    assert plant.refused_block(7, 9) == session.reply


def test_blocks_have_a_limit() -> None:
    """A meter that never says "last" would fill the memory."""
    gatherer = BlockGatherer(plant.RECORDS, blocks_max=3)
    signals = [gatherer.feed(plant.block(number, number), 10) for number in range(4)]
    assert [BlockSignal.NEXT] * 3 + [BlockSignal.BROKEN] == signals
    gatherer = BlockGatherer(plant.RECORDS, octets_max=20)
    signals = [gatherer.feed(plant.block(number, number), 10) for number in range(3)]
    assert [BlockSignal.NEXT] * 2 + [BlockSignal.BROKEN] == signals


# --- envelopes ---------------------------------------------------------------------------------


def _random(count: int) -> bytes:
    return bytes(range(count))


def test_a_read_with_integrity_goes_and_comes_in_envelopes() -> None:
    """Meters that answer records only inside SECURITY could not be read."""
    session = ClientSession(plant.RECORDS, server=METER, protect=with_random_number(_random))
    rn = Rn(bytes(range(RN_OCTETS)))
    assert SecurityRequest(unit=PlainUnit(encode_apdu(plant.RECORDS)), verify=rn) == _asked(session)
    first = SecurityResponse(unit=PlainUnit(encode_apdu(plant.block(1, 1))), verify=Mac(b"1234"))
    session.feed(sent(first))
    following = encode_apdu(GetRequestNext(piid=PIID, last_block=1))
    assert SecurityRequest(unit=PlainUnit(following), verify=rn) == _asked(session)
    second = SecurityResponse(unit=PlainUnit(encode_apdu(plant.block(2, 2, last=True))), verify=Mac(b"5678"))
    session.feed(sent(second))
    assert (plant.freezes(1, 2), second) == (session.reply, session.envelope)


def test_an_envelope_is_opened_also_where_none_was_sent() -> None:
    """A meter that always answers in envelopes could not be read."""
    session = _begun()
    envelope = SecurityResponse(unit=PlainUnit(encode_apdu(ANSWER)), verify=Mac(b"1234"))
    session.feed(sent(envelope))
    assert (ANSWER, envelope) == (session.reply, session.envelope)


@pytest.mark.parametrize(
    ("unit", "state"), [(CipherUnit(bytes(16)), State.DONE), (Dar(20), State.FAILED)], ids=["cipher", "dar"]
)
def test_what_cannot_be_looked_into_answers_an_envelope_only(unit: Any, state: State) -> None:
    """Who has the key would not get an enciphered answer, or a plain read would be answered by it."""
    envelope = SecurityResponse(unit=unit)
    plain = _begun()
    plain.feed(sent(envelope))
    assert not plain.finished
    secured = _begun(protect=with_random_number(_random))
    secured.feed(sent(envelope))
    assert (state, envelope) == (secured.state, secured.reply)


def test_an_enciphered_request_takes_any_answer_in_an_envelope() -> None:
    """What another program enciphered could not be sent for it."""
    request = SecurityRequest(unit=CipherUnit(bytes(16)), verify=Rn(bytes(16)))
    session = _begun(request)
    session.feed(sent(SecurityResponse(unit=PlainUnit(encode_apdu(ANSWER)))))
    assert ANSWER == session.reply


# --- what the server begins --------------------------------------------------------------------


def test_reports_in_between_are_set_aside() -> None:
    """An event that a terminal reports during a read would be lost."""
    report = sent(
        LinkRequest(piid=Piid(0), type=1, heartbeat_s=60, time=plant.NOW), by_client=False, function=1
    )
    session = _begun()
    session.feed(report + sent(ANSWER))
    assert ANSWER == session.reply
    aside = session.unclaimed()
    assert len(Deframer().feed(aside)) == 1
    assert session.unclaimed() == b""


def test_what_is_set_aside_has_a_limit() -> None:
    """A terminal that babbles would fill the memory."""
    frame = Frame(METER, 0, bytes(FRAME_OCTETS_MAX - 17), from_server=True, started_by_client=False)
    session = _begun()
    for _ in range(5):
        session.feed(encode(frame))
    assert SET_ASIDE_OCTETS_MAX - FRAME_OCTETS_MAX < len(session.unclaimed()) <= SET_ASIDE_OCTETS_MAX
    assert session.ignored == 2


@pytest.mark.parametrize(
    ("server", "client", "ends"), [(METER, 16, True), (OTHER, 16, False), (METER, 17, False)]
)
def test_the_end_of_the_association_ends_the_exchange(server: ServerAddress, client: int, ends: bool) -> None:
    """A client would wait for an answer that the server has forgotten, or stop for another one's notice."""
    session = _begun()
    session.feed(sent(plant.TIMED_OUT, by_client=False, server=server, client=client))
    assert ends == session.finished
    assert ends == (session.released is not None)


# --- everything --------------------------------------------------------------------------------


def test_the_table_is_walked_whole() -> None:
    """A state without a rule for a signal would be found out on a customer's line."""
    assert set(State) == set(TRANSITIONS)
    final = {State.DONE, State.FAILED}
    for state, signal in itertools.product(State, Signal):
        session = ClientSession(REQUEST, server=METER)
        session._state = state
        session._signal(signal)
        assert TRANSITIONS[state].get(signal, state) is session.state
        assert (session.state in final) == session.finished
        assert state not in final or session.state is state
        assert signal is not Signal.EXPIRED or session.finished


@given(octets=of.noise, frame=of.frames)
def test_rubbish_never_finishes_an_exchange(octets: bytes, frame: Frame) -> None:
    """A noisy line would give values nobody measured."""
    session = _begun(server=ServerAddress("AABBCCDDEEFF"))
    session.feed(octets)
    session.feed(encode(frame))
    assert not session.finished


_PIECES = [ANSWER, _ERROR, plant.block(1, 1), plant.TIMED_OUT, plant.freezes(7)]


@given(st.lists(st.sampled_from(_PIECES), max_size=5), st.data())
def test_any_pieces_of_any_answers_never_raise(apdus: list[Any], data: st.DataObject) -> None:
    """A broken answer would stop the line's owner, or end the exchange with what was not asked for."""
    session = _begun(plant.RECORDS)
    stream = b"".join(sent(apdu) for apdu in apdus)
    at = data.draw(st.integers(0, max(len(stream) - 1, 0)))
    session.feed(stream[:at] + data.draw(of.noise) + stream[at:])
    session.octets_to_send()
    session.feed(stream)
    if session.finished:
        ends = {State.DONE: plant.freezes(7), State.FAILED: _ERROR}
        assert ends[session.state] == session.reply
    else:
        assert session.reply is None
        session.expire()
        assert (State.FAILED, None) == (session.state, session.reply)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClientSession(ANSWER, server=METER),
        lambda: ClientSession(REQUEST, server=ServerAddress("161")),
        lambda: ClientSession(REQUEST, server=METER, client=256),
        lambda: ClientSession(REQUEST, server=METER, preamble=17),
        lambda: ClientSession(SecurityRequest(unit=PlainUnit(b"\x05"), verify=Rn(b"")), server=METER),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused_at_once(make: Callable[[], object]) -> None:
    """The mistake would show up on the line instead of where it was made."""
    with pytest.raises(LocalProtocolError):
        make()


def test_a_session_is_what_a_line_can_drive() -> None:
    """The bus could not carry a session of this protocol."""
    session: LineSession = _begun()
    assert not session.finished
    session.feed(sent(ANSWER))
    session.expire()
    assert session.finished
    assert ClientSession(REQUEST, server=METER).secret_ranges(sent(ANSWER)) == ()
