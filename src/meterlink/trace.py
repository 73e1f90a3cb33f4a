"""The ring of octets: what went over each line lately, for people who look into a fault.

No secret octet enters the ring: it is replaced by ``BLANK`` before it is stored, and the entry says where.
Which octets are secret is the session's knowledge, and of received octets it can tell only when a frame is
whole; so these wait in a ``Transcript``, with the time at which they came, until their turn is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from meterlink.clock import Clock

Direction = Literal["out", "in"]
Ranges = tuple[tuple[int, int], ...]
"""Octets by index, each range as (first, one after), in order."""

ENTRIES_MAX = 500
"""Entries a ring keeps; the oldest go first."""
WAITING_OCTETS_MAX = 4096
"""Received octets of one turn that wait; more are stored before their frame is whole, and so blanked."""
BLANK: Final = 0
"""Stands in the place of each secret octet."""
SHOWN_BLANK: Final = "**"
"""How a blanked octet is written, so that nobody takes it for one that was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEntry:
    """Octets that passed at once.

    Args:
        at: when we handed them over or got them; aware, UTC.
        line: name of the line.
        direction: ``out`` from us to the line, ``in`` from the line to us.
        octets: as they were on the wire, but ``BLANK`` where they were secret.
        blanked: where they were.

    """

    at: datetime
    line: str
    direction: Direction
    octets: bytes
    blanked: Ranges = ()

    def hexadecimal(self, separator: str = "") -> str:
        """The octets for people and programs, ``**`` for each blanked one."""
        shown = [f"{octet:02X}" for octet in self.octets]
        for first, after in self.blanked:
            shown[first:after] = [SHOWN_BLANK] * (after - first)
        return separator.join(shown)


class TraceRing:
    """The last entries of one or more lines, in the order in which their turns ended."""

    def __init__(self, clock: Clock, *, entries_max: int = ENTRIES_MAX) -> None:
        self._clock = clock
        self._entries: deque[TraceEntry] = deque(maxlen=entries_max)

    def now(self) -> datetime:
        """Wall time, for octets that wait."""
        return self._clock.utc_now()

    def note(self, line: str, direction: Direction, octets: bytes, secret: Ranges, at: datetime) -> None:
        """Keep octets that have passed.

        Args:
            line: name of the line.
            direction: which way they went.
            octets: as they were on the wire.
            secret: which of them are blanked before they are kept.
            at: when they passed; aware, UTC.

        """
        self._entries.append(
            TraceEntry(at=at, line=line, direction=direction, octets=blanked(octets, secret), blanked=secret)
        )

    def __iter__(self) -> Iterator[TraceEntry]:
        """Oldest first."""
        return iter(tuple(self._entries))


class Transcript:
    """One exchange on its way into the ring.

    Args:
        ring: where to.
        line: name of the line.
        secret_ranges: tells which of the octets of one turn are secret: of a request, or of all that came
            before the next one.

    """

    def __init__(self, ring: TraceRing, line: str, secret_ranges: Callable[[bytes], Ranges]) -> None:
        self._ring = ring
        self._line = line
        self._secret_ranges = secret_ranges
        self._waiting: list[tuple[datetime, bytes]] = []
        self._size = 0

    def sent(self, octets: bytes) -> None:
        """Octets leave; what came before them was a turn."""
        self.settle()
        self._ring.note(self._line, "out", octets, self._secret_ranges(octets), self._ring.now())

    def received(self, octets: bytes) -> None:
        """Octets came."""
        self._waiting.append((self._ring.now(), octets))
        self._size += len(octets)
        if self._size > WAITING_OCTETS_MAX:
            self.settle()

    def settle(self) -> None:
        """The turn is over: store what waits."""
        if not self._waiting:
            return
        waiting, self._waiting, self._size = self._waiting, [], 0
        secret = self._secret_ranges(b"".join(octets for _, octets in waiting))
        start = 0
        for at, octets in waiting:
            self._ring.note(self._line, "in", octets, _cut(secret, start, start + len(octets)), at)
            start += len(octets)


def blanked(octets: bytes, secret: Ranges) -> bytes:
    """The octets with the secret ones replaced by ``BLANK``."""
    if not secret:
        return octets
    left = bytearray(octets)
    for first, after in secret:
        left[first:after] = bytes((BLANK,)) * (after - first)
    return bytes(left)


def _cut(ranges: Ranges, start: int, end: int) -> Ranges:
    """The part of ``ranges`` that lies from ``start`` to ``end``, counted from ``start``."""
    return tuple(
        (max(first, start) - start, min(after, end) - start)
        for first, after in ranges
        if first < end and after > start
    )
