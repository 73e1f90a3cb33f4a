"""Freezes as files: CSV and workbooks for people, JSON lines and Parquet for programs.

In JSON lines a freeze is one object; in the others each of its registers is a row. What the register showed,
the multiplier, and both multiplied stand apart, exact: as text in CSV, JSON and workbooks, as ``decimal128``
in Parquet.
"""

from __future__ import annotations

import csv
import errno
import importlib
import io
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final, NamedTuple, Protocol, get_args

from meterlink.billing.freeze_json import json_of
from meterlink.billing.freezes import FreezeRow
from meterlink.config.billing import FileFormat
from meterlink.errors import ConfigError
from meterlink.model.payload import time_out

Format = FileFormat
FORMATS: Final[tuple[Format, ...]] = get_args(FileFormat)
SUFFIXES: Final[Mapping[Format, str]] = {
    "csv": "csv",
    "json": "jsonl",
    "xlsx": "xlsx",
    "parquet": "parquet",
}
MEDIA_TYPES: Final[Mapping[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
SHEET_ROWS_MAX: Final = 1_000_000
"""Rows of one sheet of a workbook; what is more goes into a further sheet. Excel takes 1,048,576."""
_CREATED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""What a workbook says: it depends on its rows alone, and the same rows are the same octets."""
_BATCH: Final = 10_000
"""Rows that Parquet gets at once."""


class Line(NamedTuple):
    """One register of a freeze, as a row of a table; the names are those of its columns."""

    seq: int
    supersedes: int | None
    meter: str
    meter_number: str
    customer_number: str
    area: str
    day: date
    frozen_at: datetime
    item: str
    value: Decimal | None
    unit: str
    multiplier: Decimal
    multiplied: Decimal | None
    quality: str
    marks: str
    source: str
    taken_at: datetime
    kept_at: datetime
    route: str


COLUMNS: Final = Line._fields
_WIDTHS: Final = {"meter": 16, "item": 32, "frozen_at": 28, "taken_at": 28, "kept_at": 28}
_PARQUET_TYPES: Final[Mapping[str, tuple[str, tuple[Any, ...]]]] = {
    "seq": ("int64", ()),
    "supersedes": ("int64", ()),
    "day": ("date32", ()),
    "frozen_at": ("timestamp", ("us", "UTC")),
    "taken_at": ("timestamp", ("us", "UTC")),
    "kept_at": ("timestamp", ("us", "UTC")),
    "value": ("decimal128", (24, 8)),
    "multiplier": ("decimal128", (24, 12)),
    "multiplied": ("decimal128", (38, 16)),
}
"""By column, its type and what that takes; all others are text."""


class RowWriter(Protocol):
    """Writes freezes into a file.

    Attributes:
        rows: rows of data that were written.

    """

    rows: int

    def add(self, row: FreezeRow) -> None:
        """One more.

        Raises:
            OSError: the file takes no more.
            ArithmeticError: a number is too long for the format.

        """

    def close(self) -> None:
        """Bring out what is held back; the file itself stays open. The same errors."""


def lines_of(row: FreezeRow) -> Iterator[Line]:
    """A freeze as rows of a table, one a register."""
    place = row.place
    for one in row.registers:
        yield Line(
            seq=row.seq,
            supersedes=row.supersedes,
            meter=row.meter,
            meter_number=place.meter_number,
            customer_number=place.customer_number,
            area=place.area,
            day=row.day,
            frozen_at=row.frozen_at,
            item=one.item,
            value=one.value,
            unit=one.unit,
            multiplier=place.multiplier,
            multiplied=one.times(place.multiplier),
            quality=one.quality,
            marks=" ".join(one.marks.names),
            source=row.source,
            taken_at=row.taken_at,
            kept_at=row.kept_at,
            route=row.route,
        )


def texts_of(row: FreezeRow) -> Iterator[list[str]]:
    """The same rows with each cell as text; what the registers of a freeze share is written once."""
    place = row.place
    before = [
        str(row.seq),
        "" if row.supersedes is None else str(row.supersedes),
        row.meter,
        place.meter_number,
        place.customer_number,
        place.area,
        row.day.isoformat(),
        time_out(row.frozen_at),
    ]
    behind = [row.source, time_out(row.taken_at), time_out(row.kept_at), row.route]
    multiplier = place.multiplier
    ratio = _digits(multiplier)
    for one in row.registers:
        multiplied, marks = _digits(one.times(multiplier)), " ".join(one.marks.names)
        told = [one.item, _digits(one.value), one.unit, ratio, multiplied, one.quality, marks]
        yield [*before, *told, *behind]


def writer_of(kind: Format, file: BinaryIO) -> RowWriter:
    """Whoever writes freezes in a format.

    Args:
        kind: the format.
        file: open for writing; its owner closes it.

    Raises:
        ConfigError: the format needs an extra that is not installed.

    """
    makers: Mapping[Format, Callable[[BinaryIO], RowWriter]] = {
        "csv": CsvWriter,
        "json": JsonWriter,
        "xlsx": WorkbookWriter,
        "parquet": ParquetWriter,
    }
    return makers[kind](file)


class CsvWriter:
    """Writes CSV: UTF-8, a header, commas, CR LF (RFC 4180)."""

    def __init__(self, file: BinaryIO) -> None:
        self.rows = 0
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
        self._csv = csv.writer(self._text)
        self._csv.writerow(COLUMNS)

    def add(self, row: FreezeRow) -> None:
        """See ``RowWriter``."""
        self._csv.writerows(texts_of(row))
        self.rows += len(row.registers)

    def close(self) -> None:
        """See ``RowWriter``."""
        self._text.flush()
        self._text.detach()


class JsonWriter:
    """Writes JSON lines: one freeze a line."""

    def __init__(self, file: BinaryIO) -> None:
        self.rows = 0
        self._file = file

    def add(self, row: FreezeRow) -> None:
        """See ``RowWriter``."""
        self._file.write(json_of(row).encode() + b"\n")
        self.rows += 1

    def close(self) -> None:
        """See ``RowWriter``."""


class _Archive:
    """A file for a zip archive, which is closed by whoever collects it, and goes on writing then.

    Args:
        file: open for writing.

    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO | None = file
        self._at = 0
        """Where it would be, once all is lost."""

    def end(self) -> None:
        """Whatever is written from now on is lost: the archive is whole, or will never be."""
        self._file = None

    def write(self, octets: bytes) -> int:
        """Write octets, all of them."""
        if self._file is not None:
            return self._file.write(octets)
        self._at += len(octets)
        return len(octets)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        if self._file is not None:
            return self._file.seek(place, whence)
        self._at = place
        return place

    def tell(self) -> int:
        """Where it is."""
        return self._at if self._file is None else self._file.tell()

    def flush(self) -> None:
        """Bring out what is held back."""
        if self._file is not None:
            self._file.flush()

    def seekable(self) -> bool:
        """It is."""
        return True


class WorkbookWriter:
    """Writes a workbook, each cell as text: a cell of a number holds 15 digits and drops zeros at the end.

    Its sheets grow in a temporary folder of its own, which goes with the writer also where it is not closed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.rows = 0
        maker = _needed("xlsxwriter")
        folder = tempfile.mkdtemp(prefix="meterlink-")
        self._clear_up = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._fault: type[Exception] = maker.exceptions.XlsxFileError
        self._archive = _Archive(file)
        self._book: Any = maker.Workbook(self._archive, {"constant_memory": True, "tmpdir": folder})
        self._book.set_properties({"created": _CREATED})
        self._text = self._book.add_format({"num_format": "@"})
        self._bold = self._book.add_format({"bold": True, "num_format": "@"})
        self._sheet: Any = self._new_sheet()
        self._next = 1

    def add(self, row: FreezeRow) -> None:
        """See ``RowWriter``."""
        for line in texts_of(row):
            if self._next > SHEET_ROWS_MAX:
                self._sheet, self._next = self._new_sheet(), 1
            for place, cell in enumerate(line):
                if cell:
                    self._sheet.write_string(self._next, place, cell, self._text)
            self._next += 1
            self.rows += 1

    def close(self) -> None:
        """See ``RowWriter``."""
        try:
            self._book.close()
        except self._fault as error:  # around what the system said, or that the file is over 4 GB
            said = error.args[0]
            raise (said if isinstance(said, OSError) else OSError(errno.EFBIG, str(said))) from None
        finally:
            self._archive.end()
            self._clear_up()

    def _new_sheet(self) -> Any:
        sheet = self._book.add_worksheet()
        for place, name in enumerate(COLUMNS):
            sheet.set_column(place, place, _WIDTHS.get(name, 14))
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(COLUMNS):
            sheet.write_string(0, place, name, self._bold)
        return sheet


class ParquetWriter:
    """Writes Parquet: decimals as ``decimal128``, times as microseconds UTC, days as dates."""

    def __init__(self, file: BinaryIO) -> None:
        self.rows = 0
        self._arrow = _needed("pyarrow")
        fields = [(name, self._type(name)) for name in COLUMNS]
        self._schema = self._arrow.schema(fields)
        self._parquet = _needed("pyarrow.parquet").ParquetWriter(file, self._schema)
        self._held: list[Line] = []

    def add(self, row: FreezeRow) -> None:
        """See ``RowWriter``."""
        for line in lines_of(row):
            self._held.append(line)
            self.rows += 1
        if len(self._held) >= _BATCH:
            self._bring_out()

    def close(self) -> None:
        """See ``RowWriter``."""
        self._bring_out()
        self._parquet.close()

    def _bring_out(self) -> None:
        columns = dict(zip(COLUMNS, zip(*self._held, strict=True), strict=True)) if self._held else {}
        table = {name: list(columns.get(name, ())) for name in COLUMNS}
        try:
            self._parquet.write_table(self._arrow.table(table, schema=self._schema))
        except self._arrow.ArrowInvalid as error:
            raise ArithmeticError(f"a number is too long for Parquet: {error}") from None
        self._held.clear()

    def _type(self, name: str) -> Any:
        kind, args = _PARQUET_TYPES.get(name, ("string", ()))
        return getattr(self._arrow, kind)(*args)


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"this format needs {module}: install meterlink[export], or choose csv or json",
            f"该格式需要 {module}:请安装 meterlink[export],或改用 csv 或 json",
        ) from None


def _digits(number: Decimal | None) -> str:
    """Without an exponent, with the zeros that the meter sent; empty: there is none."""
    return "" if number is None else format(number, "f")
