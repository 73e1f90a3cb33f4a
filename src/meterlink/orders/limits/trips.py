"""A trip as caps and brakes count it: where it is, when it was queued and sent, how it ended."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from meterlink.model.act import Act
from meterlink.model.order import Order, OrderKind, OrderState, Origin
from meterlink.orders.life.machine import Signal
from meterlink.orders.limits.calendar import Calendar
from meterlink.roster.roster import RosterMeter

CUTS: Final = frozenset({OrderKind.TRIP, OrderKind.GUARANTEE_OFF})
"""What may cut somebody off. Source: CTRL-22."""


class Outcome(enum.StrEnum):
    """How a trip ended, for caps and brake."""

    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    """A person, a payment or time withdrew it before it was sent."""


OUTCOMES: Final[Mapping[OrderState, Outcome]] = MappingProxyType(
    {
        OrderState.DONE: Outcome.DONE,
        OrderState.UNKNOWN: Outcome.FAILED,
        OrderState.RELAY_FAULT: Outcome.FAILED,
        OrderState.REJECTED: Outcome.FAILED,
        OrderState.NOT_DONE: Outcome.FAILED,
        OrderState.REFUSED: Outcome.FAILED,
        OrderState.CANCELLED: Outcome.WITHDRAWN,
        OrderState.EXPIRED: Outcome.WITHDRAWN,
    }
)
"""What an end means for its batch. A rule's no at the meter's door is a failure too: a batch of which many
meters are not those of the file must stop."""


class Quarantine(enum.StrEnum):
    """Whether a trip is held."""

    NONE = "none"
    HELD = "held"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What is counted of one order.

    Args:
        order: its id.
        meter: our id.
        line: name.
        area: transformer area.
        by_policy: whether no person approved it.
        batch: which batch it belongs to.
        queued_at: when it was queued, or is about to be.
        sent_at: when its octets left, or are about to.
        has_left: whether an intent of it stands in the log.
        outcome: how it ended.
        ended_at: when.
        quarantine: whether it is held.
        held_at: since when it is held, or was.
        released_by: by whom it was released.

    """

    order: str
    meter: str
    line: str
    area: str
    by_policy: bool
    batch: str
    queued_at: datetime | None = None
    sent_at: datetime | None = None
    has_left: bool = False
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    quarantine: Quarantine = Quarantine.NONE
    held_at: datetime | None = None
    released_by: str = ""

    @classmethod
    def of(cls, order: Order, meter: RosterMeter, batch: str) -> Trip:
        """An order that nothing has become of."""
        return cls(
            order=order.id,
            meter=meter.id,
            line=meter.line,
            area=meter.area,
            by_policy=order.origin is Origin.POLICY,
            batch=batch,
        )

    @property
    def body(self) -> dict[str, Any]:
        """What an act says of it."""
        return {
            "meter": self.meter,
            "line": self.line,
            "area": self.area,
            "by_policy": self.by_policy,
            "batch": self.batch,
        }

    @classmethod
    def read(cls, order_id: str, body: Mapping[str, Any]) -> Trip:
        """Undo ``body``.

        Raises:
            KeyError: that is none.

        """
        return cls(
            order=order_id,
            meter=str(body["meter"]),
            line=str(body["line"]),
            area=str(body["area"]),
            by_policy=bool(body["by_policy"]),
            batch=str(body["batch"]),
        )

    def counts_since(self, instant: datetime, *, sent_only: bool) -> bool:
        """Whether it counts in the window that begins there."""
        if self.outcome is not None and not self.has_left:
            return False
        times = [self.sent_at] if sent_only else [self.sent_at, self.queued_at]
        return any(time is not None and time > instant for time in times)

    def after(self, act: Act) -> Trip:
        """The same after a step of its order."""
        match act.verb:
            case Signal.OPERATE:
                return replace(self, queued_at=act.at)
            case Signal.POSTPONE:
                return replace(self, queued_at=None, sent_at=act.at if self.has_left else None)
            case Signal.INTEND:
                return replace(self, sent_at=act.at, has_left=True, outcome=None)
        if act.is_open or self.outcome is not None:
            return self
        is_held = self.quarantine is Quarantine.HELD  # and there is nothing to release any more
        return replace(
            self,
            outcome=OUTCOMES.get(OrderState(act.body["to"])),
            ended_at=act.at,
            quarantine=Quarantine.NONE if is_held else self.quarantine,
        )


def held_subject(order_id: str) -> str:
    """What the acts about the quarantine of an order are about."""
    return f"quarantine:{order_id}"


def is_counted(order: Order) -> bool:
    """Whether an order counts among the trips: not that of a probe, by which nobody is cut off."""
    return order.kind in CUTS and order.origin is not Origin.PROBE


def batch_of(order: Order, meter: RosterMeter, creator: str, calendar: Calendar, now: datetime) -> str:
    """Which batch a trip belongs to: those of one policy and area, or of one person, on one day."""
    whose = f"policy:{order.reference}:{meter.area}" if order.origin is Origin.POLICY else f"person:{creator}"
    return f"{calendar.day(now)}:{whose}"
