"""Money into a meter's wallet, once. Source: TOP-01 to TOP-05 and the two payment worlds."""

from __future__ import annotations

from typing import Final

from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.evidence.one_payment import alike
from meterlink.orders.evidence.records import Payment
from meterlink.orders.rules.facts import Facts, OtherOrder
from meterlink.orders.rules.verdict import Finding, passes, stops

WALLET_MAX_CENTS: Final = 99_999_999
"""No wallet holds more: 999,999.99 yuan. Source: TOP-03."""
BOUGHT_SINCE_MAX: Final = 1_000
"""Purchases since an order that are looked for in the log."""
_UNSENT: Final = frozenset({OrderState.REFUSED, OrderState.CANCELLED, OrderState.EXPIRED})
"""Ends of an order that was withdrawn; one of which no frame had left has brought no money."""


def pays_once(facts: Facts) -> Finding:
    """TOP-01: one payment is one increase; another order for it was never sent."""
    order = facts.order
    payment = facts.told.find(order.payment, Payment)
    inputs = {"payment": order.payment, "cents": order.amount_cents}
    if payment is None:
        return stops("there is no payment {payment}", "没有缴费记录{payment}", **inputs)
    if payment.amount_cents != order.amount_cents:
        return stops(
            "payment {payment} is of {paid} cents, the order of {cents}",
            "缴费{payment}金额为{paid}分,工单为{cents}分",
            paid=payment.amount_cents,
            **inputs,
        )
    if facts.told_elsewhere:
        return stops(
            "{payment} was told of another meter too, or may have been ({like}): find out whose money it is",
            "缴费{payment}也被报送到其他电表,或可能是同一笔款项({like}):请核实款项归属",
            payment=order.payment,
            like=", ".join(facts.told_elsewhere[:5]),
        )
    return (
        _brought(facts)
        or _for_account(facts)
        or _told_twice(facts)
        or passes("payment {payment} of {cents} cents", "缴费{payment},{cents}分", **inputs)
    )


def _brought(facts: Facts) -> Finding | None:
    """Another order for the payment was sent: it is over only if it is known to have done nothing.

    Two persons found so, or it was cancelled behind a proof. That frees the payment for another order; before
    that one's octets leave, the meter itself must say the same. Its purchase count is what it was before the
    first frame, or every purchase since is a top-up of another payment. So the frame bears a count that the
    first one's cannot have beside it.
    """
    payment = facts.order.payment
    for one in facts.others:
        if one.kind is not OrderKind.TOP_UP or one.payment != payment or _was_never_sent(one):
            continue
        is_found = one.state is OrderState.UNKNOWN and one.finding == "not_done"
        if not is_found and one.state is not OrderState.CANCELLED:
            return stops(
                "order {other} has brought payment {payment} to the meter, or may have",
                "工单{other}已将缴费{payment}充入电表,或可能已充入",
                other=one.id,
                payment=payment,
            )
        if facts.live is not None and not _is_proved_not_done(facts, one):
            return stops(
                "order {other} was found not done, or cancelled behind a frame, and the meter does not prove "
                "that nothing came: its purchase count is {found}, and with {payment} it would be {count}",
                "工单{other}经核实未执行或发送后已撤销,但电表购电次数为{found},充入缴费{payment}后应为{count},无法证明未充入",
                other=one.id,
                payment=payment,
                found=facts.seen.purse.purchase_count if facts.seen.purse else None,
                count=one.purchase_count,
            )
    return None


def _was_never_sent(one: OtherOrder) -> bool:
    """Whether an order ended before a frame left; one that was withdrawn behind a frame still counts."""
    return one.state in _UNSENT and not one.sent_at


def _is_proved_not_done(facts: Facts, one: OtherOrder) -> bool:
    """Whether the wallet of now cannot hold what an order would have brought."""
    purse, count, number = facts.seen.purse, one.purchase_count, facts.seen.identity.meter_number
    if purse is None or count is None or one.sent_to != number:
        return False
    bought = purse.purchase_count - (count - 1)
    if not 0 <= bought <= BOUGHT_SINCE_MAX:
        return False
    return all((number, purchase) in facts.credited for purchase in range(count, count + bought))


def _for_account(facts: Facts) -> Finding | None:
    """Money that the head-end has in an account is not in a wallet as well, by whosever word."""
    payment = facts.order.payment
    paid = facts.told.paid_into_account([payment, *alike(facts.told, payment)])
    if not paid:
        return None
    return stops(
        "{payment} is, or may be, money that is in the account at the head-end ({paid}): no wallet gets it",
        "缴费{payment}已计入主站账户,或可能与已入账款项为同一笔({paid}):不得充入电表",
        payment=payment,
        paid=", ".join(paid[:5]),
    )


def _told_twice(facts: Facts) -> Finding | None:
    """Another record may be the same money: the first is credited, unless the other was sent."""
    before = alike(facts.told, facts.order.payment)
    for one in facts.others:
        if one.kind is not OrderKind.TOP_UP or one.payment not in before or _was_never_sent(one):
            continue
        if before[one.payment] or one.sent_at:
            return stops(
                "order {other} brings payment {like} to the meter: {payment} may be the same money",
                "工单{other}已充入缴费{like},{payment}可能是同一笔缴费",
                other=one.id,
                like=one.payment,
                payment=facts.order.payment,
            )
    return None


def amount_is_sane(facts: Facts) -> Finding:
    """TOP-02: more than nothing, and not more than one order may carry."""
    cents, ceiling = facts.order.amount_cents or 0, facts.settings.top_up_max_cents
    if not 0 < cents <= ceiling:
        return stops(
            "{cents} cents: one top-up is of 1 to {ceiling}",
            "{cents}分:单笔充值应为1至{ceiling}分",
            cents=cents,
            ceiling=ceiling,
        )
    return passes(
        "{cents} cents of at most {ceiling}", "{cents}分,上限{ceiling}分", cents=cents, ceiling=ceiling
    )


def wallet_has_room(facts: Facts) -> Finding:
    """TOP-03: what is in the wallet and what comes stay below what it takes."""
    purse, cents = facts.seen.purse, facts.order.amount_cents or 0
    if purse is None:
        return stops("the wallet was not read", "未读取到电表余额")
    limits = [
        WALLET_MAX_CENTS,
        *([purse.hoarding_limit_cents] if purse.hoarding_limit_cents is not None else []),
    ]
    after = purse.remaining_cents + cents
    inputs = {"after": after, "limit": min(limits)}
    if after > min(limits):
        return stops(
            "{after} cents would be in the wallet: {limit} is its limit",
            "充值后{after}分,超过囤积限额{limit}分",
            **inputs,
        )
    return passes("{after} cents will be in the wallet", "充值后{after}分", **inputs)


def right_wallet(facts: Facts) -> Finding:
    """TOP-04: the wallet is that of the customer who paid."""
    identity, purse, meter = facts.seen.identity, facts.seen.purse, facts.meter
    read = purse.customer_number if purse else ""
    inputs = {
        "number": identity.meter_number,
        "customer": read,
        "file_number": meter.meter_number,
        "file_customer": meter.customer_number,
    }
    if (identity.meter_number, read) != (meter.meter_number, meter.customer_number) or not read:
        return stops(
            "the meter says {number} of customer {customer}; the file says {file_number} of {file_customer}",
            "电表自报表号{number}、户号{customer};档案为{file_number}、{file_customer}",
            **inputs,
        )
    return passes("meter {number} of customer {customer}", "表号{number},户号{customer}", **inputs)


def has_a_wallet(facts: Facts) -> Finding:
    """The two payment worlds are never mixed: money goes into meters that have a wallet."""
    if facts.meter.world != "local":
        return stops(
            "the money of this meter is elsewhere ({world}): no top-up goes into it",
            "该表为{world}模式,表内无钱包,不能充值",
            world=facts.meter.world,
        )
    return passes("the money is in the meter", "表内钱包")
