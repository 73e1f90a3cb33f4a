"""Rosters in files: which kind a file is, and what it says of the meters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

from meterlink.config import MeterSettings, load_settings
from meterlink.errors import ConfigError
from meterlink.roster.columns import COLUMNS, Column
from meterlink.roster.document import read_json
from meterlink.roster.entries import Meters, entry_of
from meterlink.roster.faults import Fault
from meterlink.roster.rows import ROWS_MAX, read_rows
from meterlink.roster.table import Table, read_csv
from meterlink.roster.workbook import read_xlsx

_TEXT: Final = frozenset({".csv", ".txt", ".tsv"})
_BOOKS: Final = frozenset({".xlsx", ".xlsm"})
_TELL_EVERY: Final = 500
"""Rows between two words about how far it is."""

Tell = Callable[[int], None]
"""Is told how many rows have been read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a file says.

    Args:
        meters: of the rows that nothing is wrong with.
        rows: by id, the row that names it; empty for a configuration.
        faults: what is wrong with other rows.
        encoding: how it was written; empty: it is no text.

    """

    meters: Sequence[MeterSettings]
    rows: Mapping[str, int]
    faults: Sequence[Fault]
    encoding: str


def read_file(path: Path, before: Meters, *, at: datetime, zone: tzinfo, tell: Tell) -> Wanted:
    """The meters of a file: a table (CSV, workbook), an export as JSON, or a configuration.

    Args:
        path: the file; its ending says what it is.
        before: the roster as it is; what a table does not say stays as there.
        at: now.
        zone: of times that name none.
        tell: is told how far it is.

    Raises:
        ConfigError: it cannot be read, or its first row is wrong.

    """
    kind = path.suffix.lower()
    if kind == ".toml":
        return Wanted(meters=load_settings(path).meters, rows={}, faults=(), encoding="")
    if kind == ".json":
        document = read_json(path)
        tell(len(document.meters))
        return Wanted(meters=document.meters, rows=document.rows, faults=document.faults, encoding="")
    if kind in _TEXT:
        table = read_csv(path)
    elif kind in _BOOKS:
        table = read_xlsx(path)
    else:
        raise ConfigError(
            f"{path}: a roster is a .csv, .xlsx, .json or .toml; save it as one of them",
            f"{path}: 档案须为 .csv、.xlsx、.json 或 .toml 文件:请另存为其中之一",
        )
    try:
        sheet = read_rows(table.headers, _told(table, tell), before, at=at, zone=zone)
    except ConfigError as error:
        raise error.behind("" if str(error).startswith(str(path)) else f"{path}: ") from None
    return Wanted(meters=sheet.meters, rows=sheet.rows, faults=sheet.faults, encoding=table.encoding)


def table_of(
    meters: Sequence[MeterSettings], zone: tzinfo, *, lang: str
) -> tuple[list[str], Iterator[list[str]]]:
    """Meters as a table: its headers, and its rows; columns that none of them fills in are left out.

    Args:
        meters: in their order.
        zone: of times.
        lang: ``zh`` or ``en``: of the headers.

    """
    entries = [entry_of(meter) for meter in meters]
    told = {key for entry in entries for key in entry}
    columns = [column for column in COLUMNS if column.key in told or column.is_needed]
    return headers_of(columns, lang), ([_cell(entry, one, zone) for one in columns] for entry in entries)


def headers_of(columns: Sequence[Column], lang: str) -> list[str]:
    """The first row of a table."""
    return [column.zh if lang == "zh" else column.key for column in columns]


def _cell(entry: Mapping[str, object], column: Column, zone: tzinfo) -> str:
    value = entry.get(column.key)
    return "" if value is None else column.cell.write(value, zone)


def _told(table: Table, tell: Tell) -> Iterator[tuple[int, Sequence[str]]]:
    count = 0
    for count, row in enumerate(table.rows, start=1):
        if count % _TELL_EVERY == 0:
            tell(min(count, ROWS_MAX))
        yield row
    tell(count)
