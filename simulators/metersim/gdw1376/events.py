"""What a terminal has recorded of events (ERC): important and general ones, each with a counter modulo 256.

A counter tells how many there were, so that a master knows what it has not read: those from its pointer to
the counter. The terminal keeps the last 255 of each kind; ACD is set while important ones wait to be read.
Source: spec sections B1 and B3, 0E.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from meterwire.gdw1376.formats.times import Moment

IMPORTANT, GENERAL = 1, 2
"""Fn of 0E."""
EVENTS_KEPT: Final = 255
"""Of each kind; pointers tell no more apart."""
START_UP, PARAMETERS_CHANGED, CLOCK_OFF, POWER, NOT_AUTHENTICATED, READING_FAILED = 1, 3, 12, 14, 20, 31
_GENERAL: Final = frozenset({PARAMETERS_CHANGED})
Event = Mapping[str, Any]


class EventLog:
    """The events of one terminal.

    Attributes:
        unread: important ones that no master has read, nor confirmed a report of.

    """

    def __init__(self) -> None:
        self.unread = 0
        self._count = {IMPORTANT: 0, GENERAL: 0}
        self._kept: dict[int, deque[Event]] = {one: deque(maxlen=EVENTS_KEPT) for one in self._count}

    @property
    def counts(self) -> tuple[int, int]:
        """EC1 and EC2."""
        return self._count[IMPORTANT] % 256, self._count[GENERAL] % 256

    def tell(self, erc: int, shown: datetime, **content: Any) -> None:
        """Something happened.

        Args:
            erc: code of the event.
            shown: civil time of the terminal.
            content: behind the time, by field name.

        """
        kind = GENERAL if erc in _GENERAL else IMPORTANT
        self._count[kind] += 1
        self._kept[kind].append({"erc": erc, "time": Moment.to_the_minute(shown), **content})
        if kind == IMPORTANT:
            self.unread = min(self.unread + 1, EVENTS_KEPT)

    def between(self, kind: int, first: int, last: int) -> tuple[Event, ...]:
        """The events between two pointers; none where they are no pointers of what is kept.

        Args:
            kind: ``IMPORTANT`` or ``GENERAL``.
            first: pointer of the first one, modulo 256.
            last: pointer behind the last one.

        """
        total, kept = self._count[kind], self._kept[kind]
        back_first, back_last = (total - first) % 256, (total - last) % 256
        if not back_last < back_first <= len(kept):
            return ()
        found = list(kept)[len(kept) - back_first : len(kept) - back_last]
        if kind == IMPORTANT:
            self.unread = min(self.unread, back_last)
        return tuple(found)

    def newest_unread(self) -> tuple[int, int]:
        """Pointers of the important events that wait."""
        total = self._count[IMPORTANT]
        return (total - self.unread) % 256, total % 256

    def clear(self) -> None:
        """Forget them; the counters go on."""
        self.unread = 0
        for kept in self._kept.values():
            kept.clear()
