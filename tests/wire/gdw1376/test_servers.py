"""Both ends of both parts against each other: what one side sends is what the other side takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.link import module_frame
from meterwire.gdw1376.link.auxiliary import Auxiliary, TimeTag
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo
from meterwire.gdw1376.link.terminal_frame import Address, decode
from meterwire.gdw1376.messages import module
from meterwire.gdw1376.messages.terminal import Message, from_frame, request, unit
from meterwire.gdw1376.sessions.module_exchange import ModuleExchange
from meterwire.gdw1376.sessions.module_listener import ModuleListener
from meterwire.gdw1376.sessions.module_server import OPEN_MAX, ModuleServer
from meterwire.gdw1376.sessions.terminal_exchange import State, TerminalExchange
from meterwire.gdw1376.sessions.terminal_listener import HEARTBEAT, LOGIN, LOGOUT, CallState, TerminalListener
from meterwire.gdw1376.sessions.terminal_server import Answers, Manners, TerminalServer

_ADDRESS = Address("4403", 4, 1)
_CLOCK = {"clock": Moment(year=26, month=8, day=20, hour=8, minute=0, second=1, weekday=4)}


def _answers(message: Message) -> Answers:
    """Confirms commands, tells its clock, and its archive in three frames."""
    (asked,) = message.units
    if message.head.afn == 0x05:
        return [[unit(0x00, 1, way="up")]]
    if (message.head.afn, asked.fn) == (0x0C, 2):
        return [[unit(0x0C, 2, _CLOCK, way="up")]]
    if message.head.afn == 0x0A:
        return [[unit(0x0A, 10, {"count": 0, "meters": []}, way="up")]] * 3
    return []


def _exchanged(server: TerminalServer, asked: Message) -> TerminalExchange:
    exchange = TerminalExchange(asked)
    server.feed(exchange.octets_to_send())
    exchange.feed(server.octets_to_send())
    return exchange


def test_a_terminal_logs_in_beats_and_logs_out() -> None:
    """A simulated terminal would dial for ever, or a real one would."""
    server, listener = TerminalServer(_ADDRESS, _answers), TerminalListener(lambda _: True)
    ends: list[bool | None] = []
    for fn in (HEARTBEAT, LOGIN, HEARTBEAT, LOGOUT):
        server.call(fn)
        assert server.confirmed is None
        listener.feed(server.octets_to_send())
        server.feed(listener.octets_to_send())
        ends.append(server.confirmed)
    assert [False, True, True, True] == ends
    assert listener.state is CallState.CLOSED
    with pytest.raises(LocalProtocolError, match="neither login"):
        server.call(4)


def test_requests_are_answered_with_their_number_and_time_tag() -> None:
    """A master could not tell whose answer it is."""
    server = TerminalServer(_ADDRESS, _answers)
    server.event_counts = (3, 0)
    tag = TimeTag(7, Moment(day=20, hour=8, minute=0, second=0), 5)
    asked = request(_ADDRESS, 0x0C, [unit(0x0C, 2)], sequence=9, auxiliary=Auxiliary(time_tag=tag))
    exchange = _exchanged(server, asked)
    assert exchange.state is State.DONE
    (answered,) = exchange.answer
    assert _CLOCK == answered.units[0].values
    assert ((3, 0), tag, 9) == (*answered.auxiliary[1:], answered.head.sequence)


def test_answers_of_several_frames_confirmations_and_denials_arrive() -> None:
    """Of an archive in several frames the master would keep one."""
    server = TerminalServer(_ADDRESS, _answers)
    archive = request(_ADDRESS, 0x0A, [unit(0x0A, 10, {"count": 0, "indexes": []})], sequence=15)
    several = _exchanged(server, archive)
    assert (State.DONE, 3) == (several.state, len(several.answer))
    trip = _exchanged(server, request(_ADDRESS, 0x05, [unit(0x05, 1, {"limit": 0, "warn": 0}, point=1)]))
    assert (State.DONE, True) == (trip.state, trip.answer[0].is_confirmation)
    unknown = _exchanged(server, request(_ADDRESS, 0x09, [unit(0x09, 1)]))
    assert (State.DONE, True) == (unknown.state, unknown.is_denied)


def test_a_group_and_another_terminal_are_not_answered() -> None:
    """Every terminal of a network would answer a broadcast at once."""
    server = TerminalServer(_ADDRESS, _answers)
    everybody, other = Address("0000", 0xFFFF, 1, True), Address("4403", 5, 1)
    for address in (everybody, other):
        exchange = _exchanged(server, request(address, 0x0C, [unit(0x0C, 2)]))
        assert exchange.answer == ()


def test_a_report_is_open_until_it_is_confirmed() -> None:
    """A simulated terminal would forget an event that nobody kept."""
    server, listener = TerminalServer(_ADDRESS, _answers), TerminalListener(lambda _: True)
    server.call(LOGIN)
    events = {"ec": [1, 0], "pm": 0, "pn_ptr": 0, "events": []}
    server.report(0x0E, [unit(0x0E, 1, events, way="up")])
    listener.feed(server.octets_to_send())
    server.feed(listener.octets_to_send())
    assert server.confirmed is None
    (report,) = listener.reports()
    assert events == report.message.units[0].values
    listener.acknowledge(report)
    server.feed(listener.octets_to_send())
    assert server.confirmed is True


def test_a_module_answers_later_and_in_another_order() -> None:
    """Concurrent reads of simulated meters would come back in one order only."""
    server = ModuleServer()
    values = {"protocol": 2, "reserved": 0, "len": 1, "payload": b"x"}
    exchanges = []
    for number in (1, 2):
        addresses = Addresses("000000000001", f"{number:012d}")
        exchanges.append(
            ModuleExchange(module.request(DownInfo(number), 0xF1, 1, values, addresses=addresses))
        )
        server.feed(exchanges[-1].octets_to_send())
    for came in reversed(server.requests()):
        payload = came.frame.addresses.destination.encode() if came.frame.addresses else b""
        answered = {"protocol": 2, "len": len(payload), "payload": payload}
        server.answer(module.answer(came.frame, 0xF1, 1, answered))
    stream = server.octets_to_send()
    for exchange in exchanges:
        exchange.feed(stream)
    read = [exchange.answer.values["payload"] for exchange in exchanges if exchange.answer]
    assert [b"000000000001", b"000000000002"] == read


def test_a_module_reports_until_it_is_confirmed_and_takes_what_to_read() -> None:
    """A reading that a module led would be lost with one frame."""
    server, listener = ModuleServer(), ModuleListener()
    server.report(0x06, 3, {"state": 1})
    server.report(0x14, 1, {"phase": 1, "addr": "000000000006", "index": 2})
    first = server.octets_to_send()
    server.repeat()
    assert first == server.octets_to_send()
    assert server.open_reports == 2
    listener.feed(first)
    report, asks = listener.calls()
    listener.acknowledge(report)
    told = {
        "read_flag": 1,
        "delay_related": 0,
        "len": 0,
        "payload": b"",
        "sub_nodes": 0,
        "sub_node_addrs": [],
    }
    listener.answer(asks, told)
    server.feed(listener.octets_to_send())
    assert server.open_reports == 0
    assert [told] == [one.values for one in server.answers()]


def test_so_many_reports_and_requests_are_kept_and_no_more() -> None:
    """A concentrator that never confirms would fill the memory of a simulated module."""
    server = ModuleServer()
    for _ in range(OPEN_MAX):
        server.report(0x14, 2)
    with pytest.raises(LocalProtocolError, match="64 reports are open"):
        server.report(0x14, 2)
    server.give_up()
    query = module_frame.encode(module.request(DownInfo(1), 0x03, 1))
    server.feed(query * (OPEN_MAX + 1))
    assert (OPEN_MAX, 1) == (len(server.requests()), server.dropped)


@given(st.binary(max_size=60))
def test_any_octets_leave_the_servers_alive(rubbish: bytes) -> None:
    """One hostile master would end the simulator."""
    tail = bytes((sum(rubbish) & 0xFF, 0x16))
    terminal, concentrator = TerminalServer(_ADDRESS, _answers_none), ModuleServer()
    for one in (rubbish, b"h" + (len(rubbish) << 2 | 2).to_bytes(2, "little") * 2 + b"h" + rubbish + tail):
        terminal.feed(one)
        terminal.octets_to_send()
    concentrator.feed(b"h" + (len(rubbish) + 5).to_bytes(2, "little") + rubbish + tail)
    assert len(concentrator.requests()) <= 1


def _answers_none(message: Message) -> Answers:
    del message
    return []


def test_an_answer_may_take_its_time() -> None:
    """A terminal could forward nothing: its meters answer seconds later."""
    waiting: list[Message] = []
    server = TerminalServer(_ADDRESS, waiting.append)
    asked = request(_ADDRESS, 0x0C, [unit(0x0C, 2)], sequence=9)
    exchange = _exchanged(server, asked)
    assert (State.WAITING, 1) == (exchange.state, len(waiting))
    server.reply(waiting[0], [[unit(0x0C, 2, _CLOCK, way="up")]])
    exchange.feed(server.octets_to_send())
    assert (State.DONE, _CLOCK) == (exchange.state, exchange.answer[0].units[0].values)
    server.reply(waiting[0], [])
    assert from_frame(decode(server.octets_to_send())).is_denial


def test_manners_of_one_make_are_seen_on_the_wire() -> None:
    """A head-end could not be tried with what terminals in the field send."""
    manners = Manners(call_function=4, keeps_master=True, single_first=False)
    server = TerminalServer(_ADDRESS._replace(master=0), _answers, manners=manners)
    exchange = _exchanged(server, request(_ADDRESS, 0x0C, [unit(0x0C, 2)]))
    head = exchange.answer[0].head
    assert (State.DONE, False, True) == (exchange.state, head.first, head.final)
    several = _exchanged(server, request(_ADDRESS, 0x0A, [unit(0x0A, 10, {"count": 0, "indexes": []})]))
    assert [True, False, False] == [one.head.first for one in several.answer]
    server.call(HEARTBEAT)
    call = decode(server.octets_to_send())
    assert (4, 1, _ADDRESS.master) == (call.function, call.started, call.address.master)
