"""Whose turn it is on a line: the streams with work, the most urgent first.

A line may have a thousand streams and each turn changes one, so a turn costs no look at the others: the
ranking is made anew now and then, and in between who comes back from a turn is put where he belongs.

Behind a turn without any answer the meter's other streams go first: one of them shows whether the meter is
silent, or only about what that stream asks.
"""

from __future__ import annotations

import heapq
import math
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
        self._of_meter: dict[int, list[Stream]] = {}
        for stream in streams:
            self._of_meter.setdefault(id(stream.meter), []).append(stream)

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
            for is_current, place in _places(stream, now, monotonic_s).items():
                if not self._lets_others_go(stream, is_current, now, monotonic_s):
                    self._queues[is_current].put((place, stream.turn, self._numbers[stream], stream))

    def _lets_others_go(self, stream: Stream, is_current: bool, now: datetime, monotonic_s: float) -> bool:
        """Whether it was silent, and another stream of its meter is to be asked before it is asked again."""
        return stream.silent_since[is_current] < math.inf and any(
            other.turn < stream.turn
            and other.silent_since[is_current] == math.inf
            and is_current in _places(other, now, monotonic_s)
            for other in self._of_meter[id(stream.meter)]
        )

    @property
    def has_backfill(self) -> bool:
        """Whether anybody waits with backfill."""
        return len(self._queues[False]) > 0

    def take(self, *, is_current: bool) -> Stream | None:
        """Take out the most urgent stream for its current work, or for backfill; ``None``: there is none."""
        return self._queues[is_current].take()


def _places(stream: Stream, now: datetime, monotonic_s: float) -> dict[bool, tuple[float, ...]]:
    """Where a stream stands with its current work and with its backfill, where it may be asked for them."""
    if not stream.is_askable or not stream.plan.calendar.is_open(now):
        return {}
    since, worth = stream.waits_since(now, monotonic_s), stream.worth(now)
    if worth is not None and stream.told == NOT_TAKEN:
        since = None  # it takes its records in order, and an older one is missing
    places: dict[bool, tuple[float, ...]] = {}
    if since is not None and stream.rests_until(is_current=True) <= monotonic_s:
        places[True] = (since,)
    if worth is not None and stream.rests_until(is_current=False) <= monotonic_s:
        places[False] = worth
    return places
