"""One security provider at the end of a stream: asked one thing at a time, and never the same thing twice.

Whatever goes wrong with an answer, late, broken off, rubbish or too much, costs the operation and the
connection: who comes late would otherwise be taken for the answer to the next question. The next operation
opens another one, not before a pause that grows with each failure. A connection that was idle is tried with
``health`` first, which proves nothing and may be repeated; an operation never is.

Every connection begins with ``health``, so that the provider's name is known of the very connection that an
operation goes over. Source: control-and-prepayment, section 7.1; CTRL-25.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from meterlink.drivers.proving import LAB
from meterlink.errors import LineError, SecurityFailed
from meterlink.security.lines import NAME_MAX, NUMBERS, AnswerLine, Json, Result, request_line, result_of
from meterlink.transports.adapter import AdapterStream
from meterlink.transports.backoff import Backoff

TIMEOUT_S: Final = 10.0
"""For one operation, with opening the stream where that is needed. Source: section 7.1."""
WAITING_MAX: Final = 64
"""Operations that may wait for the one in hand."""
IDLE_S: Final = 5.0
"""After so much silence a connection is tried before an operation is given to it."""
PROBE_TIMEOUT_S: Final = 2.0
PROTOCOL_VERSION: Final = 1

Opener = Callable[[], Awaitable[AdapterStream]]
"""Opens a stream to the provider; raises ``LineError``."""

_log = structlog.get_logger(__name__)


class Adapter:
    """One provider, shared by all who need proofs.

    Args:
        name: what the configuration calls it.
        opener: opens a stream to it.
        rng: jitter of opening it again.
        timeout_s: for one operation.

    """

    def __init__(
        self, name: str, opener: Opener, *, rng: random.Random, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.name = name
        self._opener = opener
        self._timeout_s = timeout_s
        self._backoff = Backoff(rng)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._connection: _Connection | None = None
        self._opens_at = 0.0

    def __repr__(self) -> str:
        """Its name."""
        return f"Adapter({self.name!r})"

    async def ask(self, op: str, args: Json, *, lab_allowed: bool) -> Result:
        """One operation, once.

        Args:
            op: its name.
            args: its arguments, as JSON.
            lab_allowed: whether a laboratory's provider will do.

        Raises:
            SecurityFailed: it was not done, or nobody knows; ``code`` says why.

        """
        if self._waiting >= WAITING_MAX:
            raise SecurityFailed(f"{WAITING_MAX} operations wait for provider {self.name!r}", code="busy")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._timed(op, args, lab_allowed=lab_allowed)
        finally:
            self._waiting -= 1

    async def told_name(self) -> str:
        """How it names itself.

        Raises:
            SecurityFailed: it does not answer.

        """
        await self.ask("health", {}, lab_allowed=True)
        connection = self._connection
        if connection is None:
            raise self._failure("away", "has just gone")
        return connection.told_name

    async def aclose(self) -> None:
        """Let it go; who is asked afterwards opens it anew."""
        async with self._turn:
            await self._drop()

    # --- one operation ---

    async def _timed(self, op: str, args: Json, *, lab_allowed: bool) -> Result:
        """The operation within its time; a connection over which it did not come to its end is closed."""
        broken = True
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._ready()
                if connection.told_name == LAB and not lab_allowed:
                    raise _SaidNo(
                        self._failure("lab_provider", "is a laboratory's; the meter is not marked lab")
                    )
                fields = await connection.exchange(op, args)
            broken = False
        except TimeoutError:
            slow = self._failure("slow", f"has not answered within {self._timeout_s:g} s")
            raise self._logged(op, slow) from None
        except LineError:
            away = self._failure("away", "cannot be reached, or has gone")
            raise self._logged(op, away) from None
        except _SaidNo as no:
            broken = False
            raise self._logged(op, no.failure) from None
        except SecurityFailed as failure:
            raise self._logged(op, failure) from None
        finally:
            if broken:
                await self._give_up()
        self._backoff.reset()
        _log.debug("security_done", provider=self.name, op=op)
        return Result(fields, op, self.name)

    async def _ready(self) -> _Connection:
        """A connection that answers."""
        loop = asyncio.get_running_loop()
        connection = self._connection
        if connection is not None and loop.time() - connection.used_at > IDLE_S:
            with suppress(TimeoutError, LineError, SecurityFailed, _SaidNo):
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    await connection.greet()
                return connection
            await self._drop()
        if self._connection is None:
            pause_s = self._opens_at - loop.time()
            if pause_s > self._timeout_s / 2:
                raise _SaidNo(self._failure("away", f"has failed; it is opened again in {pause_s:.0f} s"))
            await asyncio.sleep(max(0.0, pause_s))
            self._connection = _Connection(await self._opener(), self.name)
            await self._connection.greet()
        return self._connection

    async def _give_up(self) -> None:
        self._opens_at = asyncio.get_running_loop().time() + self._backoff.next_s()
        await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.stream.aclose()

    def _failure(self, code: str, what: str) -> SecurityFailed:
        return SecurityFailed(f"security provider {self.name!r} {what}", code=code)

    def _logged(self, op: str, failure: SecurityFailed) -> SecurityFailed:
        _log.warning("security_failed", provider=self.name, op=op, code=failure.code)
        return failure


class _SaidNo(Exception):
    """It was not done, and that says nothing against the connection."""

    def __init__(self, failure: SecurityFailed) -> None:
        super().__init__(failure.code)
        self.failure = failure


class _Connection:
    """One stream, and the numbers of the requests on it.

    Args:
        stream: fresh.
        provider: its name in the configuration.

    Attributes:
        told_name: as ``health`` told it.
        used_at: loop time of the last answer.

    """

    def __init__(self, stream: AdapterStream, provider: str) -> None:
        self.stream = stream
        self.told_name = ""
        self.used_at = 0.0
        self._provider = provider
        self._number = 0

    async def greet(self) -> None:
        """Ask who is there; who does not say it is of no use."""
        try:
            told = Result(await self.exchange("health", {}), "health", self._provider)
        except _SaidNo as no:
            raise no.failure from None
        if told.whole("protocol_version") != PROTOCOL_VERSION:
            raise SecurityFailed(
                f"security provider {self._provider!r} does not speak version {PROTOCOL_VERSION} "
                "of the protocol; look at its adapter",
                code="rubbish",
            )
        self.told_name = told.text("name", NAME_MAX).strip().casefold()

    async def exchange(self, op: str, args: Json) -> Json:
        """One request and its answer."""
        self._number = (self._number + 1) % NUMBERS
        await self.stream.send(request_line(self._number, op, args))
        answer = AnswerLine(self._provider)
        while (line := answer.feed(await self.stream.receive())) is None:
            continue
        self.used_at = asyncio.get_running_loop().time()
        try:
            return result_of(line, self._number, op, self._provider)
        except SecurityFailed as failure:
            if failure.code == "rubbish":
                raise
            raise _SaidNo(failure) from None
