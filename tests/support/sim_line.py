"""A line of simulated meters in simulated time, and conversations with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from metersim import AnswerRecord, Line, MemoryDuplex, Simulation, Station, memory_pair
from metersim.line.fault_rules import FaultRule, FaultRules
from meterwire.dlt645 import ReadRequest, encode, to_frame
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.address import ServerAddress
from tests.support.meter698 import found

WINDOW_S = 0.6
"""How long ``say`` listens after each request: Td may be 500 ms."""


def ask645(address: str, di: int = 0x00010000, edition: Edition = "dlt645-2007") -> bytes:
    """A read of one identifier."""
    return encode(to_frame(ReadRequest(address=address, di=di), edition))


def ask698(address: str, oad: str = "00100201") -> bytes:
    """A read of one attribute."""
    return found(GetRequestNormal(piid=Piid.of(1), oad=Oad.of(oad)), ServerAddress(address)).octets


class SimLine:
    """A line with rules, and what its meters answered.

    Args:
        stations: the meters.
        rules: to begin with.
        seed: of the rules.
        name: of the line.
        paced: octets take their time.

    """

    def __init__(
        self,
        *stations: Station,
        rules: Sequence[FaultRule] = (),
        seed: int = 1,
        name: str = "",
        paced: bool = False,
    ) -> None:
        self.sim = Simulation(seed=seed)
        self.answers: list[AnswerRecord] = []
        self.rules = FaultRules(rules, seed=seed, start=self.sim.clock.utc_now())
        self.line = Line(
            stations,
            clock=self.sim.clock,
            record=self.answers.append,
            rules=self.rules,
            name=name,
            paced=paced,
        )

    def say(self, *octets: bytes, window_s: float = WINDOW_S) -> list[bytes]:
        """What one client hears after each of its requests."""
        return self.sim.run(self._converse(octets, window_s))

    async def _converse(self, octets: Sequence[bytes], window_s: float) -> list[bytes]:
        plant_end, our_end = memory_pair()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.line.serve(plant_end), name="line")
            heard = [await _exchange(our_end, each, window_s) for each in octets]
            our_end.close()
        return heard


async def _exchange(end: MemoryDuplex, octets: bytes, window_s: float) -> bytes:
    await end.send(octets)
    heard = b""
    try:
        async with asyncio.timeout(window_s):
            while True:
                heard += await end.receive()
    except TimeoutError:
        return heard
