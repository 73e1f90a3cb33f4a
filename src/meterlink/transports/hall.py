"""The hall of one port: strangers until they have said who they are, then one connection a terminal.

Nothing here knows a protocol or a socket: connections come from whatever accepts them, and a doorkeeper, one
each, finds out who calls. Three rules hold:

- *The newest connection of a terminal wins.* Behind mobile networks a connection dies without a word, and
  the terminal dials again long before our side has noticed; so the old one is ended, whatever it is at.
- *Only strangers need a limit.* A terminal has one connection, and there are as many as are known; so the
  hall is full when ``STRANGERS_MAX`` callers have no name yet. The one who came first of them then makes
  room: who dials and says nothing keeps nobody else out.
- *A visit is taken once.* The line of a terminal takes its connection and owns it from there on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

import structlog

from meterlink.transports.caller import Caller
from meterlink.transports.doorkeeper import DoorkeeperMaker, K, K_co
from meterlink.transports.log_budget import LogBudget

STRANGERS_MAX = 256
"""Callers without a name at one time, beside the terminals of the port: those may all dial at once, and the
kernel hands over a whole backlog of connections before the first login is read."""
LOGGED_MAX = 1_000
"""Lines that the log of one port may have at once for callers who did not come in, each its own; the counters
go on."""
LOGGED_EACH_S = 3.6
"""And one more in so many seconds, a thousand an hour. How many were left out the next line says."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """What has come through one port since the start.

    Attributes:
        accepted: connections.
        logins: connections whose terminal became known.
        replaced: connections that gave way to a newer one of their terminal.
        crowded_out: strangers who made room for others.
        turned_away: all other strangers that left without a name: refused, late, too long, gone.

    """

    accepted: int = 0
    logins: int = 0
    replaced: int = 0
    crowded_out: int = 0
    turned_away: int = 0


class Seat(NamedTuple, Generic[K_co]):
    """A terminal that is connected: its stream, and its session."""

    stream: Caller[K_co]
    keeper: K_co


class Hall(Generic[K]):
    """Callers of one port.

    Args:
        make_keeper: makes the session of a connection.
        strangers_max: how many may be without a name at one time; ``STRANGERS_MAX`` more than there are
            terminals.

    Attributes:
        counts: what has come through.

    """

    def __init__(self, make_keeper: DoorkeeperMaker[K], *, strangers_max: int = STRANGERS_MAX) -> None:
        self.counts = Counts()
        self._make_keeper = make_keeper
        self._strangers_max = strangers_max
        self._strangers: dict[Caller[K], None] = {}
        self._seats: dict[str, Caller[K]] = {}
        self._untaken: dict[str, Caller[K]] = {}
        self._comings: dict[str, asyncio.Event] = {}
        self._log = LogBudget(LOGGED_MAX, LOGGED_EACH_S)
        self._logs: dict[str, LogBudget] = {}
        self._closed = False

    @property
    def strangers(self) -> int:
        """Callers without a name."""
        return len(self._strangers)

    @property
    def terminals(self) -> int:
        """Terminals that are connected."""
        return len(self._seats)

    def accept(self) -> Caller[K]:
        """The protocol object of a connection that is about to be made."""
        return Caller(self, self._make_keeper())

    def door(self, terminal: str) -> HallDoor[K]:
        """Where that terminal comes in. One taker a terminal."""
        return HallDoor(self, terminal)

    async def close(self) -> None:
        """End every connection; those that still come are ended too."""
        self._closed = True
        callers = [*self._strangers, *self._seats.values()]
        for caller in callers:
            caller.hang_up("we stop")
        for caller in callers:
            await caller.aclose()

    # --- what a caller tells ---------------------------------------------------------------

    def entered(self, caller: Caller[Any]) -> None:
        """See ``Host.entered``."""
        self.counts.accepted += 1
        self._strangers[caller] = None
        if self._closed:
            caller.hang_up("we stop")
        elif len(self._strangers) > self._strangers_max:
            self._make_room(next(iter(self._strangers)))

    def identified(self, caller: Caller[Any], terminal: str) -> None:
        """See ``Host.identified``."""
        self.counts.logins += 1
        del self._strangers[caller]
        older = self._seats.pop(terminal, None)
        if older is not None:
            self.counts.replaced += 1
            older.hang_up("the terminal has dialled in anew")
            self._tell_of(terminal, "terminal_replaced", peer=older.peer, by=caller.peer)
        self._seats[terminal] = self._untaken[terminal] = caller
        self._tell_of(terminal, "terminal_came", peer=caller.peer)
        self._coming(terminal).set()

    def left(self, caller: Caller[Any], why: str) -> None:
        """See ``Host.left``."""
        if caller in self._strangers:
            del self._strangers[caller]
            self.counts.turned_away += 1
            self._tell(caller, why)
            return
        terminal = caller.terminal
        if terminal is not None and self._seats.get(terminal) is caller:
            del self._seats[terminal]
            self._coming(terminal).clear()
            if self._untaken.pop(terminal, None) is not None:  # of one that was taken, its line says so
                self._tell_of(terminal, "terminal_left", peer=caller.peer, reason=why)

    # --- what a door asks ------------------------------------------------------------------

    def take(self, terminal: str) -> Seat[K] | None:
        """The terminal's connection, if there is one that nobody has taken."""
        caller = self._untaken.pop(terminal, None)
        if caller is None:
            return None
        self._coming(terminal).clear()
        return Seat(caller, caller.keeper)

    async def wait_for(self, terminal: str) -> Seat[K]:
        """Wait for the terminal; cancelled, nothing is lost."""
        while (seat := self.take(terminal)) is None:
            await self._coming(terminal).wait()
        return seat

    def _make_room(self, first: Caller[K]) -> None:
        del self._strangers[first]
        self.counts.crowded_out += 1
        why = f"{self._strangers_max} other callers have no name yet either"
        first.hang_up(why)
        self._tell(first, why)

    def _coming(self, terminal: str) -> asyncio.Event:
        return self._comings.setdefault(terminal, asyncio.Event())

    def _tell(self, caller: Caller[Any], why: str) -> None:
        self._log.tell(_log.warning, "caller_turned_away", peer=caller.peer, reason=why)

    def _tell_of(self, terminal: str, event: str, **fields: Any) -> None:
        """Of one that is known: who knows its name can log in and hang up as often as he likes."""
        budget = self._logs.setdefault(terminal, LogBudget())
        budget.tell(_log.info, event, terminal=terminal, **fields)


PortOpener = Callable[[str, int, Hall[Any]], AbstractAsyncContextManager[int]]
"""Listens at (host, port) for a hall; gives the port."""


class HallDoor(Generic[K]):
    """The place in a hall where one terminal is waited for; a ``Door`` of the bus."""

    def __init__(self, hall: Hall[K], terminal: str) -> None:
        self._hall = hall
        self._terminal = terminal

    @property
    def absence(self) -> str:
        """See ``Door.absence``."""
        return f"terminal {self._terminal} is not connected: it dials in by itself"

    def visitor(self) -> Seat[K] | None:
        """See ``Door.visitor``."""
        return self._hall.take(self._terminal)

    async def visit(self) -> Seat[K]:
        """See ``Door.visit``."""
        return await self._hall.wait_for(self._terminal)
