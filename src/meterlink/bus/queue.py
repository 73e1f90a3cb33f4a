"""Who gets the line next: a bounded heap of tickets.

Control comes before on-demand reads, these before everything else. Among the rest a ticket's place is
the moment it came plus the patience of its kind, so that a later billing read overtakes backfill, yet
whatever waits long enough is the oldest and goes first: nothing starves. Source: decision 19.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

from meterlink.errors import BusFull

TICKETS_MAX = 1_000
"""Tickets that may wait for one line; one more is refused at once."""


class Priority(Enum):
    """Kinds of request: (tier, patience in seconds within the tier)."""

    CONTROL = (0, 0.0)
    ON_DEMAND = (1, 0.0)
    BILLING = (2, 0.0)
    CURVE = (2, 60.0)
    BACKFILL = (2, 600.0)
    DISCOVERY = (2, 3600.0)

    __hash__ = object.__hash__  # each member is there once; that of Enum is made of the name, each time

    def __init__(self, tier: int, patience_s: float) -> None:
        self.tier = tier
        self.patience_s = patience_s


T = TypeVar("T")


class TicketQueue(Generic[T]):
    """Bounded priority queue with one taker.

    Args:
        monotonic_s: where the time of arrival comes from.
        tickets_max: how many may wait.

    Attributes:
        waiting: what waits, for a look whether anything does.

    """

    def __init__(self, monotonic_s: Callable[[], float], *, tickets_max: int = TICKETS_MAX) -> None:
        self._monotonic_s = monotonic_s
        self._tickets_max = tickets_max
        self._heap = self.waiting = list[tuple[int, float, int, T]]()
        self._numbers = itertools.count()

    def __len__(self) -> int:
        """Tickets that wait."""
        return len(self._heap)

    def put(self, ticket: T, priority: Priority) -> None:
        """Add a ticket.

        Raises:
            BusFull: as many wait as may.

        """
        if len(self._heap) >= self._tickets_max:
            raise BusFull(f"{self._tickets_max} requests already wait for this line")
        place = self._monotonic_s() + priority.patience_s
        heapq.heappush(self._heap, (priority.tier, place, next(self._numbers), ticket))

    def take(self) -> T:
        """Take out the next ticket; there is one."""
        return heapq.heappop(self._heap)[-1]

    def discard(self, ticket: T) -> None:
        """Take out one ticket, if it is still there: whoever left it has given up."""
        left = [entry for entry in self._heap if entry[-1] is not ticket]
        if len(left) < len(self._heap):
            self._heap[:] = left
            heapq.heapify(self._heap)

    def drain(self) -> list[T]:
        """Take out everything that waits, in no particular order."""
        tickets = [entry[-1] for entry in self._heap]
        self._heap.clear()
        return tickets
