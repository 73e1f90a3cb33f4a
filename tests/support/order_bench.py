"""Orders on a simulated line without the daemon around them: log, rules, worker, line, and meters.

::

    bench = OrderBench(tmp_path, Meter("000000000161", seed=7))
    bench.run(lambda: bench.carry_out(bench.order(OrderKind.TRIP)))
    assert ["trip"] == [control.kind for control in bench.obeyed()]
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line as BusLine
from meterlink.drivers.choose import control_driver_for
from meterlink.drivers.proving import Security
from meterlink.journal.journal import Journal
from meterlink.model.order import Order, OrderKind, OrderState, Origin
from meterlink.orders.book import Book
from meterlink.orders.dispatch.mac_guard import MacGuard
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.dispatch.reading_back import Reader
from meterlink.orders.dispatch.sending import Sender
from meterlink.orders.dispatch.starting import Starter
from meterlink.orders.dispatch.worker import LineOrders
from meterlink.orders.life.life import Life
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.people import Actor
from meterlink.orders.rules.facts import Live
from meterlink.orders.rules.verdict import Stage, Verdict
from meterlink.roster.roster import RosterMeter
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import generic
from metersim import Line, Simulation, Station
from tests.support.control_bench import CUSTOMER
from tests.support.lab_provider import LabSecurity
from tests.support.simulated import Duplex
from tests.support.strikes import Strikes

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # a Tuesday, 10:00 in the plant
OPERATOR = "20261124"
FACTS = SwitchFacts(
    command_at_once=True, waits_for_key=True, expiry_obeyed=True, known={"command_bit": "state_grid"}
)

_T = TypeVar("_T")


class Lenient:
    """Rules that let everything pass."""

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        return ()

    async def hold(self, life: Life, actor: Actor, verdicts: Sequence[Verdict]) -> bool:
        return True


class OrderBench:
    """One line of meters and the orders for it.

    Args:
        folder: for the journal.
        stations: the meters on the line.
        judge: the rules.
        security: of a meter; by default the laboratory's provider.
        protocol: of all meters.
        facts: what is proven of the meters' model.
        seed: of everything.
        start: first wall time.

    """

    def __init__(
        self,
        folder: Path,
        *stations: Station,
        judge: Lenient | None = None,
        security: Callable[[], Security] | None = None,
        protocol: str = "dlt645-2007",
        facts: SwitchFacts = FACTS,
        seed: int = 1,
        start: datetime = START,
    ) -> None:
        self.sim = Simulation(seed=seed, start=start)
        self.meters: dict[str, Any] = {station.meter.address: station.meter for station in stations}
        self.strikes = Strikes(seed=seed, start=start, now=self.sim.clock.utc_now)
        self._folder = folder
        self._stations = list(stations)
        self._judge = judge or Lenient()
        self.lab = LabSecurity()
        self._security = security or (lambda: self.lab)
        self._profile = generic(protocol)
        self._facts = facts
        self._ends: list[ByteStream] = []
        self.book: Book

    def run(self, work: Callable[[], Awaitable[_T]], *, kill_at_s: float | None = None) -> _T | None:
        """Start everything, do some work beside it, and stop in order; or kill it all after so long."""
        return self.sim.run(self._run(work, kill_at_s))

    def order(self, kind: OrderKind = OrderKind.TRIP, **fields: Any) -> Order:
        """An order for the first meter, of a payment: nobody has to arm it."""
        told: dict[str, Any] = {
            "id": "o-1",
            "kind": kind,
            "meter": f"m{next(iter(self.meters))}",
            "reason": "a test",
            "deadline_at": self.sim.clock.utc_now().replace(microsecond=0) + timedelta(hours=1),
            "origin": Origin.PAYMENT,
            "amount_cents": 10_000 if kind is OrderKind.TOP_UP else None,
        }
        return Order(**{**told, **fields})

    async def carry_out(self, order: Order) -> Life:
        """Take an order in, and wait until it has ended."""
        await self.book.begin(order, "meterlink")
        return await self.ended(order.id)

    async def ended(self, order_id: str) -> Life:
        """An order, once it has ended."""
        while True:
            life = await self.book.read(order_id)
            if not life.is_open:
                return life
            news = self.book.news
            await news.wait()

    async def stands(self, order_id: str, *states: OrderState) -> Life:
        """An order, once it stands in one of these states."""
        while True:
            life = await self.book.read(order_id)
            if life.state in states:
                return life
            news = self.book.news
            await news.wait()

    def press_key(self, address: str = "") -> bool:
        """Somebody presses the key of a meter; whether it closed."""
        meter = self.meters[address or next(iter(self.meters))]
        return bool(meter.works.switch.press_key(self.sim.clock.utc_now()))

    async def _run(self, work: Callable[[], Awaitable[_T]], kill_at_s: float | None) -> _T | None:
        async with asyncio.TaskGroup() as plant:
            self._plant = plant
            self._line = Line(self._stations, clock=self.sim.clock, rules=self.strikes.rules)
            daemon = plant.create_task(self._daemon(work))
            if kill_at_s is not None:
                await asyncio.wait([daemon], timeout=kill_at_s)
                daemon.cancel()
            result: _T | None = None
            with contextlib.suppress(asyncio.CancelledError):
                result = await daemon
            for end in self._ends:
                await end.aclose()
            self._ends.clear()
        return result

    async def _daemon(self, work: Callable[[], Awaitable[_T]]) -> _T:
        clock = self.sim.clock
        async with Journal.open(self._folder / "journal.sqlite3", clock=clock) as journal:
            self.book = Book(journal.acts, clock)
            await self.book.load()
            macs = MacGuard(journal.acts, clock)
            reader = Reader(self.book, macs)
            self.book.companions.append(macs)
            worker = LineOrders(
                "line1",
                {f"m{address}": self._reach(address) for address in self.meters},
                book=self.book,
                starter=Starter(self.book, self._judge, self._judge),
                sender=Sender(
                    self.book,
                    self._judge,
                    self._judge,
                    reader=reader,
                    macs=macs,
                    mark=journal.mark,
                    clock=clock,
                ),
                reader=reader,
            )
            async with asyncio.TaskGroup() as group:
                timing = Timing(reply_timeout_s=0.5)
                line = BusLine("line1", opener=self._open, timing=timing, rng=self.sim.random)
                owner = group.create_task(line.run())
                running = group.create_task(worker.run(line))
                result = await work()
                worker.stop()
                await running
                owner.cancel()
            return result

    def _reach(self, address: str) -> Reach:
        profile = self._profile
        return Reach(
            meter=RosterMeter(
                id=f"m{address}",
                address=address,
                line="line1",
                line_is_ours=True,
                protocol=profile.protocol,
                profile=profile,
                meter_number=address,
                customer_number=CUSTOMER,
                is_lab=True,
            ),
            driver=control_driver_for(profile, self.sim.clock, random_octets=self.sim.random.randbytes),
            security=self._security,
            operator_code=OPERATOR,
            reply_timeout=timedelta(seconds=0.5),
            facts=self._facts_now,
        )

    async def _facts_now(self, firmware: str | None) -> SwitchFacts:
        return self._facts

    async def _open(self) -> ByteStream:
        ours, theirs = memory_line()
        self._ends.append(theirs)
        self._plant.create_task(self._line.serve(Duplex(theirs, self.strikes.heard)))
        return ours

    def obeyed(self, address: str = "") -> list[str]:
        """The kinds of what a meter obeyed, as it says."""
        meter = self.meters[address or next(iter(self.meters))]
        return [control.kind for control in meter.works.memory.controls]
