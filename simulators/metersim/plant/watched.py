"""Octets of a line as they pass: counted, and hashed with their direction and time.

Two runs of a plant were the same if the digests of their lines are: every octet that went either way, in the
pieces in which it went, and when.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import Final, Literal

from metersim.line.port import Port
from metersim.line.wires import Clock, Duplex, Prompt, Tuned

Direction = Literal["out", "in"]
"""As the client sees it: ``out`` to the meters, ``in`` from the meters."""
Tap = Callable[[Direction, bytes], None]
"""Is told of octets as they pass: direction, octets."""

PAUSE_US: Final = 500_000
"""Silence that ends a frame. Source: DL/T 645-2007, 5.2: the pause between octets is 500 ms at most."""
UNHASHED_OCTETS_MAX: Final = 1_024
"""Octets of a line that wait for the digest, which takes many at once in less time than each by itself."""
_HEAD: Final = Struct(">?qI")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Traffic:
    """What went over one line so far.

    Args:
        clock: asked when.
        tap: told of everything that passes; ``None``: nobody is.

    Attributes:
        before_question: called with the true time before a client's octets reach anybody.
        octets_out: octets of clients.
        octets_in: octets of meters.
        requests: how often somebody began to ask: octets came behind an answer, or behind a pause.

    """

    def __init__(self, clock: Clock, tap: Tap | None = None) -> None:
        self._clock = clock
        self._tap = tap
        self.before_question: Callable[[datetime], object] = _nothing
        self._hash = sha256()
        self._unhashed = bytearray()
        self.octets_in = 0
        self.octets_out = 0
        self.requests = 0
        self._last: tuple[Direction, int] = ("in", 0)

    def pass_by(self, direction: Direction, octets: bytes) -> None:
        """Octets pass."""
        if direction == "out":
            self.asked(octets)
        else:
            self.answered(octets, (self._clock.utc_now() - _EPOCH) // _MICROSECOND)

    def asked(self, octets: bytes) -> int:
        """Octets of a client pass; when, in microseconds since 1970."""
        at = self._clock.utc_now()
        at_us = (at - _EPOCH) // _MICROSECOND
        self.before_question(at)
        last, last_us = self._last
        self.requests += last == "in" or at_us - last_us > PAUSE_US
        self.octets_out += len(octets)
        self._note("out", octets, at_us)
        return at_us

    def answered(self, octets: bytes, at_us: int) -> None:
        """Octets of a meter pass.

        Args:
            octets: at least one.
            at_us: when, in microseconds since 1970.

        """
        self.octets_in += len(octets)
        self._note("in", octets, at_us)

    def _note(self, direction: Direction, octets: bytes, at_us: int) -> None:
        if self._tap is not None:
            self._tap(direction, octets)
        self._last = direction, at_us
        unhashed = self._unhashed
        unhashed += _HEAD.pack(direction == "in", at_us, len(octets)) + octets
        if len(unhashed) > UNHASHED_OCTETS_MAX:
            self._hash_all()

    def _hash_all(self) -> None:
        self._hash.update(self._unhashed)
        self._unhashed.clear()

    @property
    def digest(self) -> str:
        """SHA-256 over direction, time and octets of everything, 64 hexadecimal digits."""
        self._hash_all()
        return self._hash.hexdigest()


def _nothing(at: datetime) -> None:
    """Nothing has to happen before a question."""


def watched(duplex: Duplex, traffic: Traffic) -> Watched:
    """A duplex whose octets are noticed; what else it can do, it goes on doing.

    Args:
        duplex: the connection.
        traffic: of its line.

    """
    if isinstance(duplex, Tuned):
        return _TunedWatched(duplex, traffic, duplex)
    return _PromptWatched(duplex, traffic, duplex) if isinstance(duplex, Prompt) else Watched(duplex, traffic)


class Watched:
    """A duplex whose octets are noticed.

    Args:
        duplex: the connection.
        traffic: of its line.

    """

    def __init__(self, duplex: Duplex, traffic: Traffic) -> None:
        self._duplex = duplex
        self._traffic = traffic

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` when the other side has ended."""
        octets = await self._duplex.receive()
        if octets:
            self._traffic.pass_by("out", octets)
        return octets

    async def send(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionError: the other side has gone.

        """
        self._traffic.pass_by("in", octets)
        await self._duplex.send(octets)


class _TunedWatched(Watched):
    """One that shows how the client has set its port."""

    def __init__(self, duplex: Duplex, traffic: Traffic, tuned: Tuned) -> None:
        super().__init__(duplex, traffic)
        self._tuned = tuned

    def port(self) -> Port | None:
        """The settings now; ``None``: they do not matter."""
        return self._tuned.port()


class _PromptWatched(Watched):
    """One that can have answers before anybody has waited for its octets."""

    def __init__(self, duplex: Duplex, traffic: Traffic, prompt: Prompt) -> None:
        super().__init__(duplex, traffic)
        self._prompt = prompt
        self._noticed = 0  # octets that come once more, to whoever receives

    def answer_with(self, at_once: Callable[[bytes], bytes | None]) -> None:
        """Ask first whether there is an answer at once.

        Args:
            at_once: takes octets and gives the answer; ``None``: whoever receives gets them again.

        """
        traffic = self._traffic

        def noticed(octets: bytes) -> bytes | None:
            at_us = traffic.asked(octets)
            answer = at_once(octets)
            if answer:
                traffic.answered(answer, at_us)  # what is said at once is said at the same moment
            elif answer is None:
                self._noticed += len(octets)
            return answer

        self._prompt.answer_with(noticed)

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` when the other side has ended."""
        octets = await self._duplex.receive()
        fresh = octets[self._noticed :]
        self._noticed -= len(octets) - len(fresh)
        if fresh:
            self._traffic.pass_by("out", fresh)
        return octets
