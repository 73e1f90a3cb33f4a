"""What came back for a control of DL/T 645-2007 -> a verdict, and why a meter said no, as far as it tells.

A refusal of one octet tells nothing: a firmware says 04H whatever the cause. Of what was proved it may hide a
wrong MAC, which meters count, so it is told apart and taken for one (section 1.3). Of two octets each set bit
is a reason. When a meter names several, the gravest counts; the one cause after which an order may be sent
again, a missing authentication, counts only when it stands alone.
Source: control-and-prepayment, sections 1.4 and 2.1, fact 7.
"""

from __future__ import annotations

from typing import Final

from meterlink.drivers.control import Cause, ControlAnswer, Verdict
from meterlink.model.order import OrderKind
from meterwire.dlt645 import AbnormalReply
from meterwire.dlt645.items.bit_words import WORD_OCTETS_MAX, bits_set
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.sessions.command import CommandSession, State

CAUSES: Final[dict[str, Cause]] = {
    "meter_suspended": Cause.SUSPENDED,
    "mac_error": Cause.MAC,
    "esam_verification_failed": Cause.MAC,
    "password_or_unauthorised": Cause.PASSWORD,
    "repeat_topup": Cause.REPEATED,
    "trip_refused_guarantee": Cause.GUARANTEE,
    "auto_trip_refused_guarantee": Cause.GUARANTEE,
    "customer_number_mismatch": Cause.CUSTOMER,
    "purchase_count_error": Cause.PURCHASE_COUNT,
    "hoarding_limit_exceeded": Cause.HOARDING,
    "command_expired": Cause.EXPIRED,
    "other": Cause.UNTOLD,
    "address_abnormal": Cause.UNTOLD,
    "close_restore_failed": Cause.UNTOLD,
    "password_setting_error": Cause.UNTOLD,
    "auto_trip_zero_duration": Cause.UNTOLD,
    "auto_trip_already_tripped": Cause.UNTOLD,
    "identity_auth_failed": Cause.AUTHENTICATION_TIMEOUT,
}
"""Bits of the control error word and of SERR, gravest first."""

_CLOSED: Final = frozenset({"direct_close", "permit_close"})
EXECUTED: Final[dict[OrderKind, frozenset[str]]] = {
    OrderKind.TRIP: frozenset({"direct_trip", "delayed_trip", "delayed_trip_current"}),
    OrderKind.PERMIT_CLOSE: _CLOSED,
    OrderKind.DIRECT_CLOSE: _CLOSED,
    OrderKind.GUARANTEE_ON: frozenset({"guarantee_on"}),
    OrderKind.GUARANTEE_OFF: frozenset({"guarantee_off"}),
    OrderKind.ALARM_ON: frozenset({"alarm_on"}),
    OrderKind.ALARM_OFF: frozenset({"alarm_off"}),
}
"""What an execution word may say to each order; one that says something else answers something else."""


def cause_of(refusal: AbnormalReply, *, is_proved: bool) -> Cause:
    """Why the meter said no.

    Args:
        refusal: what it said.
        is_proved: whether a MAC went with what it refused.

    """
    is_word = len(refusal.error_word) == WORD_OCTETS_MAX
    named = [bit for bit in CAUSES if bit in refusal.bits] if is_word else []
    if named:
        return CAUSES[named[0]]
    return Cause.POSSIBLY_MAC if is_proved else Cause.UNTOLD


def answer_of(session: CommandSession, kind: OrderKind, failure: str, *, is_proved: bool) -> ControlAnswer:
    """The end of one sending.

    Args:
        session: has ended.
        kind: what was ordered.
        failure: what the line said, in words; empty: nothing.
        is_proved: whether a MAC went with the order.

    """
    match session.state, session.reply:
        case State.UNSENT, _:
            return ControlAnswer(verdict=Verdict.UNSENT, told=f"nothing was sent: {failure}")
        case State.REFUSED, AbnormalReply() as refusal:
            return ControlAnswer(
                verdict=Verdict.REJECTED,
                cause=cause_of(refusal, is_proved=is_proved),
                word=_word(refusal.error_word),
                told=_refusal(refusal, is_proved=is_proved),
            )
        case State.ANSWERED, Acknowledgement(execution_word=octets):
            return _accepted(octets, kind)
        case State.ANSWERED, _:
            return ControlAnswer(verdict=Verdict.ACCEPTED, told="the meter took it")
    strangers = f"; {session.ignored} frames came that answer something else" if session.ignored else ""
    return ControlAnswer(
        verdict=Verdict.NONE,
        told=f"sent, and no answer to it: {failure or 'the line fell silent'}{strangers}",
    )


def _accepted(octets: bytes, kind: OrderKind) -> ControlAnswer:
    done = bits_set("execution", octets) if len(octets) <= WORD_OCTETS_MAX else ()
    words = ", ".join(bit.en for bit in done)
    if done and not EXECUTED.get(kind, frozenset()) & {bit.name for bit in done}:
        return ControlAnswer(
            verdict=Verdict.NONE,
            word=_word(octets),
            told=f"sent, and the answer is to something else: {words}",
        )
    told = f"the meter took it: {words}" if words else "the meter took it"
    return ControlAnswer(verdict=Verdict.ACCEPTED, word=_word(octets), told=told)


def _refusal(refusal: AbnormalReply, *, is_proved: bool) -> str:
    told = refusal.sentence("en")
    if len(refusal.error_word) == 1:  # its bits name a cause, and mean nothing
        told = f"the meter refused and does not tell why ({_word(refusal.error_word)}H)"
    if cause_of(refusal, is_proved=is_proved) is Cause.POSSIBLY_MAC:
        return f"{told}: a wrong MAC may hide behind it"
    return told


def _word(octets: bytes) -> str:
    """A word as people write it; of more octets than a word has nothing: they may be a secret."""
    return octets[::-1].hex().upper() if len(octets) <= WORD_OCTETS_MAX else ""
