"""The work that the end of an order leaves to people: which kind, and in which words.

Source: decision 21; CTRL-12, CTRL-16, CTRL-17; business-rules 2.2 and 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meterlink.model.act import Act
from meterlink.model.order import CLOSES, Order, OrderKind, OrderState, Origin
from meterlink.orders.attention.words import WORDS_MAX, as_words
from meterlink.orders.attention.work import opening
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.life.history import NOT_NEEDED
from meterlink.orders.life.life import Life
from meterlink.orders.paid.told_of_money import counted
from meterlink.orders.people import DAEMON

_ENDS: Final[Mapping[OrderState, tuple[WorkKind | None, WorkKind | None, WorkKind | None]]] = {
    OrderState.UNKNOWN: (WorkKind.UNKNOWN_OUTCOME, WorkKind.MANUAL, WorkKind.UNKNOWN_OUTCOME),
    OrderState.RELAY_FAULT: (WorkKind.RELAY_FAULT, WorkKind.MANUAL, WorkKind.RELAY_FAULT),
    OrderState.REJECTED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, WorkKind.OTHER),
    OrderState.NOT_DONE: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, WorkKind.OTHER),
    OrderState.WAITING_FOR_KEY: (WorkKind.FIELD_ORDER, None, None),
    OrderState.EXPIRED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, None),
    OrderState.REFUSED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, WorkKind.OTHER),
    OrderState.CANCELLED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, None),
}
"""By the end of an order, the work that it leaves: of a closing, of a top-up, of anything else."""
_BY_RULE: Final[Mapping[str, WorkKind]] = {
    "CTRL-12": WorkKind.IDENTITY,
    "HOLD-01": WorkKind.HOLD,
}
"""Of what a rule refused: the work that this rule leaves, whatever the order was."""


def work_of(life: Life, act: Act, dark: str = "") -> list[Act]:
    """The work that the end of an order leaves to people: one item, or none.

    Args:
        life: of the order, at its end.
        act: that ended it.
        dark: since when a household is dark that waits for its money; empty: none does.

    """
    of_close, of_top_up, of_others = _ENDS.get(life.state, (None, None, None))
    kind = of_close if life.order.kind in CLOSES else of_others
    if life.order.kind is OrderKind.TOP_UP:
        kind = of_top_up
    if life.state is OrderState.REFUSED:
        kind = _of_refused(life, act, kind)
    elif life.state is OrderState.CANCELLED and not _is_owed(life.order):
        kind = None
    elif life.state is OrderState.EXPIRED and life.order.origin is Origin.PAYMENT:
        kind = kind or WorkKind.OTHER  # the household is warned on, and nobody would know
    elif life.order.origin is Origin.PROBE and kind is WorkKind.OTHER:
        kind = None  # a no may be what the probe is to bring out, and whoever asks stands at the meter
    if kind is None:
        return []
    is_dark = dark and kind is WorkKind.MANUAL
    why = with_last(_told(life, act), dark if is_dark else "")
    return [opening(kind, why, at=act.at, actor=DAEMON, meter=life.order.meter, order=life.order.id)]


def _of_refused(life: Life, act: Act, kind: WorkKind | None) -> WorkKind | None:
    """A person who says no has seen it, unless somebody has paid; and what nobody waits for needs nobody."""
    stopping = [one["rule"] for one in act.body.get("rules", []) if not one["passed"]]
    if frozenset(stopping) == NOT_NEEDED:
        return None
    for rule in stopping:
        if rule in _BY_RULE:
            return _BY_RULE[rule]
    is_sent_to_field = act.body.get("stop") == "field"
    is_awaited = life.order.origin is Origin.PAYMENT
    if act.actor != DAEMON:
        return kind if _is_owed(life.order) else None
    return kind if is_sent_to_field or is_awaited else None


def _is_owed(order: Order) -> bool:
    """Whether somebody has paid for it: whoever takes it back, the customer is still in the dark."""
    return order.origin is Origin.PAYMENT and (order.kind in CLOSES or order.kind is OrderKind.TOP_UP)


def with_last(told: str, last: str) -> str:
    """Words that end with what must not be cut off, whatever stands before it; empty: nothing does."""
    behind = f". {last}" if last else ""
    return as_words(told, WORDS_MAX - len(behind)) + behind


def _told(life: Life, act: Act) -> str:
    stopping = [f"{one['rule']}: {one['en']}" for one in act.body.get("rules", []) if not one["passed"]]
    why = str(act.body.get("told", "")) or "; ".join(stopping)
    if life.order.kind is OrderKind.TOP_UP and life.state is OrderState.UNKNOWN:
        seen = counted(act.body.get("inputs", {}), life.order.amount_cents or 0)
        why = "; ".join(filter(None, (why, seen)))
    by = "" if act.actor == DAEMON else f" by {act.actor}"
    told = f"order {life.order.id} ({life.order.kind.value}) ended as {life.state.value}{by}"
    return f"{told}: {why}" if why else told
