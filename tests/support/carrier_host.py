"""A concentrator's side of a carrier module's line, for tests of the module: asks, listens, confirms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from metersim import Simulation
from metersim.carrier.module import CarrierModule
from metersim.carrier.ways import CarrierWays
from metersim.line.memory import MemoryDuplex
from metersim.plant.at import At
from metersim.plant.built import BuiltPlant
from metersim.plant.plant import Plant
from metersim.plant.rows import LineRow, MeterRow
from meterwire import dlt645
from meterwire.gdw1376.layouts.nodes import Values
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo
from meterwire.gdw1376.messages.module import Message, request
from meterwire.gdw1376.sessions.module_exchange import ModuleExchange
from meterwire.gdw1376.sessions.module_listener import ModuleListener

START = datetime(2026, 10, 1, 3, tzinfo=UTC)
ENERGY = 0x00010000
LINE = "line-1"


def read_frame(address: str, di: int = ENERGY) -> bytes:
    """A request of DL/T 645-2007 for one item."""
    return dlt645.encode(dlt645.Frame(address, 0x11, di.to_bytes(4, "little")))


def forwarded(frame: bytes, protocol: int = 2) -> Values:
    """The data of 13-F1 for a frame."""
    return {
        "protocol": protocol,
        "delay_related": 0,
        "sub_nodes": [],
        "len": len(frame),
        "payload": frame,
    }


def concurrent(frames: bytes, protocol: int = 2) -> Values:
    """The data of F1-F1 for frames."""
    return {"protocol": protocol, "reserved": 0, "len": len(frames), "payload": frames}


class Host:
    """Who is connected to a module.

    Args:
        duplex: the line.
        confirms: it confirms what the module reports.

    Attributes:
        calls: what the module began by itself, with the time.
        octets: everything that the module said.

    """

    def __init__(self, duplex: MemoryDuplex, *, confirms: bool = True) -> None:
        self.calls: list[tuple[float, Message]] = []
        self.octets = b""
        self.answer_call: Callable[[Message], Values | None] = lambda _: None
        self.confirms = confirms
        self._duplex = duplex
        self._listener = ModuleListener()
        self._open: set[tuple[ModuleExchange, asyncio.Event]] = set()
        self._number = 0

    async def run(self) -> None:
        """Hear what the module says, until cancelled."""
        while octets := await self._duplex.receive():
            self.octets += octets
            self._listener.feed(octets)
            for call in self._listener.calls():
                self.calls.append((asyncio.get_running_loop().time(), call))
                self._treat(call)
            heard = self._listener.octets_for_exchange()
            for exchange, done in self._open:
                exchange.feed(heard)
                if exchange.finished:
                    done.set()
            if due := self._listener.octets_to_send():
                await self._duplex.send(due)

    def _treat(self, call: Message) -> None:
        if call.frame.afn == 0x14:
            values = self.answer_call(call)
            if values is not None:
                self._listener.answer(call, values)
        elif self.confirms:
            self._listener.acknowledge(call)

    async def ask(
        self, afn: int, fn: int, values: Values | None = None, *, meter: str = "", wait_s: float = 300
    ) -> Message | None:
        """Ask the module; ``None``: no answer in time."""
        self._number += 1
        addresses = Addresses("000000000000", meter) if meter else None
        exchange = ModuleExchange(request(DownInfo(self._number % 256), afn, fn, values, addresses=addresses))
        mine = exchange, asyncio.Event()
        self._open.add(mine)
        await self._duplex.send(exchange.octets_to_send())
        try:
            async with asyncio.timeout(wait_s):
                await mine[1].wait()
        except TimeoutError:
            return None
        finally:
            self._open.discard(mine)
        return exchange.answer

    async def said(
        self, afn: int, fn: int, values: Values | None = None, *, meter: str = ""
    ) -> dict[str, Any]:
        """What the module answers with the same function."""
        answer = await self.ask(afn, fn, values, meter=meter)
        assert answer is not None
        assert (afn, fn) == (answer.frame.afn, answer.frame.fn), answer.values
        return answer.values

    async def denied(self, afn: int, fn: int, values: Values | None = None, *, meter: str = "") -> int:
        """The code with which the module denies."""
        answer = await self.ask(afn, fn, values, meter=meter)
        assert answer is not None
        assert answer.is_denial, answer.frame
        return int(answer.values["error"])

    async def confirmed(self, afn: int, fn: int, values: Values | None = None) -> None:
        """The module confirms."""
        answer = await self.ask(afn, fn, values)
        assert answer is not None
        assert answer.is_confirmation, answer.values

    def told(self, afn: int, fn: int) -> list[dict[str, Any]]:
        """What the module began with a function."""
        return [call.values for _, call in self.calls if (call.frame.afn, call.frame.fn) == (afn, fn)]


class Bench:
    """A plant of one line with a module before it, in simulated time.

    Args:
        ways: of the module.
        meters: behind it.
        seed: of the plant.

    """

    def __init__(self, ways: CarrierWays, *meters: MeterRow, seed: int = 1) -> None:
        row = LineRow(at=At(kind="listen"), carrier=ways, meters=meters or (MeterRow(count=4),))
        self.sim = Simulation(seed=seed, start=START)
        self.plant = BuiltPlant(Plant(seed=seed, lines=(row,)), clock=self.sim.clock)

    @property
    def module(self) -> CarrierModule:
        """The module."""
        found = self.plant.lines[LINE].carrier
        assert found is not None
        return found

    def run(self, story: Callable[[Host], Awaitable[None]], *, confirms: bool = True) -> Host:
        """Connect a host and let it do things; the host."""
        heard: list[Host] = []

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self.plant.run())
                async with self.hosted(confirms=confirms) as host:
                    heard.append(host)
                    await story(host)
                running.cancel()

        self.sim.run(main())
        return heard[0]

    @asynccontextmanager
    async def hosted(self, *, confirms: bool = True) -> AsyncIterator[Host]:
        """One more connection."""
        async with self.plant.connect() as duplex, asyncio.TaskGroup() as group:
            host = Host(duplex, confirms=confirms)
            listening = group.create_task(host.run())
            yield host
            listening.cancel()
