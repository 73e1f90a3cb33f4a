"""The events in the memory of DL/T 645 meters: counts and records of class 03, and sub-items of later meters.

Each kind has a counter and the records of its last ten events. Voltages, currents and registers in a record
are those of its beginning (``@start``) where nothing says that they are of its end. An empty record is all
zero, or all FFH.
Source: DL/T 645-2007, annex A.4; spec section 6.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.dlt645.talk import Talk645, Told
from meterlink.drivers.events import EventCounts, EventRecords, ReportedEvent, aware, end_of
from meterlink.errors import BadAnswer, BusFull, LineError, MeterlinkError, Refused, ReplyTimeout
from meterlink.model.event import NUMBER, EventContent, EventValue
from meterlink.model.event_kinds import EVENT_KINDS
from meterprofiles import Profile
from meterwire import catalogue
from meterwire.dlt645 import Dictionary, Entry, ItemValue

_DICTIONARIES_KEPT: Final = 32
_PHASES: Final = ("a", "b", "c")
_DEMANDS: Final = ("forward_demand_over_limit", "reverse_demand_over_limit")
_QUADRANTS: Final = 4
_BEGINNINGS: Final = ("event_started_at", "event_at", "clock_before")
_ENDS: Final = ("event_ended_at", "clock_after")
_AROUND: Final = {"start": "start", "before": "start", "end": "end", "after": "end"}
_SHOWN_THEN: Final = frozenset({"register", "demand", "instant"})
"""Kinds of quantity that are those of a moment; a record takes them when its event begins."""
_CLOCK: Final = frozenset({"clock_before", "clock_after"})


class Counted645(NamedTuple):
    """Where a kind of event stands.

    Args:
        counter: identifier of its count, which others may share.
        item: of the count in the answer.
        record: name of its records; ``{}`` stands for which.

    """

    counter: Entry
    item: str
    record: str


@functools.lru_cache(_DICTIONARIES_KEPT)
def counted_kinds(items: Dictionary) -> Mapping[str, Counted645]:
    """Every kind of event that a dictionary has a count and records of.

    Args:
        items: of an edition, as some model has it.

    """
    found: dict[str, Counted645] = {}
    for base in EVENT_KINDS:
        if (counter := items.by_name(f"{base}_count")) is not None:
            found |= _of_class_03(base, counter)
        elif (counter := items.by_name(f"{base}_count@item")) is not None:
            found[base] = Counted645(counter, f"{base}_count", f"{base}_record@items/last.{{}}")
    if (counter := items.by_name("demand_over_limit_count")) is not None:
        found |= _of_demands(counter)
    return {kind: place for kind, place in found.items() if items.by_name(place.record.format(1))}


def _of_class_03(base: str, counter: Entry) -> Iterable[tuple[str, Counted645]]:
    if f"{base}_count" in counter.items:
        return [(base, Counted645(counter, f"{base}_count", f"{base}_record@last.{{}}"))]
    return [
        (
            f"{base}.{phase}",
            Counted645(counter, f"{base}_count.{phase}", f"{base}_record@phase.{n}/last.{{}}"),
        )
        for n, phase in enumerate(_PHASES, start=1)
        if f"{base}_count.{phase}" in counter.items
    ]


def _of_demands(counter: Entry) -> Iterator[tuple[str, Counted645]]:
    record = "demand_over_limit_record@kind.{}/last.{{}}"
    for n, kind in enumerate(_DEMANDS, start=1):
        yield kind, Counted645(counter, f"{kind}_count", record.format(n))
    for n in range(1, _QUADRANTS + 1):
        kind = f"reactive_demand_over_limit@quadrant.{n}"
        yield (
            kind,
            Counted645(counter, f"reactive_demand_over_limit_count_q{n}", record.format(len(_DEMANDS) + n)),
        )


class Events645:
    """Reads the events of meters of one profile.

    Args:
        profile: of the meters.
        talk: the way to ask them.
        clock: says when an answer was taken.
        zone: what their clocks show.

    """

    def __init__(self, profile: Profile, *, talk: Talk645, clock: Clock, zone: tzinfo) -> None:
        self._items = profile.dictionary
        self._protocol = profile.protocol
        self._talk, self._clock, self._zone = talk, clock, zone

    @property
    def kinds(self) -> Mapping[str, Counted645]:
        """The kinds of event that they have."""
        return counted_kinds(self._items)

    async def counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """See ``EventReader.read_event_counts``: an exchange a counter, whatever it counts."""
        counts: dict[str, int] = {}
        refused: dict[str, str] = {}
        unfit: dict[str, str] = {}
        counters = dict.fromkeys(self.kinds[kind].counter.di for kind in kinds)
        cut_short: MeterlinkError | None = None
        for di in counters:
            asked = [kind for kind in kinds if self.kinds[kind].counter.di == di]
            try:
                told = await self._talk.ask(line, address, self.kinds[asked[0]].counter, priority=priority)
            except Refused as error:
                told_of = refused if error.no_such else unfit  # any other refusal may end
                told_of |= dict.fromkeys(asked, str(error))
            except BadAnswer as error:
                unfit |= dict.fromkeys(asked, str(error))
            except (ReplyTimeout, LineError, BusFull) as error:
                cut_short = error
                break
            else:
                self._sort(asked, told, counts, refused)
        return EventCounts(counts=counts, refused=refused, unfit=unfit, cut_short=cut_short)

    def _sort(
        self, asked: Iterable[str], told: Told, counts: dict[str, int], refused: dict[str, str]
    ) -> None:
        values = {value.item: value.value for value in told.values}
        for kind in asked:
            count = values.get(self.kinds[kind].item)
            if count is None:
                refused[kind] = "the meter has filled the place of its count"
            else:
                counts[kind] = int(count)

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
        """See ``EventReader.read_event_records``: an exchange a record, or more.

        A record that the meter says it does not have is not there, though its counter has counted it: it may
        keep fewer than ten, or none of that kind. The spec says of an empty record that it is all zero or FFH
        (section 6), and of what was never taken that it may be refused as well (section 8.1); the counter is
        read again behind it, and what is missing is told as gone. Any other refusal may end.
        Source: spec dlt645, sections 2.5, 6 and 8.1.
        """
        found: dict[int, ReportedEvent | None] = {}
        taken_at = self._clock.utc_now()
        for last in lasts:
            entry = self._items.by_name(self.kinds[kind].record.format(last))
            assert entry is not None, "a kind has all its records"
            try:
                told = await self._talk.ask(line, address, entry, priority=priority)
            except Refused as error:
                if not error.no_such:  # it may tell it in a moment
                    return EventRecords(records=found, taken_at=taken_at, cut_short=error)
                found[last] = None
            except (ReplyTimeout, LineError, BusFull) as error:
                return EventRecords(records=found, taken_at=taken_at, cut_short=error)
            else:
                taken_at = told.taken_at
                found[last] = self._event(address, kind, entry, told.values, count - last + 1)
        return EventRecords(records=found, taken_at=taken_at)

    def _event(
        self, address: str, kind: str, entry: Entry, values: Sequence[ItemValue], number: int
    ) -> ReportedEvent | None:
        began = self._moment(values, _BEGINNINGS)
        kept = list(_values(values, self._zone, whole=began is None))
        if began is None and not kept:
            return None
        return ReportedEvent(
            address=address,
            kind=kind,
            occurred_at=began,
            ended_at=end_of(kind, began, self._moment(values, _ENDS)),
            values=(EventValue(item=NUMBER, content=Decimal(number)), *kept),
            source=f"{self._protocol} {entry.di:08X}",
        )

    def _moment(self, values: Sequence[ItemValue], items: Sequence[str]) -> datetime | None:
        found = {value.item: value.moment for value in values if value.moment is not None}
        return next((aware(found[item], self._zone) for item in items if item in found), None)


def _values(values: Sequence[ItemValue], zone: tzinfo, *, whole: bool) -> Iterator[EventValue]:
    """What came with an event, without its times; of a record without a beginning only what is not zero."""
    often = Counter(value.label.key for value in values)
    told = Counter[str]()
    for value in values:
        name = _name(value)
        if often[value.label.key] > 1:
            told[value.label.key] += 1
            name = f"{name}.{told[value.label.key]}"
        is_time = value.item in {*_BEGINNINGS, *_ENDS} and value.item not in _CLOCK
        if value.content is None or is_time or (whole and _is_nothing(value)):
            continue
        yield EventValue(item=name, content=_content(value, zone), unit=value.unit)


def _name(value: ItemValue) -> str:
    """The item, and when around the event it was so."""
    around = next((_AROUND[part] for part in value.period.split("/") if part in _AROUND), "")
    if not around:
        quantity = catalogue.quantities().get(value.item.partition(".")[0])
        around = "start" if quantity is not None and quantity.kind in _SHOWN_THEN else ""
    return f"{value.item}@{around}" if around else value.item


def _content(value: ItemValue, zone: tzinfo) -> EventContent:
    if isinstance(value.content, Decimal):
        return value.content
    return aware(value.moment, zone) or str(value.content)


def _is_nothing(value: ItemValue) -> bool:
    """Whether it is what an empty record holds."""
    return not value.raw.strip(b"\x00") or not value.raw.strip(b"\xff")
