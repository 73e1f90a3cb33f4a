"""What the conversations of one line share: its meters, its medium, whose turn it is, and its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from metersim.line.answers import Recorder
from metersim.line.fault_rules import FaultRules
from metersim.line.faults import Mischance
from metersim.line.medium import CLEAN, Chance, Medium
from metersim.line.port import Port
from metersim.line.station import Station, Stations

LATE_ANSWERS_MAX: Final = 32
"""Answers of one connection that wait for their time; more are never sent."""


class Clock(Protocol):
    """Where the line asks the time."""

    def utc_now(self) -> datetime:
        """Wall time, aware, UTC."""


class Duplex(Protocol):
    """The line's end of a connection: a socket, a pseudo-terminal, or memory."""

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` when the other side has ended."""

    async def send(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionError: the other side has gone.

        """


@runtime_checkable
class Tuned(Protocol):
    """A duplex that shows how the client has set its port, as a pseudo-terminal does."""

    def port(self) -> Port | None:
        """The settings now; ``None``: they do not matter."""


@runtime_checkable
class Prompt(Protocol):
    """A duplex that can have answers before anybody has waited for its octets."""

    def answer_with(self, at_once: Callable[[bytes], bytes | None]) -> None:
        """Ask first whether there is an answer at once.

        Args:
            at_once: takes octets and gives the answer; ``None``: whoever receives gets them again, first and
                with nothing missing.

        """


class Wires:
    """One line.

    Args:
        stations: the meters.
        clock: asked for the moment of every answer.
        record: gets every answer just before it leaves; ``None``: nobody does.
        client: how the port of the clients is declared to be set.
        medium: what the wires and the adapter do.
        rules: faults that strike where they are told to.
        name: what rules call the line.

    Raises:
        ValueError: two meters have one address.

    """

    def __init__(
        self,
        stations: Sequence[Station],
        *,
        clock: Clock,
        record: Recorder | None,
        client: Port | None,
        medium: Medium,
        rules: FaultRules | None,
        name: str,
    ) -> None:
        self.stations: Final = Stations(stations)
        self.clock: Final = clock
        self.record: Final = record
        self.medium: Final = medium
        self.chance: Final = Chance(medium)
        self.turn: Final = asyncio.Lock()
        self.plain: Final = medium == CLEAN and not self.stations.ports
        """Nothing on the way changes an octet, so that nobody has to look."""
        self.mischance: Final = {
            address: Mischance(station.faults, address, rules=rules, line=name, meter=station.meter)
            for address, station in self.stations.by_address.items()
        }
        self._client = client

    def port_of(self, duplex: Duplex) -> Callable[[], Port | None]:
        """Who says how the port at the other end of a connection is set: itself, or the declaration."""
        return duplex.port if isinstance(duplex, Tuned) else lambda: self._client
