"""Every octet cut off, every bit flipped, rubbish and preambles of all lengths, around an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from meterwire.dlt645 import ReadReply, ReadRequest, ReadSession, encode, to_frame
from meterwire.dlt698.sessions.client import ClientSession
from tests.wire.dlt698 import plant as plant698

_ADDRESS, _DI = "000000000161", 0x00010000
_REPLY = ReadReply(address=_ADDRESS, di=_DI, data=bytes.fromhex("26680116"))  # with a start and an end octet
_REQUEST = ReadRequest(address=_ADDRESS, di=_DI)


class _Exchange(NamedTuple):
    """A question that has just been asked, again and again, and the octets of its answer."""

    ask: Callable[[], Any]
    answer: bytes
    reply: object
    echo: bytes


def _asked(session: Any) -> Any:
    assert session.octets_to_send()
    return session


_EXCHANGES = {
    "dlt645": _Exchange(
        lambda: _asked(ReadSession(_REQUEST)), encode(to_frame(_REPLY)), _REPLY, encode(to_frame(_REQUEST))
    ),
    "dlt698": _Exchange(
        lambda: _asked(ClientSession(plant698.REQUEST, server=plant698.METER)),
        plant698.sent(plant698.ANSWER).lstrip(b"\xfe"),
        plant698.ANSWER,
        ClientSession(plant698.REQUEST, server=plant698.METER).octets_to_send(),
    ),
}
_JUNK = (b"", b"\x00", b"\xff\xff", b"\x68", b"\x16", b"\x68\x68", b"\x68\x10\x00", b"\x16\x68\x43\x00\x68")

protocols = pytest.mark.parametrize("exchange", _EXCHANGES.values(), ids=_EXCHANGES)


@protocols
def test_f3_an_answer_that_is_cut_at_any_octet_is_none(exchange: _Exchange) -> None:
    """F3: half an answer would be read as a value, or its rest spoil the answer to the next question."""
    for cut in range(len(exchange.answer)):
        session = exchange.ask()
        session.feed(exchange.answer[:cut])
        assert not session.finished, f"complete after {cut} octets"
        session.expire()
        assert session.reply is None
        again = exchange.ask()
        again.feed(exchange.answer[cut:] if cut else b"")
        again.feed(exchange.answer)
        assert exchange.reply == again.reply, f"behind the rest from octet {cut} on"


@protocols
def test_f4_an_answer_with_any_bit_flipped_is_none(exchange: _Exchange) -> None:
    """F4: one disturbed bit would become another value, another meter's address or another item."""
    for bit in range(8 * len(exchange.answer)):
        spoiled = bytearray(exchange.answer)
        spoiled[bit // 8] ^= 1 << bit % 8
        session = exchange.ask()
        session.feed(bytes(spoiled))
        assert session.reply is None, f"bit {bit % 8} of octet {bit // 8}"
        session.expire()
        again = exchange.ask()
        again.feed(exchange.answer)
        assert exchange.reply == again.reply


@protocols
@pytest.mark.parametrize("behind", _JUNK, ids=bytes.hex)
def test_f5_rubbish_and_preambles_around_an_answer_cost_nothing(exchange: _Exchange, behind: bytes) -> None:
    """F5: a meter with another preamble, or a line whose driver leaves octets behind, could not be read."""
    for junk in _JUNK:
        for preamble in range(13):
            session = exchange.ask()
            for octet in junk + b"\xfe" * preamble + exchange.answer[:-1]:
                session.feed(bytes((octet,)))
            assert session.reply is None
            session.feed(exchange.answer[-1:] + behind)
            assert exchange.reply == session.reply, f"behind {junk.hex()} and {preamble} times FEH"


@protocols
def test_f13_our_own_voice_is_no_answer(exchange: _Exchange) -> None:
    """F13: an adapter that hears itself would answer for meters that are dead, or end each read too soon."""
    session = exchange.ask()
    session.feed(exchange.echo)
    assert not session.finished
    session.feed(exchange.answer)
    assert exchange.reply == session.reply
