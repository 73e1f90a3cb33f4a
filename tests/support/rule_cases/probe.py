"""What the rules make of the orders of probes, and of a meter that contradicts itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from meterlink.model.order import Origin
from meterlink.model.payload import time_out
from meterlink.orders.evidence.told import Kept
from meterlink.orders.rules.facts import Probing
from tests.support.orders import NOON
from tests.support.rule_cases.case import LIVE, PAPER, PERMIT, TRIP, Case, Made, made, seen
from tests.support.rules import HOUR, MINUTE, record

WORK_ORDER = "billing:w1"


def work_order(actor: str = "billing", hours: int = 1) -> Kept:
    """A work order that somebody told of."""
    until = time_out(NOON + hours * HOUR)
    kept = record("work_order", "w1", NOON - 2 * HOUR, until=until, why="a new model")
    return replace(kept, actor=actor)


def probe(minutes: float = 1, *, by: str = "billing", **fields: Any) -> Made:
    """A trip that a person at the meter asked for, so long ago."""
    told: dict[str, Any] = {
        "order_origin": Origin.PROBE,
        "order_reference": WORK_ORDER,
        "kept": (work_order(by),),
        "probing": Probing(by="fred", confirmed_at=NOON - minutes * MINUTE),
    }
    return made(TRIP, PAPER, **{**told, **fields})


PROBES = (
    Case("PROBE-01", "nobody at the meter asked for it", PAPER, probe(probing=None), probe()),
    Case("PROBE-01", "asked for too long ago", PAPER, probe(10.1), probe(10)),
    Case("PROBE-01", "a customer's meter without a work order", PAPER, probe(kept=()), probe()),
    Case(
        "PROBE-01",
        "a work order that is over",
        PAPER,
        probe(kept=(work_order("billing", hours=-1),)),
        probe(kept=(), meter={"is_lab": True}),
    ),
    Case("PROBE-01", "a work order of one's own", PAPER, probe(by="fred"), probe()),
    Case(
        "CTRL-20",
        "load through an open contact",
        LIVE,
        seen(PERMIT, command_open=True, contact_open=True, currents_a=(Decimal(1),), power_w=Decimal(200)),
        seen(PERMIT, command_open=True, contact_open=True, currents_a=(Decimal(0),), power_w=Decimal(0)),
    ),
)
