"""The owner of one line: the only task that touches its stream.

Others hand in a session and wait; nobody locks a line. A caller that gives up while its exchange is in
progress does not stop it: the owner brings it to its end, so that a late answer meets its own question.
When the line is down, requests fail at once with ``LineLost`` until the next try to open it is due.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from meterlink.bus.alarm import Alarm
from meterlink.bus.exchange import Session, Timing, carry_out
from meterlink.bus.queue import TICKETS_MAX, Priority, TicketQueue
from meterlink.errors import LineBusy, LineClosed, LineError, LineLost, ReplyTimeout
from meterlink.trace import TraceRing, Transcript
from meterlink.transports.stream import ByteStream

REOPEN_FIRST_S = 0.5
REOPEN_MAX_S = 15.0
"""Pauses between tries to open a lost line double from the first to the longest, with jitter."""

Opener = Callable[[], Awaitable[ByteStream]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Ticket:
    session: Session
    done: asyncio.Future[None]


class Line:
    """One line and its queue.

    Args:
        name: what people call it.
        opener: opens the stream; raises ``LineLost`` or ``LineBusy``.
        timing: timers of an exchange.
        rng: jitter of reopening.
        trace: ring that sees all octets but the secret ones, if any.
        tickets_max: requests that may wait.

    """

    def __init__(
        self,
        name: str,
        *,
        opener: Opener,
        timing: Timing,
        rng: random.Random,
        trace: TraceRing | None = None,
        tickets_max: int = TICKETS_MAX,
    ) -> None:
        self.name = name
        self._opener = opener
        self._timing = timing
        self._rng = rng
        self._trace = trace
        self._queue: TicketQueue[_Ticket] = TicketQueue(
            asyncio.get_running_loop().time, tickets_max=tickets_max
        )
        self._stream: ByteStream | None = None
        self._reopen_at = 0.0
        self._pause_s = REOPEN_FIRST_S
        self._trouble: LineError | None = None
        self._stopped = False

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

        """
        if self._stopped:
            raise LineClosed(f"{self.name}: the line's owner has stopped")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(_Ticket(session, done), priority)
        await done

    async def run(self) -> None:
        """Own the line until cancelled. One task, once."""
        alarm = Alarm()
        try:
            while True:
                ticket = await self._queue.take()
                if not ticket.done.cancelled():
                    await self._serve(ticket, alarm)
        finally:
            alarm.close()
            self._stopped = True
            for ticket in self._queue.drain():
                _fail(ticket, LineClosed(f"{self.name}: the line's owner has stopped"))
            await self._close()

    async def _serve(self, ticket: _Ticket, alarm: Alarm) -> None:
        try:
            stream = self._stream or await self._open(alarm.now())
            if self._timing.turnaround_s:
                await asyncio.sleep(self._timing.turnaround_s)
            await carry_out(stream, ticket.session, self._timing, alarm, self._transcript(ticket.session))
        except (LineLost, LineBusy) as error:
            await self._close()
            _fail(ticket, error)
        except ReplyTimeout as error:
            _fail(ticket, error)
        except BaseException as error:
            interrupted = isinstance(error, asyncio.CancelledError)
            _fail(ticket, LineClosed(f"{self.name}: the line's owner has stopped") if interrupted else error)
            raise
        else:
            if not ticket.done.done():
                ticket.done.set_result(None)

    async def _open(self, now: float) -> ByteStream:
        if now < self._reopen_at and self._trouble is not None:
            raise self._trouble
        try:
            self._stream = await self._opener()
        except (LineLost, LineBusy) as error:
            if str(self._trouble) != str(error):
                _log.warning("line_down", line=self.name, reason=str(error))
            self._trouble = error
            self._reopen_at = now + self._pause_s * self._rng.uniform(0.5, 1.0)
            self._pause_s = min(2 * self._pause_s, REOPEN_MAX_S)
            raise
        _log.info("line_up", line=self.name)
        self._pause_s, self._trouble = REOPEN_FIRST_S, None
        return self._stream

    async def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            _log.info("line_closed", line=self.name)
            await stream.aclose()

    def _transcript(self, session: Session) -> Transcript | None:
        return None if self._trace is None else Transcript(self._trace, self.name, session.secret_ranges)


def _fail(ticket: _Ticket, error: BaseException) -> None:
    if not ticket.done.done():
        ticket.done.set_exception(error)
        ticket.done.exception()  # the caller may have given up: then nobody else retrieves it
