"""Tables as workbooks of Excel; reading and writing them needs the extra ``export``."""

from __future__ import annotations

import importlib
import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from meterlink.errors import ConfigError
from meterlink.roster.merged import merged_ranges
from meterlink.roster.table import CELL_MAX, CELLS_MAX, Table, octets_of

UNPACKED_OCTETS_MAX: Final = 1024 * 1024 * 1024
"""A workbook that unpacks to more is refused before it is unpacked."""
ROW_MAX: Final = 1_048_576
"""The last row that Excel knows; a file that names a later one would be read for ever."""
_WIDTH: Final = 16
_NO_FORMULAS: Final[Iterable[tuple[Any, ...]]] = itertools.repeat(())
_FORMULA: Final = re.compile(rb"<f[\s>/]").search
_ERRORS: Final = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"})


def read_xlsx(path: Path) -> Table:
    """The first sheet of a workbook.

    Raises:
        ConfigError: it cannot be read, or the extra is missing. Its rows raise the same.

    """
    openpyxl = needed("openpyxl")
    octets = octets_of(path)
    _check_size(path, octets)
    rows = _rows(path, openpyxl, octets)
    _, headers = next(rows, (0, []))
    if not any(map(str.strip, headers)):
        raise ConfigError(
            f"{path}: the first row is empty: it must name the columns", f"{path}: 首行为空:首行须为列名"
        )
    return Table(headers=headers, rows=rows)


def write_xlsx(
    headers: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[Sequence[str]] = ()
) -> bytes:
    """A workbook in which every cell is text, so that no digit is lost and nothing is a formula.

    Args:
        headers: the first row.
        rows: the others.
        notes: rows of a second sheet; none: there is no second sheet.

    Raises:
        ConfigError: the extra is missing.

    """
    octets = io.BytesIO()
    book = needed("xlsxwriter").Workbook(octets, {"constant_memory": True})
    text, bold = book.add_format({"num_format": "@"}), book.add_format({"num_format": "@", "bold": True})
    sheet = book.add_worksheet("档案")
    sheet.set_column(0, len(headers) - 1, _WIDTH, text)
    sheet.freeze_panes(1, 0)
    _write(sheet, [headers], bold)
    _write(sheet, rows, text, first=1)
    if told := list(notes):
        _write(book.add_worksheet("说明"), told, text)
    book.close()
    return octets.getvalue()


def needed(module: str) -> Any:
    """A module of the extra ``export``.

    Raises:
        ConfigError: it is not installed; the message says how it is.

    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"workbooks need {module}: install meterlink[export], or use CSV",
            f"读写 xlsx 需要 {module}:请安装 meterlink[export],或改用 CSV",
        ) from None


def _write(sheet: Any, rows: Iterable[Sequence[str]], style: Any, first: int = 0) -> None:
    for number, row in enumerate(rows, start=first):
        for place, cell in enumerate(row):
            if cell:
                sheet.write_string(number, place, cell, style)


def _check_size(path: Path, octets: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
    except zipfile.BadZipFile:
        raise ConfigError(
            f"{path}: this is no workbook (.xlsx); save it as one, or as CSV",
            f"{path}: 不是工作簿(.xlsx):请另存为 .xlsx 或 CSV",
        ) from None
    if unpacked > UNPACKED_OCTETS_MAX:
        raise ConfigError(
            f"{path}: it unpacks to more than {UNPACKED_OCTETS_MAX >> 20} MiB: is it the right file?",
            f"{path}: 解压后超过 {UNPACKED_OCTETS_MAX >> 20} MiB:文件是否选错?",
        )


def _rows(path: Path, openpyxl: Any, octets: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet with their numbers."""
    try:
        sheet = _sheet(openpyxl, octets, data_only=True)
        _check_merged(path, octets, sheet)
        cells = _cells(sheet)
        is_written = _has_formulas(octets)
        written = _cells(_sheet(openpyxl, octets, data_only=False)) if is_written else _NO_FORMULAS
        for number, (row, formulas) in enumerate(zip(cells, written, strict=False), start=1):
            if number > ROW_MAX or len(row) > CELLS_MAX:
                raise ConfigError(
                    f"{path}:{number}: more than {ROW_MAX} rows, or {CELLS_MAX} cells in one",
                    f"{path}:{number}: 超过 {ROW_MAX} 行,或一行超过 {CELLS_MAX} 格",
                )
            _check_formulas(path, number, row, formulas)
            yield number, [_text(path, number, value) for value in row]
    except (ConfigError, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 (what a foreign reader raises at a broken file, nobody lists)
        raise ConfigError(
            f"{path}: this workbook cannot be read ({type(error).__name__}); save it anew",
            f"{path}: 工作簿无法读取({type(error).__name__}):请重新保存",
        ) from None


def _sheet(openpyxl: Any, octets: bytes, *, data_only: bool) -> Any:
    """The first sheet: with what the cells show, or with the formulas of those that have one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions, which are not read
        return openpyxl.load_workbook(io.BytesIO(octets), read_only=True, data_only=data_only).worksheets[0]


def _cells(sheet: Any) -> Iterator[tuple[Any, ...]]:
    return iter(sheet.iter_rows(values_only=True))


def _check_merged(path: Path, octets: bytes, sheet: Any) -> None:
    """Refuse merged cells: all but the first of them would pass for empty ones.

    Raises:
        ConfigError: there are some.

    """
    with zipfile.ZipFile(io.BytesIO(octets)) as packed, packed.open(_part_of(sheet)) as part:
        ranges, are_more = merged_ranges(part)
    if ranges:
        named, more, more_zh = ", ".join(ranges), " and more" * are_more, " 等" * are_more
        raise ConfigError(
            f"{path}: cells are merged ({named}{more}): only the first of them has a value, and the others "
            "would count as empty. Unmerge them and fill in each cell",
            f"{path}: 有合并单元格({named}{more_zh}):只有左上角的单元格有值,其余会被当作空白。"
            "请取消合并单元格,并逐格填写",
        )


def _part_of(sheet: Any) -> str:
    """Where a sheet stands in the file; only one that is loaded whole, cell by cell, tells what is merged."""
    return str(sheet._worksheet_path)


def _has_formulas(octets: bytes) -> bool:
    """Whether any sheet has one; looking twice at those without would double the time."""
    with zipfile.ZipFile(io.BytesIO(octets)) as packed:
        sheets = (part for part in packed.namelist() if part.startswith("xl/worksheets/"))
        return any(_FORMULA(packed.read(part)) for part in sheets)


def _check_formulas(path: Path, number: int, row: Sequence[Any], formulas: Sequence[Any]) -> None:
    """Refuse a formula of which the file has no result: its cell would pass for an empty one.

    Raises:
        ConfigError: there is one.

    """
    for place, (shown, formula) in enumerate(zip(row, formulas, strict=False), start=1):
        if shown is None and formula is not None:
            raise ConfigError(
                f"{path}:{number}: column {place} is a formula without a result: open the file in a "
                "spreadsheet program and save it, or write the value",
                f"{path}:{number}: 第 {place} 列是没有计算结果的公式:请用表格软件打开并保存,或直接填写数值",
            )


def _text(path: Path, number: int, value: Any) -> str:
    """A cell as people see it; a number without what Excel adds to it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case date():
            return value.isoformat()
    text = str(value)
    if len(text) > CELL_MAX:
        raise ConfigError(
            f"{path}:{number}: more than {CELL_MAX} characters in a cell",
            f"{path}:{number}: 单元格超过 {CELL_MAX} 个字符",
        )
    if text in _ERRORS:
        raise ConfigError(
            f"{path}:{number}: a cell shows the error {text}: mend its formula",
            f"{path}:{number}: 单元格显示错误 {text}:请更正公式",
        )
    return text
