"""The embedded broker has no memory: how its two clients make up for that.

An acknowledged message that the ingest has not written is gone when the connection or the process ends. So a
*life* begins when the ingest has connected: the relay's cursor steps back to what the ingest is known to have
written, and only then the relay publishes. When the ingest's connection ends, so does the life. And because
the broker would keep in memory whatever the ingest does not take, the relay runs ahead of it by a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog

from meterlink.transports.messages import IncomingMessage, MessageConnector, MessagePort

AHEAD_MAX = 2_000
"""Messages published and not yet written; they are all that the broker has to hold."""

_log = structlog.get_logger(__name__)


class EmbeddedPath:
    """Ties the relay's life to the ingest's connection.

    Args:
        connector: the way to the embedded broker.
        rewind: steps the relay's cursor back to what the ingest has written.
        ahead_max: messages that may be under way.

    """

    def __init__(
        self,
        connector: MessageConnector,
        rewind: Callable[[], Awaitable[None]],
        *,
        ahead_max: int = AHEAD_MAX,
    ) -> None:
        self.for_relay: MessageConnector = _RelaySide(self, connector)
        self.for_ingest: MessageConnector = _IngestSide(self, connector)
        self._rewind = rewind
        self._ahead_max = ahead_max
        self._room = asyncio.Semaphore(ahead_max)
        self._here = asyncio.Event()
        self._gone = asyncio.Event()
        self._gone.set()

    async def run(self, relay: Callable[[], Awaitable[None]]) -> None:
        """Run the relay in each life of the ingest, until cancelled."""
        while True:
            await self._here.wait()
            self._room = asyncio.Semaphore(self._ahead_max)
            await self._rewind()
            async with asyncio.TaskGroup() as group:
                running = group.create_task(_forever(relay), name="relay.embedded")
                await self._gone.wait()
                running.cancel()

    def ingest_came(self) -> None:
        """The ingest has connected and subscribed."""
        self._gone.clear()
        self._here.set()

    def ingest_went(self) -> None:
        """Its connection has ended."""
        self._here.clear()
        self._gone.set()

    async def room(self) -> None:
        """Wait until one more message may be under way."""
        await self._room.acquire()

    def make_room(self) -> None:
        """A message has been written."""
        self._room.release()


async def _forever(relay: Callable[[], Awaitable[None]]) -> None:
    await relay()


class _RelaySide:
    def __init__(self, path: EmbeddedPath, connector: MessageConnector) -> None:
        self._path = path
        self._connector = connector

    def connect(
        self, *, client_id: str, subscriptions: tuple[str, ...] = (), persistent: bool = False
    ) -> AbstractAsyncContextManager[MessagePort]:
        """See ``MessageConnector.connect``."""
        return self._connect(client_id, subscriptions, persistent)

    @asynccontextmanager
    async def _connect(
        self, client_id: str, subscriptions: tuple[str, ...], persistent: bool
    ) -> AsyncIterator[MessagePort]:
        inner = self._connector.connect(
            client_id=client_id, subscriptions=subscriptions, persistent=persistent
        )
        async with inner as port:
            yield _RelayPort(self._path, port)


class _IngestSide:
    def __init__(self, path: EmbeddedPath, connector: MessageConnector) -> None:
        self._path = path
        self._connector = connector

    def connect(
        self, *, client_id: str, subscriptions: tuple[str, ...] = (), persistent: bool = False
    ) -> AbstractAsyncContextManager[MessagePort]:
        """See ``MessageConnector.connect``; nothing of the broker's session is wanted back."""
        return self._connect(client_id, subscriptions)

    @asynccontextmanager
    async def _connect(self, client_id: str, subscriptions: tuple[str, ...]) -> AsyncIterator[MessagePort]:
        async with self._connector.connect(client_id=client_id, subscriptions=subscriptions) as port:
            self._path.ingest_came()
            try:
                yield _IngestPort(self._path, port)
            finally:
                self._path.ingest_went()


class _RelayPort:
    def __init__(self, path: EmbeddedPath, port: MessagePort) -> None:
        self._path = path
        self._port = port

    async def publish(self, topic: str, payload: bytes) -> None:
        """See ``MessagePort.publish``; waits while too many messages are under way."""
        await self._path.room()
        try:
            await self._port.publish(topic, payload)
        except BaseException:
            self._path.make_room()  # it will be published again
            raise

    async def receive(self) -> IncomingMessage:
        """See ``MessagePort.receive``."""
        return await self._port.receive()

    async def acknowledge(self, message: IncomingMessage) -> None:
        """See ``MessagePort.acknowledge``."""
        await self._port.acknowledge(message)


class _IngestPort(_RelayPort):
    async def publish(self, topic: str, payload: bytes) -> None:
        """See ``MessagePort.publish``."""
        await self._port.publish(topic, payload)

    async def acknowledge(self, message: IncomingMessage) -> None:
        """See ``MessagePort.acknowledge``; what is acknowledged has been written."""
        await self._port.acknowledge(message)
        self._path.make_room()
