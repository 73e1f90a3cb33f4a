"""What is under way to the broker: rows in the order of the log, and how far they are done without a gap."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from meterlink.transports.wakers import Wakers


@dataclass(slots=True, eq=False)
class Place:
    """A row under way."""

    log_id: int
    done: bool = False


class Window:
    """A bounded run of rows.

    A row keeps its place until the cursor that covers it is on disk, not just until its PUBACK: so a crash
    repeats at most ``limit`` rows.

    Args:
        limit: rows under way at once.

    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._places: deque[Place] = deque()
        self._changed = Wakers()

    async def enter(self, log_id: int) -> Place:
        """Wait for room, then take the place behind the others."""
        while len(self._places) >= self._limit:
            await self._changed.wait()
        place = Place(log_id)
        self._places.append(place)
        return place

    def finish(self, place: Place) -> None:
        """The row is with the broker, or can never be."""
        place.done = True
        if place is self._places[0]:
            self._changed.wake()

    async def progress(self) -> int:
        """Wait until the oldest row is done; the id up to which all are."""
        while not (self._places and self._places[0].done):
            await self._changed.wait()
        last_id = 0
        for place in self._places:
            if not place.done:
                break
            last_id = place.log_id
        return last_id

    def release(self, last_id: int) -> None:
        """The cursor is on disk: the places up to it are free."""
        while self._places and self._places[0].log_id <= last_id:
            self._places.popleft()
        self._changed.wake()
