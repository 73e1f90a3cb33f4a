"""Exchanges of a carrier module with meters, and how chance treats them.

A request is on its way, reaches the meter's station, and the answer is on its way back; either may be lost.
Where nothing comes back the module says so by itself, after its silence or its monitor timeout. A meter that
was reached has obeyed, whatever becomes of its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from metersim.carrier.air import Air
from metersim.carrier.nodes import Node
from metersim.carrier.rubbish import dressed
from metersim.carrier.standing import Standing
from meterwire.dlt645.link import frame as frame645
from meterwire.dlt698.link.deframer import Deframer as Deframer698


class Reader:
    """Carries frames to meters and brings answers.

    Args:
        standing: how the module stands.
        air: the stations at the meters.
        random: of chance.
        mishap: is called when the module is to fail, behind the exchange that it was told of.

    Attributes:
        exchanges: with meters, so far.

    """

    def __init__(self, standing: Standing, air: Air, random: Random, mishap: Callable[[], None]) -> None:
        self.exchanges = 0
        self._standing = standing
        self._air = air
        self._random = random
        self._mishap = mishap

    async def exchange(self, node: Node, frames: Sequence[bytes]) -> bytes:
        """Put frames to a meter one after the other; all answers, ``b""``: there was none in time.

        Args:
            node: whose station is asked.
            frames: of the meter's protocol.

        """
        ways, random = self._standing.ways, self._random
        latency_s = ways.route.latency_s(random)
        lost, answer_lost = (random.random() < ways.loss for _ in range(2))
        silence_s = ways.silence_s(random)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        answers = b""
        self.exchanges += 1
        fails = ways.reset_every and self.exchanges % ways.reset_every == 0
        if node.joined and not lost:
            await asyncio.sleep(latency_s / 2)
            answers = await self._ask(node, frames)
            if fails:
                self._mishap()
            await asyncio.sleep(latency_s / 2)
        spent_s = loop.time() - began_s
        limit_s = float(self._standing.monitor_s)
        if answers and not answer_lost and spent_s <= limit_s:
            return answers
        await asyncio.sleep(max(0.0, min(silence_s, limit_s) - spent_s))
        return b""

    async def broadcast(self, frame: bytes) -> None:
        """Put a frame to every meter in the network that chance lets hear it."""
        ways, random = self._standing.ways, self._random
        await asyncio.sleep(ways.broadcast_s)
        async with asyncio.TaskGroup() as group:
            for node in self._standing.nodes.all:
                if node.joined and random.random() >= ways.loss:
                    told = self._air.tell(node.address, frame)
                    group.create_task(told, name=f"carrier.broadcast[{node.address}]")

    async def _ask(self, node: Node, frames: Sequence[bytes]) -> bytes:
        ways, random = self._standing.ways, self._random
        answers = b""
        for frame in frames:
            answer = await self._air.ask(node.address, frame)
            if answer:
                stray = random.getrandbits(8) if random.random() < ways.stray_octet else None
                answers += dressed(answer, preamble=ways.preamble, stray=stray)
        return answers


def meter_frames(payload: bytes) -> list[bytes]:
    """The frames of meters that stand in a payload, in their order; what is none of them is one as it is.

    Args:
        payload: frames of DL/T 645 or DL/T 698.45, with octets FEH between them or not.

    """
    found: list[bytes] = []
    spans698 = [one.octets for one in Deframer698().feed_found(payload)]
    at = 0
    while (start := payload.find(frame645.START, at)) >= 0:
        end = frame645.frame_end(payload, start)
        if spans698 and payload.startswith(spans698[0], start):
            end = start + len(spans698.pop(0))
        if end > start:
            found.append(payload[start:end])
        at = max(end, start + 1)
    return found or [payload]
