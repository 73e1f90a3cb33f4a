"""A peer for bus tests: answers read requests as a script says, and notes when which request came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from meterlink.errors import LineClosed, LineLost
from meterlink.transports.stream import ByteStream
from meterwire.dlt645 import Deframer, Frame, encode

_WAITING_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What the peer does with one request.

    Args:
        delay_s: pause before the answer begins.
        pieces: the answer is sent in so many pieces.
        piece_gap_s: pause between two of them.
        answers: whether it answers at all.
        rubbish: octets before the answer.

    """

    delay_s: float = 0.0
    pieces: int = 1
    piece_gap_s: float = 0.0
    answers: bool = True
    rubbish: bytes = b""


@dataclass(slots=True)
class Asked:
    """One request as the peer saw it; ``answered_at`` when the last octet had gone."""

    address: str
    at: float
    answered_at: float | None = None


@dataclass(slots=True)
class Peer:
    """A line full of meters that answer with ``0.01 kWh`` times a growing number.

    Args:
        stream: the far end of the line.
        act: what to do with the n-th request.

    """

    stream: ByteStream
    act: Callable[[int], Act] = lambda _: Act()
    asked: list[Asked] = field(default_factory=list)

    async def run(self) -> None:
        """Serve until the line ends; requests are noted when they arrive, even before earlier answers."""
        waiting: asyncio.Queue[tuple[Asked, Frame, Act]] = asyncio.Queue(_WAITING_MAX)
        async with asyncio.TaskGroup() as group:
            server = group.create_task(self._serve(waiting))
            await self._listen(waiting)
            server.cancel()
        await self.stream.aclose()

    async def _listen(self, waiting: asyncio.Queue[tuple[Asked, Frame, Act]]) -> None:
        deframer, loop = Deframer(), asyncio.get_running_loop()
        with contextlib.suppress(LineClosed, LineLost):
            while True:
                for frame in deframer.feed(await self.stream.receive()):
                    request = Asked(frame.address, loop.time())
                    waiting.put_nowait((request, frame, self.act(len(self.asked))))
                    self.asked.append(request)

    async def _serve(self, waiting: asyncio.Queue[tuple[Asked, Frame, Act]]) -> None:
        number = 0
        with contextlib.suppress(LineClosed, LineLost):
            while True:
                request, frame, act = await waiting.get()
                await asyncio.sleep(act.delay_s)
                await self._answer(number, frame, act)
                if act.answers:
                    request.answered_at = asyncio.get_running_loop().time()
                number += 1

    async def _answer(self, number: int, frame: Frame, act: Act) -> None:
        if act.rubbish:
            await self.stream.send(act.rubbish)
        if not act.answers:
            return
        data = frame.data[:4] + bytes.fromhex(f"{number:08d}")[::-1]
        octets = encode(Frame(address=frame.address, function=0x11, data=data, from_meter=True))
        size = -(-len(octets) // act.pieces)
        for start in range(0, len(octets), size):
            if start:
                await asyncio.sleep(act.piece_gap_s)
            await self.stream.send(octets[start : start + size])
