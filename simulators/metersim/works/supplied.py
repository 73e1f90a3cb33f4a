"""What is used behind a contact: energy of a curve in, less what passed while the contact was open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

Energy = Callable[[datetime], Sequence[int]]


class Supplied:
    """The energy of a load behind one contact.

    Args:
        energy: what the load would have used up to a time, by tariff; it never falls.

    """

    def __init__(self, energy: Energy) -> None:
        self._energy = energy
        self._missed: tuple[int, ...] | None = None
        self._opened_at: datetime | None = None

    def moved(self, at: datetime, opened: bool) -> None:
        """The contact moved."""
        if opened:
            self._opened_at = at
        elif self._opened_at is not None:
            self._missed = self._until(at)
            self._opened_at = None

    def energy(self, at: datetime) -> tuple[int, ...]:
        """What was used up to ``at``, not before the last move."""
        used = tuple(self._energy(at))
        missed = self._until(at)
        return tuple(one - none for one, none in zip(used, missed or [0] * len(used), strict=True))

    def _until(self, at: datetime) -> tuple[int, ...] | None:
        """What would have been used while the contact was open."""
        if self._opened_at is None:
            return self._missed
        spans = zip(self._energy(at), self._energy(self._opened_at), strict=True)
        now = tuple(after - before for after, before in spans)
        return tuple(map(sum, zip(now, self._missed or [0] * len(now), strict=True)))
