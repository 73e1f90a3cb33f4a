"""Events that a terminal counts (EC): which of one list are still to be asked for.

What is counted after the first count that we saw is new: it is asked for oldest first, and again when it was
denied. What the terminal may hold of before is asked for too, newest first, for it may have happened while
nobody listened; which of it is known, the journal says. Nobody knows how far back a terminal remembers, so a
denial ends that way. An answer may hold fewer events than were asked for: the rest is asked for next.
Pointers count modulo 256; the event between n and n + 1 is asked for as n to n + 1.
Source: spec gdw1376, B1 and B3, 0E.
"""

from __future__ import annotations

from typing import Final, NamedTuple

COUNTS: Final = 256
"""Pointers of events count modulo this; so many less one are all that can be told apart."""
TOGETHER_MAX: Final = 32
"""Events that one request asks for: an event has some 30 octets."""
TRIES: Final = 5
"""Times that new events are asked for and denied; then they are passed over."""
OLD_TRIES: Final = 2
"""The same of those of before, once some of them have come: it holds no more."""


class Window(NamedTuple):
    """Events to ask for.

    Args:
        first: pointer of the first one, modulo 256.
        after: pointer behind the last one, modulo 256.

    """

    first: int
    after: int

    @property
    def size(self) -> int:
        """How many."""
        return (self.after - self.first) % COUNTS


class Counted:
    """One list of one terminal.

    Attributes:
        passed_over: new events that the terminal has counted and did not tell.

    """

    def __init__(self) -> None:
        self.passed_over = 0
        self._known: int | None = None
        self._count = 0
        self._denials = 0
        self._old = Window(0, 0)
        self._old_left = self._old_low = 0
        self._old_tries_left = TRIES

    def count(self, count: int) -> None:
        """The terminal has counted so many, modulo 256."""
        self._count = count
        if self._known is None:
            self._known = count
            self._old_left = COUNTS - 1
            self._go_back(count)

    @property
    def wanted(self) -> Window | None:
        """What to ask for next; ``None``: nothing."""
        if self._known is None:
            return None
        new = (self._count - self._known) % COUNTS
        if new:
            return Window(self._known, (self._known + min(new, TOGETHER_MAX)) % COUNTS)
        return self._old if self._old.size else None

    @property
    def is_denied(self) -> bool:
        """New events were asked for last and not told."""
        return self._denials > 0

    def told(self, first: int, events: int) -> bool:
        """Events came; whether they bring us on. Those that came unasked do where none is missing between.

        Args:
            first: pointer of the first one.
            events: how many.

        """
        after = (first + events) % COUNTS
        if self._known is None or not events:
            return False
        new, came = (self._count - self._known) % COUNTS, (after - self._known) % COUNTS
        if 0 < came <= events:
            self._known, self._denials = after, 0
            self._count = after if came > new else self._count
            return True
        came = (after - self._old.first) % COUNTS
        if 0 < came <= min(events, self._old.size):
            self._old, self._old_tries_left = Window(after, self._old.after), OLD_TRIES
            if not self._old.size:
                self._go_back(self._old_low)
            return True
        return False

    def asked_and_told(self, window: Window, first: int, events: int) -> bool:
        """An answer for a window came; what lies before its first event is gone.

        Args:
            window: as of ``wanted``.
            first: pointer of the first one.
            events: how many.

        """
        skipped, before = (first - window.first) % COUNTS, (window.first - first) % COUNTS
        if skipped < window.size:
            return self.told(window.first, min(events + skipped, window.size))
        return before < events and self.told(window.first, min(events - before, window.size))

    def denied(self) -> bool:
        """What was wanted was not told; whether it is given up."""
        assert self._known is not None, "nothing is wanted before the first count"
        new = (self._count - self._known) % COUNTS
        if not new:
            self._old_tries_left -= 1
            if not self._old_tries_left:
                self._old = Window(0, 0)
            return not self._old_tries_left
        self._denials += 1
        if self._denials < TRIES:
            return False
        size = min(new, TOGETHER_MAX)
        self._denials = 0
        self._known = (self._known + size) % COUNTS
        self.passed_over += size
        return True

    def _go_back(self, high: int) -> None:
        """The next window of those of before: not across 0, for the counter may never have come round."""
        size = min(TOGETHER_MAX, self._old_left, high or COUNTS)
        self._old_left -= size
        self._old_low = (high - size) % COUNTS
        self._old = Window(self._old_low, high) if size else Window(0, 0)
