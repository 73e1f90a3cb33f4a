"""Gateways whose meters stand behind a simulated carrier module."""

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
from tests.support.order_gateway import OrderGateway
from tests.support.simulated import SimulatedGateway

QUICK = CarrierWays(shortest_s=0.5, longest_s=2.0, command_s=0.2, join_s=5.0, seed=3)
"""A good network of a few meters."""
LINE = "plc1"


def table(carrier: Mapping[str, object] | None = None) -> dict[str, object]:
    """The line's entry in the configuration."""
    return {"name": LINE, "url": "tcp://127.0.0.1:1", "carrier": dict(carrier or {})}


class Carried(SimulatedGateway):
    """What gateways with a module have in common.

    Attributes:
        module: the simulated one.

    """

    module: CarrierModule

    def put_behind(
        self, stations: Sequence[Station], ways: CarrierWays, protocols: Mapping[str, str]
    ) -> None:
        """Put the stations behind a module."""
        self.line_name = LINE
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
        self.serve = self.module.serve

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
        records = [row.record for row in self.rows()]
        return [one for one in records if isinstance(one, Event) and one.kind == kind]

    async def _run(self, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None, kill: bool) -> None:
        """The module works as long as the plant stands."""
        working = asyncio.get_running_loop().create_task(self.module.run())
        try:
            await super()._run(seconds, meanwhile, kill)
        finally:
            working.cancel()
            await asyncio.wait([working])


class CarriedGateway(Carried):
    """One daemon, one module, and meters behind it.

    Args:
        folder: for the journal.
        stations: the meters.
        ways: how the module is.
        carrier: the table of the line's configuration.
        protocols: as of ``SimulatedGateway``.
        more: as of ``SimulatedGateway``.

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
        tables = {**(more or {}), "lines": [table(carrier)]}
        super().__init__(folder, stations, protocols=protocols, more=tables, **others)
        self.put_behind(stations, ways, protocols or {})


class CarriedOrders(Carried, OrderGateway):
    """The same with orders.

    Args:
        folder: for the journal.
        stations: the meters.
        ways: how the module is.
        carrier: the table of the line's configuration.
        others: as of ``OrderGateway``.

    """

    def __init__(
        self,
        folder: Path,
        stations: Sequence[Station],
        *,
        ways: CarrierWays = QUICK,
        carrier: Mapping[str, object] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(folder, stations, tables={"lines": [table(carrier)]}, **others)
        self.put_behind(stations, ways, others.get("protocols", {}))
