"""From the log to the broker: every row at least once, in order, with a cursor that moves on PUBACK.

The relay reads behind its cursor and keeps a window of rows under way. The cursor moves over the unbroken run
of acknowledged rows; when the connection breaks, the relay begins again at the cursor. What a broker can
never take goes to the poison table and the cursor passes it: one bad row holds back none behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TypeVar

import structlog

from meterlink.clock import apart
from meterlink.errors import BrokerAway, ConfigError, JournalError, MessageRefused, RowUnreadable
from meterlink.journal.journal import Journal
from meterlink.model.act import KeptAct, Topic
from meterlink.model.act_envelope import ActEnvelope
from meterlink.model.alarm_event import event_of
from meterlink.model.envelope import Envelope
from meterlink.model.event import Event
from meterlink.model.event_envelope import EventEnvelope
from meterlink.model.reading import LogRow
from meterlink.model.topics import check_name, event_topic, order_topic, reading_topic
from meterlink.publish.window import Place, Window
from meterlink.transports.backoff import Backoff
from meterlink.transports.messages import MessageConnector, MessagePort
from meterlink.transports.wakers import Wakers

SINK = "mqtt"
"""The relay's name among the cursors."""
WINDOW = 100
"""Rows under way at once, and so the most that a crash repeats."""
READ_AT_ONCE = 200

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class Relay:
    """Follows the log and publishes it.

    Args:
        journal: whose log.
        connector: the way to the broker.
        site: level of the topic.
        gateway: level of the topic, and who we are in the envelope.
        random: for the waits between tries.
        window: rows under way at once.

    Attributes:
        connected: whether there is a connection to the broker.
        published: messages that the broker acknowledged since the start.
        published_id: the newest row among them; rows that are not for the broker have none.
        poisoned: rows that it can never take, since the start.

    Raises:
        ConfigError: a site or gateway that cannot stand in a topic.

    """

    def __init__(
        self,
        journal: Journal,
        connector: MessageConnector,
        *,
        site: str,
        gateway: str,
        random: Random,
        window: int = WINDOW,
    ) -> None:
        self.connected = False
        self.published = 0
        self.published_id = 0
        self.poisoned = 0
        self._journal = journal
        self._connector = connector
        self._site = check_name(site, "site")
        self._gateway = check_name(gateway, "gateway")
        self._window = window
        self._reconnect = Backoff(random)
        self._retry = Backoff(random)
        self._cursor = -1
        self._moved = Wakers()
        self._forgotten = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failures, self._told = 0, ""

    async def run(self) -> None:
        """Publish until cancelled.

        Nothing but a bug ends it otherwise: a broker or a disk that fails is tried again.
        """
        while True:
            try:
                await apart(self._publish_until_away(), "relay.connected")
            except* BrokerAway as errors:
                if (words := _first_words(errors)) != self._told:
                    _log.warning("relay.broker_away", reason=words)
                self._failures, self._told = self._failures + 1, words
            await asyncio.sleep(self._reconnect.next_s())

    async def _publish_until_away(self) -> None:
        try:
            async with self._connector.connect(client_id=f"{self._gateway}-relay") as port:
                self.connected = True
                _log.info("relay.connected", failures_before=self._failures)
                self._failures, self._told = 0, ""
                await self._follow(port)
        finally:
            self.connected = False

    async def drained(self) -> None:
        """Wait until the broker has everything that the log holds now."""
        newest = self._journal.newest_id
        while self._cursor < newest:
            await self._moved.wait()

    async def begin_again(self, last_id: int) -> None:
        """Publish again what follows ``last_id``, for the broker has forgotten it.

        Args:
            last_id: up to here nothing is lost.

        """
        self._forgotten.set()
        await self._idle.wait()
        await self._patiently(partial(self._journal.sinks.rewind, SINK, last_id))
        self._cursor = min(self._cursor, last_id)
        self._forgotten.clear()

    async def _follow(self, port: MessagePort) -> None:
        self._idle.clear()
        try:
            await self._follow_from_cursor(port)
        finally:
            self._idle.set()

    async def _until_forgotten(self) -> None:
        """Raises ``BrokerAway`` when the cursor is to be set back, which nobody may move then."""
        await self._forgotten.wait()
        raise BrokerAway("the broker has forgotten what it had taken: it gets it again")

    async def _follow_from_cursor(self, port: MessagePort) -> None:
        window = Window(self._window)
        last_id = self._cursor = await self._patiently(partial(self._journal.sinks.cursor, SINK))
        self._moved.wake()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._until_forgotten(), name="relay.forgotten")
            tasks.create_task(self._advance(window), name="relay.cursor")
            while True:
                await self._journal.wait_beyond(last_id)
                for row in await self._next_rows(last_id, window):
                    place = await window.enter(row.id)
                    tasks.create_task(self._publish(port, row, window, place), name=f"relay[{row.id}]")
                    last_id = row.id

    async def _next_rows(self, last_id: int, window: Window) -> list[LogRow]:
        """The rows behind ``last_id``; a row that cannot be read is poison and is passed."""
        while True:
            try:
                return await self._patiently(partial(self._journal.rows_after, last_id, READ_AT_ONCE))
            except RowUnreadable as error:
                last_id = error.log_id
                place = await window.enter(last_id)
                await self._poison(last_id, str(error))
                window.finish(place)

    async def _publish(self, port: MessagePort, row: LogRow, window: Window, place: Place) -> None:
        try:
            message = self._encode(row)
            if message is not None:
                await port.publish(*message)
                self.published += 1
                self.published_id = max(self.published_id, row.id)
        except (MessageRefused, ConfigError, ValueError) as error:
            await self._poison(row.id, str(error))
        window.finish(place)

    def _encode(self, row: LogRow) -> tuple[str, bytes] | None:
        """Topic and payload of a row; ``None`` where it is not for the broker."""
        record = row.record
        if isinstance(record, KeptAct):
            return self._encode_act(row, record)
        if isinstance(record, Event):
            return self._encode_event(row, record)
        envelope = Envelope(gateway=self._gateway, boot=row.boot, seq=row.id, record=record)
        return reading_topic(self._site, self._gateway, record.meter), envelope.to_json()

    def _encode_event(self, row: LogRow, event: Event) -> tuple[str, bytes]:
        told = EventEnvelope(gateway=self._gateway, boot=row.boot, seq=row.id, event=event)
        return event_topic(self._site, self._gateway, event.meter), told.to_json()

    def _encode_act(self, row: LogRow, kept: KeptAct) -> tuple[str, bytes] | None:
        """Orders as they are, alarms as events; the rest is nobody's business outside."""
        match kept.act.topic:
            case Topic.ORDER:
                told = ActEnvelope(gateway=self._gateway, boot=row.boot, seq=row.id, kept=kept)
                return order_topic(self._site, self._gateway, kept.meter), told.to_json()
            case Topic.ALARM:
                return self._encode_event(row, event_of(kept))
            case _:
                return None

    async def _poison(self, log_id: int, reason: str) -> None:
        await self._patiently(partial(self._journal.sinks.poison, SINK, log_id, reason))
        self.poisoned += 1
        _log.error("relay.poison", log_id=log_id, reason=reason)

    async def _advance(self, window: Window) -> None:
        while True:
            last_id = await window.progress()
            await self._patiently(partial(self._journal.sinks.advance, SINK, last_id))
            window.release(last_id)
            self._reconnect.reset()
            self._cursor = last_id
            self._moved.wake()

    async def _patiently(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Try until the journal can; its own log line says what is wrong with it.

        Raises:
            RowUnreadable: another try would find the same.

        """
        while True:
            try:
                result = await work()
            except RowUnreadable:
                raise
            except JournalError:
                await asyncio.sleep(self._retry.next_s())
            else:
                self._retry.reset()
                return result


def _first_words(errors: BaseExceptionGroup[BrokerAway]) -> str:
    """The reason in one line: a broken connection fails everything under way with the same words."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first)
