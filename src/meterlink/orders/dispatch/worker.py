"""The orders of one line, one at a time: what is due is carried on, and the rest is waited for.

One task does this for a line, so no two orders of it are between their frame and their read-back at once, and
a late answer can only be the answer to the order in hand. What a daemon that died has left is due at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.errors import JournalError, LineClosed, MeterlinkError, NoControl, StepTaken
from meterlink.model.order import CLOSES, OrderState
from meterlink.orders.book import Book
from meterlink.orders.dispatch.due import due_at, is_late
from meterlink.orders.dispatch.looking import UNSEEN
from meterlink.orders.dispatch.reach import Holding, Reach, Reaches
from meterlink.orders.dispatch.reading_back import LOOKED_AT, Reader
from meterlink.orders.dispatch.sending import Sender
from meterlink.orders.dispatch.starting import Starter
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import BEFORE_SENDING, Signal
from meterlink.orders.people import DAEMON

WAIT_MAX_S: Final = 60.0
"""Longest wait before the wall clock is looked at again: it may have been set, and a deadline be over."""
RESTED: Final = timedelta(seconds=60)
"""How long an order is left alone that could not be carried on at all."""
CRASHED_RESTS: Final = timedelta(minutes=10)
"""How long one is left alone at which the program failed."""
JOURNAL_PAUSE_S: Final = 5.0
"""Before the next try when the log cannot be written."""

_log = structlog.get_logger(__name__)


class LineOrders:
    """The orders of one line.

    Args:
        name: of the line.
        reaches: its meters.
        book: all orders.
        starter: brings on what no person has to bring on.
        sender: sends.
        reader: reads back.

    """

    def __init__(
        self,
        name: str,
        reaches: Reaches,
        *,
        book: Book,
        starter: Starter,
        sender: Sender,
        reader: Reader,
    ) -> None:
        self.name = name
        self._reaches = reaches
        self._book = book
        self._starter = starter
        self._sender = sender
        self._reader = reader
        self._timeline = book.timeline
        self._rested: dict[str, tuple[int, datetime]] = {}
        self._stopping = asyncio.Event()
        self._line: Holding | None = None

    @property
    def is_up(self) -> bool:
        """Whether its line runs."""
        return self._line is not None

    def serves(self, meter: str) -> bool:
        """Whether a meter, by our id, is reached here."""
        return meter in self._reaches

    def stop(self) -> None:
        """Let ``run`` end after the order in hand."""
        self._stopping.set()

    async def run(self, line: Holding) -> None:
        """Carry on the orders of the line until stopped."""
        self._line = line
        try:
            await self._run(line)
        finally:
            self._line = None

    async def _run(self, line: Holding) -> None:
        while not self._stopping.is_set():
            news = self._book.news
            life = self._most_urgent()
            if life is None:
                await self._wait(news)
                continue
            try:
                await self._carry(line, life)
            except StepTaken as error:
                known = self._book.known(life.order.id)
                if known is not None and known.step == life.step:  # it was not the order that moved
                    _log.error("order_rests", order=life.order.id, reason=str(error))
                    self._rest(life, RESTED)
            except JournalError as error:
                _log.error("orders_stand_still", line=self.name, reason=str(error))
                await _any_of(JOURNAL_PAUSE_S, self._stopping)
            except MeterlinkError as error:  # what is told of its meter cannot be read
                _log.error("order_rests", order=life.order.id, reason=str(error))
                self._rest(life, RESTED)
            except Exception as error:  # noqa: BLE001 (a bug that one order meets is not its neighbours')
                _log.error("order_crashed", order=life.order.id, exc_info=error)
                self._rest(life, CRASHED_RESTS)

    @asynccontextmanager
    async def at_meter(
        self, meter: str, priority: Priority = Priority.CONTROL
    ) -> AsyncIterator[tuple[Exchanging, Reach]]:
        """Have the line for looks at one of its meters.

        Args:
            meter: our id of it.
            priority: who goes first.

        Raises:
            LineClosed: it is not up.
            NoControl: the meter's protocol has no orders.

        """
        if self._line is None:
            raise LineClosed(f"{self.name}: the line is not up")
        if meter not in self._reaches:
            raise NoControl(f"meter {meter!r} has a protocol in which nothing is ordered")
        async with self._line.hold(priority=priority) as held:
            yield held, self._reaches[meter]

    async def _carry(self, line: Holding, life: Life) -> None:
        reach = self._reaches[life.order.meter]
        if is_late(life, self._timeline):
            signal = Signal.EXPIRE if life.state in BEFORE_SENDING else Signal.LEAVE
            after = await self._book.step(life, signal, actor=DAEMON)
        elif life.state in LOOKED_AT:
            after = await self._look(line, life)
        elif life.state in (OrderState.CREATED, OrderState.AUTHORISED):
            after = await self._starter.carry_on(life)
        else:
            after = await self._sender.attempt(line, reach, life)
        if after.step == life.step:
            self._rest(life, RESTED)
        else:
            self._rested.pop(life.order.id, None)

    def _rest(self, life: Life, rests: timedelta) -> None:
        known = self._book.known(life.order.id) or life
        self._rested[life.order.id] = (known.step, self._timeline.now() + rests)

    async def _look(self, line: Holding, life: Life) -> Life:
        reach = self._reaches[life.order.meter]
        try:
            async with line.hold(priority=Priority.CONTROL) as held:
                return await self._reader.look(held, reach, life)
        except UNSEEN as error:
            return await self._reader.unseen(reach, life, str(error))

    def _most_urgent(self) -> Life | None:
        """Of what is due: who waits for current, then who waits for an outcome, then the rest."""
        now = self._timeline.now()
        due = [(life, at) for life, at in self._dues() if at <= now]
        return min(due, key=lambda one: (_rank(one[0]), one[1]))[0] if due else None

    def _dues(self) -> Iterator[tuple[Life, datetime]]:
        """Every open order of the line, and when it wants something, in lived time."""
        for meter, reach in self._reaches.items():
            for life in self._book.open_of(meter):
                yield life, self._due(life, reach)

    def _due(self, life: Life, reach: Reach) -> datetime:
        """When an order wants something; one of which that cannot be told rests, and its neighbours go on."""
        now = self._timeline.now()
        step, until = self._rested.get(life.order.id, (0, now))
        rests_until = until if step == life.step else None
        if rests_until is not None and rests_until > now:
            return rests_until
        try:
            due = due_at(life, reach.trip_delay, self._timeline)
        except Exception as error:  # noqa: BLE001 (a bug that one order meets is not its neighbours')
            _log.error("order_crashed", order=life.order.id, exc_info=error)
            self._rest(life, CRASHED_RESTS)
            return now + CRASHED_RESTS
        return due if rests_until is None else max(due, rests_until)

    async def _wait(self, news: asyncio.Event) -> None:
        """Until something is due, something has changed, or we are told to stop."""
        now = self._timeline.now()
        next_at = min((at for _, at in self._dues()), default=now + timedelta(seconds=WAIT_MAX_S))
        seconds = min(max((next_at - now).total_seconds(), 0.0), WAIT_MAX_S)
        await _any_of(seconds, news, self._stopping)


def _rank(life: Life) -> int:
    if life.order.kind in CLOSES:
        return 0
    return 1 if life.state in LOOKED_AT else 2


async def _any_of(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of the events is set, or for so long."""
    async with asyncio.TaskGroup() as waiting:
        tasks = [waiting.create_task(event.wait(), name="orders.wait") for event in events]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
