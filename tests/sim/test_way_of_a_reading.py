"""From the journal to the database through everything that can break between them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.memory import Key, MemorySink, Value
from meterlink.ingest.subscriber import Subscriber
from meterlink.journal.journal import Journal
from meterlink.model.envelope import Envelope
from meterlink.model.reading import LogRow
from meterlink.publish.relay import SINK, Relay
from meterlink.transports.memory import MemoryBroker
from metersim.loop import Simulation
from tests.support.records import record

_ROWS = 300
_WINDOW = 20


class _Plant:
    """Everything between a journal and a database, with one seed for all of its misfortunes."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.sim = Simulation(seed=seed)
        self.folder = folder
        self.published: Counter[int] = Counter()
        self.broker = MemoryBroker(inflight_max=50, on_publish=self._count)
        self.broker.transit_s = 0.01
        self.broker.puback_delay_s = 0.02
        self.sink = MemorySink()
        self.breaks = 0

    def _count(self, _topic: str, payload: bytes) -> None:
        self.published[Envelope.from_json(payload).seq] += 1

    @asynccontextmanager
    async def running(self, *, embedded: bool = False) -> AsyncIterator[tuple[Journal, Relay]]:
        """The daemon from its start to the moment it is killed."""
        async with AsyncExitStack() as stack:
            journal = await stack.enter_async_context(
                Journal.open(self.folder / "j.db", clock=self.sim.clock)
            )
            letters = await stack.enter_async_context(
                DeadLetters.open(self.folder / "d.db", clock=self.sim.clock)
            )
            if embedded:  # its broker has forgotten everything: see what really arrived
                await journal.sinks.rewind(SINK, await letters.highest_seq("g"))
            relay = Relay(journal, self.broker, site="s", gateway="g", random=self.sim.random, window=_WINDOW)
            subscriber = Subscriber(self.broker, self.sink, letters, random=self.sim.random)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(subscriber.run(), name="ingest"),
                    tasks.create_task(relay.run(), name="relay"),
                ]
                yield journal, relay
                for task in running:
                    task.cancel()

    async def misfortunes(self, count: int) -> None:
        """Cut the broker's clients, take the database away, bring it back, lose PUBACKs."""
        random = self.sim.random
        for _ in range(count):
            await asyncio.sleep(random.uniform(0, 0.5))
            match random.randrange(5):
                case 0:
                    self.broker.cut("g-relay")
                    self.breaks += 1
                case 1:
                    self.broker.cut("meterlink-ingest")
                case 2:
                    self.broker.cut()
                    self.breaks += 1
                case 3:
                    self.broker.pubacks_to_lose += 1
                    self.breaks += 1
                case _:
                    self.sink.away = "503 Service Unavailable"
                    await asyncio.sleep(random.uniform(0, 5))
                    self.sink.away = ""
        self.sink.away = ""
        self.broker.pubacks_to_lose = 0

    async def keep(self, journal: Journal, start: int, count: int) -> None:
        for n in range(start, start + count):
            await journal.keep(record(n, meter=f"m{n % 7}"))
            await asyncio.sleep(self.sim.random.uniform(0, 0.02))

    async def settle(self, journal: Journal, relay: Relay) -> None:
        await relay.drained()
        await asyncio.sleep(120)  # longer than every wait between tries
        assert journal.newest_id == await journal.sinks.cursor(SINK)

    @staticmethod
    def points_of(rows: list[LogRow]) -> dict[Key, dict[str, Value]]:
        """What the database has to hold when it has these rows of the journal."""
        expected: dict[Key, dict[str, Value]] = {}
        for row in rows:
            for reading in row.readings:
                assert reading.value is not None
                tags = (("gateway", "g"), ("meter", reading.meter), ("site", "s"))
                key = (row.record.data_class, tags, int(reading.slot.timestamp()))
                expected.setdefault(key, {})[reading.item.replace(".", "_")] = float(reading.value)
        return expected

    @property
    def repeats(self) -> int:
        return self.published.total() - len(self.published)


@pytest.mark.parametrize("seed", range(15))
def test_every_reading_arrives_through_any_misfortune(tmp_path: Path, seed: int) -> None:
    """The one promise: what the journal has, the database has, record by record."""
    plant = _Plant(tmp_path, seed)

    async def body() -> list[LogRow]:
        async with plant.running() as (journal, relay):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(plant.keep(journal, 0, _ROWS))
                tasks.create_task(plant.misfortunes(25))
            await plant.settle(journal, relay)
            return await journal.rows_after(0, _ROWS + 1)

    rows = plant.sim.run(body())
    assert _ROWS == len(rows)
    assert plant.points_of(rows) == plant.sink.points
    assert {row.id for row in rows} == set(plant.published)
    assert plant.repeats <= plant.breaks * _WINDOW


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("embedded", [False, True], ids=["broker", "embedded broker"])
def test_every_reading_arrives_through_restarts(tmp_path: Path, seed: int, embedded: bool) -> None:
    """Killed again and again: with a broker of its own the daemon even loses what the broker had taken."""
    plant = _Plant(tmp_path, seed)
    starts = 6

    async def life(number: int) -> None:
        async with plant.running(embedded=embedded) as (journal, _relay), asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(plant.keep(journal, number * 50, 50))
            misfortunes = tasks.create_task(plant.misfortunes(3))
            await asyncio.sleep(plant.sim.random.uniform(0, 1.0))
            keeping.cancel()
            misfortunes.cancel()
        plant.sink.away = ""
        plant.broker.pubacks_to_lose = 0
        if embedded:
            plant.broker.forget()

    async def last() -> list[LogRow]:
        async with plant.running(embedded=embedded) as (journal, relay):
            await plant.settle(journal, relay)
            return await journal.rows_after(0, 10_000)

    for number in range(starts):
        plant.sim.run(life(number))
    rows = plant.sim.run(last())
    assert len(rows) >= starts, "each life has kept some"
    assert plant.points_of(rows) == plant.sink.points
    assert {row.id for row in rows} == set(plant.published)
