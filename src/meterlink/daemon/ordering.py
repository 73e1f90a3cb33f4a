"""Everything of orders that a daemon holds, built from its configuration: rules, log, lines, desk.

Start: the open orders are read from the log before a line opens, and what payments lead to is caught up with;
then each line carries on its own. Stop: the desk closes, each line finishes the order in hand, the providers
are let go. Without a table ``[control]`` there are no orders, and the desk says so.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from meterlink.audit.keys import GatewayKey
from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.config import ControlSettings, LineSettings, MeterSettings, Settings
from meterlink.config.security import SecurityProviderSettings
from meterlink.daemon.control_socket import DeskOpener, Handler, control_socket
from meterlink.daemon.order_parts import Aftercare, Desk, Ground, Rules, Senders
from meterlink.daemon.requests import Requests
from meterlink.drivers.behind698.concentrator import Concentrator698
from meterlink.drivers.choose import control_driver_for
from meterlink.drivers.control import ControlDriver, Purse
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import LineClosed, NoControl
from meterlink.journal.acts import ActLog
from meterlink.journal.journal import Journal
from meterlink.model.order import Order, OrderKind
from meterlink.orders.book import Book
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.dispatch.worker import LineOrders
from meterlink.orders.judging.unheld import Unheld
from meterlink.orders.paid.aftermath import Aftermath
from meterlink.orders.paid.arrived import Arrived
from meterlink.orders.paid.held_money import HeldMoney
from meterlink.orders.paid.lateness import Lateness
from meterlink.orders.paid.looking_in import LookingIn
from meterlink.orders.paid.payments import Payments
from meterlink.orders.paid.told_of_spared import ToldOfSpared
from meterlink.orders.paid.unowed import Unowed
from meterlink.orders.people import THE_DAEMON
from meterlink.orders.protecting import Protecting
from meterlink.orders.qualifying.desk import Qualifier
from meterlink.orders.qualifying.models import Models
from meterlink.orders.qualifying.qualified import Qualifications
from meterlink.orders.rules import Stage
from meterlink.orders.rules.closing import mode
from meterlink.orders.strays import LOOKED_EVERY_S
from meterlink.roster.roster import Roster, RosterMeter
from meterlink.security.adapter import Opener
from meterlink.security.choose import Securities

AssociationLost = Callable[[str], None]
"""Is told the address of a meter whose association with its reader was ended for an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderWorld:
    """What orders need of the world.

    Args:
        open_desk: opens the door for requests.
        provider_opener: reaches security providers; ``None``: as the configuration says.
        models: what is proven of models; ``None``: as the log has it.

    """

    open_desk: DeskOpener = control_socket
    provider_opener: Callable[[SecurityProviderSettings], Opener] | None = None
    models: Models | None = None


class Ordering:
    """The orders of one daemon.

    Args:
        settings: checked.
        control: their table ``[control]``.
        journal: open.
        profiles: of the meters.
        clock: wall time.
        rng: jitter, and what meters have to prove themselves by.
        world: what orders need of it.
        key: signs qualifications; ``None``: one that passes with this process.

    Raises:
        ConfigError: a profile contradicts a meter.

    """

    def __init__(
        self,
        settings: Settings,
        control: ControlSettings,
        journal: Journal,
        profiles: MeterProfiles,
        *,
        clock: Clock,
        rng: random.Random,
        world: OrderWorld,
        key: GatewayKey | None = None,
    ) -> None:
        ground = Ground.of(settings, control, journal, profiles, clock)
        self._settings = settings
        self._control = control
        self._profiles = profiles
        self._clock = clock
        self._rng = rng
        self._securities = Securities(settings, profiles, rng=rng, opener_of=world.provider_opener)
        self._qualified = Qualifications(ground.acts, ground.roster, key or GatewayKey.passing(), ground.zone)
        self._models: Models = world.models or self._qualified
        self._lines: dict[tuple[str, int], LineOrders] = {}
        self._left = asyncio.Event()
        self.roster = ground.roster
        self.book = Book(ground.acts, clock, timeline=ground.timeline)
        self._rules = Rules.of(ground, self._models)
        self._senders = Senders.of(ground, self.book, self._rules)
        self._aftercare = Aftercare.of(ground, self.book, self._rules.evidence, self._purse_of)
        aftermath = Aftermath(self.book, self.roster, self._closing_for, ground.zone)
        self.book.companions += [aftermath, self._qualified, self._senders.macs]
        arrived = Arrived(ground.acts, self.roster)
        self.book.companions += [self._aftercare.reminder, arrived]
        self.book.companions.append(Unheld(ground.acts))
        attention = self._aftercare.attention
        alarms = attention.alarms
        self._payments = Payments(
            self.book, aftermath, self._rules.evidence, self.roster, alarms=alarms, clock=clock
        )
        unowed = Unowed(self.book, clock)
        self._lateness = Lateness(
            self.book,
            alarms,
            attention.work,
            self.roster,
            self._payments.resume,
            unowed.quiet,
            sparing=self._rules.judge.sparing,
            tell=ToldOfSpared(self.book, alarms, attention.work, ground.zone).tell,
            zone=ground.zone,
        )
        self.book.companions.append(self._lateness)
        self._aftercare.punctuality.waiting = self._lateness.waiting
        self._looking_in = LookingIn(self.book, self.roster, self._lateness.waits, arrived, self._at_meter)
        self._held_money = HeldMoney(self.book, alarms, self._aftercare.held, self.roster)
        self._protecting = Protecting(
            self.book, self._rules.evidence, self._rules.judge, self.roster, self._lateness.hurry
        )
        self._desk = Desk.of(ground, self.book, self._rules, alarms)
        self.people = self._desk.people
        self._requests = self._all_requests(ground.acts)

    async def load(self) -> None:
        """Take up what the log holds; before any line opens.

        Raises:
            JournalError: it cannot be read.

        """
        await self._rules.wall.load()
        await self._rules.restored.load(self._aftercare.attention.alarms)
        await self._qualified.load()
        await self.book.load()
        await self._desk.case_book.load()
        await self._rules.watch.start(self._clock.utc_now())
        await self._aftercare.strays.end()
        await self._protecting.look()
        await self._payments.catch_up()

    async def run(self) -> None:
        """Look after those who have paid, their money, and the cases before trips, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lateness.run(), name="orders.lateness")
            group.create_task(self._looking_in.run(), name="orders.looking_in")
            group.create_task(self._held_money.run(), name="orders.held_money")
            group.create_task(self._protecting.run(), name="orders.protecting")
            group.create_task(self._aftercare.reminder.run(), name="orders.reminder")
            group.create_task(self._aftercare.left_open.run(), name="orders.left_open")
            group.create_task(self._payments.run(), name="orders.payments")
            group.create_task(self._aftercare.reconciler.run(), name="orders.reconciler")
            group.create_task(self._aftercare.punctuality.run(), name="orders.punctuality")
            group.create_task(self._desk.rounds.run(), name="orders.cases")
            group.create_task(self._end_strays(), name="orders.strays")
            group.create_task(self._rules.restored.run(), name="orders.mark")
            group.create_task(self._rules.wall.run(self._aftercare.attention.alarms), name="orders.clock")

    async def _end_strays(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOKED_EVERY_S):
                    await self._left.wait()
            except TimeoutError:
                await self._aftercare.strays.end_old()
            else:
                self._left.clear()  # before: who leaves while these are ended is looked for again
                try:
                    await self._aftercare.strays.end()
                except BaseException:
                    self._left.set()  # not all of it was done, and this part may begin anew
                    raise

    def troubles(self) -> Mapping[str, str]:
        """What keeps orders from going, and why; empty: nothing does."""
        told = {
            "people": ("nobody is cut off, and no order is taken, until this is right", self.people.fault),
            "holidays": ("nobody is cut off until this is right", self._rules.calendar.fault),
        }
        return {name: f"{what}: {fault}" for name, (what, fault) in told.items() if fault}

    def rebuild(self, settings: Settings, profiles: MeterProfiles) -> None:
        """Reach the meters of another configuration from now on; the lines on which any is other have ended.

        Args:
            settings: with the meters in service.
            profiles: of them.

        """
        self._settings, self._profiles = settings, profiles
        self._securities.profiles = profiles
        here = {line.name for line, _ in settings.meters_by_line()}
        self._lines = {lane: orders for lane, orders in self._lines.items() if lane[0] in here}
        self.roster.rebuilt(Roster.of(settings, profiles))
        self._left.set()
        self._lateness.hurry()

    async def answer(self, user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a local user asks; see ``control_socket.Handler``."""
        return await self._requests.answer(user, op, args)

    def marked(self, desk: Handler) -> Handler:
        """A desk that answers once a copy of the journal from before can be told from the journal.

        Args:
            desk: takes every request of this machine, also those that are not about orders.

        """

        async def answer(user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
            try:
                return await desk(user, op, args)
            finally:
                await self._rules.restored.follow()

        return answer

    def of_line(
        self,
        line: LineSettings,
        meters: Sequence[MeterSettings],
        *,
        reply_timeout: timedelta,
        password_of: Callable[[str], str],
        association_lost: AssociationLost,
        concentrator: Concentrator698 | None = None,
        lane: int = 0,
    ) -> LineOrders:
        """The orders of one line.

        Args:
            line: which.
            meters: who is on it.
            reply_timeout: longest that one of them may take to answer.
            password_of: of a meter by its address, where its profile reads under one.
            association_lost: is told when a reader has to begin anew.
            concentrator: through which its meters are reached, if there is one.
            lane: which of several with that line's name; a meter always has the same.

        """
        drivers: dict[str, ControlDriver] = {}
        reaches: dict[str, Reach] = {}

        for meter in meters:
            profile = self._profiles.find(meter.protocol, meter.model)
            if profile.name not in drivers:
                try:
                    driver = control_driver_for(
                        profile,
                        self._clock,
                        random_octets=self._rng.randbytes,
                        preamble=line.preamble,
                        zone=self._settings.gateway.plant_time,
                        password_of=password_of,
                        association_lost=association_lost,
                    )
                except NoControl:
                    continue  # the rules say so to whoever asks
                drivers[profile.name] = (
                    driver if concentrator is None else concentrator.control_around(driver, profile)
                )
            reaches[meter.id] = self._reach(meter, drivers[profile.name], reply_timeout)
        self._lines[line.name, lane] = orders = LineOrders(
            line.name,
            reaches,
            book=self.book,
            starter=self._senders.starter,
            sender=self._senders.sender,
            reader=self._senders.reader,
        )
        return orders

    async def aclose(self) -> None:
        """Let the providers go."""
        await self._securities.aclose()

    def _all_requests(self, acts: ActLog) -> Requests:
        """Everything that people may ask of these orders."""
        qualifier = Qualifier(
            acts,
            self.book,
            self._rules.judge,
            self._qualified,
            roster=self.roster,
            at_meter=self._at_meter,
            clock=self._clock,
        )
        return Requests(
            people=self._desk.people,
            service=self._desk.orders,
            cases=self._desk.cases,
            book=self.book,
            brakes=self._rules.brakes,
            watch=self._rules.watch,
            macs=self._senders.macs,
            restored=self._rules.restored,
            evidence=self._rules.evidence,
            protecting=self._protecting,
            held=self._aftercare.held,
            payments=self._payments,
            attention=self._aftercare.attention,
            qualifier=qualifier,
            reconciler=self._aftercare.reconciler,
            punctuality=self._aftercare.punctuality,
            clock=self._clock,
        )

    def _at_meter(
        self, meter: str, priority: Priority = Priority.CONTROL
    ) -> AbstractAsyncContextManager[tuple[Exchanging, Reach]]:
        """The line of a meter, for looks.

        Raises:
            LineClosed: it is not up.

        """
        entry, told = self.roster.built(meter), self.roster.meter(meter)
        lanes = [] if entry is None else [one for (name, _), one in self._lines.items() if name == entry.line]
        if told is None or told.is_rebuilding or not lanes:
            raise LineClosed(f"the line of meter {meter!r} is not up")
        serving = [one for one in lanes if one.serves(meter)] or lanes
        return next((one for one in serving if one.is_up), serving[0]).at_meter(meter, priority)

    async def _purse_of(self, meter_id: str) -> Purse:
        """Read the money in a meter; orders of its line go first, and a meter that is shut is not asked."""
        async with self._at_meter(meter_id, Priority.ON_DEMAND) as (held, reach):
            security = reach.security()
            async with self._senders.macs.proving(meter_id, security, by="reconciliation"):
                return await reach.driver.purse(held, reach.meter.address, security)

    async def _closing_for(self, order: Order) -> OrderKind:
        """How supply comes back at a meter: by the key, unless the customer agreed otherwise (CTRL-15)."""
        meter = self.roster.meter(order.meter)
        if meter is None:  # it has gone, and the closing ends as a stray
            return OrderKind.PERMIT_CLOSE
        return mode(await self._rules.judge.facts(Stage.CREATE, order, None, THE_DAEMON, meter))

    def _built(self, meter: MeterSettings) -> RosterMeter:
        entry = self.roster.built(meter.id)
        assert entry is not None, "the roster is made of the same configuration"
        return entry

    def _reach(self, meter: MeterSettings, driver: ControlDriver, reply_timeout: timedelta) -> Reach:
        entry = self._built(meter)
        return Reach(
            meter=entry,
            driver=driver,
            security=lambda: self._securities.of(meter),
            operator_code=self._control.operator_code,
            reply_timeout=reply_timeout,
            facts=lambda firmware: self._models.switch_facts(entry, firmware),
        )
