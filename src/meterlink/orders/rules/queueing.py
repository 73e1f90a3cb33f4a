"""One thing at a time at one meter, and not too much at once.

Source: CTRL-10, CTRL-21, CTRL-24, TOP-05; decision 24.
"""

from __future__ import annotations

from typing import Final

from meterlink.model.order import CLOSES, OrderKind, OrderState
from meterlink.orders.limits.trips import CUTS, Quarantine
from meterlink.orders.rules.facts import Facts, OtherOrder
from meterlink.orders.rules.verdict import Finding, OnStop, passes, stops, stops_with

IN_FLIGHT: Final = frozenset(
    {OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED, OrderState.READBACK}
)
"""Where octets may be on their way, or what they did is being found out."""
_RESTING: Final = frozenset({OrderState.CREATED, OrderState.AUTHORISED})
"""Where nothing happens before an order has been queued."""
_QUIET: Final = frozenset({OrderKind.ALARM_ON, OrderKind.ALARM_OFF, OrderKind.TOP_UP})
"""What moves no contact: it waits for what is in flight, and what is in flight waits for it.

A closing alone does not wait for such an order that is only read back: that may take a day, in the dark.
Money does not wait for a closing that is only read back: that may take as long as the money has.
"""


def is_money_past_closing(kind: OrderKind, other: OrderKind) -> bool:
    """Whether money and a closing meet: neither is proved by what proves the other."""
    return kind is OrderKind.TOP_UP and other in CLOSES


def one_wanted(facts: Facts) -> Finding:
    """CTRL-21, when it is created: nothing else is open that it does not undo or overtake.

    A closing undoes a trip; a direct close overtakes a permit that waits for its key.
    """
    if facts.order.kind not in _QUIET:
        for one in facts.others:
            if one.is_open and one.kind not in _QUIET and not _gives_way(facts, one):
                return _busy(one, OnStop.REFUSE)
    return passes("no other order is open for this meter", "该表没有其他未结工单")


def one_sent(facts: Facts) -> Finding:
    """CTRL-21, when its turn has come: nothing else is in flight, nor could be sent after it."""
    for one in facts.others:
        if not one.is_open:
            continue
        if one.state in IN_FLIGHT and not _is_only_looked_at(facts, one):
            return _busy(one, OnStop.POSTPONE)
        if facts.order.kind in _QUIET or one.kind in _QUIET or _is_overtaken(facts, one):
            continue
        if not _is_undone(facts, one):
            return _busy(one, OnStop.REFUSE)
        if one.state is not OrderState.UNKNOWN:  # it may still be sent; whoever pays withdraws it first
            return _busy(one, OnStop.POSTPONE)
    return passes("no other order of this meter is in flight", "该表没有其他执行中的工单")


def one_top_up(facts: Facts) -> Finding:
    """TOP-05: no other top-up is open, or ended in a way that nobody knows."""
    for one in facts.others:
        if one.is_open and one.kind is OrderKind.TOP_UP:
            return _busy(one, OnStop.REFUSE)
    return passes("no other top-up is open for this meter", "该表没有其他未结充值")


def one_top_up_at_work(facts: Facts) -> Finding:
    """TOP-05, when its turn has come: none is on its way; one that waits is judged at its own turn."""
    for one in facts.others:
        if one.is_open and one.kind is OrderKind.TOP_UP and one.state not in _RESTING:
            return _busy(one, OnStop.REFUSE)
    return passes("no other top-up of this meter is on its way", "该表没有执行中的其他充值")


def caps_kept(facts: Facts) -> Finding:
    """Decision 24: caps by meter, line and area; what is beyond is held until another post releases it."""
    limited = facts.limited
    if limited.quarantine is Quarantine.RELEASED:
        return passes("released by {name}", "已由{name}放行", name=limited.released_by)
    if limited.quarantine is Quarantine.HELD:
        return stops_with(
            OnStop.HOLD,
            "it is held until somebody releases it",
            "已隔离,等待放行",
        )
    if limited.is_blind:
        return stops_with(
            OnStop.HOLD, "the trips of the last 24 hours could not be counted", "无法统计最近24小时的停电数量"
        )
    if limited.over:
        over = limited.over[0]
        return stops_with(
            OnStop.REFUSE if limited.is_quarantine_full else OnStop.HOLD,
            "{count} trips already, {limit} are allowed ({cap})",
            "已有{count}次停电,上限{limit}次({cap})",
            cap=", ".join(one.cap for one in limited.over),
            count=over.count,
            limit=over.limit,
        )
    return passes("within every cap", "未超过任何上限")


def not_stopped(facts: Facts) -> Finding:
    """CTRL-10: the kill switch is not thrown."""
    if name := facts.limited.stopped_by:
        return stops("{name} has stopped all trips", "{name}已停止全部停电操作", name=name)
    return passes("trips are not stopped", "停电操作未被停止")


def log_is_newest(facts: Facts) -> Finding:
    """Decision 22: by a log that has forgotten what was sent, all of it would be sent again."""
    if facts.log_doubt:
        return stops_with(
            OnStop.WAIT,
            "{doubt}: no order goes before two people have looked (`meterlink control trust`)",
            "日志可能是旧的副本({doubt}):两人核实之前不执行任何工单(`meterlink control trust`)",
            doubt=facts.log_doubt,
        )
    return passes("the log is the newest", "日志为最新")


def posts_are_known(facts: Facts) -> Finding:
    """CTRL-10, AUD-01: nobody is cut off while nobody can be asked whether he still has the role for it."""
    if facts.people_fault:
        return stops_with(
            OnStop.WAIT,
            "nobody is cut off while it cannot be said who has which role: {fault}",
            "无法确认人员岗位期间不停电:{fault_zh}",
            fault=facts.people_fault,
            fault_zh=facts.people_fault_zh,
        )
    return passes("it is known who has which role", "人员岗位可确认")


def posts_were_known(facts: Facts) -> Finding:
    """AUD-01: nothing goes while it could not be said since the start who has which role."""
    if facts.people_fault and not facts.people_were_known:
        return stops_with(
            OnStop.WAIT,
            "nothing goes before it can be said who has which role: {fault}",
            "启动以来无法确认人员岗位,更正之前不执行任何工单:{fault_zh}",
            fault=facts.people_fault,
            fault_zh=facts.people_fault_zh,
        )
    return passes("it could be said who has which role", "人员岗位曾可确认")


def batch_runs(facts: Facts) -> Finding:
    """CTRL-24: too many of its batch failed; a person looks first."""
    limited = facts.limited
    inputs = {"batch": limited.batch, "failures": limited.batch_failures, "size": limited.batch_size}
    if limited.is_braked:
        return stops_with(
            OnStop.HOLD,
            "{failures} of {size} in {batch} failed: a person looks first",
            "批次{batch}共{size}户,失败{failures}户:须人工确认",
            **inputs,
        )
    return passes("{failures} of {size} in its batch failed", "批次共{size}户,失败{failures}户", **inputs)


def _is_only_looked_at(facts: Facts, other: OtherOrder) -> bool:
    """Whether a closing, or money behind one, need not wait for it: nothing of it is in the line."""
    is_closing_past_quiet = facts.order.kind in CLOSES and other.kind in _QUIET
    if not is_closing_past_quiet and not is_money_past_closing(facts.order.kind, other.kind):
        return False
    if other.state is not OrderState.READBACK:
        return False
    return other.arrives_until is not None and facts.now >= other.arrives_until


def _gives_way(facts: Facts, other: OtherOrder) -> bool:
    return _is_undone(facts, other) or _is_overtaken(facts, other)


def _is_overtaken(facts: Facts, other: OtherOrder) -> bool:
    """Whether a direct close brings what a permit waits for: a key that is broken keeps nobody in the dark.

    The permit is not sent again; whichever closes, both see it.
    """
    waits = other.kind is OrderKind.PERMIT_CLOSE and other.state is OrderState.WAITING_FOR_KEY
    return waits and facts.order.kind is OrderKind.DIRECT_CLOSE


def _is_undone(facts: Facts, other: OtherOrder) -> bool:
    """Whether this order is there to undo the other."""
    return facts.order.kind in CLOSES and other.kind in CUTS


def _busy(other: OtherOrder, on_stop: OnStop) -> Finding:
    return stops_with(
        on_stop,
        "order {other} ({kind}) of this meter is {state}",
        "该表的工单{other}({kind})处于{state}状态",
        other=other.id,
        kind=other.kind.value,
        state=other.state.value,
    )
