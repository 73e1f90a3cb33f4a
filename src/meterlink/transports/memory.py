"""A line and a broker in memory, with the rules of the real ones: for simulated time, which has no sockets.

What the real ones do and these must do too stands in the contract tests, which run against both.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from meterlink.errors import BrokerAway, LineClosed, LineLost, MessageRefused
from meterlink.transports.messages import IncomingMessage, MessagePort
from meterlink.transports.stream import ByteStream
from meterlink.transports.wakers import Wakers

LINE_BUFFER_OCTETS = 65_536
"""Octets under way in one direction; who sends more waits, as at a full socket."""
INFLIGHT_MAX = 20
"""Messages that a session may leave unacknowledged; mosquitto's default."""
QUEUE_MAX = 100_000
"""Messages a session keeps beyond those; more are dropped and counted, as mosquitto does."""
PAYLOAD_OCTETS_MAX = 1024 * 1024
PUBLISH_TIMEOUT_S = 10.0


# --- a line ------------------------------------------------------------------------------------


def memory_line(buffer_octets: int = LINE_BUFFER_OCTETS) -> tuple[ByteStream, ByteStream]:
    """Both ends of a duplex line: what one sends the other receives.

    Args:
        buffer_octets: how many octets may be under way in one direction.

    """
    there, back = _Pipe(buffer_octets), _Pipe(buffer_octets)
    return _LineEnd(there, back), _LineEnd(back, there)


class _Pipe:
    """One direction."""

    def __init__(self, buffer_octets: int) -> None:
        self.octets = bytearray()
        self.limit = buffer_octets
        self.writer_gone = False
        self.reader_gone = False
        self.changed = Wakers()


class _LineEnd:
    """One end of a memory line."""

    def __init__(self, outgoing: _Pipe, incoming: _Pipe) -> None:
        self._out = outgoing
        self._in = incoming
        self._closed = False

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``."""
        rest = memoryview(octets)
        self._check_send()
        while rest:
            room = self._out.limit - len(self._out.octets)
            if room > 0:
                self._out.octets += rest[:room]
                rest = rest[room:]
                self._out.changed.wake()
            else:
                await self._out.changed.wait()
                self._check_send()

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``."""
        while True:
            if self._closed:
                raise LineClosed("we closed this line")
            if self._in.octets:
                taken = bytes(self._in.octets[:limit])
                del self._in.octets[:limit]
                self._in.changed.wake()
                return taken
            if self._in.writer_gone:
                raise LineLost("the other end is gone")
            await self._in.changed.wait()

    def receive_nowait(self) -> bytes:
        """See ``ByteStream.receive_nowait``."""
        taken = b"" if self._closed else bytes(self._in.octets)
        if taken:
            self._in.octets.clear()
            self._in.changed.wake()
        return taken

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        self._closed = True
        self._out.writer_gone = self._in.reader_gone = True
        self._out.changed.wake()
        self._in.changed.wake()

    def _check_send(self) -> None:
        if self._closed:
            raise LineClosed("we closed this line")
        if self._out.reader_gone:
            raise LineLost("the other end is gone")


# --- a broker ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Session:
    """What the broker knows of a client id."""

    client_id: str
    persistent: bool
    filters: set[str] = field(default_factory=set)
    queue: deque[IncomingMessage] = field(default_factory=deque)
    unacknowledged: dict[int, IncomingMessage] = field(default_factory=dict)
    port: _MemoryPort | None = None


class MemoryBroker:
    """A broker and the connector to it: QoS 1, persistent sessions, redelivery in order; faults on demand.

    Args:
        publish_timeout_s: a publisher waits so long for its PUBACK.
        inflight_max: messages a subscriber may leave unacknowledged.
        queue_max: messages a session keeps beyond those.
        payload_octets_max: larger ones are refused.
        on_publish: told of each message that the broker took, before its PUBACK.

    Attributes:
        away: connections are refused while it is set.
        transit_s: each message takes so long to the broker; what is on the way at a cut is gone.
        puback_delay_s: each PUBACK takes so long.
        pubacks_to_lose: the next so many PUBACKs never arrive.
        refuse: tells why a message will never be taken, or ``None``.
        dropped: messages that found a full session.

    """

    def __init__(
        self,
        *,
        publish_timeout_s: float = PUBLISH_TIMEOUT_S,
        inflight_max: int = INFLIGHT_MAX,
        queue_max: int = QUEUE_MAX,
        payload_octets_max: int = PAYLOAD_OCTETS_MAX,
        on_publish: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.away = False
        self.transit_s = 0.0
        self.puback_delay_s = 0.0
        self.pubacks_to_lose = 0
        self.refuse: Callable[[str, bytes], str | None] = lambda _topic, _payload: None
        self.dropped = 0
        self.publish_timeout_s = publish_timeout_s
        self._inflight_max = inflight_max
        self._queue_max = queue_max
        self._payload_octets_max = payload_octets_max
        self._on_publish = on_publish
        self._sessions: dict[str, _Session] = {}
        self._tokens = itertools.count(1)

    @asynccontextmanager
    async def connect(
        self, *, client_id: str, subscriptions: tuple[str, ...] = (), persistent: bool = False
    ) -> AsyncIterator[MessagePort]:
        """See ``MessageConnector.connect``."""
        if self.away:
            raise BrokerAway("the broker refuses connections")
        known = self._sessions.get(client_id)
        session = self._resume(client_id, persistent)
        port = session.port = _MemoryPort(self, session, resumed=session is known)
        session.filters.update(subscriptions)
        self.deliver(session)
        try:
            yield port
        finally:
            if session.port is port:
                self.cut(client_id)

    def cut(self, client_id: str | None = None) -> None:
        """End the connection of one client, or of all; persistent sessions stay."""
        for session in list(self._sessions.values()):
            if session.port is None or client_id not in (None, session.client_id):
                continue
            port, session.port = session.port, None
            port.lose()
            session.queue.extendleft(reversed(session.unacknowledged.values()))
            session.unacknowledged.clear()
            if not session.persistent:
                del self._sessions[session.client_id]

    def forget(self) -> None:
        """Restart as a broker without a store: connections end and every session is lost."""
        self.cut()
        self._sessions.clear()

    def take(self, topic: str, payload: bytes) -> None:
        """Take a message and hand it to every session that wants it.

        Raises:
            MessageRefused: it will never be taken.

        """
        if not topic or "+" in topic or "#" in topic:
            raise MessageRefused(f"{topic!r} is no topic to publish to")
        if len(payload) > self._payload_octets_max:
            raise MessageRefused(
                f"{len(payload)} octets are too many: {self._payload_octets_max} are allowed"
            )
        if words := self.refuse(topic, payload):
            raise MessageRefused(words)
        if self._on_publish:
            self._on_publish(topic, payload)
        for session in self._sessions.values():
            if any(matches(topic_filter, topic) for topic_filter in session.filters):
                self._queue(session, topic, payload)

    def deliver(self, session: _Session) -> None:
        """Bring a connected client as much as it may leave unacknowledged."""
        while session.port and session.queue and len(session.unacknowledged) < self._inflight_max:
            message = session.queue.popleft()
            session.unacknowledged[message.token] = message
            session.port.bring(message)

    def _queue(self, session: _Session, topic: str, payload: bytes) -> None:
        if len(session.queue) >= self._queue_max:
            self.dropped += 1
            return
        session.queue.append(IncomingMessage(topic, payload, retained=False, token=next(self._tokens)))
        self.deliver(session)

    def _resume(self, client_id: str, persistent: bool) -> _Session:
        self.cut(client_id)  # one connection a client id: the newer one wins
        session = self._sessions.get(client_id)
        if session is None or not persistent:
            session = self._sessions[client_id] = _Session(client_id, persistent)
        return session


class _MemoryPort:
    """One connection to a memory broker."""

    def __init__(self, broker: MemoryBroker, session: _Session, *, resumed: bool) -> None:
        self.resumed = resumed
        self._broker = broker
        self._session = session
        self._inbox: deque[IncomingMessage] = deque()
        self._on_the_way: deque[tuple[str, bytes, asyncio.Future[None]]] = deque()
        self._lost = False
        self._changed = Wakers()

    async def publish(self, topic: str, payload: bytes) -> None:
        """See ``MessagePort.publish``."""
        self._check()
        if self._broker.transit_s:
            await self._travel(topic, payload)
        else:
            self._broker.take(topic, payload)
        if self._broker.pubacks_to_lose:
            self._broker.pubacks_to_lose -= 1
            await self._wait_in_vain(self._broker.publish_timeout_s)
            raise BrokerAway(f"no PUBACK within {self._broker.publish_timeout_s} s")
        if self._broker.puback_delay_s:
            await self._wait_in_vain(self._broker.puback_delay_s)

    async def receive(self) -> IncomingMessage:
        """See ``MessagePort.receive``."""
        while True:
            self._check()
            if self._inbox:
                return self._inbox.popleft()
            await self._changed.wait()

    async def acknowledge(self, message: IncomingMessage) -> None:
        """See ``MessagePort.acknowledge``."""
        self._check()
        self._session.unacknowledged.pop(message.token, None)
        self._broker.deliver(self._session)

    def bring(self, message: IncomingMessage) -> None:
        """Put a message into the inbox."""
        self._inbox.append(message)
        self._changed.wake()

    def lose(self) -> None:
        """The connection ends; whoever waits in it is told."""
        self._lost = True
        self._changed.wake()
        for _, _, arrived in self._on_the_way:
            if not arrived.done():
                arrived.set_exception(BrokerAway("the connection to the broker broke"))
                arrived.exception()  # who waited may have been cancelled: then nobody asks
        self._on_the_way.clear()

    async def _travel(self, topic: str, payload: bytes) -> None:
        """The way to the broker, on which nobody overtakes."""
        loop = asyncio.get_running_loop()
        arrived = loop.create_future()
        self._on_the_way.append((topic, payload, arrived))
        loop.call_later(self._broker.transit_s, self._arrive)
        await arrived

    def _arrive(self) -> None:
        """The first on the way is there; timers of one moment may fire in any order, the queue has one."""
        if not self._on_the_way:
            return
        topic, payload, arrived = self._on_the_way.popleft()
        try:
            self._broker.take(topic, payload)
        except MessageRefused as error:
            if not arrived.done():
                arrived.set_exception(error)
        else:
            if not arrived.done():
                arrived.set_result(None)

    def _check(self) -> None:
        if self._lost:
            raise BrokerAway("the connection to the broker broke")

    async def _wait_in_vain(self, seconds: float) -> None:
        """Let time pass, unless the connection ends first."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    self._check()
                    await self._changed.wait()
        except TimeoutError:
            return


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a subscription to ``topic_filter`` gets what is published to ``topic``. Source: MQTT 5, 4.7."""
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    wanted, given = topic_filter.split("/"), topic.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position >= len(given) or level not in ("+", given[position]):
            return False
    return len(wanted) == len(given)
