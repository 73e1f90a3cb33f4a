"""The owner of one line: the only task that touches its stream.

Others hand in a session and wait; nobody locks a line. A caller that gives up while its exchange is in
progress does not stop it: the owner brings it to its end, so that a late answer meets its own question.
When the line is down, requests fail at once with ``LineLost`` until the next try to open it is due.
Who needs several exchanges with nobody's in between holds the line for them (``hold``).

A line is opened by us, when the first request comes, or is a door through which its terminal comes: then the
owner also listens between requests, and answers what the terminal begins. A line of ours may have a listener
too: then it is opened at once and again after a break, and answers go out between two requests. Where it is a
terminal that we dial, nobody else is on it, and its listener parses for both as if it had dialled us.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol, cast, runtime_checkable

import structlog

from meterlink.bus.airtime import Airtime
from meterlink.bus.alarm import Alarm, Rung
from meterlink.bus.dialling import REOPEN_MAX_S, Dialling, Opener
from meterlink.bus.exchange import NothingHeard, Session, SessionBroke, Timing, carry_out
from meterlink.bus.hearing import Hearing
from meterlink.bus.hold import HOLD_MAX_S, Hold, Ticket
from meterlink.bus.listener import Door, Listener, TerminalListener, Visit
from meterlink.bus.queue import TICKETS_MAX, Priority, TicketQueue
from meterlink.bus.wire import ListeningWire, PlainWire, SharedWire, Wire
from meterlink.bus.work import LineWork, Outcome
from meterlink.errors import LineBusy, LineClosed, LineLost, ReplyTimeout
from meterlink.trace import Ranges, TraceRing, Transcript
from meterlink.transports.log_budget import LogBudget
from meterlink.transports.stream import ByteStream

_log = structlog.get_logger(__name__)

_ANSWERED, _BROKEN = Outcome.ANSWERED, Outcome.BROKEN
"""By names of their own, for each exchange: up to Python 3.11 a member costs as much as a call."""


class Exchanging(Protocol):
    """Whoever carries out exchanges: a line, or the part of its time that somebody holds."""

    @property
    def name(self) -> str:
        """What people call the line."""

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """See ``Line.exchange``."""


@runtime_checkable
class Holdable(Exchanging, Protocol):
    """Whoever can be held for several exchanges; a hold itself cannot."""

    def hold(self, *, priority: Priority, longest_s: float = HOLD_MAX_S) -> AbstractAsyncContextManager[Hold]:
        """See ``Line.hold``."""


class Line:
    """One line and its queue.

    Args:
        name: what people call it.
        opener: opens the stream (raises ``LineLost`` or ``LineBusy``), or the door through which the line's
            terminal comes.
        timing: timers of an exchange.
        rng: jitter of reopening.
        ear: makes the listener of a line that we open, each time that it is opened, where one is wanted.
        ear_parses: the line is a terminal: all octets go through its listener, a ``TerminalListener``.
        trace: ring that sees all octets but the secret ones, if any.
        tickets_max: requests and holds that may wait.
        work: where is noted what the line does; outlives a line that is started again.
        told: whether the log is told when it opens and closes, see ``Dialling``.

    Attributes:
        airtime: what its time went to.
        comings: how often it was opened, or its terminal came.

    """

    def __init__(
        self,
        name: str,
        *,
        opener: Opener | Door,
        timing: Timing,
        rng: random.Random,
        ear: Callable[[], Listener] | None = None,
        ear_parses: bool = False,
        trace: TraceRing | None = None,
        tickets_max: int = TICKETS_MAX,
        work: LineWork | None = None,
        told: bool = True,
    ) -> None:
        self.name = name
        self.airtime = Airtime()
        self.comings = 0
        self._work = LineWork() if work is None else work
        self._way = Dialling(name, opener, rng, told=told) if callable(opener) else opener
        self._timing = timing
        self._ear = ear
        self._ear_parses = ear_parses
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._queue: TicketQueue[Ticket | Hold] = TicketQueue(self._loop.time, tickets_max=tickets_max)
        self._alarm = Alarm()
        self._log = LogBudget()
        self._hearing = Hearing()
        self._stream: ByteStream | None = None
        self._wire: PlainWire | ListeningWire | SharedWire | None = None
        self._listening = False
        self._sleeping: asyncio.Future[None] | None = None
        self._stopped = False
        self._at: Priority | None = None

    @property
    def is_pressed(self) -> bool:
        """Whether an order or a person waits for it, or has it now."""
        tiers = [self._at.tier] if self._at is not None else []
        tiers += [entry[0] for entry in self._queue.waiting[:1]]
        return min(tiers, default=Priority.BILLING.tier) < Priority.BILLING.tier

    @property
    def down_since(self) -> float | None:
        """Loop time from which on it could not be opened; ``None``: it can be, or its terminal dials in."""
        return self._way.down_since if isinstance(self._way, Dialling) else None

    def stop_opening(self) -> None:
        """Open it no more where it is down; what is in hand on an open line goes on."""
        if isinstance(self._way, Dialling):
            self._way.end()

    @property
    def absence(self) -> str:
        """Why nobody is there on a line whose terminal comes by itself; empty: it is there, or we open it."""
        if isinstance(self._way, Dialling) or self._wire is not None:
            return ""
        return f"{self.name}: {self._way.absence}"

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """Have one exchange carried out; returns when the session is finished.

        Args:
            session: fresh; nobody else may touch it until this returns.
            priority: who goes first.

        Raises:
            BusFull: too many wait; the thing stays due.
            ReplyTimeout: no complete answer in time.
            LineLost, LineBusy: the line cannot be used now.
            LineClosed: the owner has stopped.
            Exception: whatever the session raised; the line goes on with the next one.

        """
        ticket = Ticket(session, self._loop.create_future(), priority)
        self._enqueue(ticket, priority)
        try:
            await ticket.done
        except asyncio.CancelledError:
            self._queue.discard(ticket)
            raise

    @asynccontextmanager
    async def hold(self, *, priority: Priority, longest_s: float = HOLD_MAX_S) -> AsyncIterator[Hold]:
        """Have the line for oneself: ``async with line.hold(priority=...) as held``, then ``held.exchange``.

        The holder's own ``line.exchange`` would wait for the end of the hold. See ``hold``, the module.

        Args:
            priority: who goes first.
            longest_s: the hold ends by itself after this, more than 0 and at most ``HOLD_MAX_S``.

        Raises:
            BusFull: too many wait.
            LineClosed: the owner has stopped.

        """
        assert 0 < longest_s <= HOLD_MAX_S
        hold = Hold(self.name, priority=priority, longest_s=longest_s, wake=self._wake)
        self._enqueue(hold, priority)
        try:
            await hold.granted
            yield hold
        finally:
            self._queue.discard(hold)
            hold.end()

    async def run(self) -> None:
        """Own the line until cancelled. One task, once."""
        held: Hold | None = None
        work = self._work
        try:
            while True:
                while not self._queue.waiting:
                    await self._attend(self._is_asked)
                asked = self._queue.take()
                self._at = asked.priority
                work.since_s = now_s = self._alarm.now()
                try:
                    if isinstance(asked, Ticket):
                        await self._serve(asked, now_s)
                    else:
                        held = asked
                        held.grant()
                        await self._serve_hold(held)
                finally:
                    work.since_s = self._at = None
        finally:
            self._alarm.close()
            self._stopped = True
            closed = LineClosed(f"{self.name}: the line's owner has stopped")
            if held is not None:
                held.end(closed)
            for asked in self._queue.drain():
                if isinstance(asked, Hold):
                    asked.end(closed)
                else:
                    _fail(asked, closed)
            await self._close("the owner has stopped")

    def _enqueue(self, asked: Ticket | Hold, priority: Priority) -> None:
        if self._stopped:
            raise LineClosed(f"{self.name}: the line's owner has stopped")
        self._queue.put(asked, priority)
        self._wake()

    def _wake(self) -> None:
        """There is something to do, or was for a moment."""
        if self._sleeping is not None and not self._sleeping.done():
            self._sleeping.set_result(None)
        if self._listening:
            self._alarm.ring()

    def _is_asked(self) -> bool:
        return bool(self._queue.waiting)

    def _attend(self, wanted: Callable[[], bool]) -> Awaitable[None]:
        """There is nothing to do: hear the line, where it has a listener, until there may be."""
        if self._ear is not None or not isinstance(self._way, Dialling):
            return self._hear(wanted)
        self._sleeping = self._loop.create_future()
        return self._sleeping

    async def _hear(self, wanted: Callable[[], bool]) -> None:
        """Hear a line that has a listener, until there is something to do."""
        if isinstance(self._way, Dialling):
            await self._overhear(self._way, wanted)
        else:
            await self._listen(self._way, wanted)

    async def _serve_hold(self, hold: Hold) -> None:
        while True:
            while not hold.has_work:
                await self._attend(lambda: hold.has_work)
            if hold.is_over:
                return
            await self._serve(hold.take(), self._alarm.now())

    async def _serve(self, ticket: Ticket, begun_s: float) -> None:
        outcome: Outcome | None = _BROKEN
        try:
            wire = self._wire or await self._open()
            if isinstance(wire, SharedWire):
                await wire.settle(self._alarm.now() + self._timing.whole_answer_s)
            if self._timing.turnaround_s:
                await asyncio.sleep(self._timing.turnaround_s)
            if ticket.done.done():
                outcome = None
                return  # the caller gave up, and nothing has left
            await carry_out(
                wire,
                ticket.session,
                self._timing,
                self._alarm.now,
                None if self._trace is None else self._transcript(ticket.session.secret_ranges),
            )
        except (LineLost, LineBusy) as error:
            outcome, self._work.trouble = Outcome.LOST, str(error)
            await self._close(str(error))
            _fail(ticket, error)
        except ReplyTimeout as error:
            outcome = Outcome.SILENT
            _fail(ticket, error)
            await self._note_silence(nothing=isinstance(error, NothingHeard))
        except SessionBroke as broke:
            _fail(ticket, broke.error)
        except BaseException as error:
            interrupted = isinstance(error, asyncio.CancelledError)
            outcome = None
            _fail(ticket, LineClosed(f"{self.name}: the line's owner has stopped") if interrupted else error)
            raise
        else:
            outcome = _ANSWERED
            if not ticket.done.done():
                ticket.done.set_result(None)
        finally:
            ended_s = self._alarm.now()
            took_s = ended_s - begun_s
            self.airtime.note(ticket.priority, took_s, ended_s)
            if outcome is not None:
                self._work.note(outcome, took_s)
            if outcome is _ANSWERED or outcome is _BROKEN:
                self._note_heard(ended_s)

    def _note_heard(self, now_s: float) -> None:
        self._hearing.heard(now_s)
        if isinstance(self._way, Dialling):
            self._way.works()

    async def _note_silence(self, *, nothing: bool) -> None:
        """Open a line of ours anew on which no answer is heard for long, see ``hearing``."""
        if not isinstance(self._way, Dialling):
            return
        if not nothing:
            self._hearing.noise()
            self._way.works()
        if self._hearing.is_deaf(self._alarm.now()):
            what = "nothing" if nothing else "no answer"
            await self._close(f"{what} is heard on it: the connection may be dead")

    async def _listen(self, door: Door, wanted: Callable[[], bool]) -> None:
        """Let the terminal in and hear it, until there is something to do."""
        self._listening = True
        while not wanted():
            try:
                if not isinstance(self._wire, ListeningWire):
                    with self._alarm.until(None):
                        visit = await door.visit()
                    self._wire = self._welcome(visit)
                await self._wire.listen(wanted)
            except Rung:
                continue
            except LineLost as error:
                self._work.trouble = str(error)
                await self._close(str(error))
        self._listening = False

    async def _overhear(self, way: Dialling, wanted: Callable[[], bool]) -> None:
        """Hear a line that we open, until there is something to do."""
        self._listening = True
        while not wanted():
            try:
                wire = self._wire or await self._open()
                assert isinstance(wire, ListeningWire | SharedWire), "it has an ear"
                await wire.listen(wanted)
            except Rung:
                continue
            except (LineLost, LineBusy) as error:
                self._work.trouble = str(error)
                broke = self._wire is not None
                await self._close(str(error))
                await self._pause(self._alarm.now() + REOPEN_MAX_S if broke else way.due_at)
        self._listening = False

    async def _pause(self, until: float) -> None:
        """Leave a line alone that broke, or cannot be opened, until there is something to do."""
        with suppress(TimeoutError, Rung), self._alarm.until(until):
            await asyncio.Event().wait()

    async def _open(self) -> Wire:
        if isinstance(self._way, Dialling):
            self._stream = await self._way.open(self._alarm.now())
            self._wire = self._opened(self._stream)
        else:
            visit = self._way.visitor()
            if visit is None:
                raise LineLost(f"{self.name}: {self._way.absence}")
            self._wire = self._welcome(visit)
        return self._wire

    def _opened(self, stream: ByteStream) -> PlainWire | ListeningWire | SharedWire:
        self.comings += 1
        self._work.trouble = ""
        self._hearing.opened(self._alarm.now())
        if self._ear is None:
            return PlainWire(stream, self._alarm)
        listener = self._ear()
        if self._ear_parses:
            visit = stream, cast(TerminalListener, listener)
            return ListeningWire(visit, self._alarm, self._transcript(listener.secret_ranges))
        return SharedWire(
            stream,
            listener,
            self._alarm,
            quiet_s=self._timing.octet_gap_s,
            character_s=self._timing.character_s,
            transcript=self._transcript(listener.secret_ranges),
        )

    def _welcome(self, visit: Visit) -> ListeningWire:
        self._stream, listener = visit
        self.comings += 1
        self._work.trouble = ""
        self._log.tell(_log.info, "line_up", line=self.name)
        return ListeningWire(visit, self._alarm, self._transcript(listener.secret_ranges))

    async def _close(self, reason: str) -> None:
        stream, self._stream = self._stream, None
        wire, self._wire = self._wire, None
        if isinstance(wire, ListeningWire | SharedWire):
            wire.leave()
        if stream is not None:
            if not (isinstance(self._way, Dialling) and (self._way.is_flapping or not self._way.told)):
                self._log.tell(_log.info, "line_closed", line=self.name, reason=reason)
            await stream.aclose()

    def _transcript(self, secret_ranges: Callable[[bytes], Ranges]) -> Transcript | None:
        return None if self._trace is None else Transcript(self._trace, self.name, secret_ranges)


def _fail(ticket: Ticket, error: BaseException) -> None:
    if not ticket.done.done():
        ticket.done.set_exception(error)
        ticket.done.exception()  # the caller may have given up: then nobody else retrieves it
