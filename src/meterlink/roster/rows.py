"""Rows of a table into meters: columns found by their headers, cells read, each fault told with its row.

A cell that is empty means what an entry means that says nothing; a column that is not there means that
nothing is said: what the roster has of the meter stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

from pydantic import ValidationError

from meterlink.config.fault import said_of
from meterlink.config.meters import METERS_MAX, MeterSettings
from meterlink.errors import ConfigError
from meterlink.roster.columns import BY_KEY, COLUMNS, Column, column_of, near
from meterlink.roster.entries import Meters, entry_of, is_gone
from meterlink.roster.faults import CellRefused, Fault, Words

ROWS_MAX: Final = METERS_MAX
"""Meters in one table; one with more is refused."""

Row = tuple[int, Sequence[str]]
"""Its number in the file, from 1, and its cells."""


@dataclass(slots=True)
class Sheet:
    """What a table says.

    Args:
        columns: those that it has.
        meters: of the rows that nothing is wrong with, in their order.
        rows: by id, the row that names it.
        faults: what is wrong with the others.

    """

    columns: tuple[Column, ...]
    meters: list[MeterSettings] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def columns_of(headers: Sequence[str]) -> tuple[Column | None, ...]:
    """The columns of a table's first row; ``None``: a column without header.

    Raises:
        ConfigError: a header is unknown or stands twice, or a needed one is missing.

    """
    found: list[Column | None] = []
    for place, header in enumerate(headers, start=1):
        column = column_of(header)
        if column is None and header.strip():
            raise _unknown(header, place)
        if column is not None and column in found:
            raise ConfigError(
                f"column {place} ({header.strip()}): the table has {column.key} twice",
                f"第 {place} 列({header.strip()}):列“{column.zh}”重复",
            )
        found.append(column)
    for column in COLUMNS:
        if column.is_needed and column not in found:
            raise ConfigError(
                f"row 1: there is no column {column.key} ({column.zh}): the first row must name the columns, "
                "see `meterlink roster template`",
                f"第 1 行:缺少列“{column.zh}”({column.key}):首行须为列名,见 `meterlink roster template`",
            )
    return tuple(found)


def read_rows(
    headers: Sequence[str], rows: Iterable[Row], before: Meters, *, at: datetime, zone: tzinfo
) -> Sheet:
    """The meters of a table.

    Args:
        headers: its first row.
        rows: the others.
        before: the roster as it is; what the table does not say stays as there.
        at: now.
        zone: of times that name none.

    Raises:
        ConfigError: the headers are wrong, or there are more than ``ROWS_MAX`` rows.

    """
    columns = columns_of(headers)
    sheet = Sheet(columns=tuple(column for column in columns if column))
    count = 0
    for number, cells in rows:
        if not any(map(str.strip, cells)):
            continue
        if (count := count + 1) > ROWS_MAX:
            raise ConfigError(
                f"row {number}: a roster has at most {ROWS_MAX} meters",
                f"第 {number} 行:档案最多 {ROWS_MAX} 只电表",
            )
        _read_row(sheet, columns, number, cells, before, at, zone)
    return sheet


def _read_row(
    sheet: Sheet,
    columns: tuple[Column | None, ...],
    number: int,
    cells: Sequence[str],
    before: Meters,
    at: datetime,
    zone: tzinfo,
) -> None:
    faults: list[Fault] = []
    told = _cells(columns, number, cells, zone, faults)
    meter_id = str(told.get("id", ""))
    if not faults and (twice := sheet.rows.get(meter_id)):
        words = Words(f"row {twice} has the same id; leave one", f"与第 {twice} 行标识相同,请删去一行")
        faults.append(Fault(row=number, column="id", meter=meter_id, words=words))
    if not faults:
        try:
            meter = MeterSettings.model_validate(_merged(before.get(meter_id), told, sheet.columns, at))
        except ValidationError as error:
            faults = [_fault(number, meter_id, found) for found in error.errors(include_url=False)]
        else:
            sheet.meters.append(meter)
    sheet.rows.setdefault(meter_id, number)
    sheet.faults += faults


def _cells(
    columns: tuple[Column | None, ...], number: int, cells: Sequence[str], zone: tzinfo, faults: list[Fault]
) -> dict[str, Any]:
    """By field, what the cells of a row say; empty ones are left out."""
    told: dict[str, Any] = {}
    for place, cell in enumerate(cells):
        text = cell.strip()
        column = columns[place] if place < len(columns) else None
        if column is None:
            if text:
                words = Words(
                    f"cell {place + 1} has no header above it: is a comma too much in this row?",
                    f"第 {place + 1} 格上方没有列名:本行是否多了分隔符?",
                )
                faults.append(Fault(row=number, column="", meter=str(told.get("id", "")), words=words))
            continue
        if text:
            try:
                told[column.key] = column.cell.read(text, zone)
            except CellRefused as refusal:
                meter = str(told.get("id", ""))
                faults.append(Fault(row=number, column=column.key, meter=meter, words=refusal.words))
        elif column.is_needed:
            words = Words("is empty, and must not be", "不能为空")
            faults.append(Fault(row=number, column=column.key, meter=str(told.get("id", "")), words=words))
    missing = [column for column in columns[len(cells) :] if column and column.is_needed]
    faults += [
        Fault(row=number, column=column.key, meter=str(told.get("id", "")), words=_SHORT)
        for column in missing
    ]
    return told


def _merged(
    old: MeterSettings | None, told: Mapping[str, Any], columns: tuple[Column, ...], at: datetime
) -> dict[str, Any]:
    """An entry with what a row says of it; a meter that was gone and is in the table again is back."""
    if old is None:
        return dict(told)
    said = {column.key for column in columns} | ({"in_service_until"} if is_gone(old, at) else set())
    return {key: value for key, value in entry_of(old).items() if key not in said} | dict(told)


def _fault(number: int, meter_id: str, found: Any) -> Fault:
    """What the rules of the configuration say of a meter; the columns have their own words for most of it."""
    key = str(found["loc"][0]) if found["loc"] else ""
    column = BY_KEY.get(key)
    said = said_of(found)
    zh = f"{said.zh}(本列应为{column.cell.rule.zh})" if column else said.zh
    return Fault(row=number, column=key, meter=meter_id, words=Words(said.en, zh))


def _unknown(header: str, place: int) -> ConfigError:
    meant, said = near(header), header.strip()[:40]
    hint = f"did you mean {meant}?" if meant else "see `meterlink roster template`"
    hint_zh = f"是否为 {meant}?" if meant else "见 `meterlink roster template`"
    return ConfigError(
        f"column {place}: no column is called {said!r}: {hint}",
        f"第 {place} 列:未知的列名 {said!r}:{hint_zh}",
    )


_SHORT: Final = Words("is missing: the row is shorter than the first one", "缺少该格:本行比首行短")
