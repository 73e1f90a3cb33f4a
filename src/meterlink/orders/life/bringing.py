"""Which orders of a meter may still bring current back there, whatever nobody sends any more.

A closing may as long as nothing is proved of it, and as a permit until the key is pressed. Money, and a
guarantee over an open contact, leave a permit as well: the meter closes behind them, or lets the key close
(control-and-prepayment, facts 1 and 5). So those that are done, or may be, count until a closing or a trip is
proved behind them, or a look shows the contact closed: then current was back before anybody held it.

Source: HOLD-01; business-rules 2.2, HELD.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meterlink.drivers.control import Standing
from meterlink.model.order import CLOSES, OrderKind, OrderState
from meterlink.orders.life.history import NOT_NEEDED, History, stopped_by
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.transmission import Transmission
from meterlink.orders.life.written import seen_in

_BRINGING: Final = CLOSES | {OrderKind.GUARANTEE_ON, OrderKind.TOP_UP}
_IN_FLIGHT: Final = frozenset(
    {OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED, OrderState.READBACK}
)
_UNPROVED: Final = frozenset({OrderState.UNKNOWN, OrderState.RELAY_FAULT})
_MAY_STAND: Final = _IN_FLIGHT | _UNPROVED | {OrderState.WAITING_FOR_KEY}
"""Where a closing that was sent may still bring current, or has permitted it."""
_LEAVES_A_PERMIT: Final = _UNPROVED | {OrderState.DONE}
"""Where money or a guarantee has come, or may have, and the key may close behind it."""


def bringing(histories: Sequence[History]) -> list[Life]:
    """The orders by which current may still come back at a meter, the newest first.

    Args:
        histories: every order that the meter ever had, as ``Book.histories`` orders them.

    """
    found: list[Life] = []
    was_closed = False
    for one in reversed(histories):
        if _ends_what_was_before(one):
            break
        was_closed = was_closed or _shown_open(one) is False
        if _may_bring_current(one.life, was_closed=was_closed):
            found.append(one.life)
    return found


def leaves_a_permit(life: Life) -> bool:
    """Whether an order that may bring current back is over, and only the key is missing, if that."""
    return life.state in (OrderState.WAITING_FOR_KEY, OrderState.DONE)


def _may_bring_current(life: Life, *, was_closed: bool) -> bool:
    kind, state = life.order.kind, life.state
    if kind not in _BRINGING or not life.transmissions or life.finding_of_two == "not_done":
        return False
    if kind in CLOSES:
        return state in _MAY_STAND
    return state in _IN_FLIGHT or (state in _LEAVES_A_PERMIT and not was_closed)


def _ends_what_was_before(one: History) -> bool:
    """Whether an order is proved that leaves nothing of the earlier ones: cut off, or closed already."""
    life = one.life
    if life.state is OrderState.REFUSED and life.order.kind in CLOSES:
        return stopped_by(one.acts[-1].act) == NOT_NEEDED
    is_done = life.state is OrderState.DONE or life.finding_of_two == "done"
    return is_done and (life.order.kind is OrderKind.TRIP or life.order.kind in CLOSES)


def _shown_open(one: History) -> bool | None:
    """How the contact stood when the meter was looked at last for an order; ``None``: that was not seen."""
    for act in (kept.act for kept in reversed(one.acts)):
        if "look" in act.body:
            seen = seen_in(act.body["look"]["seen"])
            if isinstance(seen, Standing):
                return seen.contact_open
        if act.verb == Signal.INTEND:
            return Transmission.of(act.body["sent"]).stood_open
    return None
