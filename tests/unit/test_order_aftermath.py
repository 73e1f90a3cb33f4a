"""What the end of an order leaves to people, and when a payment reconnects: pure."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from meterlink.model.act import Act
from meterlink.model.order import ORDER_ID, OrderKind, OrderState, Origin
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.aftermath import needs_reconnection
from meterlink.orders.paid.order_ids import order_id_of
from meterlink.orders.paid.quieting import may_be_on
from meterlink.orders.paid.work_left import work_of
from tests.support.orders import NOON, at_state


def ended(state: OrderState, kind: OrderKind, **fields: Any) -> Life:
    """An order of a kind that has ended so."""
    life = at_state(OrderState.DONE).life
    is_money = kind is OrderKind.TOP_UP
    order = dataclasses.replace(life.order, kind=kind, amount_cents=1 if is_money else None, **fields)
    return dataclasses.replace(life, state=state, order=order)


def last(life: Life, actor: str = "meterlink", **body: Any) -> Act:
    """The act that ended it."""
    return Act(
        topic=at_state(OrderState.DONE).acts[0].topic,
        subject=life.order.id,
        step=life.step,
        verb=Signal.REFUSE.value,
        at=NOON,
        actor=actor,
        meter=life.order.meter,
        body=body,
    )


@pytest.mark.parametrize(
    ("state", "close", "money", "trip"),
    [
        (OrderState.DONE, None, None, None),
        (OrderState.CANCELLED, None, None, None),
        (OrderState.UNKNOWN, "unknown_outcome", "manual", "unknown_outcome"),
        (OrderState.RELAY_FAULT, "relay_fault", "manual", "relay_fault"),
        (OrderState.REJECTED, "field_order", "manual", "other"),
        (OrderState.NOT_DONE, "field_order", "manual", "other"),
        (OrderState.EXPIRED, "field_order", "manual", None),
        (OrderState.WAITING_FOR_KEY, "field_order", None, None),
    ],
)
def test_the_work_of_each_end(
    state: OrderState, close: str | None, money: str | None, trip: str | None
) -> None:
    """A household would stay in the dark, or money be lost, and nobody would be told."""
    for kind, wanted in (
        (OrderKind.PERMIT_CLOSE, close),
        (OrderKind.TOP_UP, money),
        (OrderKind.TRIP, trip),
    ):
        life = ended(state, kind)
        found = [act.body["kind"] for act in work_of(life, last(life))]
        assert ([] if wanted is None else [wanted]) == found, kind


@pytest.mark.parametrize(("origin", "wanted"), [(Origin.PAYMENT, ["other"]), (Origin.PERSON, [])])
def test_an_alarm_that_could_not_be_ended_in_time_is_somebodys_work(
    origin: Origin, wanted: list[str]
) -> None:
    """A household that owes nothing would be warned on, and nobody would know (ARR-06)."""
    life = ended(OrderState.EXPIRED, OrderKind.ALARM_OFF, origin=origin)
    assert wanted == [act.body["kind"] for act in work_of(life, last(life))]


def stopped(*rules: str) -> dict[str, Any]:
    return {
        "rules": [{"rule": rule, "passed": False, "inputs": {}, "en": "no", "zh": "否"} for rule in rules]
    }


@pytest.mark.parametrize(
    ("actor", "origin", "body", "wanted"),
    [
        ("anna", Origin.PERSON, {"told": "wrong address"}, None),
        ("meterlink", Origin.PERSON, stopped("CTRL-09"), None),
        ("meterlink", Origin.PERSON, stopped("CTRL-12"), "identity"),
        ("meterlink", Origin.PERSON, {"stop": "field", **stopped("CTRL-14")}, "other"),
        ("meterlink", Origin.PAYMENT, stopped("HOLD-01"), "hold"),
        ("meterlink", Origin.PAYMENT, stopped("NEED-01"), None),
        ("meterlink", Origin.PAYMENT, stopped("NEED-01", "CTRL-20"), "other"),
        ("meterlink", Origin.PAYMENT, stopped("CTRL-15"), "other"),
    ],
)
def test_the_work_of_what_a_rule_refused(
    actor: str, origin: Origin, body: dict[str, Any], wanted: str | None
) -> None:
    """What somebody waits for would end without a word; or every refusal would be work for somebody."""
    life = ended(OrderState.REFUSED, OrderKind.ALARM_OFF, origin=origin)
    found = [act.body["kind"] for act in work_of(life, last(life, actor, **body))]
    assert ([] if wanted is None else [wanted]) == found


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.REFUSED])
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (OrderKind.PERMIT_CLOSE, ["field_order"]),
        (OrderKind.DIRECT_CLOSE, ["field_order"]),
        (OrderKind.TOP_UP, ["manual"]),
        (OrderKind.ALARM_OFF, []),
    ],
)
def test_what_was_paid_for_is_not_taken_back_without_a_word(
    state: OrderState, kind: OrderKind, wanted: list[str]
) -> None:
    """One click of a clerk would leave somebody who has paid in the dark, and nobody would know."""
    life = ended(state, kind, origin=Origin.PAYMENT)
    acts = work_of(life, last(life, "clara", told="wrong number"))
    assert wanted == [act.body["kind"] for act in acts]
    assert all(act.body["why"].endswith(f"{state.value} by clara: wrong number") for act in acts)
    of_a_person = ended(state, kind)
    assert [] == work_of(of_a_person, last(of_a_person, "clara", told="wrong number"))


def test_the_reason_of_work_is_never_too_long() -> None:
    """An order could not end because the words about it are too many."""
    life = ended(OrderState.UNKNOWN, OrderKind.TRIP)
    (act,) = work_of(life, last(life, told="x" * 4_000))
    assert 500 == len(act.body["why"])


def test_who_was_cut_off_by_us_is_reconnected() -> None:
    """A payment would reconnect whom nobody cut off, or leave in the dark whom we did."""
    trip = ended(OrderState.DONE, OrderKind.TRIP)
    later = trip.since + timedelta(hours=1)
    close = dataclasses.replace(ended(OrderState.DONE, OrderKind.PERMIT_CLOSE), since=later)
    assert not needs_reconnection([])
    assert needs_reconnection([trip])
    assert not needs_reconnection([trip, close])
    assert needs_reconnection([close, trip]), "the log has the order of things, and no clock"
    assert needs_reconnection([dataclasses.replace(trip, state=OrderState.UNKNOWN)])
    found = dataclasses.replace(trip, state=OrderState.UNKNOWN, finding="not_done", confirmed_by="sam")
    assert not needs_reconnection([found])
    assert not needs_reconnection([dataclasses.replace(trip, state=OrderState.NOT_DONE)])
    assert not needs_reconnection([dataclasses.replace(trip, transmissions=0)])


def test_one_payment_is_one_order() -> None:
    """The same payment, told twice, would reconnect or top up twice."""
    payment = "billing:" + "p" * 64
    once = order_id_of("close", "m1", payment)
    assert ORDER_ID.fullmatch(once)
    assert once == order_id_of("close", "m1", payment)
    others = {order_id_of("close", "m2", payment), order_id_of("top-up", "m1", payment), once}
    assert 3 == len(others)


@pytest.mark.parametrize(
    ("state", "found", "is_on"),
    [
        (OrderState.DONE, {}, True),
        (OrderState.UNKNOWN, {}, True),
        (OrderState.UNKNOWN, {"finding": "not_done", "confirmed_by": "bert"}, False),
        (OrderState.UNKNOWN, {"finding": "not_done"}, True),
        (OrderState.DONE, {"has_opened": True}, False),
        (OrderState.NOT_DONE, {}, False),
        (OrderState.RELAY_FAULT, {}, False),
    ],
)
def test_an_alarm_that_may_be_on(state: OrderState, found: dict[str, Any], is_on: bool) -> None:
    """Who has paid would be warned for ever, or an order go to a meter whose alarm moved its contact."""
    life = dataclasses.replace(ended(state, OrderKind.ALARM_ON), **found)
    assert is_on == may_be_on(life)
    assert not may_be_on(dataclasses.replace(ended(state, OrderKind.TRIP), **found))
