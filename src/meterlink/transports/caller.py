"""One accepted connection: a stranger whom a doorkeeper asks for his name, then the line of a terminal."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, Protocol

from meterlink.errors import LineLost
from meterlink.transports.doorkeeper import K
from meterlink.transports.keep_alive import keep_alive
from meterlink.transports.protocol_stream import ProtocolStream

IDENTIFY_TIMEOUT_S = 30.0
"""A stranger must have said who he is; over mobile networks a login takes seconds."""
IDENTIFY_OCTETS_MAX = 1_024
"""Octets that a stranger may send until then: a modem's greeting and a login have a tenth of it."""
WRITE_BUFFER_MAX = 16_384
"""Octets that may wait for a peer who does not read; who sends more waits until it does."""
WRITE_STALL_S = 30.0
"""Such a peer is given up after so long: its heartbeats alone do not make it a line."""


class Host(Protocol):
    """Who keeps the list of callers."""

    def entered(self, caller: Caller[Any]) -> None:
        """A connection has come."""

    def identified(self, caller: Caller[Any], terminal: str) -> None:
        """It is that terminal's."""

    def left(self, caller: Caller[Any], why: str) -> None:
        """It is over, or about to be."""


class Caller(ProtocolStream, Generic[K]):
    """A connection that somebody made to us; a ``ByteStream`` once its terminal is known.

    One timer watches it: for the name first, then for silence. It is armed once and looks, when it rings,
    whether it rang too early; so a heartbeat costs no timer.

    Args:
        host: is told what becomes of it.
        keeper: its session.

    Attributes:
        keeper: its session.
        terminal: whose it is, once that is known.
        peer: where it comes from, for people.

    """

    def __init__(self, host: Host, keeper: K) -> None:
        super().__init__("a caller")
        self.keeper = keeper
        self.terminal: str | None = None
        self.peer = "nowhere"
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._opened_at = self._heard_at = self._loop.time()
        self._stalled_at: float | None = None
        self._octets = 0
        self._timer: asyncio.TimerHandle | None = None

    # --- what the event loop calls ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let him in as a stranger."""
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_MAX)
        keep_alive(transport)
        self.peer = _peer(transport)
        self.name = f"caller {self.peer}"
        self._arm(IDENTIFY_TIMEOUT_S)
        self._host.entered(self)

    def data_received(self, data: bytes) -> None:
        """Ask a stranger for his name; buffer what a terminal says."""
        self._heard_at = self._loop.time()
        if self.terminal is not None:
            super().data_received(data)
        elif self._timer is not None:  # else it has been hung up
            self._identify(data)

    def eof_received(self) -> bool:
        """The other side ended it."""
        self._over("it closed the connection")
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        super().connection_lost(exc)
        self._over(str(exc) if exc is not None else "the connection ended")

    def pause_writing(self) -> None:
        """It does not read; for how long?"""
        super().pause_writing()
        self._stalled_at = self._loop.time()
        self._arm(WRITE_STALL_S)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._stalled_at = None

    # --- what others do with it ------------------------------------------------------------

    def hang_up(self, why: str) -> None:
        """End it from our side: for the reader it is lost, and what it sent before may still be taken."""
        self.lose(LineLost(f"{self.name}: {why}"))
        self._over(why)

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        self._over("we closed the connection")
        await super().aclose()

    # --- inside ----------------------------------------------------------------------------

    def _identify(self, data: bytes) -> None:
        """Let the keeper hear a stranger, and no more of him at once than he may send."""
        assert self.transport is not None
        self._octets += len(data)
        data, rest = data[:IDENTIFY_OCTETS_MAX], data[IDENTIFY_OCTETS_MAX:]
        self.keeper.feed(data)
        if answer := self.keeper.octets_to_send():
            self.transport.write(answer)
        if self.keeper.ending:
            self.hang_up(self.keeper.ending)
        elif self.keeper.terminal is not None:
            self.terminal = self.keeper.terminal
            self.name = f"terminal {self.terminal}"
            self._arm(self.keeper.idle_limit_s)
            self._host.identified(self, self.terminal)
            if rest:
                super().data_received(rest)
        elif self._octets > IDENTIFY_OCTETS_MAX:
            self.hang_up(f"{self._octets} octets without a login")

    def _over(self, why: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._host.left(self, why)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """The timer rang: too early, or is it over?"""
        why, due_at = self._limit()
        left_s = due_at - self._loop.time()
        if left_s > 0:
            self._arm(left_s)
        else:
            self.hang_up(why)

    def _limit(self) -> tuple[str, float]:
        """What ends it next, and when."""
        if self.terminal is None:
            return f"no login within {IDENTIFY_TIMEOUT_S:g} s", self._opened_at + IDENTIFY_TIMEOUT_S
        limit_s = self.keeper.idle_limit_s
        idle = f"nothing came for {limit_s:g} s", self._heard_at + limit_s
        if self._stalled_at is None:
            return idle
        stalled = f"it reads nothing for {WRITE_STALL_S:g} s", self._stalled_at + WRITE_STALL_S
        return min(idle, stalled, key=lambda limit: limit[1])


def _peer(transport: asyncio.BaseTransport) -> str:
    name = transport.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else "unknown"
