"""The embedded broker: amqtt on loopback, for a plant without a broker of its own.

It makes the whole way run with nothing installed but Python. What it does: MQTT 3.1.1, QoS 0 and 1, retained
messages, watchers, and for the clients that are named to it persistent sessions with redelivery in order.
What it does not: MQTT 5, TLS, users, the network (it listens on 127.0.0.1 only), and memory beyond the
process: when that ends its queues are gone, and the relay must begin again behind what the ingest has stored.

amqtt 0.12 alone loses messages at QoS 1: it forgets one whose PUBACK takes longer than 5 s, forgets all that
are under way when a client disconnects, and never slows a publisher down. What is overridden here keeps a
message in its session until its PUBACK, sends a bounded number at once, and withholds the publisher's PUBACK
while a named client is too far behind: then the log is where the readings wait, not this process's memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from amqtt.adapters import ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.mqtt.constants import QOS_1
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.session import INCOMING, IncomingApplicationMessage, OutgoingApplicationMessage, Session

from meterlink.errors import BrokerAway
from meterlink.transports.accepting import AT_ONCE, QUEUED, queue
from meterlink.transports.wakers import Wakers

LOOPBACK = "127.0.0.1"
INFLIGHT_MAX = 500
"""Messages that a client may leave unacknowledged."""
BACKLOG_MAX = 5_000
"""Messages that wait beyond those: for a named client publishers then wait, a watcher loses the newest."""
CONNECTIONS_MAX = 64

_LISTENER = "default"
_OUTBOX = "meterlink.outbox"


@asynccontextmanager
async def embedded_broker(
    port: int = 0, *, keeps_sessions_of: Collection[str] = (), backlog_max: int = BACKLOG_MAX
) -> AsyncIterator[int]:
    """Run a broker inside this process, on loopback, until the end of the block; gives its port.

    Args:
        port: 1 to 65535, or 0 for one that is free.
        keeps_sessions_of: client ids that may have persistent sessions; those of others end with them.
        backlog_max: messages that a session holds beyond those under way.

    Raises:
        BrokerAway: the port is taken.

    """
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)  # it reports every lost connection as an error
    logging.getLogger("transitions").setLevel(logging.WARNING)
    broker = _PatientBroker(frozenset(keeps_sessions_of), backlog_max)
    await broker.start()
    try:
        try:
            server = await asyncio.start_server(broker.serve, LOOPBACK, port, backlog=AT_ONCE)
            queue(server.sockets, QUEUED)
        except OSError as error:
            words = f"the embedded broker cannot listen on {LOOPBACK}:{port}: {error.strerror}"
            raise BrokerAway(words) from None
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await broker.end()


class _PatientBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """amqtt's broker with handlers that lose nothing."""

    def __init__(self, keeps_sessions_of: frozenset[str], backlog_max: int) -> None:
        listener = ListenerConfig(type=ListenerType.EXTERNAL, bind=LOOPBACK)  # "external": the socket is ours
        super().__init__(BrokerConfig(listeners={_LISTENER: listener}, plugins={}))
        self._named = keeps_sessions_of
        self._connections: set[asyncio.Task[object]] = set()
        self.backlog_max = backlog_max
        self.progress = Wakers()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= CONNECTIONS_MAX:
            writer.close()
            return
        self._connections.add(task)
        try:
            await self.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), _LISTENER)
        finally:
            self._connections.discard(task)
            writer.close()

    async def end(self) -> None:
        """End the connections, then the broker."""
        await self.shutdown()
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def named(self, session: Session) -> bool:
        """Whether this is one of the clients whose sessions are kept."""
        return session.client_id in self._named

    def crowded(self) -> bool:
        """Whether a named client is too far behind, counting what is on the way to it."""
        held = self._broadcast_queue.qsize()
        return any(
            self.named(session) and held + len(outbox(session)) >= self.backlog_max
            for session, _ in self._sessions.values()
        )

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        """The session as amqtt makes or finds it, with a handler of ours (its own is not yet attached)."""
        _, session = await super()._initialize_client_session(reader, writer, remote_address, remote_port)
        if not self.named(session) and (session.parent or not session.clean_session):
            await self._delete_session(session.client_id)
            session = _begun_anew(session)
        return _PatientHandler(self), session

    async def _delete_session(self, client_id: str) -> None:
        """A client that begins anew: its older connection, if there is one, ends; amqtt lets it dangle."""
        _, handler = self._sessions.get(client_id, (None, None))
        if handler is not None:
            await handler.handle_connection_closed()
            await handler.stop()
        await super()._delete_session(client_id)

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        """Everybody on this machine may; and nobody is "anonymous", whose messages amqtt does not keep."""
        session.is_anonymous = False
        return True

    async def _retain_broadcast_message(
        self, broadcast: dict[str, Any], qos: int, target_session: Session
    ) -> None:
        """A client that is away, or that amqtt takes for away after a takeover: its outbox keeps it."""
        handler = self._get_handler(target_session)
        if handler is not None:
            await handler.mqtt_publish(broadcast["topic"], broadcast["data"], qos, retain=False)


class _PatientHandler(BrokerProtocolHandler):  # type: ignore[misc]
    """One connection: what is under way and what waits for it belong to the session and outlive it."""

    def __init__(self, broker: _PatientBroker) -> None:
        super().__init__(broker.plugins_manager)
        self._broker = broker
        self._in_order = asyncio.Lock()

    async def stop(self) -> None:
        """Also wake a publisher that waits for room: its connection has gone."""
        await super().stop()
        self._broker.progress.wake()

    async def mqtt_publish(
        self,
        topic: str,
        data: bytes | bytearray,
        qos: int | None,
        retain: bool,
        ack_timeout: int | None = None,
    ) -> OutgoingApplicationMessage:
        """Queue a message for this client and send what may be sent; does not wait for the PUBACK."""
        if qos != QOS_1:
            return await super().mqtt_publish(topic, data, qos, retain, ack_timeout)
        message = OutgoingApplicationMessage(None, topic, qos, data, retain)
        assert self.session is not None
        waiting = outbox(self.session)
        if self._broker.named(self.session) or len(waiting) < self._broker.backlog_max:
            waiting.append(message)
        await self._send_waiting()
        return message

    async def handle_puback(self, puback: PubackPacket) -> None:
        """The client has it: only now is it forgotten."""
        assert self.session is not None
        if puback.variable_header is not None:
            self.session.inflight_out.pop(puback.variable_header.packet_id, None)
        self._broker.progress.wake()
        await self._send_waiting()

    async def _retry_deliveries(self) -> None:
        """A session resumes: first what was under way, in its order, then what waited."""
        assert self.session is not None
        for message in list(self.session.inflight_out.values()):
            await self._send_packet(message.build_publish_packet(dup=True))
        await self._send_waiting()

    async def _handle_qos1_message_flow(
        self, app_message: OutgoingApplicationMessage | IncomingApplicationMessage
    ) -> None:
        """From a publisher: taken, and acknowledged, when there is room; each in its turn."""
        if app_message.direction == INCOMING:
            async with self._in_order:
                while self._broker.crowded():
                    await self._broker.progress.wait()
                assert self.session is not None
                self.session.delivered_message_queue.put_nowait(app_message)
            assert app_message.packet_id is not None
            await self._send_packet(PubackPacket.build(app_message.packet_id))

    async def _send_waiting(self) -> None:
        """Send while the client may have more under way; the write lock keeps the order."""
        assert self.session is not None
        waiting, under_way = outbox(self.session), self.session.inflight_out
        while waiting and len(under_way) < INFLIGHT_MAX and self._connected():
            message = waiting.popleft()
            message.packet_id = self.session.next_packet_id
            under_way[message.packet_id] = message
            await self._send_packet(message.build_publish_packet())

    def _connected(self) -> bool:
        return self._reader_task is not None and not self._reader_task.done()


def _begun_anew(session: Session) -> Session:
    """The session of a client that wants a persistent one and may not have it."""
    clean = Session()
    for name in ("client_id", "keep_alive", "remote_address", "remote_port", "username"):
        setattr(clean, name, getattr(session, name))
    for name in ("will_flag", "will_message", "will_qos", "will_retain", "will_topic"):
        setattr(clean, name, getattr(session, name))
    clean.clean_session = True
    return clean


def outbox(session: Session) -> deque[OutgoingApplicationMessage]:
    """What waits for a client, in order."""
    waiting: deque[OutgoingApplicationMessage] = session.attributes.setdefault(_OUTBOX, deque())
    return waiting
