"""A draft played: the daemon as it is composed in production, before the plant, life after life."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from meterlink.config import Settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.daemon import Daemon
from meterlink.daemon.delivery import INGEST_FILE, Outside
from meterlink.daemon.ordering import OrderWorld
from meterlink.ingest.memory import MemorySink
from meterlink.model.line_url import LineUrl
from meterlink.transports.hall import Hall
from meterlink.transports.memory import MemoryBroker
from meterlink.transports.memory_server import dial
from meterlink.transports.stream import ByteStream
from metersim import Simulation
from tests.sim.soak.draft import START, Draft, Life, LineDraft
from tests.sim.soak.plant import Plant
from tests.support.simulated import OwnClock

STEPS_MAX: Final = 200_000_000
_FILES: Final = (JOURNAL_FILE, INGEST_FILE)


class World:
    """A gateway and its plant.

    Args:
        draft: what becomes of them.
        folder: of the gateway.

    Attributes:
        plant: with what its meters were asked and said.
        sink: the database; empty where the draft has none.
        published: messages that the broker took.

    """

    def __init__(self, draft: Draft, folder: Path) -> None:
        self.sim = Simulation(seed=draft.seed, start=START, steps_max=STEPS_MAX)
        self.plant = Plant(draft, self.sim.clock)
        self.sink = MemorySink()
        self.published = 0
        self._draft = draft
        self._folder = folder
        self._clock = OwnClock(self.sim.clock)
        self._broker = MemoryBroker(on_publish=self._count)
        terminals = {one.line: one.address for one in draft.meters}
        self._names = {
            _url(line, number, terminals[line.name]): line.name for number, line in enumerate(draft.lines)
        }
        self._hall: Hall[Any] | None = None

    @property
    def journal(self) -> Path:
        """The file of the journal."""
        return self._folder / JOURNAL_FILE

    def play(self) -> None:
        """Everything, from the first life to the last."""
        for life in self._draft.lives:
            self.sim.clock.advance(max(0.0, life.span.begin - self.sim.clock.monotonic_s()))
            self.sim.run(self._live(life))
            if life.ends == "torn":
                for name in _FILES:
                    _put_back(self._folder / name)

    async def _live(self, life: Life) -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            await self.plant.catch_up()
            self.plant.wire(group, self._draft.seed)
            beside = [
                group.create_task(self.plant.happen(), name="plant.happenings"),
                group.create_task(self._trouble(), name="gateway.troubles"),
                *(
                    group.create_task(
                        self.plant.keep_dialling(line.name, self._dial), name=f"plant[{line.name}]"
                    )
                    for line in self._draft.lines
                    if line.way == "dial"
                ),
            ]
            running = group.create_task(self._daemon().run(stop, lambda _: None), name="daemon")
            await asyncio.sleep(max(0.0, life.span.end - self.sim.clock.monotonic_s()))
            if life.ends == "torn":
                for name in _FILES:
                    _put_aside(self._folder / name)
            if life.ends != "stop":
                running.cancel()
            stop.set()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            for task in beside:
                task.cancel()
            await self.plant.close()

    async def _trouble(self) -> None:
        """The gateway's clock and its broker, as the draft has them at each time."""
        clock_off, away = self._draft.clock_off, self._draft.broker_away
        edges = sorted({edge for span in (*away, *(span for span, _ in clock_off)) for edge in span})
        while True:
            now = self.sim.clock.monotonic_s()
            off_s = sum(by_s for span, by_s in clock_off if span.begin <= now < span.end)
            self._clock.ahead = timedelta(seconds=off_s)
            if any(span.begin <= now < span.end for span in away):
                self._broker.away = True
                self._broker.cut()
            else:
                self._broker.away = False
            coming = [edge for edge in edges if edge > now]
            if not coming:
                return
            await asyncio.sleep(coming[0] - now)

    def _daemon(self) -> Daemon:
        outside = Outside(
            folder=self._folder,
            clock=self._clock,
            connector=self._broker,
            sink=lambda: self.sink,
            rng=self.sim.random,
            reserve_octets=0,  # dozens of test folders would hold one each
        )
        orders = OrderWorld(open_desk=_no_desk)
        return Daemon(self._settings(), outside, self._open, self._listening, orders=orders)

    async def _open(self, url: LineUrl) -> ByteStream:
        return await self.plant.open(self._names[str(url)])

    @asynccontextmanager
    async def _listening(self, host: str, port: int, hall: Hall[Any]) -> AsyncIterator[int]:
        del host
        self._hall = hall
        try:
            yield port
        finally:
            self._hall = None
            await hall.close()

    def _dial(self) -> ByteStream | None:
        return None if self._hall is None else dial(self._hall)

    def _count(self, topic: str, payload: bytes) -> None:
        del topic, payload
        self.published += 1

    def _settings(self) -> Settings:
        draft = self._draft
        return Settings.model_validate(
            {
                "gateway": {"id": "gw", "site": "sim"},
                "mqtt": {"url": "mqtt://127.0.0.1:1883"},  # the one in memory is given
                "ingest": {"in_daemon": draft.with_database},
                "lines": [{"name": name, "url": url} for url, name in self._names.items()],
                "meters": [
                    {
                        "id": one.id,
                        "address": one.address,
                        "line": one.line,
                        "protocol": one.protocol,
                        "model": one.model,
                    }
                    for one in draft.meters
                ],
                "plans": draft.plans,
            }
        )


def _url(line: LineDraft, number: int, terminal: str) -> str:
    match line.way:
        case "dial":
            return f"listen://127.0.0.1:9000?terminal={terminal}"
        case "tcp":
            return f"tcp://127.0.0.1:{20_000 + number}"
    return f"serial:///dev/serial/by-id/adapter{number}?baud={line.baud or 2400}&parity=even"


def _put_aside(path: Path) -> None:
    """Copy what a kill would leave of a file now: it, and its write-ahead log."""
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, source.with_name(source.name + ".torn"))


def _put_back(path: Path) -> None:
    """Let a file be what the kill left."""
    for suffix in ("", "-wal", "-shm"):
        there = path.with_name(path.name + suffix)
        there.unlink(missing_ok=True)
        if (torn := there.with_name(there.name + ".torn")).exists():
            torn.rename(there)


@asynccontextmanager
async def _no_desk(_: Path, handler: Handler) -> AsyncIterator[None]:
    del handler
    yield
