"""What the orders of a daemon are built of, a part a subject: ground, rules, senders, aftercare, desk.

A part knows those before it and no later one; ``Ordering`` puts them together and lets them run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from meterlink.clock import Clock
from meterlink.config import ControlSettings, Settings
from meterlink.drivers.profiles import MeterProfiles
from meterlink.journal.acts import ActLog
from meterlink.journal.journal import Journal
from meterlink.journal.sent_mark import SentMark
from meterlink.model.roster_change import KeptChange
from meterlink.orders.access import Accesses
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.attention.desk import Attention
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.book import Book
from meterlink.orders.cases.book import CaseBook
from meterlink.orders.cases.rounds import CaseRounds
from meterlink.orders.cases.service import CaseService
from meterlink.orders.dispatch.mac_guard import MacGuard
from meterlink.orders.dispatch.reading_back import Reader
from meterlink.orders.dispatch.reminding import Reminder
from meterlink.orders.dispatch.sending import Sender
from meterlink.orders.dispatch.starting import Starter
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.held import Held
from meterlink.orders.judging.brakes import Brakes
from meterlink.orders.judging.gathering import Gatherer
from meterlink.orders.judging.least_time import LeastTime
from meterlink.orders.judging.restored import Restored
from meterlink.orders.judging.watching import Watch
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.limits.calendar import CalendarOfFile
from meterlink.orders.limits.caps import Limits
from meterlink.orders.people import People
from meterlink.orders.people_file import PeopleOfFile
from meterlink.orders.qualifying.left_open import LeftOpen
from meterlink.orders.qualifying.models import Models
from meterlink.orders.reconciliation.punctuality import Punctuality
from meterlink.orders.reconciliation.reconciler import PurseOf, Reconciler
from meterlink.orders.service import OrderService
from meterlink.orders.strays import Strays
from meterlink.roster.roster import Roster


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every part stands on.

    Args:
        control: the settings of orders.
        acts: the log.
        mark: names the newest act that somebody relies on, beside the log.
        last_read: the newest slot of any reading that was kept of a meter.
        changes_of: what the roster was told of a meter, oldest first.
        roster: the meters.
        clock: wall time.
        timeline: how long ago something was.
        zone: the plant's.
        people: who may be what.

    """

    control: ControlSettings
    acts: ActLog
    mark: SentMark
    last_read: Callable[[str], Awaitable[datetime | None]]
    changes_of: Callable[[str], Awaitable[Sequence[KeptChange]]]
    roster: Roster
    clock: Clock
    timeline: Timeline
    zone: timezone
    people: People

    @classmethod
    def of(
        cls,
        settings: Settings,
        control: ControlSettings,
        journal: Journal,
        profiles: MeterProfiles,
        clock: Clock,
    ) -> Ground:
        """What a daemon's configuration and journal give.

        Raises:
            ConfigError: a profile contradicts a meter.

        """
        return cls(
            control=control,
            acts=journal.acts,
            mark=journal.mark,
            last_read=journal.last_read_at,
            changes_of=journal.roster.changes_of,
            roster=Roster.of(settings, profiles),
            clock=clock,
            timeline=Timeline(clock),
            zone=settings.gateway.plant_time,
            people=PeopleOfFile(control.people.expanduser()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What says whether an order may go on.

    Args:
        judge: gathers facts and asks the rules.
        watch: what is counted.
        brakes: the kill switch, freezes, quarantine.
        evidence: what senders tell.
        wall: since when the gateway's clock can be right.
        restored: whether the log is the newest.
        calendar: when trips may go, as the file of holidays says now.

    """

    judge: Gatherer
    watch: Watch
    brakes: Brakes
    evidence: EvidenceBook
    wall: LeastTime
    restored: Restored
    calendar: CalendarOfFile

    @classmethod
    def of(cls, ground: Ground, models: Models) -> Rules:
        """Build them."""
        calendar = CalendarOfFile(ground.control, ground.zone)
        limits = Limits(ground.control, ground.roster)
        watch = Watch(ground.acts, limits, ground.roster, calendar.current(), ground.timeline)
        evidence = EvidenceBook(ground.acts, ground.roster, ground.clock, ground.timeline)
        wall = LeastTime(ground.acts, ground.clock)
        restored = Restored(ground.acts, ground.mark, ground.timeline, wall)
        judge = Gatherer(
            acts=ground.acts,
            roster=ground.roster,
            book=evidence,
            watch=watch,
            settings=ground.control,
            calendar=calendar.current,
            clock=ground.clock,
            timeline=ground.timeline,
            last_read=ground.last_read,
            qualified=models,
            wall=wall,
            restored=restored,
            people=ground.people,
            changes_of=ground.changes_of,
        )
        brakes = Brakes(ground.acts, watch, ground.clock)
        return cls(
            judge=judge,
            watch=watch,
            brakes=brakes,
            evidence=evidence,
            wall=wall,
            restored=restored,
            calendar=calendar,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """What carries an order to its meter.

    Args:
        starter: takes it to the front of its line.
        sender: sends it.
        reader: reads back what became of it.
        macs: knows which meters met a wrong MAC.

    """

    starter: Starter
    sender: Sender
    reader: Reader
    macs: MacGuard

    @classmethod
    def of(cls, ground: Ground, book: Book, rules: Rules) -> Senders:
        """Build them."""
        macs = MacGuard(ground.acts, ground.clock, zone=ground.zone)
        reader = Reader(book, macs)
        return cls(
            starter=Starter(book, rules.judge, rules.brakes),
            sender=Sender(
                book,
                rules.judge,
                rules.brakes,
                reader=reader,
                macs=macs,
                mark=ground.mark,
                clock=ground.clock,
            ),
            reader=reader,
            macs=macs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftercare:
    """What looks after meters, payments and orders that nobody asks about.

    Args:
        attention: work items and alarms.
        strays: ends orders whose meter has left the configuration.
        reconciler: compares payments, log and meters.
        punctuality: counts who had current in time.
        reminder: of those who have not pressed the key.
        left_open: of those whom a qualification has left in the dark.
        held: of the places that an inspector holds.

    """

    attention: Attention
    strays: Strays
    reconciler: Reconciler
    punctuality: Punctuality
    reminder: Reminder
    left_open: LeftOpen
    held: Held

    @classmethod
    def of(cls, ground: Ground, book: Book, evidence: EvidenceBook, purse_of: PurseOf) -> Aftercare:
        """Build it; ``purse_of`` reads the money in a meter."""
        alarms = Alarms(ground.acts, ground.clock, zone=ground.zone)
        work = WorkItems(ground.acts, ground.clock)
        held = Held(book, evidence, ground.roster, ground.zone)
        evidence.companions.append(held)
        book.holds = work.holds = held
        reconciler = Reconciler(
            book,
            evidence,
            ground.roster,
            purse_of=purse_of,
            alarms=alarms,
            work=work,
            clock=ground.clock,
            zone=ground.zone,
        )
        return cls(
            attention=Attention(work=work, alarms=alarms),
            strays=Strays(book, ground.roster, work),
            reconciler=reconciler,
            punctuality=Punctuality(book, alarms, ground.roster, ground.clock, ground.zone),
            reminder=Reminder(book, work),
            left_open=LeftOpen(book, alarms, work),
            held=held,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where people order.

    Args:
        people: who may be what.
        orders: takes orders.
        case_book: keeps what goes before a trip.
        cases: takes cases.
        rounds: leads cases on when their time comes.

    """

    people: People
    orders: OrderService
    case_book: CaseBook
    cases: CaseService
    rounds: CaseRounds

    @classmethod
    def of(cls, ground: Ground, book: Book, rules: Rules, alarms: Alarms) -> Desk:
        """Build it."""
        people = ground.people
        accesses = Accesses(ground.acts, ground.clock)
        orders = OrderService(
            book, rules.judge, rules.brakes, roster=ground.roster, accesses=accesses, clock=ground.clock
        )
        case_book = CaseBook(ground.acts, ground.clock)
        cases = CaseService(
            case_book,
            orders,
            book,
            rules.judge,
            people=people,
            accesses=accesses,
            alarms=alarms,
            clock=ground.clock,
        )
        rounds = CaseRounds(cases, ground.clock)
        return cls(people=people, orders=orders, case_book=case_book, cases=cases, rounds=rounds)
