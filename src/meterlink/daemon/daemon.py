"""The daemon: journal, lines and delivery, started together and stopped in order.

Start: configuration (whoever builds us), journal, the meters in it, delivery, the open orders, lines, the
control socket. Stop in reverse: the socket closes, lines finish the exchange or the order in hand, the relay
brings out what has been kept, the journal closes. A bug in one line restarts that line; a journal that cannot
be opened ends the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from meterlink.acquisition.on_demand import OnDemand
from meterlink.audit.keys import GatewayKey
from meterlink.bus.dialling import Opener
from meterlink.bus.listener import Door
from meterlink.config import Settings
from meterlink.daemon.audited import audited_journal
from meterlink.daemon.control_socket import SOCKET_FILE, owners
from meterlink.daemon.delivery import Outside, delivering
from meterlink.daemon.dial_in import Gatehouse, PortOpener
from meterlink.daemon.enrolment import book_of, enrolled, with_roster
from meterlink.daemon.lines import LineOpener, LinePart, check_items, profiles_of
from meterlink.daemon.ordering import Ordering, OrderWorld
from meterlink.daemon.read_requests import ReadDesk
from meterlink.daemon.requests import no_control
from meterlink.daemon.roster_requests import RosterDesk
from meterlink.daemon.supervise import supervised
from meterlink.journal.journal import Journal
from meterlink.model.line_url import LineUrl, ListenUrl
from meterlink.roster.book import RosterBook
from meterlink.roster.entries import Meters
from meterlink.roster.roster import Roster
from meterlink.transports.tcp_server import listening

STOP_LINES_S = 5.0
"""How long the exchanges in hand may take when we are told to stop."""

_log = structlog.get_logger(__name__)


class Daemon:
    """One gateway.

    Args:
        settings: checked.
        outside: the world.
        opener: opens lines.
        port_opener: listens where terminals dial in.
        orders: what orders need of the world.

    Raises:
        ConfigError: a profile is wrong, or does not serve a meter that it should.
        UnknownItem: a plan asks for what no driver has.

    """

    def __init__(
        self,
        settings: Settings,
        outside: Outside,
        opener: LineOpener,
        port_opener: PortOpener = listening,
        orders: OrderWorld | None = None,
    ) -> None:
        self._profiles = profiles_of(settings)
        check_items(settings, outside.clock, self._profiles)  # before anything is made
        self._settings = settings
        self._outside = outside
        self._opener = opener
        self._port_opener = port_opener
        self._orders = orders or OrderWorld()

    async def run(self, stop: asyncio.Event, tell_ready: Callable[[dict[str, Any]], None]) -> None:
        """Run until ``stop`` is set, then end in order.

        Raises:
            KeyUnusable: the gateway's key cannot be used.
            JournalError: the journal cannot be opened.
            ConfigError, UnknownItem: there are no meters, or they do not fit the configuration.
            LineBusy, LineLost: a port that terminals dial cannot be opened.

        """
        outside = self._outside
        async with audited_journal(outside, self._settings.gateway.plant_time) as journal:
            book = book_of(self._settings, self._profiles, journal, outside.clock)
            settings = await enrolled(self._settings, book, outside.clock)
            check_items(settings, outside.clock, self._profiles)
            await self._work(settings, journal, book, stop, tell_ready)
        _log.info("stopped")

    async def _work(
        self,
        settings: Settings,
        journal: Journal,
        book: RosterBook,
        stop: asyncio.Event,
        tell_ready: Callable[[dict[str, Any]], None],
    ) -> None:
        """Run with the meters that are in service."""
        outside = self._outside
        on_demand = OnDemand(outside.clock, settings.gateway.plant_time)
        async with (
            delivering(settings, journal, outside) as delivery,
            self._ordering(settings, journal) as ordering,
            self._listening(settings, journal) as (gatehouse, ports),
        ):
            parts = [
                LinePart(
                    line,
                    meters,
                    settings.plans,
                    profiles=self._profiles,
                    keeper=journal,
                    clock=outside.clock,
                    way=self._way(line.parsed_url, gatehouse),
                    rng=outside.rng,
                    zone=settings.gateway.plant_time,
                    ear=gatehouse.ear(line.name),
                    report=gatehouse.told_along(line),
                    ordering=ordering,
                    on_demand=on_demand,
                )
                for line, meters in settings.meters_by_line()
            ]
            async with asyncio.TaskGroup() as group:
                beside: list[asyncio.Task[None]] = []
                tasks = [
                    group.create_task(supervised(part.name, part.run), name=f"line[{part.name}]")
                    for part in parts
                ]
                if ordering is not None:
                    beside.append(group.create_task(supervised("orders", ordering.run), name="orders"))
                desk = ReadDesk(
                    on_demand,
                    self._desk(book, ordering).answer,
                    settings=lambda: settings,
                    people=None if ordering is None else ordering.people,
                    owners=owners(),
                )
                async with self._orders.open_desk(outside.folder / SOCKET_FILE, desk.answer):
                    _log.info("started", boot=journal.boot, lines=len(parts), meters=len(settings.meters))
                    tell_ready(
                        {
                            "gateway": settings.gateway.id,
                            "boot": journal.boot,
                            "broker": delivery.broker,
                            "lines": [part.name for part in parts],
                            "listens": ports,
                        }
                    )
                    await stop.wait()
                for part in parts:
                    part.stop()
                await asyncio.wait(tasks, timeout=STOP_LINES_S)
                for task in (*tasks, *beside):
                    task.cancel()
            await delivery.drain()

    def _desk(self, book: RosterBook, ordering: Ordering | None) -> RosterDesk:
        """Who answers at the control socket."""

        def renew(meters: Meters) -> None:
            if ordering is not None:
                settings = with_roster(self._settings, meters, self._outside.clock.utc_now())
                ordering.roster.renew(Roster.of(settings, self._profiles))

        return RosterDesk(
            book,
            no_control if ordering is None else ordering.answer,
            people=None if ordering is None else ordering.people,
            renew=renew,
            clock=self._outside.clock,
        )

    @asynccontextmanager
    async def _ordering(self, settings: Settings, journal: Journal) -> AsyncIterator[Ordering | None]:
        """The orders, with what the log holds of them; ``None``: none are configured."""
        control = settings.control
        if control is None:
            yield None
            return
        ordering = Ordering(
            settings,
            control,
            journal,
            self._profiles,
            clock=self._outside.clock,
            rng=self._outside.rng,
            world=self._orders,
            key=GatewayKey.find(self._outside.folder),
        )
        await ordering.load()
        try:
            yield ordering
        finally:
            await ordering.aclose()

    @asynccontextmanager
    async def _listening(
        self, settings: Settings, journal: Journal
    ) -> AsyncIterator[tuple[Gatehouse, list[str]]]:
        gatehouse = Gatehouse(settings, journal, self._outside.clock)
        async with gatehouse.open(self._port_opener) as ports:
            yield gatehouse, ports

    def _way(self, url: LineUrl, gatehouse: Gatehouse) -> Opener | Door:
        """How a line is opened, or who comes by it."""
        if isinstance(url, ListenUrl):
            return gatehouse.door(url)
        return lambda: self._opener(url)
