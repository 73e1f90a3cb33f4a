"""The orders of probes: a person at the meter says of each that it may go. Source: decision 33."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from meterlink.model.order import CLOSES, Origin
from meterlink.orders.evidence.records import ProbeOrder
from meterlink.orders.rules import customers
from meterlink.orders.rules.facts import Facts, holds
from meterlink.orders.rules.verdict import Finding, passes, stops

CONFIRMED_FOR: Final = timedelta(minutes=10)
"""How long the word of the person at the meter holds for one order."""


def confirmed(facts: Facts) -> Finding | None:
    """PROBE-01: asked for at the meter just now; a customer's meter only by somebody else's probe order."""
    if facts.order.origin is not Origin.PROBE:
        return None
    probing = facts.probing
    if probing is None:
        return stops("nobody at the meter has asked for this probe", "现场人员未确认该验证步骤")
    inputs = {"by": probing.by, "at": probing.confirmed_at}
    if facts.ago(probing.confirmed_at) > CONFIRMED_FOR:
        return stops(
            "{by} said at {at} that it may go: more than 10 minutes ago",
            "{by}于{at}确认,已超过10分钟",
            **inputs,
        )
    if not facts.meter.is_lab and (why := _not_allowed(facts, probing.by)) is not None:
        return why
    return passes("{by} stands at the meter and asked for it at {at}", "{by}在现场,已于{at}确认", **inputs)


def _not_allowed(facts: Facts, by: str) -> Finding | None:
    """Why a customer's meter may not be tried out now; ``None``: it may.

    What lets current flow again is asked for no more than that the probes were ordered: whoever is in the
    dark because of them would stay there when the order is over, or at night.
    """
    if (why := _not_ordered(facts, by)) is not None or facts.order.kind in CLOSES:
        return why
    order = facts.told.find(facts.order.reference, ProbeOrder)
    if order is None or not holds(order.until, facts.now):
        return stops(
            "the order {reference} to try this customer's meter out is over, or was taken back",
            "验证工单{reference}已过期或已撤回",
            reference=facts.order.reference,
        )
    for look in (customers.not_protected, customers.not_now):
        if not (found := look(facts)).passed:
            return found
    return None


def _not_ordered(facts: Facts, by: str) -> Finding | None:
    """Whether another person has told that the premises may be switched; a reconnection's order does not."""
    reference = facts.order.reference
    kept = facts.told.kept_as(reference)
    if kept is None or not isinstance(kept.record, ProbeOrder):
        return stops(
            "a customer is behind this meter, and no probe_order says that the premises may be switched "
            "({reference})",
            "该表有用户,且没有允许停送电验证的工单(probe_order,{reference})",
            reference=reference or "-",
        )
    if kept.actor == by:
        return stops(
            "{by} told of the work order {reference} and carries it out: another person has to tell of it",
            "工单{reference}由{by}本人录入,须由他人录入",
            by=by,
            reference=reference,
        )
    return None
