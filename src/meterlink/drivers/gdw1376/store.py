"""What a terminal has in its own store: class 1 (read last), class 2 (freezes and curves).

Several functions and days go into one request; what a terminal denies as a whole is asked one by one, until
it has shown that it can do both. A quantity may stand in two functions: the one that has brought data before
is asked first. What an answer says of itself counts, not what was asked: its date, or its start, interval and
number of points. EE and its likes are no value, and no value is nothing: it is for the meter itself to tell.

Date D is the end of day D, so its slot is 00:00 of D + 1. Source: spec gdw1376, B3; decision 11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Measured
from meterlink.drivers.gdw1376.ahead import Coming
from meterlink.drivers.gdw1376.archive import Entry
from meterlink.drivers.gdw1376.station import Station
from meterlink.drivers.gdw1376.units import read_at_of, values_of
from meterlink.errors import LineLost
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, FREEZES, DataClass
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.functions.classes import NOW, choices
from meterwire.gdw1376.functions.function import Function
from meterwire.gdw1376.layouts.counts import MINUTES
from meterwire.gdw1376.messages.terminal import Unit, unit

POINTS_MAX: Final = 96
"""Points of one curve in one request: a day of quarters of an hour."""
REQUEST_POINTS_MAX: Final = 192
"""Points of all curves in one request, so that an answer is a frame of about 1 KB."""
AHEAD_MAX: Final = timedelta(minutes=5)
"""A terminal's clock may be ahead of ours by this; what it read later than that it has not read."""
_DENSITIES: Final = {timedelta(minutes=minutes): code for code, minutes in MINUTES.items()}

Mark = tuple[tuple[str, Any], ...]
"""What a request of class 2 names besides point and function, by field."""


class Wish(NamedTuple):
    """One unit that may be asked for.

    Args:
        fn: function.
        mark: its time mark.
        points: values that it brings.

    """

    fn: int
    mark: Mark = ()
    points: int = 1

    @property
    def date(self) -> Moment | None:
        """Its day or month; ``None``: it names none."""
        found = dict(self.mark).get("date")
        return found if isinstance(found, Moment) else None


class Told(NamedTuple):
    """What a terminal tells of one item of the moment.

    Args:
        values: that it has.
        times: when it read them, as far as it says so.

    """

    values: list[Measured]
    times: list[datetime]


Found = dict[datetime, dict[str, Measured]]
"""Values by slot and item."""


def now_items(item: str) -> bool:
    """Whether terminals can hold an item of the moment."""
    return bool(choices(NOW, item))


def is_told_now(item: str) -> bool:
    """Whether terminals can hold an item of the moment, as a number."""
    return now_items(item) and not _is_time(item)


def is_stored(data_class: DataClass, item: str) -> bool:
    """Whether terminals can hold an item of a class, as a number."""
    return bool(choices(data_class, item)) and not _is_time(item)


def _is_time(item: str) -> bool:
    return item.partition(".")[0].endswith("_at")


class Store:
    """The store of one terminal.

    Args:
        station: the terminal.
        line: that of its connection.

    """

    def __init__(self, station: Station, line: Line) -> None:
        self._station = station
        self._line = line
        self.route = f"terminal {station.name} store"

    async def now(self, entry: Entry, items: Sequence[str], *, priority: Priority) -> Mapping[str, Told]:
        """What the terminal read last of a meter, by item; nothing of those that it has not.

        Args:
            entry: the meter in its archive.
            items: names; those that no function holds have nothing.
            priority: who goes first.

        Raises:
            BadAnswer, ConfigError, ReplyTimeout, LineError, BusFull: as ``Station.ask``.

        """
        told: dict[str, Told] = {item: Told([], []) for item in items}
        open_ = [(item, self._ordered(among)) for item in items for among in choices(NOW, item)]
        while open_:
            wishes = list(dict.fromkeys(Wish(among[0].fn) for _, among in open_))
            units = await self._ask(table.CLASS_1, entry, wishes, priority)
            left = []
            for item, among in open_:
                if self._tells(told[item], item, [one for one in units if one.fn == among[0].fn]):
                    continue
                if (table.CLASS_1, among[0].fn) not in self._station.works and among[1:]:
                    left.append((item, among[1:]))
            open_ = left
        return told

    def _tells(self, told: Told, item: str, units: Sequence[Unit]) -> bool:
        """Take what units say of an item; whether they say anything."""
        found = [one for unit_ in units for one in values_of(unit_, None, self._station.zone, [item])]
        told.values.extend(self._taken_by(measured) for _, measured in found)
        told.times.extend(when for when, _ in found if when is not None)
        return bool(found)

    async def stored(
        self,
        entry: Entry,
        data_class: DataClass,
        items: Sequence[str],
        slots: Iterable[datetime],
        *,
        every: timedelta,
        priority: Priority,
    ) -> Found:
        """What the terminal has of some slots, as far as it has any.

        Args:
            entry: the meter in its archive.
            data_class: of freezes, or the curve.
            items: as ``MemoryReader.read_stored``; those that no function holds are passed over.
            slots: aware.
            every: of a curve.
            priority: who goes first.

        Raises:
            BadAnswer, ConfigError, ReplyTimeout, LineError, BusFull: as ``Station.ask``.

        """
        found: Found = {}
        marks = list(self._marks(data_class, slots, every))
        open_: list[tuple[tuple[Function, ...], Mark, int]] = [
            (self._ordered(among), mark, points)
            for among in dict.fromkeys(one for item in items for one in choices(data_class, item))
            for mark, points in marks
        ]
        while open_:
            wishes = list(dict.fromkeys(Wish(among[0].fn, mark, points) for among, mark, points in open_))
            units = await self._ask(table.CLASS_2, entry, wishes, priority)
            came: set[Wish] = set()
            for one in units:
                came.update(self._taken(one, data_class, items, found, wishes))
            open_ = [
                (among[1:], mark, points)
                for among, mark, points in open_
                if Wish(among[0].fn, mark, points) not in came
                and (table.CLASS_2, among[0].fn) not in self._station.works
                and among[1:]
            ]
        return found

    def _taken_by(self, value: Measured) -> Measured:
        """A value whose time is that of the terminal's clock; freezes are the meters' own."""
        return value._replace(route=self.route, marks=value.marks | self._station.clock_marks)

    # --- asking ----------------------------------------------------------------------------

    async def _ask(self, afn: int, entry: Entry, wishes: Sequence[Wish], priority: Priority) -> list[Unit]:
        """The units that came for these wishes, of this meter's point and no other's."""
        units = [one for wish in wishes if (one := self._come_along(entry, wish)) is not None]
        there = {(one.fn, one.values.get("date")) for one in units}
        left = [wish for wish in wishes if (wish.fn, wish.date) not in there or wish.date is None]
        for some in self._portions(left):
            units += await self._ask_some(afn, entry, some, priority)
        for one in units:
            self._station.works.add((afn, one.fn))
        return units

    def _come_along(self, entry: Entry, wish: Wish) -> Unit | None:
        """What came with another meter's, if it did."""
        if wish.date is None:
            return None
        coming = Coming(entry.point, wish.fn, wish.date)
        return self._station.ahead.take(coming, self._station.clock.monotonic_s())

    async def _ask_some(
        self, afn: int, entry: Entry, wishes: Sequence[Wish], priority: Priority
    ) -> list[Unit]:
        """One request; what is denied as a whole is asked again unit by unit.

        A terminal may deny all when it lacks one, or because it takes one at a time.
        """
        others = list(self._others(entry, wishes))
        groups = [unit(afn, wish.fn, dict(wish.mark), point=entry.point) for wish in wishes]
        groups += [unit(afn, one.fn, {"date": one.date}, point=one.point) for one in others]
        answer = await self._station.ask(self._line, afn, groups, priority=priority)
        self._check(entry)
        known = [one for one in answer.units if one.fields is not None]
        units = [one for one in known if one.point == entry.point]
        self._keep_along(known, others)
        if len(groups) == 1 or units:
            self._station.many_work |= len(known) > 1
            return units
        if known:  # it took several, and has nothing of this meter
            return units
        for wish in wishes:
            alone = [unit(afn, wish.fn, dict(wish.mark), point=entry.point)]
            one_by_one = await self._station.ask(self._line, afn, alone, priority=priority)
            self._check(entry)
            units += [one for one in one_by_one.units if one.point == entry.point and one.fields is not None]
        self._station.single_units |= bool(units) and not self._station.many_work
        return units

    def _check(self, entry: Entry) -> None:
        """The point is still the meter's.

        Raises:
            LineLost: the terminal has logged in anew meanwhile, and its points may be others.

        """
        if self._station.last_entry(entry.address) != entry:
            raise LineLost(f"terminal {self._station.name} has logged in anew, and its points may be others")

    def _others(self, entry: Entry, wishes: Sequence[Wish]) -> Iterator[Coming]:
        """Freezes of other meters for which a request has room."""
        archive, station = self._station.archive, self._station
        room = station.settings.units_max - len(wishes)
        if archive is None or station.single_units or room <= 0 or any(wish.date is None for wish in wishes):
            return
        points = archive.points_of(station.roster)
        each = [
            station.ahead.others(Coming(entry.point, wish.fn, wish.date), points)
            for wish in wishes
            if wish.date is not None
        ]
        # All that is asked of this meter comes of the next one before anything of the one after that.
        yield from islice((one for of_point in zip(*each, strict=False) for one in of_point), room)

    def _keep_along(self, units: Sequence[Unit], others: Sequence[Coming]) -> None:
        wanted, now_s = set(others), self._station.clock.monotonic_s()
        for one in units:
            coming = Coming(one.point, one.fn, one.values.get("date") or Moment())
            if coming in wanted and any(True for _ in values_of(one, None, self._station.zone)):
                self._station.ahead.put(coming, one, now_s)

    def _portions(self, wishes: Sequence[Wish]) -> Iterator[Sequence[Wish]]:
        """What goes into one request each."""
        most = 1 if self._station.single_units else self._station.settings.units_max
        portion: list[Wish] = []
        for wish in wishes:
            points = sum(one.points for one in portion) + wish.points
            if portion and (len(portion) >= most or points > REQUEST_POINTS_MAX):
                yield portion
                portion = []
            portion.append(wish)
        if portion:
            yield portion

    def _ordered(self, among: Sequence[Function]) -> tuple[Function, ...]:
        """Those that have brought data first."""
        return tuple(sorted(among, key=lambda one: (one.afn, one.fn) not in self._station.works))

    # --- time marks ------------------------------------------------------------------------

    def _marks(
        self, data_class: DataClass, slots: Iterable[datetime], every: timedelta
    ) -> Iterator[tuple[Mark, int]]:
        """The time marks of slots, and how many values each brings."""
        local = sorted(slot.astimezone(self._station.zone) for slot in slots)
        if data_class == CURVE:
            yield from _curve_marks(local, every)
            return
        for slot in local:
            if slot.time() != time() or (data_class != DAILY_FREEZE and slot.day != 1):
                continue  # terminals freeze at the end of days and months, and at no other time
            ended = slot.date() - timedelta(days=1)
            day = ended.day if data_class == DAILY_FREEZE else None
            yield (("date", Moment(year=ended.year % 100, month=ended.month, day=day)),), 1

    # --- answers ---------------------------------------------------------------------------

    def _taken(
        self,
        one: Unit,
        data_class: DataClass,
        items: Sequence[str],
        found: Found,
        wishes: Sequence[Wish],
    ) -> list[Wish]:
        """Put the values of a unit where they belong; the wishes that it fulfils."""
        values = list(values_of(one, data_class, self._station.zone, items))
        if data_class in FREEZES:
            read_at = read_at_of(one, self._station.zone)
            values = [
                (slot, value)
                for slot, value in values
                if slot is not None and self._station.files_well(slot, read_at)
            ]
        for slot, value in values:
            if slot is not None:
                told = self._taken_by(value) if data_class == CURVE else value._replace(route=self.route)
                found.setdefault(slot, {}).setdefault(value.item, told)
        if not values:
            return []
        shown = one.values.get("date") or one.values.get("start")
        return [wish for wish in wishes if wish.fn == one.fn and shown in dict(wish.mark).values()]


def _curve_marks(local: Sequence[datetime], every: timedelta) -> Iterator[tuple[Mark, int]]:
    """Runs of points that cover the slots; none where terminals keep no such interval."""
    density = _DENSITIES.get(every)
    if density is None:
        return
    run: list[datetime] = []
    for slot in [*local, None]:
        if run and (slot is None or (slot - run[0]) // every >= POINTS_MAX):
            start, points = run[0], (run[-1] - run[0]) // every + 1
            moment = Moment.to_the_minute(start)
            yield (("start", moment), ("density", density), ("points", points)), points
            run = []
        if slot is not None:
            run.append(slot)
