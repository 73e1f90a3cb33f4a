"""The events in the memory of DL/T 698.45 meters: many counts in one request, records with all their columns.

A class 7 object counts in attribute 7 and keeps its records in attribute 2; one of class 24 counts all its
parts in attribute 10 and has a table for each. Which columns a record has besides number, beginning, end and
source, the object says itself (attribute 3, of class 24 attribute 2).
Source: spec dlt698, sections 4 and 6.5.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.dlt698.event_rows import event_of, kind_of
from meterlink.drivers.dlt698.portion import Portion
from meterlink.drivers.dlt698.rows import rows_asked
from meterlink.drivers.dlt698.talk import RequestRefused, code_words
from meterlink.drivers.events import EventCounts, EventRecords, ReportedEvent, end_of
from meterlink.errors import BadAnswer, BusFull, LineError, MeterlinkError, Refused, ReplyTimeout
from meterlink.model.event import NUMBER, EventValue
from meterlink.model.event_kinds import base_of
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, RecordRequest
from meterwire.dlt698.axdr.selection import NoMeters, Oad, Rcsd, SelectLast, SelectNthLast
from meterwire.dlt698.objects.dictionary import Entry, dictionary
from meterwire.dlt698.objects.records import (
    EVENT_ENDED_AT,
    EVENT_NUMBER,
    EVENT_SOURCE,
    EVENT_STARTED_AT,
    Record,
    Records,
)
from meterwire.dlt698.objects.requests import event_tables

OADS_AT_ONCE: Final = 12
"""Counts that one request asks for: those of class 24 take 60 octets, and an answer holds 512 or more."""
RELATED_MAX: Final = 32
"""Columns of an object's own that are read; of more, the first."""
_METER_EVENTS: Final = 0x30
"""High octet of the objects; those of terminals have others."""
_COUNTS: Final = {7: 7, 24: 10}
_RELATED: Final = {7: 3, 24: 2}
"""By class, the attributes."""
_OWN: Final = (EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT, EVENT_SOURCE)
_GAPS: Final = frozenset({"absent", "empty"})
_ROW_OCTETS: Final = 64
"""So long a record may be, about."""


class Counted698(NamedTuple):
    """Where a kind of event stands.

    Args:
        counter: attribute that counts it, which others may share.
        item: of the count in the answer.
        table: its records.
        related: attribute that names the columns of its records.

    """

    counter: Oad
    item: str
    table: Oad
    related: Oad


class Ways(Protocol):
    """How a driver talks to a meter; raises as ``Driver.read``."""

    def get_list(
        self, line: Exchanging, address: str, oads: tuple[Oad, ...], priority: Priority
    ) -> Awaitable[tuple[AttributeResult, ...]]:
        """Several attributes at once, in the order asked for."""

    def ask_records(
        self,
        line: Exchanging,
        address: str,
        request: RecordRequest,
        columns: Rcsd,
        entries: Mapping[Oad, Entry],
        priority: Priority,
    ) -> Awaitable[tuple[Records, datetime]]:
        """Records of a table."""


@functools.cache
def counted_kinds() -> Mapping[str, Counted698]:
    """Every kind of event that a meter has a count and records of."""
    found = {}
    for name, table in event_tables().items():
        kind = kind_of(table)
        one = dictionary().object(table.oi)
        if table.oi >> 8 == _METER_EVENTS and base_of(kind) and one is not None:
            found[kind] = Counted698(
                counter=Oad(table.oi, _COUNTS[one.interface_class], 0),
                item=name.replace("_record", "_count"),
                table=table,
                related=Oad(table.oi, _RELATED[one.interface_class], 0),
            )
    return found


class Events698:
    """Reads the events of meters.

    Args:
        ways: to ask them.
        clock: says when an answer was taken.
        zone: what their clocks show.
        portion_of: how much the meter of an address is asked for at once.

    """

    def __init__(
        self, ways: Ways, *, clock: Clock, zone: tzinfo, portion_of: Callable[[str], Portion]
    ) -> None:
        self._ways, self._clock, self._zone = ways, clock, zone
        self._portion_of = portion_of

    async def counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """See ``EventReader.read_event_counts``: a dozen objects an exchange."""
        counts: dict[str, int] = {}
        refused: dict[str, str] = {}
        unfit: dict[str, str] = {}
        counters = tuple(dict.fromkeys(counted_kinds()[kind].counter for kind in kinds))
        cut_short: MeterlinkError | None = None
        for first in range(0, len(counters), OADS_AT_ONCE):
            some = counters[first : first + OADS_AT_ONCE]
            asked = [kind for kind in kinds if counted_kinds()[kind].counter in some]
            try:
                results = await self._ways.get_list(line, address, some, priority)
            except Refused as error:
                told_of = refused if error.no_such else unfit  # any other refusal may end
                told_of |= dict.fromkeys(asked, str(error))
            except BadAnswer as error:
                unfit |= dict.fromkeys(asked, str(error))
            except (ReplyTimeout, LineError, BusFull) as error:
                cut_short = error
                break
            else:
                _sort(asked, results, counts, refused, unfit)
        return EventCounts(counts=counts, refused=refused, unfit=unfit, cut_short=cut_short)

    async def records(
        self,
        line: Exchanging,
        address: str,
        kind: str,
        lasts: Sequence[int],
        *,
        count: int,
        priority: Priority,
    ) -> EventRecords:
        """See ``EventReader.read_event_records``: all new ones in one exchange, if they fit."""
        place = counted_kinds()[kind]
        found: dict[int, ReportedEvent | None] = {}
        taken_at = self._clock.utc_now()
        try:
            columns = await self._columns(line, address, place, priority)
            async for asked, rows in self._parts(line, address, place.table, lasts, columns, priority):
                taken_at = self._clock.utc_now()
                for last in asked:
                    row = rows[asked[-1] - last] if asked[-1] - last < len(rows) else None
                    found[last] = None if row is None else self._event(address, kind, row, count - last + 1)
        except (ReplyTimeout, LineError, BusFull) as error:
            return EventRecords(records=found, taken_at=taken_at, cut_short=error)
        return EventRecords(records=found, taken_at=taken_at)

    async def _columns(self, line: Exchanging, address: str, place: Counted698, priority: Priority) -> Rcsd:
        """The columns of a kind; where the meter does not say which it keeps, those that all have."""
        try:
            (said,) = await self._ways.get_list(line, address, (place.related,), priority)
        except (Refused, BadAnswer):
            return _OWN
        return tuple(dict.fromkeys((*_OWN, *_oads(said))))

    async def _parts(
        self,
        line: Exchanging,
        address: str,
        table: Oad,
        lasts: Sequence[int],
        columns: Rcsd,
        priority: Priority,
    ) -> AsyncIterator[tuple[Sequence[int], list[Record | None]]]:
        """Places, and their rows; fewer at once where the answer may have been too long."""
        portion = self._portion_of(address)
        waiting = deque(_together(lasts, portion.of(len(lasts) * _ROW_OCTETS) // _ROW_OCTETS))
        while waiting:
            asked = waiting.popleft()
            try:
                rows = await self._rows(line, address, table, asked, columns, priority)
            except RequestRefused as error:
                octets = len(asked) * _ROW_OCTETS
                if not error.may_be_too_long or not portion.halved(octets, least=_ROW_OCTETS):
                    raise
                waiting.extendleft(reversed([*_together(asked, len(asked) // 2)]))
            else:
                portion.answered()
                yield asked, rows

    async def _rows(
        self,
        line: Exchanging,
        address: str,
        table: Oad,
        lasts: Sequence[int],
        columns: Rcsd,
        priority: Priority,
    ) -> list[Record | None]:
        """The rows of some places, oldest first; ``None``: the meter has fewer."""
        selector = SelectNthLast(lasts[0]) if len(lasts) == 1 else SelectLast(lasts[-1], NoMeters())
        for wanted in dict.fromkeys((columns, _OWN)):
            request = RecordRequest(table, selector, wanted)
            answer, _ = await self._ways.ask_records(line, address, request, (), {}, priority)
            if answer.dar is None:
                rows: list[Record | None] = [*rows_asked(request, answer.rows, f"meter {address}")]
                return [None] * (len(lasts) - len(rows)) + rows[-len(lasts) :]
        return [None] * len(lasts)

    def _event(self, address: str, kind: str, row: Record, number: int) -> ReportedEvent | None:
        values = [value for value in row.values if value.problem is None]
        event = event_of(counted_kinds()[kind].table, row, values, address=address, zone=self._zone)
        if event.occurred_at is None and not row.readings:
            return None
        told = [value for value in event.values if value.item != NUMBER]
        number = number if row.number is None else row.number
        unfit = (value for value in row.values if value.problem not in {None, *_GAPS})
        return ReportedEvent(
            address=address,
            kind=kind,
            occurred_at=event.occurred_at,
            ended_at=end_of(kind, event.occurred_at, event.ended_at),
            values=(
                EventValue(item=NUMBER, content=Decimal(number)),
                *told,
                *(
                    EventValue(item=value.label.key, content=f"does not fit: {value.problem}")
                    for value in unfit
                ),
            ),
            source=event.source,
        )


def _sort(
    asked: Sequence[str],
    results: Sequence[AttributeResult],
    counts: dict[str, int],
    refused: dict[str, str],
    unfit: dict[str, str],
) -> None:
    """Find each kind's count in the answer."""
    said = {result.oad: result.result for result in results}
    for kind in asked:
        place = counted_kinds()[kind]
        result = said[place.counter]
        if isinstance(result, Dar):
            refused[kind] = code_words("dar", result)
            continue
        entry = dictionary().entry(place.counter)
        assert entry is not None, "it was found in the dictionary"
        values = {value.label.key: value for value in entry.decode(result)}
        value = values.get(place.item)
        if value is None or value.problem in _GAPS:
            refused[kind] = "the meter has nothing in the place of its count"
        elif value.value is None:
            unfit[kind] = f"its count does not fit: {value.problem}"
        else:
            counts[kind] = int(value.value)


def _together(lasts: Sequence[int], count: int) -> Iterator[Sequence[int]]:
    """Places that one selector asks for: so many of the newest ones in one, any other by itself."""
    newest = [last for number, last in enumerate(lasts, start=1) if last == number][: max(1, count)]
    if newest:
        yield newest
    yield from ([last] for last in lasts[len(newest) :])


def _oads(said: AttributeResult) -> Iterator[Oad]:
    if isinstance(said.result, Dar) or said.result.type != "array":
        return
    members = [member.value for member in said.result.value if member.type == "OAD"]
    yield from members[:RELATED_MAX]
