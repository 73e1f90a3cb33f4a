"""Exchanges and listeners of both parts: every state and signal, several frames, strangers, reports."""

from __future__ import annotations

import enum
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.link import module_frame
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo, UpInfo
from meterwire.gdw1376.link.terminal_frame import Address, Frame
from meterwire.gdw1376.messages import module, terminal
from meterwire.gdw1376.messages.terminal import Message, confirmation, decode, encode, group, request, unit
from meterwire.gdw1376.sessions import module_exchange, terminal_exchange
from meterwire.gdw1376.sessions.module_exchange import ModuleExchange
from meterwire.gdw1376.sessions.module_listener import CALLS_MAX, ModuleListener
from meterwire.gdw1376.sessions.terminal_exchange import State, TerminalExchange
from meterwire.gdw1376.sessions.terminal_listener import (
    CALL_TRANSITIONS,
    REPORTS_MAX,
    CallState,
    TerminalListener,
)
from tests.support.vectors import octets, vectors

_ADDRESS = Address("4403", 4, 1)
_REQUEST = request(_ADDRESS, 0x0A, [unit(0x0A, 10, {"count": 1, "indexes": [1]})], sequence=5)
_VECTORS = {vector["id"]: octets(vector) for vector in vectors("gdw1376.jsonl")}


def _piece(*, first: bool = True, final: bool = True, confirm: bool = False, sequence: int = 5) -> bytes:
    """One frame of an answer to the request."""
    archive = unit(0x0A, 10, {"count": 0, "meters": []}, way="up")
    message = terminal.answer(_REQUEST.head, [archive], first=first, final=final, confirm=confirm)
    return encode(message._replace(head=message.head._replace(sequence=sequence)))


def _asked(*answers: bytes) -> TerminalExchange:
    exchange = TerminalExchange(_REQUEST)
    assert encode(_REQUEST) == exchange.octets_to_send()
    for answer in answers:
        exchange.feed(answer)
    return exchange


def _states(*exchanges: TerminalExchange) -> list[State]:
    return [exchange.state for exchange in exchanges]


def test_every_state_takes_every_signal_or_leaves_it() -> None:
    """A machine would hang in a state that nobody thought of."""
    tables: list[tuple[type[enum.Enum], Any]] = [
        (terminal_exchange.Signal, terminal_exchange.TRANSITIONS),
        (module_exchange.Signal, module_exchange.TRANSITIONS),
    ]
    for signals, table in tables:
        for state, signal in product(table, signals):
            assert table[state].get(signal, state) in table
        assert [state for state in table if not table[state]]
    assert set(CallState) == set(CALL_TRANSITIONS)


def test_a_single_answer_ends_an_exchange() -> None:
    """A read would wait for its deadline though the answer is there."""
    exchange = _asked(_piece())
    assert exchange.state is State.DONE
    assert exchange.octets_to_send() == b""
    assert [{"count": 0, "meters": []}] == [one.units[0].values for one in exchange.answer]


def test_an_answer_of_several_frames_is_taken_whole_and_confirmed() -> None:
    """Of a long archive only the first frame would come."""
    exchange = _asked(_piece(final=False, confirm=True))
    assert [State.CONFIRMING] == _states(exchange)
    sent = decode(exchange.octets_to_send())
    assert (True, 5) == (sent.is_confirmation, sent.head.sequence)
    exchange.feed(_piece(first=False, final=False, sequence=6))
    exchange.feed(_piece(first=False, final=False, sequence=6))  # comes twice
    exchange.feed(_piece(first=False, sequence=7, confirm=True))
    assert [State.CLOSING] == _states(exchange)
    assert not exchange.finished
    assert decode(exchange.octets_to_send()).is_confirmation
    assert [State.DONE] == _states(exchange)
    assert (3, 1) == (len(exchange.answer), exchange.ignored)


def test_the_quirk_of_one_make_is_a_single_frame() -> None:
    """One make's answers, FIR = 0 and FIN = 1, would all be lost."""
    captured = decode(_VECTORS["g1-034"])
    exchange = TerminalExchange(captured)
    exchange.octets_to_send()
    exchange.feed(_VECTORS["g1-042"])
    assert exchange.state is State.DONE
    assert not exchange.is_denied


@pytest.mark.parametrize(
    "pieces",
    [
        [{"first": False, "final": False}],
        [{"final": False}, {"final": False, "sequence": 6}],
    ],
)
def test_missing_frames_fail_the_exchange(pieces: list[dict[str, Any]]) -> None:
    """Half an archive would be compared with the roster, and the other half deleted."""
    exchange = _asked(*(_piece(**piece) for piece in pieces))
    assert exchange.state is State.FAILED
    assert exchange.octets_to_send() == b""


def test_so_many_frames_are_taken_and_no_more() -> None:
    """A terminal that never says FIN would fill the memory."""
    exchange = TerminalExchange(_REQUEST, frames_max=2)
    exchange.octets_to_send()
    exchange.feed(_piece(final=False))
    exchange.feed(_piece(first=False, final=False, sequence=6))
    assert [State.WAITING] == _states(exchange)
    exchange.feed(_piece(first=False, final=False, sequence=7))
    assert [State.FAILED] == _states(exchange)


def test_strangers_answers_and_reports_are_ignored() -> None:
    """The reading of one meter would be kept for another."""
    other = encode(terminal.answer(_REQUEST.head._replace(address=Address("4403", 5)), []))
    late = _piece(sequence=4)
    echo = encode(_REQUEST)
    report = encode(Message(Frame(_ADDRESS, 0x0A, True, True, 4, sequence=5)))
    exchange = _asked(other, late, echo, report, _VECTORS["g1-001"])
    assert (State.WAITING, 5) == (exchange.state, exchange.ignored)
    exchange.feed(encode(confirmation(_REQUEST.head, denied=True)))
    assert exchange.state is State.DONE
    assert exchange.is_denied


def test_a_deadline_fails_an_exchange_unless_its_answer_is_whole() -> None:
    """An answer that only lacked our confirmation would be thrown away."""
    waiting, closing = _asked(), _asked(_piece(confirm=True))
    waiting.expire()
    closing.expire()
    assert (State.FAILED, State.DONE) == (waiting.state, closing.state)
    closing.expire()
    assert closing.octets_to_send() == b""


def test_nobody_answers_a_group() -> None:
    """A broadcast would hold the line until its deadline."""
    broadcast = Address("0000", 0xFFFF, 16, True)
    exchange = TerminalExchange(request(broadcast, 0x0C, [group(0x0C, (1,), (33,))]))
    assert exchange.octets_to_send()
    assert exchange.state is State.DONE


@given(st.binary(max_size=60))
def test_any_octets_leave_the_sessions_alive(rubbish: bytes) -> None:
    """One hostile terminal would end the daemon."""
    tail = bytes((sum(rubbish) & 0xFF, 0x16))
    framed = b"h" + (len(rubbish) << 2 | 2).to_bytes(2, "little") * 2 + b"h" + rubbish + tail
    listener = TerminalListener(lambda _: True)
    exchange = _asked(rubbish, framed)
    listener.feed(rubbish + framed)
    listener.octets_to_send()
    assert exchange.answer or exchange.state in {State.WAITING, State.FAILED}, "done without an answer"
    ears, asked = ModuleListener(), ModuleExchange(module.request(DownInfo(1), 3, 1))
    asked.octets_to_send()
    for one in (rubbish, b"h" + (len(rubbish) + 5).to_bytes(2, "little") + rubbish + tail):
        ears.feed(one)
        asked.feed(one)


# --- what terminals begin ----------------------------------------------------------------------


def test_the_published_calls_of_one_terminal_are_confirmed_in_order() -> None:
    """The terminal would drop the connection and dial for ever."""
    listener = TerminalListener(lambda address: (address.area, address.terminal) == ("0171", 2082))
    numbers = []
    for name in ("g1-031", "g1-030", "g1-032"):  # login, heartbeat, logout
        listener.feed(_VECTORS[name])
        sent = decode(listener.octets_to_send())
        assert sent.is_confirmation
        assert not sent.head.confirm
        numbers.append(sent.head.sequence)
    assert [8, 9, 1] == numbers
    assert (CallState.CLOSED, "the terminal logged out") == (listener.state, listener.ending)


def test_a_heartbeat_before_the_login_is_denied() -> None:
    """A terminal that was moved to us would beat for ever, and never say who it is."""
    listener = TerminalListener(lambda _: True)
    listener.feed(_VECTORS["g1-002"])
    assert decode(listener.octets_to_send()).is_denial
    assert (CallState.DIALLED, None, "") == (listener.state, listener.terminal, listener.ending)


def test_an_unknown_or_another_terminal_ends_the_connection() -> None:
    """A stranger's readings would be kept for one of our meters."""
    unknown = TerminalListener(lambda _: False)
    unknown.feed(_VECTORS["g1-001"])
    assert (CallState.CLOSED, b"") == (unknown.state, unknown.octets_to_send())
    assert "4403-4 is unknown" in unknown.ending
    other = TerminalListener(lambda _: True)
    other.feed(_VECTORS["g1-001"] + _VECTORS["g1-003"])
    assert other.ending == "another terminal called"
    stranger = TerminalListener(lambda _: True)
    stranger.feed(_VECTORS["g1-088"])
    assert "not logged in" in stranger.ending
    assert stranger.reports() == []


def test_a_report_is_confirmed_only_after_it_was_kept() -> None:
    """A power fail that was confirmed and then lost in a crash would never be told again."""
    listener = TerminalListener(lambda _: True)
    login = Message(decode(_VECTORS["g1-001"]).head._replace(address=decode(_VECTORS["g1-088"]).address))
    listener.feed(encode(login._replace(groups=decode(_VECTORS["g1-001"]).groups)))
    listener.octets_to_send()
    answer = encode(confirmation(request(_ADDRESS, 0x05, []).head))
    listener.feed(_VECTORS["g1-088"] + answer)
    assert listener.octets_to_send() == b""
    (report,) = listener.reports()
    assert 14 == report.message.units[0].values["events"][0]["erc"]
    listener.acknowledge(report)
    sent = decode(listener.octets_to_send())
    assert (True, report.message.head.sequence) == (sent.is_confirmation, sent.head.sequence)
    assert answer == listener.octets_for_exchange()


def test_reports_that_nobody_fetches_end_the_connection() -> None:
    """A flood of reports would fill the memory."""
    listener = TerminalListener(lambda _: True)
    login = decode(_VECTORS["g1-001"])
    listener.feed(_VECTORS["g1-001"])
    head = login.head._replace(afn=0x0E, function=4)
    report = encode(Message(head, (unit(0x0E, 1, _EVENTS, way="up"),)))
    listener.feed(report * REPORTS_MAX)
    assert listener.ending == ""
    listener.feed(report * 9)
    assert "not fetched" in listener.ending
    assert len(listener.reports()) == REPORTS_MAX


_EVENTS = {"ec": [0, 0], "pm": 0, "pn_ptr": 0, "events": []}


# --- modules -----------------------------------------------------------------------------------

_SLAVES = Addresses("000000000001", "000000011278")


def _read(sequence: int) -> module_frame.Frame:
    values = {"protocol": 2, "reserved": 0, "len": 1, "payload": b"x"}
    return module.request(DownInfo(sequence), 0xF1, 1, values, addresses=_SLAVES)


def test_concurrent_reads_each_take_their_own_answer() -> None:
    """Two meters read at once would swap their readings."""
    requests = [_read(number) for number in (1, 2)]
    exchanges = [ModuleExchange(one) for one in requests]
    answered = [module.answer(one, 0xF1, 1, {"protocol": 2, "len": 0, "payload": b""}) for one in requests]
    assert [module_frame.encode(one) for one in requests] == [one.octets_to_send() for one in exchanges]
    for answer in reversed(answered):
        for exchange in exchanges:
            exchange.feed(module_frame.encode(answer))
    assert answered == [one.answer.frame for one in exchanges if one.answer]
    assert [1, 1] == [one.ignored for one in exchanges]
    assert all(one.finished and not one.octets_to_send() for one in exchanges)


def test_a_late_answer_of_another_slave_or_function_is_ignored() -> None:
    """A late answer would be the reading of the meter that is asked now."""
    exchange = ModuleExchange(_read(1))
    exchange.octets_to_send()
    empty = {"protocol": 2, "len": 0, "payload": b""}
    good = module.answer(_read(1), 0xF1, 1, empty)
    strangers = [
        module.answer(_read(2), 0xF1, 1, empty),
        good._replace(addresses=Addresses("000000099999", "000000000001")),
        good._replace(afn=0x10),
        good._replace(started=True),
        _read(1),
    ]
    for stranger in strangers:
        exchange.feed(module_frame.encode(stranger))
    assert (module_exchange.State.WAITING, len(strangers)) == (exchange.state, exchange.ignored)
    exchange.feed(module_frame.encode(module.denial(_read(1), 0x6D)))
    assert exchange.answer is not None
    assert exchange.answer.is_denial


def test_a_silent_module_fails_an_exchange() -> None:
    """A module without power would hold the line for ever."""
    exchange = ModuleExchange(_read(1))
    exchange.octets_to_send()
    exchange.expire()
    assert (module_exchange.State.FAILED, None) == (exchange.state, exchange.answer)
    exchange.feed(
        module_frame.encode(module.answer(_read(1), 0xF1, 1, {"protocol": 2, "len": 0, "payload": b""}))
    )
    assert exchange.answer is None


def test_what_a_module_begins_is_told_confirmed_and_answered() -> None:
    """A module that leads the reading would wait for what to read, and read nothing."""
    listener = ModuleListener()
    answer = _VECTORS["g2-015"]
    listener.feed(_VECTORS["g2-022"] + answer + _VECTORS["g2-027"])
    report, asks = listener.calls()
    assert answer == listener.octets_for_exchange()
    assert [] == listener.frames_for_exchange(), "each answer is handed on once"
    listener.feed(answer)
    assert [module_frame.decode(answer)] == listener.frames_for_exchange()
    assert b"" == listener.octets_for_exchange()
    assert listener.octets_to_send() == b""
    listener.acknowledge(report)
    confirmed = module.from_frame(module_frame.decode(listener.octets_to_send()))
    assert confirmed.is_confirmation
    assert DownInfo(4) == confirmed.frame.info
    values = {
        "read_flag": 1,
        "delay_related": 0,
        "len": 0,
        "payload": b"",
        "sub_nodes": 0,
        "sub_node_addrs": [],
    }
    listener.answer(asks, values)
    answered = module.from_frame(module_frame.decode(listener.octets_to_send()))
    assert values == answered.values
    assert asks.frame.info.sequence == answered.frame.info.sequence
    with pytest.raises(LocalProtocolError, match="confirmed, not answered"):
        listener.answer(report, {})


def test_so_many_calls_wait_and_no_more() -> None:
    """A module gone mad would fill the memory."""
    listener = ModuleListener()
    call = module_frame.encode(module_frame.Frame(UpInfo(1), 6, b"\x04\x00", b"\x01"))
    listener.feed(call * (CALLS_MAX + 2))
    assert (CALLS_MAX, 2) == (len(listener.calls()), listener.dropped)
