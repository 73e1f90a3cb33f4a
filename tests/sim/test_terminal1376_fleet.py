"""A thousand terminals of Q/GDW 1376.1 on one port: all dial at once, beat, and are read, each as itself."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import count

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import StoredAnswer, Wanted
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.gdw1376.driver import Gdw1376Driver
from meterlink.drivers.gdw1376.session import StationSession
from meterlink.drivers.gdw1376.settings import TerminalSettings
from meterlink.drivers.gdw1376.station import Station, timing_of
from meterlink.drivers.gdw1376.tunnel import through
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.hall import STRANGERS_MAX, Hall
from meterlink.transports.memory_server import dial
from meterlink.transports.protocol_stream import ProtocolStream
from metersim import Simulation
from metersim.loop import SimClock
from meterwire.gdw1376.sessions.terminal_listener import HEARTBEAT
from tests.support.stocked_terminal import StockedTerminal, entry
from tests.support.terminal_world import FORWARD, MIDNIGHT, energies, freeze, numbers

FLEET = 1_000
BEAT_S = 900.0
BEATS = 3
_TOTAL = "forward_active_energy"


class _Member:
    """One terminal with one meter, its lines, and the way to read it.

    Args:
        number: 1 to ``FLEET``: of the terminal, of its meter, and the energy that it has in its store.
        clock: ours.

    """

    def __init__(self, number: int, clock: SimClock) -> None:
        self.name = f"0171-{number}"
        self.meter = f"{number:012d}"
        self.energy = f"{number}.2500"
        store = freeze(energies(self.energy, *["0000.0000"] * 4))
        self.far_end = StockedTerminal(self.name, archive=[entry(1, 1, self.meter)], store=store)
        self.far_end.shown = lambda: clock.utc_now().astimezone(CHINA_TIME).replace(tzinfo=None)
        self.settings = TerminalSettings(name=self.name, heartbeat_s=BEAT_S)
        self.station = Station(self.settings, clock=clock, zone=CHINA_TIME)
        self.far: ProtocolStream | None = None
        self._clock = clock

    def stand(self, hall: Hall[StationSession]) -> None:
        """Make its lines."""
        self.upper = Line(
            self.name, opener=hall.door(self.name), timing=timing_of(self.settings), rng=random.Random(1)
        )
        self.line = Line(
            f"meters of {self.name}",
            opener=through(self.station, self.upper),
            timing=timing_of(self.settings),
            rng=random.Random(2),
        )
        self._driver = Gdw1376Driver(Dlt645Driver(self._clock), self.station, self.upper)

    async def live(self, hall: Hall[StationSession]) -> None:
        """Dial, log in, and answer until the connection ends."""
        self.far = dial(hall)
        await self.far_end.serve(self.far)

    async def beat(self) -> None:
        """Say that it is there, each period at a moment of its own."""
        assert self.far is not None
        for period in count(1):
            self.far_end.server.call(HEARTBEAT)
            await self.far.send(self.far_end.server.octets_to_send())
            if period == BEATS:
                return
            await asyncio.sleep(BEAT_S)

    async def read(self) -> StoredAnswer:
        """Yesterday's freeze of its meter."""
        return await self._driver.read_stored(
            self.line,
            self.meter,
            Wanted(DAILY_FREEZE, [FORWARD], [MIDNIGHT]),
            priority=Priority.BILLING,
        )


async def _read_all(members: Sequence[_Member]) -> None:
    """Read every one at the same time: each tells its own energy."""
    answers = await asyncio.gather(*(member.read() for member in members))
    for member, answer in zip(members, answers, strict=True):
        assert numbers(answer)[MIDNIGHT][_TOTAL] == member.energy, member.name


@pytest.mark.timeout(120)
def test_a_thousand_terminals_come_through_one_port_and_each_is_read_as_itself() -> None:
    """Terminals would push each other out after a power cut, or one's store be kept under another's meter."""
    simulation = Simulation(start=MIDNIGHT + timedelta(hours=9))

    async def program() -> None:
        members = [_Member(number, simulation.clock) for number in range(1, FLEET + 1)]
        known = {member.name: member.station for member in members}
        hall = Hall(lambda: StationSession(known), strangers_max=FLEET + STRANGERS_MAX)
        loop = asyncio.get_running_loop()
        for member in members:
            member.stand(hall)
        owners = [loop.create_task(line.run()) for one in members for line in (one.upper, one.line)]
        living = [loop.create_task(member.live(hall)) for member in members]
        await asyncio.sleep(1)
        assert (FLEET, 0) == (hall.terminals, hall.strangers)
        await _read_all(members)
        begun_s = loop.time()
        await asyncio.gather(*(member.beat() for member in members))
        assert (BEATS - 1) * BEAT_S == loop.time() - begun_s
        await asyncio.sleep(1)
        await _read_all(members)
        told = hall.counts
        assert (FLEET, FLEET, 0, 0, 0) == (
            told.accepted, told.logins, told.replaced, told.crowded_out, told.turned_away,
        )  # fmt: skip
        assert not any(task.done() for task in [*owners, *living])
        asked = Counter(len(member.far_end.asked) for member in members)
        assert max(asked) <= 8, "what one costs does not grow with how many there are"
        for task in [*owners, *living]:
            task.cancel()
        await asyncio.wait([*owners, *living])
        await hall.close()

    simulation.run(program())
