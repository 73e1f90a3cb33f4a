"""For whom an order that goes on by itself waits: pure."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.orders.dispatch.starting import waits_for
from meterlink.orders.life.life import Life
from meterlink.orders.life.proof import arrives_until
from tests.support.orders import NOON, at_state, timeline_at, transmission

MINUTE = timedelta(minutes=1)
AFTER_THE_FRAME = NOON + 5 * MINUTE
LATER = timeline_at(AFTER_THE_FRAME)


def one(kind: OrderKind, state: OrderState = OrderState.CREATED, name: str = "o-1") -> Life:
    """An order of a payment, created at noon, whose frame left at noon and was not answered."""
    life = at_state(state, kind, id=name).life
    order = dataclasses.replace(life.order, origin=Origin.PAYMENT)
    sent = life.sent and dataclasses.replace(life.sent, answer=None, left_by=NOON)
    return dataclasses.replace(life, order=order, created_at=NOON, sent=sent)


CLOSE = one(OrderKind.PERMIT_CLOSE, name="z-1")
TRIP = one(OrderKind.TRIP, name="z-2")


@pytest.mark.parametrize(
    ("kind", "state", "waits"),
    [
        (OrderKind.ALARM_OFF, OrderState.CREATED, False),
        (OrderKind.ALARM_ON, OrderState.QUEUED, False),
        (OrderKind.ALARM_ON, OrderState.UNCONFIRMED, True),
        (OrderKind.ALARM_ON, OrderState.READBACK, False),
        (OrderKind.ALARM_ON, OrderState.NOT_DONE, False),
        (OrderKind.TOP_UP, OrderState.CREATED, True),
        (OrderKind.TOP_UP, OrderState.ACCEPTED, True),
        (OrderKind.TOP_UP, OrderState.READBACK, False),
        (OrderKind.TOP_UP, OrderState.NOT_DONE, True),
        (OrderKind.TRIP, OrderState.READBACK, True),
        (OrderKind.GUARANTEE_ON, OrderState.READBACK, True),
    ],
)
def test_a_closing_waits_for_no_alarm(kind: OrderKind, state: OrderState, waits: bool) -> None:
    """Who has paid would wait in the dark for an alarm that nobody can see, or a close meet a frame."""
    assert waits is waits_for(CLOSE, one(kind, state), LATER)
    assert waits_for(TRIP, one(kind, state), LATER), "anything else waits for what came first"


@pytest.mark.parametrize("kind", [OrderKind.ALARM_ON, OrderKind.TOP_UP])
def test_a_closing_waits_while_a_frame_may_still_arrive(kind: OrderKind) -> None:
    """Two orders would be in the line at once."""
    life = one(kind, OrderState.READBACK)
    assert waits_for(CLOSE, life, timeline_at(AFTER_THE_FRAME - timedelta(seconds=1)))
    assert not waits_for(CLOSE, life, LATER)


@pytest.mark.parametrize(
    ("kind", "state", "waits"),
    [
        (OrderKind.PERMIT_CLOSE, OrderState.CREATED, True),
        (OrderKind.PERMIT_CLOSE, OrderState.ACCEPTED, True),
        (OrderKind.PERMIT_CLOSE, OrderState.READBACK, False),
        (OrderKind.PERMIT_CLOSE, OrderState.NOT_DONE, True),
        (OrderKind.PERMIT_CLOSE, OrderState.WAITING_FOR_KEY, False),
        (OrderKind.TRIP, OrderState.READBACK, True),
    ],
)
def test_money_waits_for_no_key(kind: OrderKind, state: OrderState, waits: bool) -> None:
    """Money would come a day late, or not at all; or be taken for what a trip did."""
    money = one(OrderKind.TOP_UP, name="z-4")
    assert waits is waits_for(money, one(kind, state), LATER)


def test_an_alarm_waits_for_nobody() -> None:
    """A meter would go on warning somebody who has paid, because he has not pressed the key."""
    alarm = one(OrderKind.ALARM_OFF, name="z-3")
    assert not waits_for(alarm, one(OrderKind.PERMIT_CLOSE, OrderState.WAITING_FOR_KEY), LATER)


@pytest.mark.parametrize("state", [OrderState.ACCEPTED, OrderState.REJECTED])
def test_a_frame_that_was_answered_is_not_in_the_line(state: OrderState) -> None:
    """A close would wait five minutes for a frame that has come."""
    sent = at_state(state, OrderKind.ALARM_ON).life.sent
    assert sent is not None
    assert sent.left_by == arrives_until(sent, LATER)


def test_how_long_a_frame_may_still_arrive() -> None:
    """A frame that a concentrator keeps would be taken for dead, or one that never left for one that came."""
    alarm, money = transmission(OrderKind.ALARM_ON), transmission(OrderKind.TOP_UP)
    assert arrives_until(alarm, LATER) is None
    alarm, money = (dataclasses.replace(sent, left_by=NOON) for sent in (alarm, money))
    assert AFTER_THE_FRAME == arrives_until(alarm, LATER)
    assert AFTER_THE_FRAME == arrives_until(dataclasses.replace(alarm, line_stores=True), LATER)
    assert AFTER_THE_FRAME == arrives_until(money, LATER)
    assert NOON + 30 * MINUTE == arrives_until(dataclasses.replace(money, line_stores=True), LATER)
