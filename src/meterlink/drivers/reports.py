"""What terminals tell without being asked, on its way to the journal."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from meterlink.drivers.base import Measured
from meterlink.drivers.events import ReportedEvent
from meterlink.model.event import EventValue

REPORTS_MAX = 1_000
"""Reports that may wait for the journal; one more is dropped, and its terminal tells it again."""
PARTS_MAX = 50_000
"""Values and events that these may hold together: one report of a long frame holds thousands."""
_KEY_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedReadings:
    """Values of one meter, all of one instant.

    Args:
        address: whose; 12 digits.
        data_class: the measurement that they belong to.
        slot: the instant for which they stand; ``None``: the moment at which they came.
        values: at least one.

    """

    address: str
    data_class: str
    slot: datetime | None
    values: tuple[Measured, ...]


Part = ReportedReadings | ReportedEvent
_Key = tuple[str, str, datetime | None, str]
"""Address, class, slot and item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of one terminal.

    Args:
        terminal: who dialled in, or spoke on a line of ours; 12 digits.
        parts: all that it holds; at least one.
        key: the same when the terminal tells it again, because it did not hear that it was kept.
        summary: what it is, for the log; no values.
        received_at: when it was whole; aware, UTC.
        acknowledge: to be called once all of it is kept, and not before: the terminal forgets it then.
        line: of ours, on which it was heard; empty: its terminal dialled in.

    """

    terminal: str
    parts: tuple[Part, ...]
    key: str
    summary: str
    received_at: datetime
    acknowledge: Callable[[], None]
    line: str = ""

    @property
    def place(self) -> str:
        """Where addresses are unique: on the line, or behind the terminal."""
        return f"line {self.line}" if self.line else self.terminal


def own_report(terminal: str, kind: str, values: Mapping[str, str], at: datetime, *, source: str) -> Report:
    """A report of what we found out about a terminal ourselves; it waits for no acknowledgement.

    Args:
        terminal: which one.
        kind: of event.
        values: what was found, by name.
        at: when; aware, UTC.
        source: where that stands.

    """
    event = ReportedEvent(
        address=terminal,
        kind=kind,
        occurred_at=at,
        ended_at=at,
        values=tuple(EventValue(item=item, content=content) for item, content in values.items()),
        source=source,
    )
    words = f"{terminal} {kind} {at.isoformat()}"
    return Report(
        terminal=terminal,
        parts=(event,),
        key=hashlib.sha256(words.encode()).hexdigest()[:_KEY_DIGITS],
        summary=kind,
        received_at=at,
        acknowledge=lambda: None,
    )


def nobody_keeps(report: Report) -> None:
    """Where reports go of which nobody keeps anything."""
    del report


def heard_on(line: str, report: Report) -> Report:
    """A report of a meter on a line of ours; meters of one address on two lines are two.

    Args:
        line: its name.
        report: as it came.

    """
    key = hashlib.sha256(f"{line} {report.key}".encode()).hexdigest()[: len(report.key)]
    return replace(report, line=line, key=key)


def without_contradictions(parts: Sequence[Part]) -> tuple[list[Part], tuple[str, ...]]:
    """The parts of a report with each reading once, and the items that it gives twice and not the same.

    Nobody knows which of two is true, so neither stays.

    Args:
        parts: in their order.

    """
    told: dict[_Key, Measured] = {}
    twice: dict[_Key, str] = {}
    for part in parts:
        for key, value in _keyed(part):
            if told.setdefault(key, value) != value:
                twice[key] = value.item
    settled: list[Part] = []
    for part in parts:
        if isinstance(part, ReportedReadings):
            values = tuple(told.pop(key) for key, _ in _keyed(part) if key in told and key not in twice)
            settled += [replace(part, values=values)] if values else []
        else:
            settled.append(part)
    return settled, tuple(dict.fromkeys(twice.values()))


def _keyed(part: Part) -> Iterator[tuple[_Key, Measured]]:
    """The readings of a part, by what they will be kept under."""
    if isinstance(part, ReportedReadings):
        for value in part.values:
            yield (part.address, part.data_class, part.slot, value.item), value


class ReportQueue:
    """Reports of all terminals that wait for their keeper; bounded, one taker.

    Terminals take turns, so that nobody waits behind all that another one tells. When it is full, whoever has
    most waiting makes room: its newest is dropped.

    Args:
        reports_max: how many may wait.
        parts_max: how many parts they may have together; one report of more has room where no other waits.

    Attributes:
        dropped: reports for which there was no room.

    """

    def __init__(self, reports_max: int = REPORTS_MAX, parts_max: int = PARTS_MAX) -> None:
        self.dropped = 0
        self._reports_max = reports_max
        self._parts_max = parts_max
        self._waiting: dict[str, deque[Report]] = {}
        self._count = 0
        self._parts: Counter[str] = Counter()
        self._news = asyncio.Event()

    def put(self, report: Report) -> None:
        """Add a report, or drop one: it has not been acknowledged."""
        self._waiting.setdefault(report.place, deque()).append(report)
        self._count += 1
        self._parts[report.place] += len(report.parts)
        if self._count > self._reports_max:
            self._drop(max(self._waiting, key=lambda one: len(self._waiting[one])))
        while self._count > 1 and self._parts.total() > self._parts_max:
            self._drop(max(self._parts, key=self._parts.__getitem__))
        self._news.set()

    async def take(self) -> Report:
        """Wait for the next one: of the terminal whose turn it is."""
        while not self._count:
            self._news.clear()
            await self._news.wait()
        place = next(iter(self._waiting))
        report = self._taken(place, self._waiting[place].popleft())
        if own := self._waiting.pop(place, None):
            self._waiting[place] = own  # behind the others
        return report

    def _drop(self, place: str) -> None:
        self._taken(place, self._waiting[place].pop())
        self.dropped += 1

    def _taken(self, place: str, report: Report) -> Report:
        """Count one less of a place."""
        self._count -= 1
        self._parts[place] -= len(report.parts)
        if not self._waiting[place]:
            del self._waiting[place], self._parts[place]
        return report
