"""What people read of money that did not come into a meter, or may not have, and of the household behind it.

A top-up that ends otherwise than proved is a matter of money, and its ``manual`` item takes two persons. But
where we have cut the customer off, a household is dark meanwhile, and nobody closes for money that is not
there: so that item says since when, and whoever is sent to the house reads what must be known of the money
first. The words follow the top-up: its end, and what two persons find, tell them anew.

Source: CTRL-16, CTRL-17; business-rules 2.3, MANUAL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from typing import Any, Final

from meterlink.model.order import OrderState
from meterlink.orders.life.history import History
from meterlink.orders.life.life import Life
from meterlink.orders.waiting.credit import is_credited

_COUNTS: Final = ("count_before", "count_sent", "count_after")
_THERE: Final = (
    "The money is in the meter: a reconnection follows by itself",
    "款项已到表,系统将自动复电",
)
_NOT_THERE: Final = (
    "The money is not in the meter: two persons decide about it first, do not close before",
    "款项未到表:须先由两人处理款项,此前请勿合闸",
)
_UNTOLD: Final = (
    "Nobody knows whether the money is in the meter: read its purchase count and balance, two persons say "
    "what was found; do not close before",
    "款项是否到表未知:请查看购电次数和剩余金额,由两人认定,此前请勿合闸",
)
_ON_ITS_WAY: Final = (
    "The money is not known to be in the meter: do not close before it is there",
    "款项尚未确认到表,此前请勿合闸",
)


def dark_since(cut: History | None, zone: timezone) -> str:
    """Since when a household is dark, in both languages; empty: we have not cut it off.

    Args:
        cut: the order that cut it off.
        zone: of the plant.

    """
    if cut is None:
        return ""
    at = f"{cut.sent[-1].act.at.astimezone(zone):%Y-%m-%d %H:%M}"
    return f"The household is dark since {at} (order {cut.life.order.id}) / 用户自{at}起停电"


def of_the_money(life: Life) -> tuple[str, str]:
    """What whoever goes there has to know of a top-up, in English and in Chinese."""
    if is_credited(life):
        return _THERE
    if life.is_open:
        return _ON_ITS_WAY
    return _UNTOLD if life.state is OrderState.UNKNOWN and not life.finding_of_two else _NOT_THERE


def going_there(life: Life, cut: History | None, zone: timezone) -> str:
    """The words of a field order to a household that waits for its money.

    Args:
        life: the top-up.
        cut: the order that cut the household off; ``None``: none is known.
        zone: of the plant.

    """
    found = life.finding_of_two and f", and two persons found it {life.finding_of_two}"
    how = "is still" if life.is_open else "ended as"
    en, zh = of_the_money(life)
    told = f"order {life.order.id} ({life.order.kind.value}) {how} {life.state.value}{found}"
    return ". ".join(filter(None, (told, f"{en} / {zh}", dark_since(cut, zone))))


def counted(inputs: Mapping[str, Any], amount_cents: int) -> str:
    """What the purse showed before and after, in both languages; empty: nobody has looked into it.

    Args:
        inputs: what the last look at a top-up was judged by, see ``money_proof``.
        amount_cents: what it was to bring.

    """
    if not {*_COUNTS, "grown_cents"} <= inputs.keys():
        return ""
    before, sent, after = (inputs[name] for name in _COUNTS)
    grown, amount = yuan(int(inputs["grown_cents"])), yuan(amount_cents)
    return (
        f"purchase count {before} before, {sent} sent, {after} now; the balance grew by {grown} yuan, "
        f"{amount} yuan were sent / 购电次数:充值前{before},下发{sent},现为{after};"
        f"剩余金额变化{grown}元,充值金额{amount}元"
    )


def yuan(cents: int) -> str:
    """Money for people, with two decimals."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
