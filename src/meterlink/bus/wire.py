"""A stream in the hands of its owner: plain, or with a listener at the ear.

Both give an exchange the same three verbs, and every wait has a deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from meterlink.bus.alarm import Alarm, Rung
from meterlink.bus.listener import Visit
from meterlink.errors import LineLost
from meterlink.trace import Transcript
from meterlink.transports.stream import ByteStream


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
        self.send = stream.send

    async def clear(self) -> bytes:
        """See ``Wire.clear``."""
        return self._stream.receive_nowait()

    async def receive(self, deadline: float) -> bytes:
        """See ``Wire.receive``."""
        with self._alarm.until(deadline):
            return await self._stream.receive()


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
        self.send = self._stream.send
        self._listener.on_due(alarm.ring)

    async def clear(self) -> bytes:
        """See ``Wire.clear``; what the terminal began itself is heard all the same."""
        await self._take(self._stream.receive_nowait())
        return self._listener.octets_for_exchange()

    async def receive(self, deadline: float) -> bytes:
        """See ``Wire.receive``: whole frames that answer a question; the others are answered meanwhile."""
        while not (octets := self._listener.octets_for_exchange()):
            await self._hear(deadline)
        return octets

    async def listen(self, interrupted: Callable[[], bool]) -> None:
        """Hear the terminal between exchanges until somebody rings the alarm and ``interrupted()`` is true.

        Raises:
            LineLost: the connection broke, or is to end.

        """
        while not interrupted():
            await self._hear(None)
            self._tell(self._listener.octets_for_exchange())  # nobody asked, or no longer

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
        await self._take(octets)

    async def _take(self, octets: bytes) -> None:
        if octets:
            self._listener.feed(octets)
            await self._pay()

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
