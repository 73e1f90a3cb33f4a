"""A carrier module that does what a test says, on a line in memory: for what a good module never does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.config.carriers import CarrierSettings
from meterlink.drivers.carrier.owner import CarrierOwner
from meterlink.drivers.carrier.tunnel import lane_opener
from meterlink.drivers.reports import Report
from meterlink.errors import LineClosed, LineError, LineLost
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Simulation
from meterwire import dlt645
from meterwire.gdw1376.link.module_frame import Frame
from meterwire.gdw1376.messages.module import Message, answer, confirmation, denial
from meterwire.gdw1376.sessions.module_server import ModuleServer

MAIN = "000000000999"
READS = {(0xF1, 1), (0x13, 1), (0x02, 1)}
RUN_MODE: Mapping[str, Any] = {
    "comm_mode": 3,
    "route_mgmt": 1,
    "slave_mode": 1,
    "read_mode": 1,
    "delay_parameter": 0,
    "switch_mode": 0,
    "broadcast_confirm": 0,
    "broadcast_channel": 0,
    "channels": 1,
    "phases_without_mains": 0,
    "rates": 0,
    "reserved": b"\0\0",
    "monitor_timeout_s": 20,
    "broadcast_timeout_s": 10,
    "max_frame": 2048,
    "max_file_packet": 512,
    "upgrade_wait": 0,
    "main_node": MAIN,
    "max_nodes": 2040,
    "nodes": 0,
    "protocol_date": None,
    "registration_date": None,
    "vendor": "ZW",
    "chip": "01",
    "date": None,
    "version": "0102",
    "rate_words": [],
}

Said = Frame | None
Reading = Callable[["ScriptedModule", Message], Awaitable[Said]]


def energy(address: str) -> bytes:
    """A meter's answer to a read of its total energy."""
    data = (0x00010000).to_bytes(4, "little") + bytes.fromhex("78563412")
    return dlt645.encode(dlt645.Frame(address, 0x11, data, from_meter=True))


def asked_for_energy(address: str) -> bytes:
    """The read."""
    return dlt645.encode(dlt645.Frame(address, 0x11, (0x00010000).to_bytes(4, "little")))


def read_answer(asked: Message, payload: bytes) -> Frame:
    """What a module answers to a read."""
    afn = asked.frame.afn
    said: dict[str, Any] = {"protocol": asked.values["protocol"], "len": len(payload), "payload": payload}
    if afn == 0x13:
        said["uplink_s"] = 1
    return answer(asked.frame, afn, 1, said)


async def at_once(module: ScriptedModule, asked: Message) -> Said:
    """Every meter answers."""
    assert asked.frame.addresses is not None
    return read_answer(asked, energy(asked.frame.addresses.destination))


class ScriptedModule:
    """One module.

    Args:
        nodes: its table, in the order of its rows.
        reading: what it does with a read.
        mode: of 03-F10, where it differs from ``RUN_MODE``.
        has_f1: whether it reads concurrently.

    Attributes:
        requests: all that it was asked, AFN and Fn, and values.
        frames: meter's frames that it was given to carry.
        open_reads: reads that it has not answered.
        most_reads: most of these at one time.
        denies: denial by AFN and Fn.
        silent: it answers nothing.
        said_last: octets of its last answer.

    """

    def __init__(
        self,
        nodes: list[str] | None = None,
        *,
        reading: Reading = at_once,
        mode: Mapping[str, Any] | None = None,
        has_f1: bool = True,
    ) -> None:
        self.nodes = nodes if nodes is not None else []
        self.requests: list[tuple[int, int, dict[str, Any]]] = []
        self.frames: list[bytes] = []
        self.open_reads = self.most_reads = self.opened = 0
        self.denies: dict[tuple[int, int], int] = {}
        self.silent = False
        self.said_last = b""
        self.server = ModuleServer()
        self.has_f1 = has_f1
        self._reading = reading
        self._mode = {**RUN_MODE, **(mode or {})}
        self._stream: ByteStream | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def asked(self, afn: int, fn: int) -> int:
        """How often it was asked for something."""
        return sum((afn, fn) == one[:2] for one in self.requests)

    async def open(self) -> ByteStream:
        """Its port, opened anew."""
        self.opened += 1
        ours, theirs = memory_line()
        self._stream = theirs
        self.server = ModuleServer()
        self._spawn(self._serve(theirs))
        return ours

    async def say(self, octets: bytes) -> None:
        """Send octets as they are."""
        assert self._stream is not None
        await self._stream.send(octets)

    async def report(self, afn: int, fn: int, values: Mapping[str, Any] | None = None) -> None:
        """Begin an exchange."""
        self.server.report(afn, fn, values)
        await self.say(self.server.octets_to_send())

    async def begin_anew(self) -> None:
        """Be reset, and say so."""
        self.server = ModuleServer()
        self.open_reads = 0
        await self.report(0x03, 10, self._mode)

    async def give(self, frame: Frame) -> None:
        """Answer."""
        self.server.answer(frame)
        self.said_last = self.server.octets_to_send()
        await self.say(self.said_last)

    def cut(self) -> None:
        """End the connection."""
        assert self._stream is not None
        self._spawn(self._stream.aclose())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: ByteStream) -> None:
        try:
            while True:
                octets = await stream.receive()
                self.server.feed(octets)  # of now: it may have begun anew meanwhile
                for asked in self.server.requests():
                    self._take(asked)
        except (LineLost, LineClosed):
            await stream.aclose()

    def _take(self, asked: Message) -> None:
        key = asked.frame.afn, asked.frame.fn
        self.requests.append((*key, asked.values))
        if self.silent:
            return
        if key in READS:
            self.frames.append(asked.values["payload"])
            self._spawn(self._read(asked, self.server))
        else:
            self._spawn(self.give(self._command(asked)))

    async def _read(self, asked: Message, server: ModuleServer) -> None:
        self.open_reads += 1
        self.most_reads = max(self.most_reads, self.open_reads)
        said = await self._reading(self, asked)
        self.open_reads -= 1
        if said is not None and server is self.server:
            await self.give(said)

    def _command(self, asked: Message) -> Frame:
        frame, values, key = asked.frame, asked.values, (asked.frame.afn, asked.frame.fn)
        if key in self.denies:
            return denial(frame, self.denies[key])
        told: Mapping[str, Any] | None = None
        if key == (0x03, 10):
            told = self._mode
        elif key == (0x03, 4):
            told = {"main_node": self._mode["main_node"]}
        elif key == (0x03, 11):
            told = {"asked_afn": "F1", "functions": bytes([self.has_f1]) + bytes(31)}
        elif key == (0x10, 1):
            told = {"nodes": len(self.nodes), "max_nodes": 2040}
        elif key == (0x10, 2):
            told = self._page(values["start"], values["count"])
        if told is not None:
            return answer(frame, *key, told)
        if key == (0x11, 1):
            if any(one["addr"] in self.nodes for one in values["nodes"]):
                return denial(frame, 6)
            self.nodes += [one["addr"] for one in values["nodes"]]
        elif key == (0x11, 2):
            self.nodes[:] = [one for one in self.nodes if one not in values["nodes"]]
        elif key == (0x05, 1):
            self._mode["main_node"] = values["main_node"]
        return confirmation(frame)

    def _page(self, start: int, count: int) -> Mapping[str, Any]:
        rows = [
            {"addr": one, "relay_level": 1, "quality": 9, "phase": 1, "protocol": 2}
            for one in self.nodes[start - 1 : start - 1 + count]
        ]
        return {"total": len(self.nodes), "count": len(rows), "nodes": rows}


class Bench:
    """An owner and its lanes over a scripted module, in simulated time.

    Args:
        module: what stands at the port.
        meters: addresses of the roster, all of DL/T 645-2007.
        settings: of the module.

    Attributes:
        reports: what went to the journal; nothing is acknowledged by itself.

    """

    def __init__(
        self,
        module: ScriptedModule,
        meters: list[str],
        settings: Mapping[str, Any] | None = None,
        *,
        seed: int = 1,
    ) -> None:
        self.sim = Simulation(seed=seed)
        self.module = module
        self.reports: list[Report] = []
        self._meters = meters
        self._settings = CarrierSettings.model_validate(settings or {})

    def run(self, story: Callable[[Bench], Awaitable[None]]) -> None:
        """Tell a story with the owner at work."""

        async def told() -> None:
            async with self.working():
                await story(self)

        self.sim.run(told())

    def make_owner(self) -> None:
        """The owner, not yet at work."""
        self.owner = CarrierOwner(
            "plc1",
            self._settings,
            opener=self.module.open,
            meters=dict.fromkeys(self._meters, "dlt645-2007"),
            clock=self.sim.clock,
            rng=random.Random(1),
            zone=CHINA_TIME,
            character_s=0.0,
            report=self.reports.append,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The owner at work."""
        self.make_owner()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(self.owner.run())
            try:
                yield
            finally:
                working.cancel()

    @asynccontextmanager
    async def lane(self, number: int = 0) -> AsyncIterator[Line]:
        """A line over a lane."""
        line = Line(
            "plc1",
            opener=lane_opener(self.owner, number),
            timing=Timing(reply_timeout_s=120.0),
            rng=random.Random(number),
        )
        async with asyncio.TaskGroup() as group:
            owning = group.create_task(line.run())
            try:
                yield line
            finally:
                owning.cancel()

    async def octets(self, address: str, lane: int = 0, request: bytes | None = None) -> bytes:
        """What comes back through a fresh lane for one request."""
        stream = await lane_opener(self.owner, lane)()
        try:
            await stream.send(asked_for_energy(address) if request is None else request)
            return await stream.receive()
        finally:
            await stream.aclose()


METERS = [f"{number:012d}" for number in range(1, 41)]
ONE = METERS[0]
TRIP = dlt645.encode(dlt645.Frame(ONE, 0x1C, bytes([2, 0x11, 0x22, 0x33]) + bytes(12)))


def bench_of(
    reading: Callable[[ScriptedModule, Message], Awaitable[Said]] = at_once,
    *,
    settings: Mapping[str, Any] | None = None,
    nodes: list[str] | None = None,
    meters: list[str] | None = None,
    **more: Any,
) -> Bench:
    """A bench whose module knows all meters, or those of `nodes`."""
    module = ScriptedModule(list(METERS) if nodes is None else nodes, reading=reading, **more)
    return Bench(module, METERS if meters is None else meters, settings)


def told(kind: str, bench: Bench) -> list[str]:
    """Addresses of the events of a kind that were reported."""
    return [part.address for report in bench.reports for part in report.parts if part.kind == kind]  # type: ignore[union-attr]


async def fate(waiting: Awaitable[bytes]) -> object:
    """What comes of waiting: octets, or the error of a line."""
    try:
        return await waiting
    except LineError as error:
        return error


async def several(bench: Bench, lane: int) -> None:
    """Read the meters of a lane one after the other."""
    for address in METERS[lane::20]:
        assert energy(address) == await bench.octets(address, lane)
