"""From the broker to the database: a message is acknowledged once its points are stored, not before.

Messages are taken in batches: as many as are there, then those that follow without a pause, up to a limit. A
batch is written, and only then acknowledged. While the database is away nothing is acknowledged and the batch
is tried again. When the database refuses, the batch is halved until the refused line stands alone; that line
is buried with the server's words and the rest goes on. So one bad line costs itself and some writes.

A broker that does not know our session has lost what it had for us: whoever published it is told first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import structlog

from meterlink.errors import BrokerAway, EnvelopeError, SinkAway, SinkRefused
from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.line_protocol import event_lines_of, lines_of, order_lines_of
from meterlink.ingest.sink import PointSink
from meterlink.model.act_envelope import ActEnvelope
from meterlink.model.envelope import Envelope
from meterlink.model.event_envelope import EventEnvelope
from meterlink.model.topics import (
    EVENTS_FILTER,
    ORDERS_FILTER,
    READINGS_FILTER,
    UpTopic,
    parse_up_topic,
)
from meterlink.transports.backoff import Backoff
from meterlink.transports.messages import IncomingMessage, MessageConnector, MessagePort

CLIENT_ID = "meterlink-ingest"
MESSAGES_MAX = 1_000
"""Messages in one batch."""
LINES_MAX = 5_000
"""Lines in one batch, give or take those of one message."""
PAUSE_S = 0.02
"""A batch ends when no message has come for so long."""
BATCH_WAIT_S = 0.25
"""A batch ends so long after its first message in any case."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Batch:
    """Messages taken together, and what is to be done with them."""

    messages: list[IncomingMessage] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    no_envelopes: list[tuple[IncomingMessage, str]] = field(default_factory=list)
    progress: dict[str, int] = field(default_factory=dict)


class Subscriber:
    """Takes readings, events and orders from the broker and stores them.

    Args:
        connector: the way to the broker.
        sink: where the points go.
        dead_letters: where the rest goes.
        random: for the waits between tries.
        client_id: our identity at the broker; its session outlives us.
        topic_filters: what to subscribe to.
        areas: area by meter, for the tag.
        messages_max: messages in one batch.
        lines_max: lines in one batch.
        forgotten: called when the broker knows no session of ours, before anything is taken from it.

    Attributes:
        connected: whether there is a connection to the broker.
        subscribed: set once the first connection has subscribed; from then on nothing passes us.
        stored: lines that the sink took.
        buried: lines and payloads that went to the dead letters.

    """

    def __init__(
        self,
        connector: MessageConnector,
        sink: PointSink,
        dead_letters: DeadLetters,
        *,
        random: Random,
        client_id: str = CLIENT_ID,
        topic_filters: tuple[str, ...] = (READINGS_FILTER, EVENTS_FILTER, ORDERS_FILTER),
        areas: Mapping[str, str] | None = None,
        messages_max: int = MESSAGES_MAX,
        lines_max: int = LINES_MAX,
        forgotten: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.connected = False
        self.subscribed = asyncio.Event()
        self.stored = 0
        self.buried = 0
        self._connector = connector
        self._sink = sink
        self._dead_letters = dead_letters
        self._client_id = client_id
        self._topic_filters = topic_filters
        self._areas = areas or {}
        self._messages_max = messages_max
        self._lines_max = lines_max
        self._forgotten = forgotten
        self._reconnect = Backoff(random)
        self._retry = Backoff(random)
        self._sink_failures = 0

    async def run(self) -> None:
        """Take and store until cancelled.

        Nothing but a bug ends it otherwise: a broker or a database that fails is tried again.
        """
        failures, told = 0, ""
        while True:
            try:
                async with self._connector.connect(
                    client_id=self._client_id, subscriptions=self._topic_filters, persistent=True
                ) as port:
                    if not port.resumed and self._forgotten is not None:
                        await self._patiently(self._forgotten)
                    self.connected = True
                    self.subscribed.set()
                    _log.info("ingest.connected", failures_before=failures)
                    failures, told = 0, ""
                    await self._serve(port)
            except BrokerAway as error:
                if (words := str(error)) != told:
                    _log.warning("ingest.broker_away", reason=words)
                failures, told = failures + 1, words
            finally:
                self.connected = False
            await asyncio.sleep(self._reconnect.next_s())

    async def _serve(self, port: MessagePort) -> None:
        while True:
            batch = await self._take(port)
            await self._store(batch)
            for message in batch.messages:
                await port.acknowledge(message)
            self._reconnect.reset()

    async def _take(self, port: MessagePort) -> _Batch:
        """The next batch: at least one message."""
        batch = _Batch()
        self._add(batch, await port.receive())
        loop = asyncio.get_running_loop()
        end = loop.time() + BATCH_WAIT_S
        while len(batch.messages) < self._messages_max and len(batch.lines) < self._lines_max:
            try:
                async with asyncio.timeout_at(min(end, loop.time() + PAUSE_S)):
                    self._add(batch, await port.receive())
            except TimeoutError:
                break
        return batch

    def _add(self, batch: _Batch, message: IncomingMessage) -> None:
        batch.messages.append(message)
        try:
            topic = parse_up_topic(message.topic)
            if topic is None:
                raise EnvelopeError("this is no topic of a reading, an event or an order")
            lines, seq = self._read(topic, message.payload)
        except EnvelopeError as error:
            batch.no_envelopes.append((message, str(error)))
        else:
            batch.lines += lines
            batch.progress[topic.gateway] = seq

    def _read(self, topic: UpTopic, payload: bytes) -> tuple[list[str], int]:
        """The lines of a message, and where it stands in its gateway's log."""
        area = self._areas.get(topic.meter)
        if topic.told == "event":
            told = EventEnvelope.from_json(payload)
            _check_sender(topic, told.gateway, told.event.meter)
            return event_lines_of(told, site=topic.site, area=area), told.seq
        if topic.told == "order":
            step = ActEnvelope.from_json(payload)
            _check_sender(topic, step.gateway, step.kept.meter)
            return order_lines_of(step, site=topic.site, area=area), step.seq
        envelope = Envelope.from_json(payload)
        _check_sender(topic, envelope.gateway, envelope.record.meter)
        return lines_of(envelope, site=topic.site, area=area), envelope.seq

    async def _store(self, batch: _Batch) -> None:
        await self._write(batch.lines)
        for message, words in batch.no_envelopes:
            await self._bury(message.payload, words, message.topic)
        if batch.progress:
            await self._patiently(lambda: self._dead_letters.note_progress(batch.progress))

    async def _write(self, lines: Sequence[str]) -> None:
        """Store the lines, or bury those that are refused."""
        if not lines:
            return
        try:
            await self._patiently(lambda: self._sink.write(lines))
            self.stored += len(lines)
        except SinkRefused as error:
            if len(lines) == 1:
                await self._bury(lines[0].encode(), error.words)
                return
            middle = len(lines) // 2
            await self._write(lines[:middle])
            await self._write(lines[middle:])

    async def _bury(self, content: bytes, words: str, topic: str = "") -> None:
        await self._patiently(lambda: self._dead_letters.bury(content, words, topic=topic))
        self.buried += 1
        if self.buried & (self.buried - 1) == 0:  # the 1st, 2nd, 4th, 8th, ...: all stand in the file
            _log.error("ingest.buried", count=self.buried, topic=topic, reason=words)

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Try until it is there; log once when it goes and once when it is back."""
        while True:
            try:
                await work()
            except SinkAway as error:
                if not self._sink_failures:
                    _log.warning("ingest.sink_away", reason=str(error))
                self._sink_failures += 1
                await asyncio.sleep(self._retry.next_s())
            else:
                break
        if self._sink_failures:
            _log.info("ingest.sink_back", failures=self._sink_failures)
            self._sink_failures = 0
        self._retry.reset()


def _check_sender(topic: UpTopic, gateway: str, meter: str) -> None:
    if (topic.gateway, topic.meter) != (gateway, meter):
        raise EnvelopeError(f"its envelope is of gateway {gateway!r} and meter {meter!r}")
