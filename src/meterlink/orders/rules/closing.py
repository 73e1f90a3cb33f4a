"""Supply comes back: for a reason, in a way that hurts nobody, and in time.

Source: CTRL-15 to CTRL-17 and section 2.2 of the business rules; anchors 3.5.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meterlink.model.order import CLOSES, OrderKind, Origin
from meterlink.orders.evidence.records import (
    BalanceStatement,
    Consent,
    Dispute,
    Payment,
    Protection,
    Record,
    WorkOrder,
)
from meterlink.orders.rules.facts import Facts, holds
from meterlink.orders.rules.verdict import Finding, OnStop, passes, stops, stops_with

RECORDED_CONSENT_MAX: Final = timedelta(minutes=30)
"""How long "yes, now" by a recorded channel holds. Source: CTRL-15 ("confirms now")."""
ATTEMPTS_MAX: Final = 3
"""Frames that are sent by themselves for one household in the dark. Source: CTRL-17."""
ATTEMPTS_SPAN_MAX: Final = timedelta(minutes=30)
"""From the first of them to the last. Source: CTRL-17."""
FIRST_COMMAND_MAX: Final = timedelta(minutes=5)
"""From the payment to the first command: then RECONNECT_LATE_1. Source: CTRL-16, 2.2."""
ENERGISED_MAX: Final = timedelta(hours=24)
"""From the payment to current: then RECONNECT_LATE_2. Source: CTRL-16, 2.2."""
PERMIT_WAITS: Final = "permit_waits_for_key"
"""Fact of a model: that a permit to close waits until somebody presses the key. Source: fact 1."""


def nobody_is_hurt(facts: Facts) -> Finding:
    """CTRL-15: current returns by itself only if the customer agreed and no machine starts by it."""
    consent = consent_of(facts)
    inputs = {
        "consent": consent.full_id if consent else "-",
        "motor": {None: "unknown", True: "yes", False: "no"}[facts.meter.is_motor_load],
    }
    if facts.meter.is_motor_load is not False:
        return stops(
            "machines may start by themselves (motor load: {motor}): only a permit to close",
            "可能有电机自启动(电机负荷:{motor}):只能允许合闸",
            **inputs,
        )
    if consent is None:
        return stops(
            "the customer has not agreed to be reconnected without the key", "用户未同意直接合闸", **inputs
        )
    return passes(
        "the customer agreed ({consent}), no motor load", "用户已同意({consent}),非电机负荷", **inputs
    )


def permit_waits(facts: Facts) -> Finding | None:
    """CTRL-15: a permit that does not wait for the key is a direct close."""
    if facts.model.get(PERMIT_WAITS) == "yes":
        return passes("the model waits for the key", "该型号合闸须按键确认")
    return nobody_is_hurt(facts)


def consents_of(facts: Facts) -> list[Record]:
    """The consent that a close which starts everything at once rests on; of another one none."""
    waits = facts.order.kind is OrderKind.PERMIT_CLOSE and facts.model.get(PERMIT_WAITS) == "yes"
    consent = None if waits else consent_of(facts)
    return [consent] if consent else []


def reasons_of(facts: Facts) -> list[Record]:
    """Every record that gives a reason to close; see ``has_a_reason``."""
    told, order, balance = facts.told, facts.order, _balance(facts)
    payment, work = told.find(order.payment, Payment), told.find(order.reference, WorkOrder)
    dispute = told.find(order.reference, Dispute)
    protection = told.find(order.reference, Protection)
    found: list[tuple[Record | None, bool]] = [
        (payment, payment is not None and _is_paid(facts, payment)),
        (work, work is not None and holds(work.until, facts.now)),
        (dispute, dispute is not None and dispute.state == "upheld" and _is_later(facts, dispute)),
        (protection, protection is not None and _protects(facts, protection)),
        (balance, balance is not None and balance.balance_cents >= 0),
    ]
    return [record for record, is_reason in found if record is not None and is_reason]


def _protects(facts: Facts, protection: Protection) -> bool:
    """Whether a protection stands: whoever may not be cut off may be closed, whenever that was told."""
    return protection.state == "set" and protection.protection in facts.told.protections()


def _is_paid(facts: Facts, payment: Payment) -> bool:
    """Whether a payment is a reason; a wallet in the meter knows itself when the money is enough."""
    is_of_wallet = facts.meter.world == "local" and not facts.told.paid_into_account([payment.full_id])
    return is_of_wallet or (payment.settles and _is_later(facts, payment))


def _is_later(facts: Facts, record: Record) -> bool:
    """Whether it was told after that was ordered by which the meter was cut off."""
    return facts.told.number_of(record) > facts.cut_at


def _balance(facts: Facts) -> BalanceStatement | None:
    """The newest statement that is not too old; of what people brought by hand, by when it came here."""
    stated = reversed(facts.told.all(BalanceStatement))
    newest = max(stated, key=facts.told.counts_from, default=None)
    age_max = timedelta(hours=facts.settings.evidence_age_max_hours)
    return newest if newest and facts.aged(newest.at, facts.told.set_since(newest)) <= age_max else None


def is_told_by_one(facts: Facts) -> bool:
    """Whether one person by hand told both that a customer agreed and all that is a reason to close."""
    if facts.order.origin is Origin.PERSON:
        return False
    consent, reasons = consent_of(facts), reasons_of(facts)
    if consent is None or not reasons:
        return False
    return facts.told.is_by_hand([consent, *reasons]) and len(facts.told.by_hand([consent, *reasons])) == 1


def guarantee_may_close(facts: Facts) -> Finding | None:
    """CTRL-22: a guarantee over an open contact may close it."""
    if facts.seen.standing.contact_open is False:
        return passes("the contact is closed", "开关已合闸")
    return nobody_is_hurt(facts)


def guarantee_has_a_reason(facts: Facts) -> Finding | None:
    """CTRL-22: and then it needs the reason of a closing."""
    return None if facts.seen.standing.contact_open is False else has_a_reason(facts)


def consent_of(facts: Facts) -> Consent | None:
    """A consent that holds now."""
    held = [
        one
        for one in facts.told.all(Consent)
        if one.at <= facts.now
        and holds(one.until, facts.now)
        and (one.form == "written" or facts.aged(one.at, facts.told.set_since(one)) <= RECORDED_CONSENT_MAX)
    ]
    return held[-1] if held else None


def has_a_reason(facts: Facts) -> Finding:
    """CTRL-16: paid, nothing owed, a dispute upheld, a work order; or nobody may cut the household off.

    Who was cut off for a newer debt has not paid it with what was told before.
    A protection is a reason as long as it stands, and a customer who is not the one that was cut off.
    Where the money is in the meter, any payment is a reason: the meter closes for no less than its own limit.
    """
    order = facts.order
    match next(iter(reasons_of(facts)), None):
        case Payment():
            return passes("paid: {payment}", "已缴清:{payment}", payment=order.payment)
        case WorkOrder():
            return passes("work order {reference}", "工单{reference}", reference=order.reference)
        case Dispute():
            return passes("dispute {reference} was upheld", "争议{reference}成立", reference=order.reference)
        case BalanceStatement() as balance:
            return passes("nothing is owed since {at}", "{at}已无欠费", at=balance.at)
        case Protection():
            return passes(
                "a protected customer: {reference}", "受保护用户:{reference}", reference=order.reference
            )
    return _is_spared(facts) or stops(
        "no payment that settles the debt ({payment}), no work order, upheld dispute or protection "
        "({reference}) since it was cut off",
        "停电以来没有结清欠费的缴费({payment}),也没有工单、成立的争议或保护记录({reference})",
        payment=order.payment,
        reference=order.reference,
    )


def _is_spared(facts: Facts) -> Finding | None:
    """What the roster says since the household was cut off is no record; an order names its revision."""
    reference = facts.order.reference
    if reference not in facts.spared:
        return None
    return passes(
        "protected, or another customer, since it was cut off ({reference})",
        "停电后档案登记为受保护用户或已更换用户({reference})",
        reference=reference,
    )


def not_held(facts: Facts) -> Finding:
    """Section 2.2, HELD: no inspector forbids that supply comes back."""
    if held := facts.told.holds():
        return stops(
            "an inspector holds it: {why}", "安全封存:{why}", why="; ".join(sorted({one.why for one in held}))
        )
    return passes("no inspector holds it", "无安全封存")


def money_closes_nothing_held(facts: Facts) -> Finding | None:
    """Section 2.2, HELD: money may close a contact that stands open; where it is closed, it may come.

    The money is kept in the ledger meanwhile, and nothing of it is lost.
    """
    held = facts.told.holds()
    if not held or facts.seen.standing.contact_open is False:
        return None
    return stops_with(
        OnStop.POSTPONE,
        "an inspector holds it ({why}), and money may close its contact: it waits",
        "安全封存({why}):充值可能使开关合闸,暂缓执行",
        why="; ".join(sorted({one.why for one in held})),
    )


def attempts_left(facts: Facts) -> Finding | None:
    """CTRL-17: after three frames, or half an hour, somebody goes there; whoever ordered the closing.

    The frames of all closings count together that go by themselves for one wait, whichever payment, dispute
    or balance each is for: it is one household. A person's order stands for itself.
    """
    origin = facts.order.origin
    if origin is Origin.PROBE:
        return None
    others = _sent_for(facts) if origin is Origin.PAYMENT else []
    sent = sorted([*facts.steps.sent_at, *others])
    if is_over(sent, facts.now):
        return stops_with(
            OnStop.FIELD,
            "{count} frames for {cause} since {first}: field staff reconnect",
            "{cause}已自{first}起发送{count}次:转现场复电",
            count=len(sent),
            first=sent[0],
            cause=_cause_of(facts) or facts.order.id,
        )
    return passes("{count} frames so far", "已发送{count}次", count=len(sent))


def is_over(sent_at: list[datetime], now: datetime) -> bool:
    """Whether automatic attempts end: so many frames, or so long since the first."""
    return bool(sent_at) and (len(sent_at) >= ATTEMPTS_MAX or now - sent_at[0] > ATTEMPTS_SPAN_MAX)


def late(
    paid_at: datetime, first_sent_at: datetime | None, energised_at: datetime | None, now: datetime
) -> str:
    """The alarm that a reconnection deserves; empty: none. Source: CTRL-16, 2.2.

    Args:
        paid_at: when the payment was recorded here.
        first_sent_at: when the first command left; ``None``: none did.
        energised_at: when current was seen to be back; ``None``: it was not.
        now: aware.

    """
    if energised_at is None and now - paid_at > ENERGISED_MAX:
        return "RECONNECT_LATE_2"
    return "RECONNECT_LATE_1" if (first_sent_at or now) - paid_at > FIRST_COMMAND_MAX else ""


def mode(facts: Facts) -> OrderKind:
    """CTRL-15: which closing a payment gets: the permit, unless a direct one hurts nobody and was agreed."""
    is_agreed = nobody_is_hurt(facts).passed and not is_told_by_one(facts)
    return OrderKind.DIRECT_CLOSE if is_agreed else OrderKind.PERMIT_CLOSE


def _sent_for(facts: Facts) -> list[datetime]:
    """Frames of other closings for the same cause, or the same household in the dark."""
    cause = _cause_of(facts)
    return [
        at
        for one in facts.others
        if one.kind in CLOSES and (one.is_of_wait or (cause and cause in (one.payment, one.reference)))
        for at in one.sent_at
    ]


def _cause_of(facts: Facts) -> str:
    """The record because of which something goes by itself; empty: none, a person ordered it."""
    order = facts.order
    return (order.payment or order.reference) if order.origin is Origin.PAYMENT else order.payment
