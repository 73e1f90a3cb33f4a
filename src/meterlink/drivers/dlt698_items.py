"""Names of items -> what is asked of a DL/T 698.45 meter: an attribute, or records of a freeze.

A name without period is an attribute. ``forward_active_energy.*@daily_freeze/last.1`` is the newest record of
a freeze, ``...@daily_freeze`` with a window its last records or those from a time on: of a curve, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Final

from meterlink.drivers.base import Window
from meterlink.drivers.near import near
from meterlink.errors import UnknownItem
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.dictionary import Entry, dictionary, names
from meterwire.dlt698.objects.leaves import NUMBERS
from meterwire.dlt698.objects.notation import Array, Leaf, Structure, Type
from meterwire.dlt698.objects.requests import Between, Last, NthLast, ReadFreezes, Which
from meterwire.errors import LocalProtocolError

PROTOCOL: Final = "dlt698.45"
INTERVALS: Final = {
    "curve": timedelta(minutes=15),
    "hourly_freeze": timedelta(hours=1),
    "daily_freeze": timedelta(days=1),
}
"""Time between the records of a freeze, where it is the same for all meters."""
_LAST: Final = "last."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an item's name asks for.

    Args:
        entry: of the attribute, or of the column.
        freeze: of which freeze records are wanted; empty: the value of the moment.
        last: which one, counted back from the newest; ``None``: not said.

    """

    entry: Entry
    freeze: str = ""
    last: int | None = None

    @property
    def oad(self) -> Oad:
        """The attribute or column."""
        assert isinstance(self.entry.descriptor, Oad), "a name asks for no method"
        return self.entry.descriptor

    @property
    def name(self) -> str:
        """The item, without a period of records."""
        return self.entry.item

    def records(self, window: Window | None, zone: tzinfo) -> RecordRequest:
        """The request for the records.

        Args:
            window: which; ``None``: the name says it.
            zone: what the meter's clock shows.

        Raises:
            UnknownItem: neither says which, or both do, or there are not so many.

        """
        try:
            which = self._which(window, zone)
            [request] = ReadFreezes(freeze=self.freeze, items=(self.name,), which=which).records()
        except LocalProtocolError as error:
            raise UnknownItem(f"{self.name}@{self.freeze}: {error}") from None
        return request

    def _which(self, window: Window | None, zone: tzinfo) -> Which:
        if window is None:
            if self.last is None:
                raise LocalProtocolError("say which: /last.1 behind it for the newest, or a count or time")
            return NthLast(self.last)
        if self.last is not None:
            raise LocalProtocolError(f"/{_LAST}{self.last} is one record: leave it, or count and time")
        if window.since is None:
            return Last(window.count)
        if self.freeze not in INTERVALS:
            raise LocalProtocolError(f"from a time on there are {', '.join(INTERVALS)}; else by count")
        start = window.since.astimezone(zone).replace(tzinfo=None)
        if window.count < 1:
            raise LocalProtocolError(f"{window.count} records cannot be asked for")
        return Between(start, start + window.count * INTERVALS[self.freeze])


def asked(item: str) -> Asked:
    """What a name asks for.

    Raises:
        UnknownItem: no object of the standard has it, it cannot be read, or holds what stands in no log.

    """
    known = dictionary()
    oad = known.by_name(item)
    if oad is not None:
        return Asked(entry=_readable(item, oad))
    name, _, period = item.partition("@")
    freeze, _, last = period.partition("/")
    oad = known.by_name(name) if freeze in _freezes() else None
    number = last.removeprefix(_LAST)
    if oad is None or (last and not (last.startswith(_LAST) and number.isdecimal() and len(number) <= 3)):
        raise UnknownItem(f"no item {item!r} in {PROTOCOL}{_hint(name)}")
    return Asked(entry=_readable(item, oad), freeze=freeze, last=int(number) if last else None)


def numbers(kind: Type) -> Iterator[bool]:
    """Of each value that a type holds: whether it is a number."""
    return (name in NUMBERS for name in _types(kind))


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
        raise UnknownItem(f"{item!r} can only be written")
    if entry.context.secret.intersection(_types(entry.type)):
        raise UnknownItem(f"{item!r} holds what nobody may see, such as a key or a password")
    return entry


def _freezes() -> frozenset[str]:
    return frozenset(one.item for one in dictionary().objects if one.interface_class == 9)


def _hint(name: str) -> str:
    known = {
        found
        for one in dictionary().families
        for row in one.rows
        if not row.is_method and (entry := dictionary().entry(Oad(one.oi, row.number, 0))) is not None
        for found in names(entry)
    }
    return f"{near(name, known)} (`meterlink items --protocol {PROTOCOL}` lists all)"
