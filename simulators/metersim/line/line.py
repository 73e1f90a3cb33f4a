"""A half-duplex line with several meters on it: octets of requests in, octets of answers out.

One exchange at a time is on the wire: a meter that was asked answers after its response delay, and until
it has, the next request waits, as it would behind the answer on a real pair of wires. Several duplexes
(the connections of a serial server) may be served at once; they take turns, and an answer goes to the
one that asked. Only a *late* answer does not hold the line: it breaks in when its time has come.
When several meters hear one request (a wildcard), their answers collide: the wire carries a 0 where any
of them sends a 0. Meters of different protocols may share a line: each is deaf to the others' frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from metersim.line.answers import AnswerRecord, Recorder
from metersim.line.exchanges import Client, Question
from metersim.line.fault_rules import FaultRules
from metersim.line.faults import NO_FAULTS, Delivery, Fate, Faults, Mischance
from metersim.line.language import Answer, Language, Speaker

REPLY_DELAY_MS = 20  # Td of DL/T 645: 20 to 500 ms
REPLY_DELAY_MS_MAX = 60_000
PREAMBLE_MAX = 16
LATE_ANSWERS_MAX = 32  # waiting for their time, a duplex; more are never sent


class Clock(Protocol):
    """Where the line asks the time."""

    def utc_now(self) -> datetime:
        """Wall time, aware, UTC."""


class Duplex(Protocol):
    """The line's end of a connection: a socket, a pseudo-terminal, or memory."""

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` when the other side has ended."""

    async def send(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionError: the other side has gone.

        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A meter's place on a line.

    Args:
        meter: the meter.
        reply_delay_ms: from the end of the request to the begin of the answer (Td), 0 to 60,000 ms.
        preamble: FEH octets before an answer, 0 to 16.
        faults: what goes wrong with its answers.

    Raises:
        ValueError: a figure out of its range.

    """

    meter: Speaker
    reply_delay_ms: int = REPLY_DELAY_MS
    preamble: int = 0
    faults: Faults = NO_FAULTS

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.reply_delay_ms <= REPLY_DELAY_MS_MAX:
            raise ValueError(
                f"a reply delay of {self.reply_delay_ms} ms is outside 0..{REPLY_DELAY_MS_MAX} ms"
            )
        if not 0 <= self.preamble <= PREAMBLE_MAX:
            raise ValueError(f"a preamble of {self.preamble} is outside 0..{PREAMBLE_MAX}")


class Line:
    """Meters on one pair of wires.

    Args:
        stations: the meters, no two of one address.
        clock: asked for the moment of every answer.
        record: gets every answer just before it leaves.
        rules: faults that strike where they are told to, beside those of the stations.
        name: what rules call it.

    Raises:
        ValueError: two meters have one address.

    """

    def __init__(
        self,
        stations: Sequence[Station],
        *,
        clock: Clock,
        record: Recorder,
        rules: FaultRules | None = None,
        name: str = "",
    ) -> None:
        self._stations = tuple(stations)
        self._by_address = {station.meter.address: station for station in stations}
        if len(self._by_address) < len(self._stations):
            raise ValueError("two meters on one line have the same address")
        self._mischance = {
            address: Mischance(station.faults, address, rules=rules, line=name)
            for address, station in self._by_address.items()
        }
        self._languages = tuple(dict.fromkeys(station.meter.language for station in self._stations))
        self._clock = clock
        self._record = record
        self._wire = asyncio.Lock()

    @property
    def meters(self) -> dict[str, Speaker]:
        """The meters by address, in their order."""
        return {address: station.meter for address, station in self._by_address.items()}

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it.

        Rubbish costs nothing: it is skipped until a frame begins.

        Args:
            duplex: anything that carries octets; several may be served at once.

        """
        ears = [(language, language.ear()) for language in self._languages]
        async with asyncio.TaskGroup() as group:
            late, client = _LateAnswers(group, duplex), Client()
            try:
                while octets := await duplex.receive():
                    for language, ear in ears:
                        for request in ear.feed(octets):
                            await self._exchange(language, request, client, late)
            except ConnectionError:
                pass  # nobody is left to answer
            finally:
                late.cancel()

    async def _exchange(self, language: Language, request: Any, client: Client, late: _LateAnswers) -> None:
        async with self._wire:
            question = Question(language, request, self._clock.utc_now(), client)
            heard_by = [
                (station, fate)
                for station in self._hearing(language, request)
                if not (fate := self._mischance[station.meter.address].meet(question)).lost
            ]
            if not heard_by:
                return
            delay_ms = min(station.reply_delay_ms + fate.delay_ms for station, fate in heard_by)
            await asyncio.sleep(delay_ms / 1000)
            at = self._clock.utc_now()
            echo = language.echo(request)
            answers = [
                answered
                for station, fate in heard_by
                if (answered := self._answered(station, fate, at, echo)) is not None
            ]
            if len(answers) > 1:
                answers = _collided(answers)
            for answer, delivery in answers:
                if delivery.octets:
                    self._record(_record_of(answer, delivery, at))
            if answers:
                await late.transmit(answers[0][1])

    def _hearing(self, language: Language, request: Any) -> list[Station]:
        asked = language.asked(request)
        one = self._by_address.get(asked) if asked is not None else None
        stations = self._stations if asked is None else (one,) if one else ()
        return [
            station
            for station in stations
            if station.meter.language is language and station.meter.hears(request)
        ]

    def _answered(
        self, station: Station, fate: Fate, at: datetime, echo: bytes
    ) -> tuple[Answer, Delivery] | None:
        """What one meter says, and how it leaves; ``None`` when it is silent by itself."""
        answer = fate.piece or station.meter.answer(fate.question.request, at)
        if answer is None:
            fate.unanswered()
            return None
        mischance = self._mischance[station.meter.address]
        return answer, mischance.deliver(answer, echo=echo, preamble=station.preamble, fate=fate)


class _LateAnswers:
    """The way out to a client; what is late waits for its time while the line goes on."""

    def __init__(self, group: asyncio.TaskGroup, duplex: Duplex) -> None:
        self._group = group
        self._duplex = duplex
        self._tasks: set[asyncio.Task[None]] = set()

    async def transmit(self, delivery: Delivery) -> None:
        """Send it, now or when its time has come, and what comes again."""
        if delivery.late_ms:
            self._add(delivery)
        else:
            await _send(delivery, self._duplex)
        if delivery.again:
            again_ms = delivery.late_ms + delivery.again_ms
            self._add(Delivery(octets=delivery.again, late_ms=again_ms, gap_ms=delivery.gap_ms))

    def _add(self, delivery: Delivery) -> None:
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


def _collided(answers: list[tuple[Answer, Delivery]]) -> list[tuple[Answer, Delivery]]:
    """All answers as the wire carries them at once: a 0 of any sender wins over the 1 of the others."""
    length = max(len(delivery.octets) for _, delivery in answers)
    wire = bytearray(b"\xff" * length)
    for _, delivery in answers:
        for index, octet in enumerate(delivery.octets):
            wire[index] &= octet
    mixed = Delivery(octets=bytes(wire), faults=("collision",), spoiled=True)
    return [(answer, mixed) for answer, _ in answers]


def _record_of(answer: Answer, delivery: Delivery, at: datetime) -> AnswerRecord:
    return AnswerRecord(
        at=at,
        address=answer.address,
        di=answer.di,
        octets=delivery.octets + delivery.again,
        values=delivery.instead if delivery.spoiled else answer.values,
        faults=delivery.faults,
    )
