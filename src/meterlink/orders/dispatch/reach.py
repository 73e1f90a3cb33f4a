"""How a meter is reached with an order: who it is, its driver, its proof of being allowed, its manners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.control import ControlDriver
from meterlink.drivers.proving import Security
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.roster.roster import RosterMeter

TRIP_DELAY: Final = timedelta(minutes=10)
"""What meters are usually set to at most, between a trip and the opening of the contact."""


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
        facts: what is proven of its model and of the firmware that it has just told; ``None``: of all that
            its model is known with.
        trip_delay: how long the looks after a trip stay close together.

    """

    meter: RosterMeter
    driver: ControlDriver
    security: Callable[[], Security]
    operator_code: str
    reply_timeout: timedelta
    facts: Callable[[str | None], Awaitable[SwitchFacts]]
    trip_delay: timedelta = TRIP_DELAY


Reaches = Mapping[str, Reach]
"""By our id of the meter."""
