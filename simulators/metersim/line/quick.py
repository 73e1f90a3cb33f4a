"""A conversation on a line without airtime: an answer is there at once when its delay has passed."""

from __future__ import annotations

import asyncio
import functools
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple

from metersim.line.answers import AnswerRecord
from metersim.line.exchanges import Client
from metersim.line.faults import Delivery
from metersim.line.replies import Met, answers_to, meet, record_of, records_of, scene_of
from metersim.line.station import Asked, Ears
from metersim.line.wires import LATE_ANSWERS_MAX, Duplex, Prompt, Wires


class _Left(NamedTuple):
    """What could not be answered at once.

    Args:
        heard: octets that have been listened to, and come again.
        said: answers to what was before it.
        found: requests, from the one on that has to wait.

    """

    heard: int
    said: bytes
    found: list[Asked]


_new_record = functools.partial(tuple.__new__, AnswerRecord)
_NOTHING_LEFT: Final = _Left(0, b"", [])


class QuickConversation:
    """What goes over one connection of an unpaced line.

    Args:
        wires: the line.
        duplex: the connection.
        group: parent of what waits.

    """

    def __init__(self, wires: Wires, duplex: Duplex, group: asyncio.TaskGroup) -> None:
        self._wires = wires
        self._duplex = duplex
        self._port = wires.port_of(duplex)
        self._ears = Ears(wires.stations)
        self._late = _LateAnswers(group, duplex)
        self._client = Client()
        self._left: _Left | None = None

    async def run(self) -> None:
        """Answer until the other side ends it.

        Raises:
            ConnectionError: the other side has gone.

        """
        if self._wires.plain and isinstance(self._duplex, Prompt):
            self._duplex.answer_with(self._answer_at_once)
        try:
            while octets := await self._duplex.receive():
                if self._wires.plain:
                    await self._answer_plainly(octets)
                else:
                    await self._hear(octets)
        finally:
            self._late.cancel()

    def _answer_at_once(self, octets: bytes) -> bytes | None:
        """All answers to what the client says, where none has to wait; ``None``: `run` goes on with it."""
        said = b""
        found = self._ears.hear(octets, None)
        for index, asked in enumerate(found):
            if (answer := self._prompt_answer(asked)) is None:
                self._left = _Left(len(octets), said, found[index:])
                return None
            said += answer
        return said

    async def _answer_plainly(self, octets: bytes) -> None:
        """Where nothing on the way changes an octet: the shortest way there is."""
        left, self._left = self._left or _NOTHING_LEFT, None
        if left.said:
            await self._duplex.send(left.said)
        found = left.found + self._ears.hear(octets[left.heard :], None)
        for asked in found:
            answer = self._prompt_answer(asked)
            if answer is None:
                await self._exchange(asked)
            elif answer:
                await self._duplex.send(answer)

    def _prompt_answer(self, asked: Asked) -> bytes | None:
        """What one meter says here and now, nothing included; ``None`` where that is not the whole story."""
        wires = self._wires
        station = wires.stations.named(asked)
        if station is None or station.reply_delay_ms or wires.turn.locked():
            return None
        meter = station.meter
        if not wires.mischance[meter.address].idle:
            return None
        at = wires.clock.utc_now()
        answer = meter.answer(asked.request, at)
        if answer is None:
            return b""
        self._client.last = answer
        octets = answer.wording.encode(station.preamble)
        if wires.record is not None:
            wires.record(_new_record((at, answer.address, answer.di, octets, answer.values, ())))
        return octets

    async def _hear(self, octets: bytes) -> None:
        client = self._port()
        echoes = self._wires.chance.echoes()
        while octets:
            count, found = self._ears.hear_first(octets, client)
            if echoes:
                await self._duplex.send(octets[:count])
            for asked in found:
                await self._exchange(asked)
            octets = octets[count:]

    async def _exchange(self, asked: Asked) -> None:
        wires = self._wires
        async with wires.turn:
            meters = meet(asked, self._client, wires.clock.utc_now(), wires.stations, wires.mischance)
            if not meters:
                return
            await asyncio.sleep(min(met.delay_ms for met in meters) / 1000)
            if (delivery := self._answered(asked, meters, wires.clock.utc_now())) is not None:
                await self._transmit(delivery)

    def _answered(self, asked: Asked, meters: list[Met], at: datetime) -> Delivery | None:
        """What goes back at ``at``, noted in the list of answers; ``None`` for nothing."""
        wires = self._wires
        spoken = answers_to(asked, meters, at, wires.mischance)
        if not spoken:
            return None
        alone = spoken[0].delivery if len(spoken) == 1 else Delivery(octets=b"")
        if wires.plain and len(spoken) == 1:
            if alone.octets and wires.record is not None:
                wires.record(record_of(spoken[0].answer, alone, alone.octets + alone.again, at))
            return alone
        heard, records = records_of(scene_of(spoken, self._port(), wires.chance), at)
        if wires.record is not None:
            for record in records:
                wires.record(record)
        return alone._replace(octets=heard)

    async def _transmit(self, delivery: Delivery) -> None:
        if delivery.late_ms:
            self._late.add(delivery)
        else:
            await _send(delivery, self._duplex)
        if delivery.again:
            again_ms = delivery.late_ms + delivery.again_ms
            self._late.add(Delivery(octets=delivery.again, late_ms=again_ms, gap_ms=delivery.gap_ms))


class _LateAnswers:
    """Answers that wait for their time while the line goes on."""

    def __init__(self, group: asyncio.TaskGroup, duplex: Duplex) -> None:
        self._group = group
        self._duplex = duplex
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, delivery: Delivery) -> None:
        """Send it when its time has come; not at all when too many wait already."""
        if len(self._tasks) < LATE_ANSWERS_MAX:
            task = self._group.create_task(self._wait_and_send(delivery), name="line.late_answer")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Nobody is left to send to."""
        for task in self._tasks:
            task.cancel()

    async def _wait_and_send(self, delivery: Delivery) -> None:
        await asyncio.sleep(delivery.late_ms / 1000)
        with suppress(ConnectionError):  # the reader of the line sees it too, and ends
            await _send(delivery, self._duplex)


async def _send(delivery: Delivery, duplex: Duplex) -> None:
    if delivery.gap_ms is None:
        if delivery.octets:
            await duplex.send(delivery.octets)
        return
    for octet in delivery.octets:
        await duplex.send(bytes((octet,)))
        await asyncio.sleep(delivery.gap_ms / 1000)
