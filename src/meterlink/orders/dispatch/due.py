"""When an order wants its line next, in lived time; it follows from its log, so a restart changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meterlink.model.order import OrderState, Origin
from meterlink.orders.dispatch.reading_back import SENT, watched_since
from meterlink.orders.dispatch.schedule import next_look, next_repeat
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import BEFORE_SENDING
from meterlink.orders.life.timeline import Timeline

LOOKED_AT_EVERY: Final = timedelta(days=1)
"""Longest time until a deadline is looked at again; behind one at an end of the calendar there is no time."""


def due_at(life: Life, trip_delay: timedelta, timeline: Timeline) -> datetime:
    """When something is to be done for an open order, in lived time; times that have passed mean: now.

    Args:
        life: open.
        trip_delay: how long its meter may wait before it opens; what it told just before may be longer.
        timeline: where its acts were written.

    """
    last_at = timeline.lived(life.last_at)
    if life.state in SENT:
        return last_at
    if life.state in (OrderState.READBACK, OrderState.WAITING_FOR_KEY):
        delay = max(trip_delay, _told_delay(life))
        return next_look(timeline.lived(watched_since(life)), last_at, trip_delay=delay)
    ends_at = timeline.now() + max(timedelta(), min(time_left(life, timeline), LOOKED_AT_EVERY))
    return ends_at if waits_for_people(life) else min(_next_try(life, timeline), ends_at)


def _told_delay(life: Life) -> timedelta:
    """How long a trip takes, as its meter said: who pays meanwhile is in the dark until it is known."""
    return (life.sent.opens_within if life.sent else None) or timedelta()


def waits_for_people(life: Life) -> bool:
    """Whether nobody but a person can bring it on; all that can happen by itself is that it expires."""
    asked = (OrderState.CREATED, OrderState.AUTHORISED)
    return life.order.origin is Origin.PERSON and life.state in asked


def time_left(life: Life, timeline: Timeline) -> timedelta:
    """How long an order may still be sent; not positive: its deadline has passed by one of the clocks."""
    return timeline.left(life.order.deadline_at, life.created_at)


def is_late(life: Life, timeline: Timeline) -> bool:
    """Whether its deadline has passed before it was sent, or before it may be sent again."""
    may_be_sent = life.state in BEFORE_SENDING or life.may_repeat
    return may_be_sent and time_left(life, timeline) <= timedelta()


def _next_try(life: Life, timeline: Timeline) -> datetime:
    since = timeline.lived(life.since)
    if life.state not in BEFORE_SENDING:
        return next_repeat(since, life.transmissions)
    return since if life.not_before is None else since + (life.not_before - life.since)
