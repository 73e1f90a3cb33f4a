"""Whose turn it is on a line: the streams with work, the most urgent first.

A line may have a thousand streams and each turn changes one, so a turn costs no look at the others: the
ranking is made anew now and then, and in between who comes back from a turn is put where he belongs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime

from meterlink.acquisition.streams import NOT_TAKEN, Stream

_Entry = tuple[tuple[float, ...], int, int, Stream]
"""What it is worth, its last turn, its number among all; two streams are never compared themselves."""


class _Queue:
    """Streams by what they are worth; each stands in it once."""

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._queued: set[Stream] = set()

    def put(self, entry: _Entry) -> None:
        stream = entry[-1]
        if stream not in self._queued:
            self._queued.add(stream)
            heapq.heappush(self._heap, entry)

    def __len__(self) -> int:
        return len(self._heap)

    def take(self) -> Stream | None:
        if not self._heap:
            return None
        stream = heapq.heappop(self._heap)[-1]
        self._queued.remove(stream)
        return stream


class Ranking:
    """The ranking of one line.

    Args:
        streams: all of the line.

    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._numbers = {stream: number for number, stream in enumerate(streams)}
        self._queues = {True: _Queue(), False: _Queue()}

    def renew(self, now: datetime, monotonic_s: float) -> None:
        """Rank all streams anew.

        Args:
            now: wall time.
            monotonic_s: in which rests are told.

        """
        self._queues = {True: _Queue(), False: _Queue()}
        self.put(self._numbers, now, monotonic_s)

    def put(self, streams: Iterable[Stream], now: datetime, monotonic_s: float) -> None:
        """Put streams where they belong that have work and may be asked now."""
        for stream in streams:
            if stream.front.current is None and stream.front.newest is None:
                continue
            if not stream.is_askable or not stream.plan.calendar.is_open(now):
                continue
            since, worth = stream.waits_since(now, monotonic_s), stream.worth(now)
            if worth is not None and stream.told == NOT_TAKEN:
                since = None  # it takes its records in order, and an older one is missing
            number = self._numbers[stream]
            if since is not None and stream.rests_until(is_current=True) <= monotonic_s:
                self._queues[True].put(((since,), stream.turn, number, stream))
            if worth is not None and stream.rests_until(is_current=False) <= monotonic_s:
                self._queues[False].put((worth, stream.turn, number, stream))

    @property
    def has_backfill(self) -> bool:
        """Whether anybody waits with backfill."""
        return len(self._queues[False]) > 0

    def take(self, *, is_current: bool) -> Stream | None:
        """Take out the most urgent stream for its current work, or for backfill; ``None``: there is none."""
        return self._queues[is_current].take()
