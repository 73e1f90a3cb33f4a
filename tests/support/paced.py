"""Conversations with a simulated line in simulated time, with the moment at which each octet was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import NamedTuple

from metersim import AnswerRecord, Line, MemoryDuplex, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.line.medium import CLEAN, Medium
from metersim.line.port import Port
from meterwire import dlt645
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.address import ServerAddress
from tests.support.meter698 import found

A161, A162, A163 = "000000000161", "000000000162", "000000000163"
ENERGY, ENERGY_BLOCK, VOLTAGES = 0x00010000, 0x0001FF00, 0x0201FF00


def ask645(di: int = ENERGY, address: str = A161, preamble: int = 0) -> bytes:
    return dlt645.encode(dlt645.to_frame(dlt645.ReadRequest(address=address, di=di)), preamble=preamble)


def ask698(oad: str = "00100200", address: str = A161, preamble: int = 0) -> bytes:
    request = GetRequestNormal(piid=Piid.of(1), oad=Oad.of(oad))
    return b"\xfe" * preamble + found(request, ServerAddress(address)).octets


def meter645(address: str = A161) -> Meter:
    """One whose registers stand still, so that every answer to a question is the same."""
    return Meter(address, seed=1, growth_kw=Decimal(0))


def meter698(address: str = A161) -> Meter698:
    """The same of the other protocol."""
    return Meter698(address, seed=1, growth_kw=Decimal(0))


class Piece(NamedTuple):
    """Octets that arrived at once.

    Args:
        at_us: microseconds since the simulation began.
        octets: what arrived.

    """

    at_us: float
    octets: bytes


class Client:
    """Our end of a connection; notes what arrives and when."""

    def __init__(self, sim: Simulation, end: MemoryDuplex) -> None:
        self._sim = sim
        self._end = end
        self.pieces: list[Piece] = []

    @property
    def now_us(self) -> float:
        return self._sim.clock.monotonic_s() * 1e6

    @property
    def octets(self) -> bytes:
        return b"".join(piece.octets for piece in self.pieces)

    async def say(self, octets: bytes) -> None:
        await self._end.send(octets)

    async def listen(self, count: int | None = None, *, window_s: float = 10.0) -> bytes:
        """Until so many octets more have come, or the time is over."""
        heard = b""
        try:
            async with asyncio.timeout(window_s):
                while count is None or len(heard) < count:
                    octets = await self._end.receive()
                    if not octets:
                        break
                    self.pieces.append(Piece(self.now_us, octets))
                    heard += octets
        except TimeoutError:
            assert count is None, f"{len(heard)} of {count} octets came"
        return heard

    def hang_up(self) -> None:
        self._end.close()


class PacedLine:
    """A line in simulated time."""

    def __init__(
        self,
        *stations: Station,
        client: Port | None = None,
        medium: Medium = CLEAN,
        paced: bool = True,
    ) -> None:
        self.sim = Simulation(seed=1)
        self.answers: list[AnswerRecord] = []
        self.line = Line(
            stations,
            clock=self.sim.clock,
            record=self.answers.append,
            client=client,
            medium=medium,
            paced=paced,
        )

    def run(self, *talks: Callable[[Client], Awaitable[None]]) -> list[Client]:
        """Each talk over a connection of its own, at the same time."""

        async def one(talk: Callable[[Client], Awaitable[None]]) -> Client:
            plant_end, our_end = memory_pair()
            client = Client(self.sim, our_end)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.line.serve(plant_end), name="line")
                await talk(client)
                client.hang_up()
            return client

        async def main() -> list[Client]:
            return list(await asyncio.gather(*(one(talk) for talk in talks)))

        return self.sim.run(main())

    def say(self, *octets: bytes, window_s: float = 10.0) -> list[bytes]:
        """What comes back for each."""
        heard: list[bytes] = []

        async def talk(client: Client) -> None:
            for each in octets:
                await client.say(each)
                heard.append(await client.listen(window_s=window_s))

        self.run(talk)
        return heard
