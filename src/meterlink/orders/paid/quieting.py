"""The alarm for want of money ends with the want.

Whoever pays what he owes hears and sees no alarm any more that was operated before his payment was told: if
it was not sent it is cancelled (``withdrawing``), while it is read back its end brings the order that ends it
(``aftermath``), and behind that the payment does (``payments``). An alarm of which nobody can tell may be on.

Source: ARR-06.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from meterlink.model.act import KeptAct
from meterlink.model.order import Order, OrderKind, OrderState, Origin
from meterlink.orders.life.history import History
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.order_ids import order_id_of

QUIETED_WITHIN: Final = timedelta(hours=24)
"""An alarm that could not be switched off for so long is left to people."""


def quieting(meter: str, payment: str, at: datetime) -> Order:
    """The order that ends the alarm of somebody who has paid: the same for the same payment.

    Args:
        meter: our id.
        payment: full id of its record.
        at: now; aware, UTC.

    """
    return Order(
        id=order_id_of("alarm-off", meter, payment),
        kind=OrderKind.ALARM_OFF,
        meter=meter,
        reason=f"paid: {payment}",
        deadline_at=at.replace(microsecond=0) + QUIETED_WITHIN,
        origin=Origin.PAYMENT,
        payment=payment,
    )


def may_be_on(life: Life) -> bool:
    """Whether an order has switched an alarm on, or may have.

    One that moved a contact is no matter of alarms: that meter takes no order any more before somebody has
    looked at its model.
    """
    if life.order.kind is not OrderKind.ALARM_ON or life.has_opened:
        return False
    is_unknown = life.state is OrderState.UNKNOWN and life.finding_of_two != "not_done"
    return life.state is OrderState.DONE or is_unknown


def alarm_of(histories: Sequence[History]) -> History | None:
    """The newest thing that we did to the alarm of a meter, if it may be on by it; else ``None``.

    Args:
        histories: every order of the meter and of those before it, as ``Book.histories`` orders them.

    """
    switched = [one for one in histories if may_be_on(one.life) or _is_off(one.life)]
    return switched[-1] if switched and may_be_on(switched[-1].life) else None


def is_operated_before(acts: Sequence[KeptAct], number: int) -> bool:
    """Whether an order was operated, once at least, before a place in the log."""
    return any(kept.act.verb == Signal.OPERATE and kept.number < number for kept in acts)


def _is_off(life: Life) -> bool:
    return life.order.kind is OrderKind.ALARM_OFF and life.state is OrderState.DONE
