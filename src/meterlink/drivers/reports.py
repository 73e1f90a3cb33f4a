"""What terminals tell without being asked, on its way to the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from meterlink.drivers.base import Measured

REPORTS_MAX = 1_000
"""Reports that may wait for the journal; one more is dropped, and its terminal tells it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of one terminal.

    Args:
        terminal: who dialled in; 12 digits.
        address: whose values they are; 12 digits.
        values: of the items that the dictionary knows; empty for what cannot be kept as readings.
        summary: what it is, for the log; no values.
        received_at: when it was whole; aware, UTC.
        acknowledge: to be called once all of it is kept, and not before: the terminal forgets it then.

    """

    terminal: str
    address: str
    values: tuple[Measured, ...]
    summary: str
    received_at: datetime
    acknowledge: Callable[[], None]


class ReportQueue:
    """Reports of all terminals that wait for their keeper; bounded, one taker.

    Args:
        reports_max: how many may wait.

    Attributes:
        dropped: reports that found it full.

    """

    def __init__(self, reports_max: int = REPORTS_MAX) -> None:
        self.dropped = 0
        self._queue: asyncio.Queue[Report] = asyncio.Queue(reports_max)

    def put(self, report: Report) -> None:
        """Add a report, or drop it: it has not been acknowledged."""
        try:
            self._queue.put_nowait(report)
        except asyncio.QueueFull:
            self.dropped += 1

    async def take(self) -> Report:
        """Wait for the next one."""
        return await self._queue.get()
