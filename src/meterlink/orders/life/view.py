"""An order as people and programs see it: what was wanted, where it stands, every step with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meterlink.model.act import Act, KeptAct
from meterlink.model.payload import time_out
from meterlink.orders.life.life import Life


def order_view(acts: Sequence[KeptAct]) -> dict[str, Any]:
    """An order with its whole history.

    Args:
        acts: all of them.

    Raises:
        ValueError: they are not those of an order.

    """
    return {**summary(Life.of(acts)), "steps": [step_view(kept.act) for kept in acts]}


def summary(life: Life) -> dict[str, Any]:
    """An order without its history."""
    return {
        "id": life.order.id,
        **life.order.body,
        "state": life.state.value,
        "is_open": life.is_open,
        "is_unclear": life.is_unclear,
        "created_by": life.created_by,
        "created_at": time_out(life.created_at),
        "since": time_out(life.since),
        "approvals": list(life.approvals),
        "armed_until": None if life.armed_until is None else time_out(life.armed_until),
        "transmissions": life.transmissions,
        "postponed": life.postponed,
        "finding": life.finding_of_two,
        "found": _found(life),
        "meter_number": "" if life.sent is None else life.sent.meter_number,
    }


def _found(life: Life) -> dict[str, Any] | None:
    """The finding that stands, confirmed or not; ``None``: there is none."""
    if not life.finding:
        return None
    return {"finding": life.finding, "by": life.found_by, "step": life.found_step}


def step_view(act: Act) -> dict[str, Any]:
    """One step for people and programs."""
    body = dict(act.body)
    rules = body.pop("rules", [])
    told = body.pop("told", "")
    if not told and body.get("answer"):
        told = body["answer"]["told"]
    return {
        "step": act.step,
        "at": time_out(act.at),
        "verb": act.verb,
        "actor": act.actor,
        "from": body.pop("from", ""),
        "to": body.pop("to", ""),
        "rules": rules,
        "told": told,
        "body": body,
    }
