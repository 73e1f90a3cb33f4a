"""One request and its answer: what is the answer, and what is not."""

from __future__ import annotations

import pytest

from meterwire.errors import LocalProtocolError
from meterwire.modbus import (
    FRAMINGS,
    ExceptionReply,
    Exchange,
    Framed,
    Framing,
    ReadReply,
    ReadRequest,
    Reply,
    encode,
    encode_pdu,
)
from meterwire.modbus.sessions.exchange import TRANSITIONS, Signal, State

_REQUEST = ReadRequest(0x04, 0, 2)
_ANSWER = ReadReply(0x04, bytes.fromhex("43668000"))
framings = pytest.mark.parametrize("framing", FRAMINGS)


def _sent(framing: Framing) -> Exchange:
    exchange = Exchange(_REQUEST, unit=9, framing=framing, transaction=77)
    assert (
        encode(Framed(9, encode_pdu(_REQUEST), _transaction(framing)), framing) == exchange.octets_to_send()
    )
    assert b"" == exchange.octets_to_send()
    return exchange


def _transaction(framing: Framing) -> int:
    return 77 if framing == "tcp" else 0


def _said(framing: Framing, reply: Reply, *, unit: int = 9, transaction: int | None = None) -> bytes:
    number = _transaction(framing) if transaction is None else transaction
    return encode(Framed(unit, encode_pdu(reply), number), framing)


@framings
@pytest.mark.parametrize("reply", [_ANSWER, ExceptionReply(0x04, 2)])
def test_the_answer_and_the_exception_end_it(framing: Framing, reply: Reply) -> None:
    """An answer would be waited for until the time is over."""
    exchange = _sent(framing)
    for octet in b"\xff\x00" + _said(framing, reply):
        exchange.feed(bytes((octet,)))
    assert (reply, State.DONE) == (exchange.reply, exchange.state)
    assert exchange.finished
    exchange.expire()
    assert State.DONE is exchange.state


@framings
def test_what_is_another_answer_is_ignored(framing: Framing) -> None:
    """The value of another meter, or of another request, would be kept as this one's."""
    exchange = _sent(framing)
    others = [
        _said(framing, ReadReply(0x03, _ANSWER.data)),
        _said(framing, ReadReply(0x04, bytes(6))),
        _said(framing, ExceptionReply(0x03, 2)),
    ]
    exchange.feed(b"".join(others) + _said(framing, _ANSWER, unit=8))
    assert (None, len(others)) == (exchange.reply, exchange.ignored)
    exchange.feed(_said(framing, _ANSWER))
    assert _ANSWER == exchange.reply


def test_half_an_answer_to_another_request_hides_nothing() -> None:
    """A gateway that gives up one answer in the middle would cost us the next one."""
    late = _said("tcp", _ANSWER, transaction=76)
    for cut in range(len(late) + 1):
        exchange = _sent("tcp")
        exchange.feed(late[:cut] + _said("tcp", _ANSWER))
        assert _ANSWER == exchange.reply, f"behind {cut} octets"


@framings
def test_what_came_before_the_request_is_no_answer(framing: Framing) -> None:
    """A late answer, half of it before the request, would answer the next one."""
    exchange = Exchange(_REQUEST, unit=9, framing=framing, transaction=77)
    late = _said(framing, _ANSWER)
    exchange.feed(late[:8])
    exchange.octets_to_send()
    exchange.feed(late[8:])
    assert exchange.reply is None
    exchange.expire()
    assert (State.FAILED, True) == (exchange.state, exchange.finished)


def test_nobody_asks_everybody() -> None:
    """A request to unit 0 is answered by nobody: a read of it would only ever time out."""
    with pytest.raises(LocalProtocolError, match="unit 0"):
        Exchange(_REQUEST, unit=0, framing="rtu")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_every_state_and_signal(state: State, signal: Signal) -> None:
    """A finished exchange would begin anew, or one that failed would find an answer."""
    after = TRANSITIONS[state].get(signal, state)
    if state in (State.DONE, State.FAILED):
        assert state is after
    assert after is not State.SENDING or state is State.SENDING
