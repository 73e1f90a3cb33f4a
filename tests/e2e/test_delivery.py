"""From the journal to a real database through a real broker, while both come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from meterlink.clock import SystemClock
from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.influx import InfluxSink
from meterlink.ingest.subscriber import Subscriber
from meterlink.journal.journal import Journal
from meterlink.publish.broker import LOOPBACK, embedded_broker
from meterlink.publish.relay import SINK, Relay
from meterlink.transports.messages import MessageConnector
from meterlink.transports.mqtt import MqttConnector
from tests.support.records import EPOCH, record
from tests.support.servers import InfluxDB, Mosquitto, Point, VictoriaMetrics

_ROWS = 1_200
_METERS = 5
_T0 = int(EPOCH.timestamp())


class _Way:
    """Journal, relay, ingest and sink of one gateway."""

    def __init__(self, folder: Path, connector: MessageConnector, url: str) -> None:
        self._folder = folder
        self._connector = connector
        self._url = url

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Journal, DeadLetters]]:
        async with AsyncExitStack() as stack:
            clock = SystemClock()
            journal = await stack.enter_async_context(Journal.open(self._folder / "j.db", clock=clock))
            letters = await stack.enter_async_context(DeadLetters.open(self._folder / "d.db", clock=clock))
            sink = InfluxSink(self._url, token="t", org="o", bucket=InfluxDB.bucket, timeout_s=3)
            stack.push_async_callback(sink.aclose)
            relay = Relay(journal, self._connector, site="s", gateway="g", random=Random(1))
            subscriber = Subscriber(self._connector, sink, letters, random=Random(2))
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(subscriber.run(), name="ingest"),
                    tasks.create_task(relay.run(), name="relay"),
                ]
                while not subscriber.connected:  # noqa: ASYNC110  # its session must exist before the first message
                    await asyncio.sleep(0.01)
                yield journal, letters
                for task in running:
                    task.cancel()

    async def keep(self, journal: Journal, start: int, count: int) -> None:
        for n in range(start, start + count):
            await journal.keep(record(n, meter=f"m{n % _METERS}"))
            await asyncio.sleep(0)

    async def stored(self, journal: Journal, letters: DeadLetters) -> None:
        """Wait until the ingest has stored the last row."""
        while await letters.highest_seq("g") < journal.newest_id:  # noqa: ASYNC110  # it stands in a file
            await asyncio.sleep(0.02)
        while await journal.sinks.cursor(SINK) < journal.newest_id:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert 0 == await letters.count()


def _expected(count: int) -> list[Point]:
    tags = [(("gateway", "g"), ("meter", f"m{n % _METERS}"), ("site", "s")) for n in range(count)]
    return sorted(Point(tags[n], _T0 + n, float(n)) for n in range(count))


def _of_victoria(server: VictoriaMetrics) -> list[Point]:
    found = server.points("instant_item_t0")
    return [point._replace(tags=tuple(tag for tag in point.tags if tag[0] != "db")) for point in found]


@pytest.mark.server("mosquitto")
@pytest.mark.parametrize("version", [5, 4])
@pytest.mark.asyncio
async def test_broker_and_database_come_and_go(tmp_path: Path, influxdb: InfluxDB, version: int) -> None:
    """Whatever is away for a while: afterwards the database has what the journal has, record by record."""
    with Mosquitto() as broker:
        connector = MqttConnector(LOOPBACK, broker.port, version=version)
        way = _Way(tmp_path, connector, influxdb.url)
        misfortunes: list[tuple[Callable[[], None], Callable[[], None]]] = [
            (broker.stop, broker.start),
            (lambda: influxdb.unavailable(True), lambda: influxdb.unavailable(False)),
            (influxdb.stop, influxdb.start),
            (broker.stop, broker.start),
        ]
        part = _ROWS // len(misfortunes)
        async with way.running() as (journal, letters):
            for number, (away, back) in enumerate(misfortunes):
                keeping = asyncio.ensure_future(way.keep(journal, number * part, part))
                await asyncio.to_thread(away)
                await keeping
                await asyncio.to_thread(back)
            await way.stored(journal, letters)
    assert _expected(_ROWS) == influxdb.points("instant", "item_t0")


@pytest.mark.server("mosquitto")
@pytest.mark.asyncio
async def test_a_restart_of_the_daemon_goes_on(tmp_path: Path, victoria_metrics: VictoriaMetrics) -> None:
    """Stopped in the middle, four times: what was under way must neither be missing nor be there twice."""
    with Mosquitto() as broker:
        way = _Way(tmp_path, MqttConnector(LOOPBACK, broker.port), victoria_metrics.url)
        for number in range(4):
            async with way.running() as (journal, letters):
                await way.keep(journal, number * 300, 300)
        async with way.running() as (journal, letters):
            await way.stored(journal, letters)
    assert _expected(_ROWS) == _of_victoria(victoria_metrics)


@pytest.mark.asyncio
async def test_the_embedded_broker_serves_too(tmp_path: Path, victoria_metrics: VictoriaMetrics) -> None:
    """With nothing installed but Python and a database the way must be the same."""
    async with embedded_broker(keeps_sessions_of=["meterlink-ingest"]) as port:
        way = _Way(tmp_path, MqttConnector(LOOPBACK, port, version=4), victoria_metrics.url)
        for number in range(4):
            async with way.running() as (journal, letters):
                await way.keep(journal, number * 300, 300)
        async with way.running() as (journal, letters):
            await way.stored(journal, letters)
    assert _expected(_ROWS) == _of_victoria(victoria_metrics)
