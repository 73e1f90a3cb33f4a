"""Supply comes back: why, how, and in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.model.payload import time_out
from meterlink.orders.evidence.told import Kept
from meterlink.orders.rules import (
    OtherOrder,
)
from tests.support.orders import NOON
from tests.support.rule_cases.case import (
    ALARM_OFF,
    CREATE,
    DIRECT,
    LIVE,
    PAPER,
    PERMIT,
    TOP_UP,
    Case,
    Made,
    balance,
    made,
    seen,
)
from tests.support.rules import (
    DAYS,
    HOUR,
    MINUTE,
    SECOND,
    record,
)

_PAID = record("payment", "p1", NOON, amount_cents=1, settles=True)
_MONEY = record("payment", "p1", NOON - MINUTE, amount_cents=10_000, settles=True)
_HELD = record("safety_hold", "h1", NOON - DAYS[3], hold="H", state="set", why="窃电")


def _sent(kind: OrderKind, payment: str) -> tuple[OtherOrder, ...]:
    """An order that has ended after three frames."""
    return (OtherOrder(id="o-2", kind=kind, state=OrderState.NOT_DONE, payment=payment, sent_at=(NOON,) * 3),)


def _of_dispute(*, sent_for: str) -> Made:
    """A closing for a dispute that was upheld, behind one that ended after three frames."""
    return made(
        PERMIT,
        kept=[record("dispute", "d1", NOON, dispute="D", state="upheld")],
        order_payment="",
        order_reference="billing:d1",
        others=tuple(replace(one, reference=sent_for) for one in _sent(PERMIT, "")),
    )


def _protection(name: str, state: str, ago: timedelta = HOUR) -> Kept:
    return record("protection", name, NOON - ago, protection="life_support", state=state)


CLOSING = (
    Case("CTRL-15", "motor load", PAPER, made(DIRECT, meter={"is_motor_load": True}), made(DIRECT)),
    Case("CTRL-15", "motor load unknown", CREATE, made(DIRECT, CREATE, meter={"is_motor_load": None})),
    Case(
        "CTRL-15",
        "no consent",
        PAPER,
        made(DIRECT, kept=[record("payment", "p1", NOON, amount_cents=1, settles=True)]),
    ),
    Case(
        "CTRL-15",
        "a consent by telephone of half an hour ago",
        PAPER,
        made(
            DIRECT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("consent", "c1", NOON - 30 * MINUTE - SECOND, form="recorded"),
            ],
        ),
        made(
            DIRECT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("consent", "c1", NOON - 30 * MINUTE, form="recorded"),
            ],
        ),
    ),
    Case(
        "CTRL-15",
        "a consent that is dated ahead",
        PAPER,
        made(DIRECT, kept=[_PAID, record("consent", "c1", NOON + SECOND, form="written")]),
        made(DIRECT, kept=[_PAID, record("consent", "c1", NOON, form="written")]),
    ),
    Case(
        "CTRL-15",
        "a consent that is over",
        PAPER,
        made(
            DIRECT, kept=[_PAID, record("consent", "c1", NOON, form="written", until=time_out(NOON - SECOND))]
        ),
        made(DIRECT, kept=[_PAID, record("consent", "c1", NOON, form="written", until=time_out(NOON))]),
    ),
    Case(
        "CTRL-15",
        "a permit that does not wait",
        PAPER,
        made(PERMIT, model={"permit_waits_for_key": "no"}),
        made(PERMIT),
    ),
    Case("CTRL-15", "a permit of which nobody knows", PAPER, made(PERMIT, model={})),
    Case(
        "CTRL-16",
        "a payment that does not settle, where there is no wallet",
        PAPER,
        made(PERMIT, kept=[record("payment", "p1", NOON, amount_cents=1, settles=False)]),
        made(
            PERMIT,
            kept=[record("payment", "p1", NOON, amount_cents=1, settles=False)],
            meter={"world": "local"},
        ),
    ),
    Case(
        "CTRL-16",
        "a payment of before the trip was ordered",
        PAPER,
        made(PERMIT, kept=[_PAID], cut_at=_PAID.number),
        made(PERMIT, kept=[_PAID], cut_at=_PAID.number - 1),
    ),
    Case(
        "CTRL-16",
        "no reason",
        PAPER,
        made(PERMIT, kept=[balance(balance_cents=-1)]),
        made(PERMIT, kept=[balance(balance_cents=0)]),
    ),
    Case(
        "CTRL-16",
        "a work order that is over",
        PAPER,
        made(
            PERMIT,
            kept=[record("work_order", "k1", NOON - HOUR, until=time_out(NOON - SECOND), why="换表")],
            order_reference="billing:k1",
        ),
        made(
            PERMIT,
            kept=[record("work_order", "k1", NOON - HOUR, until=time_out(NOON), why="换表")],
            order_reference="billing:k1",
        ),
    ),
    Case(
        "CTRL-16",
        "a protection that was lifted",
        PAPER,
        made(
            PERMIT,
            kept=[_protection("x1", "set"), _protection("x2", "lifted", MINUTE)],
            order_payment="",
            order_reference="billing:x1",
        ),
        made(PERMIT, kept=[_protection("x1", "set")], order_payment="", order_reference="billing:x1"),
    ),
    Case(
        "CTRL-16",
        "a revision of the roster that spares nobody",
        PAPER,
        made(PERMIT, kept=[], order_payment="", order_reference="roster:2", spared=frozenset({"roster:3"})),
        made(PERMIT, kept=[], order_payment="", order_reference="roster:2", spared=frozenset({"roster:2"})),
    ),
    Case(
        "CTRL-16",
        "a dispute that was rejected",
        PAPER,
        made(
            PERMIT,
            kept=[record("dispute", "d1", NOON, dispute="D", state="rejected")],
            order_reference="billing:d1",
        ),
        made(
            PERMIT,
            kept=[record("dispute", "d1", NOON, dispute="D", state="upheld")],
            order_reference="billing:d1",
        ),
    ),
    Case(
        "CTRL-17",
        "three frames",
        PAPER,
        made(
            PERMIT,
            steps={"sent_at": (NOON - 3 * SECOND,)},
            others=(
                OtherOrder(
                    id="o-2",
                    kind=PERMIT,
                    state=OrderState.NOT_DONE,
                    payment="billing:p1",
                    sent_at=(NOON - 20 * SECOND, NOON - 9 * SECOND),
                ),
            ),
        ),
        made(
            PERMIT,
            steps={"sent_at": (NOON - 3 * SECOND,)},
            others=(
                OtherOrder(
                    id="o-2",
                    kind=PERMIT,
                    state=OrderState.NOT_DONE,
                    payment="billing:p1",
                    sent_at=(NOON - 20 * SECOND,),
                ),
            ),
        ),
    ),
    Case(
        "CTRL-17",
        "three frames of two closings",
        PAPER,
        made(PERMIT, others=_sent(PERMIT, "billing:p1")),
        made(PERMIT, others=(*_sent(PERMIT, "billing:p0"), *_sent(ALARM_OFF, "billing:p1"))),
    ),
    Case(
        "CTRL-17",
        "three frames of two closings of a dispute",
        PAPER,
        _of_dispute(sent_for="billing:d1"),
        _of_dispute(sent_for="billing:d0"),
    ),
    Case(
        "CTRL-17",
        "half an hour",
        PAPER,
        made(PERMIT, steps={"sent_at": (NOON - 30 * MINUTE - SECOND,)}),
        made(PERMIT, steps={"sent_at": (NOON - 30 * MINUTE,)}),
    ),
    Case(
        "CTRL-17",
        "half an hour of a person's closing",
        PAPER,
        made(PERMIT, order_origin=Origin.PERSON, steps={"sent_at": (NOON - 30 * MINUTE - SECOND,)}),
        made(PERMIT, order_origin=Origin.PERSON, steps={"sent_at": (NOON - 30 * MINUTE,)}),
    ),
    Case(
        "CTRL-17",
        "three frames of a person's closing",
        PAPER,
        made(PERMIT, order_origin=Origin.PERSON, steps={"sent_at": (NOON - SECOND,) * 3}),
        made(
            PERMIT,
            order_origin=Origin.PERSON,
            steps={"sent_at": (NOON - SECOND,) * 2},
            others=_sent(PERMIT, "billing:p1"),
        ),
    ),
    Case(
        "HOLD-01",
        "an inspector holds it",
        PAPER,
        made(
            PERMIT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("safety_hold", "h1", NOON - DAYS[3], hold="H", state="set", why="窃电"),
            ],
        ),
        made(
            PERMIT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("safety_hold", "h1", NOON - DAYS[3], hold="H", state="set", why="窃电"),
                record("safety_hold", "h2", NOON - DAYS[1], hold="H", state="released", why="已整改"),
            ],
        ),
    ),
    Case(
        "HOLD-01",
        "money for an open contact",
        LIVE,
        seen(TOP_UP, contact_open=True, kept=[_MONEY, _HELD]),
        seen(TOP_UP, contact_open=False, kept=[_MONEY, _HELD]),
    ),
    Case(
        "HOLD-01",
        "money for a contact of which nobody knows",
        LIVE,
        seen(TOP_UP, contact_open=None, kept=[_MONEY, _HELD]),
        seen(TOP_UP, contact_open=None),
    ),
)
