"""Record reads: tables of freezes and of events, selectors, columns; rows come from what the meter shows.

A column that a table does not keep is NULL in every row. No columns asked means all that it keeps, named
in the answer. What happens to a meter here is that its clock is set, and that its contact opens and
closes; every other event has a table without rows. Source: spec sections 6.5, 6.7 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from metersim.dlt698.circumstances import NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT
from metersim.dlt698.contents import Contents, civil, keys
from metersim.dlt698.selecting import Selector, Unfit
from metersim.dlt698.tables import ENERGIES, FREEZES
from metersim.works.freezes import Freeze
from metersim.works.works import Works
from meterwire.dlt698.apdus.parts import Dar, RecordRequest, RecordResult
from meterwire.dlt698.apdus.parts import Row as Cells
from meterwire.dlt698.axdr.selection import Oad, Rcsd, Road
from meterwire.dlt698.axdr.values import NULL
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.notation import Table
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
EVENT_DEPTH: Final = 10
TIME_SETTINGS: Final = {0x3016: False, 0x303C: True}
"""Events of the clock being set, and whether that was by a broadcast."""
RELAY_MOVES: Final = {0x301F: True, 0x3020: False}
"""Events of the contact moving, and whether it opened; their rows know the energies of that moment."""

TOO_MANY: Final = Dar(2)

_METER_EVENTS: Final = 0x30  # high octet; those of terminals are 31H and 32H
_EVENT_CLASSES: Final = frozenset({7, 24})


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


class EventRow(NamedTuple):
    """A row of an event table.

    Args:
        number: from 1.
        began: by the meter's clock, before it was set where that is the event.
        ended: by the meter's clock.
        at: true time of the moment whose energies it knows; ``None``: it knows none.

    """

    number: int
    began: datetime
    ended: datetime
    at: datetime | None = None

    @property
    def shown_at(self) -> datetime:
        """When it began, to the second, civil."""
        return self.began.replace(tzinfo=None, microsecond=0)


_FREEZE_ROWS: Final = Selector[FreezeRow](time=FROZEN_AT, number=FREEZE_NUMBER)
_EVENT_ROWS: Final = Selector[EventRow](time=EVENT_STARTED_AT, number=EVENT_NUMBER)
_FREEZE_COLUMNS: Final = (FREEZE_NUMBER, FROZEN_AT)
_EVENT_COLUMNS: Final = (EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT, EVENT_SOURCE)


class RecordReader:
    """Reads the record tables of one meter.

    Args:
        contents: of the meter.
        works: of the meter.

    """

    def __init__(self, contents: Contents, works: Works) -> None:
        self._contents = contents
        self._works = works

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
        rows = map(FreezeRow, self._works.freezes(table.table.name, at))
        chosen = _bounded(_FREEZE_ROWS.select(request.rsd, rows))
        columns = request.rcsd or (*_FREEZE_COLUMNS, *table.columns)
        wanted = tuple(_keys_of(columns, table.columns))
        return RecordResult(
            request.oad,
            columns,
            tuple(_cells(columns, request.oad, self._frozen(row, wanted)) for row in chosen),
        )

    def _frozen(self, row: FreezeRow, wanted: Iterable[str]) -> dict[str, Content]:
        return {
            **self._contents.named(wanted, row.freeze.taken_at),
            "freeze_number": Decimal(row.number),
            "frozen_at": civil(row.freeze.frozen_at),
        }

    def _events(self, request: RecordRequest, at: datetime) -> RecordResult:
        if not is_event(request.oad.oi):
            raise Unfit(NO_SUCH_OBJECT)
        entry = dictionary().entry(request.oad)
        if entry is None or not isinstance(entry.type, Table):
            raise Unfit(NO_SUCH_ATTRIBUTE)
        chosen = _EVENT_ROWS.select(request.rsd, self._rows(request.oad.oi, at))
        columns = request.rcsd or _EVENT_COLUMNS
        wanted = tuple(_keys_of(columns, ENERGIES))
        return RecordResult(
            request.oad,
            columns,
            tuple(_cells(columns, request.oad, self._told(row, wanted)) for row in chosen),
        )

    def _told(self, row: EventRow, wanted: Iterable[str]) -> dict[str, Content]:
        known = self._contents.named(wanted, row.at) if row.at else {}
        return {**known, **_event(row)}

    def _rows(self, event: int, at: datetime) -> Iterator[EventRow]:
        """What this event tells, newest first."""
        found = self._moves(event, at) if event in RELAY_MOVES else self._settings(event)
        for number in range(len(found), max(len(found) - EVENT_DEPTH, 0), -1):
            yield found[number - 1]._replace(number=number)

    def _settings(self, event: int) -> list[EventRow]:
        """The settings of the clock that this event tells, oldest first."""
        broadcast = TIME_SETTINGS.get(event)
        settings = [one for one in self._works.clock.settings if one.broadcast is broadcast]
        return [EventRow(0, one.before, one.after) for one in settings]

    def _moves(self, event: int, at: datetime) -> list[EventRow]:
        """The moves of the contact that this event tells, oldest first."""
        memory = self._works.memory
        moves = memory.opened(at) if RELAY_MOVES[event] else memory.closed(at)
        return [EventRow(0, one.shown_at, one.shown_at, one.moved_at) for one in reversed(moves)]


def is_event(oi: int) -> bool:
    """Whether a meter here has the event, with or without records."""
    found = dictionary().object(oi)
    return found is not None and found.interface_class in _EVENT_CLASSES and oi >> 8 == _METER_EVENTS


def _event(row: EventRow) -> dict[str, Content]:
    return {
        "event_number": Decimal(row.number),
        "event_started_at": civil(row.began),
        "event_ended_at": civil(row.ended),
    }


def _bounded(rows: list[FreezeRow]) -> list[FreezeRow]:
    if len(rows) > ROWS_MAX:
        raise Unfit(TOO_MANY)
    return rows


def _keys_of(columns: Rcsd, kept: tuple[Oad, ...]) -> Iterator[str]:
    """Keys of the values in columns, as far as the table keeps them, whole or as an element."""
    for column in columns:
        for oad in (column,) if isinstance(column, Oad) else column.oads:
            if (oad in kept or oad._replace(index=0) in kept) and (entry := dictionary().entry(oad)):
                yield from keys(entry)


def _cells(columns: Rcsd, table: Oad, contents: dict[str, Content]) -> Cells:
    """A row; columns of other tables are NULL, whole."""
    row = encode_row(columns, contents)
    return tuple(
        NULL if isinstance(column, Road) and column.oad != table else cell
        for column, cell in zip(columns, row, strict=True)
    )
