"""What logs in: over a connection it says who it is, sends heartbeats, and answers meanwhile.

That is a line whose meter calls, or whatever else answers over a connection and has an address.
A terminal in the field dials its master, or waits to be connected to, and begins in both cases with a LINK
login. It sends a heartbeat each period; after three that nobody answered, and after a login that was
refused, it lets the connection go. Source: DL/T 698.45-2017, 7.3.1; spec sections 1.7, 3.2 and 8.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from metersim.dlt698.meter import Meter698
from metersim.line.line import Clock, Duplex, Line
from metersim.serving.served import Served
from metersim.serving.tcp import REDIAL_S, open_dial
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.link_management import LinkRequest, LinkResponse
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import DateTime
from meterwire.dlt698.sessions.report import TRIES, Notification, ReportSession

HEARTBEAT_S: Final = 60
HEARTBEAT_S_MAX: Final = 0xFFFF
NEWS_S: Final = 15.0
"""How often a meter that calls looks whether it has events to tell."""
ANSWER_TIMEOUT_S: Final = 5.0
"""How long one try waits for the master's word."""

LOGIN, HEARTBEAT = 0, 1
LINKED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a terminal calls.

    Args:
        heartbeat_s: between heartbeats, 1 to 65,535 s.
        answer_timeout_s: how long one try waits for its answer, over 0 s.
        tries: of a login, heartbeat or report, 1 or more.
        news_s: between looks for events that a meter has to tell, over 0 s.

    Raises:
        ValueError: a figure out of its range.

    """

    heartbeat_s: int = HEARTBEAT_S
    answer_timeout_s: float = ANSWER_TIMEOUT_S
    tries: int = TRIES
    news_s: float = NEWS_S

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.heartbeat_s <= HEARTBEAT_S_MAX:
            raise ValueError(f"a heartbeat each {self.heartbeat_s} s: 1 to {HEARTBEAT_S_MAX} s")
        if min(self.answer_timeout_s, self.news_s) <= 0 or self.tries < 1:
            raise ValueError("a terminal waits and looks for over 0 s, and tries once at least")


class OwnClock(Protocol):
    """The clock of who calls."""

    def shows(self, at: datetime) -> datetime:
        """What it shows at a true time."""


class Caller(Protocol):
    """Who logs in."""

    @property
    def address(self) -> str:
        """12 digits."""

    @property
    def clock(self) -> OwnClock:
        """Its own clock."""

    def report(self, oads: Sequence[Oad], at: datetime) -> Notification:
        """A notification of attributes, as of a true time."""

    def telling(self, notification: Notification) -> ReportSession:
        """One try of telling the master something."""


class Terminal:
    """A line whose first meter, one of DL/T 698.45, logs in over each connection; or another caller.

    Args:
        line: the line, or what else answers over a connection.
        clock: the true time.
        habits: how it calls.
        caller: who logs in; by default the first meter of the line.

    Raises:
        ValueError: without a caller, the first meter of the line speaks something else.

    """

    def __init__(
        self, line: Served, *, clock: Clock, habits: Habits | None = None, caller: Caller | None = None
    ) -> None:
        self._line = line
        self._caller = caller or _first_meter(line)
        self._clock = clock
        self._habits = habits or Habits()
        self._calls: dict[_Call, None] = {}

    @property
    def meter(self) -> Caller:
        """Who logs in."""
        return self._caller

    @property
    def online(self) -> bool:
        """Whether a master has answered its login, over any connection."""
        return any(call.linked for call in self._calls)

    async def serve(self, duplex: Duplex) -> None:
        """Log in, keep the link alive and answer, until either side ends it.

        Args:
            duplex: the connection; several may be served at once.

        """
        call = _Call(duplex)
        self._calls[call] = None
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    group.create_task(self._line.serve(call), name="terminal.line"),
                    group.create_task(self._keep_alive(call), name="terminal.link"),
                }
                if isinstance(self._caller, Meter698):
                    tasks.add(group.create_task(self._tell_news(call, self._caller), name="terminal.news"))
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        finally:
            self._calls.pop(call, None)

    async def report(self, oads: Sequence[Oad]) -> bool:
        """Tell the master of every connection some attributes; whether each confirmed it.

        Args:
            oads: what it tells.

        Raises:
            LocalProtocolError: nothing to tell, or too much for one APDU.

        """
        return await self.tell(self._caller.report(oads, self._clock.utc_now()))

    async def tell(
        self, report: Notification, *, tries: int | None = None, timeout_s: float | None = None
    ) -> bool:
        """Tell the master of every connection something, in several tries; whether each confirmed it.

        Args:
            report: what it tells; the same one, given again, is another try.
            tries: how many, 1 or more; by default as it is the caller's habit.
            timeout_s: for each; the same.

        Raises:
            LocalProtocolError: too much for one APDU.

        """
        told = [await self._told(call, report, tries, timeout_s) is not None for call in tuple(self._calls)]
        return bool(told) and all(told)

    async def _keep_alive(self, call: _Call) -> None:
        """Until the link is dead, or the master does not want us."""
        with suppress(ConnectionError):
            kind = LOGIN
            while await self._linked(call, kind):
                call.linked = True
                await asyncio.sleep(self._habits.heartbeat_s)
                kind = HEARTBEAT

    async def _tell_news(self, call: _Call, meter: Meter698) -> None:
        """Tell the master what a meter of its own accord tells, again until it has confirmed it."""
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(self._habits.news_s)
                at = self._clock.utc_now()
                news = meter.news(at) if call.linked else None
                if news is not None and await self._told(call, news) is not None:
                    meter.confirmed(news, at)

    async def _linked(self, call: _Call, kind: int) -> bool:
        shown = self._caller.clock.shows(self._clock.utc_now())
        request = LinkRequest(
            piid=Piid.of(0), type=kind, heartbeat_s=self._habits.heartbeat_s, time=DateTime.of(shown)
        )
        answer = await self._told(call, request)
        return isinstance(answer, LinkResponse) and answer.result.code == LINKED

    async def _told(
        self,
        call: _Call,
        notification: Notification,
        tries: int | None = None,
        timeout_s: float | None = None,
    ) -> Apdu | None:
        """The master's word for it; ``None`` when no try brought one."""
        async with call.turn:
            for _ in range(tries or self._habits.tries):
                session = self._caller.telling(notification)
                await call.exchange(session, timeout_s or self._habits.answer_timeout_s)
                if session.finished:
                    reply: Apdu | None = session.reply
                    return reply
        return None


def _first_meter(line: Served) -> Meter698:
    first = next(iter(line.meters.values()), None) if isinstance(line, Line) else None
    if not isinstance(first, Meter698):
        raise ValueError("only a meter of DL/T 698.45 logs in")
    return first


class _Call:
    """A connection whose octets go to the line, and to what the terminal has begun itself."""

    def __init__(self, duplex: Duplex) -> None:
        self.turn = asyncio.Lock()
        self.linked = False
        self._duplex = duplex
        self._session: ReportSession | None = None
        self._news = asyncio.Event()

    async def receive(self) -> bytes:
        octets = await self._duplex.receive()
        if self._session is not None:
            self._session.feed(octets)
            self._news.set()
        return octets

    async def send(self, octets: bytes) -> None:
        await self._duplex.send(octets)

    async def exchange(self, session: ReportSession, timeout_s: float) -> None:
        """Send, and wait until it is finished or the time is over."""
        self._session = session
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._until_finished(session)
        finally:
            self._session = None

    async def _until_finished(self, session: ReportSession) -> None:
        while not session.finished:
            self._news.clear()
            if octets := session.octets_to_send():
                await self._duplex.send(octets)
            else:
                await self._news.wait()


def open_dialling(
    terminal: Terminal, host: str, port: int, *, redial_s: float = REDIAL_S
) -> AbstractAsyncContextManager[str]:
    """Keep a terminal calling a master; gives ``dial://host:port``.

    Args:
        terminal: who calls.
        host: the master's.
        port: the master's.
        redial_s: pause between calls.

    """
    name = f"terminal[{terminal.meter.address}]"
    return open_dial(terminal, host, port, redial_s=redial_s, name=name)
