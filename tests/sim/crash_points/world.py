"""A plant, people, and a daemon that dies where it is told to; everything follows from a plan and its seed.

At the k-th point of a life (see ``points``) the file is copied as it stands, what is on the line goes on to
the meters, and nothing that the program does from then on reaches anybody. A while later another program
opens the copy. It is the daemon's own composition of orders, with all rules, over the daemon's own line and
drivers; of the readings there is only what a plan may do to the line, and the one that the rules ask for.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from meterlink.audit.keys import GatewayKey
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line as BusLine
from meterlink.bus.queue import Priority
from meterlink.config import Settings
from meterlink.daemon.ordering import Ordering, OrderWorld
from meterlink.drivers.base import Driver
from meterlink.drivers.choose import driver_for
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import JournalError, MeterlinkError
from meterlink.journal.journal import Journal
from meterlink.model.reading import Record
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Line, Meter, Simulation, Station
from metersim.dlt698 import Meter698
from metersim.line.fault_rules import FaultRules
from metersim.works.controlled import Wallet
from metersim.works.cost_control import LOCAL, REMOTE, CostControl, PlainOrders
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.sim.crash_points.checker import MeterTruth, Row, complaints, read_rows, unfinished
from tests.sim.crash_points.fates import Fate
from tests.sim.crash_points.payers_checker import complaints_of_payers
from tests.sim.crash_points.persons import Ask, Persons
from tests.sim.crash_points.plan import RELAY, SHOP, START, STARTED, Plan
from tests.sim.crash_points.points import Points, StoringStream, TappedStream, tapped_store
from tests.sim.crash_points.walks import Memory, Walker
from tests.sim.crash_points.walks_checker import complaints_of_walks
from tests.support.adapters import Program
from tests.support.control_bench import PASSWORD
from tests.support.crash import copy_journal
from tests.support.order_gateway import HOLIDAYS, PEOPLE, Proved
from tests.support.records import reading
from tests.support.simulated import Duplex, OwnClock

TIMING: Final = Timing(reply_timeout_s=1.0, octet_gap_s=0.5, answer_max_s=2.0)
PATIENCE: Final = timedelta(hours=60)
"""So long after the start all must have come to an end: orders of payments have a day, and then another."""
READ_UNTIL: Final = timedelta(minutes=50)
"""Longer than persons wait before they operate a trip."""
LEFT_IS_TOLD: Final = timedelta(minutes=17)
"""So long after a walk was left somebody must have been told that the contact is open."""
READING_LASTS: Final = timedelta(days=1)
"""So long after a reading the rules do not miss another."""
DYING_S: Final = 60.0
"""So long a program may take to notice that it was cancelled."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MODELS: Final = {RELAY: "generic-remote-cost-control", SHOP: "generic-local-prepayment"}


class Nature(asyncio.TaskGroup):
    """What goes on outside, whoever dies: meters, customers, providers; it ends with the world."""

    def __init__(self) -> None:
        super().__init__()
        self._going_on: list[asyncio.Task[Any]] = []

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """See ``asyncio.TaskGroup.create_task``."""
        self._going_on.append(task := super().create_task(coro, **options))
        return task

    def end(self) -> None:
        """The world ends."""
        for task in self._going_on:
            task.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one world.

    Args:
        points: how many there were in each life of the daemon.
        rows: of the orders, in the last journal.
        complaints: what the checker says.

    """

    points: tuple[int, ...]
    rows: tuple[Row, ...]
    complaints: tuple[str, ...]

    @property
    def ends(self) -> dict[str, str]:
        """By order, the state in which it stands."""
        return {row["subject"]: row["body"]["to"] for row in self.rows}


class World:
    """One plan in a folder of its own.

    Args:
        plan: what the seed decided.
        folder: for the journals; empty.
        fate: who dies where.

    Attributes:
        points: how many there were in each life of the daemon.

    """

    def __init__(self, plan: Plan, folder: Path, fate: Fate) -> None:
        self.plan = plan
        self.points: list[int] = []
        self._folder = folder
        self._fate = fate
        self._file = folder / "life.sqlite3"
        self._graves: list[sqlite3.Connection] = []
        self._kept_at: dict[int, datetime] = {}
        self._waited: set[str] = set()
        self._is_proved = False
        self._read_at = START - READING_LASTS
        self._walked = Memory()
        self._key = GatewayKey.passing()
        self._sim = Simulation(seed=plan.seed, start=START)
        self._clock = OwnClock(self._sim.clock)
        self._meters = {RELAY: _with_relay(plan), SHOP: _with_wallet(plan)}
        for name, text in (("people.toml", PEOPLE), ("holidays.toml", HOLIDAYS), ("password", PASSWORD)):
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o600)
        self._settings = _settings(plan, folder)
        self._profiles = MeterProfiles()

    def run(self) -> Played:
        """Play it; what became of it."""
        self._sim.run(self._play())
        rows = [self._truly(row) for row in read_rows(self._file)]
        if self._fate.is_copy:
            _unlink(self._file)
        orders = [row for row in rows if row["topic"] == "order"]
        left_over = [f"{order}: it has not ended" for order in unfinished(rows)]
        return Played(
            points=tuple(self.points),
            rows=tuple(orders),
            complaints=(*left_over, *self._judged(rows)),
        )

    def _judged(self, rows: Sequence[Row]) -> list[str]:
        truths, clock_error = self._truths(), self.plan.clock_error
        found = complaints(rows, truths, clock_error)
        found += complaints_of_payers(rows, truths)
        if self.plan.has_walk:
            meter, until = f"m{RELAY}", self._sim.clock.utc_now()
            found += complaints_of_walks(rows, meter, truths[meter], until, clock_error)
        return found

    def _truly(self, row: Row) -> Row:
        """A row with the true time at which it was committed, whatever clock its writer had."""
        return {**row, "at": (self._kept_at[row["number"]] - _EPOCH) // _MICROSECOND}

    def _truths(self) -> dict[str, MeterTruth]:
        for meter in self._meters.values():
            meter.works.advance(self._sim.clock.utc_now())
        return {
            f"m{address}": MeterTruth(
                number=_number(address),
                memory=meter.works.memory,
                is_protected=self.plan.oddity == "protected" and address == RELAY,
                is_faulty=bool(self.plan.unlike) and address == RELAY,
                facts=_facts(meter.works.switch.character),
            )
            for address, meter in self._meters.items()
        }

    async def _play(self) -> None:
        rules = FaultRules(seed=self.plan.seed, start=START)
        for rule in self.plan.faults:
            rules.add(rule, at=START)
        stations = [Station(meter=meter) for meter in self._meters.values()]
        self._line = Line(stations, clock=self._sim.clock, rules=rules)
        async with Nature() as self._nature:
            self._nature.create_task(self._press_keys(), name="customer")
            self._nature.create_task(self._set_clock(), name="administrator")
            has_died = await self._live()
            while has_died:
                pause = self.plan.pauses[len(self.points) % len(self.plan.pauses)]
                await asyncio.sleep(pause.total_seconds())
                has_died = await self._live()
            self._nature.end()

    async def _press_keys(self) -> None:
        """The customer comes home, and presses what there is to press."""
        works = self._meters[RELAY].works
        while True:
            await asyncio.sleep(self.plan.key_every.total_seconds())
            works.switch.press_key(works.advance(self._sim.clock.utc_now()))

    async def _set_clock(self) -> None:
        """Somebody sets the clock of the machine that the program runs on."""
        for at, by in sorted(self.plan.clock_steps):
            wait = START + at - self._sim.clock.utc_now()
            await asyncio.sleep(max(wait.total_seconds(), 0))
            self._clock.ahead += by

    async def _live(self) -> bool:
        """One life of the daemon; whether it was ended before its time."""
        points = Points(
            self._fate,
            self._outside,
            dying=[self._copy],
            kept_at=self._kept_at,
            true_time=self._sim.clock.utc_now,
        )
        if not self.points or self.plan.apart is not None:
            lived = sum(self.points)
            points.cuts = frozenset(point - lived for point in self.plan.cuts)
            points.refused = frozenset(
                point - lived for point in self.plan.refused if point - lived >= STARTED
            )
        ends: list[ByteStream] = []
        daemon = asyncio.create_task(self._daemon(points, ends), name="daemon")
        killed = asyncio.create_task(points.killed.wait(), name="killer")
        await asyncio.wait([daemon, killed], return_when=asyncio.FIRST_COMPLETED)
        killed.cancel()
        if points.is_dead:
            daemon.cancel()
            await asyncio.wait([daemon], timeout=DYING_S)
            assert daemon.done(), "a cancelled program goes on"
            if not daemon.cancelled():
                daemon.exception()  # what a dead program complains of is nobody's business
        else:
            await daemon
        for end in ends:
            await end.aclose()
        self._bury()
        self.points.append(points.count)
        return points.is_dead

    def _outside(self) -> object:
        """What goes on without the program: time, and the chance that all of them draw from."""
        return self._sim.clock.monotonic_s(), self._sim.random.getstate()

    def _copy(self) -> None:
        """Keep the file for the next life, as this one leaves it."""
        left, kills = self._file, self._fate.kills
        self._file = self._folder / f"life-{len(kills)}-{kills[-1]}.sqlite3"
        copy_journal(left, self._file)
        self._left = left

    def _bury(self) -> None:
        """Be done with the file of a program that died; what a copy shares with its original stays."""
        if self._graves and not self._fate.is_copy:
            for db in self._graves:
                db.close()
            self._graves.clear()
            _unlink(self._left)

    async def _daemon(self, points: Points, ends: list[ByteStream]) -> None:
        clock = self._clock
        opener = tapped_store(points, self._graves)
        async with Journal.open(self._file, clock=clock, opener=opener) as journal:
            if self._sim.clock.utc_now() >= self._read_at + READING_LASTS:
                with contextlib.suppress(JournalError):
                    await self._read_once(journal)
            facts = SwitchFacts(
                command_at_once=True,
                waits_for_key=self.plan.has_key,
                expiry_obeyed=True,
            )
            assert self._settings.control is not None
            ordering = Ordering(
                self._settings,
                self._settings.control,
                journal,
                self._profiles,
                clock=clock,
                rng=self._sim.random,
                world=OrderWorld(
                    models=None if self.plan.has_walk else Proved(facts),
                    provider_opener=lambda _: Program(self._nature, name="lab").open,
                ),
                key=self._key,
            )
            await ordering.load()
            try:
                await self._work(ordering, points, ends)
            finally:
                await ordering.aclose()

    async def _work(self, ordering: Ordering, points: Points, ends: list[ByteStream]) -> None:
        """Carry on orders while people want them, and until all have ended."""

        async def opener() -> ByteStream:
            ours, theirs = memory_line()
            points.changed()
            ends.append(theirs)
            self._nature.create_task(self._line.serve(Duplex(theirs)), name="meters")
            way = StoringStream(ours, self._deliver, self._sim.random) if self.plan.is_storing else ours
            return TappedStream(way, points)

        async def ask(user: str, op: str, **args: Any) -> Mapping[str, Any]:
            return await ordering.answer(user, op, args)

        (line_settings, meters), *_ = self._settings.meters_by_line()
        drivers = {meter.address: self._reading_driver(meter.protocol, meter.model) for meter in meters}
        worker = ordering.of_line(
            line_settings,
            meters,
            reply_timeout=timedelta(seconds=TIMING.whole_answer_s),
            password_of=lambda _: "",
            association_lost=lambda address: drivers[address].association_lost(address),
        )
        numbers = {meter.id: str(meter.customer_number) for meter in meters}
        persons = Persons(ask, self._sim.clock, numbers, points.come_to, self._waited)
        async with asyncio.TaskGroup() as group:
            line = BusLine("line1", opener=opener, timing=TIMING, rng=self._sim.random)
            beside = [
                group.create_task(line.run(), name="line"),
                group.create_task(ordering.run(), name="orders"),
            ]
            if self.plan.read_every is not None:
                polls = self._read_often(line, drivers, self.plan.read_every)
                beside.append(group.create_task(polls, name="reader"))
            running = group.create_task(worker.run(line), name="worker")
            await self._prove(persons)
            async with asyncio.TaskGroup() as town:
                for wish in self.plan.wishes:
                    way = self._walker(ask).walk() if wish.what == "walk" else persons.want(wish)
                    town.create_task(way, name=wish.id)
            await self._wait_for_ends(ordering)
            worker.stop()
            await running
            for task in beside:
                task.cancel()

    async def _prove(self, persons: Persons) -> None:
        """See that all is told beforehand; what a daemon has answered to stands on its disk."""
        if not self._is_proved:
            await persons.prove(
                f"m{RELAY}",
                has_consent=self.plan.has_consent,
                has_case=self.plan.has_case,
                has_repair=self.plan.has_repair,
            )
            self._is_proved = True

    def _walker(self, ask: Ask) -> Walker:
        works = self._meters[RELAY].works

        def press() -> None:
            works.switch.press_key(works.advance(self._sim.clock.utc_now()))

        return Walker(
            ask, self._sim.clock, f"m{RELAY}", press, leaves_at=self.plan.leaves_at, memory=self._walked
        )

    def _reading_driver(self, protocol: str, model: str) -> Driver:
        profile = self._profiles.find(protocol, model)
        return driver_for(profile, self._clock, random_octets=self._sim.random.randbytes)

    async def _read_often(self, line: BusLine, drivers: Mapping[str, Driver], every: timedelta) -> None:
        """What a plan of readings does to the line."""
        while self._sim.clock.utc_now() < START + READ_UNTIL:
            await asyncio.sleep(every.total_seconds())
            for address, driver in drivers.items():
                with contextlib.suppress(MeterlinkError):
                    await driver.read(line, address, "forward_active_energy", priority=Priority.BILLING)

    def _deliver(self, octets: bytes, after_s: float) -> None:
        """Bring octets to the meters later; what they answer then reaches nobody."""

        async def come() -> None:
            await asyncio.sleep(after_s)
            ours, theirs = memory_line()
            self._nature.create_task(self._line.serve(Duplex(theirs)), name="meters")
            await ours.send(octets)
            await asyncio.sleep(DYING_S)
            await ours.aclose()

        self._nature.create_task(come(), name="stored")

    async def _read_once(self, journal: Journal) -> None:
        """Keep a reading of each meter: the rules want to know that it was heard of lately."""
        for address in self._meters:
            taken = reading(f"m{address}", slot=self._sim.clock.utc_now().replace(microsecond=0))
            await journal.keep(Record(meter=f"m{address}", data_class="instant", readings=(taken,)))
        self._read_at = self._sim.clock.utc_now()

    async def _wait_for_ends(self, ordering: Ordering) -> None:
        end = START + PATIENCE
        while ordering.book.open_orders() and self._sim.clock.utc_now() < end:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3_600):
                    await ordering.book.news.wait()
        if self.plan.has_walk:
            await asyncio.sleep(LEFT_IS_TOLD.total_seconds())


def _settings(plan: Plan, folder: Path) -> Settings:
    plain = {
        "security": "password",
        "control_password": f"file:{folder / 'password'}",
        "allow_plaintext_control": True,
    }
    url = "listen://127.0.0.1:1?terminal=000000000001" if plan.is_storing else "tcp://127.0.0.1:1"
    meters = [
        {
            "id": f"m{address}",
            "address": address,
            "line": "line1",
            "protocol": plan.protocol,
            "model": model,
            "meter_number": _number(address),
            "customer_number": _customer(address),
            "area": "east",
            "motor_load": False,
            "lab": True,
            **(plain if plan.is_plain and address == RELAY else {"security": "lab"}),
            "protected": ("hospital",) if plan.oddity == "protected" and address == RELAY else (),
        }
        for address, model in _MODELS.items()
    ]
    control = {
        "people": folder / "people.toml",
        "holidays": folder / "holidays.toml",
        "operator_code": "20261124",
    }
    return Settings.model_validate(
        {
            "gateway": {"id": "gw", "site": "sim"},
            "lines": [{"name": "line1", "url": url}],
            "meters": meters,
            "security_providers": [{"name": "lab", "url": "tcp://127.0.0.1:1"}],
            "control": control,
        }
    )


def _facts(character: CostControl) -> dict[str, str]:
    """What a walk finds out, as it really is."""
    permits = "permits" if character.has_key else "closes"  # what is permitted comes at once without a key
    return {
        "permit_waits_for_key": "yes" if character.has_key else "no",
        "contact_bit": "open_is_one",
        "records": "kept" if character.keeps_records else "none",
        "guarantee_on": permits if character.guarantee_on == "permits" else character.guarantee_on,
        "guarantee_off": character.guarantee_off,
        "alarm_is_breaker": "yes" if character.alarm_is_breaker else "no",
        "expiry": "obeyed" if character.checks_expiry else "ignored",
    }


def _unlink(journal: Path) -> None:
    for file in journal.parent.glob(f"{journal.name}*"):
        file.unlink()


def _number(address: str) -> str:
    return f"99{address[2:]}"


def _customer(address: str) -> str:
    return f"12{address[2:]}"


def _with_relay(plan: Plan) -> Meter | Meter698:
    number = "990000009999" if plan.oddity == "wrong_number" else _number(RELAY)
    load = Load(mean_kw=Decimal("0.5") if plan.is_loaded else Decimal(0))
    orders: PlainOrders = "all" if plan.is_plain else "none"
    control = dataclasses.replace(REMOTE, has_key=plan.has_key, plain_orders=orders, **plan.unlike)
    meter = _meter(plan, RELAY, number, load=load, control=control)
    meter.works.switch.trip_delay = plan.trip_delay
    return meter


def _with_wallet(plan: Plan) -> Meter | Meter698:
    wallet = Wallet(preset_cents=5_000, opened=True)
    return _meter(plan, SHOP, _number(SHOP), load=Load(mean_kw=Decimal(0)), control=LOCAL, wallet=wallet)


def _meter(plan: Plan, address: str, number: str, **more: Any) -> Meter | Meter698:
    plate = Plate(address=address, meter_number=number, customer_number=_customer(address))
    works = Works(plate, seed=1, since=START - timedelta(days=1), **more)
    if plan.protocol == "dlt645-2007":
        return Meter(address, seed=1, works=works, passwords={2: PASSWORD})
    return Meter698(address, seed=1, works=works)
