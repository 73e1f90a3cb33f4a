"""Record reads: tables of freezes and of events, selectors, columns; rows come from what the meter shows.

A column that a table does not keep is NULL in every row. No columns asked means all that it keeps, named
in the answer. Source: spec sections 6.5, 6.7 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from metersim.dlt698.circumstances import NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT, Unfit
from metersim.dlt698.contents import Contents, civil, keys
from metersim.dlt698.events import EventPart, EventRow, is_event, kind_of
from metersim.dlt698.selecting import Selector
from metersim.dlt698.tables import FREEZES
from metersim.works.freezes import Between, Freeze
from metersim.works.moments import PLANT_TIME
from metersim.works.works import Works
from meterwire.dlt698.apdus.parts import Dar, RecordRequest, RecordResult
from meterwire.dlt698.apdus.parts import Row as Cells
from meterwire.dlt698.axdr.selection import Oad, Rcsd, Road
from meterwire.dlt698.axdr.values import NULL
from meterwire.dlt698.objects.dictionary import FEATURES, dictionary
from meterwire.dlt698.objects.records import (
    EVENT_ENDED_AT,
    EVENT_NUMBER,
    EVENT_SOURCE,
    EVENT_STARTED_AT,
    FREEZE_NUMBER,
    FROZEN_AT,
    encode_row,
)
from meterwire.item_value import Content

ROWS_MAX: Final = 1024
"""Most rows of one answer; a read that means more is refused, and can be asked in pieces."""
TOO_MANY: Final = Dar(2)

_MEASURED: Final = frozenset({1, 2, 3, 4})
"""Classes of objects that events keep columns of: energies, demands, variables of phases, powers."""
_FEATURE_SHIFT: Final = 5
_ATTRIBUTE_BITS: Final = 0x1F
_BEFORE: Final = timedelta(microseconds=1)
_MONTH: Final = "month_consumption"


class FreezeRow(NamedTuple):
    """A row of a freeze table."""

    freeze: Freeze

    @property
    def number(self) -> int:
        """Its number."""
        return self.freeze.number

    @property
    def shown_at(self) -> datetime:
        """Its time, civil."""
        return self.freeze.frozen_at.replace(tzinfo=None)


_FREEZE_ROWS: Final = Selector[FreezeRow](time=FROZEN_AT, number=FREEZE_NUMBER)
_EVENT_ROWS: Final = Selector[EventRow](time=EVENT_STARTED_AT, number=EVENT_NUMBER)
_FREEZE_COLUMNS: Final = (FREEZE_NUMBER, FROZEN_AT)
_EVENT_COLUMNS: Final = (EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT, EVENT_SOURCE)


class RecordReader:
    """Reads the record tables of one meter.

    Args:
        contents: of the meter.
        works: of the meter.
        events: of the meter.

    """

    def __init__(self, contents: Contents, works: Works, events: EventPart) -> None:
        self._contents = contents
        self._works = works
        self._event_part = events

    def read(self, request: RecordRequest, at: datetime) -> RecordResult:
        """The answer to one GetRecord.

        Args:
            request: table, selector, columns.
            at: true time, aware.

        """
        oad = request.oad
        try:
            if oad.oi in FREEZES:
                return self._freezes(request, at)
            return self._events(request, at)
        except Unfit as unfit:
            return RecordResult(oad, request.rcsd, unfit.dar)

    def _freezes(self, request: RecordRequest, at: datetime) -> RecordResult:
        if request.oad[1:] != (2, 0):
            raise Unfit(NO_SUCH_ATTRIBUTE)
        table = FREEZES[request.oad.oi]
        between = _FREEZE_ROWS.between(request.rsd)
        if between is not None:
            between = Between(*(edge.replace(tzinfo=PLANT_TIME) for edge in between))
        rows = map(FreezeRow, self._works.freezes(table.table, at, between))
        chosen = _bounded(_FREEZE_ROWS.select(request.rsd, rows))
        columns = request.rcsd or (*_FREEZE_COLUMNS, *self._kept(table.columns, at))
        wanted = tuple(_keys_of(columns, table.columns))
        return RecordResult(
            request.oad,
            columns,
            tuple(_cells(columns, request.oad, self._frozen(row, wanted)) for row in chosen),
        )

    def _kept(self, columns: Iterable[Oad], at: datetime) -> Iterator[Oad]:
        return (column for column in columns if self._contents.has(column, at))

    def _frozen(self, row: FreezeRow, wanted: Iterable[str]) -> dict[str, Content]:
        """Registers as they stood then; what belongs to a time that ended then, as it was before."""
        ending = {key for key in wanted if "_max_demand" in key or key == _MONTH}
        taken_at = row.freeze.taken_at
        return {
            **self._contents.named((key for key in wanted if key not in ending), taken_at),
            **self._contents.named(ending, taken_at - _BEFORE),
            "freeze_number": Decimal(row.number),
            "frozen_at": civil(row.freeze.frozen_at),
        }

    def _events(self, request: RecordRequest, at: datetime) -> RecordResult:
        if not is_event(request.oad.oi):
            raise Unfit(NO_SUCH_OBJECT)
        kind = kind_of(request.oad)
        if kind is None or request.oad.index:
            raise Unfit(NO_SUCH_ATTRIBUTE)
        chosen = _EVENT_ROWS.select(request.rsd, self._event_part.rows(kind, at))
        columns = request.rcsd or (*_EVENT_COLUMNS, *self._event_part.related(request.oad.oi))
        return RecordResult(
            request.oad,
            columns,
            tuple(_cells(columns, request.oad, self._told(row, columns)) for row in chosen),
        )

    def _told(self, row: EventRow, columns: Rcsd) -> dict[str, Content]:
        """What a row knows of its event, and what the meter showed around it."""
        found: dict[str, Content] = {
            "event_number": Decimal(row.number),
            "event_started_at": civil(row.began),
            "event_ended_at": None if row.ended is None else civil(row.ended),
        }
        for column in _single(columns):
            feature = column.attribute >> _FEATURE_SHIFT
            entry = dictionary().entry(column._replace(attribute=column.attribute & _ATTRIBUTE_BITS))
            moment = row.moment(feature)
            if entry is not None and entry.object.interface_class in _MEASURED and moment is not None:
                behind = f"@{FEATURES[feature]}" if feature in FEATURES else ""
                shown = self._contents.named(keys(entry), moment)
                found.update({f"{key}{behind}": content for key, content in shown.items()})
        return found


def _bounded(rows: list[FreezeRow]) -> list[FreezeRow]:
    if len(rows) > ROWS_MAX:
        raise Unfit(TOO_MANY)
    return rows


def _single(columns: Rcsd) -> Iterator[Oad]:
    for column in columns:
        yield from (column,) if isinstance(column, Oad) else column.oads


def _keys_of(columns: Rcsd, kept: tuple[Oad, ...]) -> Iterator[str]:
    """Keys of the values in columns, as far as the table keeps them, whole or as an element."""
    for oad in _single(columns):
        if (oad in kept or oad._replace(index=0) in kept) and (entry := dictionary().entry(oad)):
            yield from keys(entry)


def _cells(columns: Rcsd, table: Oad, contents: dict[str, Content]) -> Cells:
    """A row; columns of other tables are NULL, whole."""
    row = encode_row(columns, contents)
    return tuple(
        NULL if isinstance(column, Road) and column.oad != table else cell
        for column, cell in zip(columns, row, strict=True)
    )
