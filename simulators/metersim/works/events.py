"""Events of a meter, worked out of what happened to it: kind, beginning, end.

An event is a stretch of time in which its cause lasts, or one instant. Of each kind a meter keeps the last
ten, and goes on counting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

EVENT_DEPTH: Final = 10
"""Records that a meter keeps of each kind. Source: DL/T 645-2007, class 03: last 1 to 10."""


class Event(NamedTuple):
    """One event.

    Args:
        kind: name of the catalogue without ``_record``, with a phase behind where it has one:
            ``power_down``, ``voltage_loss.a``, ``clock_set``.
        number: how manieth of its kind, from 1.
        started_at: true time.
        ended_at: true time; ``None``: it lasts. An instant ends as it starts.

    """

    kind: str
    number: int
    started_at: datetime
    ended_at: datetime | None


Stretch = tuple[datetime, datetime | None]
"""From when to when a cause lasted; ``None``: it lasts."""


class EventLog:
    """The events of one meter.

    Args:
        stretches: (kind, until) -> all stretches of this kind that began until then, oldest first.

    """

    def __init__(self, stretches: Callable[[str, datetime], Iterator[Stretch]]) -> None:
        self._stretches = stretches

    def events(self, kind: str, until: datetime) -> tuple[Event, ...]:
        """The last ones of a kind that had begun at ``until``, newest last.

        Args:
            kind: e.g. ``power_down``; one that the meter does not know has no events.
            until: true time, aware.

        """
        return self._all(kind, until)[-EVENT_DEPTH:]

    def count(self, kind: str, until: datetime) -> int:
        """How many of a kind had begun at ``until``, also those whose record is forgotten."""
        return len(self._all(kind, until))

    def _all(self, kind: str, until: datetime) -> tuple[Event, ...]:
        return tuple(
            Event(kind, number, start, end if end is None or end <= until else None)
            for number, (start, end) in enumerate(self._stretches(kind, until), start=1)
        )
