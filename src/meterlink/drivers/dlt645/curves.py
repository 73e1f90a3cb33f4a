"""Points of a curve out of the load records of a DL/T 645 meter, each under the time that it says itself.

Records are asked for "from a time on", several at once, the newest slots first. A meter begins with its first
record at that time or later, so what is missing before the first record that came is not there; what is
missing between two of them is asked for by itself, and of later times nothing is said. Where nothing came at
all, the time of the newest record tells what is not there yet. Records of other times than those asked for
are passed over.

An answer that comes late, or twice, passes for that to the next question: DL/T 645 numbers nothing. What is
told gone is never asked again, so a record that ought to be there and did not come is asked for once more,
together with as many others as no answer of late had: their number says which question was answered.
Source: DL/T 645-2007, annex B; spec section 8.2.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from meterlink.drivers.dlt645.talk import Told
from meterlink.drivers.freezes import FreezeFindings, freeze_instant
from meterlink.drivers.stored import StoredFindings
from meterlink.drivers.values import each_once, measured
from meterlink.errors import BadAnswer, ClockFarAhead, FreezeRefused, NoFreeze, Refused
from meterlink.model.items import is_part
from meterwire.dlt645 import Dictionary, Entry, ItemValue
from meterwire.dlt645.items import record_selector
from meterwire.dlt645.items.dictionary import DICTIONARIES_KEPT
from meterwire.dlt645.items.load_records import LoadRecords

BAD_ANSWERS_MAX: Final = 3
"""Answers that do not fit, after which a class is not asked any more in one reading."""

REFUSALS_BELIEVED: Final = 2
"""A meter that refuses its newest load record so often in a row has none."""
LATELY: Final = 3
"""Questions whose answers may still come; each asks for one number of records, and may bring another."""

_CLASSES: Final = range(1, 7)
_FROM_TIME: Final = 1
_NEWEST: Final = 2
_TIME: Final = "recorded_at"

Ask = Callable[[Entry, bytes], Awaitable[Told]]
"""One exchange with the meter for load records, with the octets that say which."""


class CurveTable:
    """The load records of a dictionary: which of the six classes holds what.

    Args:
        of_class: by class, the identifiers of the records from a time on, and of the newest.
        items: by class, what it holds.

    """

    def __init__(self, of_class: dict[int, tuple[Entry, Entry]], items: dict[int, tuple[str, ...]]) -> None:
        self.of_class = of_class
        self._items = items

    @property
    def quantities(self) -> tuple[str, ...]:
        """What can be asked for, without dimensions."""
        return tuple(dict.fromkeys(item.partition(".")[0] for held in self._items.values() for item in held))

    def class_of(self, item: str) -> int | None:
        """The class that holds an item (or a part of a block, ``.*``), or ``None``."""
        held = (number for number, items in self._items.items() if any(is_part(one, item) for one in items))
        return next(held, None)


@functools.lru_cache(DICTIONARIES_KEPT)
def curve_table(known: Dictionary) -> CurveTable | None:
    """The load records of meters with these identifiers; ``None`` where there are none.

    Args:
        known: the identifiers of a profile.

    """
    of_class: dict[int, tuple[Entry, Entry]] = {}
    items: dict[int, tuple[str, ...]] = {}
    for number in _CLASSES:
        family = 0x06000000 | number << 16
        entries = known.by_di(family | _FROM_TIME), known.by_di(family | _NEWEST)
        if entries[0] is None or entries[1] is None:
            continue
        shape = entries[0].shapes[0]
        if isinstance(shape, LoadRecords):
            of_class[number] = entries[0], entries[1]
            items[number] = tuple(label.item for label in shape.classes[number - 1].labels)
    return CurveTable(of_class, items) if of_class else None


@dataclass(frozen=True, slots=True)
class _Points:
    """What one answer brought: values by time, and whether something in it could not be used."""

    by_slot: dict[datetime, list[ItemValue]]
    is_whole: bool


class CurveReader:
    """One reading of one class of load records of one meter.

    Args:
        entries: of the records from a time on, and of the newest.
        every: between the slots.
        ask: carries out an exchange with the meter.
        zone: what the meter's clock shows.
        meter: for messages.

    """

    def __init__(
        self,
        entries: tuple[Entry, Entry],
        *,
        every: timedelta,
        ask: Ask,
        zone: tzinfo,
        meter: str,
    ) -> None:
        self._from_time, self._newest_entry = entries
        self._every = every
        self._ask = ask
        self._zone = zone
        self._meter = meter
        self._newest: datetime | None = None
        self._step = every
        self._bad = 0
        self._lately: deque[int] = deque(maxlen=2 * LATELY)

    async def read(self, found: StoredFindings) -> None:
        """Read the slots that are open.

        Raises:
            NoFreeze: the meter has no load records of this class.
            ClockFarAhead: it holds one that is yet to come.
            FreezeRefused: it says no, again and again, and not for want of data.
            BadAnswer: again and again its answers do not fit.

        """
        slots = found.open
        while slots:
            chunk = _chunk(slots, self._every)
            slots = slots[len(chunk) :]
            while chunk:
                chunk = await self._read_from(chunk, found)

    async def _read_from(self, chunk: list[datetime], found: StoredFindings) -> list[datetime]:
        """Ask from the oldest slot of a chunk on; gives the slots of it of which nothing is known yet.

        Args:
            chunk: oldest first.
            found: where it goes.

        """
        start, count = chunk[0], self._count(chunk)
        try:
            points = await self._points_from(start, count, found)
            if start not in points.by_slot and await self._is_past(start, points, found):
                points = await self._confirmed(start, points, found)
        except (BadAnswer, FreezeRefused) as error:
            self._bad += 1
            if self._bad >= BAD_ANSWERS_MAX:
                raise
            if isinstance(error, FreezeRefused):
                return chunk  # it says nothing of the slot, and may have passed
            found.absent(start, "unfit", str(error))
            return chunk[1:]
        told = sorted(slot for slot in points.by_slot if slot >= start)
        if not told:
            return await self._without(chunk, points, found)
        if told[0] > start and await self._is_end(told, count, found):
            found.absent(start, "unfit", f"{self._meter} answered with its newest load records instead")
            return chunk[1:]
        self._learn(told)
        last = told[-1]
        for slot in chunk:
            if slot in points.by_slot:
                self._sort(slot, points.by_slot[slot], found)
            elif slot < last and points.is_whole and _is_odd(slot, told):
                return [one for one in chunk if one >= slot]
            elif slot < last:
                self._absent(slot, points, found)
        return [slot for slot in chunk if slot > last]

    async def _is_past(self, start: datetime, points: _Points, found: StoredFindings) -> bool:
        """Whether the meter ought to have had a record that did not come."""
        if not points.is_whole:
            return False
        if points.by_slot:
            return True
        if self._newest is None or start <= self._newest:  # a refusal has no number: another answer parts two
            self._newest = await self._newest_time(found)
        return start <= self._newest

    async def _confirmed(self, start: datetime, first: _Points, found: StoredFindings) -> _Points:
        """Ask in other words for a record that ought to be there; what its meter holds from a time on.

        Args:
            start: its time.
            first: the answer without it.
            found: where it goes.

        Raises:
            BadAnswer: the two do not agree, or the second may belong to another question.

        """
        count = next(number for number in itertools.count(1) if number not in self._lately)
        again = await self._points_from(start, count, found)
        if start in again.by_slot or not (again.by_slot or first.by_slot):
            return again
        both = zip(sorted(first.by_slot), sorted(again.by_slot), strict=False)
        if not (first.by_slot and again.by_slot) or any(one != other for one, other in both):
            raise BadAnswer(f"{self._meter} answered twice, and not the same, from {start} on")
        if len(again.by_slot) != count and not await self._is_end(sorted(again.by_slot), 0, found):
            raise BadAnswer(f"{self._meter} answered {count} records from {start} on with another number")
        return first

    async def _is_end(self, told: Sequence[datetime], count: int, found: StoredFindings) -> bool:
        """Whether as many came as were asked for, and they are the newest: then nobody knows from when on."""
        if len(told) < count:
            return False
        if self._newest is None:
            self._newest = await self._newest_time(found)
        return told[-1] >= self._newest

    async def _without(self, chunk: list[datetime], points: _Points, found: StoredFindings) -> list[datetime]:
        """Nothing came from a time on: what that says of the slots."""
        start = chunk[0]
        if points.by_slot or not points.is_whole:
            reason = f"{self._meter} answered with records that are not those from {start} on"
            found.absent(start, "unfit", reason)
            return chunk[1:]
        if self._newest is None:
            self._newest = await self._newest_time(found)
        if start <= self._newest:
            found.absent(start, "gone", f"{self._meter} has no load record of {start}")
            return chunk[1:]
        for slot in chunk:
            found.absent(slot, "not_yet", f"the newest load record is of {self._newest}")
        return []

    async def _newest_time(self, found: StoredFindings) -> datetime:
        """The time of the newest record.

        A refusal does not say what it refuses, and may belong to the question before: two are believed.

        Raises:
            NoFreeze: there is none.
            BadAnswer: it cannot be told.

        """
        for _ in range(REFUSALS_BELIEVED):
            points = await self._points(self._newest_entry, bytes((1,)), found)
            if points.by_slot:
                return max(points.by_slot)
            if not points.is_whole:
                raise BadAnswer(f"{self._meter} answered its newest load record damaged")
        raise NoFreeze(f"{self._meter} has no load records: {self._newest_entry.item}")

    async def _points_from(self, start: datetime, count: int, found: StoredFindings) -> _Points:
        """The records of an answer from a time on; see ``_points``."""
        since = f"{start.astimezone(self._zone):%Y-%m-%d %H:%M}"
        selector = record_selector.selector(self._from_time.di, count=count, since=since)
        self._lately += count, count
        points = await self._points(self._from_time, selector, found)
        self._lately[-1] = len(points.by_slot)
        return points

    async def _points(self, entry: Entry, selector: bytes, found: StoredFindings) -> _Points:
        """The records of one answer, by time; none where the meter says that there is none.

        Raises:
            BadAnswer: it does not fit.
            FreezeRefused: the meter says no, for another reason.
            ClockFarAhead: it holds a record that is yet to come.

        """
        try:
            told = await self._ask(entry, selector)
        except Refused as error:
            if error.no_such:
                return _Points({}, True)
            raise FreezeRefused(str(error)) from None  # it says nothing of any slot
        found.taken_at = told.taken_at
        shape = entry.shapes[0]
        assert isinstance(shape, LoadRecords), "the table holds no others"
        is_whole = not shape.lost(told.octets)
        by_slot: dict[datetime, list[ItemValue]] = {}
        for values in _records(told.values):
            who = f"{self._meter}, {entry.item}"
            try:
                slot = freeze_instant(values[0].moment, zone=self._zone, now=told.taken_at, who=who)
            except ClockFarAhead:
                raise  # it would say the same of each slot, an exchange each
            except NoFreeze:
                is_whole = False
                continue
            by_slot.setdefault(slot, []).extend(values[1:])
        return _Points(by_slot, is_whole)

    def _sort(self, slot: datetime, values: Sequence[ItemValue], found: StoredFindings) -> None:
        """Sort what the record of a slot holds."""
        try:
            once = each_once(values, f"{self._meter}, load record of {slot}")
        except BadAnswer as error:
            found.absent(slot, "unfit", str(error))
            return
        answer = FreezeFindings()
        for item in found.items:
            parts = [value for value in once if is_part(value.item, item)]
            if all(value.problem == "absent" for value in parts):
                answer.refused[item] = f"{self._meter} has a load record of {slot} without {item}"
            else:
                answer.values += map(measured, parts)
        found.brought(slot, answer)

    def _absent(self, slot: datetime, points: _Points, found: StoredFindings) -> None:
        if points.is_whole:
            found.absent(slot, "gone", f"{self._meter} has no load record of {slot}")
        else:
            reason = f"{self._meter} answered with a record that is damaged or has no time"
            found.absent(slot, "unfit", reason)

    def _count(self, chunk: Sequence[datetime]) -> int:
        """Records that hold a chunk; one where the meter makes more of them than are wanted."""
        count = 1 + (chunk[-1] - chunk[0]) // self._every if self._step >= self._every else 1
        return min(count, record_selector.RECORDS_MAX)

    def _learn(self, told: Sequence[datetime]) -> None:
        """How far apart the meter's records are."""
        gaps = [later - sooner for sooner, later in itertools.pairwise(told)]
        self._step = min([self._step, *gaps])


def _is_odd(slot: datetime, told: Sequence[datetime]) -> bool:
    """Whether a slot without a record lies in a gap that is wider than the others of its answer.

    A following frame has a number of its own and says nothing of its question: one that comes late, or twice,
    ends the next answer with the last records of the one before. So the gap is asked for by itself; not where
    the meter records less often than is wanted, for then all its gaps are alike.

    Args:
        slot: before the last record.
        told: times of the records, oldest first.

    """
    around = [(sooner, later) for sooner, later in itertools.pairwise(told) if sooner < slot < later]
    gaps = [later - sooner for sooner, later in itertools.pairwise(told)]
    return any(len(gaps) == 1 or later - sooner > min(gaps) for sooner, later in around)


def _chunk(newest_first: Sequence[datetime], every: timedelta) -> list[datetime]:
    """The slots that one answer may bring, oldest first."""
    oldest = newest_first[0] - (record_selector.RECORDS_MAX - 1) * every
    return sorted(slot for slot in newest_first if slot >= oldest)


def _records(values: Sequence[ItemValue]) -> Iterator[list[ItemValue]]:
    """The values of each record; the first one of each is its time."""
    starts = [at for at, value in enumerate(values) if value.item == _TIME]
    for start, end in itertools.pairwise([*starts, len(values)]):
        yield list(values[start:end])
