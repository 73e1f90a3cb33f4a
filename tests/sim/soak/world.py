"""A draft played: the daemon as it is composed in production, before the plant, life after life."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from meterlink.config import Settings
from meterlink.daemon.audited import JOURNAL_FILE, RESERVE_FILE
from meterlink.daemon.daemon import Daemon
from meterlink.daemon.delivery import INGEST_FILE, Outside
from meterlink.daemon.manager import Manager
from meterlink.daemon.ordering import OrderWorld
from meterlink.ingest.memory import MemorySink
from meterlink.journal.reserve import TIGHT_OCTETS
from meterlink.model.line_url import LineUrl
from meterlink.transports.hall import Hall
from meterlink.transports.memory import MemoryBroker
from meterlink.transports.memory_server import dial
from meterlink.transports.stream import ByteStream
from metersim import Simulation
from tests.sim.soak.draft import START, Draft, Life, LineDraft
from tests.sim.soak.office import Office, told_of
from tests.sim.soak.plant import Plant
from tests.sim.soak.spans import Span
from tests.support.simulated import OwnClock

STEPS_MAX: Final = 200_000_000
RESERVE_OCTETS: Final = 65_536
"""Room that is put aside where a disk becomes full."""
LITTLE_OCTETS: Final = 8 * 1024 * 1024
"""What is free on a tight disk."""
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
        self._told: list[bytes] = []
        self._office = Office(draft, self.plant, self.sim.clock, self.journal)

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
            if self._is_in(self._draft.full):
                (self._folder / RESERVE_FILE).unlink(missing_ok=True)
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
            daemon = self._daemon()
            running = group.create_task(daemon.run(stop, lambda _: None), name="daemon")
            beside.append(group.create_task(self._replan(daemon), name="gateway.plans"))
            beside.append(group.create_task(self._office.run(life.span), name="office"))
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

    async def _replan(self, daemon: Daemon) -> None:
        """Let the daemon read its configuration again when the plans are changed, as on SIGHUP."""
        wait_s = (self._draft.replanned_at or 0.0) - self.sim.clock.monotonic_s()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
            daemon.ask_reload()

    def _daemon(self) -> Daemon:
        outside = Outside(
            folder=self._folder,
            clock=self._clock,
            connector=self._broker,
            sink=lambda: self.sink,
            rng=self.sim.random,
            reserve_octets=RESERVE_OCTETS if self._draft.full else 0,  # each folder would hold one
            free_octets=self._free_octets,
        )
        orders = OrderWorld(open_desk=self._office.open_desk)
        return Daemon(
            self._settings(),
            outside,
            self._open,
            self._listening,
            orders=orders,
            manager=Manager(reread=self._settings),
        )

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

    def _is_in(self, spans: Iterable[Span]) -> bool:
        now_s = self.sim.clock.monotonic_s()
        return any(span.begin <= now_s < span.end for span in spans)

    def _free_octets(self, _: Path) -> int:
        """Of the gateway's disk."""
        if self._is_in(self._draft.full):
            return 0
        return LITTLE_OCTETS if self._is_in(self._draft.tight) else 2 * TIGHT_OCTETS

    def _count(self, topic: str, payload: bytes) -> None:
        self.published += 1
        if self._draft.tight and "/up/reading/" in topic:
            self._told.append(payload)

    def told(self) -> Iterator[tuple[str, str, datetime, str, Decimal, datetime]]:
        """What the broker took of readings, where some may have been taken out of the journal since.

        Meter, class, slot, item, value, and when it was taken.
        """
        for payload in self._told:
            told = json.loads(payload)
            for one in told["readings"]:
                slot, taken_at = (datetime.fromisoformat(one[key]) for key in ("slot", "taken_at"))
                yield told["meter"], told["class"], slot, one["item"], Decimal(one["value"]), taken_at

    def _settings(self) -> Settings:
        draft = self._draft
        return Settings.model_validate(
            {
                "gateway": {"id": "gw", "site": "sim"},
                "mqtt": {"url": "mqtt://127.0.0.1:1883"},  # the one in memory is given
                "ingest": {"in_daemon": draft.with_database},
                "lines": [{"name": name, "url": url} for url, name in self._names.items()],
                "meters": [told_of(one) for one in draft.meters if not one.known_at],
                "plans": draft.plans_at(self.sim.clock.monotonic_s()),
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
