"""What evidence makes of a case: the step that comes next, or the rules that keep it back. No I/O, no clock.

What cancels is looked for first, in every state; then whether the case has lain too long; then whether the
next step has what it needs. The looks are those of the order's own rules, each asked of the step where it
first can say something. That an order follows is judged again by all of them (``OrderService``), so what a
look here lets go is only ever let go to the next question.

Source: business-rules 2.1; CTRL-01 to CTRL-12, CTRL-21, ARR-03 to ARR-05.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from meterlink.model.order import Order, OrderKind, Origin
from meterlink.model.payload import time_out
from meterlink.orders.cases.machine import Case, CaseSignal, CaseState
from meterlink.orders.evidence.records import BalanceStatement, Filing, FinalNotice, Payment
from meterlink.orders.evidence.told import Told
from meterlink.orders.rules import chain, customers, hands, live_meter, live_switch, persons, queueing
from meterlink.orders.rules.facts import Facts, Steps
from meterlink.orders.rules.judge import judge
from meterlink.orders.rules.verdict import Finding, Stage, Verdict

_DIGITS: Final = 24

Look = Callable[[Facts], Finding | None]

_OWED: Final[tuple[tuple[str, Look], ...]] = (
    ("CTRL-01", chain.arrears_computed),
    ("CTRL-11", live_meter.still_owed),
)
"""No step forward without a fresh statement that something is owed. Source: ARR-05."""
_WARNED: Final[tuple[tuple[str, Look], ...]] = (
    ("CTRL-02", chain.warned),
    ("CTRL-03", chain.warned_often_enough),
)
_DUE: Final[tuple[tuple[str, Look], ...]] = (
    ("CTRL-04", chain.notice_over),
    ("CTRL-05", chain.agreement_is_known),
    ("CTRL-05", chain.owed_long_enough),
    ("CTRL-07", chain.filed),
    ("AUD-02", hands.trip_told_by_another),
    ("AUD-02", hands.withdrawn_by_another),
)
LOOKS: Final[Mapping[CaseSignal, tuple[tuple[str, Look], ...]]] = MappingProxyType(
    {
        CaseSignal.OPEN: (
            *_OWED,
            ("CTRL-08", customers.not_protected),
            ("CTRL-12", live_meter.known_on_paper),
            ("CTRL-21", queueing.one_wanted),
            ("RELAY-01", live_switch.has_a_switch),
        ),
        CaseSignal.WARN: (*_OWED, *_WARNED),
        CaseSignal.NOTICE: (*_OWED, *_WARNED),
        CaseSignal.SUBMIT: (*_OWED, *_WARNED, *_DUE),
        CaseSignal.ANNOUNCE: _OWED,
        CaseSignal.ORDER: (
            *_OWED,
            ("CTRL-05", chain.agreement_is_known),
            ("CTRL-06", chain.told_on_the_day),
            ("AUD-02", hands.trip_told_by_another),
            ("AUD-02", hands.withdrawn_by_another),
        ),
    }
)
"""By step, what must hold; an approval asks every rule of its stage."""
PROPOSED: Final[tuple[tuple[str, Look], ...]] = (
    *LOOKS[CaseSignal.OPEN],
    *_WARNED,
    *_DUE,
    ("CTRL-10", persons.by_policy),
)
"""What must hold before a policy begins a case. Source: ARR-04."""
_NEXT: Final[Mapping[CaseState, CaseSignal]] = MappingProxyType(
    {
        CaseState.DRAFT: CaseSignal.WARN,
        CaseState.WARNED: CaseSignal.NOTICE,
        CaseState.NOTICED: CaseSignal.SUBMIT,
        CaseState.PENDING_APPROVAL: CaseSignal.APPROVE,
        CaseState.APPROVED: CaseSignal.ANNOUNCE,
        CaseState.FINAL_NOTICE: CaseSignal.ORDER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is to become of a case now.

    Args:
        signal: the step to be taken; ``None``: nothing now.
        body: what there is to say of it.
        verdicts: what was looked at for the next step forward.

    """

    signal: CaseSignal | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()


def advise(case: Case, facts: Facts) -> Advice:
    """What is to become of an open case.

    Args:
        case: open.
        facts: of the order that it would end with, at this moment; see ``order_of``.

    """
    if (ended := _cancelled(case, facts)) is not None:
        return ended
    if case.lapses_at is not None and facts.now >= case.lapses_at:
        return Advice(signal=CaseSignal.LAPSE)
    if (again := _noticed_again(case, facts)) is not None:
        return again
    signal = _NEXT[case.state]
    verdicts = looked(signal, case, facts)
    by_person = signal is CaseSignal.APPROVE and not case.policy
    if by_person or any(not one.passed for one in verdicts) or not _is_time(case, facts):
        return Advice(verdicts=verdicts)
    body = _BODIES[signal](case, facts) if signal in _BODIES else {}
    return Advice(signal=None if body is None else signal, body=body or {}, verdicts=verdicts)


def looked(signal: CaseSignal, case: Case, facts: Facts) -> tuple[Verdict, ...]:
    """What the rules say of a step."""
    if signal is CaseSignal.APPROVE:
        return judge(Stage.APPROVE, approval_facts(case, facts))
    return verdicts_of(LOOKS[signal], facts)


def verdicts_of(looks: Sequence[tuple[str, Look]], facts: Facts) -> tuple[Verdict, ...]:
    """What looks find; one that has nothing to say says nothing."""
    return tuple(
        Verdict(
            rule=rule,
            passed=finding.passed,
            inputs=finding.inputs,
            en=finding.en,
            zh=finding.zh,
            on_stop=finding.on_stop,
        )
        for rule, look in looks
        if (finding := look(facts)) is not None
    )


def approval_facts(case: Case, facts: Facts) -> Facts:
    """The facts as the rules of approving see them: the last notice of this case comes after the approval."""
    kept = tuple(one for one in facts.told.kept if not isinstance(one.record, FinalNotice))
    begun_by = "" if case.policy and facts.actor.is_daemon else case.opened_by
    return dataclasses.replace(facts, told=Told(kept=kept), steps=Steps(created_by=begun_by))


def order_of(case: Case, facts: Facts) -> Order:
    """The order that a case leads to, as far as is known now.

    Its deadline is the end of the window after the last notice, or the end of the approval, whatever is
    first; before there is a last notice, the end of a window that would begin now.
    """
    limits, final = facts.settings, chain.final_notice_of(facts)
    begins_at = final.at if final and case.state is CaseState.FINAL_NOTICE else facts.now
    ends_at = begins_at + timedelta(hours=limits.window_hours)
    if case.approved_at is not None:
        ends_at = min(ends_at, case.approved_at + timedelta(hours=limits.approval_hours))
    return dataclasses.replace(
        tentative(case.id, case.meter, case.reason, case.policy, ends_at),
        reference=case.policy or _filing(facts),
    )


def tentative(case_id: str, meter: str, reason: str, policy: str, until: datetime) -> Order:
    """The order that a case would end with, before anything is known of its evidence."""
    return Order(
        id=order_id_of(case_id),
        kind=OrderKind.TRIP,
        meter=meter,
        reason=reason,
        deadline_at=until.replace(microsecond=0),
        origin=Origin.POLICY if policy else Origin.PERSON,
        case=case_id,
        reference=policy,
    )


def order_id_of(case_id: str) -> str:
    """The id of the order of a case: the same for the same case, so that there is never a second one."""
    return f"case-{hashlib.sha256(case_id.encode()).hexdigest()[:_DIGITS]}"


def proposed_id_of(meter: str, statement: str) -> str:
    """The id of the case that a balance statement leads to: the same for the same statement."""
    digest = hashlib.sha256(f"{meter}\0{statement}".encode()).hexdigest()
    return f"arrears-{digest[:_DIGITS]}"


def arrears(facts: Facts) -> dict[str, Any]:
    """The account as it stands, for the log: how much, and by which statement and readings."""
    balance = facts.balance
    if balance is None:
        return {}
    return {
        "balance": balance.full_id,
        "balance_cents": balance.balance_cents,
        "readings": list(balance.readings),
        "readings_until": time_out(balance.readings_until) if balance.readings_until else "",
    }


def unreached(facts: Facts) -> bool:
    """Whether warnings were sent and none of them is known to have come there. Source: CTRL-02."""
    found = chain.warnings_of(facts)
    return bool(found) and all(facts.told.delivered_at(one) is None for one in found)


def _cancelled(case: Case, facts: Facts) -> Advice | None:
    """What ends a case whatever its state. Source: CTRL-21, CTRL-08, CTRL-12.

    What came later is asked of the log: a clock that is set back would hide it.
    """
    if facts.meter.customer_number != case.customer:
        return Advice(signal=CaseSignal.CANCEL, body={"told": "the meter has another customer now"})
    for one in facts.told.kept:
        if isinstance(one.record, Payment) and one.number > case.seen:
            return Advice(signal=CaseSignal.PAYMENT, body={"record": one.record.full_id})
    for one in facts.told.kept:
        is_clear = isinstance(one.record, BalanceStatement) and one.record.balance_cents >= 0
        if is_clear and one.number > case.seen:
            body = {"record": one.record.full_id, "told": "nothing is owed any more"}
            return Advice(signal=CaseSignal.PAYMENT, body=body)
    if disputes := facts.told.open_disputes():
        return Advice(signal=CaseSignal.DISPUTE, body={"told": ", ".join(disputes)[:200]})
    protected = customers.not_protected(facts)
    if not protected.passed:
        return Advice(signal=CaseSignal.PROTECT, body={"told": protected.en})
    return None


def _noticed_again(case: Case, facts: Facts) -> Advice | None:
    """A newer notice came there while the old one ran, or after it was too old: its period begins."""
    served = chain.served_at(facts)
    if case.state is not CaseState.NOTICED or served is None or case.noticed_at is None:
        return None
    if served <= case.noticed_at:
        return None
    verdicts = looked(CaseSignal.NOTICE, case, facts)
    body = _notice(case, facts)
    if body is None or any(not one.passed for one in verdicts):
        return None
    return Advice(signal=CaseSignal.NOTICE, body=body, verdicts=verdicts)


def _is_time(case: Case, facts: Facts) -> bool:
    """Whether the period or wait that the case has noted is over."""
    waits = case.state in (CaseState.NOTICED, CaseState.FINAL_NOTICE)
    return not waits or case.earliest_at is None or facts.now >= case.earliest_at


def _warn(_case: Case, facts: Facts) -> dict[str, Any] | None:
    warnings = chain.warnings_of(facts)
    receipts = [receipt.full_id for one in warnings if (receipt := facts.told.receipt(one))]
    return {"warnings": [one.full_id for one in warnings][:32], "receipts": receipts[:32], **arrears(facts)}


def _notice(_case: Case, facts: Facts) -> dict[str, Any] | None:
    notice, served = chain.notice_of(facts), chain.served_at(facts)
    if notice is None or served is None:
        return None
    return {
        "notice": notice.full_id,
        "delivered_at": time_out(served),
        "earliest_at": time_out(served + timedelta(days=chain.notice_days(facts))),
    }


def _submit(_case: Case, facts: Facts) -> dict[str, Any] | None:
    return {"filing": _filing(facts), **arrears(facts)}


def _approve(case: Case, _facts: Facts) -> dict[str, Any] | None:
    return {"policy": case.policy}


def _announce(case: Case, facts: Facts) -> dict[str, Any] | None:
    """A last notice that was sent since the approval, while that lasts."""
    final = chain.final_notice_of(facts)
    if final is None or not _is_approval_fresh(case, facts):
        return None
    if facts.told.no_later_than(final) < case.since:
        return None
    since = facts.told.counts_from(final)
    return {
        "notice": final.full_id,
        "sent_at": time_out(final.at),
        "earliest_at": time_out(since + timedelta(minutes=chain.final_notice_minutes(facts))),
    }


def _order(case: Case, facts: Facts) -> dict[str, Any] | None:
    """The last notice still stands, and the approval lasts."""
    final = chain.final_notice_of(facts)
    is_announced = final is not None and case.announced_at is not None and final.at >= case.announced_at
    if not is_announced or not _is_approval_fresh(case, facts):
        return None
    return {"order": order_id_of(case.id), **arrears(facts)}


def _is_approval_fresh(case: Case, facts: Facts) -> bool:
    lasts = timedelta(hours=facts.settings.approval_hours)
    return case.approved_at is not None and facts.ago(case.approved_at) < lasts


def _filing(facts: Facts) -> str:
    """Full id of the newest filing of the notice; empty: there is none. Source: CTRL-07."""
    notice = chain.notice_of(facts)
    found = [
        one.full_id
        for one in facts.told.all(Filing)
        if notice is not None and (one.sender, one.of) == (notice.sender, notice.id)
    ]
    return found[-1] if found else ""


_BODIES: Final[Mapping[CaseSignal, Callable[[Case, Facts], dict[str, Any] | None]]] = MappingProxyType(
    {
        CaseSignal.WARN: _warn,
        CaseSignal.NOTICE: _notice,
        CaseSignal.SUBMIT: _submit,
        CaseSignal.APPROVE: _approve,
        CaseSignal.ANNOUNCE: _announce,
        CaseSignal.ORDER: _order,
    }
)
"""By step forward, what is written of it; ``None``: what it is about has not happened."""
