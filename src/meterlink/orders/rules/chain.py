"""The chain of evidence before somebody is cut off: owed, warned, told, and told again on the day.

Source: business rules, CTRL-01 to CTRL-07 and ARR-05.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from meterlink.orders.evidence.records import Filing, FinalNotice, Notice, Record, Warning_
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.verdict import Finding, passes, stops

WARNING_AGE_MAX: Final = timedelta(days=30)
"""From a warning to the notice; an older one counts as absent. Source: business rules, 2.1."""


def notice_of(facts: Facts) -> Notice | None:
    """The newest notice that came there, for a debt that was not settled since."""
    found = [
        notice
        for notice in facts.told.all(Notice)
        if notice.at <= facts.now
        and facts.told.delivered_at(notice) is not None
        and not facts.told.cleared_since(notice)
    ]
    return found[-1] if found else None


def served_at(facts: Facts) -> datetime | None:
    """From when on that notice counts as served: it came there, and we were told so."""
    notice = notice_of(facts)
    receipt = facts.told.receipt(notice) if notice else None
    return facts.told.counts_from(notice, receipt) if notice and receipt else None


def warnings_of(facts: Facts) -> list[Warning_]:
    """Warnings before the notice (or until now), not older than a month, for a debt not settled since."""
    notice = notice_of(facts)
    until = notice.at if notice else facts.now
    return [
        warning
        for warning in facts.told.all(Warning_)
        if warning.at <= until
        and until - warning.at <= WARNING_AGE_MAX
        and not facts.told.paid_clear_since(warning)
    ]


def arrears_computed(facts: Facts) -> Finding:
    """CTRL-01: a statement says how the account stands, and not by old readings."""
    balance = facts.balance
    hours = facts.settings.evidence_age_max_hours
    if balance is None:
        return stops(
            "no balance statement of the last {hours} hours", "最近{hours}小时内没有余额记录", hours=hours
        )
    read = balance.readings_until
    if facts.agreement and (read is None or balance.at - read > timedelta(hours=hours)):
        return stops(
            "the balance of {at} was made of readings until {read}: older than {hours} hours",
            "{at}的余额依据的抄表时间为{read},已超过{hours}小时",
            at=balance.at,
            read=read,
            hours=hours,
        )
    return passes(
        "the account stood at {cents} cents on {at}",
        "{at}账户余额为{cents}分",
        cents=balance.balance_cents,
        at=balance.at,
    )


def in_order(facts: Facts) -> Finding | None:
    """CTRL-01: what came after the notice really came after it."""
    served = served_at(facts)
    if served is None:
        return None
    later = {"approval": facts.steps.approved_at, "final notice": _final_at(facts)}
    if early := [name for name, at in later.items() if at is not None and at < served]:
        return stops(
            "the {what} came before the notice was served ({served})",
            "{what}早于催费通知送达时间({served})",
            what=early[0],
            served=served,
        )
    return passes("notice, approval and last notice came in this order", "通知、审批、最后通知次序正确")


def warned(facts: Facts) -> Finding:
    """CTRL-02: a warning came there before the notice."""
    warnings, notice, told = warnings_of(facts), notice_of(facts), facts.told
    until = told.counts_from(notice) if notice else facts.now
    came = [
        receipt.at
        for one in warnings
        if (receipt := told.receipt(one)) is not None
        and receipt.outcome == "delivered"
        and told.counts_from(one, receipt) <= until
    ]
    if not came:
        return stops(
            "{count} warnings, none of them delivered: find out how to reach the customer",
            "已发出{count}次预警,均未送达:请核实客户联系方式",
            count=len(warnings),
        )
    return passes("a warning was delivered on {at}", "预警已于{at}送达", at=came[-1])


def warned_often_enough(facts: Facts) -> Finding:
    """CTRL-03: attempts on different days."""
    agreed = facts.agreement.warnings if facts.agreement else None
    wanted = agreed or facts.settings.warning_attempts
    notice = notice_of(facts)
    until = facts.told.counts_from(notice) if notice else facts.now
    warnings = [one for one in warnings_of(facts) if facts.told.counts_from(one) <= until]
    written = {facts.calendar.day(facts.told.counts_from(one)) for one in warnings}
    shown = {facts.calendar.day(facts.told.shown_from(one)) for one in warnings}
    days = min(written, shown, key=len)
    inputs = {"days": len(days), "wanted": wanted}
    if len(days) < wanted:
        return stops("warned on {days} days; {wanted} are needed", "预警{days}天,需要{wanted}天", **inputs)
    return passes("warned on {days} days", "已在{days}个不同日期预警", **inputs)


def notice_over(facts: Facts) -> Finding:
    """CTRL-04: the notice was served long enough ago, and not too long."""
    notice, served = notice_of(facts), served_at(facts)
    if notice is None or served is None:
        return stops("no notice was served", "催费通知未送达")
    days = notice_days(facts)
    most = facts.settings.notice_age_max_days
    inputs = {"served": served, "days": days, "most": most}
    receipt = facts.told.receipt(notice)
    assert receipt is not None, "it came there"
    if facts.ago(facts.told.runs_from(notice, receipt)) < timedelta(days=days):
        return stops(
            "the notice was served on {served}: {days} days are not over",
            "通知于{served}送达,未满{days}天",
            **inputs,
        )
    if facts.aged(receipt.at, facts.told.set_since(receipt)) > timedelta(days=most):
        return stops(
            "the notice was served on {served}, more than {most} days ago: serve it again",
            "通知于{served}送达,已超过{most}天,须重新送达",
            **{**inputs, "served": receipt.at},
        )
    return passes("the notice was served on {served}", "通知已于{served}送达", **inputs)


def notice_days(facts: Facts) -> int:
    """How long the notice is: as agreed, or by the kind of customer."""
    if facts.agreement and facts.agreement.notice_days:
        return facts.agreement.notice_days
    limits = facts.settings
    return limits.notice_days_residential if facts.meter.is_residential else limits.notice_days_other


def owed_long_enough(facts: Facts) -> Finding | None:
    """CTRL-05: billed afterwards, the debt is old; prepaid, it is beyond what was agreed."""
    balance = facts.balance
    if balance is None:
        return None  # CTRL-01 stops it
    if agreement := facts.agreement:
        inputs = {"cents": balance.balance_cents, "overdraft": agreement.overdraft_cents}
        if balance.balance_cents >= -agreement.overdraft_cents:
            return stops(
                "{cents} cents: not beyond the agreed overdraft of {overdraft}",
                "余额{cents}分,未超过约定透支{overdraft}分",
                **inputs,
            )
        return passes("{cents} cents: beyond the agreed overdraft", "余额{cents}分,已超过约定透支", **inputs)
    since, days = balance.overdue_since, facts.settings.arrears_days
    if since is None or facts.waited(since, facts.told.set_since(balance)) <= timedelta(days=days):
        return stops(
            "overdue since {since}: not more than {days} days",
            "自{since}起欠费,未超过{days}天",
            since=since,
            days=days,
        )
    return passes("overdue since {since}", "自{since}起欠费", since=since)


def agreement_is_known(facts: Facts) -> Finding | None:
    """CTRL-05: what the roster says was signed has been told; what is not known may be what protects him."""
    name = facts.meter.agreement
    if not name:
        return None
    if not facts.told.knows(name):
        return stops(
            "the roster names the agreement {agreement}, and nobody has told what it says",
            "档案引用了协议{agreement},但尚无该协议的记录",
            agreement=name,
        )
    return passes("the agreement {agreement} was told", "协议{agreement}已有记录", agreement=name)


def told_on_the_day(facts: Facts) -> Finding:
    """CTRL-06: the last notice was sent long enough ago, and its window is open."""
    notice = final_notice_of(facts)
    if notice is None:
        return stops("no last notice was sent", "未发出停电前最后通知")
    at, since = notice.at, facts.told.runs_from(notice)
    limits = facts.settings
    minutes = final_notice_minutes(facts)
    inputs = {"at": at, "since": since, "minutes": minutes, "hours": limits.window_hours}
    if facts.ago(since) < timedelta(minutes=minutes):
        return stops(
            "the last notice was sent at {at} and counts from {since}: {minutes} minutes are not over",
            "最后通知于{at}发出,自{since}起算,未满{minutes}分钟",
            **inputs,
        )
    if facts.aged(at, facts.told.set_since(notice)) > timedelta(hours=limits.window_hours):
        return stops(
            "the last notice was sent at {at}: its window of {hours} hours is over",
            "最后通知于{at}发出,{hours}小时时限已过",
            **inputs,
        )
    found = passes("the last notice was sent at {at}", "最后通知已于{at}发出", **inputs)
    left = timedelta(hours=limits.window_hours) - facts.aged(at, facts.told.set_since(notice))
    return replace(found, until=facts.now + left)


def filed(facts: Facts) -> Finding | None:
    """CTRL-07: the notice of an important customer was filed, and the order says under which number."""
    if not facts.meter.is_important:
        return None
    filing = facts.told.find(facts.order.reference, Filing)
    notice = notice_of(facts)
    if filing is None or notice is None or (filing.sender, filing.of) != (notice.sender, notice.id):
        return stops(
            "an important customer: the order names no filing of this notice (it names {reference})",
            "重要用户:工单未引用该通知的报备记录(引用:{reference})",
            reference=facts.order.reference,
        )
    return passes("filed as {number}", "已报备:{number}", number=filing.number)


def final_notice_of(facts: Facts) -> FinalNotice | None:
    """The newest last notice that was sent and is not known to have failed."""
    found = [
        notice
        for notice in facts.told.all(FinalNotice)
        if notice.at <= facts.now
        and not ((receipt := facts.told.receipt(notice)) and receipt.outcome == "failed")
    ]
    return found[-1] if found else None


def final_notice_minutes(facts: Facts) -> int:
    """How long after the last notice nothing may happen."""
    limits = facts.settings
    return limits.final_notice_minutes if facts.meter.is_residential else limits.final_notice_minutes_other


def evidence_of(facts: Facts) -> list[Record]:
    """All that a trip rests on: the chain, what was agreed, and the end of what stood against it."""
    told = facts.told
    notices = [*warnings_of(facts), notice_of(facts), final_notice_of(facts)]
    sent = [one for one in notices if one is not None]
    receipts = (told.receipt(one) for one in sent)
    filing = told.find(facts.order.reference, Filing)
    found = (*sent, *receipts, *told.lifted(), facts.balance, facts.agreement, filing)
    return [one for one in found if one is not None]


def _final_at(facts: Facts) -> datetime | None:
    """When at the latest the newest last notice was sent that is not known to have failed."""
    notice = final_notice_of(facts)
    return facts.told.no_later_than(notice) if notice else None
