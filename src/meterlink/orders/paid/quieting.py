"""The alarm for want of money ends with the want.

Whoever pays what he owes hears and sees no alarm any more that was operated before his payment was told: if
it was not sent it is cancelled (``withdrawing``), while it is read back its end brings the order that ends it
(``aftermath``), and behind that the payment does (``payments``). An alarm of which nobody can tell may be on.
A balance that is not below 0 again, or a dispute that is upheld, does the same (``unowed``).

Source: ARR-06.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def quieting(meter: str, cause: str, at: datetime, *, is_paid: bool = True) -> Order:
    """The order that ends the alarm of somebody who owes nothing any more: the same for the same record.

    Args:
        meter: our id.
        cause: full id of the record that says so.
        at: now; aware, UTC.
        is_paid: whether that is a payment; else a balance or a dispute.

    """
    return Order(
        id=order_id_of("alarm-off", meter, cause),
        kind=OrderKind.ALARM_OFF,
        meter=meter,
        reason=f"{'paid' if is_paid else 'nothing is owed'}: {cause}",
        deadline_at=at.replace(microsecond=0) + QUIETED_WITHIN,
        origin=Origin.PAYMENT,
        payment=cause if is_paid else "",
        reference="" if is_paid else cause,
    )


def quieted_by(lives: Iterable[Life]) -> str:
    """The id of the open order that ends an alarm already, whatever record brought it; empty: none is."""
    off = (one.order for one in lives if one.order.kind is OrderKind.ALARM_OFF and one.is_open)
    return next((order.id for order in off if order.origin is Origin.PAYMENT), "")


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
