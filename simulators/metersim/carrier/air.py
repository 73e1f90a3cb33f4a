"""What lies between a carrier module and a meter: a station at the meter, and its pair of wires to it.

Each meter has a station of its own, so that many are asked at the same time and none hears what another is
asked. A station sends a frame as it is, and gives what comes back until it is a whole frame, or until the
wires have been quiet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from metersim.line.memory import MemoryDuplex, memory_pair
from metersim.serving.served import Served
from meterwire import dlt645
from meterwire.dlt698.link.deframer import Deframer as Deframer698

STATION_WAIT_S: Final = 3.0
"""A meter that has not begun to answer after so long is silent."""
OCTET_GAP_S: Final = 0.5
"""Silence that ends what is no whole frame."""
ANSWER_OCTETS_MAX: Final = 4096
"""Most octets of one answer that a station keeps."""


class Air:
    """The stations at the meters.

    Args:
        lines: the meter of each address on its wires.

    Attributes:
        delivered: frames that reached a meter.

    """

    def __init__(self, lines: Mapping[str, Served]) -> None:
        self.delivered = 0
        self._lines = lines

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every meter that has a station."""
        return tuple(self._lines)

    async def ask(self, address: str, frame: bytes) -> bytes:
        """Give a meter a frame; what it answers, ``b""`` for silence.

        Args:
            address: of the station; the frame itself may name whom it likes.
            frame: one frame of the meter's protocol.

        """
        return await self._exchange(address, frame, _heard)

    async def tell(self, address: str, frame: bytes) -> None:
        """Give a meter a frame that nobody answers."""
        await self._exchange(address, frame, _unheard)

    async def _exchange(
        self, address: str, frame: bytes, hear: Callable[[MemoryDuplex], Awaitable[bytes]]
    ) -> bytes:
        line = self._lines.get(address)
        if line is None:  # the list of slaves may name what is not there
            return b""
        ours, theirs = memory_pair()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(line.serve(theirs), name=f"carrier.station[{address}]")
            await ours.send(frame)
            self.delivered += 1
            answer = await hear(ours)
            serving.cancel()  # an answer that comes later is nobody's
        return answer


async def _heard(wires: MemoryDuplex) -> bytes:
    """What comes back: a whole frame, or all until the wires have been quiet."""
    answer, whole645, whole698 = b"", dlt645.Deframer(), Deframer698()
    with suppress(TimeoutError):
        while len(answer) < ANSWER_OCTETS_MAX:
            async with asyncio.timeout(OCTET_GAP_S if answer else STATION_WAIT_S):
                octets = await wires.receive()
            answer += octets
            if not octets or whole645.feed(octets) or whole698.feed(octets):
                break
    return answer


async def _unheard(_wires: MemoryDuplex) -> bytes:
    await asyncio.sleep(OCTET_GAP_S)
    return b""
