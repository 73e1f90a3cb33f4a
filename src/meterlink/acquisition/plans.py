"""What is due when: slots of an interval, and those of a meter's memory day by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeVar

from meterlink.acquisition.calendars import Calendar
from meterlink.errors import ConfigError
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, INSTANT, DataClass
from meterlink.model.slot import DAY_S, MONTH_S, on_time_s

FREEZE_SETTLE: Final = timedelta(minutes=5)
"""A freeze is expected this long after its instant: so far a meter's clock may be behind before anybody sets
it, and concentrators wait as long. Source: field practice, sections 7 and 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Items that are read once in each interval, because no meter remembers them.

    Args:
        name: what people call it.
        every_s: length of an interval in whole seconds; intervals begin at its multiples.
        items: what to read.
        tries: how often a silent meter is asked in one interval.
        data_class: values of the moment, or words of state.
        calendar: days and times of day.
        beside_s: intervals of the other plans of the class; what they ask for is not this one's.

    """

    name: str
    every_s: int
    items: tuple[str, ...]
    tries: int = 2
    data_class: DataClass = INSTANT
    calendar: Calendar = field(default_factory=Calendar)
    beside_s: tuple[int, ...] = ()

    def slot_at(self, now: datetime) -> datetime:
        """The slot that ``now`` belongs to: its beginning."""
        seconds = int(now.timestamp()) // self.every_s * self.every_s
        return datetime.fromtimestamp(seconds, UTC)

    def end_of(self, slot: datetime) -> datetime:
        """The first instant after a slot."""
        return slot + timedelta(seconds=self.every_s)

    def has(self, slot: datetime) -> bool:
        """Whether a slot is due by the calendar."""
        return self.calendar.has(self.calendar.day_of(slot)) and self.calendar.is_open(slot)

    def series(self, meter: str) -> Series:
        """Its slots of one meter in the ledger."""
        return Series(meter, self.data_class, self.every_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """Items that stand in the memory of meters, and are fetched from there.

    Args:
        name: what people call it.
        data_class: daily or monthly freeze, or curve.
        every_s: seconds from one slot to the next; ``MONTH_S`` of a monthly freeze.
        items: what to read.
        tries: how often a silent meter is asked before it is put aside.
        retry_s: for how long it is put aside, and how soon one that has not taken a record is asked again.
        calendar: days and times of day.
        gather_s: slots wait for the next multiple of this; 0: they do not.
        settlement_day: of monthly freezes, 1 to 28, whatever day a meter has; ``None``: the reading day
            of each, on which it settles. Source: SCH-02.

    """

    name: str
    data_class: DataClass
    every_s: int = DAY_S
    items: tuple[str, ...]
    tries: int = 2
    retry_s: int = 900
    calendar: Calendar = field(default_factory=Calendar)
    gather_s: int = 0
    settlement_day: int | None = None

    @property
    def current_for(self) -> timedelta:
        """How long a slot is current after it was due; then it is backfill."""
        return timedelta(seconds=on_time_s(self.data_class))

    def series(self, meter: str) -> Series:
        """Its slots of one meter in the ledger."""
        return Series(meter, self.data_class, self.every_s)

    def slots_of(self, day: date, reading_day: int) -> list[datetime]:
        """The slots that a day brings: the freeze at its beginning, the intervals that begin in it.

        Args:
            day: in the plant's zone.
            reading_day: of the meter, 1 to 28.

        """
        if not self.calendar.has(day):
            return []
        start = self.calendar.start_of(day)
        if self.every_s == MONTH_S:
            return [start] if day.day == (self.settlement_day or reading_day) else []
        return [start + timedelta(seconds=past) for past in range(0, DAY_S, self.every_s)]

    def due_at(self, slot: datetime, meter: str) -> datetime:
        """When a meter is to be asked first for a slot."""
        ready = slot
        if self.data_class == CURVE:
            ready += timedelta(seconds=self.every_s)
            if self.gather_s and (over := int(ready.timestamp()) % self.gather_s):
                ready += timedelta(seconds=self.gather_s - over)
        return self.calendar.due_at(ready + FREEZE_SETTLE, meter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A meter on a line, as acquisition knows it.

    Args:
        meter: our id.
        address: its communication address, 12 digits.
        reading_day: day of the month whose freeze at 00:00 bills rest on. Source: SCH-01.
        in_service_since: before that it was not read; ``None``: always.
        in_service_until: from then on it is not read.
        succeeds: our id of the meter that stood in its place until then; empty: there was none.

    """

    meter: str
    address: str
    reading_day: int = 1
    in_service_since: datetime | None = None
    in_service_until: datetime | None = None
    succeeds: str = ""

    def in_service(self, at: datetime) -> bool:
        """Whether it stands in its place at a time."""
        is_in = self.in_service_since is None or self.in_service_since <= at
        return is_in and (self.in_service_until is None or at < self.in_service_until)


_Plan = TypeVar("_Plan", Plan, StoredPlan)


def merged(plans: Iterable[_Plan]) -> list[_Plan]:
    """Plans of one class and interval are one: they have their slots in common.

    Raises:
        ConfigError: two of them have different calendars.

    """
    found: dict[tuple[str, int], _Plan] = {}
    for plan in plans:
        key = (plan.data_class, plan.every_s)
        found[key] = _joined(found[key], plan) if key in found else plan
    return list(found.values())


def _joined(one: _Plan, other: _Plan) -> _Plan:
    if _when(one) != _when(other):
        raise ConfigError(
            f"[[plans]] {other.name!r} and {one.name!r} are of one class and interval, so they share "
            "their slots: give both the same window, days and other times (without settlement_day each "
            "meter has its own, the reading_day of the roster)",
            f"[[plans]] {other.name!r} 与 {one.name!r} 的类别和间隔相同,共用时点:请为两者写相同的 "
            "window、days 和其他时间(不写 settlement_day 时各表用档案中的 reading_day)",
        )
    items = tuple(dict.fromkeys((*one.items, *other.items)))
    return replace(one, items=items, tries=max(one.tries, other.tries))


def _when(plan: Plan | StoredPlan) -> tuple[object, ...]:
    own = (plan.gather_s, plan.settlement_day) if isinstance(plan, StoredPlan) else ()
    return (plan.calendar, *own)


def is_kept(item: str, kept: set[str]) -> bool:
    """Whether an item is among those already kept; a block (``voltage.*``) when one of its items is."""
    if item in kept:
        return True
    base, star, _ = item.rpartition("*")
    return bool(star) and any(name == base.rstrip(".") or name.startswith(base) for name in kept)
