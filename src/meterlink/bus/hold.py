"""A part of a line's time that belongs to one: his exchanges go at once, and everybody else's wait.

An order holds its line from before its control leaves until it has read back what that did, so that no other
question's answer can be taken for one of its own, and nobody else switches anything meanwhile.

A hold waits in the line's queue like an exchange, by priority; two holds go one after the other. It ends when
its holder leaves, is cancelled, or fails; at the latest after ``HOLD_MAX_S``, for a holder who hangs would
keep all meters of the line from being read. What is in progress at that moment is brought to its end first,
and the line is given on only then.

What a terminal or meter says by itself is heard during a hold as at any time. What is owed for it goes out as
at any time too: on a connection that a terminal made at once, or the terminal takes us for dead and drops it,
the order's answer with it; on a line of ours between two exchanges of the hold, never within one. An
acknowledgement is answered by nobody, so no octet of it can be mistaken for an answer to the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meterlink.bus.exchange import Session
from meterlink.bus.queue import Priority, TicketQueue
from meterlink.errors import HoldEnded, LineError

HOLD_MAX_S: Final = 300.0
"""Longest hold. The read-back of an order takes a minute and its authentication is good for five; what takes
longer (a trip delay) is looked at again later, in a hold of its own."""
HELD_TICKETS_MAX: Final = 8
"""Exchanges that one holder may have waiting; it asks one after the other."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One exchange that somebody waits for.

    Args:
        session: fresh; it holds the answer when ``done`` is.
        done: of the caller, who may give up.
        priority: whose time of the line it takes.

    """

    session: Session
    done: asyncio.Future[None]
    priority: Priority


class Hold:
    """One holder's part of a line's time: the line's owner grants it, the holder asks through it.

    Args:
        name: of the line.
        priority: whose time of the line it takes.
        longest_s: it ends by itself after this, counted from when it was granted.
        wake: tells the line's owner that there is something to do.

    Attributes:
        granted: when this is done, the line is the holder's.

    """

    def __init__(self, name: str, *, priority: Priority, longest_s: float, wake: Callable[[], None]) -> None:
        self.name = name
        self.priority = priority
        self._loop = asyncio.get_running_loop()
        self.granted: asyncio.Future[None] = self._loop.create_future()
        self._longest_s = longest_s
        self._wake = wake
        self._tickets: TicketQueue[Ticket] = TicketQueue(self._loop.time, tickets_max=HELD_TICKETS_MAX)
        self._over: LineError | None = None
        self._lapse: asyncio.TimerHandle | None = None

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """Have one exchange carried out, before anybody else's; see ``Line.exchange``.

        Args:
            session: fresh; nobody else may touch it until this returns.
            priority: who goes first among the holder's own.

        Raises:
            HoldEnded: the line is others' again; no octet of this has left.
            BusFull: the holder has too many waiting.
            ReplyTimeout, LineLost, LineBusy, LineClosed: as of a line.

        """
        if self._over is not None:
            raise type(self._over)(str(self._over))
        ticket = Ticket(session, self._loop.create_future(), priority)
        self._tickets.put(ticket, priority)
        self._wake()
        try:
            await ticket.done
        except asyncio.CancelledError:
            self._tickets.discard(ticket)
            raise

    # --- for the line and its owner ---

    def grant(self) -> None:
        """The line is the holder's from now on."""
        if self._over is None and not self.granted.done():
            self._lapse = self._loop.call_later(
                self._longest_s,
                self.end,
                HoldEnded(f"{self.name}: held for {self._longest_s:g} s, and no longer; it is others' now"),
            )
            self.granted.set_result(None)

    def end(self, why: LineError | None = None) -> None:
        """It is over: the holder has left, its time is up, or the line has no owner any more."""
        if self._over is not None:
            return
        self._over = why or HoldEnded(f"{self.name}: the line was given back; it is others' now")
        if self._lapse is not None:
            self._lapse.cancel()
        for waiting in (self.granted, *(ticket.done for ticket in self._tickets.drain())):
            if not waiting.done():
                waiting.set_exception(self._over)
                waiting.exception()  # whoever waited may have given up: then nobody else retrieves it
        self._wake()

    @property
    def is_over(self) -> bool:
        """Whether the line may go to somebody else."""
        return self._over is not None

    @property
    def has_work(self) -> bool:
        """Whether its owner has something to do: an exchange waits, or the hold is over."""
        return self.is_over or len(self._tickets) > 0

    def take(self) -> Ticket:
        """The holder's next exchange; there is one."""
        return self._tickets.take()
