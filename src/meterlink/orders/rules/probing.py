"""The orders of probes: a person at the meter says of each that it may go. Source: decision 33."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from meterlink.model.order import Origin
from meterlink.orders.evidence.records import WorkOrder
from meterlink.orders.rules.facts import Facts, holds
from meterlink.orders.rules.verdict import Finding, passes, stops

CONFIRMED_FOR: Final = timedelta(minutes=10)
"""How long the word of the person at the meter holds for one order."""


def confirmed(facts: Facts) -> Finding | None:
    """PROBE-01: asked for at the meter just now; a customer's meter only by somebody else's work order."""
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
    """Why a customer's meter may not be tried out; ``None``: it may."""
    reference = facts.order.reference
    work, kept = facts.told.find(reference, WorkOrder), facts.told.kept_as(reference)
    if work is None or kept is None or not holds(work.until, facts.now):
        return stops(
            "a customer is behind this meter, and no work order allows it ({reference})",
            "该表有用户,且没有有效的工单({reference})",
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
