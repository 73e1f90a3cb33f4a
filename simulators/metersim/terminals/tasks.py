"""When a concentrator does something by itself (6012).

Source: DL/T 698.45-2017, object 6012; spec sections 4.2 and 6.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from metersim.terminals.downloads import Malformed, interval_of, moment_of, parts_of, structure, value_of
from metersim.terminals.intervals import following, last_step, span
from meterwire.dlt698.axdr.selection import Ti
from meterwire.dlt698.axdr.values import Data, DateTimeS

TASKS_MAX: Final = 64
COLLECT, REPORT = 1, 4
"""Kinds of tasks, by the scheme that they carry out."""
ENABLED, DISABLED = 1, 2

_ALWAYS: Final = DateTimeS(2000, 1, 1, 0, 0, 0)
_FOR_EVER: Final = DateTimeS(2099, 9, 9, 9, 9, 9)
_AT_ONCE: Final = Ti(0, 0)
_ALL_DAY: Final = (time(0, 0), time(23, 59))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """When a scheme is carried out.

    Args:
        number: 0 to 255.
        period: between two runs.
        kind: ``COLLECT`` or ``REPORT``; others are kept and never run.
        scheme: number of the scheme.
        start: of the first run, civil time of the concentrator.
        end: no run from then on.
        delay: after the start of each period.
        priority: 1 is the highest.
        enabled: whether it runs.
        hours: begin and end of the times of day in which it runs, both included to the minute.

    """

    number: int
    period: Ti
    kind: int = COLLECT
    scheme: int
    start: DateTimeS = _ALWAYS
    end: DateTimeS = _FOR_EVER
    delay: Ti = _AT_ONCE
    priority: int = 1
    enabled: bool = True
    hours: tuple[tuple[time, time], ...] = (_ALL_DAY,)

    def last_due(self, shown: datetime) -> datetime | None:
        """The last time at or before ``shown`` at which it had to begin; ``None`` when it never had to.

        Args:
            shown: civil time of the concentrator, without a zone.

        """
        start, end = self.start.civil(), self.end.civil()
        if start is None or end is None:
            return None
        last = min(shown, end - timedelta(seconds=1)) - span(self.delay)
        if last < start:
            return None
        due = last_step(start, last, self.period) + span(self.delay)
        return due if self._within_hours(due) else None

    def next_due(self, shown: datetime) -> datetime | None:
        """The first time after ``shown`` at which a period begins; it may be outside of its hours."""
        start, end = self.start.civil(), self.end.civil()
        if start is None or end is None:
            return None
        begun = shown - span(self.delay)
        due = start if begun < start else following(last_step(start, begun, self.period), self.period)
        due += span(self.delay)
        return due if due < end else None

    def data(self) -> Data:
        """As 6012 writes it."""
        hours = tuple(
            structure(*(Data("unsigned", part) for moment in span_ for part in (moment.hour, moment.minute)))
            for span_ in self.hours
        )
        return structure(
            Data("unsigned", self.number),
            Data("TI", self.period),
            Data("enum", self.kind),
            Data("unsigned", self.scheme),
            Data("date_time_s", self.start),
            Data("date_time_s", self.end),
            Data("TI", self.delay),
            Data("unsigned", self.priority),
            Data("enum", ENABLED if self.enabled else DISABLED),
            Data("long-unsigned", 0),
            Data("long-unsigned", 0),
            structure(Data("enum", 2), Data("array", hours)),
        )

    @classmethod
    def of(cls, data: Data) -> Task:
        """From a download; priority may be an enum.

        Raises:
            Malformed: it is none.

        """
        parts = parts_of(data, 12)
        kind, spans = parts_of(parts[11], 2)
        del kind
        return cls(
            number=value_of(parts[0], "unsigned"),
            period=interval_of(parts[1]),
            kind=value_of(parts[2], "enum"),
            scheme=value_of(parts[3], "unsigned"),
            start=moment_of(parts[4]),
            end=moment_of(parts[5]),
            delay=interval_of(parts[6], none=True),
            priority=value_of(parts[7], "unsigned", "enum"),
            enabled=value_of(parts[8], "enum") == ENABLED,
            hours=tuple(_hours(one) for one in value_of(spans, "array")),
        )

    def _within_hours(self, due: datetime) -> bool:
        minute = due.time().replace(second=0)
        return not self.hours or any(begin <= minute <= end for begin, end in self.hours)


def _hours(data: Data) -> tuple[time, time]:
    begin_h, begin_min, end_h, end_min = (value_of(one, "unsigned") for one in parts_of(data, 4))
    try:
        end = _ALL_DAY[1] if (end_h, end_min) == (24, 0) else time(end_h, end_min)
        return time(begin_h, begin_min), end
    except ValueError as error:
        raise Malformed(str(error)) from error
