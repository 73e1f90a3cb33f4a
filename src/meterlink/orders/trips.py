"""A trip as caps and brakes count it: where it is, when it was queued and sent, how it ended."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from meterlink.model.order import Order, OrderKind, Origin
from meterlink.orders.calendar import Calendar
from meterlink.roster.roster import RosterMeter

CUTS: Final = frozenset({OrderKind.TRIP, OrderKind.GUARANTEE_OFF})
"""What may cut somebody off. Source: CTRL-22."""


class Outcome(enum.StrEnum):
    """How a trip ended, for caps and brake."""

    DONE = "done"
    FAILED = "failed"
    UNSENT = "unsent"
    """It never left: it counts in no cap and no batch."""


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
        admitted_at: when it was queued, or is about to be.
        sent_at: when its octets left, or are about to.
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
    admitted_at: datetime | None = None
    sent_at: datetime | None = None
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
        if self.outcome is Outcome.UNSENT:
            return False
        times = [self.sent_at] if sent_only else [self.sent_at, self.admitted_at]
        return any(time is not None and time > instant for time in times)


def batch_of(order: Order, meter: RosterMeter, creator: str, calendar: Calendar, now: datetime) -> str:
    """Which batch a trip belongs to: those of one policy and area, or of one person, on one day."""
    whose = f"policy:{order.reference}:{meter.area}" if order.origin is Origin.POLICY else f"person:{creator}"
    return f"{calendar.day(now)}:{whose}"
