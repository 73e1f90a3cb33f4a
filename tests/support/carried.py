"""A gateway whose meters stand behind a simulated carrier module."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from meterlink.model.event import Event
from metersim import Line, Station
from metersim.carrier.module import CarrierModule
from metersim.carrier.ways import PROTOCOLS, CarrierWays
from tests.support.agreement import Answer, unkept_answers
from tests.support.simulated import Duplex, SimulatedGateway

QUICK = CarrierWays(shortest_s=0.5, longest_s=2.0, command_s=0.2, join_s=5.0, seed=3)
"""A good network of a few meters."""


class CarriedGateway(SimulatedGateway):
    """One daemon, one module, and meters behind it.

    Args:
        folder: for the journal.
        stations: the meters.
        ways: how the module is.
        carrier: the table of the line's configuration.
        more: as of ``SimulatedGateway``.

    Attributes:
        module: the simulated one.
        at_port: what stands at the module's port in its place, if anything.

    """

    def __init__(
        self,
        folder: Path,
        stations: Sequence[Station],
        *,
        ways: CarrierWays = QUICK,
        carrier: Mapping[str, object] | None = None,
        protocols: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
        **others: Any,
    ) -> None:
        line = {"name": "plc1", "url": "tcp://127.0.0.1:1", "carrier": dict(carrier or {})}
        super().__init__(
            folder,
            stations,
            protocols=protocols,
            more={**(more or {}), "lines": [line]},
            **others,
        )
        self.line_name = "plc1"
        protocols = protocols or {}
        self.module = CarrierModule(
            {
                one.meter.address: Line(
                    [one], clock=self.sim.clock, record=self.answers.append, rules=self.strikes.rules
                )
                for one in stations
            },
            protocols={
                one.meter.address: PROTOCOLS[protocols.get(one.meter.address, "dlt645-2007")]
                for one in stations
            },
            ways=ways,
        )
        self.serve = self._at_port

    def run(
        self, *, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None = None, kill: bool = False
    ) -> None:
        """See ``SimulatedGateway.run``; the module works meanwhile."""

        async def with_module() -> None:
            working = asyncio.get_running_loop().create_task(self.module.run())
            try:
                await self._run(seconds, meanwhile, kill)
            finally:
                working.cancel()
                await asyncio.wait([working])

        self.sim.run(with_module())

    def check(self) -> None:
        """See ``SimulatedGateway.check``; what the module told is no reading."""
        answers = [
            Answer(n, answer.at, answer.address, answer.values, bool(answer.faults))
            for n, answer in enumerate(self.answers)
            if answer.values
        ]
        unkept_answers(answers, [row for row in self.rows() if row.readings], self.addresses)
        self.check_database()

    def happened(self, kind: str) -> list[Event]:
        """The events of a kind in the journal."""
        return [
            row.record for row in self.rows() if isinstance(row.record, Event) and row.record.kind == kind
        ]

    async def _at_port(self, duplex: Duplex) -> None:
        await self.module.serve(duplex)
