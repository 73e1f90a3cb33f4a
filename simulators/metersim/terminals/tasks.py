"""What a concentrator does by itself: tasks (6012) that say when, and schemes (6014, 601C) that say what.

Downloads are read strictly: a structure with other members is refused whole (DAR 7), and nothing of it is
kept. Source: DL/T 698.45-2017, objects 6012, 6014 and 601C; spec sections 4.2 and 6.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any, Final, TypeVar

from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import (
    METER_SETS,
    AllMeters,
    Csd,
    MeterSet,
    Oad,
    Road,
    Selection,
    Ti,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS

TASKS_MAX: Final = 64
SCHEMES_MAX: Final = 64
COLUMNS_MAX: Final = 64
"""Most columns of a scheme."""
DEPTH_MAX: Final = 4096
"""Most records of one meter that a scheme keeps."""

COLLECT, REPORT = 1, 4
"""Kinds of tasks, by the scheme that they carry out."""
ENABLED, DISABLED = 1, 2
PRESENT, NTH_LAST, BY_FREEZE_TIME, BY_INTERVAL = 0, 1, 2, 3
"""Kinds of collection."""
STAMP_START, STAMP_TODAY, STAMP_LAST_MINUTE, STAMP_YESTERDAY, STAMP_MONTH, STAMP_FREEZE = 1, 2, 3, 4, 5, 6
"""Which time a record is stored under; 0 is undefined and taken for the start."""

_LAST_MINUTE: Final = time(23, 59)
_DAY: Final = timedelta(days=1)
_SPANS: Final = {
    0: timedelta(seconds=1),
    1: timedelta(minutes=1),
    2: timedelta(hours=1),
    3: timedelta(days=1),
}
_MONTHS: Final = {4: 1, 5: 12}
_ALWAYS: Final = DateTimeS(2000, 1, 1, 0, 0, 0)
_FOR_EVER: Final = DateTimeS(2099, 9, 9, 9, 9, 9)
_AT_ONCE: Final = Ti(0, 0)
_HALF_A_MINUTE: Final = Ti(0, 30)
_ALL_DAY: Final = (time(0, 0), time(23, 59))

T = TypeVar("T")


class Malformed(ValueError):
    """A download that is no task or scheme."""


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
        due = _last_step(start, last, self.period) + span(self.delay)
        return due if self._within_hours(due) else None

    def next_due(self, shown: datetime) -> datetime | None:
        """The first time after ``shown`` at which a period begins; it may be outside of its hours."""
        start, end = self.start.civil(), self.end.civil()
        if start is None or end is None:
            return None
        begun = shown - span(self.delay)
        due = start if begun < start else _following(_last_step(start, begun, self.period), self.period)
        due += span(self.delay)
        return due if due < end else None

    def data(self) -> Data:
        """As 6012 writes it."""
        hours = tuple(
            _structure(*(Data("unsigned", part) for moment in span_ for part in (moment.hour, moment.minute)))
            for span_ in self.hours
        )
        return _structure(
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
            _structure(Data("enum", 2), Data("array", hours)),
        )

    @classmethod
    def of(cls, data: Data) -> Task:
        """From a download; priority may be an enum.

        Raises:
            Malformed: it is none.

        """
        parts = _parts(data, 12)
        kind, spans = _parts(parts[11], 2)
        del kind
        return cls(
            number=_value(parts[0], "unsigned"),
            period=_period(parts[1]),
            kind=_value(parts[2], "enum"),
            scheme=_value(parts[3], "unsigned"),
            start=_moment(parts[4]),
            end=_moment(parts[5]),
            delay=_period(parts[6], none=True),
            priority=_value(parts[7], "unsigned", "enum"),
            enabled=_value(parts[8], "enum") == ENABLED,
            hours=tuple(_hours(one) for one in _value(spans, "array")),
        )

    def _within_hours(self, due: datetime) -> bool:
        minute = due.time().replace(second=0)
        return not self.hours or any(begin <= minute <= end for begin, end in self.hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """What is collected (6014).

    Args:
        number: 0 to 255.
        depth: records of each meter that are kept, 1 to 4,096.
        kind: ``PRESENT`` values, the ``NTH_LAST`` freeze, that ``BY_FREEZE_TIME``, or all ``BY_INTERVAL``.
        content: how many records back, or the interval.
        columns: present values, or a table and its columns; 1 to 64.
        meters: of which meters.
        stamp: under which time a record is stored.

    """

    number: int
    depth: int
    kind: int = PRESENT
    content: Data = NULL
    columns: tuple[Csd, ...]
    meters: MeterSet = field(default_factory=AllMeters)
    stamp: int = STAMP_START

    def stored_at(self, started_at: datetime, frozen_at: datetime | None) -> datetime:
        """The time under which a record is stored.

        Args:
            started_at: when the task began, civil.
            frozen_at: which time the freeze carries, where there is one.

        """
        midnight = datetime.combine(started_at.date(), time())
        match self.stamp:
            case 2:
                return midnight
            case 3:
                return datetime.combine(midnight.date() - _DAY, _LAST_MINUTE)
            case 4:
                return midnight - _DAY
            case 5:
                return midnight.replace(day=1)
            case 6 if frozen_at is not None:
                return frozen_at
        return started_at

    def data(self) -> Data:
        """As 6014 writes it."""
        return _structure(
            Data("unsigned", self.number),
            Data("long-unsigned", self.depth),
            _structure(Data("unsigned", self.kind), self.content),
            Data("array", tuple(Data("CSD", column) for column in self.columns)),
            Data("MS", self.meters),
            Data("enum", self.stamp),
        )

    @classmethod
    def of(cls, data: Data) -> Scheme:
        """From a download.

        Raises:
            Malformed: it is none, or its figures are out of range.

        """
        parts = _parts(data, 6)
        kind, content = _parts(parts[2], 2)
        return _scheme_in_range(
            cls(
                number=_value(parts[0], "unsigned"),
                depth=_value(parts[1], "long-unsigned"),
                kind=_value(kind, "unsigned"),
                content=content,
                columns=_columns(parts[3]),
                meters=_meters(parts[4]),
                stamp=_value(parts[5], "enum"),
            )
        )

    def with_columns(self, data: Data) -> Scheme:
        """The scheme with other columns.

        Raises:
            Malformed: they are none.

        """
        return _scheme_in_range(replace(self, columns=_columns(data)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportScheme:
    """What is reported (601C).

    Args:
        number: 0 to 255.
        channels: through which ports; kept, and all that is dialled is meant.
        timeout: for one try.
        tries: 1 or more.
        content: attributes, or records.

    """

    number: int
    channels: tuple[Oad, ...] = ()
    timeout: Ti = _HALF_A_MINUTE
    tries: int = 3
    content: tuple[Oad, ...] | RecordRequest

    def data(self) -> Data:
        """As 601C writes it."""
        if isinstance(self.content, RecordRequest):
            oad, rsd, rcsd = self.content
            parts = _structure(Data("OAD", oad), Data("RCSD", rcsd), Data("RSD", rsd))
            content = _structure(Data("unsigned", 1), parts)
        else:
            [first] = self.content
            content = _structure(Data("unsigned", 0), Data("OAD", first))
        return _structure(
            Data("unsigned", self.number),
            Data("array", tuple(Data("OAD", channel) for channel in self.channels)),
            Data("TI", self.timeout),
            Data("unsigned", self.tries),
            content,
        )

    @classmethod
    def of(cls, data: Data) -> ReportScheme:
        """From a download.

        Raises:
            Malformed: it is none.

        """
        number, channels, timeout, tries, content = _parts(data, 5)
        kind, what = _parts(content, 2)
        if _value(tries, "unsigned") < 1:
            raise Malformed("a report that is never tried")
        return cls(
            number=_value(number, "unsigned"),
            channels=tuple(_value(one, "OAD") for one in _value(channels, "array")),
            timeout=_period(timeout),
            tries=tries.value,
            content=_reported(_value(kind, "unsigned"), what),
        )


def span(interval: Ti) -> timedelta:
    """A time interval of seconds to days; of months none, for delays have no such."""
    return interval.value * _SPANS.get(interval.unit, timedelta())


# --- downloads --------------------------------------------------------------------------------------------


def all_of(data: Data, make: Callable[[Data], T]) -> list[T]:
    """Every element of an array.

    Raises:
        Malformed: one is not what it should be.

    """
    return [make(one) for one in _value(data, "array")]


def numbers_of(data: Data) -> list[int]:
    """The numbers in an array of unsigned.

    Raises:
        Malformed: it is none.

    """
    return [_value(one, "unsigned") for one in _value(data, "array")]


def pair_of(data: Data) -> tuple[Data, Data]:
    """The two members of a structure.

    Raises:
        Malformed: it is none.

    """
    first, second = _parts(data, 2)
    return first, second


def _structure(*members: Data) -> Data:
    return Data("structure", members)


def _parts(data: Data, count: int) -> Sequence[Data]:
    members: Sequence[Data] = _value(data, "structure")
    if len(members) != count:
        raise Malformed(f"a structure of {len(members)} members, not {count}")
    return members


def _value(data: Data, *types: str) -> Any:
    if data.type not in types:
        raise Malformed(f"{data.type}, not {' or '.join(types)}")
    return data.value


def _moment(data: Data) -> DateTimeS:
    found: DateTimeS = _value(data, "date_time_s")
    if found.civil() is None:
        raise Malformed(f"{found} is no time")
    return found


def _period(data: Data, *, none: bool = False) -> Ti:
    found: Ti = _value(data, "TI")
    if found.unit not in _SPANS | _MONTHS or (not found.value and not none):
        raise Malformed(f"{found} is no interval")
    return found


def _hours(data: Data) -> tuple[time, time]:
    begin_h, begin_min, end_h, end_min = (_value(one, "unsigned") for one in _parts(data, 4))
    try:
        end = _ALL_DAY[1] if (end_h, end_min) == (24, 0) else time(end_h, end_min)
        return time(begin_h, begin_min), end
    except ValueError as error:
        raise Malformed(str(error)) from error


def _columns(data: Data) -> tuple[Csd, ...]:
    return tuple(_value(one, "CSD") for one in _value(data, "array"))


def _meters(data: Data) -> MeterSet:
    found: MeterSet = _value(data, "MS")
    assert isinstance(found, tuple(METER_SETS.values()))
    return found


def _scheme_in_range(scheme: Scheme) -> Scheme:
    if not 1 <= scheme.depth <= DEPTH_MAX:
        raise Malformed(f"a depth of {scheme.depth}: 1 to {DEPTH_MAX}")
    if not 1 <= len(scheme.columns) <= COLUMNS_MAX:
        raise Malformed(f"{len(scheme.columns)} columns: 1 to {COLUMNS_MAX}")
    if scheme.kind not in _CONTENTS:
        raise Malformed(f"collection of kind {scheme.kind}")
    if scheme.content.type != _CONTENTS[scheme.kind]:
        raise Malformed(f"{scheme.content.type} with a collection of kind {scheme.kind}")
    records = sum(isinstance(column, Road) for column in scheme.columns)
    if scheme.kind == BY_INTERVAL and (records, len(scheme.columns)) != (1, 1):
        raise Malformed("records by an interval are those of one table")
    return scheme


_CONTENTS: Final[Mapping[int, str]] = {
    PRESENT: "null",
    NTH_LAST: "unsigned",
    BY_FREEZE_TIME: "null",
    BY_INTERVAL: "TI",
}


def _reported(kind: int, what: Data) -> tuple[Oad, ...] | RecordRequest:
    if kind == 0:
        return (_value(what, "OAD"),)
    if kind != 1:
        raise Malformed(f"a report of kind {kind}")
    oad, rcsd, rsd = _parts(what, 3)
    selection: Selection = _value(rsd, "RSD")
    return RecordRequest(_value(oad, "OAD"), selection, _value(rcsd, "RCSD"))


# --- the calendar -----------------------------------------------------------------------------------------


def _last_step(start: datetime, until: datetime, period: Ti) -> datetime:
    """The last whole number of periods after the start, at or before ``until``."""
    if period.unit in _SPANS:
        step = span(period)
        return start + (until - start) // step * step
    months = period.value * _MONTHS[period.unit]
    passed = (until.year - start.year) * 12 + until.month - start.month
    found = _months_later(start, passed // months * months)
    return found if found <= until else _months_later(start, (passed // months - 1) * months)


def _following(due: datetime, period: Ti) -> datetime:
    if period.unit in _SPANS:
        return due + span(period)
    return _months_later(due, period.value * _MONTHS[period.unit])


def _months_later(start: datetime, months: int) -> datetime:
    """On the same day of the month, which all months have up to the 28th."""
    number = start.year * 12 + start.month - 1 + months
    return start.replace(year=number // 12, month=number % 12 + 1, day=min(start.day, 28))
