"""What serial servers say of themselves among the octets of a line: a registration first, heartbeats between.

Such a server has one connection for its own words and for the meters', and no frame around its own. So they
are told apart by their text alone, exactly. Heartbeats are taken out wherever they stand, amid an answer and
cut in two by the network as well; what may be the beginning of one waits for the rest, a moment and no
longer: it may be the end of an answer. One that a frame could hold is refused by the configuration.
A registration says who calls and may be as short as a number, which stands in some reading sooner or later:
it is taken off the beginning of a connection, and later only where nothing comes before and behind it.
Source: field practice, section 3.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from meterlink.transports.stream import ByteStream

HELD_S: Final = 0.2
"""So long what may begin a heartbeat waits for its rest; the parts of one text come together."""
SILENT_S: Final = 86_400.0
"""A server that tells no heartbeats is taken for gone after so long; a line that asks knows much sooner."""
IDLE_MARGIN_S: Final = 60.0
TOLD_OCTETS_MAX: Final = 64
"""Of what a stranger said, in the log."""


class ServerHabits(NamedTuple):
    """How one serial server that dials in speaks.

    Args:
        device: whom the line waits for.
        registration: what it says first, 1 octet or more.
        heartbeat_s: between its heartbeats, 1 s or more; ``None``: it has none, or nobody knows.

    """

    device: str
    registration: bytes
    heartbeat_s: float | None = None

    @property
    def idle_limit_s(self) -> float:
        """Silent for longer, it is gone. Source: field practice, section 4."""
        return SILENT_S if self.heartbeat_s is None else 2 * self.heartbeat_s + IDLE_MARGIN_S


class RegistrationSession:
    """Doorkeeper of one connection.

    Args:
        known: who may come in, by what they say; none of the texts begins another.

    Attributes:
        terminal: the device, once it has registered.
        ending: why the connection is to end.
        rest: what came behind the registration.

    """

    def __init__(self, known: Mapping[bytes, ServerHabits]) -> None:
        self.terminal: str | None = None
        self.ending = ""
        self.rest = b""
        self._known = known
        self._heard = b""
        self._idle_limit_s = SILENT_S

    @property
    def idle_limit_s(self) -> float:
        """See ``Doorkeeper.idle_limit_s``."""
        return self._idle_limit_s

    def feed(self, octets: bytes) -> None:
        """See ``Doorkeeper.feed``."""
        self._heard += octets
        for text, habits in self._known.items():
            if self._heard.startswith(text):
                self.terminal, self._idle_limit_s = habits.device, habits.idle_limit_s
                self.rest = self._heard[len(text) :]
                return
        if not any(text.startswith(self._heard) for text in self._known):
            told = self._heard[:TOLD_OCTETS_MAX]
            self.ending = (
                f"no line is configured for a serial server that registers with {ascii(told)[1:]} "
                f"(hex:{told.hex()}): listen://HOST:PORT?device=TEXT"
            )

    def octets_to_send(self) -> bytes:
        """See ``Doorkeeper.octets_to_send``: nobody answers a registration."""
        return b""


class StrippedStream:
    """A line's stream without its serial server's own words.

    Args:
        stream: the connection.
        heartbeats: taken out wherever they stand; none of them empty.
        registration: taken off the beginning; empty: there is none, or it has been taken off.
        again: taken out where it is a piece of its own with a quiet line around it; empty: nothing.
        heard: octets that came before those that the stream still brings.

    """

    def __init__(
        self,
        stream: ByteStream,
        heartbeats: Sequence[bytes],
        *,
        registration: bytes = b"",
        again: bytes = b"",
        heard: bytes = b"",
    ) -> None:
        self._stream = stream
        self._beats = sorted(heartbeats, key=len, reverse=True)
        self._beat = re.compile(b"|".join(re.escape(text) for text in self._beats))
        self._first = registration
        self._again = again
        self._loop = asyncio.get_running_loop()
        self._heard_s = -HELD_S
        self._alone = False
        self._held = b""
        self._ready = b""
        self._take(heard)

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``."""
        await self._stream.send(octets)

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``."""
        while not self._ready:
            try:
                async with asyncio.timeout(HELD_S if self._held else None):
                    octets = await self._stream.receive(limit)
            except TimeoutError:
                self._release()
            else:
                self._take(octets)
        octets, self._ready = self._ready[:limit], self._ready[limit:]
        return octets

    def receive_nowait(self) -> bytes:
        """See ``ByteStream.receive_nowait``."""
        self._take(self._stream.receive_nowait())
        octets, self._ready = self._ready, b""
        return octets

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        await self._stream.aclose()

    def _release(self) -> None:
        """Nothing came behind what was held: it is the meter's, but for a registration that stood alone."""
        if not self._alone:
            self._ready, self._first = self._held, b""
        self._held, self._alone = b"", False

    def _take(self, octets: bytes) -> None:
        if not octets:
            return
        now_s = self._loop.time()
        is_quiet, self._heard_s = now_s - self._heard_s >= HELD_S, now_s
        heard = self._held + octets
        if self._first:
            heard = self._begun(heard)
        if self._first:
            self._held = heard
            return
        if self._beats:
            heard = self._beat.sub(b"", heard)
        self._alone = bool(heard) and heard == self._again and (is_quiet or self._alone)
        held = len(heard) if self._alone else self._beginning(heard)
        self._ready += heard[: len(heard) - held]
        self._held = heard[len(heard) - held :]

    def _begun(self, heard: bytes) -> bytes:
        """What is left without the registration; while it is waited for, what it may begin with."""
        while not heard.startswith(self._first):
            if self._first.startswith(heard):
                return heard
            beat = self._beat.match(heard) if self._beats else None
            if beat is None:
                self._first = b""
                return heard
            heard = heard[beat.end() :]
        left, self._first = heard[len(self._first) :], b""
        return left

    def _beginning(self, heard: bytes) -> int:
        """How many octets at the end may begin a heartbeat that goes on in the next piece."""
        longest = len(self._beats[0]) - 1 if self._beats else 0
        for length in range(min(len(heard), longest), 0, -1):
            end = heard[-length:]
            if any(len(text) > length and text.startswith(end) for text in self._beats):
                return length
        return 0
