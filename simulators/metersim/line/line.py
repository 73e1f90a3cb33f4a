"""A half-duplex line with several meters on it: octets of requests in, octets of answers out.

One exchange at a time is on the wire: a meter that was asked answers after its response delay, and until
it has, the next request waits, as it would behind the answer on a real pair of wires. Several duplexes
(the connections of a serial server) may be served at once; they take turns, and an answer goes to the
one that asked. Only a *late* answer does not hold the line: it breaks in when its time has come.
When several meters hear one request (a wildcard), their answers collide: the wire carries a 0 where any
of them sends a 0. Meters of different protocols may share a line: each is deaf to the others' frames.

Octets take no time, unless the line is paced: then each is on the wire for as many bits as the port of its
sender makes of it, requests too, and what is said at the same time collides. Both kinds of line give the
same octets, where nobody talks out of turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from metersim.line.answers import Recorder
from metersim.line.fault_rules import FaultRules
from metersim.line.language import Speaker
from metersim.line.medium import CLEAN, Medium
from metersim.line.paced import Air, PacedConversation
from metersim.line.port import Port
from metersim.line.quick import QuickConversation
from metersim.line.station import PREAMBLE_MAX, REPLY_DELAY_MS, REPLY_DELAY_MS_MAX, Station
from metersim.line.wires import LATE_ANSWERS_MAX, Clock, Duplex, Wires

__all__ = [
    "LATE_ANSWERS_MAX",
    "PREAMBLE_MAX",
    "REPLY_DELAY_MS",
    "REPLY_DELAY_MS_MAX",
    "Clock",
    "Duplex",
    "Line",
    "Station",
]


class Line:
    """Meters on one pair of wires.

    Args:
        stations: the meters, no two of one address.
        clock: asked for the moment of every answer.
        record: gets every answer just before it leaves; ``None``: nobody does.
        client: how the clients' port is declared to be set; ``None``: as that of whom they ask. A duplex
            that shows its settings (`metersim.line.wires.Tuned`) is believed instead.
        medium: what the wires and the adapter do to the octets.
        paced: octets take their time.
        rules: faults that strike where they are told to, beside those of the stations.
        name: what rules call it.

    Raises:
        ValueError: two meters have one address.

    """

    def __init__(
        self,
        stations: Sequence[Station],
        *,
        clock: Clock,
        record: Recorder | None = None,
        client: Port | None = None,
        medium: Medium = CLEAN,
        paced: bool = False,
        rules: FaultRules | None = None,
        name: str = "",
    ) -> None:
        self._wires = Wires(
            stations, clock=clock, record=record, client=client, medium=medium, rules=rules, name=name
        )
        self._air = Air() if paced else None
        self.name = name
        """What rules and happenings call it."""

    @property
    def meters(self) -> dict[str, Speaker]:
        """The meters by address, in their order."""
        return {address: station.meter for address, station in self._wires.stations.by_address.items()}

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it.

        Rubbish costs nothing but its airtime: it is skipped until a frame begins.

        Args:
            duplex: anything that carries octets; several may be served at once.

        """
        async with asyncio.TaskGroup() as group:
            conversation = (
                QuickConversation(self._wires, duplex, group)
                if self._air is None
                else PacedConversation(self._wires, self._air, duplex, group)
            )
            with suppress(ConnectionError):  # nobody is left to answer
                await conversation.run()
