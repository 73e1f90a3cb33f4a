"""The acts of one order and one alarm, as the rooms that make them write them."""

from __future__ import annotations

from datetime import timedelta

from meterlink.model.act import Act
from meterlink.model.order import Order, OrderKind
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarm, Seen, raising
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from tests.support.records import EPOCH

ORDER = Order(
    id="o-1",
    kind=OrderKind.TOP_UP,
    meter="m1",
    reason="充值",
    deadline_at=EPOCH + timedelta(hours=1),
    amount_cents=5_000,
)


def created(meter: str = "m1") -> Act:
    """The first act of a top-up."""
    order = Order.of(ORDER.id, {**ORDER.body, "meter": meter})
    return Life.begin(order, at=EPOCH, actor="李雷")


def cancelled(first: Act) -> Act:
    """The act behind it: it is withdrawn."""
    return Life.of([first]).next(Signal.CANCEL, at=EPOCH + timedelta(seconds=5), actor="韩梅梅")


def alarmed(meter: str = "m1", before: Alarm | None = None) -> Act:
    """An alarm of a relay that does not obey."""
    seen = Seen(
        rule="RELAY_FAULT",
        origin="CTRL-20",
        meter=meter,
        value="5.2 A",
        threshold="0.025 A",
        estimate_kwh="12.5",
        estimate_cents=750,
        evidence=("o-1",),
    )
    return raising(seen, at=EPOCH, zone=CHINA_TIME, actor="meterlink", before=before)
