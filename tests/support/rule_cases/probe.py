"""What the rules make of the orders of probes, and of a meter that contradicts itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from meterlink.model.order import OrderKind, Origin
from meterlink.model.payload import time_out
from meterlink.orders.evidence.told import Kept
from meterlink.orders.limits.caps import Limited
from meterlink.orders.rules import Stage
from meterlink.orders.rules.facts import Probing
from tests.support.orders import NOON
from tests.support.rule_cases.case import CREATE, DIRECT, LIVE, PAPER, PERMIT, TRIP, Case, Made, made, seen
from tests.support.rules import HOUR, MINUTE, record

PROBE_ORDER = "billing:w1"


def probe_order(actor: str = "billing", hours: int = 1, kind: str = "probe_order") -> Kept:
    """An order to try a customer's meter out that somebody told of."""
    until = time_out(NOON + hours * HOUR)
    words = {"premises": "an empty shop"} if kind == "probe_order" else {"why": "a new tenant"}
    kept = record(kind, "w1", NOON - 2 * HOUR, until=until, **words)
    return replace(kept, actor=actor)


def probe(
    minutes: float = 1, *, by: str = "billing", kind: OrderKind = TRIP, stage: Stage = PAPER, **fields: Any
) -> Made:
    """A trip that a person at the meter asked for, so long ago."""
    told: dict[str, Any] = {
        "order_origin": Origin.PROBE,
        "order_reference": PROBE_ORDER,
        "kept": (probe_order(by),),
        "probing": Probing(by="fred", confirmed_at=NOON - minutes * MINUTE),
    }
    return made(kind, stage, **{**told, **fields})


AT_NIGHT: dict[str, Any] = {
    "now": NOON + 10 * HOUR,
    "probing": Probing(by="fred", confirmed_at=NOON + 10 * HOUR),
    "kept": (probe_order(hours=11),),
}
"""22:00 in the plant."""

PROBES = (
    Case("PROBE-01", "nobody at the meter asked for it", PAPER, probe(probing=None), probe()),
    Case("PROBE-01", "asked for too long ago", PAPER, probe(10.1), probe(10)),
    Case("PROBE-01", "a customer's meter without a probe order", PAPER, probe(kept=()), probe()),
    Case(
        "PROBE-01",
        "a probe order that is over",
        PAPER,
        probe(kept=(probe_order(hours=-1),)),
        probe(kept=(), meter={"is_lab": True}),
    ),
    Case("PROBE-01", "a probe order of one's own", PAPER, probe(by="fred"), probe()),
    Case(
        "PROBE-01",
        "a work order for a reconnection",
        PAPER,
        probe(kept=(probe_order(kind="work_order"),)),
        probe(),
    ),
    Case(
        "PROBE-01",
        "an alarm, which may open the contact, at a protected customer's",
        CREATE,
        probe(kind=OrderKind.ALARM_ON, stage=CREATE, meter={"protected": ("life_support",)}),
        probe(kind=PERMIT, stage=CREATE, meter={"protected": ("life_support",)}),
    ),
    Case(
        "PROBE-01",
        "at night, but for what brings supply back",
        CREATE,
        probe(kind=TRIP, stage=CREATE, **AT_NIGHT),
        probe(kind=DIRECT, stage=CREATE, **AT_NIGHT),
    ),
    Case(
        "PROBE-01",
        "in a freeze",
        PAPER,
        probe(limited=Limited(frozen="typhoon")),
        probe(limited=Limited(frozen="typhoon"), kept=(), meter={"is_lab": True}),
    ),
    Case(
        "PROBE-01",
        "a closing that nobody ordered at all",
        CREATE,
        probe(kind=DIRECT, stage=CREATE, kept=()),
        probe(kind=DIRECT, stage=CREATE, kept=(probe_order(hours=-1),)),
    ),
    Case(
        "CTRL-20",
        "load through an open contact",
        LIVE,
        seen(PERMIT, command_open=True, contact_open=True, currents_a=(Decimal(1),), power_w=Decimal(200)),
        seen(PERMIT, command_open=True, contact_open=True, currents_a=(Decimal(0),), power_w=Decimal(0)),
    ),
)
