"""Serial servers that dial in, from the registration to a reading, with the simulator's at the far end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line as BusLine
from meterlink.bus.queue import Priority
from meterlink.config import Settings
from meterlink.daemon.serial_servers import SerialServers
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import LineLost, ReplyTimeout
from meterlink.transports.hall import Hall
from meterlink.transports.memory_server import dial
from meterprofiles import generic
from metersim import Line, Simulation, Station
from metersim.serving.serial_server import SerialServer, ServerHabits
from tests.support.paced import A161, A162, meter645
from tests.support.simulated import Duplex

URL = "listen://127.0.0.1:9100?device="
TOLD = {"registration": "{device}\\r\\n", "heartbeats": ["<beat>"], "heartbeat_s": 60}
TIMING = Timing(reply_timeout_s=2.0, octet_gap_s=0.5, answer_max_s=3.0)


class Site:
    """The daemon's side of one port, and what dials it.

    Args:
        sim: the simulated world.

    """

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.settings = Settings.model_validate(
            {
                "lines": [
                    {"name": device, "url": f"{URL}{device}", "serial_server": TOLD} for device in ("A", "B")
                ],
                "meters": [
                    {"id": "a", "address": A161, "line": "A"},
                    {"id": "b", "address": A162, "line": "B"},
                ],
            }
        )
        self.servers = SerialServers(self.settings)
        self.hall: Hall[Any] | None = None
        self.driver = Dlt645Driver(sim.clock, profile=generic("dlt645-2007"))

    @asynccontextmanager
    async def listening(self, host: str, port: int, hall: Hall[Any]) -> AsyncIterator[int]:
        """A port opener without a socket."""
        self.hall = hall
        yield port
        await hall.close()

    def plant(self, address: str, device: bytes, **habits: Any) -> SerialServer:
        """One meter behind a serial server."""
        line = Line([Station(meter=meter645(address), reply_delay_ms=20)], clock=self._sim.clock)
        said = {"registration": device + b"\r\n", "heartbeat": b"<beat>", "heartbeat_s": 50, **habits}
        return SerialServer(line, ServerHabits(**said))

    def call(self, server: SerialServer, group: asyncio.TaskGroup) -> Duplex:
        """Let a serial server dial; gives its end of the connection."""
        assert self.hall is not None
        far = Duplex(dial(self.hall))
        group.create_task(server.serve(far))
        return far

    def line(self, name: str, group: asyncio.TaskGroup) -> BusLine:
        """The owner of a line of the configuration."""
        settings = next(line for line, _ in self.settings.meters_by_line() if line.name == name)

        async def never() -> Any:
            raise AssertionError("nobody dials a server that dials in")

        line = BusLine(name, opener=self.servers.way(settings, never), timing=TIMING, rng=random.Random(1))
        group.create_task(line.run())
        return line

    async def energy(self, line: BusLine, address: str) -> str:
        """Read a meter."""
        answer = await self.driver.read(line, address, "forward_active_energy", priority=Priority.ON_DEMAND)
        return str(answer.values[0].value)


Story = Callable[[Site, asyncio.TaskGroup], Awaitable[None]]


def play(story: Story) -> None:
    """Run a story; whatever still runs at its end is cut off."""
    sim = Simulation(seed=1)

    async def main() -> None:
        site = Site(sim)
        async with site.servers.open(site.listening) as ports:
            assert ["127.0.0.1:9100"] == ports
            try:
                async with asyncio.TaskGroup() as group:
                    await story(site, group)
                    raise _TheEndError
            except* _TheEndError:
                pass

    sim.run(main())


class _TheEndError(Exception):
    pass


def test_a_server_that_dials_in_is_a_line_and_its_heartbeats_harm_no_answer() -> None:
    """Serial servers beat in the middle of answers: each such reading would be missed."""

    async def story(site: Site, group: asyncio.TaskGroup) -> None:
        line = site.line("A", group)
        with pytest.raises(LineLost, match="it dials in"):
            await site.energy(line, A161)
        site.call(site.plant(A161, b"A", heartbeat_inside=1.0), group)
        site.call(site.plant(A162, b"B", heartbeat_inside=1.0, pack_ms=10, packet_octets=5), group)
        await asyncio.sleep(20)
        other = site.line("B", group)
        for _ in range(20):
            assert await site.energy(line, A161)
            assert await site.energy(other, A162)
        with pytest.raises(ReplyTimeout):
            await site.energy(line, A162)

    play(story)


def test_the_newest_connection_of_a_device_is_its_line() -> None:
    """Behind mobile networks a connection dies without a word, and the server calls again from elsewhere."""

    async def story(site: Site, group: asyncio.TaskGroup) -> None:
        line = site.line("A", group)
        first = site.plant(A161, b"A")
        site.call(first, group)
        await asyncio.sleep(1)
        assert await site.energy(line, A161)
        first.half_open()
        site.call(site.plant(A161, b"A"), group)
        await asyncio.sleep(1)
        with pytest.raises(LineLost, match="dialled in anew"):
            await site.energy(line, A161)
        await asyncio.sleep(1)
        assert await site.energy(line, A161)

    play(story)


def test_a_device_that_nobody_knows_is_told_and_turned_away() -> None:
    """A wrong text in a configuration is seen only in what comes instead."""

    async def story(site: Site, group: asyncio.TaskGroup) -> None:
        assert site.hall is not None
        with capture_logs() as logs:
            site.call(site.plant(A161, b"C"), group)
            await asyncio.sleep(1)
        assert 1 == site.hall.counts.turned_away
        (told,) = [entry for entry in logs if entry["event"] == "caller_turned_away"]
        assert "registers with 'C\\r\\n'" in told["reason"]

    play(story)


def test_a_server_that_beats_no_more_is_gone() -> None:
    """Its line would ask into a dead connection until each question had run out."""

    async def story(site: Site, group: asyncio.TaskGroup) -> None:
        assert site.hall is not None
        beating, silent = site.plant(A161, b"A"), site.plant(A162, b"B", heartbeat=b"")
        site.call(beating, group)
        site.call(silent, group)
        await asyncio.sleep(179)
        assert 2 == site.hall.terminals
        await asyncio.sleep(2)
        assert 1 == site.hall.terminals

    play(story)
