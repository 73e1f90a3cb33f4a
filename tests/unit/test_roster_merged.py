"""Merged cells of a workbook, which look like empty ones to whoever reads it row by row."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.errors import ConfigError
from meterlink.model.zone import CHINA_TIME
from meterlink.roster import merged
from meterlink.roster.files import read_file
from meterlink.roster.merged import RANGES_NAMED_MAX, merged_ranges
from tests.support.rosters import NOW

_HEADERS = ("标识", "通信地址", "线路", "台区")


def _book(path: Path, *ranges: str, on_second: str = "") -> Path:
    """Four meters, of which the first alone has the area, as people see it who merge the others with it."""
    book = openpyxl.Workbook()
    book.active.append(_HEADERS)
    for number in range(1, 5):
        book.active.append((f"m{number}", f"{number:012d}", "line1", "东区" if number == 1 else None))
    for one in ranges:
        book.active.merge_cells(one)
    if on_second:
        book.create_sheet("说明").merge_cells(on_second)
    book.save(path)
    return path


def _read(path: Path) -> int:
    return len(read_file(path, {}, at=NOW, zone=CHINA_TIME, tell=lambda _: None).meters)


def test_an_area_merged_over_its_meters_is_refused(tmp_path: Path) -> None:
    """All meters but the first would lose their area, and with it what is counted by area, without a word."""
    path = _book(tmp_path / "m.xlsx", "D2:D5")
    with pytest.raises(ConfigError, match=r"m\.xlsx: cells are merged \(D2:D5\)") as wrong:
        _read(path)
    assert "Unmerge them" in str(wrong.value)
    assert "合并单元格(D2:D5)" in wrong.value.zh and "请取消合并" in wrong.value.zh


def test_a_title_over_the_columns_is_refused(tmp_path: Path) -> None:
    """Its words would be taken for the name of a column, and the others for none."""
    with pytest.raises(ConfigError, match=r"merged \(A1:D1\)"):
        _read(_book(tmp_path / "m.xlsx", "A1:D1"))


def test_other_sheets_may_have_what_they_like(tmp_path: Path) -> None:
    """A roster with an explanation beside it would be refused for its looks."""
    assert 4 == _read(_book(tmp_path / "m.xlsx", on_second="A1:D1"))


def test_a_few_ranges_are_named(tmp_path: Path) -> None:
    """A sentence of thousands of ranges would be read by nobody."""
    ranges = [f"F{row}:G{row}" for row in range(2, 2 + RANGES_NAMED_MAX)]
    with pytest.raises(ConfigError) as few:
        _read(_book(tmp_path / "few.xlsx", *ranges))
    assert all(one in str(few.value) for one in ranges) and "more" not in str(few.value)
    with pytest.raises(ConfigError, match=r"\((F\d+:G\d+, ){4}F\d+:G\d+ and more\)"):
        _read(_book(tmp_path / "many.xlsx", *ranges, "F20:G20"))


def test_a_prefix_does_not_hide_them(tmp_path: Path) -> None:
    """Programs that write names of XML with a prefix would have their merged cells lost as before."""
    path, other = _book(tmp_path / "m.xlsx", "D2:D5"), tmp_path / "prefixed.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for part in old.infolist():
            octets = old.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                for name in (b"worksheet", b"sheetData", b"row", b"c", b"v", b"mergeCells", b"mergeCell"):
                    for end in (b" ", b">", b"/"):
                        octets = octets.replace(b"<" + name + end, b"<x:" + name + end)
                    octets = octets.replace(b"</" + name + b">", b"</x:" + name + b">")
                octets = octets.replace(b" xmlns=", b" xmlns:x=")
            new.writestr(part, octets)
    with pytest.raises(ConfigError, match=r"merged \(D2:D5\)"):
        _read(other)


@given(before=st.integers(0, 80), chunk=st.integers(1, 40))
def test_a_tag_over_the_edge_of_a_piece_is_found_once(before: int, chunk: int) -> None:
    """Where a sheet is long, its merged cells would be found or not by how long it is."""
    octets = b"<c/>" * before + b'<mergeCell ref="A1:B2"/><mergeCell ref="C1:D2"/><pageSetup/>'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merged, "_CHUNK_OCTETS", chunk)
        assert (["A1:B2", "C1:D2"], False) == merged_ranges(io.BytesIO(octets))
