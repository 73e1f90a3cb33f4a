"""A case of a rule, and what cases are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.model.payload import time_out
from meterlink.orders.rules import (
    Facts,
    OtherOrder,
    Stage,
)
from tests.support.orders import NOON
from tests.support.rules import (
    DAYS,
    HOUR,
    chain,
    facts,
    live,
    policy,
    record,
    replaced,
)

TRIP, PERMIT, DIRECT = OrderKind.TRIP, OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE
TOP_UP, ALARM_OFF = OrderKind.TOP_UP, OrderKind.ALARM_OFF
GUARANTEE_ON, GUARANTEE_OFF = OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF
CREATE, APPROVE, OPERATE, PAPER, LIVE = Stage

Made = Callable[[], Facts]


class Case(NamedTuple):
    """A rule, what it stops, and the nearest that it lets go, where there is such a thing."""

    rule: str
    what: str
    stage: Stage
    stopped: Made
    allowed: Made | None = None
    also: tuple[str, ...] = ()
    """Other rules that stop it too, and rightly."""


def trip(stage: Stage = PAPER, *kept: Any, **fields: Any) -> Made:
    """A trip with some records of its chain replaced."""
    if kept:
        fields["kept"] = replaced(chain(fields.get("now", NOON)), *kept)
    return lambda: facts(TRIP, stage, **fields)


def made(kind: OrderKind, stage: Stage = PAPER, **fields: Any) -> Made:
    return lambda: facts(kind, stage, **fields)


def seen(kind: OrderKind, now: datetime = NOON, **fields: Any) -> Made:
    """An order whose meter says something else."""
    live_fields = {
        key: fields.pop(key) for key in ("identity", "clock", "purse", "provider", "opening") if key in fields
    }
    meter, kept = fields.pop("meter", {}), fields.pop("kept", None)
    told = {} if kept is None else {"kept": kept}
    said = live(kind, now, **live_fields)
    said = dataclasses.replace(said, standing=dataclasses.replace(said.standing, **fields))
    return lambda: facts(kind, LIVE, live=said, meter=meter, now=now, **told)


def balance(at: timedelta = HOUR, **fields: Any) -> Any:
    told = {"balance_cents": -12_000, "overdue_since": time_out(NOON - DAYS[60]), **fields}
    return record("balance_statement", "b1", NOON - at, **told)


def agreement(**fields: Any) -> Any:
    return record("agreement", "a1", NOON - DAYS[60], **{"automatic_trips": True, **fields})


PREPAID: dict[str, Any] = {"meter": {"agreement": "billing:a1"}}
READ: dict[str, Any] = {"readings_until": time_out(NOON - HOUR)}


def notice(served: timedelta) -> tuple[Any, Any]:
    return (
        record("notice", "n1", NOON - served, owed_cents=12_000),
        record("receipt", "n1r", NOON - served, of="n1", outcome="delivered"),
    )


def early(served: timedelta) -> list[Any]:
    """The same, with warnings before it."""
    warned = served + DAYS[2]
    return [
        *notice(served),
        record("warning", "w1", NOON - warned, channel="sms"),
        record("warning", "w2", NOON - warned + DAYS[1], channel="paper"),
        record("receipt", "w2r", NOON - warned + DAYS[1], of="w2", outcome="delivered"),
    ]


def by_policy(*kept: Any, **fields: Any) -> Made:
    told = {"order_origin": Origin.POLICY, "order_reference": "billing:v7", **PREPAID, **fields}
    records = replaced(chain(), balance(**READ), agreement(), policy(), *kept)
    return lambda: facts(TRIP, told.pop("stage", PAPER), kept=records, **dict(told))


def other(kind: OrderKind, state: OrderState, **fields: Any) -> tuple[OtherOrder, ...]:
    return (OtherOrder(id="o-2", kind=kind, state=state, is_open=True, **fields),)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def moved(text: str, **fields: Any) -> Made:
    """A trip whose whole chain lies around another time."""
    return lambda: facts(TRIP, PAPER, now=at(text), **fields)


def live_at(taken: timedelta) -> Made:
    return seen(TRIP, taken_at=NOON - taken)
