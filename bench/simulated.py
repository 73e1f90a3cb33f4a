"""Lines of the daemon on simulated meters in simulated time: the production parts, a journal in memory.

Simulated time is exact, so what a paced line wastes is told to the tick, whatever else this machine does. The
journal lies on a file system of memory where there is one: here nobody asks what a disk costs.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from meterlink.acquisition.on_demand import OnDemand
from meterlink.bus.work import LineWork
from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.daemon.judging import Judging
from meterlink.daemon.lines import LinePart
from meterlink.daemon.settings_check import profiles_of
from meterlink.errors import LineClosed, LineLost
from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Line, Simulation

MEMORY_FOLDER = Path("/dev/shm")  # where Linux keeps files in memory
MORNING = datetime(2026, 11, 22, 0, 30, tzinfo=CHINA_TIME)
"""All meters have taken the freeze of the night, and nobody has asked for it."""


class Wire:
    """Our stream as the simulator's duplex; counts what passes.

    Args:
        stream: the far end of a line.
        heard: is told each request.

    """

    def __init__(self, stream: ByteStream, heard: Callable[[bytes], None] = lambda _: None) -> None:
        self._stream = stream
        self._heard = heard

    async def receive(self) -> bytes:
        """What comes, or nothing at the end."""
        try:
            octets = await self._stream.receive()
        except (LineLost, LineClosed):
            return b""
        self._heard(octets)
        return octets

    async def send(self, octets: bytes) -> None:
        """Answer."""
        await self._stream.send(octets)


Serve = Callable[[ByteStream], Awaitable[None]]
"""The far end of a line: answers until the other end is gone."""


def wired(line: Line, heard: Callable[[bytes], None] = lambda _: None) -> Serve:
    """A plant's line as a far end.

    Args:
        line: of the simulator.
        heard: is told each request.

    """

    async def serve(stream: ByteStream) -> None:
        await line.serve(Wire(stream, heard))

    return serve


class Gateway:
    """The lines of a daemon, each with somebody at the far end.

    Args:
        make_ends: makes these, by the name of the line.
        settings: of the gateway; lines of the same names.
        start: first wall time.

    Attributes:
        works: what each line has done.

    """

    def __init__(
        self,
        make_ends: Callable[[Clock], Mapping[str, Serve]],
        settings: Mapping[str, Any],
        *,
        start: datetime = MORNING,
    ) -> None:
        self.sim = Simulation(seed=1, start=start)
        self.works: list[LineWork] = []
        self._ends = make_ends(self.sim.clock)
        self._settings = Settings.model_validate(settings)

    def collect(self, *records: int) -> list[float]:
        """Run until the last of these numbers of records is kept; after how many seconds each one was.

        Args:
            records: the smallest first.

        """
        with ExitStack() as stack:
            folder = MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)), "journal.sqlite3")
            return self.sim.run(self._collect(path, records))

    async def _collect(self, path: Path, records: Sequence[int]) -> list[float]:
        begun_s, reached_s = self.sim.clock.monotonic_s(), list[float]()
        async with Journal.open(path, clock=self.sim.clock) as journal, asyncio.TaskGroup() as plant:
            parts = self._parts(journal, plant)
            self.works = [part.work for part in parts]
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(part.run(), name=part.name)
                for count in records:
                    await journal.wait_beyond(count - 1)
                    reached_s.append(self.sim.clock.monotonic_s() - begun_s)
                for part in parts:
                    part.stop()
        return reached_s

    def _parts(self, journal: Journal, plant: asyncio.TaskGroup) -> Sequence[LinePart]:
        settings, clock = self._settings, self.sim.clock
        profiles, on_demand = profiles_of(settings), OnDemand(clock)
        judging = Judging(journal, lambda: settings, lambda: profiles, clock)

        def opener(name: str) -> Callable[[], Awaitable[ByteStream]]:
            async def open_line() -> ByteStream:
                near, far = memory_line()
                plant.create_task(_answering(self._ends[name], far), name=f"plant[{name}]")
                return near

            return open_line

        return [
            LinePart(
                line,
                meters,
                settings.plans,
                profiles=profiles,
                journal=journal,
                clock=clock,
                way=opener(line.name),
                rng=random.Random(1),
                zone=settings.gateway.plant_time,
                on_demand=on_demand,
                judging=judging,
            )
            for line, meters in settings.meters_by_line()
        ]


async def _answering(serve: Serve, stream: ByteStream) -> None:
    await serve(stream)
