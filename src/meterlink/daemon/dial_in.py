"""Ports that terminals dial: one hall each, a session a connection; the ears of our own lines; and the keeper
of what is reported through both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog

from meterlink.acquisition.reported import Reported
from meterlink.acquisition.reports import ReportJournal, ReportKeeper
from meterlink.bus.dialling import Opener
from meterlink.bus.listener import Door, Listener
from meterlink.clock import Clock
from meterlink.config import LineSettings, Settings
from meterlink.daemon.serial_servers import SerialServers
from meterlink.daemon.supervise import supervised
from meterlink.daemon.terminal_line import terminal_settings
from meterlink.drivers.dlt698.ear import LineSession
from meterlink.drivers.dlt698.items import PROTOCOL
from meterlink.drivers.dlt698.terminal import TerminalSession
from meterlink.drivers.gdw1376.session import Concerned, StationSession
from meterlink.drivers.gdw1376.station import Station
from meterlink.drivers.reports import Report, ReportQueue, heard_on
from meterlink.model.line_url import ListenUrl
from meterlink.transports.doorkeeper import DoorkeeperMaker
from meterlink.transports.hall import STRANGERS_MAX, Hall, PortOpener

_log = structlog.get_logger(__name__)


class Gatehouse:
    """All ports on which terminals of the configuration dial in, and the lines on which meters may report.

    Args:
        settings: checked.
        journal: where reports are kept.
        clock: wall time, which terminals are told.
        reported: is told of freezes that terminals told; ``None``: nobody looks at their meters for it.

    Attributes:
        reports: the keeper of what terminals report.

    """

    def __init__(
        self, settings: Settings, journal: ReportJournal, clock: Clock, reported: Reported | None = None
    ) -> None:
        self._clock = clock
        self._zone = settings.gateway.plant_time
        self._clock_trusted = settings.gateway.clock_trusted
        self._queue = ReportQueue()
        self._terminals: dict[tuple[str, int], set[str]] = {}
        self._speakers: dict[str, frozenset[str]] = {}
        self._dialled: dict[str, str] = {}
        self._serial_servers = SerialServers(settings)
        self._dialled_stations: dict[str, Station] = {}
        self._stations: dict[str, Station] = {}
        self._known_stations: dict[tuple[str, int], dict[str, Concerned]] = {}
        self.reports = ReportKeeper(self._queue, journal, {}, reported or Reported())
        self.take(settings)
        self._halls = {
            endpoint: Hall(self._maker(endpoint, known), strangers_max=STRANGERS_MAX + len(known))
            for endpoint, known in self._terminals.items()
        }

    def take(self, settings: Settings) -> None:
        """Know the meters of another configuration, whose terminals dial the same ports."""
        self._speakers.clear()
        self._dialled.clear()
        self._serial_servers.take(settings)
        self._dialled_stations.clear()
        meters: dict[tuple[str, str], str] = {}
        for line, on_it in settings.meters_by_line():
            if isinstance(url := line.parsed_url, ListenUrl) and url.terminal:
                self._terminals.setdefault(url.endpoint, set()).add(url.terminal)
                meters.update({(url.terminal, meter.address): meter.id for meter in on_it})
                if line.terminal_1376 is not None:
                    stations = self._known_stations.setdefault(url.endpoint, {})
                    stations[url.terminal] = self._known(line)
            elif (terminal := line.terminal_1376) is not None:
                self._dialled_stations[line.name] = self._known(line)
                meters.update({(terminal, meter.address): meter.id for meter in on_it})
            elif (terminal := line.terminal_698) is not None:
                self._dialled[line.name] = terminal
                meters.update({(terminal, meter.address): meter.id for meter in on_it})
            elif line.carrier is not None:  # the module's owner hears all of them
                meters.update({(f"line {line.name}", meter.address): meter.id for meter in on_it})
            elif speakers := {meter.address: meter.id for meter in on_it if meter.protocol == PROTOCOL}:
                self._speakers[line.name] = frozenset(speakers)
                meters.update({(f"line {line.name}", address): id_ for address, id_ in speakers.items()})
        self.reports.meters = meters

    def way(self, line: LineSettings, opener: Opener) -> Opener | Door:
        """How a line is opened, or who comes by it.

        Args:
            line: of the configuration.
            opener: opens one that we dial, or a device of ours.

        """
        if isinstance(url := line.parsed_url, ListenUrl) and url.terminal:
            return self.door(url)
        return self._serial_servers.way(line, opener)

    def _known(self, line: LineSettings) -> Station:
        """The one terminal of a line, with the settings that hold now; its connections outlive a reload."""
        settings = terminal_settings(line)
        if (station := self._stations.get(settings.name)) is None:
            station = Station(settings, clock=self._clock, zone=self._zone)
            self._stations[settings.name] = station
        station.settings = settings
        return station

    def station(self, line: LineSettings) -> Station | None:
        """The terminal of Q/GDW 1376.1 that a line is; ``None``: it is none."""
        return None if line.terminal_1376 is None else self._stations[line.terminal_1376]

    def door(self, url: ListenUrl) -> Door:
        """Where the terminal of a line comes in."""
        return self._halls[url.endpoint].door(url.terminal)

    def ear(self, line: str) -> Callable[[], Listener] | None:
        """Makes the listener of a line that we open; ``None`` where no meter reports."""
        if (station := self._dialled_stations.get(line)) is not None:
            return lambda: StationSession({station.name: station}, dialled=station.name)
        if (terminal := self._dialled.get(line)) is not None:
            return lambda: self._session({terminal}, dialled=terminal)
        known = self._speakers.get(line)
        if known is None:
            return None
        return lambda: LineSession(line, known, clock=self._clock, zone=self._zone, report=self._queue.put)

    def report(self, report: Report) -> None:
        """Take a report that is complete with the place where it was heard."""
        self._queue.put(report)

    def told_along(self, line: LineSettings) -> Callable[[Report], None]:
        """Where goes what the meters of a line tell along with their answers."""
        terminal = line.terminal_698 or line.terminal_1376
        if terminal is not None:  # of a meter behind one its terminal tells
            return lambda report: self._queue.put(replace(report, terminal=terminal))
        if isinstance(url := line.parsed_url, ListenUrl) and url.terminal:
            return self._queue.put
        return lambda report: self._queue.put(heard_on(line.name, report))

    @asynccontextmanager
    async def open(self, opener: PortOpener) -> AsyncIterator[list[str]]:
        """Listen until the end; gives ``HOST:PORT`` of each port.

        Raises:
            LineBusy, LineLost: a port cannot be opened; none is left open.

        """
        async with AsyncExitStack() as stack:
            where = await stack.enter_async_context(self._serial_servers.open(opener))
            for (host, port), hall in self._halls.items():
                where.append(f"{host}:{await stack.enter_async_context(opener(host, port, hall))}")
                _log.info("listening", at=where[-1], terminals=len(self._terminals[host, port]))
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(supervised("reports", self.reports.run), name="reports.keeper")
                yield where
                keeping.cancel()

    def _maker(self, endpoint: tuple[str, int], known: set[str]) -> DoorkeeperMaker[Any]:
        """Makes the sessions of one port, which serves one kind of caller."""
        if (stations := self._known_stations.get(endpoint)) is not None:
            return lambda: StationSession(stations)
        return lambda: self._session(known)

    def _session(self, known: set[str], dialled: str | None = None) -> TerminalSession:
        return TerminalSession(
            known,
            clock=self._clock,
            zone=self._zone,
            clock_trusted=self._clock_trusted,
            report=self._queue.put,
            dialled=dialled,
        )
