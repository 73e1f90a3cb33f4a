"""The other orders of a meter that matter for one of its orders, as the rules look at them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from meterlink.errors import JournalError
from meterlink.model.act import Act
from meterlink.model.order import CLOSES, Order, OrderKind, OrderState, Origin
from meterlink.orders.evidence.records import full_id_of
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.proof import arrives_until
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.rules.facts import OtherOrder

StepsOf = Mapping[str, Sequence[Act]]
"""The steps of orders, by order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Finds them among the orders of a meter and of those before it.

    Args:
        here: of the meter itself.
        before: of the meters before it.
        like: full ids of payments that may be the same money as the order's.
        of_wait: ids of the closings that go by themselves for the same household.
        timeline: how long ago something was.
        now: aware, UTC.

    """

    here: StepsOf
    before: StepsOf
    like: Collection[str]
    of_wait: Collection[str]
    timeline: Timeline
    now: datetime

    def of(self, order: Order) -> Iterator[OtherOrder]:
        """Other orders that still hold the meter, and those of the same payment or of one that is like it.

        What cleared a debt without a payment is a cause too, of the closings that follow it by themselves;
        and those of one household in the dark belong together.

        The meters before it are held no more, and a payment that was brought to one of them was brought.

        Raises:
            JournalError: the steps of an order make no sense.

        """
        payments, cause = {order.payment, *self.like} - {""}, _reference_of(order)
        for order_id, acts in (*self.here.items(), *self.before.items()):
            if order_id == order.id:
                continue
            try:
                life = Life.of(acts)
            except ValueError as error:
                raise JournalError(f"order {order_id}: {error}") from None
            is_here = order_id in self.here
            is_of_cause = bool(cause) and _reference_of(life.order) == cause
            is_paid_alike = full_id_of(life.order.payment) in payments
            if (is_here and life.locks_meter) or is_paid_alike or is_of_cause or order_id in self.of_wait:
                other = self._other(life, acts)
                yield other if is_here else replace(other, is_open=False)

    def _other(self, life: Life, acts: Sequence[Act]) -> OtherOrder:
        until = arrives_until(life.sent, self.timeline) if life.sent else None
        return OtherOrder(
            id=life.order.id,
            kind=life.order.kind,
            state=life.state,
            payment=full_id_of(life.order.payment),
            reference=_reference_of(life.order),
            is_of_wait=life.order.id in self.of_wait,
            is_open=life.locks_meter,
            sent_at=sent_at(acts, self.timeline, self.now),
            arrives_until=self.timeline.shown(until, self.now) if until else None,
            finding=life.finding_of_two,
            purchase_count=life.sent.purchase_count if life.sent else None,
            sent_to=life.sent.meter_number if life.sent else "",
        )


def sent_at(acts: Sequence[Act], timeline: Timeline, now: datetime) -> tuple[datetime, ...]:
    """When the frames of an order left, as the clock goes now: rules ask how long ago that was."""
    sent = (timeline.lived(act.at) for act in acts if act.verb == Signal.INTEND)
    return tuple(timeline.shown(at, now) for at in sent)


def credited(order: Order, steps_of: StepsOf) -> frozenset[tuple[str, int]]:
    """Meter number and purchase count of the top-ups of other payments that were proved; of money only."""
    if order.kind is not OrderKind.TOP_UP:
        return frozenset()
    lives = [Life.of(acts) for acts in steps_of.values()]
    return frozenset(
        (life.sent.meter_number, life.sent.purchase_count)
        for life in lives
        if life.state is OrderState.DONE and full_id_of(life.order.payment) != order.payment
        if life.sent is not None and life.sent.purchase_count is not None
    )


def _reference_of(order: Order) -> str:
    """The record without a payment because of which a closing goes by itself; empty: there is none."""
    return order.reference if order.origin is Origin.PAYMENT and order.kind in CLOSES else ""
