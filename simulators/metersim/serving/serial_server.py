"""What a serial server does to the octets of a line: packets, texts of its own, and who may be connected.

It stands between a line and its connections, whoever dialled (`metersim.serving.tcp`). Octets from the
line gather until the line has been quiet for the packing time, or a packet is full; so an answer comes in
several pieces, or several answers in one. A registration text comes first over each connection, a heartbeat
text in between, also in the middle of an answer.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Final

from metersim.line.line import Duplex
from metersim.line.port import Port
from metersim.line.wires import Tuned
from metersim.serving.served import Served
from metersim.serving.tcp import CLIENTS_MAX

PACK_MS_MAX: Final = 10_000
PACKET_OCTETS_MAX: Final = 65_536
TEXT_OCTETS_MAX: Final = 1024
"""Longest registration or heartbeat text."""
TIMER_S_MAX: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHabits:
    """How a serial server is set up.

    Args:
        seed: of its chance.
        pack_ms: quiet time on the line after which a packet leaves, 0 to 10,000 ms; 0: at once.
        packet_octets: a packet that has so many leaves at once, 0 to 65,536; 0: any size.
        registration: said first over each connection, 1,024 octets at most; empty: nothing.
        heartbeat: said each ``heartbeat_s``, 1,024 octets at most; empty: nothing.
        heartbeat_s: over 0, to 86,400 s.
        heartbeat_inside: probability, 0 to 1, that a packet has the heartbeat in its middle.
        idle_s: a connection over which nothing came for so long is ended, 0 to 86,400 s; 0: never.
        clients: connections at one time, 1 to 64.
        newest_wins: one connection more ends the oldest; else it is ended itself.

    Raises:
        ValueError: a figure out of its range.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of one in a file

    seed: int = 0
    pack_ms: int = 0
    packet_octets: int = 0
    registration: bytes = b""
    heartbeat: bytes = b""
    heartbeat_s: float = 60.0
    heartbeat_inside: float = 0.0
    idle_s: float = 0.0
    clients: int = CLIENTS_MAX
    newest_wins: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check("pack_ms", self.pack_ms, 0, PACK_MS_MAX)
        _check("packet_octets", self.packet_octets, 0, PACKET_OCTETS_MAX)
        _check("registration", len(self.registration), 0, TEXT_OCTETS_MAX)
        _check("heartbeat", len(self.heartbeat), 0, TEXT_OCTETS_MAX)
        _check("heartbeat_s", self.heartbeat_s, 0, TIMER_S_MAX)
        _check("heartbeat_inside", self.heartbeat_inside, 0, 1)
        _check("idle_s", self.idle_s, 0, TIMER_S_MAX)
        _check("clients", self.clients, 1, CLIENTS_MAX)
        if not self.heartbeat_s:
            raise ValueError("serial server heartbeat_s: 0 s would say nothing else any more")
        if self.heartbeat_inside and not self.heartbeat:
            raise ValueError("serial server heartbeat_inside: there is no heartbeat text to put there")


def _check(name: str, figure: float, low: int, high: int) -> None:
    if not low <= figure <= high:
        raise ValueError(f"serial server {name}: {figure} is outside {low}..{high}")


class SerialServer:
    """A serial server before a line; to be served as the line itself would be.

    Args:
        line: what it stands before.
        habits: how it is set up.

    """

    def __init__(self, line: Served, habits: ServerHabits) -> None:
        self._line = line
        self._habits = habits
        self._random = Random(f"{habits.seed}/server")  # noqa: S311  # repeatable is what it has to be
        self._links: list[_Link] = []

    @property
    def connections(self) -> int:
        """How many there are now; what is half open does not count."""
        return len(self._links)

    async def serve(self, duplex: Duplex) -> None:
        """Carry octets between a connection and the line, until either side has enough.

        Args:
            duplex: the connection; several may be served at once.

        """
        if len(self._links) >= self._habits.clients:
            if not self._habits.newest_wins:
                return
            self._links.pop(0).end()
        kind = _TunedLink if isinstance(duplex, Tuned) else _Link
        link = kind(duplex, self._habits, self._random)
        self._links.append(link)
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(link.pack(), name="server.pack"),
                    group.create_task(link.heartbeats(), name="server.heartbeat"),
                ]
                link.carrying = group.create_task(self._carry(link), name="server.line")
                await asyncio.wait({link.carrying})
                for helper in helpers:
                    helper.cancel()
        finally:
            link.close()
            self._forget(link)

    def half_open(self) -> int:
        """Let every connection die on this side only, as a mobile network does; how many there were.

        The other side is told nothing: its octets vanish, none come, and the server takes new connections
        as if the old ones had never been.
        """
        dead, self._links = self._links, []
        for link in dead:
            link.die()
        return len(dead)

    async def _carry(self, link: _Link) -> None:
        with suppress(ConnectionError):  # nobody is left to answer
            await link.register()
            await self._line.serve(link)
            await link.flush()

    def _forget(self, link: _Link) -> None:
        if link in self._links:
            self._links.remove(link)


class _Link:
    """One connection as the line sees it."""

    def __init__(self, duplex: Duplex, habits: ServerHabits, random: Random) -> None:
        self._duplex = duplex
        self._habits = habits
        self._random = random
        self._packing = bytearray()
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._dead = False
        self.carrying: asyncio.Task[None] | None = None
        """What ends when the connection shall."""

    async def register(self) -> None:
        """Say who this is."""
        if self._habits.registration:
            await self._duplex.send(self._habits.registration)

    async def receive(self) -> bytes:
        """Octets of the client; ``b""`` when it has ended, or has said nothing for too long."""
        while True:
            try:
                async with asyncio.timeout(None if self._dead else self._habits.idle_s or None):
                    octets = await self._duplex.receive()
            except TimeoutError:
                octets = b""
                if self._dead:
                    continue
            if not octets or not self._dead:
                return octets

    async def send(self, octets: bytes) -> None:
        """Take octets of the line; they leave when their packet does."""
        if self._dead:
            return
        if not self._habits.pack_ms and not self._habits.packet_octets:
            await self._send_packet(octets)
            return
        self._packing += octets
        if self._timer is not None:
            self._timer.cancel()
        await self._send_packets(whole=True)
        if self._packing:
            delay_s = self._habits.pack_ms / 1000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due.set)

    async def pack(self) -> None:
        """Let packets leave when the line has been quiet long enough."""
        with suppress(ConnectionError):  # the reader of the connection sees it too, and ends
            while True:
                await self._due.wait()
                self._due.clear()
                await self._send_packets(whole=False)

    async def heartbeats(self) -> None:
        """Say the heartbeat each time, also between the packets of one answer."""
        with suppress(ConnectionError):
            while self._habits.heartbeat:
                await asyncio.sleep(self._habits.heartbeat_s)
                if not self._dead:
                    await self._duplex.send(self._habits.heartbeat)

    async def flush(self) -> None:
        """Let everything leave."""
        await self._send_packets(whole=False)

    def end(self) -> None:
        """Send the client away."""
        if self.carrying is not None:
            self.carrying.cancel()

    def close(self) -> None:
        """Nothing is to come any more."""
        if self._timer is not None:
            self._timer.cancel()

    def die(self) -> None:
        """Carry nothing any more, and say nothing of it."""
        self._dead = True
        self._packing.clear()

    async def _send_packets(self, *, whole: bool) -> None:
        """Those that are full, or all."""
        size = self._habits.packet_octets or PACKET_OCTETS_MAX
        while len(self._packing) >= (size if whole else 1):
            packet = bytes(self._packing[:size])
            del self._packing[:size]
            await self._send_packet(packet)

    async def _send_packet(self, packet: bytes) -> None:
        if len(packet) > 1 and self._random.random() < self._habits.heartbeat_inside:
            middle = self._random.randint(1, len(packet) - 1)
            packet = packet[:middle] + self._habits.heartbeat + packet[middle:]
        await self._duplex.send(packet)


class _TunedLink(_Link):
    """One whose client shows how its port is set."""

    def port(self) -> Port | None:
        """The settings of the client."""
        return self._duplex.port() if isinstance(self._duplex, Tuned) else None
