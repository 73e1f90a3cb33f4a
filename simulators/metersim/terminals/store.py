"""What a concentrator has collected: rows of each scheme and meter, as deep as the scheme says, and no more.

A row is kept as the octets that it had on the wire. A record collected again under the same time takes the
place of the one before. Beyond the limit of all rows the oldest go first, whosoever they are.
Source: DL/T 698.45-2017, objects 6012 and 6040 to 6042; spec sections 2.2 and 8.1.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from metersim.dlt698.circumstances import OUT_OF_RANGE, Unfit
from metersim.dlt698.selecting import SELECTOR_UNFIT
from metersim.terminals.intervals import span
from metersim.terminals.schemes import Scheme
from meterwire.dlt698.axdr.data import data_from_octets, data_to_octets
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    Csd,
    MeterSet,
    Oad,
    Rcsd,
    Road,
    SelectAll,
    SelectCollectedAt,
    SelectCollectedWithin,
    Selection,
    SelectLast,
    SelectNthLast,
    SelectStoredAt,
    SelectStoredWithin,
    SelectSucceededWithin,
    Ti,
    Tsa,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.records import (
    COLLECTION_STORED_AT,
    COLLECTION_SUCCEEDED_AT,
    METER_ADDRESS,
)

ROWS_KEPT_MAX: Final = 400_000
"""Rows of all schemes and meters together; some 250 octets each."""
COLLECTION_STARTED_AT: Final = Oad(0x6040, 2, 0)
ADDRESS_OCTETS: Final = Oad(0x4001, 2, 0)
OWN_COLUMNS: Final = (METER_ADDRESS, COLLECTION_STARTED_AT, COLLECTION_SUCCEEDED_AT, COLLECTION_STORED_AT)
"""What every row has beside its values."""
_ADDRESSES: Final = frozenset({METER_ADDRESS, ADDRESS_OCTETS})
EVERY: Final = Ti(0, 0xFFFF)
"""The interval that means every record."""


class Row(NamedTuple):
    """One record of one meter.

    Args:
        stored_at: under which time, civil.
        started_at: when its collection began.
        succeeded_at: when the meter answered.
        address: of the meter, 12 digits.
        cells: octets of each column of the scheme.

    """

    stored_at: datetime
    started_at: datetime
    succeeded_at: datetime
    address: str
    cells: tuple[bytes, ...]


class Store:
    """The rows.

    Args:
        rows_max: of all schemes and meters together.

    Attributes:
        dropped: rows that went because of that limit.

    """

    def __init__(self, rows_max: int = ROWS_KEPT_MAX) -> None:
        self.dropped = 0
        self._rows_max = rows_max
        self._tables: dict[tuple[int, str], list[Row]] = {}
        self._order: OrderedDict[tuple[int, str, datetime], None] = OrderedDict()

    def __len__(self) -> int:
        """How many rows."""
        return len(self._order)

    def keep(self, scheme: Scheme, row: Row) -> None:
        """Keep a row, within all limits.

        Args:
            scheme: that collected it.
            row: the row.

        """
        self._drop(scheme.number, row.address, row.stored_at)
        table = self._tables.setdefault((scheme.number, row.address), [])
        insort(table, row, key=_stored_at)
        self._order[scheme.number, row.address, row.stored_at] = None
        while len(table) > scheme.depth:
            self._drop(scheme.number, row.address, table[0].stored_at)
        while len(self._order) > self._rows_max:
            self._drop(*next(iter(self._order)))
            self.dropped += 1

    def rows(self, scheme: int, address: str) -> Sequence[Row]:
        """Rows of one meter, oldest first."""
        return self._tables.get((scheme, address), ())

    def has(self, scheme: int, address: str, stored_at: datetime) -> bool:
        """Whether there is such a row."""
        return (scheme, address, stored_at) in self._order

    def forget(self, scheme: int) -> None:
        """Drop all rows of a scheme: it is another one now, or gone."""
        for key in [key for key in self._order if key[0] == scheme]:
            self._drop(*key)

    def forget_meter(self, address: str) -> None:
        """Drop all rows of a meter: it is no longer in the archive."""
        for key in [key for key in self._order if key[1] == address]:
            self._drop(*key)

    def _drop(self, scheme: int, address: str, stored_at: datetime) -> None:
        if self._order.pop((scheme, address, stored_at), False) is False:
            return
        table = self._tables[scheme, address]
        del table[bisect_left(table, stored_at, key=_stored_at)]
        if not table:
            del self._tables[scheme, address]


_stored_at = attrgetter("stored_at")


def meters_of(selection: Selection) -> MeterSet:
    """Which meters a selector is about; all where it does not say."""
    found: MeterSet = getattr(selection, "ms", AllMeters())
    return found


def select(selection: Selection, rows: Sequence[Row]) -> list[Row]:
    """The rows of one meter that a selector means; a range gives the oldest first, the last n the newest.

    Args:
        selection: one of those for collected records, or the n-th last.
        rows: of one meter, oldest first.

    Raises:
        Unfit: the selector is none for collected records, or its range is empty.

    """
    match selection:
        case SelectAll():
            found = list(rows)
        case SelectNthLast(number) if number:
            found = list(rows[-number : len(rows) - number + 1]) if number <= len(rows) else []
        case SelectLast(count, _) if count:
            found = list(rows[::-1][:count])
        case SelectCollectedAt(time, _):
            found = [row for row in rows if row.started_at == _civil(time)]
        case SelectStoredAt(time, _):
            found = [row for row in rows if row.stored_at == _civil(time)]
        case SelectCollectedWithin() | SelectStoredWithin() | SelectSucceededWithin():
            found = _within(rows, selection)
        case _:
            raise Unfit(SELECTOR_UNFIT)
    return found


_TIMES: Final[Mapping[type, Callable[[Row], datetime]]] = {
    SelectCollectedWithin: attrgetter("started_at"),
    SelectStoredWithin: attrgetter("stored_at"),
    SelectSucceededWithin: attrgetter("succeeded_at"),
}


def _within(
    rows: Sequence[Row], selection: SelectCollectedWithin | SelectStoredWithin | SelectSucceededWithin
) -> list[Row]:
    """From the start, before the end; the first row of each interval."""
    first, last = _civil(selection.start), _civil(selection.end)
    if last <= first:
        raise Unfit(OUT_OF_RANGE)
    when = _TIMES[type(selection)]
    found = sorted((row for row in rows if first <= when(row) < last), key=when)
    step = timedelta() if selection.interval == EVERY else span(selection.interval)
    if not step:
        return found
    return [next(group) for _, group in groupby(found, lambda row: (when(row) - first) // step)]


def _civil(moment: DateTimeS) -> datetime:
    found = moment.civil()
    if found is None:
        raise Unfit(SELECTOR_UNFIT)
    return found


# --- columns ----------------------------------------------------------------------------------------------


def values_in(columns: Rcsd) -> Iterator[Csd]:
    """The columns that are no row's own."""
    for column in columns:
        if column not in OWN_COLUMNS and column != ADDRESS_OCTETS:
            yield column


def gives(scheme: Scheme, column: Csd) -> bool:
    """Whether a scheme collects a column, whole or a part of it."""
    return any(_part(kept, column) is not None for kept in scheme.columns)


def cells_of(row: Row, scheme: Scheme, columns: Rcsd) -> tuple[Data, ...]:
    """A row in the columns that were asked for; NULL where the scheme does not collect one."""
    return tuple(_cell(row, scheme, column) for column in columns)


def _cell(row: Row, scheme: Scheme, column: Csd) -> Data:
    if column in _ADDRESSES:
        tsa = Tsa.of(row.address)
        return Data("TSA", tsa) if column == METER_ADDRESS else Data("octet-string", tsa.raw[1:])
    times = dict(zip(OWN_COLUMNS[1:], (row.started_at, row.succeeded_at, row.stored_at), strict=True))
    if isinstance(column, Oad) and column in times:
        return Data("date_time_s", DateTimeS.of(times[column]))
    for kept, octets in zip(scheme.columns, row.cells, strict=True):
        place = _part(kept, column)
        if place is not None:
            return _taken(data_from_octets(octets), place)
    return NULL


_Place = tuple[tuple[int, ...], ...] | tuple[int, ...]
_NOWHERE: Final = (-1, 0)


def _part(kept: Csd, column: Csd) -> _Place | None:
    """Where in a cell of a kept column another column stands; ``None`` when it does not.

    Of a table: for each column asked for, its position (-1: nowhere) and its element (0: whole). Of a value:
    its element.
    """
    if isinstance(kept, Road):
        if not isinstance(column, Road) or kept.oad != column.oad:
            return None
        found = tuple(_member(kept.oads, oad) for oad in column.oads)
        return None if all(place == _NOWHERE for place in found) else found
    if isinstance(column, Road):
        return None
    element = _element(kept, column)
    return None if element is None else (element,)


def _member(kept: Sequence[Oad], asked: Oad) -> tuple[int, int]:
    for at, own in enumerate(kept):
        element = _element(own, asked)
        if element is not None:
            return at, element
    return _NOWHERE


def _element(kept: Oad, asked: Oad) -> int | None:
    if kept == asked:
        return 0
    return asked.index if kept._replace(index=asked.index) == asked and not kept.index else None


def _taken(cell: Data, place: _Place) -> Data:
    if place and isinstance(place[0], int):
        return _indexed(cell, place[0])
    if cell.type != "structure":
        return NULL
    members = tuple(NULL if at < 0 else _indexed(cell.value[at], index) for at, index in place)  # type: ignore[misc]
    return Data("structure", members)


def _indexed(cell: Data, index: int) -> Data:
    if not index:
        return cell
    if cell.type in {"array", "structure"} and index <= len(cell.value):
        found: Data = cell.value[index - 1]
        return found
    return NULL


def kept_cells(cells: Sequence[Data]) -> tuple[bytes, ...]:
    """Cells as a row keeps them."""
    return tuple(data_to_octets(cell) for cell in cells)
