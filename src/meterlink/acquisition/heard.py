"""Whether a meter said anything while it was asked for several things, whatever the last of them came to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meterlink.bus.exchange import Session
from meterlink.bus.hold import HOLD_MAX_S, Hold
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority


class HeardLine:
    """A line as one asker uses it: how many of its questions were answered.

    A refusal is an answer. What is asked through a hold is a concentrator's answer, and not counted.

    Args:
        line: the line itself.

    Attributes:
        answers: exchanges that came to their end.

    """

    def __init__(self, line: Line) -> None:
        self.name = line.name
        self.answers = 0
        self._line = line

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """See ``Line.exchange``."""
        await self._line.exchange(session, priority=priority)
        self.answers += 1

    @asynccontextmanager
    async def hold(self, *, priority: Priority, longest_s: float = HOLD_MAX_S) -> AsyncIterator[Hold]:
        """See ``Line.hold``."""
        async with self._line.hold(priority=priority, longest_s=longest_s) as held:
            yield held
