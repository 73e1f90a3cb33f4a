"""From the log to the database: broker, relay and ingest, wired as the configuration says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from meterlink.clock import Clock
from meterlink.config import SecretRef, Settings
from meterlink.daemon.supervise import supervised
from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.sink import PointSink
from meterlink.ingest.subscriber import CLIENT_ID, Subscriber
from meterlink.journal.journal import Journal
from meterlink.journal.reserve import RESERVE_OCTETS, free_octets
from meterlink.publish.relay import SINK, Relay
from meterlink.transports.messages import MessageConnector

DRAIN_S = 5.0
"""How long a stop waits for broker and database to take what has been kept; the rest goes after the start."""

EMBEDDED_PUBACK_S = 24 * 3600.0
"""The embedded broker withholds a PUBACK to say "wait", and it dies with us only."""

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
                while self.stored is not None and await self.stored() < self.relay.published_id:  # noqa: ASYNC110
                    await asyncio.sleep(_DRAIN_LOOK_S)
        except TimeoutError:
            _log.warning("not_drained", waited_s=DRAIN_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything that is not ours; tests bring their own.

    Args:
        folder: where the journal and the ingest's own file are; exists.
        clock: wall time.
        connector: the way to the broker; ``None`` starts the embedded one.
        sink: makes the place where points go.
        rng: jitter.
        reserve_octets: room put aside for acts on the disk of the folder.
        free_octets: tells how many octets are free on the disk of a folder.

    """

    folder: Path
    clock: Clock
    connector: MessageConnector | None
    sink: SinkMaker
    rng: random.Random
    reserve_octets: int = RESERVE_OCTETS
    free_octets: Callable[[Path], int] = free_octets


@asynccontextmanager
async def delivering(settings: Settings, journal: Journal, outside: Outside) -> AsyncIterator[Delivery]:
    """Run relay and ingest until the end of the block.

    Args:
        settings: checked.
        journal: what is published.
        outside: see there.

    Raises:
        SinkAway: the ingest's file or the sink cannot be opened.
        BrokerAway: the embedded broker's port is taken.

    """
    async with AsyncExitStack() as stack:
        connector, broker = outside.connector, settings.mqtt.url if settings.mqtt else "given"
        if connector is None:
            connector, broker = await _embedded(stack, settings)
        gateway = settings.gateway
        relay = Relay(journal, connector, site=gateway.site, gateway=gateway.id, random=outside.rng)
        if not settings.ingest.in_daemon:
            await stack.enter_async_context(_running({"relay": relay.run}))
            yield Delivery(broker=broker, relay=relay, stored=None, journal=journal)
            return
        letters, ingest = await stack.enter_async_context(
            ingesting(settings, outside, connector, forgotten=lambda: _send_again(relay, stored))
        )
        stored = partial(letters.highest_seq, gateway.id)
        if outside.connector is None:
            # The embedded broker has forgotten what the ingest had not yet stored when we ended.
            await journal.sinks.rewind(SINK, await stored())

        async def publish() -> None:
            await ingest.subscribed.wait()  # what is published before its first subscription it never gets
            await relay.run()

        await stack.enter_async_context(_running({"relay": publish, "ingest": ingest.run}))
        yield Delivery(broker=broker, relay=relay, stored=stored, journal=journal)


@asynccontextmanager
async def ingesting(
    settings: Settings,
    outside: Outside,
    connector: MessageConnector,
    *,
    forgotten: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[tuple[DeadLetters, Subscriber]]:
    """Open the ingest's file and sink, and make its subscriber, which the caller runs.

    Args:
        settings: checked.
        outside: see there.
        connector: the way to the broker.
        forgotten: see ``Subscriber``.

    Raises:
        SinkAway: the file or the sink cannot be opened.

    """
    async with DeadLetters.open(outside.folder / INGEST_FILE, clock=outside.clock) as letters:
        sink = outside.sink()
        try:
            yield (
                letters,
                Subscriber(
                    connector,
                    sink,
                    letters,
                    random=outside.rng,
                    client_id=_client_id(settings),
                    lines_max=settings.ingest.batch_max,
                    forgotten=forgotten,
                ),
            )
        finally:
            await sink.aclose()


async def _send_again(relay: Relay, stored: Callable[[], Awaitable[int]]) -> None:
    """The broker lost what it had for the ingest: the relay begins behind what is stored."""
    await relay.begin_again(await stored())


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


async def _embedded(stack: AsyncExitStack, settings: Settings) -> tuple[MessageConnector, str]:
    from meterlink.publish.broker import LOOPBACK, embedded_broker  # noqa: PLC0415 (most have an own broker)
    from meterlink.transports.mqtt import MqttConnector  # noqa: PLC0415

    broker = embedded_broker(settings.embedded_broker.port, keeps_sessions_of=(_client_id(settings),))
    port = await stack.enter_async_context(broker)
    connector = MqttConnector(LOOPBACK, port, version=4, publish_timeout_s=EMBEDDED_PUBACK_S)
    return connector, f"mqtt://{LOOPBACK}:{port}"


def _client_id(settings: Settings) -> str:
    return f"{CLIENT_ID}-{settings.gateway.id}"


@asynccontextmanager
async def _running(parts: dict[str, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supervised(name, part), name=name) for name, part in parts.items()]
        yield
        for task in tasks:
            task.cancel()
