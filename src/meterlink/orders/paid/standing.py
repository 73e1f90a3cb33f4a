"""What stands at a meter when a payment is told: a closing that is under way for it already.

Everything is ordered by the log, so it is the same whenever the payment is told again.
"""

from __future__ import annotations

from collections.abc import Sequence

from meterlink.model.order import CLOSES, OrderState, Origin
from meterlink.orders.life.history import History
from meterlink.orders.life.life import Life


def stands_for(histories: Sequence[History], meter: str, told_at: int) -> str:
    """The id of the closing that brings current back for a payment as well; empty: it has one of its own.

    It is one that goes by itself and had not ended when the payment was told, or any permit that waits for
    its key. A second one would rest behind it until its time is over, and send somebody to a house in which
    only a key is to be pressed.

    Args:
        histories: every order of the meter, as ``Book.histories`` orders them.
        meter: our id.
        told_at: number in the log of the payment.

    """
    found = [
        one.life
        for one in histories
        if one.life.order.meter == meter and one.life.order.kind in CLOSES
        if one.life.order.origin is Origin.PAYMENT or waits_for_key(one.life)
        if one.life.is_open or one.acts[-1].number > told_at
    ]
    return found[0].order.id if found else ""


def waits_for_key(life: Life) -> bool:
    """Whether current comes back as soon as somebody presses the key, and that is looked for."""
    return life.state is OrderState.WAITING_FOR_KEY and life.is_open


def is_sent_before(one: History | None, number: int) -> bool:
    """Whether there is such an order, and its first frame left before that place in the log."""
    return one is not None and one.sent[0].number < number
