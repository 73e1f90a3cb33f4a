"""What a step of an order changes beside its state: marks, counts, what was sent and what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from meterlink.drivers.control import Standing
from meterlink.model.act import Act
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.proof import UNSENT
from meterlink.orders.life.transmission import Transmission
from meterlink.orders.life.witnesses import has_one_bit, has_opened_apart
from meterlink.orders.life.written import answer_in, seen_in

if TYPE_CHECKING:
    from meterlink.orders.life.life import Life

ARMED_FOR: Final = timedelta(seconds=60)
"""How long an order stays armed. Source: decision 21; anchors 3.5."""
POSTPONED_FOR: Final[Mapping[OrderKind, tuple[timedelta, ...]]] = MappingProxyType(
    {
        OrderKind.TRIP: (timedelta(minutes=30),) * 3,
        OrderKind.GUARANTEE_OFF: (timedelta(minutes=30),) * 3,
    }
)
"""How long the first, second and third postponement last. Source: business-rules 2.1."""
POSTPONED_FOR_OTHERS: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
"""The same for what gives power or money; the last is that of every later one. Source: business-rules 2.2."""

Changes = dict[str, Any]


def _approve(life: Life, act: Act) -> Changes:
    return {"approvals": (*life.approvals, act.actor)}


def _authorise(_life: Life, act: Act) -> Changes:
    return {"authorised_at": act.at}


def _arm(_life: Life, act: Act) -> Changes:
    return {"armed_by": act.actor, "armed_until": act.at + ARMED_FOR}


def _operate(_life: Life, _act: Act) -> Changes:
    return {"armed_by": "", "armed_until": None}


def _postpone(life: Life, act: Act) -> Changes:
    pauses = POSTPONED_FOR.get(life.order.kind, POSTPONED_FOR_OTHERS)
    pause = pauses[min(life.postponed, len(pauses) - 1)]
    return {"postponed": life.postponed + 1, "not_before": act.at + pause}


def _intend(life: Life, act: Act) -> Changes:
    return {
        "transmissions": life.transmissions + 1,
        "sent": Transmission.of(act.body["sent"]),
        "proof": "",
        "looks": 0,
        "reauthenticated": life.reauthenticated or life.state is OrderState.REJECTED,
        "is_behind_unclear": life.is_unclear,
    }


def _seen(life: Life, act: Act) -> Changes:
    """What a look shows beside the order: that guarantee or alarm opened the contact."""
    told = act.body.get("look")
    if not told or life.sent is None or not has_one_bit(life.order.kind):
        return {}
    before, after = life.sent.before, seen_in(told["seen"])
    if not isinstance(before, Standing) or not isinstance(after, Standing):
        raise ValueError(f"order {life.order.id}: a purse was looked at for a switch")
    opened = has_opened_apart(before, after, life.sent.operator_code)
    return {"has_opened": life.has_opened or opened}


def _answered(life: Life, act: Act) -> Changes:
    """What came back, or that nobody saw it; nothing new came where a refusal is believed later."""
    if life.sent is None or life.state is not OrderState.SENDING:
        return {}
    answer = answer_in(act.body["answer"]) if act.body.get("answer") else None
    return {"sent": replace(life.sent, answer=answer, left_by=act.at)}


def _reject(life: Life, act: Act) -> Changes:
    return {**_answered(life, act), "proof": str(act.body.get("proof", ""))}


def _unsent(life: Life, act: Act) -> Changes:
    return {**_answered(life, act), "proof": UNSENT}


def _wait_for_key(_life: Life, _act: Act) -> Changes:
    return {"looks": 0}


def _prove_not(life: Life, act: Act) -> Changes:
    return {**_seen(life, act), "proof": str(act.body["proof"])}


def _look(life: Life, act: Act) -> Changes:
    return {**_seen(life, act), "looks": life.looks + 1}


def _payment(_life: Life, act: Act) -> Changes:
    return {"payment": str(act.body["payment"])}


def _leave(_life: Life, _act: Act) -> Changes:
    return {"is_left": True}


def _find(_life: Life, act: Act) -> Changes:
    return {"finding": str(act.body["finding"]), "found_by": act.actor, "found_step": act.step}


def _confirm(_life: Life, act: Act) -> Changes:
    return {"confirmed_by": act.actor}


EFFECTS: Final[Mapping[Signal, Callable[[Life, Act], Changes]]] = {
    Signal.APPROVE: _approve,
    Signal.AUTHORISE: _authorise,
    Signal.ARM: _arm,
    Signal.OPERATE: _operate,
    Signal.POSTPONE: _postpone,
    Signal.INTEND: _intend,
    Signal.ACCEPT: _answered,
    Signal.LOSE: _answered,
    Signal.REJECT: _reject,
    Signal.UNSENT: _unsent,
    Signal.PROVE: _seen,
    Signal.PROVE_NOT: _prove_not,
    Signal.CONTRADICT: _seen,
    Signal.GIVE_UP: _seen,
    Signal.LOOK: _look,
    Signal.WAIT_FOR_KEY: _wait_for_key,
    Signal.PAYMENT: _payment,
    Signal.LEAVE: _leave,
    Signal.FIND: _find,
    Signal.CONFIRM: _confirm,
}
"""What a step changes beside the state; a signal that is not here changes nothing else."""
