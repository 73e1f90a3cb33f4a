"""Ports that terminals dial: one hall each, a session a connection; the ears of our own lines; and the keeper
of what is reported through both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import structlog

from meterlink.acquisition.reports import ReportJournal, ReportKeeper
from meterlink.bus.listener import Door, Listener
from meterlink.clock import Clock
from meterlink.config import LineSettings, Settings
from meterlink.daemon.supervise import supervised
from meterlink.drivers.dlt698_ear import LineSession
from meterlink.drivers.dlt698_items import PROTOCOL
from meterlink.drivers.dlt698_terminal import TerminalSession
from meterlink.drivers.reports import Report, ReportQueue, heard_on
from meterlink.model.line_url import ListenUrl
from meterlink.transports.hall import STRANGERS_MAX, Hall

PortOpener = Callable[[str, int, Hall[Any]], AbstractAsyncContextManager[int]]
"""Listens at (host, port) for a hall; gives the port."""

_log = structlog.get_logger(__name__)


class Gatehouse:
    """All ports on which terminals of the configuration dial in, and the lines on which meters may report.

    Args:
        settings: checked.
        journal: where reports are kept.
        clock: wall time, which terminals are told.

    Attributes:
        reports: the keeper of what terminals report.

    """

    def __init__(self, settings: Settings, journal: ReportJournal, clock: Clock) -> None:
        self._clock = clock
        self._zone = settings.gateway.plant_time
        self._clock_trusted = settings.gateway.clock_trusted
        self._queue = ReportQueue()
        self._terminals: dict[tuple[str, int], set[str]] = {}
        self._speakers: dict[str, frozenset[str]] = {}
        self.reports = ReportKeeper(self._queue, journal, {})
        self.take(settings)
        self._halls = {
            endpoint: Hall(self._maker(known), strangers_max=STRANGERS_MAX + len(known))
            for endpoint, known in self._terminals.items()
        }

    def take(self, settings: Settings) -> None:
        """Know the meters of another configuration, whose terminals dial the same ports."""
        self._speakers.clear()
        meters: dict[tuple[str, str], str] = {}
        for line, on_it in settings.meters_by_line():
            if isinstance(url := line.parsed_url, ListenUrl):
                self._terminals.setdefault(url.endpoint, set()).add(url.terminal)
                meters.update({(url.terminal, meter.address): meter.id for meter in on_it})
            elif line.carrier is not None:  # the module's owner hears all of them
                meters.update({(f"line {line.name}", meter.address): meter.id for meter in on_it})
            elif speakers := {meter.address: meter.id for meter in on_it if meter.protocol == PROTOCOL}:
                self._speakers[line.name] = frozenset(speakers)
                meters.update({(f"line {line.name}", address): id_ for address, id_ in speakers.items()})
        self.reports.meters = meters

    def door(self, url: ListenUrl) -> Door:
        """Where the terminal of a line comes in."""
        return self._halls[url.endpoint].door(url.terminal)

    def ear(self, line: str) -> Callable[[], Listener] | None:
        """Makes the listener of a line that we open; ``None`` where no meter reports."""
        known = self._speakers.get(line)
        if known is None:
            return None
        return lambda: LineSession(line, known, clock=self._clock, zone=self._zone, report=self._queue.put)

    def report(self, report: Report) -> None:
        """Take a report that is complete with the place where it was heard."""
        self._queue.put(report)

    def told_along(self, line: LineSettings) -> Callable[[Report], None]:
        """Where goes what the meters of a line tell along with their answers."""
        if isinstance(line.parsed_url, ListenUrl):
            return self._queue.put
        return lambda report: self._queue.put(heard_on(line.name, report))

    @asynccontextmanager
    async def open(self, opener: PortOpener) -> AsyncIterator[list[str]]:
        """Listen until the end; gives ``HOST:PORT`` of each port.

        Raises:
            LineBusy, LineLost: a port cannot be opened; none is left open.

        """
        async with AsyncExitStack() as stack:
            where = []
            for (host, port), hall in self._halls.items():
                where.append(f"{host}:{await stack.enter_async_context(opener(host, port, hall))}")
                _log.info("listening", at=where[-1], terminals=len(self._terminals[host, port]))
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(supervised("reports", self.reports.run), name="reports.keeper")
                yield where
                keeping.cancel()

    def _maker(self, known: set[str]) -> Callable[[], TerminalSession]:
        return lambda: TerminalSession(
            known,
            clock=self._clock,
            zone=self._zone,
            clock_trusted=self._clock_trusted,
            report=self._queue.put,
        )
