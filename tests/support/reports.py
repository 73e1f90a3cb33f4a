"""Reports of DL/T 698.45 terminals for tests, built from names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meterwire.dlt698.apdus.parts import FollowReport, Piid, RecordResult
from meterwire.dlt698.apdus.report import ReportNotificationRecordList
from meterwire.dlt698.axdr.selection import Oad, Rcsd
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.objects.records import (
    EVENT_ENDED_AT,
    EVENT_NUMBER,
    EVENT_SOURCE,
    EVENT_STARTED_AT,
    FREEZE_NUMBER,
    FROZEN_AT,
    column,
    encode_row,
)

POWER_DOWN = Oad(0x3011, 2, 0)
DAILY_FREEZE = Oad(0x5004, 2, 0)
_EVENT_COLUMNS = (EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT, EVENT_SOURCE)


def table(oad: Oad, columns: Rcsd, *rows: Contents, cells: Mapping[Oad, Data] | None = None) -> RecordResult:
    """Rows of a table, with columns whose Data is given as it is."""
    return RecordResult(
        oad,
        columns,
        tuple(
            tuple(
                (cells or {}).get(of, cell) if isinstance(of, Oad) else cell
                for of, cell in zip(columns, encode_row(columns, row), strict=True)
            )
            for row in rows
        ),
    )


def events(
    *rows: Contents, of: Oad = POWER_DOWN, items: Sequence[str] = (), cells: Mapping[Oad, Data] | None = None
) -> RecordResult:
    """Rows of an event table: the columns that all have, and others by the names of their items."""
    return table(of, (*_EVENT_COLUMNS, *map(column, items)), *rows, cells=cells)


def freezes(*rows: Contents, items: Sequence[str], of: Oad = DAILY_FREEZE) -> RecordResult:
    """Rows of a freeze."""
    return table(of, (FREEZE_NUMBER, FROZEN_AT, *map(column, items)), *rows)


def told(*tables: RecordResult, number: int = 5, follow: FollowReport = None) -> ReportNotificationRecordList:
    """A report of tables."""
    assert all(dictionary().object(one.oad.oi) for one in tables)
    return ReportNotificationRecordList(piid=Piid.of(number), records=tables, follow_report=follow)
