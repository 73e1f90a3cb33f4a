"""What billing asks of a meter, as typed requests: freezes, load curves, event records, present values.

Each gives the GetRecords (or descriptors) to send, so that nobody builds a selector by hand; answers
become rows through ``records``. Items are those of the catalogue; ``.*`` behind an item asks for the
whole array: ``forward_active_energy.*`` for total and tariffs. Times are the meter's civil time.
Source: spec sections 6.5, 6.7 and 7.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    NoMeters,
    Oad,
    SelectEqual,
    Selection,
    SelectLast,
    SelectNthLast,
    SelectRange,
    Ti,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.notation import Table
from meterwire.dlt698.objects.records import (
    EVENT_ENDED_AT,
    EVENT_NUMBER,
    EVENT_SOURCE,
    EVENT_STARTED_AT,
    FROZEN_AT,
    column,
)
from meterwire.errors import LocalProtocolError

RECORDS_MAX: Final = 255
"""Most records, or the farthest back, that selectors 9 and 10 can say."""
CURVE_POINTS_MAX: Final = 16
"""Points of a curve that are asked for at once: 96 never fit an answer of 512 octets, 4 hours do."""
CURVE_PIECES_MAX: Final = 1024
"""Most pieces of one curve."""

_FREEZE: Final = 9
_EVENTS: Final = frozenset({7, 24})
"""Classes of events, without parts and with."""


@dataclass(frozen=True, slots=True)
class NthLast:
    """The n-th last record; 1 is the latest (selector 9)."""

    n: int

    def selection(self, time_column: Oad) -> Selection:
        """The selector.

        Raises:
            LocalProtocolError: n is not 1 to ``RECORDS_MAX``.

        """
        del time_column
        return SelectNthLast(record_number(self.n))


@dataclass(frozen=True, slots=True)
class Last:
    """The last n records (selector 10); ``all_meters`` for tables of a concentrator."""

    n: int
    all_meters: bool = False

    def selection(self, time_column: Oad) -> Selection:
        """The selector.

        Raises:
            LocalProtocolError: n is not 1 to ``RECORDS_MAX``.

        """
        del time_column
        return SelectLast(record_number(self.n), AllMeters() if self.all_meters else NoMeters())


@dataclass(frozen=True, slots=True)
class At:
    """The record of a definite time (selector 1)."""

    moment: datetime

    def selection(self, time_column: Oad) -> Selection:
        """The selector.

        Raises:
            LocalProtocolError: the moment has a zone.

        """
        return SelectEqual(time_column, _time(self.moment))


@dataclass(frozen=True, slots=True)
class Between:
    """Records from start, before end (selector 2); a record at ``end`` is left out."""

    start: datetime
    end: datetime
    interval: Ti | None = None

    def selection(self, time_column: Oad) -> Selection:
        """The selector.

        Raises:
            LocalProtocolError: the end is not after the start.

        """
        check_span(self.start, self.end)
        interval = NULL if self.interval is None else Data("TI", self.interval)
        return SelectRange(time_column, _time(self.start), _time(self.end), interval)


Which = NthLast | Last | At | Between


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFreezes:
    """Records of one freeze.

    Args:
        freeze: ``daily_freeze``, ``monthly_freeze``, ... (class 9).
        items: what of each record, e.g. ``("forward_active_energy.*",)``.
        which: which records.

    """

    freeze: str
    items: tuple[str, ...]
    which: Which

    def records(self) -> tuple[RecordRequest, ...]:
        """What to send; the freeze time is the first column.

        Raises:
            LocalProtocolError: no such freeze or item, or the selection is empty.

        """
        columns = _columns([FROZEN_AT], self.items)
        return (RecordRequest(freeze_table(self.freeze), self.which.selection(FROZEN_AT), columns),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCurve:
    """A load curve from the minute freeze, in pieces that fit an answer.

    Args:
        items: what of each point, e.g. ``("active_power.*",)``.
        start: of the first interval.
        end: after the last.
        interval_min: minutes between points; 15 makes 96 a day.
        points_max: points of one piece.

    """

    items: tuple[str, ...]
    start: datetime
    end: datetime
    interval_min: int = 15
    points_max: int = CURVE_POINTS_MAX

    def records(self) -> tuple[RecordRequest, ...]:
        """What to send, piece by piece.

        Raises:
            LocalProtocolError: no such item, an empty span, a time with a zone, or more than
                ``CURVE_PIECES_MAX`` pieces.

        """
        for moment in (self.start, self.end):
            civil_time(moment)
        if self.interval_min < 1 or self.points_max < 1 or self.end <= self.start:
            raise LocalProtocolError(f"a curve from {self.start} to {self.end} has no points")
        step = timedelta(minutes=self.interval_min * self.points_max)
        count = -((self.start - self.end) // step)
        if count > CURVE_PIECES_MAX:
            raise LocalProtocolError(f"the curve needs {count} pieces, more than {CURVE_PIECES_MAX}")
        starts = [self.start + number * step for number in range(count)]
        return tuple(
            request for start in starts for request in self._piece(start, min(start + step, self.end))
        )

    def _piece(self, start: datetime, end: datetime) -> tuple[RecordRequest, ...]:
        which = Between(start, end, Ti(1, self.interval_min))
        return ReadFreezes(freeze="curve", items=self.items, which=which).records()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvents:
    """Records of one event.

    Args:
        event: ``power_down``, ``voltage_loss``, ``relay_trip``, ...
        which: which records.
        part: for events with parts: ``a``, ``b``, ``c``, ``total``, or a quadrant ``1`` to ``4``.
        items: related quantities, e.g. ``("forward_active_energy@start",)``.

    """

    event: str
    which: Which
    part: str = ""
    items: tuple[str, ...] = ()

    def records(self) -> tuple[RecordRequest, ...]:
        """What to send: number, start, end, source, then the items.

        Raises:
            LocalProtocolError: no such event, part or item.

        """
        own = [EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT, EVENT_SOURCE]
        table = event_table(self.event, self.part)
        return (RecordRequest(table, self.which.selection(EVENT_STARTED_AT), _columns(own, self.items)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadItems:
    """Present values and parameters: status words, clock, registers."""

    items: tuple[str, ...]

    def oads(self) -> tuple[Oad, ...]:
        """What to send; a descriptor that brings several of the items stands once.

        Raises:
            LocalProtocolError: no object of the standard has an item.

        """
        return tuple(dict.fromkeys(column(item) for item in self.items))


def freeze_table(freeze: str) -> Oad:
    """The record table of a freeze, e.g. 50040200 for ``daily_freeze``.

    Raises:
        LocalProtocolError: there is no such freeze.

    """
    for one in dictionary().objects:
        if one.interface_class == _FREEZE and one.item == freeze:
            return Oad(one.oi, 2, 0)
    raise LocalProtocolError(f"there is no freeze {freeze!r}")


def event_table(event: str, part: str = "") -> Oad:
    """The record table of an event: attribute 2, or where an event has parts that of the part.

    Args:
        event: stem of the event's items.
        part: ``a``, ``b``, ``c``, ``total`` or a quadrant where the event has parts; else empty.

    Raises:
        LocalProtocolError: there is no such event, or it does not have the part.

    """
    wanted = {"": "", "total": ""}.get(part, f"@quadrant.{part}" if part.isdecimal() else f".{part}")
    found = event_tables().get(f"{event}_record{wanted}")
    if found is not None:
        return found
    if any(one.item == event and one.interface_class in _EVENTS for one in dictionary().objects):
        raise LocalProtocolError(f"{event} has no records of {part or 'the whole'!r}")
    raise LocalProtocolError(f"there is no event {event!r}")


@functools.cache
def event_tables() -> Mapping[str, Oad]:
    """The record tables of events by name: ``power_down_record``, ``voltage_loss_record.a``."""
    return {
        row.item.replace("{event}", one.item): Oad(one.oi, row.number, 0)
        for one in dictionary().objects
        if one.interface_class in _EVENTS
        for row in one.rows
        if row.item and isinstance(row.type, Table)
    }


def _columns(own: Sequence[Oad], items: Sequence[str]) -> tuple[Oad, ...]:
    return tuple(dict.fromkeys([*own, *(column(item) for item in items)]))


def _time(moment: datetime) -> Data:
    return Data("date_time_s", civil_time(moment))


def civil_time(moment: datetime) -> DateTimeS:
    """A time as the meter's clock shows it.

    Raises:
        LocalProtocolError: it has a zone; whoever knows the zone of the plant makes it civil.

    """
    if moment.tzinfo is not None:
        raise LocalProtocolError(f"{moment} has a zone: say the time that the meter's clock shows")
    return DateTimeS.of(moment)


def record_number(n: int) -> int:
    """How many records, or how far back, where selectors 9 and 10 can say it.

    Raises:
        LocalProtocolError: it is not 1 to ``RECORDS_MAX``.

    """
    if not 1 <= n <= RECORDS_MAX:
        raise LocalProtocolError(f"record {n} cannot be asked for: 1 to {RECORDS_MAX}")
    return n


def check_span(start: datetime, end: datetime) -> None:
    """Refuse a span of records that holds no time.

    Raises:
        LocalProtocolError: the end is not after the start, or one of them has a zone.

    """
    for moment in (start, end):
        civil_time(moment)
    if end <= start:
        raise LocalProtocolError(f"records from {start} to {end}: the end is not after the start")
