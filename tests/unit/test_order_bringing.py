"""Which orders may still bring current back where an inspector has just forbidden it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from meterlink.drivers.control import Standing
from meterlink.model.act import KeptAct
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.dispatch.looking import look_out
from meterlink.orders.life.bringing import bringing
from meterlink.orders.life.history import History
from meterlink.orders.life.look import Look
from meterlink.orders.life.machine import Signal
from tests.support import orders
from tests.support.orders import NOON, TO_READBACK, WAYS, at_state, order, standing, transmission

TRIP, PERMIT, DIRECT = OrderKind.TRIP, OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE
MONEY, GUARANTEE, ALARM = OrderKind.TOP_UP, OrderKind.GUARANTEE_ON, OrderKind.ALARM_ON
DONE, UNKNOWN, FAULT = OrderState.DONE, OrderState.UNKNOWN, OrderState.RELAY_FAULT
IN_FLIGHT = (OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED, OrderState.READBACK)
OPEN, CLOSED = standing(contact_open=True), standing(contact_open=False)


def _looked(seen: Standing) -> dict[str, Any]:
    return {"look": look_out(Look(started_at=NOON, seen=seen))}


def _names(*told: orders.History) -> list[str]:
    """Of those that bring current, out of some orders, the oldest first in the log."""
    number, histories = 0, []
    for one in told:
        acts = tuple(
            KeptAct(number=number + step, hash="0" * 64, act=act)
            for step, act in enumerate(one.acts, start=1)
        )
        number += len(acts)
        histories.append(History(life=one.life, acts=acts))
    return [life.order.id for life in bringing(histories)]


def _over(kind: OrderKind, seen: bool | None, state: OrderState = DONE, **fields: Any) -> orders.History:
    """Money or a guarantee that came while the contact stood so, and moved nothing that was seen."""
    history = orders.History(order(kind, **fields))
    shown = standing(contact_open=seen)
    told: dict[str, Any] = {"contact_open": seen} if kind is MONEY else {"before": shown}
    for signal in (*TO_READBACK, WAYS[state][-1]):
        body: Mapping[str, Any] = {}
        if signal is Signal.INTEND:
            body = {"sent": transmission(kind, **told).body}
        elif kind is not MONEY and signal is WAYS[state][-1]:
            body = _looked(shown)
        history.take(signal, **body)
    return history


@pytest.mark.parametrize("state", IN_FLIGHT)
@pytest.mark.parametrize("kind", [PERMIT, DIRECT, GUARANTEE, MONEY])
def test_what_is_on_its_way_may_bring_current(kind: OrderKind, state: OrderState) -> None:
    """Whoever holds the place would not learn of the frame that nobody can call back."""
    assert ["o-1"] == _names(at_state(state, kind))


@pytest.mark.parametrize("kind", [TRIP, OrderKind.GUARANTEE_OFF, ALARM, OrderKind.ALARM_OFF])
@pytest.mark.parametrize("state", [*IN_FLIGHT, DONE, UNKNOWN])
def test_what_closes_nothing_disturbs_nobody(kind: OrderKind, state: OrderState) -> None:
    """Each hold would raise an alarm, so that nobody looks at the one that matters."""
    assert [] == _names(at_state(state, kind))


@pytest.mark.parametrize("state", [UNKNOWN, FAULT, OrderState.WAITING_FOR_KEY])
def test_a_closing_of_which_nothing_is_proved_may_stand(state: OrderState) -> None:
    """A permit that nobody could read back stays in the meter, and the key closes behind open wires."""
    assert ["o-1"] == _names(at_state(state, PERMIT))


@pytest.mark.parametrize("is_open", [True, None])
@pytest.mark.parametrize(
    ("kind", "state"),
    [(GUARANTEE, DONE), (GUARANTEE, UNKNOWN), (GUARANTEE, FAULT), (MONEY, DONE), (MONEY, UNKNOWN)],
)
def test_what_came_over_an_open_contact_leaves_a_permit(
    kind: OrderKind, is_open: bool | None, state: OrderState
) -> None:
    """It is done, so nobody would be told, and the key closes behind open wires (facts 1 and 5)."""
    assert ["o-1"] == _names(_over(kind, is_open, state))


@pytest.mark.parametrize("kind", [GUARANTEE, MONEY])
def test_what_came_over_a_closed_contact_leaves_nothing(kind: OrderKind) -> None:
    """Every hold at a meter with a wallet would send somebody there, for money of last year."""
    assert [] == _names(_over(kind, seen=False))


def test_a_row_from_before_tells_nothing_of_the_contact() -> None:
    """A log of an earlier version would be taken for one that saw the contact closed."""
    history = _over(MONEY, seen=None)
    del next(act for act in history.acts if act.verb == Signal.INTEND).body["sent"]["contact_open"]
    assert ["o-1"] == _names(history)


def test_a_look_that_shows_the_contact_closed_ends_what_was_permitted() -> None:
    """Current that was back before the hold would raise an alarm for ever."""
    assert ["o-1"] == _names(_over(GUARANTEE, seen=True), _seen_later(OPEN))
    assert [] == _names(_over(GUARANTEE, seen=True), _seen_later(CLOSED))
    permit = at_state(UNKNOWN, PERMIT)
    assert ["o-1"] == _names(permit, _seen_later(CLOSED)), "of a closing only a proof counts"


def _seen_later(seen: Standing) -> orders.History:
    """An order that closes nothing, and at which the contact was seen."""
    later = orders.History(order(ALARM, id="o-2"))
    later.take_all(TO_READBACK)
    later.take(Signal.PROVE, **_looked(seen))
    return later


@pytest.mark.parametrize("before", [_over(GUARANTEE, seen=True), at_state(UNKNOWN, PERMIT)])
@pytest.mark.parametrize("kind", [TRIP, PERMIT])
def test_a_proof_behind_it_ends_what_was_before(before: orders.History, kind: OrderKind) -> None:
    """A meter that was cut off or closed since would be told of for ever."""
    assert [] == _names(before, at_state(DONE, kind, id="o-2"))


@pytest.mark.parametrize("kind", [TRIP, PERMIT])
@pytest.mark.parametrize("state", [OrderState.NOT_DONE, UNKNOWN, OrderState.CANCELLED])
def test_what_proves_nothing_ends_nothing(kind: OrderKind, state: OrderState) -> None:
    """A permit would be forgotten behind an order of which nobody knows whether it was obeyed."""
    assert "o-1" in _names(at_state(UNKNOWN, PERMIT), at_state(state, kind, id="o-2"))


def test_a_closing_that_was_needless_ends_what_was_before() -> None:
    """The meter showed itself closed, and the guarantee of before would be told of for ever."""
    refused = orders.History(order(PERMIT, id="o-2"))
    refused.take(Signal.REFUSE, rules=[{"rule": "NEED-01", "passed": False}])
    assert [] == _names(_over(GUARANTEE, seen=True), refused)
    other = orders.History(order(PERMIT, id="o-2"))
    other.take(Signal.REFUSE, rules=[{"rule": "CTRL-12", "passed": False}])
    assert ["o-1"] == _names(_over(GUARANTEE, seen=True), other)


@pytest.mark.parametrize(
    ("kind", "finding", "is_confirmed", "is_told"),
    [
        (PERMIT, "not_done", True, False),
        (PERMIT, "not_done", False, True),
        (PERMIT, "done", True, False),
        (GUARANTEE, "not_done", True, False),
        (GUARANTEE, "done", True, True),
        (MONEY, "not_done", True, False),
        (MONEY, "done", True, True),
    ],
)
def test_what_two_persons_found_counts(
    kind: OrderKind, finding: str, is_confirmed: bool, is_told: bool
) -> None:
    """One person's word would silence a hold, or two would have looked for nothing."""
    history = at_state(UNKNOWN, kind) if kind is PERMIT else _over(kind, seen=True, state=UNKNOWN)
    history.take(Signal.FIND, actor="dora", finding=finding, evidence="seen")
    if is_confirmed:
        seen: dict[str, Any] = {"finding": finding, "found_step": history.life.found_step}
        history.take(Signal.CONFIRM, actor="dirk", **seen)
    assert (["o-1"] if is_told else []) == _names(history)


@pytest.mark.parametrize("state", [OrderState.NOT_DONE, OrderState.EXPIRED, OrderState.QUEUED])
@pytest.mark.parametrize("kind", [PERMIT, GUARANTEE, MONEY])
def test_what_was_not_sent_or_had_no_effect_brings_nothing(kind: OrderKind, state: OrderState) -> None:
    """An order that never left would send somebody to a place for nothing."""
    assert [] == _names(at_state(state, kind))
