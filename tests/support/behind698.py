"""A head-end's line to a simulated concentrator of DL/T 698.45, and the drivers that read through it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line as BusLine
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Driver, StoredAnswer, Wanted
from meterlink.drivers.behind698.concentrator import Concentrator698
from meterlink.drivers.behind698.ways import Behind
from meterlink.drivers.choose import driver_for
from meterlink.drivers.dlt698.terminal import TerminalSession
from meterlink.drivers.passwords import no_password
from meterlink.drivers.reports import Report
from meterlink.model.data_classes import DAILY_FREEZE, DataClass
from meterlink.trace import TraceRing
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import generic
from metersim import Line, Station
from metersim.dlt698.terminal import Terminal
from metersim.terminals.delivered import CURVE_TASK
from metersim.terminals.plan import CARRIER, ConcentratorPlan
from metersim.terminals.port import Route
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import encode
from tests.support.concentrator import ADDRESS, CARRIER_645, CARRIER_698, WIRED_645, WIRED_698, World
from tests.support.simulated import Duplex, SimulatedGateway
from tests.support.strikes import is_control

T = TypeVar("T")
TIMING = Timing(reply_timeout_s=30.0, octet_gap_s=0.5, answer_max_s=3.0)
FREEZES = ("forward_active_energy", "reverse_active_energy")


class HeadEnd:
    """A concentrator's line in the hands of the program; a story asks through it.

    Args:
        world: the concentrator and its meters.
        ways: as of ``Behind``.
        port: to which frames are forwarded.
        more: other keys of ``Behind``.

    Attributes:
        requests: APDUs that the concentrator was sent, in their order.
        between: what stands between the line and the concentrator, where somebody meddles.

    """

    def __init__(
        self, world: World, *, ways: Sequence[Any] | None = None, port: Oad = CARRIER, **more: Any
    ) -> None:
        self.world = world
        self.sim = world.sim
        self.requests: list[Apdu] = []
        self.reports: list[Report] = []
        self.opened = 0
        self.between: Callable[[Duplex], Any] = lambda duplex: duplex
        behind = Behind(terminal=ADDRESS, port=str(port), **more)
        self.behind = behind if ways is None else replace(behind, ways=tuple(ways))
        self.terminal: Terminal = world.concentrator.terminal
        self.line: BusLine
        self.concentrator: Concentrator698
        self._heard = Deframer()

    def run(self, story: Callable[[], Awaitable[T]]) -> T:
        """Let the line be opened and the concentrator work, and tell a story; its result."""
        return self.sim.run(self._told(story))

    def driver(self, address: str) -> Driver:
        """Of a meter."""
        protocol = "dlt645-2007" if address in {WIRED_645, CARRIER_645} else "dlt698.45"
        profile = generic(protocol)
        own = driver_for(profile, self.sim.clock, random_octets=self.sim.random.randbytes)
        return self.concentrator.around(own, profile)

    async def night(
        self,
        address: str,
        *slots: datetime,
        items: Sequence[str] = FREEZES,
        data_class: DataClass = DAILY_FREEZE,
        priority: Priority = Priority.BILLING,
        every_s: int = 0,
    ) -> StoredAnswer:
        """What a driver brings of a meter's memory."""
        return await self.driver(address).read_stored(
            self.line, address, Wanted(data_class, items, slots, every_s), priority=priority
        )

    async def now(self, address: str, item: str = "forward_active_energy") -> Any:
        """What a driver reads now."""
        return await self.driver(address).read(self.line, address, item, priority=Priority.ON_DEMAND)

    def midnight(self, days: int = 0) -> datetime:
        """The beginning of today, or so many days later, as the plant counts."""
        today = self.sim.clock.utc_now().astimezone(PLANT_TIME).replace(hour=0, minute=0, second=0)
        return today.replace(microsecond=0) + timedelta(days=days)

    def true(self, address: str, item: str, at: datetime) -> Any:
        """What the meter had."""
        return self.world.meters[address].value(item, at)

    def asked(self) -> list[str]:
        """The kinds of requests that were sent."""
        return [type(one).__name__ for one in self.requests]

    async def _told(self, story: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._make()
            tasks = [
                group.create_task(self.world.concentrator.run(), name="concentrator"),
                group.create_task(self.line.run(), name="line"),
            ]
            await asyncio.sleep(1)
            result = await story()
            for task in tasks:
                task.cancel()
        return result

    def _make(self) -> None:
        clock, random = self.sim.clock, self.sim.random
        self.trace = TraceRing(clock)
        self.line = BusLine(
            "terminal",
            opener=self._open,
            timing=TIMING,
            rng=random,
            ear=self._ear,
            ear_parses=True,
            trace=self.trace,
        )
        self.concentrator = Concentrator698(
            self.behind,
            [WIRED_698, WIRED_645, CARRIER_645, CARRIER_698],
            clock=clock,
            random_octets=random.randbytes,
            profile=None,
            preamble=0,
            zone=PLANT_TIME,
            password_of=no_password,
            report=self.reports.append,
        )

    def _ear(self) -> TerminalSession:
        return TerminalSession(
            {ADDRESS},
            clock=self.sim.clock,
            zone=PLANT_TIME,
            clock_trusted=True,
            report=self.reports.append,
            dialled=ADDRESS,
        )

    async def _open(self) -> ByteStream:
        ours, theirs = memory_line()
        self.opened += 1
        duplex = self.between(Duplex(theirs, self._listen))
        self._group.create_task(self._serve(duplex, theirs))
        return ours

    async def _serve(self, duplex: Duplex, theirs: ByteStream) -> None:
        try:
            await self.terminal.serve(duplex)
        finally:
            await theirs.aclose()

    def _listen(self, octets: bytes) -> None:
        for frame in self._heard.feed(octets):
            if frame.started_by_client and not frame.segmented:
                self.requests.append(decode_apdu(frame.user_data))


class KeepingCarrier:
    """A carrier that may lose a control frame, or keep it and let it out later.

    Args:
        line: the meters behind it.
        now: true time.

    Attributes:
        controls: control frames that were handed to it: when, and their octets.
        keeps_s: for how long it keeps each of the next ones; ``None``: for ever.

    """

    def __init__(self, line: Line, now: Callable[[], datetime]) -> None:
        self.controls: list[tuple[datetime, bytes]] = []
        self.keeps_s: list[float | None] = []
        self._line = line
        self._now = now

    async def serve(self, duplex: Any) -> None:
        """See ``Served.serve``."""
        arriving: asyncio.Queue[bytes] = asyncio.Queue(64)
        async with asyncio.TaskGroup() as group:
            pump = group.create_task(self._pump(duplex, arriving))
            await self._line.serve(_Arriving(arriving, duplex))
            pump.cancel()

    async def _pump(self, duplex: Any, arriving: asyncio.Queue[bytes]) -> None:
        loop = asyncio.get_running_loop()
        while octets := await duplex.receive():
            keeps_s: float | None = 0.0
            if is_control(octets):
                self.controls.append((self._now(), octets))
                keeps_s = self.keeps_s.pop(0) if self.keeps_s else 0.0
            if keeps_s is not None:
                loop.call_later(keeps_s, arriving.put_nowait, octets)
        arriving.put_nowait(b"")


class _Arriving:
    """What the meters hear, and their way back."""

    def __init__(self, arriving: asyncio.Queue[bytes], duplex: Any) -> None:
        self.receive = arriving.get
        self.send = duplex.send


class BehindGateway:
    """The concentrator before a ``SimulatedGateway``, which dials it; its meters stand behind its carrier.

    Args:
        gateway: with the meters as its stations, and ``lines`` as of `lines_to`.
        plan: what of the concentrator is different.

    """

    def __init__(self, gateway: SimulatedGateway, stations: Sequence[Station], **plan: Any) -> None:
        self.gateway = gateway
        curve = plan.pop("curve", False)
        self.line = Line(
            stations, clock=gateway.sim.clock, record=gateway.answers.append, rules=gateway.strikes.rules
        )
        figures: dict[str, Any] = {"address": ADDRESS, "carrier": Route(), **plan}
        plan_ = ConcentratorPlan(**figures)
        self.carrier = KeepingCarrier(self.line, gateway.sim.clock.utc_now)
        self.concentrator = plan_.build(
            {CARRIER: self.line}, clock=gateway.sim.clock, served={CARRIER: self.carrier}
        )
        if not curve:
            del self.concentrator.collector.tasks[CURVE_TASK.number]
        gateway.serve = self._serve

    def run(self, *, seconds: float, story: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run daemon and concentrator for so long, and a story beside them."""

        async def meanwhile() -> None:
            async with asyncio.TaskGroup() as group:
                working = group.create_task(self.concentrator.run(), name="concentrator")
                began = self.gateway.sim.clock.monotonic_s()
                if story is not None:
                    await story()
                await asyncio.sleep(max(0.0, seconds - (self.gateway.sim.clock.monotonic_s() - began)))
                working.cancel()

        self.gateway.run(seconds=seconds, meanwhile=meanwhile)

    async def _serve(self, duplex: Duplex) -> None:
        await self.concentrator.terminal.serve(duplex)
        await duplex.aclose()


def lines_to(**terminal: Any) -> dict[str, Any]:
    """The line to the concentrator, as the configuration names it."""
    return {
        "lines": [
            {
                "name": "line1",
                "url": f"tcp://127.0.0.1:1?terminal={ADDRESS}",
                **({"terminal": terminal} if terminal else {}),
            }
        ]
    }


class Meddler:
    """Stands between the line and the concentrator, and changes, delays or doubles what that answers.

    Args:
        duplex: the concentrator's end.
        on: an APDU of an answer -> what is sent in its place: (seconds later, APDU), one or more.

    """

    def __init__(self, duplex: Duplex, on: Callable[[Any], Sequence[tuple[float, Any]]]) -> None:
        self.receive = duplex.receive
        self._duplex = duplex
        self._on = on
        self._late: set[asyncio.Task[None]] = set()

    async def send(self, octets: bytes) -> None:
        for frame in Deframer().feed(octets):
            if not frame.started_by_client or frame.segmented:
                await self._duplex.send(encode(frame))
                continue
            for delay_s, apdu in self._on(decode_apdu(frame.user_data)):
                told = encode(frame._replace(user_data=encode_apdu(apdu)))
                if not delay_s:
                    await self._duplex.send(told)
                    continue
                task = asyncio.get_running_loop().create_task(self._later(delay_s, told))
                self._late.add(task)
                task.add_done_callback(self._late.discard)

    async def aclose(self) -> None:
        await self._duplex.aclose()

    async def _later(self, delay_s: float, octets: bytes) -> None:
        await asyncio.sleep(delay_s)
        with suppress(ConnectionResetError):
            await self._duplex.send(octets)
