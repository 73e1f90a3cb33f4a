"""One line with its owner and its pollers, built from the configuration."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta, tzinfo

from meterlink.acquisition.collector import Collector
from meterlink.acquisition.event_poller import EventPoller
from meterlink.acquisition.on_demand import OnDemand
from meterlink.acquisition.poller import Poller
from meterlink.bus.dialling import Opener
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.listener import Door, Listener
from meterlink.bus.work import LineWork
from meterlink.clock import Clock
from meterlink.config import LineSettings, MeterSettings, PlanSettings
from meterlink.config.terminal698 import Terminal698Settings
from meterlink.daemon.judging import Judging
from meterlink.daemon.line_readers import LineReaders
from meterlink.daemon.line_timing import line_timing
from meterlink.daemon.ordering import Ordering
from meterlink.daemon.passwords import Passwords
from meterlink.daemon.supervise import supervised
from meterlink.daemon.terminal_line import TerminalLine, tunnel_timing
from meterlink.drivers.base import Driver
from meterlink.drivers.behind698.concentrator import Concentrator698
from meterlink.drivers.behind698.ways import Behind
from meterlink.drivers.choose import driver_for
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.gdw1376.station import Station
from meterlink.drivers.guard import GuardedDriver
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.reports import Report, nobody_keeps
from meterlink.drivers.terminal_archive import Archivist, RosterSide
from meterlink.drivers.terminal_clock import TerminalClock
from meterlink.journal.journal import Journal
from meterlink.model.event_kinds import EVENTS_WAIT
from meterlink.model.line_url import LineUrl
from meterlink.orders.dispatch.worker import LineOrders
from meterlink.transports.stream import ByteStream
from meterprofiles import Profile

LineOpener = Callable[[LineUrl], Awaitable[ByteStream]]


class LinePart:
    """A line and everything that uses it; runs until told to stop.

    Args:
        settings: the line.
        meters: who is on it.
        plans: what is read.
        profiles: which of them serves which meter.
        journal: keeps what comes, and what is due.
        clock: wall time.
        way: opens the line, or the door through which its terminal comes.
        rng: jitter.
        zone: what the meters' clocks show.
        ear: makes the listener of a line that we open, where a meter of it may report.
        station: the terminal of Q/GDW 1376.1 that the line is, if it is one.
        report: where goes what its meters tell along with their answers.
        ordering: the orders of the daemon, if it takes any.
        on_demand: what people ask of the daemon's meters.
        judging: is told what the meters show beside their values.
        lane: number of the lane, where several share what people call one line.

    Attributes:
        work: what the line has done and is at.
        is_at_work: whether it runs now; not between two runs of one that crashed.
        archivist: who knows the archive of the concentrator that the line is; ``None``: it is none, or does
            not run.

    """

    def __init__(
        self,
        settings: LineSettings,
        meters: Sequence[MeterSettings],
        plans: Sequence[PlanSettings],
        *,
        profiles: MeterProfiles,
        journal: Journal,
        clock: Clock,
        way: Opener | Door,
        rng: random.Random,
        zone: tzinfo,
        ear: Callable[[], Listener] | None = None,
        station: Station | None = None,
        report: Callable[[Report], None] = nobody_keeps,
        ordering: Ordering | None = None,
        on_demand: OnDemand,
        judging: Judging,
        lane: int = 0,
    ) -> None:
        self._lane = lane
        self.name = settings.name
        self.work = LineWork()
        self.is_at_work = False
        self.archivist: Archivist | None = None
        self._on_demand = on_demand
        self._meters = meters
        self._ordering = ordering
        self._orders: LineOrders | None = None
        self._report = report
        self._ear = ear
        self._station = station
        self._behind: TerminalLine | None = None
        self._settings = settings
        self._passwords = Passwords(meters)
        self._concentrator: Concentrator698 | None = None
        self._readers = LineReaders(
            settings.name,
            meters,
            plans,
            profiles=profiles,
            journal=journal,
            judging=judging,
            clock=clock,
            zone=zone,
        )
        self._clock = clock
        self._way = way
        self._rng = rng
        self._zone = zone
        self._line: Line | None = None
        self._parts: list[Poller | Collector] = []
        self._stopping = asyncio.Event()

    @property
    def is_pressed(self) -> bool:
        """Whether an order or a person waits for the line, or has it."""
        return self._line is not None and self._line.is_pressed

    @property
    def terminal_clock(self) -> TerminalClock | None:
        """Who knows the clock of the terminal that the line is; ``None``: it is none, or does not run."""
        return self._behind.clock if self._behind is not None and self.is_at_work else None

    def stop(self) -> None:
        """Let ``run`` end after the exchanges in hand."""
        self._stopping.set()
        for part in self._parts:
            part.stop()
        if self._orders is not None:
            self._orders.stop()

    def stop_opening(self) -> None:
        """Open the line no more, where it is down: with many such lines a stop would take minutes."""
        if self._line is not None:
            self._line.stop_opening()

    def look_at_clock(self) -> None:
        """The wall clock was set."""
        for part in self._parts:
            part.look_at_clock()

    async def run(self) -> None:
        """Own the line and poll its meters until stopped; fresh state at each call."""
        self.is_at_work = True
        try:
            await self._run()
        finally:
            self.is_at_work = False
            self.archivist = None

    async def _run(self) -> None:
        self._behind = self._made_terminal()
        timing = self._timing()
        line = self._line = self._made_line(timing)
        self._concentrator = self._made_concentrator()
        self.archivist = self._made_archivist(line)
        drivers = {profile: self._driver(profile) for profile in self._readers.served}
        named = self._readers.made(line, drivers)
        self._parts = list(named.values())
        self._orders = self._orders_of(timing, drivers.values())
        if self._stopping.is_set():
            return
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run(), name=f"bus[{self.name}].owner")
            beneath = [*self._run_terminal(group), *self._watch_archive(group, line)]
            profile_of = self._readers.profile_of
            reach = {(one.id, one.address): drivers[profile_of[one.id]] for one in self._meters}
            answering = group.create_task(self._on_demand.serve(line, reach), name=f"on_demand[{self.name}]")
            async with asyncio.TaskGroup() as working:
                for name, part in named.items():
                    working.create_task(part.run(), name=f"poller[{self.name}].{name}")
                if (orders := self._orders) is not None:
                    name = f"orders[{self.name}]"
                    working.create_task(supervised(name, lambda: orders.run(line)), name=name)
            await self._stopping.wait()  # who reports is heard, and who is asked is read, also without a plan
            answering.cancel()
            owner.cancel()
            for task in beneath:
                task.cancel()

    def _timing(self) -> Timing:
        if self._behind is not None:
            return tunnel_timing(self._behind.station.settings)
        return line_timing(self._settings, self._readers.served)

    def _made_line(self, timing: Timing) -> Line:
        if self._behind is not None:
            return self._behind.line
        return Line(
            self.name,
            opener=self._way,
            timing=timing,
            rng=self._rng,
            ear=self._ear,
            ear_parses=self._settings.terminal_698 is not None,
            work=self.work,
            told=self._settings.carrier is None,  # a lane comes and goes with its module, which is told
        )

    def _made_archivist(self, line: Line) -> Archivist | None:
        if self._behind is not None:
            return self._behind.archivist
        return None if self._concentrator is None else self._concentrator.archivist(line)

    def _made_terminal(self) -> TerminalLine | None:
        """The connection of the terminal that the line is, and the way through it; ``None``: it is none."""
        if self._station is None:
            return None
        return TerminalLine(
            self.name,
            self._station,
            way=self._way,
            rng=self._rng,
            ear=self._ear,
            work=self.work,
            roster=[meter.address for meter in self._meters],
            report=self._report,
        )

    def _run_terminal(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        if (behind := self._behind) is None:
            return []
        name = f"terminal[{self.name}]"
        looking = supervised(name, lambda: behind.reporter.run(behind.connection))
        return [
            group.create_task(behind.connection.run(), name=f"bus[{self.name}].connection"),
            group.create_task(looking, name=name),
        ]

    def _watch_archive(self, group: asyncio.TaskGroup, line: Line) -> list[asyncio.Task[None]]:
        """See whether a concentrator of DL/T 698.45 knows its meters; one of 1376.1 has a reporter."""
        if self._concentrator is None:
            return []
        profile_of = self._readers.profile_of
        roster = {
            meter.address: RosterSide(meter.id, meter.protocol, profile_of[meter.id])
            for meter in self._meters
            if meter.address != self._settings.terminal_698
        }
        if (watch := self._concentrator.archive_watch(line, roster)) is None:
            return []
        name = f"archive[{self.name}]"
        return [group.create_task(supervised(name, lambda: watch.run(line)), name=name)]

    def _orders_of(self, timing: Timing, drivers: Iterable[Driver]) -> LineOrders | None:
        if self._ordering is None:
            return None
        readers = tuple(drivers)

        def association_lost(address: str) -> None:
            for reader in readers:
                reader.association_lost(address)

        return self._ordering.of_line(
            self._settings,
            self._meters,
            reply_timeout=timedelta(seconds=self._longest_reply_s(timing)),
            password_of=self._passwords.of,
            association_lost=association_lost,
            concentrator=self._concentrator,
            lane=self._lane,
        )

    def _longest_reply_s(self, timing: Timing) -> float:
        """For the first octet of an answer of the slowest meter."""
        through_s = self._concentrator.behind.answer_timeout_s if self._concentrator else 0.0
        return max(timing.reply_timeout_s, through_s)

    def _made_concentrator(self) -> Concentrator698 | None:
        """The way to meters behind the terminal that the line is; ``None``: they are on the line itself."""
        if (terminal := self._settings.terminal_698) is None:
            return None
        return Concentrator698(
            behind_of(terminal, self._settings.terminal_698_settings),
            [meter.address for meter in self._meters if meter.address != terminal],
            clock=self._clock,
            random_octets=self._rng.randbytes,
            profile=self._profile_at(terminal),
            preamble=self._settings.preamble,
            zone=self._zone,
            password_of=self._passwords.of,
            report=self._heard,
        )

    def _profile_at(self, address: str) -> Profile | None:
        """What the meter of an address speaks; ``None``: it is none of ours."""
        found = (self._readers.profile_of[meter.id] for meter in self._meters if meter.address == address)
        return next(found, None)

    def _driver(self, profile: Profile) -> Driver:
        """For the meters of one profile; each of them bears its own faults."""
        driver = driver_for(
            profile,
            self._clock,
            random_octets=self._rng.randbytes,
            preamble=self._settings.preamble,
            zone=self._zone,
            password_of=self._passwords.of,
            report=self._heard,
        )
        if self._concentrator is not None:
            driver = self._concentrator.around(driver, profile)
        if self._behind is not None:
            driver = self._behind.around(driver)
        return GuardedDriver(driver)

    def _heard(self, report: Report) -> None:
        """What a meter tells along with an answer; one that has events is looked into."""
        self._report(report)
        if any(isinstance(part, ReportedEvent) and part.kind == EVENTS_WAIT for part in report.parts):
            for one in self._parts:
                if isinstance(one, EventPoller):
                    one.wake(report.terminal)


def behind_of(terminal: str, settings: Terminal698Settings | None) -> Behind:
    """How meters behind a terminal are asked.

    Args:
        terminal: its address.
        settings: what of it is not as usual.

    """
    told = settings or Terminal698Settings()
    return Behind(
        terminal=terminal,
        ways=told.ways,
        meter_timeout_s=told.meter_timeout_s,
        store_wait_s=told.store_wait_min * 60.0,
        port=told.port.upper(),
    )
