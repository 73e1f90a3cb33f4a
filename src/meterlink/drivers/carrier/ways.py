"""By which function meters are read through one module (F1-F1, 13-F1, 02-F1), and what denials say of that.

A denial is about one request of one meter, and that meter alone goes another way then. It is taken for the
module's word only where it is about the function, comes for several different meters, and no meter was
answered in that way for long. Neither holds for ever: the better way is tried again after a while.
Source: spec gdw1376, A3 and A14.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

WAYS: Final = ("F1-F1", "13-F1", "02-F1")
"""From the best to the last."""
CONCURRENT: Final = WAYS[0]
METERS_DENIED: Final = 3
"""So many different meters denied, and the module is taken for one that has not the function."""
MODULE_AGAIN_S: Final = 3_600.0
"""So long after a module seemed to lack a function one read tries it; so long an answer proves it."""
METER_AGAIN_S: Final = 21_600.0
"""So long a meter goes its own way; longer than the module, so that others try for the module."""
METERS_MAX: Final = 4_096
"""Meters that go their own way; twice what a module supports. One more, and the oldest is forgotten."""
_NO_FUNCTION: Final = frozenset({4, 10})
_NOT_SO: Final = frozenset({1, 5}) | _NO_FUNCTION
"""Denials that say that it goes not in this way: no such function, or not with this request."""


class _Own(NamedTuple):
    rank: int
    until_s: float


class Ways:
    """The ways of one module while it is open.

    Args:
        first: what the module is thought to have; one of ``WAYS``.
        fixed: the configuration names it, and there is no other.
        now_s: monotonic time.
        changed: is told when the module's way has become another.

    """

    def __init__(
        self, first: str, *, fixed: bool, now_s: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self._first = self._rank = WAYS.index(first)
        self._fixed = fixed
        self._now_s = now_s
        self._changed = changed
        self._again_s = 0.0
        self._own: OrderedDict[str, _Own] = OrderedDict()
        self._deniers: set[str] = set()
        self._proved_s: dict[int, float] = {}

    @property
    def module(self) -> str:
        """How meters are read of which nothing else is known."""
        return WAYS[self._rank]

    def of(self, address: str, *, is_read: bool) -> str:
        """How the next request of a meter goes.

        Args:
            address: 12 digits.
            is_read: it may be denied and go again, and so may find out whether a better way is back.

        """
        now_s = self._now_s()
        if (own := self._own.get(address)) is not None:
            if now_s < own.until_s:
                return WAYS[max(own.rank, self._rank)]
            del self._own[address]
        if is_read and self._rank > self._first and now_s >= self._again_s:
            self._again_s = now_s + MODULE_AGAIN_S
            return WAYS[self._first]
        return self.module

    def answered(self, way: str) -> None:
        """The module took a read in a way, so it has that function."""
        rank = WAYS.index(way)
        self._proved_s[rank] = self._now_s()
        if rank <= self._rank:
            self._deniers.clear()
        if rank < self._rank:
            self._rank = rank
            self._own.clear()  # most were denied because of the module
            self._changed()

    def denied(self, address: str, way: str, code: int) -> bool:
        """The module denied a read.

        Args:
            address: of the meter.
            way: how it went.
            code: why.

        Returns:
            Whether there is another way for this meter, which it goes from now on.

        """
        rank = WAYS.index(way)
        if self._fixed or code not in _NOT_SO:
            return False
        if rank + 1 == len(WAYS):
            self._own.pop(address, None)  # none was any good: the next read begins with the best again
            return False
        self._own[address] = _Own(rank + 1, self._now_s() + METER_AGAIN_S)
        self._own.move_to_end(address)
        if len(self._own) > METERS_MAX:
            self._own.popitem(last=False)
        if code in _NO_FUNCTION and rank == self._rank and not self._is_proved(rank):
            self._deniers.add(address)
            if len(self._deniers) >= METERS_DENIED:
                self._lower()
        return True

    def _is_proved(self, rank: int) -> bool:
        proved_s = self._proved_s.get(rank)
        return proved_s is not None and self._now_s() - proved_s < MODULE_AGAIN_S

    def _lower(self) -> None:
        self._rank += 1
        self._deniers.clear()
        self._again_s = self._now_s() + MODULE_AGAIN_S
        self._changed()
