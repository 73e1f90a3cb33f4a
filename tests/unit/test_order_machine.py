"""The table of orders: every state with every signal, and what decision 21 says about it."""

from __future__ import annotations

import dataclasses
from itertools import product

import pytest

from meterlink.errors import NotAllowed
from meterlink.model.order import OrderState
from meterlink.orders.life.machine import BEFORE_SENDING, ENDS, TRANSITIONS, Signal
from tests.support.orders import NOON, WAYS, at_state, body_of


@pytest.mark.parametrize(("state", "signal"), list(product(OrderState, Signal)))
def test_each_state_takes_what_its_row_says_and_nothing_else(state: OrderState, signal: Signal) -> None:
    """A signal that leads elsewhere, or is taken where it must not be, could send a trip twice."""
    life = at_state(state).life
    assert state is life.state
    body = body_of(signal, life.order.kind)
    target = TRANSITIONS[state].get(signal)
    if target is None:
        with pytest.raises(NotAllowed) as refused:
            life.next(signal, at=NOON, actor="bert", body=body)
        assert "state" == refused.value.why
        act = dataclasses.replace(
            at_state(OrderState.AUTHORISED).acts[1], step=life.step + 1, verb=signal.value, body=body
        )
        with pytest.raises(ValueError, match="takes no"):
            life.then(act)
        return
    act = dataclasses.replace(
        at_state(OrderState.AUTHORISED).acts[1], step=life.step + 1, verb=signal.value, body=body
    )
    assert target is life.then(act).state


def test_every_state_is_a_key_and_is_reached() -> None:
    """A state without a row would fail at the worst moment; one that is not reached is dead."""
    assert list(OrderState) == list(TRANSITIONS)
    reached = {target for row in TRANSITIONS.values() for target in row.values()}
    assert set(OrderState) == reached
    assert set(OrderState) == set(WAYS)


def test_create_is_no_step() -> None:
    """An order could be begun anew in the middle of its life."""
    assert not any(Signal.CREATE in row for row in TRANSITIONS.values())


def test_nothing_leaves_an_end() -> None:
    """An order that is over would move again."""
    for state in ENDS:
        assert {state} >= set(TRANSITIONS[state].values())


def test_only_what_is_not_out_can_be_withdrawn() -> None:
    """A trip that is on its way would be called cancelled, and its customer would sit in the dark."""
    again = {OrderState.NOT_DONE, OrderState.REJECTED}
    for state, row in TRANSITIONS.items():
        targets = set(row.values())
        assert (state in BEFORE_SENDING) == bool({OrderState.REFUSED, OrderState.EXPIRED} & targets)
        assert (state in BEFORE_SENDING | again) == (OrderState.CANCELLED in targets)
        assert (state in BEFORE_SENDING | again) == (Signal.CANCEL in row)


def test_a_frame_leaves_from_three_states_only() -> None:
    """A frame would go out behind an open question."""
    senders = {state for state, row in TRANSITIONS.items() if OrderState.SENDING in row.values()}
    senders.discard(OrderState.SENDING)  # a payment that only leaves its mark
    assert {OrderState.PRECHECK, OrderState.NOT_DONE, OrderState.REJECTED} == senders
    assert {Signal.INTEND} == {
        signal
        for state in senders
        for signal, target in TRANSITIONS[state].items()
        if target is OrderState.SENDING
    }


def test_the_way_from_sending_to_an_end_leads_through_a_read_back_or_a_no() -> None:
    """The meter's word would count as proof (fact 4)."""
    for state in (OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED):
        assert not ENDS & set(TRANSITIONS[state].values())
    assert {OrderState.READBACK, OrderState.WAITING_FOR_KEY, OrderState.DONE} == {
        state for state, row in TRANSITIONS.items() if OrderState.DONE in row.values()
    }


def test_a_payment_is_taken_wherever_a_trip_can_matter() -> None:
    """A customer who has paid would be cut off, or stay cut off (CTRL-21)."""
    deaf = {state for state, row in TRANSITIONS.items() if Signal.PAYMENT not in row}
    assert deaf == {  # never sent; or not a trip's
        OrderState.REFUSED,
        OrderState.CANCELLED,
        OrderState.EXPIRED,
        OrderState.WAITING_FOR_KEY,
    }
    for state in BEFORE_SENDING:
        assert OrderState.CANCELLED is TRANSITIONS[state][Signal.PAYMENT]
