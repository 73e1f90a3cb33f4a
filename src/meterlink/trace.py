"""The ring of octets: what went over each line lately, for people who look into a fault."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from meterlink.clock import Clock

Direction = Literal["out", "in"]

ENTRIES_MAX = 500
"""Entries a ring keeps; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEntry:
    """Octets that passed at once.

    Args:
        at: when we handed them over or got them; aware, UTC.
        line: name of the line.
        direction: ``out`` from us to the line, ``in`` from the line to us.
        octets: as they were on the wire.

    """

    at: datetime
    line: str
    direction: Direction
    octets: bytes


class TraceRing:
    """The last entries of one or more lines; writing one costs an append."""

    def __init__(self, clock: Clock, *, entries_max: int = ENTRIES_MAX) -> None:
        self._clock = clock
        self._entries: deque[TraceEntry] = deque(maxlen=entries_max)

    def note(self, line: str, direction: Direction, octets: bytes) -> None:
        """Keep octets that have just passed."""
        self._entries.append(
            TraceEntry(at=self._clock.utc_now(), line=line, direction=direction, octets=octets)
        )

    def __iter__(self) -> Iterator[TraceEntry]:
        """Oldest first."""
        return iter(tuple(self._entries))
