"""How a meter is reached with an order: who it is, its driver, its proof of being allowed, its manners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.control import ControlDriver
from meterlink.drivers.proving import Security
from meterlink.orders.proof import SwitchFacts
from meterlink.roster.roster import RosterMeter


class Holding(Protocol):
    """A line that can be had for oneself."""

    @property
    def name(self) -> str:
        """What people call it."""

    def hold(self, *, priority: Priority) -> AbstractAsyncContextManager[Exchanging]:
        """See ``Line.hold``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How one meter is reached.

    Args:
        meter: who it is.
        driver: looks and sends.
        security: gives what proves an order; raises ``SecurityFailed`` where nothing does.
        operator_code: 8 digits that the meter keeps in its records.
        reply_timeout: of its line; what came later than this after a frame is nobody's answer.
        facts: what is proven of its model.

    """

    meter: RosterMeter
    driver: ControlDriver
    security: Callable[[], Security]
    operator_code: str
    reply_timeout: timedelta
    facts: SwitchFacts

    @property
    def trip_delay(self) -> timedelta:
        """Longest time from a trip to the opening of the contact, as far as it is known."""
        return self.facts.opens_within or timedelta()


Reaches = Mapping[str, Reach]
"""By our id of the meter."""
