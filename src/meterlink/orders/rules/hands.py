"""Whose hands the evidence came through: nobody orders alone what he alone has told. Source: AUD-02.

What a billing system's account brings comes through nobody's hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from meterlink.model.order import Origin
from meterlink.orders.evidence.records import Agreement
from meterlink.orders.evidence.told import Kept
from meterlink.orders.people import Actor
from meterlink.orders.rules import chain, closing
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.verdict import Finding, passes, stops

WITHDRAWN_SHOWN: Final = timedelta(days=30)
"""So long what was taken back counts, and stands before who approves: a notice lasts no longer."""
WITHDRAWN: Final = "withdrawn"
"""Where a verdict names it, among its inputs."""
NAMED_MAX: Final = 5
"""Of what was taken back, as many are named."""


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


def withdrawn_by_another(facts: Facts) -> Finding | None:
    """AUD-02: who took back what was told of the customer neither creates nor approves his disconnection."""
    lately = lately_withdrawn(facts)
    return _apart(lately, {_creator(facts), *facts.steps.approved_by}) if lately else None


def approver_took_nothing_back(facts: Facts) -> Finding | None:
    """AUD-02: who approves has neither taken back what was told, nor ended by hand what stood against it.

    Approvers read in the verdict that passed what was taken back of late.
    """
    name, lately = facts.actor.name, lately_withdrawn(facts)
    if name in facts.told.by_hand(facts.told.lifted()):
        return _told_alone({name})
    return _apart(lately, {name}) if lately else None


def lately_withdrawn(facts: Facts) -> list[Kept]:
    """What was taken back of late; an agreement counts however long ago, nothing has taken its place."""
    return [one for one in facts.told.withdrawn() if _counts_still(facts, one)]


def named(withdrawn: Sequence[Kept]) -> str:
    """Some of what was taken back, the newest, and by whom; empty: nothing."""
    told = [
        f"{one.record.kind} {one.record.full_id} ({one.withdrawn_by}, {_day(one)})"
        for one in withdrawn[-NAMED_MAX:]
    ]
    left = len(withdrawn) - len(told)
    return "; ".join([*told, *([f"+{left}"] if left else [])])


def _apart(withdrawn: Sequence[Kept], parties: set[str]) -> Finding:
    told = named(withdrawn)
    if alone := parties & {one.withdrawn_by for one in withdrawn}:
        return stops(
            "{names} took back evidence ({withdrawn}): another person must create and approve it",
            "{names}撤回了相关记录({withdrawn}),须由其他人员创建和审批",
            names=", ".join(sorted(alone)),
            withdrawn=told,
        )
    return passes("taken back: {withdrawn}", "已撤回的记录:{withdrawn}", withdrawn=told)


def _counts_still(facts: Facts, one: Kept) -> bool:
    if isinstance(one.record, Agreement) or one.withdrawn_at is None:
        return True
    return facts.waited(one.withdrawn_at, one.set_since) <= WITHDRAWN_SHOWN


def _day(one: Kept) -> str:
    return "-" if one.withdrawn_at is None else f"{one.withdrawn_at:%Y-%m-%d}"


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
