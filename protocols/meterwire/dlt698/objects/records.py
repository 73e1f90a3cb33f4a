"""Rows of record tables <-> values of items, by the columns that the answer names.

Three answers say "no such record" and are kept apart: zero rows, a row in which every column is NULL
(counted, never a row), and a DAR. A row with its time and some NULL is a record whose column was not
kept. Rows are sorted by their time or number, never by position. Times have no zone: whoever knows the
zone of the plant makes them aware. Source: spec section 7.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from meterwire.dlt698.apdus.parts import Dar, RecordResult
from meterwire.dlt698.axdr.selection import Oad, Rcsd, Road
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.bit_words import BitOrder
from meterwire.dlt698.objects.dictionary import FEATURES, Entry, dictionary, unknown
from meterwire.dlt698.objects.item_values import Contents, ItemValue
from meterwire.dlt698.objects.leaves import Problem
from meterwire.errors import LocalProtocolError, RemoteProtocolError

FROZEN_AT: Final = Oad(0x2021, 2, 0)
EVENT_STARTED_AT: Final = Oad(0x201E, 2, 0)
EVENT_ENDED_AT: Final = Oad(0x2020, 2, 0)
EVENT_NUMBER: Final = Oad(0x2022, 2, 0)
FREEZE_NUMBER: Final = Oad(0x2023, 2, 0)
EVENT_SOURCE: Final = Oad(0x2024, 2, 0)
METER_ADDRESS: Final = Oad(0x202A, 2, 0)
COLLECTION_SUCCEEDED_AT: Final = Oad(0x6041, 2, 0)
COLLECTION_STORED_AT: Final = Oad(0x6042, 2, 0)

_TIMES: Final = ("frozen_at", "event_started_at", "collection_stored_at", "collection_started_at")
_NUMBERS: Final = ("freeze_number", "event_number")
_ADDRESSES: Final = ("target_address", "communication_address")
_KEYS: Final = frozenset({*_TIMES, *_NUMBERS, *_ADDRESSES, "collection_succeeded_at"})
"""Items that say which record it is."""
_COLUMNS_KEPT: Final = 4096
_FEATURE_BITS: Final = {word: number << 5 for number, word in FEATURES.items()}
"""What an attribute octet says about when around an event a column was taken."""

Missing = Literal["no_rows", "null_row", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row.

    Args:
        at: its time: the instant of the freeze, the start of the event, or the storage; without a zone.
        number: its record number.
        address: the meter that it is of, where the answer of a concentrator names it.
        values: values of all columns, in their order.

    """

    at: datetime | None
    number: int | None
    address: str | None
    values: tuple[ItemValue, ...]

    @property
    def readings(self) -> tuple[ItemValue, ...]:
        """The values that are there, without those that only say which record it is."""
        return tuple(value for value in self.values if value.problem is None and value.item not in _KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The answer to a read of records.

    Args:
        table: the record table.
        rows: oldest first; of several meters, one meter after the other.
        null_rows: rows in which every column was NULL.
        dar: why there is no answer.

    """

    table: Oad
    rows: tuple[Record, ...]
    null_rows: int = 0
    dar: Dar | None = None

    @property
    def missing(self) -> Missing | None:
        """How the answer says that there is no such record; ``None`` when there is one."""
        if self.dar is not None:
            return "refused"
        if self.rows:
            return None
        return "null_row" if self.null_rows else "no_rows"


def records(
    result: RecordResult,
    order: BitOrder = "bit0_first",
    entries: Mapping[Oad, Entry] | None = None,
    asked: Rcsd = (),
) -> Records:
    """The rows of an answer.

    Args:
        result: A-ResultRecord; its own columns count, not those of the request.
        order: how this device sends words of bits.
        entries: what columns hold, where the device says it otherwise than the standard.
        asked: columns of the request; others are passed over, but for those that say which record it is. A
            column asked for as a whole may come as an element, and the other way round. Empty: all count.

    Raises:
        RemoteProtocolError: a row is not as wide as the columns; ``kind`` is ``"rows"``.

    """
    if isinstance(result.result, Dar):
        return Records(table=result.oad, rows=(), dar=result.result)
    rows = [row for row in result.result if any(cell.type != "null" for cell in row)]
    taken = [_is_wanted(column, asked) for column in result.rcsd]
    found = [_record(result.oad, result.rcsd, row, taken, order, entries or {}) for row in rows]
    return Records(
        table=result.oad,
        rows=tuple(sorted(found, key=_order)),
        null_rows=len(result.result) - len(rows),
    )


def joined(blocks: Sequence[RecordResult]) -> tuple[RecordResult, ...]:
    """Results of several blocks, those of one table and the same columns in one.

    Args:
        blocks: in the order of their blocks.

    """
    found: dict[tuple[Oad, Rcsd], RecordResult] = {}
    for one in blocks:
        key = one.oad, one.rcsd
        before = found.get(key)
        if before is None or isinstance(before.result, Dar) or isinstance(one.result, Dar):
            found[key] = one
        else:
            found[key] = one._replace(result=(*before.result, *one.result))
    return tuple(found.values())


def encode_row(columns: Rcsd, contents: Contents, order: BitOrder = "bit0_first") -> tuple[Data, ...]:
    """One Data a column, NULL where the contents say nothing of it: what a meter answers.

    Args:
        columns: as the request asks.
        contents: contents of the record by key, without the table's own period.
        order: how this device sends words of bits.

    Raises:
        LocalProtocolError: a content does not fit its type.

    """
    return tuple(
        _encode_cell(column, contents, order)
        if isinstance(column, Oad)
        else Data("structure", tuple(_encode_cell(oad, contents, order) for oad in column.oads))
        for column in columns
    )


def _encode_cell(oad: Oad, contents: Contents, order: BitOrder) -> Data:
    entry = dictionary().entry(oad)
    if entry is None:
        return NULL
    return entry.node.encode(contents, order) or NULL


# --- one row ------------------------------------------------------------------------------------------


def _is_wanted(column: Oad | Road, asked: Rcsd) -> bool:
    if not asked or column in asked:
        return True
    if isinstance(column, Road):
        return False
    whole = {one._replace(index=0) for one in asked if isinstance(one, Oad)}
    return column._replace(index=0) in whole or _column(column, "").context.quantity in _KEYS


def _record(
    table: Oad,
    columns: Rcsd,
    row: Sequence[Data],
    taken: Sequence[bool],
    order: BitOrder,
    entries: Mapping[Oad, Entry],
) -> Record:
    if len(row) != len(columns):
        raise RemoteProtocolError(
            f"a row of {table} has {len(row)} values for {len(columns)} columns", kind="rows"
        )
    values: list[ItemValue] = []
    for column, cell, is_taken in zip(columns, row, taken, strict=True):
        if not is_taken:
            continue
        if isinstance(column, Oad):
            values += _cell(column, cell, period_of(table), order, entries)
        else:
            values += _nested(column, cell, order, entries)
    by_item = {value.label.item: value for value in values if value.label.item in _KEYS}
    number = next((by_item[name].value for name in _NUMBERS if name in by_item), None)
    return Record(
        at=next((by_item[name].moment for name in _TIMES if name in by_item), None),
        number=None if number is None else int(number),
        address=next((by_item[name].text for name in _ADDRESSES if name in by_item), None),
        values=tuple(values),
    )


def _nested(column: Road, cell: Data, order: BitOrder, entries: Mapping[Oad, Entry]) -> Iterator[ItemValue]:
    """The members of a ROAD column; NULL or a wrong number of them is said of each."""
    period = period_of(column.oad)
    if cell.type in {"array", "structure"} and len(cell.value) == len(column.oads):
        for oad, member in zip(column.oads, cell.value, strict=True):
            yield from _cell(oad, member, period, order, entries)
        return
    problem: Problem = "absent" if cell.type == "null" else "shape"
    for oad in column.oads:
        for value in _cell(oad, NULL, period, order, entries):
            yield value._replace(problem=problem, raw=cell)


def _cell(
    oad: Oad, cell: Data, period: str, order: BitOrder, entries: Mapping[Oad, Entry]
) -> tuple[ItemValue, ...]:
    own = entries.get(oad)
    found = _column(oad, period) if own is None else own.within(period)
    return found.decode(cell, order)


@functools.lru_cache(_COLUMNS_KEPT)
def _column(oad: Oad, period: str) -> Entry:
    """What a column holds; all values but those that say which record it is stand for the table's period."""
    entry = dictionary().entry(oad) or unknown(oad)
    return entry if entry.context.quantity in _KEYS else entry.within(period)


@functools.cache
def period_of(table: Oad) -> str:
    """The period of a table's values: ``daily_freeze``, ``power_down``; empty for collected records."""
    found = dictionary().object(table.oi)
    return found.item if found is not None else ""


def _order(record: Record) -> tuple[str, datetime, int]:
    return (record.address or "", record.at or datetime.min, record.number or 0)  # noqa: DTZ901 - civil time


def column(item: str) -> Oad:
    """The column of an item: ``forward_active_energy.*``, ``voltage.a``; ``...@start`` around an event.

    Args:
        item: its name; behind ``@`` when around an event (``FEATURES``).

    Raises:
        LocalProtocolError: no object of the standard has the item.

    """
    name, _, feature = item.partition("@")
    oad = dictionary().by_name(item)
    if oad is not None:
        return oad
    oad = dictionary().by_name(name)
    if oad is None or feature not in _FEATURE_BITS:
        raise LocalProtocolError(f"DL/T 698.45 has no item {item!r}")
    return oad._replace(attribute=oad.attribute | _FEATURE_BITS[feature])
