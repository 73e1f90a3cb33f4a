"""The daemon: journal, lines and delivery, started together and stopped in order.

Start: configuration (whoever builds us), journal, the meters in it, delivery, the open orders, lines, the
control socket. Stop in reverse: the socket closes, lines finish the exchange or the order in hand, the relay
brings out what has been kept, the journal closes. A bug in one line restarts that line; a journal that cannot
be opened ends the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import structlog

from meterlink.acquisition import clock_watch
from meterlink.acquisition.ledger_care import LedgerCare
from meterlink.acquisition.on_demand import OnDemand
from meterlink.alarms.watch import CollectionWatch
from meterlink.audit.keys import GatewayKey
from meterlink.billing.estimating import Estimator
from meterlink.billing.schedule import make_up
from meterlink.billing.settling import OpenFreezes, Settler
from meterlink.billing.turnovers import TurnoverWatch
from meterlink.bus.dialling import Opener
from meterlink.bus.listener import Door
from meterlink.config import LineSettings, MeterSettings, Settings
from meterlink.daemon.audited import audited_journal, housekeeper
from meterlink.daemon.carrier_part import carrier_part, owner_of
from meterlink.daemon.carrier_requests import CarrierDesk
from meterlink.daemon.clock_requests import ClockDesk
from meterlink.daemon.collection_alarms import wanted_of
from meterlink.daemon.collection_requests import Around, CollectionRequests
from meterlink.daemon.control_socket import SOCKET_FILE, owners
from meterlink.daemon.delivery import Outside
from meterlink.daemon.delivery_slot import exchangeable
from meterlink.daemon.dial_in import Gatehouse
from meterlink.daemon.enrolment import book_of, enrolled, with_roster
from meterlink.daemon.estimating import EstimateRequests, opener_of
from meterlink.daemon.health import Health
from meterlink.daemon.judging import Judging
from meterlink.daemon.line_set import LineSet, Part
from meterlink.daemon.lines import LineOpener, LinePart
from meterlink.daemon.live_roster import Held, LiveRoster
from meterlink.daemon.manager import Manager
from meterlink.daemon.notify import READY, status, stopping
from meterlink.daemon.ordering import Ordering, OrderWorld
from meterlink.daemon.read_requests import ReadDesk
from meterlink.daemon.reload import Asked, Parts, Reloader
from meterlink.daemon.requests import no_control
from meterlink.daemon.roster_requests import RosterDesk
from meterlink.daemon.settings_check import check_items, profiles_of
from meterlink.daemon.settling import SettlementRequests, schedule_of, settler_of
from meterlink.daemon.supervise import Leavable
from meterlink.daemon.terminal_requests import TerminalRequests
from meterlink.daemon.watchdog import watching
from meterlink.daemon.web import api_of
from meterlink.errors import LineBusy
from meterlink.journal.journal import Journal
from meterlink.roster.book import RosterBook
from meterlink.roster.lineage import departures
from meterlink.transports.hall import PortOpener
from meterlink.transports.tcp_server import listening

STOP_LINES_S = 5.0
"""How long the exchanges in hand may take when we are told to stop."""

_log = structlog.get_logger(__name__)


class BillingWork(NamedTuple):
    """What is done for billing beside the reading of meters."""

    settler: Settler
    estimator: Estimator
    turnovers: TurnoverWatch
    collection: CollectionWatch
    opener: OpenFreezes


class Daemon:
    """One gateway.

    Args:
        settings: checked.
        outside: the world.
        opener: opens lines.
        port_opener: listens where terminals dial in.
        orders: what orders need of the world.
        manager: whoever manages and watches it; ``None``: nobody.

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
        manager: Manager | None = None,
    ) -> None:
        self._profiles = profiles_of(settings)
        check_items(settings, outside.clock, self._profiles)  # before anything is made
        self._settings = settings
        self._outside = outside
        self._on_demand = OnDemand(outside.clock, settings.gateway.plant_time)
        self._opener = opener
        self._port_opener = port_opener
        self._orders = orders or OrderWorld()
        self._manager = manager or Manager()
        self._asked = Asked()

    async def run(self, stop: asyncio.Event, tell_ready: Callable[[dict[str, Any]], None]) -> None:
        """Run until ``stop`` is set, then end in order.

        Raises:
            KeyUnusable: the gateway's key cannot be used.
            JournalError: the journal cannot be opened.
            ConfigError, UnknownItem: there are no meters, or they do not fit the configuration.
            LineBusy, LineLost: a port that terminals dial cannot be opened.

        """
        clock = self._outside.clock
        async with audited_journal(self._outside, self._settings.gateway.plant_time) as journal:
            book = book_of(self._settings, self._profiles, journal, clock)
            meters, at = await enrolled(self._settings, book, clock), clock.utc_now()
            settings = with_roster(self._settings, meters, at)
            check_items(settings, clock, self._profiles)
            held = Held(file=self._settings, settings=settings, profiles=self._profiles, meters=meters, at=at)
            await self._work(held, journal, book, stop, tell_ready)
        _log.info("stopped")

    async def _work(
        self,
        held: Held,
        journal: Journal,
        book: RosterBook,
        stop: asyncio.Event,
        tell_ready: Callable[[dict[str, Any]], None],
    ) -> None:
        """Run with the meters that are in service."""
        settings, outside, notifier = held.settings, self._outside, self._manager.notifier
        judging = Judging(journal, lambda: held.settings, lambda: held.profiles, outside.clock)
        journal.judge = judging.judge
        care = self._care(held, journal)

        def roster_changed() -> None:
            self._asked.roster()
            care.look()

        async with (
            exchangeable(settings, journal, outside) as delivery,
            self._ordering(settings, journal) as ordering,
            self._listening(settings, journal, judging) as (gatehouse, ports),
            asyncio.TaskGroup() as group,
        ):
            lines = LineSet(group)
            rules = None if ordering is None else ordering.roster
            parts = Parts(
                lines=lines,
                make=partial(self._part, held, journal, gatehouse, ordering, judging),
                delivery=delivery,
                gatehouse=gatehouse,
                ordering=ordering,
                roster=LiveRoster(book, held, rules=rules, changed=roster_changed, clock=outside.clock),
                housekeeper=housekeeper(settings, journal, delivery, outside.clock),
                health=Health(
                    journal,
                    outside.folder,
                    relay=delivery.relay,
                    lines=lines.work,
                    clock=outside.clock,
                    orders=dict if ordering is None else ordering.troubles,
                ),
            )
            billing = self._billing(held, journal)
            beside = self._beside(settings, parts, care, billing)
            tasks = [group.create_task(Leavable(name, run).run(), name=name) for name, run in beside.items()]
            reloader = Reloader(held, parts, manager=self._manager, clock=outside.clock)
            reloading = group.create_task(reloader.run(self._asked), name="reloader")
            lines.start(parts.make(line, meters) for line, meters in settings.meters_by_line())
            async with self._reachable(held, journal, parts, billing) as doors:
                _log.info("started", boot=journal.boot, lines=len(lines.names), meters=len(settings.meters))
                tell_ready(
                    {
                        "gateway": settings.gateway.id,
                        "boot": journal.boot,
                        "broker": delivery.broker,
                        "lines": lines.names,
                        "listens": ports,
                        **doors,
                    }
                )
                notifier.tell(READY, status(parts.health.words()))
                await stop.wait()
            notifier.tell(*stopping(), status("finishing what is in hand"))
            reloading.cancel()
            await lines.stop(STOP_LINES_S)
            for task in tasks:
                task.cancel()
            await care.end()
            await delivery.drain()

    def _beside(
        self, settings: Settings, parts: Parts, care: LedgerCare, billing: BillingWork
    ) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs beside the lines, by name; days are sealed at their time where that is configured."""
        clock, notifier = self._outside.clock, self._manager.notifier
        health, ordering, wanted = parts.health, parts.ordering, settings.billing
        settler = billing.settler
        made_up = partial(make_up, settler)
        sealing = made_up if wanted is None else schedule_of(settings, wanted, settler, clock).run
        return {
            "ledger": care.run,
            "wall_clock": partial(clock_watch.watch, clock, parts.lines.look_at_clock),
            "settlements": sealing,
            "estimates": billing.estimator.run,
            "turnovers": billing.turnovers.run,
            "collection_alarms": billing.collection.run,
            "housekeeping": parts.housekeeper.run,
            **({"orders": ordering.run} if ordering is not None else {}),
            **({"health": health.run} if self._manager.open_monitor else {}),
            **({"watchdog": partial(watching, notifier, health)} if notifier.is_heard else {}),
        }

    def _care(self, held: Held, journal: Journal) -> LedgerCare:
        clock, zone = self._outside.clock, held.settings.gateway.plant_time
        return LedgerCare(
            journal.ledger,
            clock,
            zone,
            departures=lambda: departures(held.meters, clock.utc_now()),
            ages=lambda: held.settings.retention.ages,
        )

    def _billing(self, held: Held, journal: Journal) -> BillingWork:
        """Who seals days, estimates them and looks at what was told and read, by themselves or asked."""
        settings = held.settings
        folder, acts, clock = self._outside.folder, journal.acts, self._outside.clock
        key, zone = GatewayKey.find(folder), settings.gateway.plant_time
        opener = opener_of(settings, self._profiles, folder)
        return BillingWork(
            settler_of(settings, self._profiles, folder, acts=acts, key=key, clock=clock),
            Estimator(opener, acts, clock),
            TurnoverWatch(opener, journal.roster, acts, clock, zone),
            CollectionWatch(
                opener, acts, clock, zone, wanted=lambda: wanted_of(held.settings), boot=journal.boot
            ),
            opener,
        )

    @asynccontextmanager
    async def _reachable(
        self, held: Held, journal: Journal, parts: Parts, billing: BillingWork
    ) -> AsyncIterator[dict[str, Any]]:
        """People and programs may ask; at which ports."""
        desk, ordering = self._desk(held, journal, parts, billing), parts.ordering
        answer = desk.answer if ordering is None else ordering.marked(desk.answer)
        async with (
            self._monitor(parts.health) as port,
            api_of(held, self._manager, self._outside) as api,
            self._orders.open_desk(self._outside.folder / SOCKET_FILE, answer),
        ):
            yield {"monitor": port, "api": api}

    def _desk(self, held: Held, journal: Journal, parts: Parts, billing: BillingWork) -> ReadDesk:
        """Who answers at the control socket: each knows some requests, and hands the others on."""
        clock, ordering = self._outside.clock, parts.ordering
        people = None if ordering is None else ordering.people
        orders = no_control if ordering is None else ordering.answer
        settlements = SettlementRequests(billing.settler, people, orders)
        estimates = EstimateRequests(billing.estimator, people, settlements.answer)
        roster = RosterDesk(parts.roster, estimates.answer, people=people, clock=clock)
        collection = CollectionRequests(
            journal.ledger,
            journal.marks_of,
            billing.opener,
            lambda: Around(held.settings, held.meters),
            clock,
            roster.answer,
        )
        carriers = CarrierDesk(
            parts.lines.part,
            collection.answer,
            settings=lambda: held.settings,
            people=people,
            owners=owners(),
        )
        terminals = TerminalRequests(
            parts.lines.archivist,
            carriers.answer,
            settings=lambda: held.settings,
            profiles=lambda: held.profiles,
            people=people,
            owners=owners(),
        )
        clocks = ClockDesk(
            parts.lines.terminal_clock,
            terminals.answer,
            settings=lambda: held.settings,
            acts=journal.acts,
            clock=clock,
            people=people,
            owners=owners(),
        )
        return ReadDesk(
            self._on_demand,
            clocks.answer,
            settings=lambda: held.settings,
            judged=journal.judged,
            people=people,
            owners=owners(),
        )

    def ask_reload(self) -> None:
        """Read the configuration again, and take what has changed; see ``reload``."""
        self._asked.file()

    def _part(
        self,
        held: Held,
        journal: Journal,
        gatehouse: Gatehouse,
        ordering: Ordering | None,
        judging: Judging,
        line: LineSettings,
        meters: tuple[MeterSettings, ...],
    ) -> Part:
        """The part of one line, of the configuration that holds."""
        outside = self._outside
        zone = held.settings.gateway.plant_time
        way = gatehouse.way(line, partial(self._opener, line.parsed_url))

        def part_of(
            line: LineSettings, meters: tuple[MeterSettings, ...], way: Opener | Door, lane: int = 0
        ) -> LinePart:
            return LinePart(
                line,
                meters,
                held.settings.plans,
                profiles=held.profiles,
                journal=journal,
                clock=outside.clock,
                way=way,
                rng=outside.rng,
                zone=zone,
                ear=gatehouse.ear(line.name),
                station=gatehouse.station(line),
                report=gatehouse.told_along(line),
                ordering=ordering,
                on_demand=self._on_demand,
                judging=judging,
                lane=lane,
            )

        if line.carrier is None:
            return part_of(line, meters, way)
        assert callable(way), "a module hangs on a line that we open"
        owner = owner_of(
            line, meters, way, clock=outside.clock, rng=outside.rng, zone=zone, report=gatehouse.report
        )
        return carrier_part(line, meters, owner, part_of)

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
        self, settings: Settings, journal: Journal, judging: Judging
    ) -> AsyncIterator[tuple[Gatehouse, list[str]]]:
        gatehouse = Gatehouse(settings, journal, self._outside.clock, judging.reported)
        async with gatehouse.open(self._port_opener) as ports:
            yield gatehouse, ports

    @asynccontextmanager
    async def _monitor(self, health: Health) -> AsyncIterator[int | None]:
        """The port for programs that watch; ``None``: there is none.

        A port that another program has is told and costs nothing else: meters are read without it.
        """
        wanted, opener = self._settings.monitoring, self._manager.open_monitor
        if opener is None or not wanted.enabled:
            yield None
            return
        async with AsyncExitStack() as stack:
            try:
                port = await stack.enter_async_context(opener(wanted.port, health.pages()))
            except LineBusy as error:
                _log.error("monitor.unavailable", reason=str(error))
                yield None
                return
            yield port
