"""A line of simulated meters of DL/T 645 that a control driver switches, in simulated time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.control import Command, ControlAnswer
from meterlink.drivers.dlt645.control import Dlt645ControlDriver, Prepared645
from meterlink.drivers.proving import Plain, Security
from meterlink.errors import LineLost
from meterlink.model.order import OrderKind
from meterlink.trace import TraceRing
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import Profile, generic
from meterprofiles.schema import ControlTraits
from metersim import Line as SimulatedLine
from metersim import Meter, Simulation, Station
from metersim.dlt698 import Meter698
from metersim.dlt698.modes import Modes
from metersim.line.fault_rules import FaultRule, FaultRules
from metersim.works.controlled import Wallet
from metersim.works.cost_control import LOCAL, REMOTE, CostControl
from metersim.works.load import Load
from metersim.works.memory import Control
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.support.lab_provider import LabSecurity
from tests.support.simulated import Duplex

ADDRESS, NUMBER, CUSTOMER = "000000000161", "000000990161", "000012345678"
OPERATOR = "87654321"
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)  # 11:00 of the meter's zone
REPLY_TIMEOUT_S = 1.0
TIMING = Timing(reply_timeout_s=REPLY_TIMEOUT_S, octet_gap_s=0.5, answer_max_s=2.0)
PASSWORD = "020637"
ASKS_WORDS = replace(generic("dlt645-2007"), control=ControlTraits(asks_words=True))
"""The profile of newer meters, which tell a cause in two octets when they are asked to."""

T = TypeVar("T")


def a_meter(
    control: CostControl = REMOTE,
    *,
    address: str = ADDRESS,
    number: str = NUMBER,
    preset_cents: int = 0,
    phases: Any = 1,
    profile: Profile | None = None,
    **more: Any,
) -> Meter:
    """A meter that can be ordered about, with the password of the bench at levels 2 and 4."""
    plate = Plate(address=address, meter_number=number, customer_number=CUSTOMER, phases=phases)
    wallet = Wallet(preset_cents=preset_cents, opened=True) if control.payment == "local" else None
    load = more.pop("load", Load(mean_kw=Decimal("0.5")))
    works = Works(
        plate, seed=1, load=load, since=START - timedelta(days=1), control=control, wallet=wallet, **more
    )
    return Meter(address, seed=1, works=works, profile=profile, passwords={2: PASSWORD, 4: PASSWORD})


def a_meter698(control: CostControl = REMOTE) -> Meter698:
    """A meter of DL/T 698.45 that takes every order under the password of the bench."""
    works = a_meter(control).works
    return Meter698(ADDRESS, seed=1, works=works, password=PASSWORD, modes=Modes(enforced=False))


def a_shop(preset_cents: int = 5_000, **more: Any) -> Meter:
    """A meter with a wallet, whose account is open, and that nothing is drawn from."""
    return a_meter(LOCAL, preset_cents=preset_cents, load=Load(mean_kw=Decimal(0)), **more)


class ControlBench:
    """A line, its meters, the lab's provider and a driver.

    Args:
        meters: on the line.
        profile: of the driver; by default that of generic meters of 2007.
        driver: what else the driver is given.

    Attributes:
        security: the lab's provider.
        rules: of the line; faults are added before the exchange that they shall strike.
        trace: what went over the line, as far as it may be shown.

    """

    def __init__(self, *meters: Meter, profile: Profile | None = None, **driver: Any) -> None:
        self.sim = Simulation(seed=1, start=START)
        self.meters = meters or (a_meter(),)
        self.rules = FaultRules(seed=1, start=START)
        self.plant = SimulatedLine(
            [Station(meter=meter) for meter in self.meters], clock=self.sim.clock, rules=self.rules
        )
        self.security = LabSecurity()
        self.trace = TraceRing(self.sim.clock)
        profile = profile or generic("dlt645-2007")
        self.driver = Dlt645ControlDriver(self.sim.clock, profile=profile, **driver)

    @property
    def meter(self) -> Meter:
        """The first one."""
        return self.meters[0]

    def obeyed(self, kind: str = "") -> list[str]:
        """What the first meter's own memory says that it obeyed."""
        self.meter.works.advance(self.sim.clock.utc_now())
        return [one.kind for one in self.controls() if not kind or one.kind == kind]

    def controls(self) -> Sequence[Control]:
        """The first meter's own memory."""
        return self.meter.works.memory.controls

    def run(self, body: Callable[[Line], Awaitable[T]]) -> T:
        """Do something with the line, while its owner is at work."""
        return self.sim.run(self._with_line(body))

    def fault(self, what: str, **more: Any) -> None:
        """The next exchange of the line meets a fault."""
        self.rules.add(FaultRule(what=what, nth=1, times=1, **more), at=self.sim.clock.utc_now())

    def command(self, kind: OrderKind, **more: Any) -> Command:
        """An order that is good for five minutes."""
        given: dict[str, Any] = {
            "expires_at": self.sim.clock.utc_now().replace(microsecond=0) + timedelta(minutes=5),
            "valid_for": timedelta(minutes=5),
            "operator_code": OPERATOR,
            "meter_number": self.meter.works.plate.meter_number,
            **more,
        }
        if kind is OrderKind.TOP_UP:
            given = {"amount_cents": 10_000, "purchase_count": 1, "customer_number": CUSTOMER, **given}
        return Command(kind=kind, **given)

    def plain(self, password: str = PASSWORD, level: int = 2) -> Plain:
        """A password in the frame."""
        return Plain(level=level, password=lambda: password)

    def order(
        self, kind: OrderKind, security: Security | None = None, *, fault: str = "", **more: Any
    ) -> ControlAnswer:
        """Prepare, send and finish one order on a held line.

        Args:
            kind: what is to be done.
            security: by default the lab's provider.
            fault: that the sending meets; its figures are in ``more``.
            more: of the fault, or of the command.

        """
        figures = {key: more.pop(key) for key in ("ms", "word", "octets") if key in more}

        async def body(line: Line) -> ControlAnswer:
            async with line.hold(priority=Priority.CONTROL) as held:
                prepared = await self.driver.prepare(
                    held, self.meter.address, self.command(kind, **more), security or self.security
                )
                if fault:
                    self.fault(fault, **figures)
                answer = await self.driver.send(held, prepared)
                await self.driver.finish(held, prepared)
                return answer

        return self.run(body)

    async def is_authenticated(self, line: Any) -> bool:
        """Whether the first meter says that somebody is."""
        standing = await self.driver.standing(line, self.meter.address)
        return bool(int(dict(standing.raw)["meter_status_word_3"][2:], 16) >> 5 & 1)

    async def prepared(self, line: Any, kind: OrderKind, security: Security | None = None) -> Prepared645:
        """An order that is ready."""
        return await self.driver.prepare(
            line, self.meter.address, self.command(kind), security or self.security
        )

    async def unplug(self) -> None:
        """Pull the adapter out."""
        self._plugged = False
        await self._far.aclose()

    async def _with_line(self, body: Callable[[Line], Awaitable[T]]) -> T:
        ours, self._far = memory_line()
        self._plugged = True

        async def opener() -> ByteStream:
            if not self._plugged:
                raise LineLost("no such device")
            return ours

        line = Line("line1", opener=opener, timing=TIMING, rng=random.Random(1), trace=self.trace)
        plant = asyncio.create_task(self.plant.serve(Duplex(self._far)), name="plant")
        owner = asyncio.create_task(line.run(), name="owner")
        try:
            return await body(line)
        finally:
            owner.cancel()
            await asyncio.wait([owner])
            await self._far.aclose()
            await plant
