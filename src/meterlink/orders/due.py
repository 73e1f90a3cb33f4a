"""When an order wants its line next; it follows from its log alone, so a restart changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from meterlink.model.order import OrderState, Origin
from meterlink.orders.life import Life
from meterlink.orders.machine import BEFORE_SENDING
from meterlink.orders.reading_back import SENT, watched_since
from meterlink.orders.schedule import next_look, next_repeat


def due_at(life: Life, trip_delay: timedelta) -> datetime:
    """When something is to be done for an open order; times that have passed mean: now.

    Args:
        life: open.
        trip_delay: how long its meter may wait before it opens.

    """
    if life.state in SENT:
        return life.last_at
    if life.state in (OrderState.READBACK, OrderState.WAITING_FOR_KEY):
        return next_look(watched_since(life), life.last_at, trip_delay=trip_delay)
    return min(_next_try(life), life.order.deadline_at)


def waits_for_people(life: Life) -> bool:
    """Whether nobody but a person can bring it on; all that can happen by itself is that it expires."""
    asked = (OrderState.CREATED, OrderState.AUTHORISED)
    return life.order.origin is Origin.PERSON and life.state in asked


def is_late(life: Life, now: datetime) -> bool:
    """Whether its deadline has passed before it was sent, or before it may be sent again."""
    may_be_sent = life.state in BEFORE_SENDING or life.may_repeat
    return may_be_sent and now >= life.order.deadline_at


def _next_try(life: Life) -> datetime:
    if waits_for_people(life):
        return life.order.deadline_at
    if life.state in BEFORE_SENDING:
        return life.not_before or life.since
    return next_repeat(life.since, life.transmissions)
