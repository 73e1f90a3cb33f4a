"""Opening a line that we open ourselves, with pauses between tries while it is down.

A far end that takes a connection and ends it at once, as a serial server does whose one place is taken, is as
good as down: only what is heard on the line ends the pauses.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable

import structlog

from meterlink.errors import LineBusy, LineError, LineLost
from meterlink.transports.stream import ByteStream

REOPEN_FIRST_S = 0.5
REOPEN_MAX_S = 15.0
"""Pauses between tries to open a lost line double from the first to the longest, with jitter."""

Opener = Callable[[], Awaitable[ByteStream]]

_log = structlog.get_logger(__name__)


class Dialling:
    """The tries to open one line.

    Args:
        name: of the line.
        opener: opens the stream; raises ``LineLost`` or ``LineBusy``.
        rng: jitter of reopening.
        told: whether the log is told of it; who opens what lies below tells of a lane.

    Attributes:
        down_since: loop time of the first of the tries that failed one after the other; ``None``: it is up,
            or was not tried.

    """

    def __init__(self, name: str, opener: Opener, rng: random.Random, *, told: bool = True) -> None:
        self.told = told
        self._name = name
        self._opener = opener
        self._rng = rng
        self._reopen_at = 0.0
        self._pause_s = REOPEN_FIRST_S
        self._trouble: LineError | None = None
        self._opened = 0
        self._trying: asyncio.Timeout | None = None
        self.down_since: float | None = None

    @property
    def due_at(self) -> float:
        """When the next try is due after one that failed; loop time."""
        return self._reopen_at

    @property
    def is_flapping(self) -> bool:
        """It was opened several times, and nothing was heard on it."""
        return self._opened > 1

    async def open(self, now: float) -> ByteStream:
        """Open the line, or say at once what was wrong at the last try while the next is not due.

        Args:
            now: loop time.

        Raises:
            LineLost, LineBusy: it cannot be used now.

        """
        if now < self._reopen_at:
            raise self._trouble or LineLost(f"{self._name}: it was lost as soon as it was opened")
        try:
            stream = await self._try()
        except (LineLost, LineBusy) as error:
            if self.told and str(self._trouble) != str(error):
                _log.warning("line_down", line=self._name, reason=str(error))
            self._trouble = error
            self.down_since = now if self.down_since is None else self.down_since
            self._put_off(now)
            raise
        self._opened += 1
        if self.told and not self.is_flapping:
            _log.info("line_up", line=self._name)
        self._trouble, self.down_since = None, None
        self._put_off(now)
        return stream

    def end(self) -> None:
        """Try no more: whoever asks is told what was wrong at the last try. What is open stays so.

        A try that is being made ends at once: it may last longer than a stop.
        """
        self._trouble = self._trouble or LineLost(f"{self._name}: the daemon stops, and opens no line")
        self._reopen_at = math.inf
        if self._trying is not None:
            self._trying.reschedule(0.0)

    def works(self) -> None:
        """Something was heard on the line."""
        if not self._opened:
            return  # as before: this is said of every answer
        if self.told and self.is_flapping:
            _log.info("line_up", line=self._name)
        self._pause_s, self._opened = REOPEN_FIRST_S, 0
        if self._reopen_at < math.inf:
            self._reopen_at = 0.0

    async def _try(self) -> ByteStream:
        """One try, as long as it takes or until ``end``."""
        try:
            async with asyncio.timeout(None) as self._trying:
                return await self._opener()
        except TimeoutError:
            if self._trouble is None or self._reopen_at < math.inf:
                raise  # of the opener
            raise self._trouble from None
        finally:
            self._trying = None

    def _put_off(self, now: float) -> None:
        if self._reopen_at < math.inf:  # else it ended while it was opened
            self._reopen_at = now + self._pause_s * self._rng.uniform(0.5, 1.0)
        self._pause_s = min(2 * self._pause_s, REOPEN_MAX_S)
