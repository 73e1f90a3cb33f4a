"""From the log to the database: broker, relay and ingest, wired as the configuration says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from meterlink.clock import Clock
from meterlink.config import SecretRef, Settings
from meterlink.daemon.embedded import EmbeddedPath
from meterlink.daemon.supervise import supervised
from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.sink import PointSink
from meterlink.ingest.subscriber import CLIENT_ID, Subscriber
from meterlink.journal.journal import Journal
from meterlink.publish.relay import SINK, Relay
from meterlink.transports.messages import MessageConnector

DRAIN_S = 5.0
"""How long a stop waits for broker and database to take what has been kept; the rest goes after the start."""

INGEST_FILE = "ingest.sqlite3"
LINE_PROTOCOL_FOLDER = "line-protocol"

_DRAIN_LOOK_S = 0.05

_log = structlog.get_logger(__name__)

SinkMaker = Callable[[], PointSink]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The running relay and, where it is in the daemon, the ingest.

    Args:
        broker: URL of the broker.
        relay: follows the log.
        stored: tells up to where in the log the ingest has written; ``None``: it is elsewhere.
        journal: whose log.

    """

    broker: str
    relay: Relay
    stored: Callable[[], Awaitable[int]] | None
    journal: Journal

    async def drain(self) -> None:
        """Wait a little for broker and database to take what the log holds."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await self.relay.drained()
                while self.stored is not None and await self.stored() < self.journal.newest_id:  # noqa: ASYNC110
                    await asyncio.sleep(_DRAIN_LOOK_S)
        except TimeoutError:
            _log.warning("not_drained", waited_s=DRAIN_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What delivery needs of the world.

    Args:
        folder: where the ingest's own file is.
        clock: wall time.
        connector: the way to the broker; ``None`` starts the embedded one.
        sink: makes the place where points go.
        rng: jitter.

    """

    folder: Path
    clock: Clock
    connector: MessageConnector | None
    sink: SinkMaker
    rng: random.Random


@asynccontextmanager
async def delivering(settings: Settings, journal: Journal, world: Surroundings) -> AsyncIterator[Delivery]:
    """Run relay and ingest until the end of the block.

    Args:
        settings: checked; without a broker in it the embedded one is started.
        journal: what is published.
        world: see there.

    Raises:
        SinkAway: the ingest's file cannot be opened.
        BrokerAway: the embedded broker cannot start.

    """
    if world.connector is None:
        async with _embedded(settings, journal, world) as delivery:
            yield delivery
        return
    relay = _relay(settings, journal, world.connector, world.rng)
    broker = settings.mqtt.url if settings.mqtt else "memory"
    parts: dict[str, Callable[[], Awaitable[None]]] = {"relay": relay.run}
    if not settings.ingest.in_daemon:
        async with _running(parts):
            yield Delivery(broker=broker, relay=relay, stored=None, journal=journal)
        return
    async with ingesting(settings, world, world.connector) as (letters, ingest):
        stored = partial(letters.highest_seq, settings.gateway.id)
        async with _running({**parts, "ingest": ingest.run}):
            yield Delivery(broker=broker, relay=relay, stored=stored, journal=journal)


@asynccontextmanager
async def ingesting(
    settings: Settings, world: Surroundings, connector: MessageConnector
) -> AsyncIterator[tuple[DeadLetters, Subscriber]]:
    """Open the ingest's file and sink, and make its subscriber, which the caller runs.

    Raises:
        SinkAway: the file or the sink cannot be opened.

    """
    async with DeadLetters.open(world.folder / INGEST_FILE, clock=world.clock) as letters:
        sink = world.sink()
        try:
            client_id = f"{CLIENT_ID}-{settings.gateway.id}"
            yield (
                letters,
                Subscriber(
                    connector,
                    sink,
                    letters,
                    random=world.rng,
                    client_id=client_id,
                    lines_max=settings.ingest.batch_max,
                ),
            )
        finally:
            await sink.aclose()


def make_sink(settings: Settings, folder: Path) -> PointSink:
    """The database, or line-protocol files where none is configured.

    Raises:
        ConfigError: the token cannot be read.
        SinkAway: the folder of the files cannot be written.

    """
    influx = settings.influx
    if influx is not None:
        from meterlink.ingest.influx import InfluxSink  # noqa: PLC0415 (files need no database client)

        token = SecretRef(influx.token).reveal() if influx.token else ""
        return InfluxSink(
            influx.url, token=token, org=influx.org, bucket=influx.bucket, timeout_s=influx.timeout_ms / 1000
        )
    from meterlink.ingest.files import FileSink  # noqa: PLC0415

    files = settings.files
    return FileSink(
        files.dir or folder / LINE_PROTOCOL_FOLDER,
        file_octets_max=files.file_max_mb * 1024 * 1024,
        files_max=files.files_max,
    )


@asynccontextmanager
async def _embedded(settings: Settings, journal: Journal, world: Surroundings) -> AsyncIterator[Delivery]:
    from meterlink.publish.broker import LOOPBACK, USERNAME, embedded_broker  # noqa: PLC0415 (own broker)
    from meterlink.transports.mqtt import MqttConnector  # noqa: PLC0415

    async with embedded_broker(settings.embedded_broker.port) as port:
        connector = MqttConnector(LOOPBACK, port, username=USERNAME, version=4)

        async def rewind() -> None:
            await journal.rewind(SINK, await stored())

        path = EmbeddedPath(connector, rewind)
        async with ingesting(settings, world, path.for_ingest) as (letters, ingest):
            stored = partial(letters.highest_seq, settings.gateway.id)
            relay = _relay(settings, journal, path.for_relay, world.rng)
            async with _running({"relay": partial(path.run, relay.run), "ingest": ingest.run}):
                broker = f"mqtt://{LOOPBACK}:{port}"
                yield Delivery(broker=broker, relay=relay, stored=stored, journal=journal)


def _relay(settings: Settings, journal: Journal, connector: MessageConnector, rng: random.Random) -> Relay:
    gateway = settings.gateway
    return Relay(journal, connector, site=gateway.site, gateway=gateway.id, random=rng)


@asynccontextmanager
async def _running(parts: dict[str, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supervised(name, part), name=name) for name, part in parts.items()]
        yield
        for task in tasks:
            task.cancel()
