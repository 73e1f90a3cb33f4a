"""One command: every state with every signal, what may answer, late answers, and never twice."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given

from meterwire.dlt645 import BROADCAST, WILDCARD, AbnormalReply, Frame, Message, decode, encode, to_frame
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.address_and_baud import (
    BaudReply,
    BaudRequest,
    ReadAddressReply,
    ReadAddressRequest,
    WriteAddressRequest,
)
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
    FreezeRequest,
)
from meterwire.dlt645.messages.command import Acknowledgement, Command, ReadAgainRequest
from meterwire.dlt645.messages.command_codec import COMMANDS
from meterwire.dlt645.messages.control import (
    ControlRequest,
    SealedControlRequest,
    SecurityReply,
    SecurityRequest,
)
from meterwire.dlt645.messages.messages import ReadAgainReply, ReadReply
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import (
    BroadcastTime,
    InfraredRequest,
    TerminalOutputReply,
    TerminalOutputRequest,
)
from meterwire.dlt645.sessions.command import REPLIES, TRANSITIONS, CommandSession, Signal, State
from meterwire.errors import LocalProtocolError
from tests.wire.dlt645 import strategies as of

_ME, _OTHER, _NEW = "000000000161", "000000000162", "000000000163"
_OLD: Edition = "dlt645-1997"
_NOW: Edition = "dlt645-2007"
_ACCESS: dict[str, Any] = {"address": _ME, "level": 2, "password": "123456"}
_OPERATED: dict[str, Any] = {**_ACCESS, "operator_code": "87654321"}
_PASSWORDS: dict[str, Any] = {**_ACCESS, "new_level": 4, "new_password": "654321"}
_SEALED = SealedControlRequest(address=_ME, operator_code="87654321", mac="00112233", cipher="44" * 16)
_EXPIRES = bytes.fromhex("003015221126")


def _ack(function: int, address: str = _ME) -> Acknowledgement:
    return Acknowledgement(address=address, function=function)


_EXCHANGES: list[tuple[Edition, Command, Message]] = [
    (_NOW, ReadAddressRequest(), ReadAddressReply(address=_ME, meter_address=_ME)),
    (
        _NOW,
        WriteRequest(**_OPERATED, di=0x04000102, payload=b"\x30\x20\x10"),
        _ack(0x14),
    ),
    (_NOW, WriteAddressRequest(new_address=_NEW), _ack(0x15, _NEW)),
    (_NOW, FreezeRequest(address=_ME, pattern="99999999"), _ack(0x16)),
    (_NOW, BaudRequest(address=_ME, word=8), BaudReply(address=_ME, word=8)),
    (
        _NOW,
        ChangePasswordRequest(**_PASSWORDS, di=0x04000C03),
        ChangePasswordReply(address=_ME, new_level=4, new_password="654321"),
    ),
    (_NOW, ClearDemandRequest(**_OPERATED), _ack(0x19)),
    (_NOW, ClearMeterRequest(**_OPERATED), _ack(0x1A)),
    (_NOW, ClearEventsRequest(**_OPERATED, event=0xFFFFFFFF), _ack(0x1B)),
    (_NOW, TerminalOutputRequest(address=_ME, signal=2), TerminalOutputReply(address=_ME, signal=2)),
    (_NOW, ControlRequest(**_OPERATED, command=0x1A, expires=_EXPIRES), _ack(0x1C)),
    (_NOW, _SEALED, Acknowledgement(address=_ME, function=0x1C, execution_word=b"\x04\x00")),
    (
        _NOW,
        SecurityRequest(address=_ME, di=0x070002FF, operator_code="87654321"),
        SecurityReply(address=_ME, di=0x070002FF, payload=bytes(18)),
    ),
    (
        _NOW,
        SecurityRequest(address=_ME, di=0x078001FF, operator_code="87654321", payload=bytes(8)),
        SecurityReply(address=_ME, di=0x078001FF, payload=bytes(100), has_following=True),
    ),
    (_OLD, WriteRequest(**_ACCESS, di=0xC010, payload=bytes.fromhex("06060719")), _ack(0x04)),
    (_OLD, WriteAddressRequest(address=BROADCAST, new_address=_NEW), _ack(0x0A, _NEW)),
    (_OLD, BaudRequest(address=_ME, word=4), BaudReply(address=_ME, word=4)),
    (
        _OLD,
        ChangePasswordRequest(**_PASSWORDS),
        ChangePasswordReply(address=_ME, new_level=4, new_password="654321"),
    ),
    (_OLD, ClearDemandRequest(**_ACCESS), _ack(0x10)),
    (_OLD, ReadAgainRequest(address=_ME), ReadAgainReply(address=_ME, di=0x9010, data=bytes(4))),
]
_IDS = [f"{edition[-4:]}-{type(request).__name__}-{n}" for n, (edition, request, _) in enumerate(_EXCHANGES)]
_every_exchange = pytest.mark.parametrize(("edition", "request_", "reply"), _EXCHANGES, ids=_IDS)


def _sent(edition: Edition, request: Command, **options: Any) -> CommandSession:
    session = CommandSession(request, edition=edition, **options)
    assert to_frame(request, edition) == decode(session.octets_to_send())
    return session


@_every_exchange
def test_each_command_has_its_answer(edition: Edition, request_: Command, reply: Message) -> None:
    """A meter's yes would be waited for in vain."""
    session = _sent(edition, request_)
    for octet in encode(to_frame(reply, edition), preamble=4):
        assert not session.finished
        session.feed(bytes((octet,)))
    assert (State.ANSWERED, reply, 0) == (session.state, session.reply, session.ignored)


def test_every_request_is_tried_above() -> None:
    """A new command could be sent without anybody knowing what answers it."""
    requests = {kind for kind in COMMANDS if not kind.FROM_METER}
    assert requests == {BroadcastTime, InfraredRequest} | set(REPLIES)
    assert set(REPLIES) == {type(request) for _, request, _ in _EXCHANGES}


@_every_exchange
def test_a_refusal_is_a_result(edition: Edition, request_: Command, reply: Message) -> None:
    """A no would be taken for silence, and the command for perhaps done."""
    session = _sent(edition, request_)
    refusal = AbnormalReply(
        address=reply.address, function=to_frame(request_, edition).function, error_word=b"\x04"
    )
    session.feed(encode(to_frame(refusal, edition)))
    assert (State.REFUSED, refusal) == (session.state, session.reply)


@_every_exchange
def test_the_octets_are_given_once(edition: Edition, request_: Command, reply: Message) -> None:
    """A relay would move twice, an account be credited twice."""
    session = _sent(edition, request_)
    assert b"" == session.octets_to_send()
    session.feed(encode(to_frame(request_, edition)))
    assert b"" == session.octets_to_send()
    session.expire()
    assert (State.UNCONFIRMED, None, b"") == (session.state, session.reply, session.octets_to_send())
    session.feed(encode(to_frame(reply, edition)))
    assert (State.UNCONFIRMED, None) == (session.state, session.reply), "the deadline had passed"


@_every_exchange
def test_what_is_not_the_answer_is_ignored(edition: Edition, request_: Command, reply: Message) -> None:
    """Another meter's yes, an echo or an answer of another kind would pass for this meter's."""
    session = _sent(edition, request_)
    answer = to_frame(reply, edition)
    strangers = [
        to_frame(request_, edition),
        answer._replace(from_meter=False),
        answer._replace(function=0x11),
        answer._replace(function=answer.function ^ 1),
        answer._replace(data=answer.data[:-1] if answer.data else b"\x00" * 3),
    ]
    if request_.address == _ME:
        strangers.append(answer._replace(address=_OTHER))
    if isinstance(reply, SecurityReply | ReadAgainReply | TerminalOutputReply) or answer.function == 0x1C:
        strangers.pop(4)  # these may have any length
    for number, stranger in enumerate(strangers, start=1):
        session.feed(encode(stranger))
        assert (number, None) == (session.ignored, session.reply)
    session.feed(encode(answer))
    assert reply == session.reply


_PASSWORD_CHANGE = ChangePasswordRequest(**_PASSWORDS, di=0x04000C03)


@pytest.mark.parametrize(
    ("edition", "request_", "late"),
    [
        (_NOW, BaudRequest(address=_ME, word=8), BaudReply(address=_ME, word=4)),
        (_NOW, _PASSWORD_CHANGE, ChangePasswordReply(address=_ME, new_level=4, new_password="111111")),
        (_NOW, _PASSWORD_CHANGE, ChangePasswordReply(address=_ME, new_level=2, new_password="654321")),
        (
            _NOW,
            SecurityRequest(address=_ME, di=0x070102FF, operator_code="87654321"),
            SecurityReply(address=_ME, di=0x070101FF),
        ),
    ],
)
def test_an_answer_that_repeats_another_request_is_not_taken(
    edition: Edition, request_: Command, late: Message
) -> None:
    """The late answer to an earlier command would confirm this one."""
    session = _sent(edition, request_)
    session.feed(encode(to_frame(late, edition)))
    assert (State.WAITING, 1) == (session.state, session.ignored)


def test_a_repeated_answer_may_have_to_carry_the_identifier() -> None:
    """The last answer but one, of another item, would be taken for the one that was lost."""
    session = _sent(_OLD, ReadAgainRequest(address=_ME), di=0x9010)
    session.feed(encode(to_frame(ReadAgainReply(address=_ME, di=0x9020, data=bytes(4)), _OLD)))
    assert 1 == session.ignored
    session.feed(encode(to_frame(ReadReply(address=_ME, di=0x9010, data=bytes(4)), _OLD)))
    assert 2 == session.ignored, "81H is a late answer to the read itself"
    reply = ReadAgainReply(address=_ME, di=0x9010, data=bytes(4))
    session.feed(encode(to_frame(reply, _OLD)))
    assert reply == session.reply


@_every_exchange
def test_an_answer_that_began_before_the_request_is_not_its_answer(
    edition: Edition, request_: Command, reply: Message
) -> None:
    """The late answer to an earlier command would confirm this one, whole or in two halves."""
    answer = encode(to_frame(reply, edition))
    for cut in range(1, len(answer)):
        session = CommandSession(request_, edition=edition)
        session.feed(answer + answer[:cut])
        session.octets_to_send()
        session.feed(answer[cut:])
        assert (State.WAITING, None) == (session.state, session.reply)
    session.feed(answer)
    assert reply == session.reply


@pytest.mark.parametrize(
    "request_",
    [
        BroadcastTime(clock="2026-11-22 03:00:00"),
        BroadcastTime(address=_ME, clock="2026-11-22 03:00:00"),
        FreezeRequest(address=BROADCAST, pattern="99999999"),
    ],
)
def test_what_nobody_answers_ends_at_once(request_: Command) -> None:
    """Each broadcast would cost a whole timeout, and look like a failure."""
    session = _sent(_NOW, request_)
    assert (State.SENT, True, None) == (session.state, session.finished, session.reply)
    session.feed(encode(to_frame(_ack(0x08))))
    session.expire()
    assert (State.SENT, None, b"") == (session.state, session.reply, session.octets_to_send())


def test_what_never_left_is_known_not_to_have_left() -> None:
    """A command that waited in vain for its line would need a read-back before anybody may try again."""
    session = CommandSession(_SEALED)
    session.expire()
    assert (State.UNSENT, b"") == (session.state, session.octets_to_send())


def test_a_shortened_address_is_answered_by_those_that_it_means() -> None:
    """Any meter's address would do, also one with other last digits."""
    session = _sent(_NOW, ReadAddressRequest())
    session.feed(encode(to_frame(ReadAddressReply(address=WILDCARD, meter_address=_ME))))
    assert State.ANSWERED is session.state


@pytest.mark.parametrize(
    "request_",
    [
        dataclasses.replace(_SEALED, address=BROADCAST),
        dataclasses.replace(_SEALED, address="AAAAAAAA0161"),
        dataclasses.replace(_SEALED, address="161"),
        _ack(0x1C),
        BaudReply(address=_ME, word=8),
        ReadAgainRequest(address=_ME),
    ],
    ids=lambda request: type(request).__name__,
)
def test_what_cannot_be_built_is_refused_at_once(request_: Command) -> None:
    """The mistake would show up on the line instead of where it was made."""
    with pytest.raises(LocalProtocolError):
        CommandSession(request_)


def test_the_table_is_walked_whole() -> None:
    """A state without a rule for a signal would be found out on a customer's line."""
    assert set(State) == set(TRANSITIONS)
    final = set(State) - {State.SENDING, State.WAITING}
    for state, signal in itertools.product(State, Signal):
        session = CommandSession(_SEALED)
        session._state = state
        session._signal(signal)
        expected = TRANSITIONS[state].get(signal, state)
        assert expected == session.state
        assert (expected in final) == session.finished
        assert state not in final or expected is state
        assert expected is not State.SENDING or state is State.SENDING
        assert signal is not Signal.EXPIRED or expected in final


@given(octets=of.noise, frame=of.frames)
def test_rubbish_never_confirms_a_command(octets: bytes, frame: Frame) -> None:
    """A noisy line would report a relay as open."""
    session = _sent(_NOW, _SEALED)
    session.feed(octets)
    session.feed(encode(frame))
    assert not session.finished or (frame.address == _ME and frame.from_meter and frame.function == 0x1C)
