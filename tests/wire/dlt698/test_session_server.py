"""Client and server on one line: whole exchanges, segments, blocks, repeats, associations, refusals."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt698.apdus.action import ActionResponseNormal
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import (
    ConnectRequest,
    PasswordSecurity,
    ReleaseNotification,
    ReleaseRequest,
    ReleaseResponse,
)
from meterwire.dlt698.apdus.get import (
    GetRequestNext,
    GetRequestNormalList,
    GetRequestRecordList,
    GetResponseNext,
    GetResponseNormal,
    GetResponseNormalList,
    GetResponseRecordList,
)
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import (
    ActionResult,
    AttributeResult,
    AttributeResults,
    Dar,
    Piid,
    RecordRequest,
    RecordResult,
)
from meterwire.dlt698.apdus.security import CipherUnit, Mac, PlainUnit, Rn, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Omd, SelectNthLast
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link.address import ANY, BROADCAST, AddressKind, ServerAddress
from meterwire.dlt698.link.frame import Frame, decode, encode
from meterwire.dlt698.link.segments import Segment, SegmentKind, cut
from meterwire.dlt698.sessions.association import (
    ASSOCIATION_TRANSITIONS,
    SERVICE_NUMBERS,
    Association,
    AssociationSignal,
    AssociationState,
    Offer,
)
from meterwire.dlt698.sessions.blocks import BlockGatherer, BlockSignal, cut_into_blocks
from meterwire.dlt698.sessions.client import ClientSession, with_random_number
from meterwire.dlt698.sessions.report import ReportSession
from meterwire.dlt698.sessions.server import (
    SERVER_TRANSITIONS,
    Request,
    ServerSession,
    ServerSignal,
    ServerState,
)
from meterwire.dlt698.sessions.transfer import FRAME_OCTETS_LEAST, Sizes
from meterwire.errors import LocalProtocolError
from tests.wire.dlt698 import plant
from tests.wire.dlt698 import strategies as of
from tests.wire.dlt698.plant import ANSWER, ENERGY, FREEZE, METER, OTHER, PIID, REQUEST, VOLTAGE, sent

_TURNS_MAX = 400


def _talk(client: ClientSession, server: ServerSession, answer: Apdu | None, size: int = 4096) -> list[bytes]:
    """Carry octets to and fro until nobody has any; what the server sent."""
    said = []
    for _ in range(_TURNS_MAX):
        octets = client.octets_to_send()
        for at in range(0, len(octets), size):
            for request in server.feed(octets[at : at + size]):
                if answer is not None:
                    server.answer(request, answer)
        back = server.octets_to_send()
        if not octets and not back:
            break
        said += [back] if back else []
        for at in range(0, len(back), size):
            client.feed(back[at : at + size])
    return said


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_meter_answers_a_read(size: int) -> None:
    """Client and meter would not understand each other."""
    client = ClientSession(REQUEST, server=METER)
    said = _talk(client, ServerSession(METER), ANSWER, size)
    assert (ANSWER, 1) == (client.reply, len(said))


@pytest.mark.parametrize("scrambled", [False, True])
@given(count=st.integers(0, 400), frame=st.integers(FRAME_OCTETS_LEAST, 600), apdu=st.integers(64, 4000))
def test_long_answers_go_over_whatever_the_sizes(scrambled: bool, count: int, frame: int, apdu: int) -> None:
    """Records would be lost between frames, segments and blocks of meters with small memories."""
    sizes = Sizes(frame=frame, apdu=apdu)
    client = ClientSession(plant.RECORDS, server=ANY, scrambled=scrambled)
    said = _talk(client, ServerSession(METER, preset=sizes), plant.freezes(*range(count)))
    assert plant.freezes(*range(count)) == client.reply
    frames = [decode(octets) for octets in said]
    assert {scrambled} == {one.scrambled for one in frames}
    assert max(map(len, said)) <= frame
    apdus = [one.user_data for one in frames if not one.segmented]
    assert all(len(octets) <= apdu for octets in apdus)


@given(oads=st.integers(1, 200), frame=st.integers(FRAME_OCTETS_LEAST, 300))
def test_long_requests_go_over_in_segments(oads: int, frame: int) -> None:
    """A list of many objects could not be asked for."""
    request = GetRequestNormalList(piid=PIID, oads=(ENERGY,) * oads)
    client = ClientSession(request, server=METER, sizes=Sizes(frame=frame))
    answer = GetResponseNormalList(piid=PIID, results=(ANSWER.result,) * oads)
    _talk(client, ServerSession(METER, preset=Sizes(apdu=8000)), answer)
    assert answer == client.reply


# --- blocks ------------------------------------------------------------------------------------


def _served(server: ServerSession, request: Apdu, answer: Apdu | None = None) -> Any:
    """What a server says to a request."""
    for one in server.feed(sent(request, from_server=False)):
        if answer is not None:
            server.answer(one, answer)
    octets = server.octets_to_send()
    return decode_apdu(decode(octets).user_data) if octets else None


def test_a_block_is_given_again_and_an_odd_number_refused() -> None:
    """A lost block would end the transfer, or the client get rows that it did not ask for."""
    server = ServerSession(METER, preset=Sizes(apdu=64), first_block=0)
    first = _served(server, plant.RECORDS, plant.freezes(*range(30)))
    assert (0, False) == (first.block, first.last)
    assert Dar(14) == _served(server, GetRequestNext(piid=PIID, last_block=5)).result
    second = _served(server, GetRequestNext(piid=PIID, last_block=0))
    assert second.block == 1
    assert second == _served(server, GetRequestNext(piid=PIID, last_block=0))
    third = _served(server, GetRequestNext(piid=PIID, last_block=1))
    assert third.block == 2
    assert Dar(14) == _served(server, GetRequestNext(piid=PIID, last_block=0)).result
    assert ANSWER == _served(server, REQUEST, ANSWER)
    assert Dar(11) == _served(server, GetRequestNext(piid=PIID, last_block=2)).result


def test_an_item_that_fits_no_block_is_refused() -> None:
    """A meter would send a client more than it can take, or fall silent."""
    long = AttributeResult(ENERGY, Data("octet-string", bytes(100)))
    answer = GetResponseNormal(piid=PIID, result=long)
    server = ServerSession(METER, preset=Sizes(apdu=64))
    assert Dar(254) == _served(server, REQUEST, answer).result
    huge = GetResponseNormalList(piid=PIID, results=(long,) * 700)
    client = ClientSession(GetRequestNormalList(piid=PIID, oads=(ENERGY,)), server=METER)
    _talk(client, ServerSession(METER), huge)
    assert huge == client.reply


def test_other_answers_are_not_cut() -> None:
    """An action's result would be sent to a client that cannot take it."""
    answer = ActionResponseNormal(
        piid=PIID, item=ActionResult(Omd.of("80008200"), Dar(0), Data("octet-string", bytes(99)))
    )
    assert cut_into_blocks(answer, 64) is None
    server = ServerSession(METER, preset=Sizes(apdu=64))
    (request,) = server.feed(sent(REQUEST, from_server=False))
    with pytest.raises(LocalProtocolError):
        server.answer(request, answer)
    broken = GetResponseNormal(piid=PIID, result=AttributeResult(ENERGY, Data("long", 1 << 40)))
    with pytest.raises(LocalProtocolError):
        server.answer(request, broken)


def _records(counts: list[int]) -> GetResponseRecordList:
    records = [
        RecordResult(FREEZE, (ENERGY,), plant.rows(*range(count)) if count else Dar(4)) for count in counts
    ]
    return GetResponseRecordList(piid=PIID, records=tuple(records))


@given(counts=st.lists(st.integers(0, 30), min_size=1, max_size=5), size=st.integers(50, 300))
def test_what_is_cut_is_whole_again_when_joined(counts: list[int], size: int) -> None:
    """Rows would change their place or their table on the way."""
    answer = _records(counts)
    blocks = cut_into_blocks(answer, size)
    assert blocks is not None
    assert all(len(encode_apdu(block)) <= size for block in blocks)
    request = GetRequestRecordList(
        piid=PIID, records=(RecordRequest(FREEZE, SelectNthLast(1), (ENERGY,)),) * len(counts)
    )
    gatherer = BlockGatherer(request)
    signals = [gatherer.feed(decode_apdu_of(block), 1) for block in blocks]
    assert [*[BlockSignal.NEXT] * (len(blocks) - 1), BlockSignal.LAST] == signals
    joined = gatherer.answer()
    assert isinstance(joined, GetResponseRecordList)
    assert _rows(answer) == _rows(joined)


def decode_apdu_of(block: GetResponseNext) -> Any:
    """The block as it arrives."""
    return decode_apdu(encode_apdu(block))


def _rows(answer: GetResponseRecordList) -> list[Any]:
    return [
        row
        for record in answer.records
        for row in ((record.result,) if isinstance(record.result, Dar) else record.result)
    ]


def test_reports_ride_on_the_last_block() -> None:
    """A report would be lost, or come with each block."""
    follow = AttributeResults((AttributeResult(VOLTAGE, plant.KWH),))
    answer = GetResponseNormalList(piid=PIID, results=(ANSWER.result,) * 40, follow_report=follow)
    client = ClientSession(GetRequestNormalList(piid=PIID, oads=(ENERGY,) * 40), server=METER)
    _talk(client, ServerSession(METER, preset=Sizes(apdu=100)), answer)
    assert (follow,) == client.follow_reports
    assert answer.results == client.reply.results


# --- repeats, errors, addresses ----------------------------------------------------------------


def test_the_last_piece_again_brings_the_answer_again() -> None:
    """A client whose answer was lost would have to send its whole request anew."""
    server = ServerSession(METER)
    request = GetRequestNormalList(piid=PIID, oads=(ENERGY,) * 20)
    answer = GetResponseNormalList(piid=PIID, results=(ANSWER.result,) * 2)
    for segment in cut(encode_apdu(request), METER, 64):
        for one in server.feed(plant.piece(segment, from_server=False)):
            server.answer(one, answer)
        octets = server.octets_to_send()
    assert answer == decode_apdu(decode(octets).user_data)
    assert [] == server.feed(plant.piece(segment, from_server=False))
    assert octets == server.octets_to_send()


def test_a_request_again_is_served_again() -> None:
    """A client that never changes its service number would get the value of yesterday."""
    server = ServerSession(METER)
    assert ANSWER == _served(server, REQUEST, ANSWER)
    other = GetResponseNormal(piid=PIID, result=AttributeResult(ENERGY, Data("long", 1)))
    assert other == _served(server, REQUEST, other)


def test_only_the_latest_request_is_answered() -> None:
    """A client that gave up would get two answers, the wrong one first."""
    server = ServerSession(METER)
    first, second = server.feed(sent(REQUEST, from_server=False) * 2)
    assert not server.answer(first, ANSWER)
    assert server.octets_to_send() == b""
    assert server.answer(second, ANSWER)
    assert not server.answer(second, ANSWER)
    assert sent(ANSWER)[2:] == server.octets_to_send()
    assert server.octets_to_send() == b""


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (bytes.fromhex("0501050010"), 1),
        (bytes.fromhex("050105001002000011"), 1),
        (bytes.fromhex("0509050010020000"), 2),
        (bytes.fromhex("0B0105"), 2),
        (bytes.fromhex("4501050010020000"), 2),
        (encode_apdu(ANSWER), 2),
        (encode_apdu(SecurityRequest(unit=PlainUnit(bytes.fromhex("050105")), verify=Rn(b""))), 1),
    ],
)
def test_what_is_no_request_is_answered_with_an_error(octets: bytes, error: int) -> None:
    """A client would wait for an answer that never comes."""
    server = ServerSession(METER)
    assert [] == server.feed(sent(octets, from_server=False))
    reply = decode_apdu(decode(server.octets_to_send()).user_data)
    assert ServerErrorResponse(piid=PIID, error=error) == reply


@pytest.mark.parametrize("octets", [b"", b"\x05", b"\x02", b"\x10", b"\x05\x01"])
def test_a_stump_is_answered_with_an_error(octets: bytes) -> None:
    """A server would stop at an APDU without a service number."""
    server = ServerSession(METER)
    server.feed(sent(octets, from_server=False))
    reply: Any = decode_apdu(decode(server.octets_to_send()).user_data)
    assert (ServerErrorResponse, Piid(0)) == (type(reply), reply.piid)


_GROUP = ServerAddress("04030201", AddressKind.GROUP)


@pytest.mark.parametrize(
    ("asked", "comes", "answered"),
    [
        (METER, True, True),
        (ANY, True, True),
        (ServerAddress("AAAAAAAAAAAA"), True, True),
        (BROADCAST, True, False),
        (_GROUP, True, False),
        (ServerAddress("04030202", AddressKind.GROUP), False, False),
        (OTHER, False, False),
        (METER._replace(logical=1), False, False),
    ],
)
def test_who_is_asked_and_who_answers(asked: ServerAddress, comes: bool, answered: bool) -> None:
    """A meter would answer for its neighbour, or all at once."""
    server = ServerSession(METER, groups=frozenset({_GROUP}))
    requests = server.feed(sent(REQUEST, server=asked, from_server=False))
    assert comes == bool(requests)
    for request in requests:
        assert answered == server.answer(request, ANSWER) == request.expects_answer
    octets = server.octets_to_send()
    assert answered == bool(octets)
    assert not octets or METER == decode(octets).server


@pytest.mark.parametrize(
    "octets",
    [
        sent(ANSWER),
        sent(REQUEST, from_server=False, by_client=False),
        sent(REQUEST, from_server=False, function=1),
        sent(Segment(SegmentKind.FIRST, 0, b"x").octets, server=BROADCAST, from_server=False, segmented=True),
        plant.piece(Segment(SegmentKind.ACK, 0), from_server=False),
        sent(b"\x00", from_server=False, segmented=True),
        plant.piece(Segment(SegmentKind.LAST, 3, b"x"), from_server=False),
    ],
)
def test_what_is_not_for_the_server_is_ignored(octets: bytes) -> None:
    """A meter would answer another meter's answer."""
    server = ServerSession(METER)
    assert [] == server.feed(octets)
    assert (1, b"") == (server.ignored, server.octets_to_send())


@given(octets=of.noise, frames=st.lists(of.frames, max_size=4))
def test_a_server_survives_any_octets(octets: bytes, frames: list[Frame]) -> None:
    """A simulated plant would stop at the first noise, or be deaf behind it."""
    server = ServerSession(METER, preset=Sizes(64, 64))
    for frame in frames:
        server.feed(octets + encode(frame._replace(server=METER, from_server=False, started_by_client=True)))
        server.octets_to_send()
    server.give_up()
    [request] = server.feed(sent(REQUEST, from_server=False))
    assert REQUEST == request.apdu
    assert server.answer(request, ANSWER)
    assert ANSWER == decode_apdu(decode(server.octets_to_send()).user_data)
    assert b"" == server.octets_to_send()


# --- envelopes ---------------------------------------------------------------------------------


def _seal(_envelope: SecurityRequest, apdu: bytes) -> SecurityResponse:
    return SecurityResponse(unit=PlainUnit(apdu), verify=Mac(b"1234"))


@pytest.mark.parametrize("seal", [None, _seal])
def test_what_came_in_an_envelope_is_answered_in_one(seal: Any) -> None:
    """A client that wants proof would get none."""
    client = ClientSession(plant.RECORDS, server=METER, protect=with_random_number(bytes))
    server = ServerSession(METER, preset=Sizes(apdu=100), seal=seal)
    _talk(client, server, plant.freezes(*range(50)))
    assert plant.freezes(*range(50)) == client.reply
    assert client.envelope is not None
    assert (None if seal is None else Mac(b"1234")) == client.envelope.verify


def test_an_enciphered_request_comes_out_as_it_is() -> None:
    """Who has the key would not get it to open."""
    request = SecurityRequest(unit=CipherUnit(bytes(16)), verify=Rn(bytes(16)))
    server = ServerSession(METER)
    (came,) = server.feed(sent(request, from_server=False))
    assert request == came.apdu == came.envelope


# --- associations ------------------------------------------------------------------------------


def _connected(association: Association, server: ServerSession, **answer: Any) -> ClientSession:
    session = association.connect(PasswordSecurity("secret"))
    (request,) = server.feed(session.octets_to_send())
    assert isinstance(request.apdu, ConnectRequest)
    server.answer(request, plant.connected(request.apdu, **answer))
    session.feed(server.octets_to_send())
    association.settle(session)
    return session


def test_a_connect_agrees_on_sizes() -> None:
    """Either side would send frames that the other cannot take."""
    association = Association(METER, offer=Offer(tx_max=300, rx_max=150, apdu_max=500))
    server = ServerSession(METER, tx_max=180)
    assert Sizes() == association.sizes == server.sizes
    _connected(association, server)
    assert (AssociationState.CONNECTED, True) == (association.state, server.connected)
    assert Sizes(200, 1000) == association.sizes
    assert Sizes(150, 500) == server.sizes
    session = association.exchange(plant.RECORDS)
    said = _talk(session, server, plant.freezes(*range(200)))
    assert plant.freezes(*range(200)) == session.reply
    assert max(map(len, said)) <= 150
    release = association.release()
    _talk(release, server, None)
    association.settle(release)
    assert isinstance(release.reply, ReleaseResponse)
    assert (AssociationState.PRESET, False) == (association.state, server.connected)
    assert Sizes() == association.sizes == server.sizes


def test_a_denied_connect_changes_nothing() -> None:
    """A client with the wrong password would think that it was let in."""
    association, server = Association(METER), ServerSession(METER)
    session = _connected(association, server, result=1)
    assert session.finished
    assert (AssociationState.PRESET, False) == (association.state, server.connected)
    assert Sizes() == association.sizes


def test_odd_sizes_of_a_peer_are_put_right() -> None:
    """A peer that names nought or next to nothing could not be spoken to."""
    assert Sizes() == Sizes.agreed(1024, 0, 0)
    assert Sizes(FRAME_OCTETS_LEAST, FRAME_OCTETS_LEAST) == Sizes.agreed(1024, 1, 1)
    assert Sizes(100, 65535) == Sizes.agreed(100, 65535, 65535)
    with pytest.raises(LocalProtocolError):
        ServerSession(METER, preset=Sizes(FRAME_OCTETS_LEAST - 1))


def test_a_server_may_insist_on_connect() -> None:
    """A terminal that wants CONNECT first could not be simulated."""
    server = ServerSession(METER, needs_connect=True)
    assert ServerErrorResponse(piid=PIID, error=255) == _served(server, REQUEST, ANSWER)
    assert ServerErrorResponse(piid=PIID, error=255) == _served(server, ReleaseRequest(piid=PIID))
    _connected(Association(METER), server)
    assert ANSWER == _served(server, REQUEST, ANSWER)
    server.time_out()
    assert ServerErrorResponse(piid=PIID, error=255) == _served(server, REQUEST, ANSWER)


def test_the_end_that_a_server_tells_is_believed() -> None:
    """A client would go on with sizes that the server has forgotten."""
    association, server = Association(METER), ServerSession(METER)
    _connected(association, server)
    notice = ReportSession(plant.TIMED_OUT, server=METER, client=16)
    session = association.exchange(REQUEST)
    session.octets_to_send()
    session.feed(notice.octets_to_send())
    assert notice.finished
    assert isinstance(session.released, ReleaseNotification)
    association.settle(session)
    assert AssociationState.PRESET is association.state
    _connected(association, server)
    association.lost()
    assert (AssociationState.PRESET, Sizes()) == (association.state, association.sizes)


def test_an_unfinished_session_teaches_nothing() -> None:
    """An association would change with an answer that has not come."""
    association = Association(METER)
    session = association.connect()
    association.settle(session)
    session.expire()
    association.settle(session)
    assert AssociationState.PRESET is association.state


def test_service_numbers_go_round() -> None:
    """A stale answer would carry the number of the present request."""
    association = Association(METER)
    numbers = [association.next_piid().number for _ in range(SERVICE_NUMBERS + 1)]
    assert [*range(1, SERVICE_NUMBERS), 0, 1] == numbers
    assert association.next_piid(high_priority=True) == 0x82


def test_connect_goes_without_envelope() -> None:
    """A meter would get its first request in an envelope that it cannot check yet."""
    association = Association(METER, protect=with_random_number(bytes))
    for session, kind in (
        (association.connect(), ConnectRequest),
        (association.release(), ReleaseRequest),
        (association.exchange(REQUEST), SecurityRequest),
    ):
        assert isinstance(decode_apdu(decode(session.octets_to_send()).user_data), kind)


# --- tables ------------------------------------------------------------------------------------


def test_the_servers_table_is_walked_whole() -> None:
    """A state without a rule for a signal would be found out in a plant."""
    assert set(ServerState) == set(SERVER_TRANSITIONS)
    for state, signal in itertools.product(ServerState, ServerSignal):
        server = ServerSession(METER)
        server._state = state
        server._signal(signal)
        assert SERVER_TRANSITIONS[state].get(signal, state) is server.state
        requested = signal is ServerSignal.REQUEST
        assert not requested or server.state is ServerState.SERVING


def test_the_associations_table_is_walked_whole() -> None:
    """An association would stay open in our mind only."""
    assert set(AssociationState) == set(ASSOCIATION_TRANSITIONS)
    for state, signal in itertools.product(AssociationState, AssociationSignal):
        association = Association(METER)
        association._state = state
        association._signal(signal)
        assert ASSOCIATION_TRANSITIONS[state].get(signal, state) is association.state
        ends = signal is not AssociationSignal.ALLOWED
        assert (AssociationState.PRESET if ends else AssociationState.CONNECTED) is association.state


def test_a_request_is_itself_only() -> None:
    """An answer would go to another request that looks the same."""
    server = ServerSession(METER)
    first, second = server.feed(sent(REQUEST, from_server=False) * 2)
    assert isinstance(first, Request)
    assert first != second
