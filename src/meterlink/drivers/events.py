"""What drivers tell of events, of those in a meter's memory and of those that are reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.errors import MeterlinkError, UnknownItem
from meterlink.model.event import EventValue
from meterlink.model.event_kinds import CLEARS, EVENT_KINDS, base_of

ALL_KINDS: Final = "*"
"""Item of an event plan: every kind that the meter's protocol has."""
EVENT_DEPTH: Final = 10
"""Records that a meter holds of each kind. Source: DL/T 645-2007, class 03; spec dlt698, 6.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedEvent:
    """Something that happened.

    Args:
        address: at whom; 12 digits.
        kind, occurred_at, ended_at, values, source: as in ``Event``.

    """

    address: str
    kind: str
    occurred_at: datetime | None
    ended_at: datetime | None
    values: tuple[EventValue, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCounts:
    """How many events of each kind a meter has counted.

    Each kind that was asked for stands in one of the first three; where ``cut_short`` is set, some may stand
    in none.

    Args:
        counts: by kind.
        refused: kinds that this meter does not count, and why.
        unfit: kinds whose answer did not fit; another try may help.
        cut_short: what ended it before all was asked.

    """

    counts: Mapping[str, int]
    refused: Mapping[str, str]
    unfit: Mapping[str, str]
    cut_short: MeterlinkError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecords:
    """Records of one kind.

    Args:
        records: by their place, counted back from the newest, which is 1; ``None``: the meter has none there.
        taken_at: when the last answer was complete; aware, UTC.
        cut_short: what ended it before all was asked.

    """

    records: Mapping[int, ReportedEvent | None]
    taken_at: datetime
    cut_short: MeterlinkError | None = None


class Countable(Protocol):
    """Which events meters of a kind record."""

    @property
    def has_events(self) -> bool:
        """Whether its meters record any."""

    def event_kinds(self, item: str) -> tuple[str, ...]:
        """The kinds that an item of an event plan asks for: one, one with all its parts, or ``*``.

        Raises:
            UnknownItem: the protocol has no such kind; the message says which it has.

        """


class EventReader(Countable, Protocol):
    """One protocol's way to read what meters have recorded of events."""

    async def read_event_counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """Read how many events of some kinds a meter has counted, in as few exchanges as there are.

        Args:
            line: running.
            address: of the meter.
            kinds: of ``event_kinds``; 1 or more.
            priority: who goes first on the line.

        """

    async def read_event_records(
        self,
        line: Exchanging,
        address: str,
        kind: str,
        lasts: Sequence[int],
        *,
        count: int,
        priority: Priority,
    ) -> EventRecords:
        """Read records of one kind.

        Args:
            line: running.
            address: of the meter.
            kind: one of ``event_kinds``.
            lasts: which, counted back from the newest, 1 to ``EVENT_DEPTH``; 1 or more, rising.
            count: how many the meter has counted: number of the newest.
            priority: who goes first on the line.

        Raises:
            BadAnswer: an answer does not fit.

        """


def kinds_of(item: str, known: Sequence[str], who: str) -> tuple[str, ...]:
    """The kinds that an item asks for, those that tell of a clear first.

    Args:
        item: of an event plan.
        known: kinds that the protocol has.
        who: has them, for the message.

    Raises:
        UnknownItem: there is no such kind.

    """
    found = [kind for kind in known if item in {ALL_KINDS, kind, base_of(kind)}]
    if not found:
        bases = ", ".join(dict.fromkeys(base_of(kind) for kind in known))
        has = f"it has {bases}" if known else "its meters record none"
        has_zh = f"可用的有 {bases}" if known else "其电表不记录事件"
        raise UnknownItem(f"no kind of event {item!r} in {who}: {has}", f"{who} 没有事件 {item!r}:{has_zh}")
    return tuple(sorted(found, key=lambda kind: kind not in CLEARS))


def aware(moment: datetime | None, zone: tzinfo) -> datetime | None:
    """An instant of a device's civil time; ``None`` at the ends of the calendar."""
    try:
        return None if moment is None else moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return None


def end_of(kind: str, began: datetime | None, ended: datetime | None) -> datetime | None:
    """When an event was over: what takes no time is over when it happens."""
    base = base_of(kind)
    return began if ended is None and base and not EVENT_KINDS[base].lasts else ended
