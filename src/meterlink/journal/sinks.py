"""Who follows the log, as the other rooms see it: how far each sink is, and what it can never take."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from meterlink.clock import Clock
from meterlink.journal import cursors, figures
from meterlink.journal.acts import Read
from meterlink.journal.cells import micros
from meterlink.journal.figures import SinkFigures
from meterlink.journal.store import Step, without_result


@dataclass(frozen=True, slots=True)
class Sinks:
    """The sinks of one journal; ``Journal.sinks``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        read: looks into the file.
        clock: says when a row was given up.

    """

    change: Callable[[Step], Awaitable[int]]
    read: Read
    clock: Clock

    async def cursor(self, sink: str) -> int:
        """The last log id that ``sink`` has; 0 before the first.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.cursor(sink))

    async def advance(self, sink: str, last_id: int) -> None:
        """``sink`` has everything up to ``last_id``; never moves backwards.

        Raises:
            JournalError: it was not noted.

        """
        await self._note(partial(cursors.advance, sink=sink, last_id=last_id))

    async def rewind(self, sink: str, last_id: int) -> None:
        """``sink`` has lost what came after ``last_id``: it will get it again. Never moves forwards.

        Raises:
            JournalError: it was not noted.

        """
        await self._note(partial(cursors.rewind, sink=sink, last_id=last_id))

    async def poison(self, sink: str, log_id: int, reason: str) -> None:
        """``sink`` can never take the row ``log_id``.

        Raises:
            JournalError: it was not noted.

        """
        at = micros(self.clock.utc_now())
        step = partial(cursors.poison, sink=sink, log_id=log_id, reason=reason, poisoned_at=at)
        await self._note(step)

    async def poisoned(self, sink: str) -> list[tuple[int, str]]:
        """What ``sink`` can never take: (log id, reason), oldest first.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.poisoned(sink))

    async def figures(self) -> tuple[SinkFigures, ...]:
        """How far each sink has followed; quick however many rows wait.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(figures.sinks_at_once))

    async def _note(self, step: Callable[[sqlite3.Connection], None]) -> None:
        await self.change(without_result(step))
