"""What must be known of one concentrator of DL/T 698.45 to reach the meters behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from meterlink.bus.exchange import PatientSession, Session
from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Measured
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.concentrator import CARRIER

METER_TIMEOUT_S: Final = 30
"""So long a concentrator waits for one meter. Source: field practice, section 5 (proxied read)."""
MARGIN_S: Final = 10.0
"""So much longer we wait for what the concentrator makes of it. Source: field practice, section 4."""
STORE_WAIT_S: Final = 1_800.0
"""Concentrators begin to read the night's freezes at 00:05. Source: field practice, section 7."""
REPLY_TIMEOUT_S: Final = 30.0
"""For what a terminal has itself, over mobile networks. Source: spec dlt698, section 1.7."""

Way = Literal["store", "proxy", "forward"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)
"""In the order in which they are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """One concentrator.

    Args:
        terminal: its address, 12 digits.
        ways: those that it offers, in their order.
        meter_timeout_s: how long it waits for one meter, 1 to 110 s.
        store_wait_s: so long after it was taken, a freeze that the store lacks is not asked of the meter: the
            concentrator is about to read it.
        port: where frames of meters are forwarded to, 8 hexadecimal digits.

    """

    terminal: str
    ways: tuple[Way, ...] = WAYS
    meter_timeout_s: int = METER_TIMEOUT_S
    store_wait_s: float = STORE_WAIT_S
    port: str = str(CARRIER)

    @property
    def port_oad(self) -> Oad:
        """The port as requests name it."""
        return Oad.of(self.port)

    @property
    def answer_timeout_s(self) -> float:
        """How long we wait for an answer that a meter has to give first."""
        return self.meter_timeout_s + MARGIN_S

    def route(self, way: Way) -> str:
        """What a reading says of the way it came by."""
        return f"terminal {self.terminal} {way}"

    def routed(self, values: Sequence[Measured], way: Way) -> tuple[Measured, ...]:
        """The values, each with the way it came by."""
        route = self.route(way)
        return tuple(value._replace(route=route) for value in values)


class Patiently:
    """A line on which answers take as long as meters behind its terminal need.

    Args:
        line: running, or held.
        reply_timeout_s: for an answer.

    """

    def __init__(self, line: Exchanging, reply_timeout_s: float) -> None:
        self._line = line
        self._reply_timeout_s = reply_timeout_s

    @property
    def name(self) -> str:
        """See ``Exchanging.name``."""
        return self._line.name

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """See ``Line.exchange``."""
        await self._line.exchange(PatientSession(session, self._reply_timeout_s), priority=priority)
