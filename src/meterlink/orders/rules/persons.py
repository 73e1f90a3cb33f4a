"""Who may do it, and that nobody does it alone. Source: CTRL-10, CTRL-22, AUD-01, AUD-02; decision 27."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from meterlink.model.order import OrderKind, Origin
from meterlink.orders.evidence.records import Policy
from meterlink.orders.people import FIELD_KINDS, Deed, Role
from meterlink.orders.rules.facts import Facts, holds
from meterlink.orders.rules.verdict import Finding, OnStop, passes, stops, stops_with

_AGREED: Final = frozenset({OrderKind.TRIP, OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF})
"""What may cut somebody off, or close a contact that nobody asked to close."""


def needs_approval(kind: OrderKind, origin: Origin) -> bool:
    """Whether a second person must agree before such an order is queued. Source: CTRL-10, CTRL-22."""
    return kind in _AGREED and origin is Origin.PERSON


def may_create(facts: Facts) -> Finding:
    """AUD-01: clerks create orders; the daemon creates those of policies and payments."""
    actor, origin = facts.actor, facts.order.origin
    if actor.is_daemon == (origin is Origin.PERSON):
        return stops(
            "an order of origin {origin} is not created by {actor}",
            "来源为{origin}的工单不能由{actor}创建",
            origin=origin.value,
            actor=actor.name,
        )
    return _may(facts, Deed.CREATE)


def may_approve(facts: Facts) -> Finding:
    """AUD-01: approvers approve."""
    return _may(facts, Deed.APPROVE)


def may_operate(facts: Facts) -> Finding:
    """AUD-01: dispatchers operate; field staff only the reconnection that was given to them, once."""
    if facts.actor.is_daemon:
        return _by_itself(facts)
    if facts.actor.may(Deed.OPERATE) or facts.order.kind not in FIELD_KINDS:
        return _may(facts, Deed.OPERATE)
    if Role.FIELD not in facts.actor.roles:
        return _may(facts, Deed.OPERATE)
    return _by_grant(facts)


def _by_itself(facts: Facts) -> Finding:
    if facts.order.origin is Origin.PERSON:
        return stops("a person's order is operated by a person", "人工工单须由人员执行")
    return passes("operated for a {origin}", "由{origin}触发执行", origin=facts.order.origin.value)


def _by_grant(facts: Facts) -> Finding:
    grant, hours = facts.steps.field_grant, facts.settings.field_hours
    name = facts.actor.name
    if grant is None or grant.person != name:
        return stops("{actor} was not given this reconnection", "该复电工单未派给{actor}", actor=name)
    inputs = {"actor": name, "granted": grant.granted_at, "hours": hours}
    if grant.is_used:
        return stops("{actor} has used the authorisation already", "{actor}的一次性授权已使用", **inputs)
    if facts.ago(grant.granted_at) >= timedelta(hours=hours):
        return stops(
            "the authorisation of {granted} lasted {hours} hours",
            "{granted}的授权{hours}小时有效期已过",
            **inputs,
        )
    return passes("{actor} was given this reconnection", "该复电工单已派给{actor}", **inputs)


def grant_still_holds(facts: Facts) -> Finding | None:
    """AUD-01, CTRL-17: what field staff operated goes, and goes again, only while they may still do it.

    Whoever gives the authorisation to another person has taken it from the first.
    """
    name, grant = facts.steps.field_person, facts.steps.field_grant
    if not name:
        return None
    if facts.people_fault:
        return stops_with(
            OnStop.WAIT,
            "it cannot be said whether {actor} still is of the field staff: {fault}",
            "无法确认{actor}是否仍为现场人员:{fault_zh}",
            actor=name,
            fault=facts.people_fault,
            fault_zh=facts.people_fault_zh,
        )
    if not facts.steps.is_field_still or grant is None or grant.person != name:
        return stops_with(
            OnStop.FIELD,
            "{actor}, who operated it, may close here no more",
            "执行人{actor}已不再具有该复电工单的权限",
            actor=name,
        )
    inputs = {"actor": name, "granted": grant.granted_at, "hours": facts.settings.field_hours}
    if facts.ago(grant.granted_at) >= timedelta(hours=facts.settings.field_hours):
        return stops_with(
            OnStop.FIELD,
            "{actor} operated it by the authorisation of {granted}, which lasted {hours} hours",
            "{actor}执行所依据的{granted}授权{hours}小时有效期已过",
            **inputs,
        )
    return passes("{actor}'s authorisation of {granted} holds", "{actor}于{granted}获得的授权有效", **inputs)


def _may(facts: Facts, deed: Deed) -> Finding:
    actor = facts.actor
    if actor.is_daemon:
        return passes("the daemon does it by itself", "由系统自动执行")
    inputs = {
        "actor": actor.name,
        "roles": ", ".join(sorted(actor.roles)),
        "deed": deed.value,
        "kind": facts.order.kind.value,
    }
    if not actor.may(deed):
        return stops(
            "{actor} ({roles}) may not {deed} a {kind}", "{actor}({roles})无权对{kind}执行{deed}", **inputs
        )
    return passes("{actor} may {deed} a {kind}", "{actor}有权对{kind}执行{deed}", **inputs)


def not_alone(facts: Facts) -> Finding | None:
    """AUD-02: in one order the approver is neither its creator nor its executor."""
    steps = facts.steps
    others = {steps.created_by: "created", steps.armed_by: "operated"}
    for name in steps.approved_by:
        if name in others:
            return stops(
                "{actor} has {did} this order and approved it as well",
                "{actor}既审批又参与了该工单({did})",
                actor=name,
                did=others[name],
            )
    return (
        passes("nobody did alone what two must do", "审批与创建、执行人员不同") if steps.approved_by else None
    )


def approver_is_another(facts: Facts) -> Finding:
    """AUD-02: nobody approves an own order, or one of an own account."""
    actor = facts.actor
    if actor.name in (facts.steps.created_by, facts.steps.armed_by):
        return stops(
            "{actor} created this order: another person approves it",
            "{actor}创建了该工单,须由他人审批",
            actor=actor.name,
        )
    if facts.meter.customer_number in actor.accounts:
        return stops(
            "{customer} is an account of {actor}'s own",
            "{customer}为{actor}本人账户,须由他人审批",
            actor=actor.name,
            customer=facts.meter.customer_number,
        )
    return passes("{actor} is another person than its creator", "{actor}不是工单创建人", actor=actor.name)


def operator_is_another(facts: Facts) -> Finding:
    """AUD-02: who approved it does not operate it."""
    if facts.actor.name in facts.steps.approved_by:
        return stops(
            "{actor} approved this order: another person operates it",
            "{actor}审批了该工单,须由他人执行",
            actor=facts.actor.name,
        )
    return passes("{actor} did not approve this order", "{actor}不是审批人", actor=facts.actor.name)


def operator_has_not_released(facts: Facts) -> Finding | None:
    """AUD-02: who let it go beyond a cap does not operate it."""
    name = facts.limited.released_by
    if not name:
        return None
    if facts.actor.name == name:
        return stops(
            "{actor} released this order: another person operates it",
            "{actor}放行了该工单,须由他人执行",
            actor=name,
        )
    return passes("{actor} did not release this order", "{actor}不是放行人", actor=facts.actor.name)


def approved(facts: Facts) -> Finding | None:
    """CTRL-10, CTRL-22: a person's order was approved, and not too long ago."""
    if not needs_approval(facts.order.kind, facts.order.origin):
        return None
    steps, hours = facts.steps, facts.settings.approval_hours
    if not steps.approved_by or steps.approved_at is None:
        return stops("nobody has approved it", "尚未审批")
    inputs = {"names": ", ".join(steps.approved_by), "at": steps.approved_at, "hours": hours}
    if facts.aged(steps.approved_at, steps.approval_set) >= timedelta(hours=hours):
        return stops(
            "the approval of {at} by {names} lasted {hours} hours",
            "{names}于{at}的审批已过{hours}小时",
            **inputs,
        )
    found = passes("approved by {names} at {at}", "{names}已于{at}审批", **inputs)
    left = timedelta(hours=hours) - facts.aged(steps.approved_at, steps.approval_set)
    return replace(found, until=facts.now + left)


def by_policy(facts: Facts) -> Finding | None:
    """CTRL-10: without a person only by a signed agreement and a policy that two persons meant."""
    origin = facts.order.origin
    if origin is Origin.PERSON:
        return None
    if origin is Origin.PAYMENT:
        return stops("nobody is cut off because of a payment", "缴费不会触发停电")
    if facts.agreement is None or not facts.agreement.automatic_trips:
        return stops("no agreement allows a trip that no person approved", "用户未签署自动停电协议")
    reference = facts.order.reference
    policy, kept = facts.told.find(reference, Policy), facts.told.kept_as(reference)
    if policy is None or kept is None or not kept.confirmed_by:
        return stops(
            "no policy {policy} that two persons meant",
            "停电策略{policy}不存在或未经双人确认",
            policy=reference,
        )
    inputs = {"policy": reference, "area": facts.meter.area, "until": policy.until}
    if facts.meter.area not in policy.areas or policy.at > facts.now or not holds(policy.until, facts.now):
        return stops(
            "the policy {policy} is not for area {area} now", "策略{policy}不适用于台区{area}", **inputs
        )
    return passes("approved by the policy {policy}", "依据策略{policy}", **inputs)


def policy_cap(facts: Facts) -> Finding | None:
    """CTRL-10: so many trips of an area in 24 hours that no person approved."""
    if facts.order.origin is not Origin.POLICY:
        return None
    policy = facts.told.find(facts.order.reference, Policy)
    caps = [facts.settings.policy_trips_per_area_day, *([policy.trips_per_area_day] if policy else [])]
    inputs = {"area": facts.meter.area, "count": facts.limited.policy_trips, "cap": min(caps)}
    if facts.limited.policy_trips >= min(caps):
        return stops(
            "{count} trips of area {area} by policy in 24 hours: {cap} are allowed",
            "台区{area}24小时内自动停电{count}户,上限{cap}户",
            **inputs,
        )
    return passes(
        "{count} trips of area {area} by policy in 24 hours", "台区{area}24小时内自动停电{count}户", **inputs
    )
