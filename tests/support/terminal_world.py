"""A terminal of Q/GDW 1376.1 with a stocked store, in simulated time: hall, lines, driver and reporter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import StoredAnswer, Wanted
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.gdw1376.driver import Gdw1376Driver
from meterlink.drivers.gdw1376.reporter import Reporter
from meterlink.drivers.gdw1376.session import StationSession
from meterlink.drivers.gdw1376.settings import TerminalSettings
from meterlink.drivers.gdw1376.station import Station, timing_of
from meterlink.drivers.gdw1376.tunnel import through
from meterlink.drivers.reports import Report
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.hall import Hall
from meterlink.transports.memory import memory_line
from meterlink.transports.memory_server import dial
from meterlink.transports.protocol_stream import ProtocolStream
from meterlink.transports.stream import ByteStream
from metersim import Simulation
from metersim.loop import SimClock
from meterwire.gdw1376.formats.times import Moment
from tests.support.stocked_terminal import StockedTerminal

ADDRESS, OTHER = "000000011278", "000000011279"
DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=CHINA_TIME).astimezone(UTC)
YESTERDAY = Moment(year=26, month=11, day=22)
READ_AT = Moment(year=26, month=11, day=23, hour=0, minute=5)
FORWARD = "forward_active_energy.*"


class World:
    """One terminal, its line, the line above the tunnel, and a driver."""

    def __init__(
        self, terminal: StockedTerminal, settings: TerminalSettings, clock: SimClock, dials: bool
    ) -> None:
        self.clock = clock
        self.terminal = terminal
        terminal.shown = terminal.shown or self.local
        self.station = Station(settings, clock=self.clock, zone=CHINA_TIME)
        self.hall = Hall(lambda: StationSession({settings.name: self.station}))
        self.upper = Line(
            "station",
            opener=self._dial if dials else self.hall.door(settings.name),
            timing=timing_of(settings),
            rng=random.Random(1),
            ear=self._ear if dials else None,
            ear_parses=True,
        )
        self.line = Line(
            "meters",
            opener=through(self.station, self.upper),
            timing=Timing(reply_timeout_s=settings.forward_timeout_s),
            rng=random.Random(2),
        )
        self.driver = Gdw1376Driver(Dlt645Driver(self.clock), self.station, self.upper)
        self.loop = asyncio.get_running_loop()
        self.reports: list[Report] = []
        self.reporter = Reporter(self.station, [ADDRESS], self.reports.append)
        self.tasks = [self.loop.create_task(one.run()) for one in (self.upper, self.line)]
        self.far: ByteStream | None = None
        self.dials = 0

    async def connect(self) -> ProtocolStream:
        far = dial(self.hall)
        self.tasks.append(self.loop.create_task(self.terminal.serve(far)))
        await asyncio.sleep(0.1)
        self.far = far
        return far

    def local(self) -> datetime:
        """What a clock there shows that is right."""
        return self.clock.utc_now().astimezone(CHINA_TIME).replace(tzinfo=None)

    async def dialled(self) -> ByteStream:
        """The far end of the connection that we have dialled."""
        await asyncio.sleep(1)
        assert self.far is not None
        return self.far

    async def _dial(self) -> ByteStream:
        near, self.far = memory_line()
        self.dials += 1
        self.tasks.append(self.loop.create_task(self.terminal.serve(self.far, login=False)))
        return near

    def _ear(self) -> StationSession:
        name = self.station.name
        return StationSession({name: self.station}, dialled=name)

    async def stored(
        self, items: Any, slots: Any, data_class: Any = DAILY_FREEZE, every_s: int = 0
    ) -> StoredAnswer:
        wanted = Wanted(data_class, items, slots, every_s)
        return await self.driver.read_stored(self.line, ADDRESS, wanted, priority=Priority.BILLING)


def run(
    body: Callable[[World], Awaitable[None]],
    terminal: StockedTerminal,
    *,
    start: datetime = MIDNIGHT + timedelta(hours=9),
    connects: bool = True,
    dials: bool = False,
    **settings: Any,
) -> None:
    """Carry out a story in simulated time."""
    simulation = Simulation(start=start)

    async def program() -> None:
        world = World(terminal, TerminalSettings(name="0171-2082", **settings), simulation.clock, dials)
        if connects:
            await world.connect()
        try:
            await body(world)
            assert not any(task.done() for task in world.tasks[:2]), "the owners of both lines are alive"
        finally:
            for task in world.tasks:
                task.cancel()
            await asyncio.wait(world.tasks)
            await world.hall.close()

    simulation.run(program())


def energies(*values: str) -> dict[str, Any]:
    return {
        "read_time": READ_AT,
        "tariffs": len(values) - 1,
        "energy_kwh": [Decimal(value) if value else None for value in values],
    }


def freeze(
    values: dict[str, Any], *, fn: int = 161, day: Moment = YESTERDAY, point: int = 1
) -> dict[Any, Any]:
    return {(0x0D, fn, point, day): values}


FIVE = energies("001234.5600", "000210.0000", "000612.2000", "000610.1000", "000916.0000")


def numbers(answer: StoredAnswer) -> dict[datetime, dict[str, str]]:
    return {
        record.slot: {value.item: str(value.value) for value in record.values} for record in answer.records
    }
