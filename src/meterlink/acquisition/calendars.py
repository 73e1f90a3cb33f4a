"""On which days slots are due, and at what time of day their meters are asked: in the plant's zone.

Meters of one plan are asked one after the other over a part of the window. A meter's place in it comes from a
hash of its id, so that it stays the same whoever comes or goes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from meterlink.model.zone import CHINA_TIME

_DAY = timedelta(days=1)
_MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When a plan holds.

    Args:
        zone: of its days and times of day; without daylight saving time.
        opens: time of day from which meters are asked.
        closes: when that ends; the same as ``opens``: the whole day; earlier: on the next day.
        weekdays: 0 (Monday) to 6 of the days that count.
        month_days: 1 to 31 of the days that count; with neither of the two every day does.
        since: first day; ``None``: there is none.
        until: last day.
        spread_s: time over which meters are spread, in seconds.

    """

    zone: tzinfo = CHINA_TIME
    opens: time = _MIDNIGHT
    closes: time = _MIDNIGHT
    weekdays: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    since: date | None = None
    until: date | None = None
    spread_s: int = 0

    def has(self, day: date) -> bool:
        """Whether slots of a day are due."""
        if (self.since and day < self.since) or (self.until and day > self.until):
            return False
        if not self.weekdays and not self.month_days:
            return True
        return day.weekday() in self.weekdays or day.day in self.month_days

    def day_of(self, moment: datetime) -> date:
        """The day of an instant."""
        return moment.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        """First instant of a day; aware, UTC."""
        return datetime.combine(day, _MIDNIGHT, self.zone).astimezone(UTC)

    def is_open(self, moment: datetime) -> bool:
        """Whether meters may be asked at an instant."""
        at = moment.astimezone(self.zone).time()
        if self.opens < self.closes:
            return self.opens <= at < self.closes
        return self.opens == self.closes or at >= self.opens or at < self.closes

    def next_open(self, moment: datetime) -> datetime:
        """The first instant from ``moment`` on at which meters may be asked."""
        if self.is_open(moment):
            return moment
        local = moment.astimezone(self.zone)
        day = local.date() if local.time() < self.opens else local.date() + _DAY
        return datetime.combine(day, self.opens, self.zone).astimezone(UTC)

    def due_at(self, ready: datetime, meter: str) -> datetime:
        """When a meter is to be asked first for what is there from ``ready`` on."""
        opened = self.next_open(ready)
        spread = zlib.crc32(meter.encode()) % self.spread_s if self.spread_s else 0
        due = opened + timedelta(seconds=spread)
        return due if self.is_open(due) else opened

    def parts(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The parts of [since, until) in which slots are due and meters may be asked."""
        if self == Calendar(zone=self.zone, spread_s=self.spread_s):
            yield since, until
            return
        day = self.day_of(since) - _DAY
        while self.start_of(day) < until:
            if self.has(day):
                yield from self._parts_of(day, since, until)
            day += _DAY

    def _parts_of(self, day: date, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What of one day's open hours lies in [since, until)."""
        start, end = self.start_of(day), self.start_of(day + _DAY)
        opens, closes = (
            datetime.combine(day, at, self.zone).astimezone(UTC) for at in (self.opens, self.closes)
        )
        if self.opens < self.closes:
            hours = [(opens, closes)]
        elif self.opens == self.closes:
            hours = [(start, end)]
        else:
            hours = [(start, closes), (opens, end)]
        for first, last in hours:
            if max(first, since) < min(last, until):
                yield max(first, since), min(last, until)
