"""A concentrator of 1376.1: it logs in to its master, and collects from the meters behind it.

To its master it is a terminal with an address, a clock, an archive and events; to its meters it is a master.
Both go on at the same time, for as long as `Terminal1376.run` runs. What it keeps survives when it is reset;
connections and answers of several frames do not. Source: spec part B.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from metersim.gdw1376.answering import Answering
from metersim.gdw1376.archive import PointArchive, PointEntry
from metersim.gdw1376.commands import Commands
from metersim.gdw1376.connection import Connection1376
from metersim.gdw1376.events import POWER, READING_FAILED, START_UP, EventLog
from metersim.gdw1376.forwarding import Forwarding
from metersim.gdw1376.gathering import Gatherer
from metersim.gdw1376.store import PointStore
from metersim.gdw1376.stored import Stored
from metersim.gdw1376.ways import Ways1376
from metersim.line.line import Clock, Duplex
from metersim.terminals.archive import MeterArchive
from metersim.terminals.meters import Meters
from metersim.terminals.port import MeterPort
from metersim.works.clock import ClockOutOfRange, MeterClock
from metersim.works.moments import PLANT_TIME
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as functions
from meterwire.gdw1376.link.terminal_frame import BROADCAST, Address
from meterwire.gdw1376.messages.terminal import Message
from meterwire.gdw1376.sessions.terminal_server import Answers

VERSION_TEXT: Final = "0001"
RESET_SOON_S: Final = 1.0
"""Between the confirmation of a reset and the reset."""

_ADDRESS: Final = re.compile(r"([0-9]{4})-([1-9][0-9]{0,4})").fullmatch


def address_of(text: str) -> Address:
    """The address of a terminal out of its text, as ``0171-2082``: A1, and A2 as a number.

    Raises:
        ValueError: it is none.

    """
    found = _ADDRESS(text)
    if found is None or int(found[2]) >= BROADCAST:
        raise ValueError(
            f"{text!r} is no address of a terminal: 4 digits, a dash, a number from 1 to {BROADCAST - 1}, "
            "as 0171-2082"
        )
    return Address(found[1], int(found[2]))


class Terminal1376:
    """One concentrator.

    Args:
        address: as ``0171-2082``.
        clock: the true time.
        own: its own clock.
        archive: the points that it knows at first.
        ports: where their meters hang.
        ways: how it does things.
        speed: how many seconds of the true time pass in a second of the program.

    Attributes:
        name: its address as text.
        address: its address.
        clock: its own.
        archive: the points that it knows.
        store: what it collected.
        events: what it recorded.
        ways: as given.
        gatherer: what collects.
        resets: how often it was reset.

    Raises:
        ValueError: ``address`` is none, or two ports have the same descriptor.

    """

    def __init__(
        self,
        address: str,
        *,
        clock: Clock,
        own: MeterClock,
        archive: PointArchive,
        ports: Sequence[MeterPort],
        ways: Ways1376 | None = None,
        speed: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.name = address
        self.address = address_of(address)
        self.clock = own
        self.archive = archive
        self.ways = ways or Ways1376()
        self.store = PointStore(self.ways.records_max)
        self.events = EventLog()
        self.resets = 0
        self._true = clock
        self._meters = Meters(MeterArchive(), ports)
        self._failed_on: dict[str, date] = {}
        self.gatherer = Gatherer(
            shown=self.shown,
            archive=archive,
            meters=self._meters,
            store=self.store,
            pace=self.ways,
            failed=self._told_of_meter,
            speed=speed,
        )
        self._forwarding = Forwarding(self._meters, self.ways)
        self._commands = self._made_commands()
        stored = Stored(archive, self.store, self.ways, shown=self.shown, counts=lambda: self.events.counts)
        self._answering = Answering(self._commands, stored, self.events, self.ways, self.shown)
        self._connections: dict[Connection1376, None] = {}
        self._on = True
        self._off = asyncio.Event()
        self._off_s = self.ways.reset_s
        self._frames_until_reset = self.ways.reset_at_frame
        version = {"old_version": VERSION_TEXT, "new_version": VERSION_TEXT}
        self.events.tell(START_UP, self.shown(), init=0, version_change=0, **version)

    def _made_commands(self) -> Commands:
        return Commands(
            archive=self.archive,
            store=self.store,
            events=self.events,
            ways=self.ways,
            set_clock=self._set_clock,
            reset=self._reset_soon,
            changed=self.gatherer.changed,
        )

    # --- what it is ---

    @property
    def on(self) -> bool:
        """Whether it has power, and has started."""
        return self._on

    @property
    def online(self) -> bool:
        """Whether a master has answered its login, over any connection."""
        return any(one.linked for one in self._connections)

    @property
    def heartbeat_s(self) -> float:
        """Between heartbeats."""
        return self._commands.settings.heartbeat_s

    @property
    def reports(self) -> bool:
        """Whether it may report."""
        return self._commands.settings.reports

    @property
    def ports(self) -> tuple[MeterPort, ...]:
        """Its ports."""
        return self._meters.ports

    def shown(self) -> datetime:
        """Its civil time."""
        return self.clock.shows(self._true.utc_now()).replace(tzinfo=None)

    # --- what it does ---

    async def run(self) -> None:
        """Collect and forward, until cancelled; it can be run again, also in another loop."""
        try:
            await self._work()
        finally:
            off = asyncio.Event()  # events are of one loop
            if self._off.is_set():
                off.set()
            self._off = off

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for port in self._meters.ports:
                group.create_task(port.run(), name=f"terminal[{self.name}].port")
            while True:
                gathering = group.create_task(self.gatherer.run(), name=f"terminal[{self.name}].gatherer")
                await self._off.wait()
                gathering.cancel()
                failed_at = self.shown()
                await asyncio.sleep(self._off_s)
                self.events.tell(POWER, failed_at, power_on=Moment.to_the_minute(self.shown()))
                self._on = True
                self._off.clear()

    async def serve(self, duplex: Duplex) -> None:
        """Log in, and answer what comes over ``duplex``, until either side ends it, or it is reset.

        Args:
            duplex: anything that carries octets; several may be served at once.

        """
        if not self._on:
            return
        connection = Connection1376(self, duplex)
        self._connections[connection] = None
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    group.create_task(connection.run(), name=f"terminal[{self.name}].connection"),
                    group.create_task(self._off.wait(), name=f"terminal[{self.name}].power"),
                }
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        finally:
            self._connections.pop(connection, None)

    async def log_out(self) -> None:
        """Say goodbye over every connection."""
        for connection in tuple(self._connections):
            await connection.log_out()

    def reset(self, off_s: float | None = None) -> None:
        """Cut every connection, and be there again later.

        Args:
            off_s: how long it is away, 0 s or more; ``None``: as is its way.

        """
        self.resets += 1
        self._off_s = self.ways.reset_s if off_s is None else off_s
        self._on = False
        self._off.set()

    # --- what its connections ask ---

    def is_forwarded(self, message: Message) -> bool:
        """Whether a request asks a meter, and may."""
        return (
            message.head.afn == functions.FORWARD
            and not self._answering.is_late(message)
            and self._answering.admits(message)
        )

    def answer(self, message: Message) -> Answers | None:
        """The answer to what it knows itself; ``None``: it says nothing."""
        if self._answering.is_late(message):
            return None
        if message.head.afn == functions.FORWARD or not self._answering.admits(message):
            return ()
        return self._answering.answer(message)

    async def forwarded(self, message: Message) -> Answers:
        """The answer to what is forwarded."""
        return await self._forwarding.answer(message)

    def mishap_at(self, frames: int) -> int | None:
        """How many of some frames of one answer still leave before it is reset; ``None``: all."""
        if self._frames_until_reset is None:
            return None
        if self._frames_until_reset > frames:
            self._frames_until_reset -= frames
            return None
        leaving = self._frames_until_reset - 1
        self._frames_until_reset = None
        self.reset()
        return leaving

    # --- what happens inside ---

    def _set_clock(self, shown: datetime) -> bool:
        try:
            self.clock.set(shown.replace(tzinfo=PLANT_TIME), self._true.utc_now())
        except ClockOutOfRange:
            return False
        self.gatherer.changed()
        return True

    def _reset_soon(self) -> None:
        """The confirmation leaves first."""
        asyncio.get_running_loop().call_later(RESET_SOON_S, self.reset)

    def _told_of_meter(self, entry: PointEntry) -> None:
        """A meter could not be read: an event, once a day."""
        today = self.shown().date()
        if self._failed_on.get(entry.addr) == today:
            return
        if self.archive.point(entry.point) is None:
            return
        self._failed_on = {
            addr: day for addr, day in self._failed_on.items() if day > today - timedelta(days=1)
        } | {entry.addr: today}
        last = self.store.newest_freeze(entry.addr)
        energy = None if last is None else last.content("forward_active_energy")
        self.events.tell(
            READING_FAILED,
            self.shown(),
            pn=entry.point,
            start=1,
            last_read=None if last is None else Moment.to_the_minute(last.read_at),
            energy_kwh=energy,
            reactive_kvarh=None,
        )
