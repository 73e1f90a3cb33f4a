"""What a meter of DL/T 698.45 says to an order: its result, and what that proves.

Of an order that went enciphered only a proved answer counts, matched by service number, method and time tag;
everything else leaves open what became of it. 0 is "received", not more (fact 4).
Source: control-and-prepayment, sections 4.1, 4.6, 4.7 and 5.2; facts 4 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from meterlink.bus.line import Exchanging
from meterlink.drivers.control import Cause, ControlAnswer, Verdict
from meterlink.drivers.dlt698.control_looks import ERROR_WORD, error_names
from meterlink.drivers.dlt698.control_session import PRIORITY, Agreement
from meterlink.drivers.dlt698.talk import code_words
from meterlink.errors import BusFull, LineError, ReplyTimeout, SecurityFailed
from meterwire.dlt698.apdus.action import ActionRequestNormal, ActionResponseNormal
from meterwire.dlt698.apdus.get import GetRequestNormal, GetResponseNormal
from meterwire.dlt698.apdus.parts import SUCCESS, Dar
from meterwire.dlt698.apdus.security import SecurityResponse
from meterwire.dlt698.sessions.client import ClientSession
from meterwire.dlt698.sessions.matching import ERRORS, answers

_log = structlog.get_logger(__name__)
_ESAM: Final = 0xF100

CAUSES: Final[Mapping[int, Cause]] = {
    15: Cause.PASSWORD,
    20: Cause.PASSWORD,
    21: Cause.REPEATED,
    22: Cause.MAC,
    23: Cause.AUTHENTICATION_TIMEOUT,
    24: Cause.CUSTOMER,
    25: Cause.PURCHASE_COUNT,
    26: Cause.HOARDING,
    28: Cause.MAC,
    29: Cause.MAC,
    30: Cause.MAC,
    31: Cause.SUSPENDED,
    32: Cause.EXPIRED,
}
"""What a DAR tells; every other one says no and leaves the cause open."""
UNDECIDED: Final = frozenset({1, 2, 33})
"""A fault of the device, a passing one, silence of a meter behind a terminal: it may have been done."""
ASK_WHY: Final = frozenset({3, 255})
"""DARs of a trip under guarantee, among other things: the error word 2041 knows more."""
ERROR_CAUSES: Final[Mapping[str, Cause]] = {
    "meter_suspended": Cause.SUSPENDED,
    "mac_error": Cause.MAC,
    "command_expired": Cause.EXPIRED,
    "trip_refused_guarantee": Cause.GUARANTEE,
    "auto_trip_refused_guarantee": Cause.GUARANTEE,
}
"""Bits of the error word that are believed. It may be of an earlier order: one that would allow another try,
as a lapsed authentication does, is not among them."""


def verdict_of(dar: Dar) -> ControlAnswer:
    """What a meter's result means for the order; 0 is "received", not more (fact 4)."""
    word, words = f"{int(dar):02X}", code_words("dar", dar)
    if dar == SUCCESS:
        return ControlAnswer(verdict=Verdict.ACCEPTED, word=word, told=f"received: {words}")
    if dar in UNDECIDED:
        return ControlAnswer(verdict=Verdict.NONE, word=word, told=f"it may have been done: {words}")
    cause = CAUSES.get(int(dar), Cause.UNTOLD)
    return ControlAnswer(verdict=Verdict.REJECTED, cause=cause, word=word, told=f"refused: {words}")


async def answer_of(
    agreement: Agreement, request: ActionRequestNormal, session: ClientSession, failure: str
) -> ControlAnswer:
    """What a finished session says to an order whose octets have left.

    Args:
        agreement: that the order stands on.
        request: the order, as the meter reads it.
        session: that carried it.
        failure: why there is no answer, where there is none.

    """
    if session.reply is None:
        return _open_end(failure)
    try:
        return await _proved(agreement, request, session.reply)
    except SecurityFailed as error:
        return _open_end(str(error))
    except Exception as error:  # noqa: BLE001 - the order was sent, whatever we make of the answer
        return _open_end(ours(error))


async def _proved(agreement: Agreement, request: ActionRequestNormal, reply: Any) -> ControlAnswer:
    if agreement.provider is None:
        if isinstance(reply, ERRORS):
            word, told = f"{int(reply.error):02X}", "refused: answered with an error"
            return ControlAnswer(verdict=Verdict.REJECTED, word=word, told=told)
    elif isinstance(reply, SecurityResponse):
        reply = await agreement.opened(reply)
        if isinstance(reply, Dar) and reply != SUCCESS:
            return verdict_of(reply)  # it has not opened the envelope, and cannot prove that
    else:
        return _open_end("the answer is not enciphered")
    if isinstance(reply, ActionResponseNormal) and answers(request, reply):
        return verdict_of(reply.item.dar)
    return _open_end("the answer is one to another request")


async def explained(
    line: Exchanging, agreement: Agreement, request: ActionRequestNormal, answer: ControlAnswer
) -> ControlAnswer:
    """An answer with the cause that the meter's error word tells, where its result tells none."""
    untold = answer.verdict is Verdict.REJECTED and answer.cause is Cause.UNTOLD
    if not untold or int(answer.word, 16) not in ASK_WHY or request.item.omd.oi == _ESAM:
        return answer
    names = await _error_names(line, agreement)
    for name, cause in ERROR_CAUSES.items():
        if name in names:
            return replace(answer, cause=cause, told=f"{answer.told}; its error word says {name}")
    return answer


async def _error_names(line: Exchanging, agreement: Agreement) -> frozenset[str]:
    """What the error word says; nothing where it cannot be read."""
    association = agreement.association
    session = association.exchange(GetRequestNormal(piid=association.next_piid(), oad=ERROR_WORD))
    try:
        await line.exchange(session, priority=PRIORITY)
    except (ReplyTimeout, LineError, BusFull):
        return frozenset()
    told = session.reply
    return error_names(told.result.result) if isinstance(told, GetResponseNormal) else frozenset()


def ours(error: Exception) -> str:
    """Words for a fault of ours over an answer: the log has it whole, and the order does not end by it."""
    _log.error("answer_broke_us", exc_info=error)
    return f"this program broke over the answer ({type(error).__name__}); the log has it whole"


def _open_end(why: str) -> ControlAnswer:
    return ControlAnswer(verdict=Verdict.NONE, told=f"it may have been done: {why}")
