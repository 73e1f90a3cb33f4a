"""A stream in the hands of its owner: plain, or with a listener at the ear.

A terminal that dialled in has the connection for itself, and its listener parses for both. On a line of ours
meters of several protocols may share two wires: there the exchange gets all octets as they come, the listener
hears them as well, and what it owes goes out only between exchanges, when the line is quiet.
All give an exchange the same three verbs, every wait has a deadline, and who sends without end is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from meterlink.bus.alarm import Alarm, Rung
from meterlink.bus.endurance import PIECE_OCTETS, Endurance
from meterlink.bus.listener import Listener, Visit
from meterlink.errors import LineLost
from meterlink.trace import Transcript
from meterlink.transports.stream import ByteStream

ANSWER_OCTETS_MAX: Final = 65_536
"""Octets that a line of meters may bring for one request; the longest answer has 4 kilooctets. Whoever brings
more brings no answer: the line is opened anew."""


class Wire(Protocol):
    """What an exchange does with a line."""

    async def clear(self) -> bytes:
        """Take what came late for an earlier request: it is nobody's answer."""

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``."""

    async def receive(self, deadline: float) -> bytes:
        """Octets of an answer, at least one.

        Args:
            deadline: loop time.

        Raises:
            TimeoutError: none came before it.
            LineLost, LineClosed: from the stream.

        """


class PlainWire:
    """A line whose meters speak only when asked.

    Args:
        stream: the line.
        alarm: of the task that owns it.

    """

    def __init__(self, stream: ByteStream, alarm: Alarm) -> None:
        self._stream = stream
        self._alarm = alarm
        self._heard = 0

    def send(self, octets: bytes) -> Coroutine[Any, Any, None]:
        """See ``Wire.send``."""
        self._heard = 0
        return self._stream.send(octets)

    async def clear(self) -> bytes:
        """See ``Wire.clear``."""
        return self._stream.receive_nowait()

    async def receive(self, deadline: float) -> bytes:
        """See ``Wire.receive``."""
        with self._alarm.until(deadline):
            octets = await self._stream.receive()
        self._heard += len(octets)
        if self._heard > ANSWER_OCTETS_MAX:
            raise _no_answer(self._heard)
        return octets


class ListeningWire:
    """A line whose terminal speaks when it likes: all octets go through its listener.

    Args:
        visit: the connection and its listener.
        alarm: of the task that owns it.
        transcript: is told what the listener takes and sends; the rest is the exchange's.

    """

    def __init__(self, visit: Visit, alarm: Alarm, transcript: Transcript | None = None) -> None:
        self._stream, self._listener = visit
        self._alarm = alarm
        self._transcript = transcript
        self._endurance = Endurance(alarm.now())
        self._answers = bytearray()
        self.send = self._stream.send
        self._listener.on_due(alarm.ring)

    async def clear(self) -> bytes:
        """See ``Wire.clear``; what the terminal began itself is heard all the same."""
        await self._take(self._stream.receive_nowait(), asked=False)
        return self._answered()

    async def receive(self, deadline: float) -> bytes:
        """See ``Wire.receive``: whole frames that answer a question; the others are answered meanwhile."""
        while not (octets := self._answered()):
            await self._hear(deadline)
        return octets

    async def listen(self, interrupted: Callable[[], bool]) -> None:
        """Hear the terminal between exchanges until somebody rings the alarm and ``interrupted()`` is true.

        Raises:
            LineLost: the connection broke, or is to end.

        """
        while not interrupted():
            await self._hear(None)
            self._tell(self._answered())  # nobody asked, or no longer

    def leave(self) -> None:
        """The owner is done with this connection: what is acknowledged from now on has nobody to go to."""
        self._listener.on_due(None)

    async def _hear(self, deadline: float | None) -> None:
        """Send what is due, then wait for one piece, or for somebody who rings."""
        await self._pay()
        try:
            with self._alarm.until(deadline):
                octets = await self._stream.receive()
        except Rung:
            return
        await self._take(octets, asked=deadline is not None)

    async def _take(self, octets: bytes, *, asked: bool) -> None:
        if not octets:
            return
        before = self._listener.frames
        self._listener.feed(octets)
        taken, answers = self._listener.octets_taken(), self._listener.octets_for_exchange()
        self._tell(taken)
        self._answers += answers
        await self._pay()
        ending = self._endurance.heard(
            len(octets),
            frames=self._listener.frames - before,
            answers=asked and bool(answers),
            now_s=self._alarm.now(),
            idle_limit_s=self._listener.idle_limit_s,
        )
        if ending:
            raise LineLost(ending)
        if len(octets) >= PIECE_OCTETS:
            await asyncio.sleep(0)

    def _answered(self) -> bytes:
        answers = bytes(self._answers) + self._listener.octets_for_exchange()
        self._answers.clear()
        return answers

    async def _pay(self) -> None:
        self._tell(self._listener.octets_taken())
        if octets := self._listener.octets_to_send():
            if self._transcript is not None:
                self._transcript.sent(octets)
            await self._stream.send(octets)
        if self._listener.ending:
            raise LineLost(self._listener.ending)

    def _tell(self, received: bytes) -> None:
        if received and self._transcript is not None:
            self._transcript.received(received)
            self._transcript.settle()


class SharedWire:
    """A line of ours on which a meter may speak unasked; one speaks at a time.

    Args:
        stream: the line.
        listener: hears everything.
        alarm: of the task that owns it.
        quiet_s: silence after which nobody is amid a frame.
        character_s: time of one octet on the wire; 0 where the rate is not known (TCP).
        transcript: is told what the listener takes and sends between exchanges.

    """

    def __init__(
        self,
        stream: ByteStream,
        listener: Listener,
        alarm: Alarm,
        *,
        quiet_s: float,
        character_s: float,
        transcript: Transcript | None = None,
    ) -> None:
        self._stream = stream
        self._listener = listener
        self._alarm = alarm
        self._quiet_s = quiet_s
        self._character_s = character_s
        self._transcript = transcript
        self._due = b""
        self._heard = 0
        self._quiet_at = alarm.now()
        listener.on_due(alarm.ring)

    async def send(self, octets: bytes) -> None:
        """See ``Wire.send``."""
        self._heard = 0
        await self._stream.send(octets)

    async def clear(self) -> bytes:
        """See ``Wire.clear``; the listener hears it all the same."""
        octets = self._stream.receive_nowait()
        self._hear(octets)
        return octets

    async def receive(self, deadline: float) -> bytes:
        """See ``Wire.receive``: all octets as they come; whoever rings waits until the exchange is over."""
        while True:
            try:
                octets = await self._next(deadline)
            except Rung:
                continue
            self._hear(octets)
            self._heard += len(octets)
            if self._heard > ANSWER_OCTETS_MAX:
                raise _no_answer(self._heard)
            return octets

    async def listen(self, interrupted: Callable[[], bool]) -> None:
        """Hear the line between exchanges until somebody rings the alarm and ``interrupted()`` is true.

        Raises:
            LineLost: the line broke.

        """
        while not interrupted():
            await self.pay()
            await self._overhear(self._quiet_at if self._owes() else None)

    async def settle(self, deadline: float) -> None:
        """Before an exchange: let a frame that is arriving come to its end, and send what is due.

        Args:
            deadline: a line that is not quiet before this owes on, so that nobody waits for ever.

        Raises:
            LineLost: the line broke.

        """
        while self._owes() and self._alarm.now() < min(self._quiet_at, deadline):
            await self._overhear(min(self._quiet_at, deadline))
        await self.pay()

    async def pay(self) -> None:
        """Send what is due, if the line is quiet; returns when it has left the wire."""
        if not self._owes() or self._alarm.now() < self._quiet_at:
            return
        octets, self._due = self._due, b""
        if self._transcript is not None:
            self._transcript.sent(octets)
        await self._stream.send(octets)
        await asyncio.sleep(len(octets) * self._character_s)

    def leave(self) -> None:
        """The owner is done with this line: what is acknowledged from now on has nobody to go to."""
        self._listener.on_due(None)

    async def _overhear(self, deadline: float | None) -> None:
        """Wait between exchanges for one piece, or for the deadline, or for somebody who rings."""
        try:
            octets = await self._next(deadline)
        except (Rung, TimeoutError):
            return
        if (taken := self._hear(octets)) and self._transcript is not None:
            self._transcript.received(taken)
            self._transcript.settle()

    async def _next(self, deadline: float | None) -> bytes:
        with self._alarm.until(deadline):
            return await self._stream.receive()

    def _hear(self, octets: bytes) -> bytes:
        """What the listener kept to itself of these octets; its answers to questions are known already."""
        if octets:
            self._quiet_at = self._alarm.now() + self._quiet_s
            self._listener.feed(octets)
            self._listener.octets_for_exchange()
        return self._listener.octets_taken()

    def _owes(self) -> bool:
        self._due += self._listener.octets_to_send()
        return bool(self._due)


def _no_answer(octets: int) -> LineLost:
    return LineLost(f"{octets} octets came for one request, more than {ANSWER_OCTETS_MAX}")
