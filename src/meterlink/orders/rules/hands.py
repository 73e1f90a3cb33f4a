"""Whose hands the evidence came through: nobody orders alone what he alone has told. Source: AUD-02.

What a billing system's account brings comes through nobody's hands.
"""

from __future__ import annotations

from meterlink.model.order import Origin
from meterlink.orders.people import Actor
from meterlink.orders.rules import chain, closing
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.verdict import Finding, passes, stops


def trip_told_by_another(facts: Facts) -> Finding | None:
    """AUD-02: who brought some of the evidence of a trip by hand does not create it.

    A trip of a policy has no clerk but those who brought its evidence: one of them alone is too few.
    """
    by_hand = facts.told.by_hand(chain.evidence_of(facts))
    if not by_hand:
        return None
    alone = by_hand & {_creator(facts)}
    if facts.order.origin is Origin.POLICY and len(by_hand) == 1:
        alone = by_hand
    return _told_alone(alone) if alone else _told_by(by_hand)


def close_told_by_another(facts: Facts) -> Finding | None:
    """AUD-02: nobody closes alone for what he alone has told.

    Who brought the customer's consent does not create the closing that rests on it. Who brought the reason
    and created the closing does not operate it. Where a payment creates it, consent and payment do not come
    through the same hands.
    """
    rests_on = closing.consents_of(facts)
    reasons = closing.reasons_of(facts)
    by_hand = facts.told.by_hand(rests_on)
    alone = by_hand & {_creator(facts)}
    if by_hand and closing.is_told_by_one(facts):
        alone = by_hand
    if facts.told.is_by_hand(reasons) and _acts_alone(facts, facts.actor):
        alone |= facts.told.by_hand(reasons) & {facts.actor.name}
    if alone:
        return _told_alone(alone)
    return _told_by(by_hand) if by_hand else None


def _creator(facts: Facts) -> str:
    return facts.steps.created_by or facts.actor.name


def _acts_alone(facts: Facts, actor: Actor) -> bool:
    """Whether the person who operates an order has created it, too."""
    return not actor.is_daemon and actor.name == facts.steps.created_by


def _told_alone(names: set[str]) -> Finding:
    return stops(
        "{names} brought the evidence that it rests on: another person must have a hand in it",
        "工单所依据的记录由{names}录入,须有另一名人员参与",
        names=", ".join(sorted(names)),
    )


def _told_by(names: set[str]) -> Finding:
    return passes(
        "its evidence was brought by {names}", "所依据的记录由{names}录入", names=", ".join(sorted(names))
    )
