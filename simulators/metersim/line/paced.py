"""A conversation on a paced line: every octet is on the wire for its time, and what overlaps collides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from metersim.line.exchanges import Client
from metersim.line.port import DEFAULT_PORT, TICKS_A_MILLISECOND, TICKS_A_SECOND, Port
from metersim.line.replies import answers_to, meet, records_of, scene_of
from metersim.line.station import Asked, Ears
from metersim.line.uart import Heard, Transmission, received
from metersim.line.wires import LATE_ANSWERS_MAX, Duplex, Wires

TALKERS_MAX: Final = 8
"""Utterances of one connection that are under way or wait for their turn; more wait in the connection."""

ON_AIR_MAX: Final = 256
"""Transmissions remembered at once; with one more the oldest is forgotten."""
_NUDGE_S: Final = 2e-6
"""More than the resolution of any loop."""


def now_ticks() -> int:
    """The time of the running loop."""
    return round(asyncio.get_running_loop().time() * TICKS_A_SECOND)


async def until(tick: int) -> None:
    """Wait for a time of the running loop; the loop has a turn in any case.

    After weeks a float of seconds is no finer than a tick: then a timer may ring a tick too early.
    """
    await asyncio.sleep(max(0.0, tick / TICKS_A_SECOND - asyncio.get_running_loop().time()))
    if now_ticks() < tick:
        await asyncio.sleep(_NUDGE_S)


class Hearer:
    """The client's receiver at one connection.

    Args:
        duplex: where its octets go.

    """

    def __init__(self, duplex: Duplex) -> None:
        self.duplex = duplex
        self.heard_until = 0
        """Octets up to this tick have been handed on, or were not for it."""
        self.deaf_until = 0


class Air:
    """All that is on a pair of wires, by whomever.

    Attributes:
        free: tick from which the line is free again.

    """

    def __init__(self) -> None:
        self.free = 0
        self._on_air: list[Transmission] = []
        self._carried: list[Transmission] = []
        self._version = 0

    def put(self, transmission: Transmission) -> None:
        """Somebody talks; what ended before everything that is still listened to is forgotten."""
        needed_from = min([one.start for one in self._carried], default=transmission.start)
        kept = [one for one in self._on_air if one.end > needed_from]
        self._on_air = [*kept, transmission][-ON_AIR_MAX:]
        self._version += 1

    def disturbed(self, transmission: Transmission, start: int) -> bool:
        """Whether somebody else talked during a transmission, from the tick ``start`` on."""
        return any(one is not transmission and one.overlaps(start, transmission.end) for one in self._on_air)

    async def carry(
        self, own: Sequence[Transmission], hearer: Hearer, port: Port, *, echo: bool = False
    ) -> None:
        """Put transmissions on the wire and hand on what is heard while they last.

        Args:
            own: what is said.
            hearer: for whom.
            port: how its receiver is set.
            echo: it is what the hearer says itself, to which its own driver does not make it deaf.

        Raises:
            ConnectionError: the hearer has gone.

        """
        for transmission in own:
            self.put(transmission)
        self._carried += own
        try:
            await self._hand_on(own, hearer, port, echo)
        finally:
            self._carried = [one for one in self._carried if not any(one is each for each in own)]

    async def _hand_on(self, own: Sequence[Transmission], hearer: Hearer, port: Port, echo: bool) -> None:
        version, heard, position = -1, [], 0
        while True:
            if version != self._version:
                deaf_until = 0 if echo else hearer.deaf_until
                version, heard, position = self._version, self._heard(own, port, deaf_until), 0
            while position < len(heard) and heard[position].at <= hearer.heard_until:
                position += 1
            if position == len(heard):
                return
            now, first = now_ticks(), position
            while position < len(heard) and heard[position].at <= now:
                position += 1
            if position > first:
                hearer.heard_until = heard[position - 1].at
                await hearer.duplex.send(bytes(one.octet for one in heard[first:position]))
            else:
                await until(heard[position].at)

    def _heard(self, own: Sequence[Transmission], port: Port, deaf_until: int) -> list[Heard]:
        """All octets of what hangs together with ``own``, also those that were heard before."""
        together = list(own)
        others = [one for one in self._on_air if not any(one is each for each in own)]
        while others:
            found = [one for one in others if any(one.overlaps(each.start, each.end) for each in together)]
            if not found:
                break
            together += found
            others = [one for one in others if not any(one is each for each in found)]
        return received(together, port, deaf_until=deaf_until)


class PacedConversation:
    """What goes over one connection of a paced line.

    Args:
        wires: the line.
        air: what is on it.
        duplex: the connection.
        group: parent of what waits.

    """

    def __init__(self, wires: Wires, air: Air, duplex: Duplex, group: asyncio.TaskGroup) -> None:
        self._wires = wires
        self._air = air
        self._duplex = duplex
        self._group = group
        self._port = wires.port_of(duplex)
        self._ears = Ears(wires.stations)
        self._hearer = Hearer(duplex)
        self._client = Client()
        self._talking: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(TALKERS_MAX)

    async def run(self) -> None:
        """Answer until the other side ends it; what it has asked by then is still answered.

        Raises:
            ConnectionError: the other side has gone.

        """
        try:
            while octets := await self._duplex.receive():
                arrived = now_ticks()
                if self._wires.medium.talk_over:
                    await self._talk_beside(octets, arrived)
                else:
                    await self._talk_in_turn(octets, arrived)
            if self._talking:
                await asyncio.wait(self._talking)
        finally:
            for task in (*self._talking, *self._late):
                task.cancel()

    async def _talk_beside(self, octets: bytes, arrived: int) -> None:
        """Say it while the connection is listened to, so that more may be said meanwhile."""
        await self._places.acquire()
        at_once = self._wires.turn.locked() and self._wires.chance.talks_over()
        task = self._group.create_task(self._talk_unless_gone(octets, arrived, at_once), name="line.talk")
        self._talking.add(task)
        task.add_done_callback(self._talked)

    def _talked(self, task: asyncio.Task[None]) -> None:
        self._talking.discard(task)
        self._places.release()

    async def _talk_unless_gone(self, octets: bytes, arrived: int, at_once: bool) -> None:
        with suppress(ConnectionError):  # the reader of the connection sees it too, and ends
            await (self._talk(octets, arrived) if at_once else self._talk_in_turn(octets, arrived))

    async def _talk_in_turn(self, octets: bytes, arrived: int) -> None:
        async with self._wires.turn:
            await self._talk(octets, max(arrived, self._air.free))

    async def _talk(self, octets: bytes, start: int) -> None:
        """Put octets on the wire, as far as the next request; let that be answered; go on with the rest."""
        client = self._port()
        echoes = self._wires.chance.echoes()
        while octets:
            count, found = self._ears.hear_first(octets, client)
            port = client or self._port_asked(found)
            said = Transmission(start, octets[:count], port)
            await self._say(said, echoes)
            start = self._air.free = max(self._air.free, said.end)
            for asked in found:
                begin = said.end - len(asked.language.echo(asked.request)) * port.octet_ticks
                if not self._air.disturbed(said, begin):
                    await self._exchange(asked, said.end)
            start = max(start, self._air.free)
            octets = octets[count:]

    def _port_asked(self, found: Sequence[Asked]) -> Port:
        """The settings of whom a client asks that has none of its own."""
        stations = [station for asked in found for station in self._wires.stations.hearing(asked)]
        ports = [station.port for station in stations or self._wires.stations.by_address.values()]
        return next((port for port in ports if port is not None), DEFAULT_PORT)

    async def _say(self, said: Transmission, echoes: bool) -> None:
        if echoes:
            self._hearer.heard_until = max(self._hearer.heard_until, said.start)
            await self._air.carry([said], self._hearer, said.port, echo=True)
        else:
            self._hearer.deaf_until = max(self._hearer.deaf_until, said.end)
            self._air.put(said)
            await until(said.end)
        self._hearer.heard_until = max(self._hearer.heard_until, said.end)

    async def _exchange(self, asked: Asked, asked_at: int) -> None:
        wires = self._wires
        meters = meet(asked, self._client, wires.clock.utc_now(), wires.stations, wires.mischance)
        if not meters:
            return
        answered_at = asked_at + min(met.delay_ms for met in meters) * TICKS_A_MILLISECOND
        await until(answered_at)
        self._air.free = max(self._air.free, answered_at)
        at = wires.clock.utc_now()
        spoken = answers_to(asked, meters, at, wires.mischance)
        if not spoken:
            return
        port = self._port()
        scene = scene_of(spoken, port, wires.chance)
        if wires.record is not None:
            for record in records_of(scene, at)[1]:
                wires.record(record)
        self._hearer.deaf_until = max(self._hearer.deaf_until, asked_at + scene.deaf_until)
        prompt = []
        for transmission, (_, _, delivery) in scene.sent:
            shifted = replace(transmission, start=asked_at + transmission.start)
            if delivery.late_ms:
                self._add_late(shifted, scene.client)
            else:
                prompt.append(shifted)
            if delivery.again:
                again_at = shifted.end + delivery.again_ms * TICKS_A_MILLISECOND
                self._add_late(replace(shifted, start=again_at, octets=delivery.again), scene.client)
        if prompt:
            await self._air.carry(prompt, self._hearer, scene.client)
            self._air.free = max(self._air.free, *(one.end for one in prompt))

    def _add_late(self, transmission: Transmission, port: Port) -> None:
        if len(self._late) < LATE_ANSWERS_MAX:
            task = self._group.create_task(self._break_in(transmission, port), name="line.late_answer")
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _break_in(self, transmission: Transmission, port: Port) -> None:
        await until(transmission.start)
        with suppress(ConnectionError):
            await self._air.carry([transmission], self._hearer, port)
