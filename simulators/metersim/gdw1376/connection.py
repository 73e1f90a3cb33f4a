"""A connection of a terminal with its master: it logs in, beats, reports, and answers meanwhile.

A login that is refused, and three calls that nobody answers, end the connection; a heartbeat that is denied
is followed by a login. A frame that is forwarded to a meter is answered when the meter has, and the rest goes
on beside it. Source: spec section B3, 02; field practice, section 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from metersim.gdw1376.commands import event_unit
from metersim.gdw1376.events import IMPORTANT, EventLog
from metersim.gdw1376.ways import Ways1376
from metersim.line.line import Duplex
from meterwire.gdw1376.functions import terminal as functions
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import Address, decode
from meterwire.gdw1376.messages.terminal import SEND, Group, Message
from meterwire.gdw1376.sessions.terminal_listener import HEARTBEAT, LOGIN, LOGOUT
from meterwire.gdw1376.sessions.terminal_server import Answers, Manners, TerminalServer

ANSWER_DELAY_S: Final = 0.05
"""How long it thinks about what it knows itself."""
REPORT_LOOK_S: Final = 15.0
"""How often it looks for events to report."""
FORWARDS_MAX: Final = 8
"""Requests to forward that are in hand at once, of one connection; one more is denied."""
EVENTS_A_REPORT: Final = 16


class Served1376(Protocol):
    """Who answers; `metersim.gdw1376.terminal.Terminal1376`."""

    ways: Ways1376
    events: EventLog

    @property
    def address(self) -> Address:
        """Its own."""

    @property
    def heartbeat_s(self) -> float:
        """Between heartbeats."""

    @property
    def reports(self) -> bool:
        """Whether it may report."""

    def answer(self, message: Message) -> Answers | None:
        """The answer to what it knows itself; ``None``: it is to be forwarded, or nothing is said."""

    def is_forwarded(self, message: Message) -> bool:
        """Whether it asks a meter."""

    async def forwarded(self, message: Message) -> Answers:
        """The answer to what is forwarded."""

    def mishap_at(self, frames: int) -> int | None:
        """How many of some frames of one answer still leave before it is reset; ``None``: all."""


class Connection1376:
    """One connection.

    Args:
        owner: whose.
        duplex: what carries the octets.

    Attributes:
        linked: the master has confirmed its login.

    """

    def __init__(self, owner: Served1376, duplex: Duplex) -> None:
        self.linked = False
        self._owner = owner
        self._duplex = duplex
        quirks = owner.ways.quirks
        manners = Manners(
            call_function=SEND if "c4_calls" in quirks else Manners().call_function,
            keeps_master="keeps_master" in quirks,
            single_first="fir_zero" not in quirks,
        )
        self._server = TerminalServer(owner.address, self._answers, manners=manners)
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._asked: list[Message] = []
        self._forwards: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Log in and answer until either side ends it."""
        async with asyncio.TaskGroup() as group:
            tasks = {
                group.create_task(self._listen(group), name="terminal.ear"),
                group.create_task(self._keep_alive(), name="terminal.link"),
                group.create_task(self._report(), name="terminal.reports"),
            }
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks | self._forwards:
                task.cancel()

    async def log_out(self) -> None:
        """Say goodbye, once."""
        with suppress(ConnectionError):
            self._server.call(LOGOUT)
            await self._send()

    # --- what it answers ---

    async def _listen(self, group: asyncio.TaskGroup) -> None:
        with suppress(ConnectionError):
            while octets := await self._duplex.receive():
                self._server.event_counts = self._owner.events.counts if self._owner.events.unread else None
                self._server.feed(octets)
                asked, self._asked = self._asked, []
                for message in asked:
                    await self._take(message, group)
                await self._send()
                self._news.set()

    def _answers(self, message: Message) -> Answers | None:
        """All is answered in turn; only so much comes with one piece of octets."""
        self._asked.append(message)
        return None

    async def _take(self, message: Message, group: asyncio.TaskGroup) -> None:
        if not self._owner.is_forwarded(message):
            answer = self._owner.answer(message)
            if answer is not None:
                await asyncio.sleep(ANSWER_DELAY_S)
                self._reply(message, answer)
                await self._send()
        elif len(self._forwards) >= FORWARDS_MAX:
            self._reply(message, ())
        else:
            task = group.create_task(self._forward(message), name="terminal.forward")
            self._forwards.add(task)
            task.add_done_callback(self._forwards.discard)

    async def _forward(self, message: Message) -> None:
        self._reply(message, await self._owner.forwarded(message))
        with suppress(ConnectionError):  # the reader of the connection sees it too, and ends
            await self._send()

    def _reply(self, message: Message, frames: Answers) -> None:
        counts = self._owner.events.counts if self._owner.events.unread else None
        self._server.event_counts = counts
        self._server.reply(message, frames)

    async def _send(self) -> None:
        octets = self._server.octets_to_send()
        if not octets:
            return
        whole = [span.octets for span in Deframer(TERMINAL).feed(octets)]
        several = [one for one in whole if not decode(one).final or not decode(one).first]
        leaving = self._owner.mishap_at(len(several)) if len(several) > 1 else None
        if leaving is not None:
            octets = b"".join(whole[:leaving])
        if octets:
            await self._duplex.send(octets)

    # --- what it begins ---

    async def _keep_alive(self) -> None:
        """Until the link is dead, or the master does not want us."""
        with suppress(ConnectionError):
            while await self._called(LOGIN):
                self.linked = True
                while await self._beaten():
                    pass
                if self._server.confirmed is None:
                    return

    async def _beaten(self) -> bool:
        await asyncio.sleep(self._owner.heartbeat_s)
        return await self._called(HEARTBEAT)

    async def _called(self, fn: int) -> bool:
        return await self._told(lambda: self._server.call(fn))

    async def _report(self) -> None:
        """Tell important events that wait, as often as it takes."""
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(REPORT_LOOK_S)
                if self.linked and self._owner.reports and self._owner.events.unread:
                    await self._report_once()

    async def _report_once(self) -> None:
        events = self._owner.events
        first, last = events.newest_unread()
        last = (first + min((last - first) % 256, EVENTS_A_REPORT)) % 256
        before = events.unread
        found = events.between(IMPORTANT, first, last)
        events.unread, after = before, events.unread
        groups: list[Group] = [event_unit(IMPORTANT, events.counts, (first, last), found)]
        if found and await self._told(lambda: self._server.report(functions.EVENTS, groups)):
            events.unread = min(events.unread, after + events.unread - before)

    async def _told(self, begin: Callable[[], None]) -> bool:
        """Begin something of its own, in several tries; whether the master confirmed it."""
        async with self._turn:
            for _ in range(self._owner.ways.tries):
                begin()
                await self._send()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._owner.ways.answer_timeout_s):
                        while self._server.confirmed is None:
                            self._news.clear()
                            await self._news.wait()
                if self._server.confirmed is not None:
                    return self._server.confirmed
        return False
