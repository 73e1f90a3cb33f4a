"""What a meter's memory brought, slot by slot, until it is an answer; the same for all protocols.

A slot may be asked for in several parts (classes of load records, tables, columns). It has a record as soon
as one part brought one; the items of the other parts are then refused or unfit in it. Without any record the
worst that is not certain decides: what another try may bring is never called gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from meterlink.drivers.base import DAY_S, Depth, Measured, StoredAnswer, StoredRecord
from meterlink.drivers.freezes import FreezeFindings
from meterlink.errors import BadAnswer, BusFull, LineError, MeterlinkError, NoFreeze, ReplyTimeout
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from meterlink.model.items import is_part
from meterprofiles import Profile

NEAR: Final = timedelta(hours=1)
"""A daily freeze this near to a slot is told under its own time where that slot has none: some meters freeze
at another minute than midnight. Source: business rules, FRZ-04."""
_ENDINGS: Final = (ReplyTimeout, LineError, BusFull, BadAnswer, NoFreeze)
"""What ends a reading, and leaves what came before."""

Absence = Literal["unfit", "not_yet", "gone"]
"""Why a slot has no record, the least certain first."""
_ABSENCES: Final[tuple[Absence, ...]] = ("unfit", "not_yet", "gone")


def depths(profile: Profile, kept: Iterable[DataClass]) -> dict[DataClass, Depth]:
    """How much the meters of a profile hold of each class.

    Args:
        profile: of the meters.
        kept: the classes that its protocol and dialect can be asked for.

    """
    memory = profile.memory
    found: dict[DataClass, Depth] = {
        DAILY_FREEZE: Depth(
            records=memory.daily_freeze, every_s=DAY_S, is_sure="daily_freeze" in memory.sure
        ),
        MONTHLY_FREEZE: Depth(
            records=memory.monthly_freeze, every_s=0, is_sure="monthly_freeze" in memory.sure
        ),
        CURVE: Depth(
            records=memory.curve,
            every_s=memory.curve_every_min * 60,
            is_sure={"curve", "curve_every_min"} <= memory.sure,
        ),
    }
    return {name: found[name] for name in found if name in set(kept) and found[name].records}


@dataclass(slots=True)
class _Slot:
    """What is known of one slot so far."""

    has_record: bool = False
    values: list[Measured] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    absent: dict[Absence, dict[str, str]] = field(default_factory=dict)

    def add(self, other: _Slot) -> None:
        """What was found apart belongs here too; an item that came before stays as it was."""
        known = {value.item for value in self.values}
        self.values += [value for value in other.values if value.item not in known]
        self.has_record |= other.has_record
        self.refused |= other.refused
        self.unfit |= other.unfit
        for why, reasons in other.absent.items():
            self.absent[why] = {**reasons, **self.absent.get(why, {})}

    @property
    def told(self) -> set[str]:
        """The items asked for of which it is known that, or why, they did not come."""
        return {*self.refused, *self.unfit, *(item for items in self.absent.values() for item in items)}


class StoredFindings:
    """What came of the slots that were asked for, and of others that came along.

    Args:
        data_class: the period that values get.
        items: asked for.
        slots: asked for.
        now: our time, aware.

    Attributes:
        taken_at: when the last answer was complete; aware, UTC.

    """

    def __init__(
        self, data_class: DataClass, items: Iterable[str], slots: Iterable[datetime], now: datetime
    ) -> None:
        self.taken_at = now
        self.items = tuple(items)
        self._data_class = data_class
        self._slots: dict[datetime, _Slot] = {slot.astimezone(UTC): _Slot() for slot in slots}
        self._asked = frozenset(self._slots)
        self._no_items: dict[str, str] = {}

    @property
    def has_any(self) -> bool:
        """Whether anything is known of any slot."""
        return any(one.has_record or one.absent for one in self._slots.values())

    @property
    def asked(self) -> list[datetime]:
        """The slots asked for, newest first."""
        return sorted(self._asked, reverse=True)

    @property
    def open(self) -> list[datetime]:
        """Slots asked for of which nothing is known yet, newest first."""
        return [slot for slot in self.asked if not (self.knows_record(slot) or self._slots[slot].absent)]

    def part(self, items: Iterable[str], slots: Iterable[datetime]) -> StoredFindings:
        """A place for what is found of some of the items and slots, until it is certain; see ``add``."""
        return StoredFindings(self._data_class, items, slots, self.taken_at)

    def add(self, part: StoredFindings, *, is_certain: bool = True) -> None:
        """What was found apart belongs here.

        Args:
            part: what was found.
            is_certain: what is absent there is absent; otherwise another place might have had it.

        """
        self.taken_at = max(self.taken_at, part.taken_at)
        self._no_items |= part._no_items
        for slot, one in part._slots.items():
            found = one if is_certain else replace(one, absent={})
            self._slots.setdefault(slot, _Slot()).add(found)

    def knows_record(self, slot: datetime) -> bool:
        """Whether a record of that instant came."""
        one = self._slots.get(slot)
        return one is not None and one.has_record

    def is_to_come(self, slot: datetime) -> bool:
        """Whether the meter said of any item that it has not recorded that instant yet."""
        one = self._slots.get(slot)
        return one is not None and "not_yet" in one.absent

    def brought(self, slot: datetime, found: FreezeFindings) -> None:
        """A part of the record of a slot came; an item that came before stays as it was."""
        values = [value._replace(period=self._data_class) for value in found.values]
        part = _Slot(has_record=True, values=values, refused=dict(found.refused), unfit=dict(found.unfit))
        self._slots.setdefault(slot, _Slot()).add(part)

    def absent(self, slot: datetime, why: Absence, reason: str) -> None:
        """A slot has no record with these items."""
        if slot in self._asked:
            self._slots[slot].add(_Slot(absent={why: dict.fromkeys(self.items, reason)}))

    def has_not(self, reason: str) -> None:
        """The meter does not have these items in any record."""
        self._no_items |= dict.fromkeys(self.items, reason)

    def without_record(self, why: Absence) -> list[datetime]:
        """The slots asked for that have no record for this reason, newest first."""
        return [slot for slot in self.asked if self._absence(self._slots[slot])[:1] == (why,)]

    def refusing(self) -> dict[datetime, list[str]]:
        """The items that were refused in a record that came, by its slot."""
        return {
            slot: list(one.refused) for slot, one in self._slots.items() if one.has_record and one.refused
        }

    def of(self, cut_short: Sequence[MeterlinkError] = ()) -> StoredAnswer:
        """The answer; see ``kept``."""
        records = [
            self._record(slot) for slot in sorted(self._slots, reverse=True) if self.knows_record(slot)
        ]
        reasons: dict[Absence, dict[datetime, str]] = {why: {} for why in _ABSENCES}
        for slot in self.asked:
            if absence := self._absence(self._slots[slot]):
                reasons[absence[0]][slot] = absence[1]
        return StoredAnswer(
            records=tuple(records),
            gone=reasons["gone"],
            not_yet=reasons["not_yet"],
            unfit_slots=reasons["unfit"],
            refused=self._no_items | _in_all([record.refused for record in records]),
            unfit={item: reason for record in records for item, reason in record.unfit.items()},
            taken_at=self.taken_at,
            cut_short=next(iter(cut_short), None),
        )

    def _absence(self, one: _Slot) -> tuple[Absence, str] | tuple[()]:
        """Why a slot has no record, once that is known of all items; nothing where it has one."""
        told = one.told.union(self._no_items)
        if one.has_record or not one.absent or not told.issuperset(self.items):
            return ()
        why = next(why for why in _ABSENCES if why in one.absent)
        return why, next(iter(one.absent[why].values()))

    def _record(self, slot: datetime) -> StoredRecord:
        one = self._slots[slot]
        refused, unfit = dict(one.refused), dict(one.unfit)
        for why, reasons in one.absent.items():
            (refused if why == "gone" else unfit).update(reasons)
        for item in self.items:
            came = any(is_part(value.item, item) for value in one.values)
            if came:
                refused.pop(item, None)
                unfit.pop(item, None)
            elif item not in {*one.told, *self._no_items}:
                unfit[item] = "not asked any more"
        return StoredRecord(
            slot=slot,
            values=tuple(one.values),
            refused={item: reason for item, reason in refused.items() if item not in unfit},
            unfit=unfit,
        )

    @contextmanager
    def kept(self) -> Iterator[list[MeterlinkError]]:
        """What fails inside ends the reading; it is raised only when nothing had come before."""
        ended: list[MeterlinkError] = []
        try:
            yield ended
        except _ENDINGS as error:
            if not self.has_any:
                raise
            ended.append(error)


@contextmanager
def one_silence() -> Iterator[list[ReplyTimeout]]:
    """A silence inside ends only what is inside; whoever looks what to keep of it raises it then."""
    silences: list[ReplyTimeout] = []
    try:
        yield silences
    except ReplyTimeout as error:
        silences.append(error)


def _in_all(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What stands in all of them, by the first."""
    if not each:
        return {}
    return {item: why for item, why in each[0].items() if all(item in other for other in each)}
