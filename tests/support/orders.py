"""Orders brought to any state by their own machine, with bodies that are right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from meterlink.drivers.control import Cause, ControlAnswer, Purse, Standing, SwitchRecord, Verdict
from meterlink.model.act import Act
from meterlink.model.order import Order, OrderKind, OrderState, Origin
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.life.transmission import Transmission
from meterlink.orders.life.written import Seen, answer_out
from metersim.loop import SimClock

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # a Tuesday, 12:00 in the plant
OPERATOR = "5a3c0001"

TO_SENDING = (Signal.AUTHORISE, Signal.ARM, Signal.OPERATE, Signal.TAKE, Signal.INTEND)
TO_READBACK = (*TO_SENDING, Signal.LOSE, Signal.READ_BACK)
WAYS: Mapping[OrderState, tuple[Signal, ...]] = {
    OrderState.CREATED: (),
    OrderState.AUTHORISED: TO_SENDING[:1],
    OrderState.QUEUED: TO_SENDING[:3],
    OrderState.PRECHECK: TO_SENDING[:4],
    OrderState.SENDING: TO_SENDING,
    OrderState.ACCEPTED: (*TO_SENDING, Signal.ACCEPT),
    OrderState.UNCONFIRMED: (*TO_SENDING, Signal.LOSE),
    OrderState.READBACK: TO_READBACK,
    OrderState.DONE: (*TO_READBACK, Signal.PROVE),
    OrderState.WAITING_FOR_KEY: (*TO_READBACK, Signal.WAIT_FOR_KEY),
    OrderState.NOT_DONE: (*TO_READBACK, Signal.PROVE_NOT),
    OrderState.UNKNOWN: (*TO_READBACK, Signal.GIVE_UP),
    OrderState.RELAY_FAULT: (*TO_READBACK, Signal.CONTRADICT),
    OrderState.REJECTED: (*TO_READBACK, Signal.REJECT),
    OrderState.REFUSED: (Signal.REFUSE,),
    OrderState.CANCELLED: (Signal.CANCEL,),
    OrderState.EXPIRED: (Signal.EXPIRE,),
}
"""A way to each state; to WAITING_FOR_KEY only a permit goes."""


def order(kind: OrderKind = OrderKind.TRIP, **fields: Any) -> Order:
    """One that is right, unless its fields say otherwise."""
    told: dict[str, Any] = {
        "id": "o-1",
        "kind": kind,
        "meter": "m1",
        "reason": "a test",
        "deadline_at": NOON + timedelta(hours=8),
        "origin": Origin.PERSON,
        "amount_cents": 10_000 if kind is OrderKind.TOP_UP else None,
    }
    return Order(**{**told, **fields})


def standing(**fields: Any) -> Standing:
    """A meter that is closed and feeds 5 A, unless its fields say otherwise."""
    closed = Standing(
        taken_at=NOON,
        contact_open=False,
        command_open=False,
        alarm=False,
        guarantee=False,
        currents_a=(Decimal("5.000"),),
        voltages_v=(Decimal("220.0"),),
        power_w=Decimal("1100.0"),
        trips=SwitchRecord(count=3, occurred_at=NOON - timedelta(days=9), operator_code="00000000"),
        closes=SwitchRecord(count=3, occurred_at=NOON - timedelta(days=8), operator_code="00000000"),
        raw=(("meter_status_word_3", "0000"),),
    )
    return dataclasses.replace(closed, **fields)


def purse(**fields: Any) -> Purse:
    """50.00 yuan after four purchases, unless its fields say otherwise."""
    return dataclasses.replace(Purse(taken_at=NOON, remaining_cents=5_000, purchase_count=4), **fields)


def before(kind: OrderKind) -> Seen:
    """A meter to which an order of that kind makes a difference."""
    match kind:
        case OrderKind.TOP_UP:
            return purse()
        case OrderKind.PERMIT_CLOSE | OrderKind.DIRECT_CLOSE:
            nothing = (Decimal("0.000"),)
            return standing(contact_open=True, command_open=True, currents_a=nothing, power_w=Decimal("0.0"))
        case OrderKind.GUARANTEE_OFF:
            return standing(guarantee=True)
        case OrderKind.ALARM_OFF:
            return standing(alarm=True)
        case _:
            return standing()


def transmission(kind: OrderKind = OrderKind.TRIP, **fields: Any) -> Transmission:
    """What ``intend`` tells."""
    top_up = kind is OrderKind.TOP_UP
    told = Transmission(
        before=before(kind),
        frame_hash="0" * 64,
        operator_code=OPERATOR,
        expires_at=None if top_up else NOON + timedelta(minutes=5),
        line_stores=False,
        purchase_count=5 if top_up else None,
    )
    return dataclasses.replace(told, **fields)


def answered(verdict: Verdict, cause: Cause = Cause.UNTOLD) -> dict[str, Any]:
    """The body of what came back."""
    return {"answer": answer_out(ControlAnswer(verdict=verdict, cause=cause))}


def body_of(signal: Signal, kind: OrderKind) -> dict[str, Any]:
    """What belongs to a signal."""
    if signal is Signal.INTEND:
        return {"sent": transmission(kind).body}
    return _BODIES.get(signal, {})


_BODIES: Mapping[Signal, dict[str, Any]] = {
    Signal.ACCEPT: answered(Verdict.ACCEPTED),
    Signal.REJECT: {**answered(Verdict.REJECTED, Cause.AUTHENTICATION_TIMEOUT), "proof": "unchanged"},
    Signal.LOSE: answered(Verdict.NONE),
    Signal.UNSENT: answered(Verdict.UNSENT),
    Signal.PROVE_NOT: {"proof": "unchanged"},
    Signal.PAYMENT: {"payment": "p-1"},
    Signal.FIND: {"finding": "done", "evidence": "the meter is off"},
    Signal.CONFIRM: {"finding": "done", "found_step": 0},
}


class History:
    """The acts of one order.

    Args:
        order: what is wanted.

    """

    def __init__(self, order: Order) -> None:
        self.acts: list[Act] = [Life.begin(order, at=NOON, actor="clerk")]
        self.at = NOON

    @property
    def life(self) -> Life:
        """What all of them make of it."""
        return Life.of(self.acts)

    def take(self, signal: Signal, *, actor: str = "anna", after_s: int = 1, **body: Any) -> Life:
        """Let something happen."""
        self.at += timedelta(seconds=after_s)
        life = self.life
        told = {**body_of(signal, life.order.kind), **body}
        self.acts.append(life.next(signal, at=self.at, actor=actor, body=told))
        return self.life

    def refused(self, cause: Cause = Cause.AUTHENTICATION_TIMEOUT) -> Life:
        """Let the meter say no to what was sent, and a look bear it out."""
        self.take(Signal.LOSE, **answered(Verdict.REJECTED, cause))
        return self.take_all([Signal.READ_BACK, Signal.REJECT])

    def take_all(self, signals: Iterable[Signal]) -> Life:
        """Let one thing happen after another."""
        for signal in signals:
            self.take(signal)
        return self.life


def at_state(state: OrderState, kind: OrderKind | None = None, **fields: Any) -> History:
    """An order that stands there."""
    usual = OrderKind.PERMIT_CLOSE if state is OrderState.WAITING_FOR_KEY else OrderKind.TRIP
    history = History(order(kind or usual, **fields))
    if state is OrderState.REJECTED:
        history.take_all(TO_SENDING)
        history.refused()
    else:
        history.take_all(WAYS[state])
    return history


def timeline_at(now: datetime) -> Timeline:
    """Of a program that begins now: whatever an order has behind it was in an earlier life."""
    return Timeline(SimClock(now))
