"""Names of items -> what is asked of a DL/T 698.45 meter: an attribute, or records of a freeze or an event.

A name without period is an attribute. ``forward_active_energy.*@daily_freeze/last.1`` is the newest record of
a freeze, ``...@daily_freeze`` with a window its last records or those from a time on: of a curve, too.
``power_down_record@last.1`` is the newest record of an event, ``power_down_record`` with a count its last.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Final

from meterlink.drivers.base import Window
from meterlink.drivers.near import near
from meterlink.errors import UnknownItem
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.dictionary import Entry, dictionary, names
from meterwire.dlt698.objects.leaves import NUMBERS
from meterwire.dlt698.objects.notation import Array, Leaf, Structure, Table, Type
from meterwire.dlt698.objects.requests import (
    Between,
    Last,
    NthLast,
    ReadCurve,
    ReadEvents,
    ReadFreezes,
    Which,
    event_tables,
)
from meterwire.errors import LocalProtocolError

PROTOCOL: Final = "dlt698.45"
HINTS_KEPT: Final = 32
"""Names that nobody knows and what is near them; each costs as much as a hundred exchanges."""
INTERVALS: Final = {
    "curve": timedelta(minutes=15),
    "hourly_freeze": timedelta(hours=1),
    "daily_freeze": timedelta(days=1),
}
"""Time between the records of a freeze, where it is the same for all meters."""
_WORD: Final = "bit-string"
_CURVE: Final = "curve"
_LAST: Final = "last."
_DIGITS_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an item's name asks for.

    Args:
        entry: of the attribute, of the column, or of an event's record table.
        freeze: of which freeze records are wanted; empty: none.
        last: which record, counted back from the newest; ``None``: not said.

    """

    entry: Entry
    freeze: str = ""
    last: int | None = None

    @property
    def table(self) -> str:
        """Whose records are wanted: ``daily_freeze``, ``power_down``, ``voltage_loss.a``; empty: none."""
        if not isinstance(self.entry.type, Table):
            return self.freeze
        return self.entry.object.item + self._part

    @property
    def oad(self) -> Oad:
        """The attribute or column."""
        assert isinstance(self.entry.descriptor, Oad), "a name asks for no method"
        return self.entry.descriptor

    @property
    def name(self) -> str:
        """The item, without a period of records."""
        return self.entry.item

    def records(self, window: Window | None, zone: tzinfo) -> tuple[RecordRequest, ...]:
        """The requests for the records, in their order: several where they would not fit an answer.

        Args:
            window: which; ``None``: the name says it.
            zone: what the meter's clock shows.

        Raises:
            UnknownItem: neither says which, or both do, or there are not so many.

        """
        try:
            return self._read(self._which(window, zone)).records()
        except LocalProtocolError as error:
            called = f"{self.name}{self.freeze and '@'}{self.freeze}"
            raise UnknownItem(f"{called}: {error}", f"{called} 不能按所给的时段读取:{error}") from None

    def _read(self, which: Which) -> ReadFreezes | ReadCurve | ReadEvents:
        if self.freeze == _CURVE and isinstance(which, Between):
            return ReadCurve(items=(self.name,), start=which.start, end=which.end)
        if self.freeze:
            return ReadFreezes(freeze=self.freeze, items=(self.name,), which=which)
        return ReadEvents(event=self.entry.object.item, part=self._part.rpartition(".")[2], which=which)

    @property
    def _part(self) -> str:
        """Of an event's records: ``.a``, ``@quadrant.1``, or nothing."""
        return self.name.partition("_record")[2]

    def _which(self, window: Window | None, zone: tzinfo) -> Which:
        if window is None:
            if self.last is None:
                mark = _mark(f"{self.name}{self.freeze and '@'}")
                raise LocalProtocolError(
                    f"say which: {mark}{_LAST}1 behind it for the newest, or a count or time"
                )
            return NthLast(self.last)
        if self.last is not None:
            raise LocalProtocolError(f"{_LAST}{self.last} is one record: leave it, or count and time")
        if window.since is None:
            return Last(window.count)
        if self.freeze not in INTERVALS:
            raise LocalProtocolError(f"from a time on there are {', '.join(INTERVALS)}; else by count")
        if window.count < 1:
            raise LocalProtocolError(f"{window.count} records cannot be asked for")
        interval = INTERVALS[self.freeze]
        try:
            start = window.since.astimezone(zone).replace(tzinfo=None)
            if self.freeze == _CURVE:
                start = _next_point(start, interval)
            return Between(start, start + window.count * interval)
        except OverflowError:
            raise LocalProtocolError("there are no such times in the calendar") from None


def asked(item: str) -> Asked:
    """What a name asks for.

    Raises:
        UnknownItem: no object of the standard has it, it cannot be read, or holds what stands in no log.

    """
    known = dictionary()
    oad = known.by_name(item)
    if oad is not None:
        return Asked(entry=_readable(item, oad))
    whole, last = _apart(item)
    if whole in event_tables():
        return Asked(entry=_readable(item, event_tables()[whole]), last=last)
    name, _, freeze = whole.partition("@")
    oad = known.by_name(name) if freeze in _freezes() else None
    if oad is None:
        raise UnknownItem(
            f"no item {item!r} in {PROTOCOL}",
            f"{PROTOCOL} 没有数据项 {item!r}",
            partial(_hint, item.partition("@")[0]),
        )
    return Asked(entry=_readable(item, oad), freeze=freeze, last=last)


def _next_point(moment: datetime, interval: timedelta) -> datetime:
    """The first time from then on at which a point of a curve is due; points are counted from it."""
    past = (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) % interval
    return moment + (interval - past if past else timedelta())


def _apart(item: str) -> tuple[str, int | None]:
    """The name of a table or of its column, and which record; the whole where no record is written."""
    before, _, number = item.rpartition(_LAST)
    whole, mark = before[:-1], before[-1:]
    if not (number.isdecimal() and len(number) <= _DIGITS_MAX and mark == _mark(whole)):
        return item, None
    return whole, int(number)


def _mark(name: str) -> str:
    """What stands between a name and the record: a period has one ``@``, and parts behind it."""
    return "/" if "@" in name else "@"


def numbers(kind: Type) -> Iterator[bool]:
    """Of each value that a type holds: whether it is a number."""
    return (name in NUMBERS for name in _types(kind))


def holds_state(kind: Type) -> bool:
    """Whether a type holds words of bits and numbers, and nothing else."""
    return all(name in NUMBERS or name == _WORD for name in _types(kind))


def scaler_of(entry: Entry) -> Oad | None:
    """The attribute in which a device says scaler and unit of another; ``None`` where it has none."""
    rows = [row.number for row in entry.object.rows if not row.is_method and row.written == "Scaler_Unit"]
    behind = [number for number in rows if number > entry.row.number]
    return Oad(entry.object.oi, min(behind), 0) if behind else None


def _types(kind: Type) -> Iterator[str]:
    """The type of each value that a type holds."""
    if isinstance(kind, Leaf):
        yield kind.type
    elif isinstance(kind, Array):
        yield from _types(kind.element)
    elif isinstance(kind, Structure):
        for field in kind.fields:
            yield from _types(field.type)
    else:
        yield "table"


def _readable(item: str, oad: Oad) -> Entry:
    entry = dictionary().entry(oad)
    assert entry is not None, f"{oad} was found by name"
    if entry.row.access == "w":
        raise UnknownItem(f"{item!r} can only be written", f"{item!r} 只能写入,不能读取")
    if entry.context.secret.intersection(_types(entry.type)):
        raise UnknownItem(
            f"{item!r} holds what nobody may see, such as a key or a password",
            f"{item!r} 含有不得查看的内容,例如密钥或密码",
        )
    return entry


def _freezes() -> frozenset[str]:
    return frozenset(one.item for one in dictionary().objects if one.interface_class == 9)


@functools.lru_cache(HINTS_KEPT)
def _hint(name: str) -> tuple[str, str]:
    en, zh = near(name, _known())
    shows = f"`meterlink items --protocol {PROTOCOL}`"
    return f"{en} ({shows} lists all)", f"{zh}(全部见 {shows})"


@functools.cache
def _known() -> frozenset[str]:
    """Every name that can be asked for; to find them all takes a good part of a second."""
    return frozenset(
        found
        for one in dictionary().families
        for row in one.rows
        if not row.is_method and (entry := dictionary().entry(Oad(one.oi, row.number, 0))) is not None
        for found in names(entry)
        if dictionary().by_name(found) is not None or found in event_tables()
    )
