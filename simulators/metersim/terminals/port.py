"""A concentrator's port to its meters: the master's end of a line, one exchange at a time.

An RS-485 port is a pair of wires. A carrier (or radio) reaches each meter over a route that takes its time
and may lose a request, or the answer to it; a frame that names no single meter has no route, and goes
nowhere. What a master asks for goes before what the concentrator collects for itself.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from metersim.line.memory import memory_pair
from metersim.serving.served import Served
from meterwire import dlt645
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.deframer import Deframer

URGENT, USUAL = 0, 1
"""Whose turn it is: reads that a master waits for before those of the concentrator's own tasks."""

ANSWER_TIMEOUT_S: Final = 3.0
CARRIER_TIMEOUT_S: Final = 30.0
OCTET_GAP_S: Final = 0.5
"""Silence that ends a frame."""
WAITING_MAX: Final = 64
"""Exchanges that may wait for one port; one more is refused."""
ANSWER_OCTETS_MAX: Final = 65_536
"""Most octets of one answer that are kept."""
LATENCY_S_MAX: Final = 120.0

RS485_OI: Final = 0xF201


class PortBusy(Exception):
    """Too many exchanges wait for this port already."""


class Session(Protocol):
    """A requester's side of an exchange, without I/O: of `meterwire.dlt645` or `meterwire.dlt698`."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent or taken."""

    def octets_to_send(self) -> bytes:
        """The octets whose turn it is, once."""

    def feed(self, octets: bytes) -> None:
        """Take octets from the line."""

    def expire(self) -> None:
        """The deadline passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How long the way to a meter takes, and how often it fails.

    Args:
        shortest_s: an exchange takes no less, 0 s or more.
        longest_s: nor more, at most 120 s; the time is drawn evenly over its logarithm.
        loss: probability, 0 to 1, that a request is lost, and again that its answer is.

    Raises:
        ValueError: a figure out of its range.

    """

    shortest_s: float = 0.0
    longest_s: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.shortest_s <= self.longest_s <= LATENCY_S_MAX:
            raise ValueError(f"a way of {self.shortest_s} to {self.longest_s} s: 0 to {LATENCY_S_MAX:g} s")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"a loss of {self.loss}: 0 to 1")

    def latency_s(self, random: Random) -> float:
        """How long one exchange takes there and back."""
        if self.shortest_s == 0:
            return random.uniform(self.shortest_s, self.longest_s)
        return float(self.shortest_s * (self.longest_s / self.shortest_s) ** random.random())


WIRED: Final = Route()


class Turns:
    """Gives one turn at a time; the urgent before the usual, and equal ones in their order.

    Args:
        waiting_max: most that may wait.

    """

    def __init__(self, waiting_max: int = WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = 0
        self._taken = False

    @asynccontextmanager
    async def turn(self, priority: int) -> AsyncIterator[None]:
        """Wait for a turn, and hold it.

        Raises:
            PortBusy: too many wait.

        """
        await self._wait(priority)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, priority: int) -> None:
        if not self._taken:
            self._taken = True
            return
        if len(self._waiting) >= self._waiting_max:
            raise PortBusy(f"{self._waiting_max} exchanges wait already")
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number += 1
        ticket = priority, self._number, mine
        heapq.heappush(self._waiting, ticket)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # the turn came at the same moment
                self._pass_on()
            elif ticket in self._waiting:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, first = heapq.heappop(self._waiting)
            if not first.done():  # it was not cancelled at this very moment
                first.set_result(None)
                return
        self._taken = False


class MeterPort:
    """One port and the line on it; `run` has to run while it is used.

    Args:
        oad: which port, e.g. F2010201 or F2090201.
        line: the meters on it.
        route: the way to each of them.
        seed: of latency and loss.
        answer_timeout_s: how long a meter may take, where nobody says it; over 0 s.

    Attributes:
        sent: frames, or trains of octets, that left.
        received: exchanges that brought something.

    """

    def __init__(
        self,
        oad: Oad,
        line: Served,
        *,
        route: Route = WIRED,
        seed: int = 0,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self.oad = oad
        self.line = line
        self.answer_timeout_s = answer_timeout_s
        self.sent = 0
        self.received = 0
        self._route = route
        self._random = Random(f"{seed}/{oad}")  # noqa: S311  # repeatable is what it has to be
        self._turns = Turns()
        self._ours, self._theirs = memory_pair()
        self._heard = bytearray()
        self._news = asyncio.Event()

    @property
    def is_carrier(self) -> bool:
        """Whether frames go along routes, each to one meter."""
        return self.oad.oi != RS485_OI

    async def run(self) -> None:
        """Carry octets between the port and the meters, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.line.serve(self._theirs), name=f"port[{self.oad}].line")
                group.create_task(self._listen(), name=f"port[{self.oad}].ear")
        finally:  # the next run may be in another loop
            self._ours, self._theirs = memory_pair()
            self._news = asyncio.Event()

    async def exchange(self, session: Session, *, timeout_s: float = 0, priority: int = USUAL) -> None:
        """Carry out one exchange; when it brought no answer the session has expired.

        Args:
            session: what to ask.
            timeout_s: for the whole of it once it has its turn; 0: as the port has it.
            priority: ``URGENT`` or ``USUAL``.

        Raises:
            PortBusy: too many wait for the port.

        """
        async with self._turns.turn(priority):
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s or self.answer_timeout_s):
                    await self._converse(session)
            session.expire()

    async def forward(
        self,
        octets: bytes,
        *,
        timeout_s: float = 0,
        gap_s: float = OCTET_GAP_S,
        priority: int = URGENT,
    ) -> bytes:
        """Send octets as they are, once, and give what comes back; empty when nothing does.

        Args:
            octets: a frame, or not.
            timeout_s: until the answer begins; 0: as the port has it.
            gap_s: silence that ends the answer; 0: as usual.
            priority: ``URGENT`` or ``USUAL``.

        Raises:
            PortBusy: too many wait for the port.

        """
        async with self._turns.turn(priority):
            try:
                async with asyncio.timeout(timeout_s or self.answer_timeout_s):
                    latency_s, comes_back = await self._send(octets)
                    answer = await self._hear()
                    await asyncio.sleep(latency_s)
            except TimeoutError:
                return b""
            answer += await self._rest(gap_s or OCTET_GAP_S)
            self.received += comes_back
            return answer if comes_back else b""

    # --- how it is done ---

    async def _listen(self) -> None:
        while octets := await self._ours.receive():
            self._heard += octets[: ANSWER_OCTETS_MAX - len(self._heard)]
            self._news.set()

    async def _converse(self, session: Session) -> None:
        comes_back, latency_s = True, 0.0
        while not session.finished:
            if octets := session.octets_to_send():
                latency_s, comes_back = await self._send(octets)
                continue
            heard = await self._hear()
            if comes_back:
                await asyncio.sleep(latency_s)
                latency_s = 0.0
                self.received += 1
                session.feed(heard)

    async def _send(self, octets: bytes) -> tuple[float, bool]:
        """How long the answer will be on its way, and whether it will arrive."""
        self.sent += 1
        half_s = self._route.latency_s(self._random) / 2
        lost, answer_lost = (self._random.random() < self._route.loss for _ in range(2))
        await asyncio.sleep(half_s)
        self._heard.clear()
        self._news.clear()
        if not lost and (not self.is_carrier or _has_route(octets)):
            await self._ours.send(octets)
        return half_s, not answer_lost

    async def _hear(self) -> bytes:
        await self._news.wait()
        self._news.clear()
        octets = bytes(self._heard)
        self._heard.clear()
        return octets

    async def _rest(self, gap_s: float) -> bytes:
        """What follows without a gap."""
        rest = b""
        with suppress(TimeoutError):
            while len(rest) < ANSWER_OCTETS_MAX:
                async with asyncio.timeout(gap_s):
                    rest += await self._hear()
        return rest


def _has_route(octets: bytes) -> bool:
    """Whether octets hold a frame for one meter."""
    names645 = [frame.address for frame in dlt645.Deframer().feed(octets)]
    names698 = [frame.server for frame in Deframer().feed(octets)]
    if any("A" in name or name == dlt645.BROADCAST for name in names645):
        return False
    return all(name.expects_answer and not name.is_wildcard for name in names698)


def meter_port(oad: Oad, line: Served, *, carrier: Route, seed: int) -> MeterPort:
    """The port of a concentrator to some meters.

    Args:
        oad: what it is called: an RS-485 port is a pair of wires, any other a carrier.
        line: its meters.
        carrier: the way to a meter that is not wired.
        seed: of the latency of the carrier.

    """
    wired = oad.oi == RS485_OI
    return MeterPort(
        oad,
        line,
        route=WIRED if wired else carrier,
        seed=seed,
        answer_timeout_s=ANSWER_TIMEOUT_S if wired else CARRIER_TIMEOUT_S,
    )
