"""The record tables of a concentrator: collected records, its archive, its task monitor, its one event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, Literal

from metersim.dlt698.circumstances import NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT, Unfit
from metersim.dlt698.records import TOO_MANY
from metersim.dlt698.selecting import SELECTOR_UNFIT
from metersim.terminals.archive import MeterArchive
from metersim.terminals.collector import Collector, Run
from metersim.terminals.failures import COLUMNS, READING_FAILURE, Failures
from metersim.terminals.schemes import Scheme
from metersim.terminals.store import OWN_COLUMNS, Store, cells_of, gives, meters_of, select, values_in
from metersim.terminals.tasks import COLLECT
from meterwire.dlt698.apdus.parts import RecordRequest, RecordResult, Row
from meterwire.dlt698.axdr.selection import (
    Oad,
    Rcsd,
    SelectAll,
    SelectEqual,
    Selection,
    SelectLast,
    SelectNthLast,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS

COLLECTED_ROWS_MAX: Final = 8192
"""Most rows of one answer; a read that means more is refused, and can be asked in pieces."""
NothingFound = Literal["zero_rows", "null_row"]
"""How a concentrator says that it has no such record. Source: spec section 7, 5."""

ARCHIVE_UNIT: Final = 0x6001
MONITOR_UNIT: Final = 0x6035
_NEVER: Final = DateTimeS(0, 0, 0, 0, 0, 0)


class ConcentratorTables:
    """Reads the record tables of one concentrator.

    Args:
        archive: of the concentrator.
        collector: its tasks and schemes.
        store: what was collected.
        failures: its event.
        nothing_found: how it says so.

    """

    def __init__(
        self,
        *,
        archive: MeterArchive,
        collector: Collector,
        store: Store,
        failures: Failures,
        nothing_found: NothingFound,
    ) -> None:
        self._archive = archive
        self._collector = collector
        self._store = store
        self._failures = failures
        self._nothing_found = nothing_found
        self._tables: dict[tuple[int, int], Callable[[RecordRequest], RecordResult]] = {
            (0x6000, 2): self._entries,
            (0x6012, 3): self._collected,
            (0x6034, 2): self._monitor,
            (READING_FAILURE, 2): self._events,
        }

    def read(self, request: RecordRequest, at: datetime) -> RecordResult:
        """The answer to one GetRecord.

        Args:
            request: table, selector, columns.
            at: true time, aware; tables do not depend on it.

        """
        del at
        oad = request.oad
        table = self._tables.get((oad.oi, oad.attribute))
        if table is None or oad.index:
            has_object = any(oi == oad.oi for oi, _ in self._tables)
            return RecordResult(oad, request.rcsd, NO_SUCH_ATTRIBUTE if has_object else NO_SUCH_OBJECT)
        try:
            return table(request)
        except Unfit as unfit:
            return RecordResult(oad, request.rcsd, unfit.dar)

    # --- collected records ---

    def _collected(self, request: RecordRequest) -> RecordResult:
        """A scheme that collects the most of the columns answers; without any there are no rows."""
        scheme = self._scheme_for(request.rcsd)
        columns = request.rcsd
        if scheme is not None and not columns:
            columns = (*OWN_COLUMNS, *scheme.columns)
        rows = tuple(self._rows(request.rsd, scheme, columns)) if scheme else ()
        if len(rows) > COLLECTED_ROWS_MAX:
            raise Unfit(TOO_MANY)
        if not rows and columns and self._nothing_found == "null_row" and _says_so(request.rsd):
            rows = ((NULL,) * len(columns),)
        return RecordResult(request.oad, columns, rows)

    def _scheme_for(self, columns: Rcsd) -> Scheme | None:
        collecting = [task.scheme for task in self._collector.tasks.values() if task.kind == COLLECT]
        schemes = [
            self._collector.schemes[one] for one in sorted(collecting) if one in self._collector.schemes
        ]
        if not columns:
            return schemes[0] if schemes else None
        values = list(values_in(columns))
        counted = {scheme.number: sum(gives(scheme, one) for one in values) for scheme in schemes}
        best = max(schemes, key=lambda scheme: counted[scheme.number], default=None)
        return best if best is not None and counted[best.number] else None

    def _rows(self, selection: Selection, scheme: Scheme, columns: Rcsd) -> Iterator[Row]:
        """Meter by meter; no more than can be refused for being too many."""
        left = COLLECTED_ROWS_MAX
        for entry in self._archive.chosen(meters_of(selection)):
            found = select(selection, self._store.rows(scheme.number, entry.address))
            for row in found[: left + 1]:
                yield cells_of(row, scheme, columns)
            left -= len(found)
            if left < 0:
                return

    # --- archive, monitor, event ---

    def _entries(self, request: RecordRequest) -> RecordResult:
        chosen = {entry.number for entry in self._archive.entries}
        rows = [(entry.number, data) for entry, data in self._archive.rows()]
        if isinstance(request.rsd, SelectLast):
            chosen = {entry.number for entry in self._archive.chosen(request.rsd.ms)[-request.rsd.last_n :]}
            rows = [(number, data) for number, data in rows if number in chosen]
            return _units(request, ARCHIVE_UNIT, rows, SelectAll())
        return _units(request, ARCHIVE_UNIT, rows, request.rsd)

    def _monitor(self, request: RecordRequest) -> RecordResult:
        runs = [(run.task, run_data(run)) for run in self._collector.runs.values()]
        return _units(request, MONITOR_UNIT, runs, request.rsd)

    def _events(self, request: RecordRequest) -> RecordResult:
        columns = request.rcsd or COLUMNS
        rows = tuple(failure.cells(columns) for failure in self._failures.select(request.rsd))
        return RecordResult(request.oad, columns, rows)


def run_data(run: Run) -> Data:
    """A run as 60350200 writes it."""
    ended_at = DateTimeS.of(run.ended_at) if run.ended_at else _NEVER
    return Data(
        "structure",
        (
            Data("unsigned", run.task),
            Data("enum", run.state),
            Data("date_time_s", DateTimeS.of(run.started_at)),
            Data("date_time_s", ended_at),
            *(
                Data("long-unsigned", min(count, 0xFFFF))
                for count in (run.total, run.success, run.sent, run.received)
            ),
        ),
    )


def _units(
    request: RecordRequest, unit: int, rows: list[tuple[int, Data]], selection: Selection
) -> RecordResult:
    """Rows that are each one structure, of which the first member is a number.

    Raises:
        Unfit: the selector is none for such a table.

    """
    first = Oad(unit, 2, 1)
    match selection:
        case SelectAll():
            found = rows
        case SelectEqual(oad, value) if oad == first:
            found = [(number, data) for number, data in rows if number == value.value]
        case SelectNthLast(number) if number:
            found = rows[::-1][number - 1 : number]
        case _:
            raise Unfit(SELECTOR_UNFIT)
    columns = request.rcsd or (Oad(unit, 2, 0),)
    cells = tuple(tuple(_unit_cell(data, unit, column) for column in columns) for _, data in found)
    return RecordResult(request.oad, columns, cells)


def _unit_cell(data: Data, unit: int, column: object) -> Data:
    if not isinstance(column, Oad) or column[:2] != (unit, 2) or column.index > len(data.value):
        return NULL
    found: Data = data.value[column.index - 1] if column.index else data
    return found


def _says_so(selection: Selection) -> bool:
    """Firmware that tells nothing by a row of nothing does so with every selector but the n-th last."""
    return not isinstance(selection, SelectNthLast)
