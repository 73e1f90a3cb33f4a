"""Terminals that call and report: answers, acknowledgements, refusals, and every state with every signal."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given

from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.link_management import ClientErrorResponse, LinkRequest, LinkResponse
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, Piid, RecordResult
from meterwire.dlt698.apdus.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
    ReportResponseList,
    ReportResponseRecordList,
    ReportResponseTransData,
)
from meterwire.dlt698.apdus.security import CipherUnit, Mac, PlainUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import Frame, decode, encode
from meterwire.dlt698.link.segments import Segment, SegmentKind, cut
from meterwire.dlt698.sessions.client import with_random_number
from meterwire.dlt698.sessions.exchange import State
from meterwire.dlt698.sessions.listener import (
    ACKNOWLEDGED_MAX,
    CALL_TRANSITIONS,
    HEARTBEAT,
    LINK_ADDRESS_DUPLICATE,
    LINK_ILLEGAL_DEVICE,
    LOGIN,
    LOGOUT,
    Call,
    CallSignal,
    CallState,
    Listener,
    Released,
    Report,
)
from meterwire.dlt698.sessions.report import Notification, ReportSession
from meterwire.dlt698.sessions.transfer import Sizes
from meterwire.errors import LocalProtocolError
from tests.support.vectors import octets as octets_of
from tests.support.vectors import vectors
from tests.wire.dlt698 import plant
from tests.wire.dlt698 import strategies as of
from tests.wire.dlt698.plant import ENERGY, FREEZE, METER, NOW, OTHER, sent

_PIID = Piid.of(9)
_LATER = NOW._replace(second=3)
_LIST = ReportNotificationList(piid=_PIID, results=(AttributeResult(ENERGY, plant.KWH),))
_RECORDS = ReportNotificationRecordList(
    piid=Piid.of(9, acd=True), records=(RecordResult(FREEZE, (ENERGY,), plant.rows(1)),)
)
_FRAMES = ReportNotificationTransData(piid=_PIID, port=Oad.of("F2010201"), data=(b"\x68\x16",))


def _known(server: ServerAddress) -> int:
    return 0 if server in {METER, METER._replace(logical=1)} else LINK_ILLEGAL_DEVICE


def _link(kind: int = LOGIN, server: ServerAddress = METER) -> bytes:
    request = LinkRequest(piid=Piid.of(3, acd=True), type=kind, heartbeat_s=60, time=NOW)
    return ReportSession(request, server=server).octets_to_send()


def _told(apdu: Any, server: ServerAddress = METER, **options: Any) -> bytes:
    return sent(apdu, server=server, by_client=False, client=0, **options)


def _one(listener: Listener, octets: bytes) -> Any:
    (heard,) = listener.feed(octets, _LATER)
    return heard


def test_a_login_is_answered_with_the_four_times() -> None:
    """A terminal that dials in would hang up again, or set its clock by wrong times."""
    listener = Listener(_known)
    session = ReportSession(
        LinkRequest(piid=Piid.of(3, acd=True), type=LOGIN, heartbeat_s=60, time=NOW), server=METER
    )
    call = _one(listener, session.octets_to_send())
    assert (METER, 0, CallState.ONLINE) == (call.server, call.result, listener.state)
    out = NOW._replace(second=4)
    octets = call.answer(out)
    assert (0x01, METER) == (decode(octets).control, decode(octets).server)
    session.feed(octets)
    expected = LinkResponse(
        piid=Piid.of(3), result=session.reply.result, request_time=NOW, receive_time=_LATER, response_time=out
    )
    assert expected == session.reply
    assert (0, True) == (session.reply.result.code, session.reply.result.clock_trusted)
    untrusted: Any = decode_apdu(decode(call.answer(out, clock_trusted=False)).user_data)
    assert not untrusted.result.clock_trusted


def test_a_recorded_login_is_answered() -> None:
    """A real terminal could not log in."""
    chosen = [one for one in vectors("dlt698.jsonl") if one["id"].startswith("real-link-request")]
    assert len(chosen) > 5
    for vector in chosen:
        listener = Listener(lambda _: 0)
        call = _one(listener, octets_of(vector))
        assert isinstance(call, Call)
        answer: Any = decode_apdu(decode(call.answer(_LATER)).user_data)
        assert call.request.time == answer.request_time


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ([LOGIN, HEARTBEAT], CallState.ONLINE),
        ([HEARTBEAT], CallState.ONLINE),
        ([LOGIN, LOGOUT], CallState.CLOSED),
        ([LOGOUT], CallState.CLOSED),
    ],
)
def test_calls_in_a_row(calls: list[int], state: CallState) -> None:
    """After a restart of ours, terminals that only beat would never be let in; or a logout not be noticed."""
    listener = Listener(_known)
    for kind in calls:
        call = _one(listener, _link(kind))
        assert (0, kind) == (call.result, call.request.type)
    assert (state, 0) == (listener.state, listener.turned_away)


def test_unknown_and_other_terminals_are_turned_away() -> None:
    """Anybody on the internet could report readings, or take over a terminal's connection."""
    listener = Listener(_known)
    call = _one(listener, _link(server=OTHER))
    assert (LINK_ILLEGAL_DEVICE, CallState.CLOSED) == (call.result, listener.state)
    answer: Any = decode_apdu(decode(call.answer(_LATER)).user_data)
    assert LINK_ILLEGAL_DEVICE == answer.result.code
    assert [] == listener.feed(_link(), _LATER)
    listener = Listener(lambda _: 0)
    _one(listener, _link())
    assert LINK_ILLEGAL_DEVICE == _one(listener, _link(server=OTHER)).result
    assert (CallState.CLOSED, 1) == (listener.state, listener.turned_away)
    full = Listener(lambda _: LINK_ADDRESS_DUPLICATE)
    assert LINK_ADDRESS_DUPLICATE == _one(full, _link()).result


@pytest.mark.parametrize(
    ("report", "acknowledgement"),
    [
        (_LIST, ReportResponseList(piid=_PIID, oads=(ENERGY,))),
        (_RECORDS, ReportResponseRecordList(piid=_PIID, oads=(FREEZE,))),
        (_FRAMES, ReportResponseTransData(piid=_PIID)),
    ],
)
def test_a_report_comes_with_its_acknowledgement(report: Notification, acknowledgement: Apdu) -> None:
    """A terminal would report the same event for ever, or once and never be kept."""
    session = ReportSession(report, server=METER, client=7)
    listener = Listener(_known)
    heard = _one(listener, session.octets_to_send())
    assert (METER, report, None) == (heard.server, heard.notification, heard.fault)
    assert encode_apdu(report) == heard.octets
    frame = decode(heard.acknowledgement)
    assert (0x03, METER, 7) == (frame.control, frame.server, frame.client)
    assert acknowledgement == decode_apdu(frame.user_data)
    assert not session.finished
    session.feed(heard.acknowledgement)
    assert acknowledgement == session.reply


def test_a_report_in_pieces_is_joined() -> None:
    """A long report would never get past its first piece."""
    report = ReportNotificationList(piid=_PIID, results=_LIST.results * (ACKNOWLEDGED_MAX + 1))
    session = ReportSession(report, server=METER, sizes=Sizes(frame=128))
    listener = Listener(_known)
    heard: list[Any] = []
    while not heard:
        heard = listener.feed(session.octets_to_send(), _LATER)
        session.feed(listener.octets_to_send())
    assert report == heard[0].notification
    assert listener.octets_to_send() == b""
    answer = decode_apdu(decode(heard[0].acknowledgement).user_data)
    assert ReportResponseList(piid=_PIID, oads=()) == answer
    session.feed(heard[0].acknowledgement)
    assert State.DONE is session.state
    assert 0 == listener.ignored == session.ignored


@pytest.mark.parametrize(
    ("octets", "acknowledgement"),
    [
        ("880149", ReportResponseList(piid=_PIID, oads=())),
        ("880209FF", ReportResponseRecordList(piid=_PIID, oads=())),
        ("880309", ReportResponseTransData(piid=_PIID)),
        ("8804090000", ClientErrorResponse(piid=_PIID, error=2)),
        ("88", ClientErrorResponse(piid=Piid(0), error=2)),
    ],
)
def test_a_report_that_cannot_be_read_is_handed_out_and_can_be_stopped(
    octets: str, acknowledgement: Apdu
) -> None:
    """A terminal of a later edition would repeat a report that nobody understands."""
    heard = _one(Listener(_known), _told(bytes.fromhex(octets)))
    assert heard.notification is None
    assert heard.fault is not None
    assert bytes.fromhex(octets) == heard.octets
    assert acknowledgement == decode_apdu(decode(heard.acknowledgement).user_data)


def test_a_report_in_an_envelope_is_opened_and_answered_in_one() -> None:
    """A terminal that secures its reports could not be heard, or would not trust our answer."""
    envelope = SecurityResponse(unit=PlainUnit(encode_apdu(_LIST)), verify=Mac(b"1234"))
    plain = _one(Listener(_known), _told(envelope))
    assert (_LIST, envelope) == (plain.notification, plain.envelope)
    assert isinstance(decode_apdu(decode(plain.acknowledgement).user_data), ReportResponseList)
    heard = _one(Listener(_known, protect=with_random_number(bytes)), _told(envelope))
    secured = decode_apdu(decode(heard.acknowledgement).user_data)
    assert isinstance(secured, SecurityRequest)
    session = ReportSession(_LIST, server=METER)
    session.octets_to_send()
    session.feed(heard.acknowledgement)
    assert ReportResponseList(piid=_PIID, oads=(ENERGY,)) == session.reply


def test_reports_of_strangers_are_not_acknowledged() -> None:
    """A stranger's report would be kept, or the stranger told that it was."""
    listener = Listener(_known)
    assert [] == listener.feed(_told(_LIST, server=OTHER), _LATER)
    online = Listener(lambda _: 0)
    _one(online, _link())
    assert [] == online.feed(_told(_LIST, server=OTHER), _LATER)
    assert 1 == listener.turned_away == online.turned_away
    assert isinstance(_one(online, _told(_LIST, server=METER._replace(logical=1))), Report)


def test_the_end_of_an_association_is_told() -> None:
    """A client would believe that it is still connected."""
    assert Released(server=METER, notice=plant.TIMED_OUT) == _one(Listener(_known), _told(plant.TIMED_OUT))


@pytest.mark.parametrize(
    "octets",
    [
        sent(plant.ANSWER),
        sent(_LIST, by_client=False, from_server=False),
        _told(plant.ANSWER),
        _told(SecurityResponse(unit=CipherUnit(bytes(16)))),
        _told(SecurityResponse(unit=CipherUnit(b"\x88" + bytes(15)), verify=Mac(b"1234"))),
        _told(SecurityResponse(unit=Dar(20))),
        _link(3),
        _link(7),
        _told(b""),
        _told(_LIST, function=1),
        _told(b"\x01\x00", function=1),
        _told(b"\x01", segmented=True),
        _told(Segment(SegmentKind.LAST, 1).octets, segmented=True),
    ],
)
def test_what_is_no_report_is_ignored(octets: bytes) -> None:
    """The answer to a read would be kept as a report."""
    listener = Listener(_known)
    assert [] == listener.feed(octets, _LATER)
    assert (1, b"") == (listener.ignored, listener.octets_to_send())
    assert CallState.DIALLED is listener.state, "who says nothing that is known is not let in"


def test_after_a_silence_what_stands_behind_half_a_frame_is_heard() -> None:
    """One broken frame would keep a terminal's reports until the connection is closed."""
    listener = Listener(_known)
    half = _told(ReportNotificationList(piid=_PIID, results=_LIST.results * 9))[:-60]
    assert [] == listener.feed(half + _told(_LIST), _LATER)
    (heard,) = listener.give_up(_LATER)
    assert isinstance(heard, Report)
    assert _LIST == heard.notification


@pytest.mark.parametrize(
    "answer",
    [
        ReportResponseList(piid=Piid.of(8), oads=(ENERGY,)),
        ReportResponseRecordList(piid=_PIID, oads=()),
        SecurityRequest(unit=CipherUnit(b"x"), verify=with_random_number(bytes)(b"").verify),
    ],
)
def test_only_its_own_answer_ends_a_report(answer: Apdu) -> None:
    """A report would be given up because another one was acknowledged."""
    session = ReportSession(_LIST, server=METER)
    session.octets_to_send()
    strange = sent(ReportResponseList(piid=_PIID, oads=()), server=OTHER, from_server=False, by_client=False)
    session.feed(sent(answer, from_server=False, by_client=False) + strange)
    assert (False, 2) == (session.finished, session.ignored)
    refusal = ClientErrorResponse(piid=_PIID, error=2)
    session.feed(sent(refusal, from_server=False, by_client=False))
    assert State.FAILED is session.state


def test_a_server_begins_with_nothing_else() -> None:
    """A simulated meter would ask its client."""
    wrong: Any = plant.REQUEST
    with pytest.raises(LocalProtocolError):
        ReportSession(wrong, server=METER)


def test_an_answer_of_another_login_is_not_taken() -> None:
    """A terminal would compute its clock from the times of an older login."""
    session = ReportSession(LinkRequest(piid=_PIID, type=LOGIN, heartbeat_s=60, time=NOW), server=METER)
    session.octets_to_send()
    older = LinkRequest(piid=_PIID, type=LOGIN, heartbeat_s=60, time=_LATER)
    call = _one(Listener(_known), ReportSession(older, server=METER).octets_to_send())
    session.feed(call.answer(_LATER))
    assert not session.finished


def test_the_table_is_walked_whole() -> None:
    """A connection that is closed would come to life again."""
    assert set(CallState) == set(CALL_TRANSITIONS)
    for state, signal in itertools.product(CallState, CallSignal):
        listener = Listener(_known)
        listener._state = state
        listener._signal(signal)
        assert CALL_TRANSITIONS[state].get(signal, state) is listener.state
        assert state is not CallState.CLOSED or listener.state is CallState.CLOSED


@given(octets=of.noise, frame=of.frames)
def test_any_octets_never_raise(octets: bytes, frame: Frame) -> None:
    """One terminal's rubbish would stop the ear for all, or make it deaf to the next login."""
    listener = Listener(lambda _: 0)
    heard: list[Any] = []
    told = frame._replace(from_server=True, started_by_client=False)
    for user_data in (frame.user_data, b"\x88" + frame.user_data, b"\x01" + frame.user_data):
        heard += listener.feed(octets + encode(told._replace(user_data=user_data)), _LATER)
    heard += listener.give_up(_LATER)
    reports = [one for one in heard if isinstance(one, Report)]
    assert [1] * len(reports) == [len(Deframer().feed(one.acknowledgement)) for one in reports]
    left = any(isinstance(one, Call) and one.request.type == LOGOUT for one in heard)
    assert left == (listener.state is CallState.CLOSED)
    called = listener.feed(_link(), _LATER)
    assert left or [LOGIN] == [one.request.type for one in called if isinstance(one, Call)]


def test_acknowledgements_fit_one_frame() -> None:
    """A report at the limit of what an acknowledgement names could not be acknowledged."""
    report = ReportNotificationList(piid=_PIID, results=_LIST.results * ACKNOWLEDGED_MAX)
    heard: list[Any] = []
    listener = Listener(_known)
    for segment in cut(encode_apdu(report), METER, 512):
        heard += listener.feed(plant.piece(segment, by_client=False), _LATER)
    (frame,) = Deframer().feed(heard[0].acknowledgement)
    assert ReportResponseList(piid=_PIID, oads=(ENERGY,) * ACKNOWLEDGED_MAX) == decode_apdu(frame.user_data)
    assert 512 > len(heard[0].acknowledgement)


def test_pieces_of_two_meters_in_one_read_are_both_acknowledged() -> None:
    """The first meter would wait for a word, give up, and tell its report from the beginning."""
    report = encode_apdu(ReportNotificationList(piid=_PIID, results=_LIST.results * ACKNOWLEDGED_MAX))
    octets = b"".join(
        sent(cut(report, server, 512)[0].octets, server=server, by_client=False, segmented=True)
        for server in (METER, OTHER)
    )
    listener = Listener(lambda _: 0)
    assert [] == listener.feed(octets, _LATER)
    due = listener.octets_to_send()
    assert [METER, OTHER] == [frame.server for frame in Deframer().feed(due)]
    assert (0, b"") == (listener.ignored, listener.octets_to_send())
