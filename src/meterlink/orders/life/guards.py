"""What forbids a step of an order that its table would have: how often, how late, by whom, with which proof.

Each guard is a name and a condition under which the step is *not* taken; the first that holds is told. The
rules of business (who may, which hours, which caps) are not here: they are judged before a step is asked for
and come out as ``refuse``. What stands here holds for every order of every configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from meterlink.drivers.control import Verdict
from meterlink.model.order import BELIEVED_NO, TRANSMISSIONS_MAX, OrderKind, OrderState, Origin
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.money_proof import purse_of
from meterlink.orders.life.proof import REFUSED, WHY_NOT_AGAIN, may_send_again
from meterlink.orders.life.transmission import Transmission

if TYPE_CHECKING:
    from meterlink.orders.life.life import Life

POSTPONED_MAX: Final = 3
"""How often an order is put off before it is refused. Source: CTRL-14; business-rules 2.1."""
TOP_UP_POSTPONED_MAX: Final = 100
"""The same of money that waits for its meter: a day of tries each 15 minutes. Source: business-rules 2.3."""
LOOKS_MAX: Final = 500
"""Read-backs of one transmission, and of one that waits for its key, that decide nothing."""
APPROVALS_MAX: Final = 8
"""Persons who agree to one order."""
EVIDENCE_OCTETS_MAX: Final = 4_096
"""Longest evidence of a finding."""
FINDINGS: Final = ("done", "not_done")
"""What two persons can find of an order of which nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What somebody wants to do.

    Args:
        signal: which step.
        at: when, aware, UTC.
        actor: who.
        body: what belongs to it.

    """

    signal: Signal
    at: datetime
    actor: str
    body: Mapping[str, Any]


Guard = tuple[str, Callable[["Life", Step], bool]]
"""The name of what forbids, and whether it does."""


def _agreed_before(life: Life, step: Step) -> bool:
    return step.actor in life.approvals


def _many_agreed(life: Life, _step: Step) -> bool:
    return len(life.approvals) >= APPROVALS_MAX


def _past_deadline(life: Life, step: Step) -> bool:
    return step.at >= life.order.deadline_at


def _too_early(life: Life, step: Step) -> bool:
    return life.not_before is not None and step.at < life.not_before


def _is_not_for_arming(life: Life, _step: Step) -> bool:
    return life.order.origin is not Origin.PERSON


def _not_armed(life: Life, _step: Step) -> bool:
    return life.order.origin is Origin.PERSON and life.armed_until is None


def _arm_lapsed(life: Life, step: Step) -> bool:
    return life.order.origin is Origin.PERSON and life.armed_until is not None and step.at >= life.armed_until


def _armed_by_another(life: Life, step: Step) -> bool:
    return life.order.origin is Origin.PERSON and step.actor != life.armed_by


def _postponed_often(life: Life, _step: Step) -> bool:
    is_money = life.order.kind is OrderKind.TOP_UP
    return life.postponed >= (TOP_UP_POSTPONED_MAX if is_money else POSTPONED_MAX)


def _sent_often(life: Life, _step: Step) -> bool:
    return life.transmissions >= TRANSMISSIONS_MAX


def _is_left(life: Life, _step: Step) -> bool:
    return life.is_left


def _is_paid(life: Life, _step: Step) -> bool:
    return bool(life.payment)


def _rejected_for_good(life: Life, _step: Step) -> bool:
    return life.state is OrderState.REJECTED and not life.is_unauthenticated


def _reauthenticated(life: Life, _step: Step) -> bool:
    return life.state is OrderState.REJECTED and life.reauthenticated


def _has_ended(life: Life, _step: Step) -> bool:
    return not life.is_open


def _is_unclear(life: Life, _step: Step) -> bool:
    return life.is_unclear


def _unrepeatable(name: str) -> Guard:
    """One of the reasons of ``proof.may_send_again``."""

    def forbids(life: Life, step: Step) -> bool:
        if life.sent is None:
            return False
        proof = REFUSED if life.state is OrderState.REJECTED else life.proof
        again = Transmission.of(step.body["sent"])
        return may_send_again(life.order, life.sent, proof, again) == name

    return (name, forbids)


def _is_no_next_purchase(life: Life, step: Step) -> bool:
    """A top-up bears the count behind the one that was read just before; nothing else bears one."""
    sent = Transmission.of(step.body["sent"])
    if life.order.kind is not OrderKind.TOP_UP:
        return sent.purchase_count is not None
    return sent.purchase_count != purse_of(sent.before).purchase_count + 1


def _has_no_proof(_life: Life, step: Step) -> bool:
    return not step.body["proof"]


def _is_no_permit(life: Life, _step: Step) -> bool:
    return life.order.kind is not OrderKind.PERMIT_CLOSE


def _is_unread(life: Life, _step: Step) -> bool:
    """A no counts once the meter was looked at: meters have done what they refused."""
    return life.state is OrderState.SENDING and life.order.kind not in BELIEVED_NO


def _was_not_refused(life: Life, _step: Step) -> bool:
    answer = life.sent.answer if life.sent else None
    return life.state is OrderState.READBACK and (answer is None or answer.verdict is not Verdict.REJECTED)


def _has_no_relay(life: Life, _step: Step) -> bool:
    return life.order.kind is OrderKind.TOP_UP


def _is_wanted_by_payers(life: Life, _step: Step) -> bool:
    """A payment withdraws or undoes what was ordered for want of money, and nothing else."""
    return life.order.kind not in (OrderKind.TRIP, OrderKind.ALARM_ON)


def _looked_often(life: Life, _step: Step) -> bool:
    return life.looks >= LOOKS_MAX


def _is_found(life: Life, _step: Step) -> bool:
    return bool(life.confirmed_by)


def _is_not_found(life: Life, _step: Step) -> bool:
    return not life.finding


def _found_it_himself(life: Life, step: Step) -> bool:
    return step.actor == life.found_by


def _stands_another(life: Life, step: Step) -> bool:
    """A finding takes the place of one that stands only where its person has seen that one."""
    return str(step.body.get("instead", "")) != life.finding


def _confirms_another(life: Life, step: Step) -> bool:
    """Who confirms names the finding that he saw: another one may have been told since."""
    seen: tuple[str, int] = (step.body["finding"], step.body["found_step"])
    return seen != (life.finding, life.found_step)


def _is_no_finding(_life: Life, step: Step) -> bool:
    evidence = step.body["evidence"]
    if step.body["finding"] not in FINDINGS or not isinstance(evidence, str):
        raise ValueError("a finding is done or not_done, with evidence as text")
    return not 1 <= len(evidence.strip()) <= len(evidence.encode()) <= EVIDENCE_OCTETS_MAX


GUARDS: Final[Mapping[Signal, tuple[Guard, ...]]] = {
    Signal.APPROVE: (("approved_before", _agreed_before), ("approved_often", _many_agreed)),
    Signal.AUTHORISE: (("deadline", _past_deadline),),
    Signal.CANCEL: (("ended", _has_ended), ("unclear", _is_unclear)),
    Signal.ARM: (
        ("deadline", _past_deadline),
        ("not_for_arming", _is_not_for_arming),
        ("too_early", _too_early),
    ),
    Signal.OPERATE: (
        ("deadline", _past_deadline),
        ("too_early", _too_early),
        ("not_armed", _not_armed),
        ("arm_lapsed", _arm_lapsed),
        ("armed_by_another", _armed_by_another),
    ),
    Signal.TAKE: (("deadline", _past_deadline),),
    Signal.POSTPONE: (("postponed_often", _postponed_often),),
    Signal.INTEND: (
        ("deadline", _past_deadline),
        ("left", _is_left),
        ("paid", _is_paid),
        ("sent_often", _sent_often),
        ("purchase", _is_no_next_purchase),
        ("rejected", _rejected_for_good),
        ("reauthenticated", _reauthenticated),
        *map(_unrepeatable, WHY_NOT_AGAIN),
    ),
    Signal.REJECT: (
        ("unread", _is_unread),
        ("not_refused", _was_not_refused),
    ),
    Signal.PAYMENT: (("kind", _is_wanted_by_payers), ("paid", _is_paid)),
    Signal.LOOK: (("left", _is_left), ("looked_often", _looked_often)),
    Signal.WAIT_FOR_KEY: (("kind", _is_no_permit),),
    Signal.PROVE_NOT: (("unproved", _has_no_proof),),
    Signal.CONTRADICT: (("kind", _has_no_relay),),
    Signal.LEAVE: (("left", _is_left),),
    Signal.FIND: (
        ("found", _is_found),
        ("no_finding", _is_no_finding),
        ("other_finding", _stands_another),
    ),
    Signal.CONFIRM: (
        ("found", _is_found),
        ("not_found", _is_not_found),
        ("other_finding", _confirms_another),
        ("same_person", _found_it_himself),
    ),
}
"""By signal, what forbids it, in the order in which it is told; a signal that is not here has no guard."""
