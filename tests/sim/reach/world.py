"""A draft played: the daemon as it is composed in production, before metersim's plant, life after life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from meterlink.config import Settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.daemon import Daemon
from meterlink.daemon.delivery import Outside
from meterlink.daemon.ordering import OrderWorld
from meterlink.errors import LineLost
from meterlink.ingest.memory import MemorySink
from meterlink.model.line_url import LineUrl
from meterlink.transports.hall import Hall
from meterlink.transports.memory import MemoryBroker, memory_line
from meterlink.transports.memory_server import dial
from meterlink.transports.protocol_stream import ProtocolStream
from meterlink.transports.stream import ByteStream
from metersim import FaultRule, Simulation
from metersim.gdw1376 import calling
from metersim.plant.built import BuiltPlant
from metersim.terminals import plan as calling698
from tests.sim.reach.draft import CALLS_698, CALLS_1376, CALLS_SERIAL, START, Draft, LineDraft
from tests.sim.soak.spans import Span
from tests.support.simulated import Duplex, OwnClock

STEPS_MAX: Final = 400_000_000
REDIAL_S: Final = 60.0


class World:
    """A gateway and its plant.

    Args:
        draft: what becomes of them.
        folder: of the gateway; empty.

    Attributes:
        sim: the simulation.
        plant: metersim's.
        calls: connections that terminals made.
        cut: connections that were cut.

    """

    def __init__(self, draft: Draft, folder: Path) -> None:
        self.sim = Simulation(seed=draft.seed, start=START, steps_max=STEPS_MAX)
        self.plant = BuiltPlant(draft.plant, clock=self.sim.clock)
        self._draft = draft
        self._folder = folder
        self._clock = OwnClock(self.sim.clock)
        self._broker = MemoryBroker()
        self._by_url = {line.url: line for line in draft.lines}
        self._halls: dict[int, Hall[Any]] = {}
        self._ends: dict[str, list[ByteStream]] = {}
        self.calls = 0
        self.cut = 0
        for one in draft.meters:
            for begin, end in one.away:
                between = (timedelta(seconds=begin), timedelta(seconds=end))
                self.plant.rules.add(FaultRule(what="loss", meter=one.address, line="*", between=between))

    @property
    def journal(self) -> Path:
        """The file of the journal."""
        return self._folder / JOURNAL_FILE

    def play(self) -> None:
        """Everything, from the first life to the last."""
        self.sim.run(self._play())

    async def _play(self) -> None:
        """The plant lives all the time; the daemon comes and goes."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            beside = [group.create_task(work, name=name) for name, work in self._works()]
            for life in self._draft.lives:
                await asyncio.sleep(max(0.0, life.begin - self.sim.clock.monotonic_s()))
                await self._live(life)
            for task in beside:
                task.cancel()

    def _works(self) -> Iterable[tuple[str, Any]]:
        yield "plant", self.plant.run()
        for line in self._draft.lines:
            yield f"cuts[{line.name}]", self._cuts(line)
        for row in self._draft.plant.concentrators:
            terminal = self.plant.concentrators[row.address].terminal
            call = calling698.keep_calling(
                terminal, self._connector(row.address, CALLS_698), redial_s=REDIAL_S
            )
            yield f"calls[{row.address}]", call
        for other in self._draft.plant.terminals:
            roaming = calling.Roaming(every_s=other.roam_s, linger_s=other.linger_s, redial_s=REDIAL_S)
            connect = self._connector(other.address, CALLS_1376)
            yield (
                f"calls[{other.address}]",
                calling.keep_calling(self.plant.terminals[other.address], connect, roaming=roaming),
            )

        for line in self._draft.lines:
            if line.way == "serial":
                yield f"calls[{line.caller}]", self._keep_registering(line)

    async def _keep_registering(self, line: LineDraft) -> None:
        """A serial server dials in, says who it is, and passes on what it gets, again and again."""
        connect = self._connector(line.caller, CALLS_SERIAL)
        while True:
            with contextlib.suppress(ConnectionError, LineLost):
                far = await connect()
                await far.send(line.caller.encode())
                await self.plant.lines[line.name].serve(far)
            await asyncio.sleep(REDIAL_S)

    async def _live(self, life: Span) -> None:
        stop = asyncio.Event()
        running = self._group.create_task(self._daemon().run(stop, lambda _: None), name="daemon")
        await asyncio.sleep(max(0.0, life.end - self.sim.clock.monotonic_s()))
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    # --- ways to the plant ----------------------------------------------------------------------

    async def _open(self, url: LineUrl) -> ByteStream:
        line = self._by_url[str(url)]
        if self._is_gone(line):
            raise LineLost("[Errno 111] Connect call failed")
        ours, theirs = memory_line()
        self._ends.setdefault(line.name, []).append(theirs)
        serving = self.plant.lines[line.name].serve(Duplex(theirs))
        self._group.create_task(serving, name=f"plant[{line.name}]")
        return ours

    def _connector(self, caller: str, port: int) -> Any:
        line = next(line for line in self._draft.lines if line.caller == caller)

        async def connect() -> Far:
            hall = self._halls.get(port)
            if hall is None or self._is_gone(line):
                raise ConnectionRefusedError("nobody listens")
            self.calls += 1  # each call comes from another address
            far = dial(hall, peer=f"10.{self.calls >> 16}.{self.calls >> 8 & 0xFF}.{self.calls & 0xFF}")
            self._ends.setdefault(line.name, []).append(far)
            return Far(far, self._group)

        return connect

    def _is_gone(self, line: LineDraft) -> bool:
        now = self.sim.clock.monotonic_s()
        return any(span.begin <= now < span.end for span in line.gone)

    async def _cuts(self, line: LineDraft) -> None:
        for moment in sorted((*line.cuts, *(span.begin for span in line.gone))):
            await asyncio.sleep(max(0.0, moment - self.sim.clock.monotonic_s()))
            for end in self._ends.pop(line.name, []):
                self.cut += 1
                await end.aclose()

    # --- the gateway ----------------------------------------------------------------------------

    def _daemon(self) -> Daemon:
        outside = Outside(
            folder=self._folder,
            clock=self._clock,
            connector=self._broker,
            sink=MemorySink,
            rng=self.sim.random,
            reserve_octets=0,
        )
        settings = Settings.model_validate(self._draft.configuration)
        return Daemon(settings, outside, self._open, self._listening, orders=OrderWorld(open_desk=_no_desk))

    @asynccontextmanager
    async def _listening(self, host: str, port: int, hall: Hall[Any]) -> AsyncIterator[int]:
        del host
        self._halls[port] = hall
        try:
            yield port
        finally:
            del self._halls[port]
            await hall.close()


class Far(Duplex):
    """A terminal's end of a call, which it can cut.

    Args:
        stream: of the call.
        group: of whoever waits for the cut.

    """

    def __init__(self, stream: ProtocolStream, group: asyncio.TaskGroup) -> None:
        super().__init__(stream)
        self._group = group

    def close(self) -> None:
        """Cut it."""
        self._group.create_task(self.aclose(), name="call.cut")


@asynccontextmanager
async def _no_desk(_: Path, handler: Handler) -> AsyncIterator[None]:
    del handler
    yield
