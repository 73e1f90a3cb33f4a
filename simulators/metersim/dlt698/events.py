"""Event objects 3000 to 303F of a meter: what happened, counted, and told by record tables.

An object of class 7 has one table (attribute 2); one of class 24 has a table for each phase (7 to 9) and,
where the meter judges the sum of the phases too, one before them (6). Events of quadrants have four tables.
A column that names when around the event it was taken (bits 5 to 7 of its attribute) is what the meter
showed then, and any other what it showed as the event began. Source: spec section 6.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from metersim.dlt698.circumstances import DENIED, OUT_OF_RANGE, TYPE_UNFIT, Circumstances, Done
from metersim.works.events import EVENT_DEPTH, Event
from metersim.works.moments import PLANT_TIME
from metersim.works.works import Works
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.dictionary import FEATURES, dictionary
from meterwire.dlt698.objects.object_rows import Object

RELATED_MAX: Final = 32
"""Columns that an event object is told to keep."""
ON_START, ON_END = 1, 2
"""Bits of a report flag."""

_METER_EVENTS: Final = 0x30  # high octet; those of terminals are 31H and 32H
_WHOLE, _IN_PARTS = 7, 24
_TABLES: Final = {6: "", 7: "a", 8: "b", 9: "c"}
"""Attributes of class 24 that are record tables, and their phases."""
_TOTALS: Final = {"flow_reversal": "total_flow_reversal"}
"""Events in parts of which there is one of the sum, too."""
_QUADRANTS: Final = frozenset({"reactive_demand_over_limit"})
_ORDERED: Final = frozenset(
    {"programming", "meter_clear", "demand_clear", "event_clear", "clock_set", "broadcast_time_set"}
)
"""Somebody did that to the meter on purpose; it reports them only when it is told to."""
_FLAG: Final = {_WHOLE: 8, _IN_PARTS: 11}
_RELATED: Final = {_WHOLE: 3, _IN_PARTS: 2}
_ADD, _DELETE = 4, 5
_FLAG_MAX: Final = ON_START | ON_END
_BEFORE: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_NEVER: Final = DateTimeS(0, 0, 0, 0, 0, 0)
_CLOCK_TIMES: Final = ("clock_before", "clock_after")
_USUAL_COLUMNS: Final = tuple(map(Oad.of, ("00102200", "00202200", "00108200", "00208200")))


class EventRow(NamedTuple):
    """A row of an event table.

    Args:
        event: what happened.
        began: by the meter's clock, before it was set where that is the event.
        ended: by the meter's clock; ``None``: it lasts.

    """

    event: Event
    began: datetime
    ended: datetime | None

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return self.event.number

    @property
    def shown_at(self) -> datetime:
        """When it began, to the second, civil."""
        return self.began.replace(tzinfo=None, microsecond=0)

    def moment(self, feature: int) -> datetime | None:
        """The true time that a column's feature names; ``None``: it has not come yet."""
        name = FEATURES.get(feature, "")
        if not name or name == "after_start":
            return self.event.started_at
        if name == "start":
            return self.event.started_at - _BEFORE
        ended = self.event.ended_at
        return ended - _BEFORE if ended is not None and name == "before_end" else ended


def is_event(oi: int) -> bool:
    """Whether a meter here has the event, with or without records."""
    found = dictionary().object(oi)
    return found is not None and found.interface_class in _FLAG and oi >> 8 == _METER_EVENTS


def kind_of(oad: Oad) -> str | None:
    """The kind of event that a record table tells; ``None``: it is no table."""
    found = dictionary().object(oad.oi)
    if found is None or not is_event(oad.oi):
        return None
    return dict(_tables(found)).get(oad.attribute)


def tables() -> Iterator[tuple[Oad, str]]:
    """The record tables of all event objects, and the kinds of their events."""
    for found in dictionary().objects:
        if is_event(found.oi):
            yield from ((Oad(found.oi, number, 0), kind) for number, kind in _tables(found))


def _tables(found: Object) -> Iterator[tuple[int, str]]:
    if found.interface_class == _WHOLE:
        yield 2, found.item
        return
    for number, phase in _TABLES.items():
        if found.item in _QUADRANTS:
            yield number, found.item
        elif phase:
            yield number, f"{found.item}.{phase}"
        elif found.item in _TOTALS:
            yield number, _TOTALS[found.item]


class EventPart:
    """The event objects of one meter.

    Args:
        works: of the meter.

    Attributes:
        objects: all of them.

    """

    def __init__(self, works: Works) -> None:
        self._works = works
        self._events = {one.oi: one for one in dictionary().objects if is_event(one.oi)}
        self.objects = frozenset(self._events)
        self._flags: dict[int, int] = {}
        self._related: dict[int, tuple[Oad, ...]] = {}

    def rows(self, kind: str, at: datetime) -> Iterator[EventRow]:
        """The events of a kind, newest first.

        Args:
            kind: e.g. ``power_down``, ``voltage_loss.a``.
            at: true time, aware.

        """
        for event in reversed(self._kept(kind, at)):
            yield self._row(event)

    def related(self, oi: int) -> tuple[Oad, ...]:
        """The columns that an event object keeps when nobody names others."""
        return self._related.get(oi, _USUAL_COLUMNS)

    def flag(self, oi: int) -> int:
        """When the meter reports an event: bit 0 as it begins, bit 1 as it ends."""
        usual = 0 if self._events[oi].item in _ORDERED else ON_START
        return self._flags.get(oi, usual)

    # --- attributes and methods ---

    def read(self, oad: Oad, at: datetime) -> Data | Dar | None:
        """Counts, times, flags and related objects; tables are read by records alone."""
        found = self._events[oad.oi]
        if kind_of(oad) is not None:
            return DENIED
        if oad.attribute == _RELATED[found.interface_class]:
            return Data("array", tuple(Data("OAD", column) for column in self.related(oad.oi)))
        if oad.attribute == _FLAG[found.interface_class]:
            return Data("enum", self.flag(oad.oi))
        if oad.attribute == _FLAG[found.interface_class] + 1:
            return Data("bool", True)
        shown = self._of_whole if found.interface_class == _WHOLE else self._of_parts
        return shown(found, oad.attribute, at)

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """The report flag."""
        del how
        if item.oad != Oad(item.oad.oi, _FLAG[self._events[item.oad.oi].interface_class], 0):
            return None
        if item.data.type != "enum":
            return TYPE_UNFIT
        if item.data.value > _FLAG_MAX:
            return OUT_OF_RANGE
        self._flags[item.oad.oi] = item.data.value
        return SUCCESS

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """Add or delete a related object."""
        del how
        oi, method = item.omd.oi, item.omd.method
        if method not in {_ADD, _DELETE}:
            return None
        if item.data.type != "OAD":
            return Done(TYPE_UNFIT)
        kept = tuple(column for column in self.related(oi) if column != item.data.value)
        if method == _ADD:
            kept = (*kept, item.data.value)
        elif len(kept) == len(self.related(oi)):
            return Done(OUT_OF_RANGE)
        if len(kept) > RELATED_MAX:
            return Done(OUT_OF_RANGE)
        self._related[oi] = kept
        return Done()

    def _of_whole(self, found: Object, attribute: int, at: datetime) -> Data | None:
        kind = found.item
        match attribute:
            case 4:
                return Data("long-unsigned", len(self._kept(kind, at)))
            case 5:
                return Data("long-unsigned", EVENT_DEPTH)
            case 7:
                return Data("array", (Data("structure", (NULL, self._counts(kind, at))),))
            case 10:
                return Data("array", (Data("structure", (NULL, _structure(*self._last(kind, at)))),))
            case _:
                return None

    def _of_parts(self, found: Object, attribute: int, at: datetime) -> Data | None:
        kinds = dict.fromkeys(_TABLES, found.item) | dict(_tables(found))
        match attribute:
            case 3:
                tabled = dict(_tables(found))
                kept = (len(self._kept(tabled[n], at)) if n in tabled else 0 for n in _TABLES)
                return _structure(*(Data("long-unsigned", count) for count in kept))
            case 4:
                return Data("long-unsigned", EVENT_DEPTH)
            case 10:
                return _structure(*(self._counts(kinds[number], at) for number in _TABLES))
            case 13 if found.row(13) is not None:
                return _structure(*self._counts(found.item, at).value, *self._last(found.item, at))
            case _:
                return None

    def _kept(self, kind: str, at: datetime) -> tuple[Event, ...]:
        """The last events of a kind, oldest first."""
        return self._works.events.events(kind, at)

    def _counts(self, kind: str, at: datetime) -> Data:
        events = self._works.events
        seconds = events.duration(kind, at) // _SECOND
        return _structure(
            Data("double-long-unsigned", events.count(kind, at)), Data("double-long-unsigned", seconds)
        )

    def _last(self, kind: str, at: datetime) -> tuple[Data, Data]:
        """When the last one began and ended; zeros: never."""
        row = next(self.rows(kind, at), None)
        times = (row.began, row.ended) if row is not None else (None, None)
        began, ended = (_NEVER if time is None else DateTimeS.of(time) for time in times)
        return Data("date_time_s", began), Data("date_time_s", ended)

    def _row(self, event: Event) -> EventRow:
        details = [event.details.get(name) for name in _CLOCK_TIMES]
        if all(isinstance(text, str) for text in details):
            began, ended = (_moment(str(text)) for text in details)
            return EventRow(event, began, ended)
        shows = self._works.clock.shows
        ended_at = event.ended_at
        return EventRow(event, shows(event.started_at), None if ended_at is None else shows(ended_at))


def _structure(*members: Data) -> Data:
    return Data("structure", members)


def _moment(civil: str) -> datetime:
    return datetime.strptime(civil, "%Y-%m-%d %H:%M:%S").replace(tzinfo=PLANT_TIME)
