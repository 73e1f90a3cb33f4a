"""What a terminal has collected of its meters: a freeze of each day, and points of a curve.

A freeze is filed under the day that it ended (spec section B3, "date D means the value at the end of day D").
Beyond a limit the oldest go first: of a meter by themselves, of all meters whosoever they are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

from meterwire.item_value import Content

DAYS_KEPT: Final = 62
"""Freezes of one meter."""
POINTS_KEPT: Final = 10 * 96
"""Points of the curve of one meter: ten days of a quarter of an hour."""
RECORDS_MAX: Final = 100_000
"""Records of all meters together; some kilooctet each."""

Slot = date | datetime
"""Whose record it is: a day's freeze, or a point of the curve."""


class Record(NamedTuple):
    """What a meter gave at once.

    Args:
        read_at: when, civil time of the terminal.
        items: items of the catalogue; one tuple serves many records.
        contents: of each item.

    """

    read_at: datetime
    items: tuple[str, ...]
    contents: tuple[Content, ...]

    def content(self, item: str) -> Content:
        """What it shows for an item; ``None`` when nothing."""
        try:
            return self.contents[self.items.index(item)]
        except ValueError:
            return None


class PointStore:
    """The records.

    Args:
        records_max: of all meters together, 1 or more.

    Attributes:
        dropped: records that went because of that limit.

    """

    def __init__(self, records_max: int = RECORDS_MAX) -> None:
        self.dropped = 0
        self._records_max = records_max
        self._of_meter: dict[tuple[str, type], OrderedDict[Slot, Record]] = {}
        self._order: OrderedDict[tuple[str, Slot], None] = OrderedDict()
        self._items: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __len__(self) -> int:
        """How many records."""
        return len(self._order)

    def keep(self, address: str, slot: Slot, read_at: datetime, contents: Mapping[str, Content]) -> None:
        """Keep a record; one of the same slot goes.

        Args:
            address: of the meter, 12 digits.
            slot: the day that ended, or the time of the point.
            read_at: when it was read, civil.
            contents: by item.

        """
        names = tuple(contents)
        names = self._items.setdefault(names, names)
        table = self._of_meter.setdefault((address, type(slot)), OrderedDict())
        self._drop(address, slot)
        table[slot] = Record(read_at, names, tuple(contents.values()))
        self._order[address, slot] = None
        if len(table) > (POINTS_KEPT if isinstance(slot, datetime) else DAYS_KEPT):
            self._drop(address, min(table))
        while len(self._order) > self._records_max:
            self._drop(*next(iter(self._order)))
            self.dropped += 1

    def at(self, address: str, slot: Slot) -> Record | None:
        """The record of a slot."""
        table = self._of_meter.get((address, type(slot)))
        return None if table is None else table.get(slot)

    def newest_point(self, address: str) -> Record | None:
        """The record of the last point that was read."""
        table = self._of_meter.get((address, datetime))
        return table[max(table)] if table else None

    def newest_freeze(self, address: str) -> Record | None:
        """The record of the last day that was read."""
        table = self._of_meter.get((address, date))
        return table[max(table)] if table else None

    def clear(self) -> None:
        """Forget everything."""
        self._of_meter.clear()
        self._order.clear()

    def _drop(self, address: str, slot: Slot) -> None:
        if self._order.pop((address, slot), False) is None:
            del self._of_meter[address, type(slot)][slot]
