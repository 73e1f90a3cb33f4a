"""Whether the money of somebody who waits is in the meter, where the meter keeps the wallet.

It came there where a look proved it, or where two persons found so of a top-up that nobody could tell of:
what they say is the proof then (decision 21). From there on a closing may go, and has attempts of its own.

Source: TOP-01, CTRL-16, CTRL-17; business-rules 2.3, SETTLED.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.life.history import History
from meterlink.orders.life.life import Life


def is_credited(life: Life) -> bool:
    """Whether money is proved to have come into a meter, by a look or by two persons."""
    is_there = life.state is OrderState.DONE or life.finding_of_two == "done"
    return life.order.kind is OrderKind.TOP_UP and is_there


def credited_last(histories: Iterable[History], since: int = 0) -> tuple[int, str]:
    """Where in the log money was proved last to be in a meter, behind a place, and by which order's.

    Returns:
        0 and no id: none was.

    """
    credited = [one for one in histories if is_credited(one.life)]
    places = [(one.acts[-1].number, one.life.order.id) for one in credited]
    return max((place for place in places if place[0] > since), default=(0, ""))


def has_money(later: Sequence[History], since: int, *, is_paid: bool) -> bool:
    """Whether the money that came is in the wallet of the meter; without any, whether none is on its way.

    Args:
        later: the orders of a meter that bring current, or money for it.
        since: place in the log of what cleared the debt.
        is_paid: whether that is a payment.

    """
    if not is_paid:
        return not any(one.life.is_open for one in later if one.life.order.kind is OrderKind.TOP_UP)
    return credited_last(later, since)[0] > 0
