"""Tables as text: CSV of any spreadsheet, in UTF-8 or GB18030, with commas, semicolons or tabs."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meterlink.config.fault import unreadable
from meterlink.errors import ConfigError

TABLE_OCTETS_MAX: Final = 128 * 1024 * 1024
"""A larger file is refused before it is read."""
CELL_MAX: Final = 8_192
"""Characters of one cell; more is a quotation mark that is never closed."""
CELLS_MAX: Final = 256
"""Cells of one row."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was read.

    Args:
        headers: its first row.
        rows: the others, each with its number in the file, read as they are asked for.
        encoding: how it was written; empty: it is no text.

    """

    headers: Sequence[str]
    rows: Iterable[tuple[int, Sequence[str]]]
    encoding: str = ""


def read_csv(path: Path) -> Table:
    """A table of text.

    Raises:
        ConfigError: it cannot be read; the message says why. Its rows raise the same.

    """
    text, encoding = decoded(path, octets_of(path))
    rows = _rows(path, text)
    _, headers = next(rows, (0, []))
    if not any(map(str.strip, headers)):
        raise ConfigError(
            f"{path}: the first row is empty: it must name the columns", f"{path}: 首行为空:首行须为列名"
        )
    return Table(headers=headers, rows=rows, encoding=encoding)


def octets_of(path: Path) -> bytes:
    """What is in a file.

    Raises:
        ConfigError: it cannot be read, or is too large.

    """
    try:
        with path.open("rb") as file:
            octets = file.read(TABLE_OCTETS_MAX + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(octets) > TABLE_OCTETS_MAX:
        raise ConfigError(
            f"{path}: larger than {TABLE_OCTETS_MAX >> 20} MiB: is this the right file?",
            f"{path}: 大于 {TABLE_OCTETS_MAX >> 20} MiB:文件是否选错?",
        )
    return octets


def decoded(path: Path, octets: bytes) -> tuple[str, str]:
    """Text and its encoding: UTF-8, with or without mark, or what Chinese Windows writes.

    Raises:
        ConfigError: it is neither.

    """
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if octets.startswith(mark):
            return _decoded(path, octets, "utf-16"), "utf-16"
    try:
        return octets.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return _decoded(path, octets, "gb18030"), "gb18030"


def write_csv(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A table as octets: UTF-8 with the mark by which Excel knows it, lines ended as Excel ends them."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(headers)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def _decoded(path: Path, octets: bytes, encoding: str) -> str:
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: octet {octets[error.start]:02X}H is neither UTF-8 nor GB18030: save it as "
            "“CSV UTF-8”",
            f"{path}:{line}: 字节 {octets[error.start]:02X}H 既不是 UTF-8 也不是 GB18030 编码:"
            "请另存为“CSV UTF-8”",
        ) from None


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=_delimiter(text), strict=True)
    number = 1
    try:
        for cells in reader:
            if len(cells) > CELLS_MAX or any(len(cell) > CELL_MAX for cell in cells):
                raise ConfigError(
                    f"{path}:{number}: more than {CELLS_MAX} cells in a row, or {CELL_MAX} characters in a "
                    "cell: is a quotation mark not closed?",
                    f"{path}:{number}: 一行超过 {CELLS_MAX} 格,或一格超过 {CELL_MAX} 个字符:引号是否未闭合?",
                )
            yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError(
            f"{path}:{number}: not CSV: {error}", f"{path}:{number}: 不是 CSV 格式:{error}"
        ) from None


def _delimiter(text: str) -> str:
    """What stands most often in the first line."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)
