"""Tables of meters: what people and Excel write, what is refused, and in which words."""

from __future__ import annotations

import csv
import importlib
import io
import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.config.meters import CUSTOMER_WAS_MAX, MeterSettings
from meterlink.errors import ConfigError
from meterlink.model.zone import CHINA_TIME
from meterlink.roster import rows as roster_rows
from meterlink.roster import table, workbook
from meterlink.roster.columns import COLUMNS, column_of
from meterlink.roster.document import read_json
from meterlink.roster.entries import entry_of
from meterlink.roster.files import read_file, table_of
from meterlink.roster.rows import ROWS_MAX, read_rows
from meterlink.roster.table import read_csv, write_csv
from meterlink.roster.workbook import read_xlsx, write_xlsx
from tests.support.rosters import NOW, by_id, meter, sheet, told

_FIRST = "id | address | line | customer\n"
_GOOD = "m1 | 000000000001 | line1 | 李雷\n"


# --- cells ---


def test_a_row_of_either_language_is_the_same_meter() -> None:
    """A file of the company's own system would have to be written over by hand."""
    english = sheet(
        "id|address|meter_number|line|phases|ct|pt|reading_day|protected|residential|cost_control\n"
        "m1|000000000001|000000000009|line1|3|30|100|28|hospital;water|no|remote\n"
    )
    chinese = sheet(
        "标识|通信地址|表号|线路|相数|CT变比|PT变比|抄表例日|保护类别|居民|费控方式\n"
        "m1|000000000001|000000000009|line1|三相|150/5|10000/100|28|医院、供水|否|远程费控\n"
    )
    assert [] == [*english.faults, *chinese.faults]
    assert english.meters == chinese.meters
    [one] = english.meters
    assert (3, Decimal(30), Decimal(100), 28) == (one.phases, one.ct, one.pt, one.reading_day)
    assert (("hospital", "water"), False) == (one.protected, one.residential)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1.23E+11", "Excel has made a number of it"),
        ("1.23457E+11", "已被 Excel 当作数值"),
        ("123456789012.0", "Excel has made a number of it"),
        ("161", "Excel may have dropped zeros in front"),
        ("12345678901", "前面的 0 可能被 Excel 去掉"),
        ("1234567890123", "has 13 digits"),
        ("00000000001A", "not of digits alone"),
        ("１２３４５６７８９０１２", "not of digits alone"),
    ],
)
@pytest.mark.parametrize("column", ["address", "meter_number", "customer_number"])
def test_what_excel_has_spoilt_is_refused_with_what_to_do(cell: str, words: str, column: str) -> None:
    """A meter would be polled under an address that is another's, or a customer billed for another."""
    head = "id | address | line" if column == "address" else f"id | address | line | {column}"
    row = f"m1 | {cell} | line1" if column == "address" else f"m1 | 000000000001 | line1 | {cell}"
    found = sheet(f"{head}\n{row}\n")
    assert ([], [(2, column)]) == (found.meters, told(found.faults))
    said = found.faults[0].words
    assert words in said.en + said.zh
    assert ("format the column as text" in said.en) and ("“文本”格式" in said.zh)


def test_an_apostrophe_keeps_digits_text() -> None:
    """It is how people keep Excel from dropping zeros; in a CSV it stays."""
    assert ["000000000001"] == [
        one.address for one in sheet(f"{_FIRST}m1 | '000000000001 | line1 |\n").meters
    ]


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("reading_day", "29", "a whole number from 1 to 28"),
        ("reading_day", "0", "1 至 28"),
        ("reading_day", "1.5", "a whole number"),
        ("phases", "2", "one of 1, 3"),
        ("ct", "0", "greater than 0"),
        ("ct", "150/0", "150/5"),
        ("ct", "1e9", "at most 100000"),
        ("ct", "NaN", "大于 0"),
        ("ct", "1/3", "6 decimal places"),
        ("pt", "abc", "30 or 150/5"),
        ("residential", "maybe", "yes or no"),
        ("protected", "hospital;hotel", "life_support"),
        ("cost_control", "prepaid", "one of none, remote, local"),
        ("protocol", "dlt645", "dlt698.45"),
        ("in_service_since", "22.11.2026", "2026-11-22 10:30"),
        ("in_service_since", "2026/13/5", "2026-11-22 10:30"),
        ("in_service_since", "2026/1/5 24:30", "2026-11-22 10:30"),
        (
            "in_service_since",
            "46027",
            "how Excel counts days (perhaps 2026-01-05)",
        ),
        ("in_service_since", "46027.5", "Excel 的日期序列号(可能是 2026-01-05)"),
        ("in_service_since", "10000", '"10000" is none'),
        ("customer", "=HYPERLINK(1)", "formula"),
        ("customer", "x" * 101, "at most 100"),
        ("customer", "a\x07b", "cannot be seen"),
        ("control_password", "31415926", "file:/path or env:NAME"),
        ("opening_limit_a", "1001", "from 1 to 1000"),
    ],
)
def test_a_wrong_cell_is_named_with_what_its_column_takes(column: str, cell: str, words: str) -> None:
    """Somebody would search ten thousand rows for a typing error."""
    found = sheet(f"id | address | line | {column}\nm1 | 000000000001 | line1 | {cell}\n")
    assert [(2, column)] == told(found.faults)
    said = found.faults[0].words
    assert words in said.en + said.zh
    assert "31415926" not in said.en + said.zh, "it may be the secret itself"


def test_every_fault_of_every_row_is_told() -> None:
    """Mending one fault at a time takes an evening."""
    wrong = "m1 | 1 | line1 | =x\n | 000000000002 | line1 |\nm3 | 000000000003 |\n"
    found = sheet(f"{_FIRST}{wrong}m4 | 000000000004 | line1 |\n")
    assert [(2, "address"), (2, "customer"), (3, "id"), (4, "line")] == told(found.faults)
    assert ["m4"] == [one.id for one in found.meters]


def test_rows_that_do_not_fit_the_first_one() -> None:
    """A comma in a name would move every cell behind it by one."""
    found = sheet(f"{_FIRST}m1 | 000000000001 | line1 | a | b\nm2 | 000000000002\n")
    assert [(2, ""), (3, "line")] == told(found.faults)
    assert "comma too much" in found.faults[0].words.en


def test_two_rows_of_one_meter() -> None:
    """The later one would silently win."""
    found = sheet(f"{_FIRST}{_GOOD}m1 | 000000000002 | line1 |\n")
    assert [(3, "id")] == told(found.faults)
    assert "row 2 has the same id" in found.faults[0].words.en


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ("id | adress | line", "did you mean address?"),
        ("id | address | line | 地 址 | 用电地址", "point_of_supply twice"),
        ("id | address", "no column line (线路)"),
        ("foo | bar", "no column is called 'foo'"),
    ],
)
def test_a_wrong_first_row_is_refused(headers: str, words: str) -> None:
    """A column that nobody reads would be thought to have been imported."""
    with pytest.raises(ConfigError) as wrong:
        sheet(f"{headers}\n")
    assert words in str(wrong.value)


def test_names_of_columns_are_told_apart() -> None:
    """Two columns of one name: the later one would swallow the other's cells."""
    names = [name for column in COLUMNS for name in (column.key, column.zh, *column.others)]
    assert [column_of(name) for name in names] == [
        column for column in COLUMNS for _ in (column.key, column.zh, *column.others)
    ]
    assert {column.key for column in COLUMNS} == set(MeterSettings.model_fields)


def test_a_column_that_is_not_there_changes_nothing() -> None:
    """A list of meters and their areas would take away everything else that is known of them."""
    old = meter(1, customer="李雷", area="west", protected=["hospital"])
    [one] = sheet("id|address|line|area\nm1|000000000001|line1|east\n", [old]).meters
    assert ("李雷", "east", ("hospital",)) == (one.customer, one.area, one.protected)
    [cleared] = sheet("id|address|line|protected\nm1|000000000001|line1|\n", [old]).meters
    assert () == cleared.protected


def test_a_meter_that_was_gone_and_is_listed_is_back() -> None:
    """It would stay out of service, though the file names it; one that shall go later still goes."""
    gone, going = meter(1, in_service_until=NOW), meter(2, in_service_until=NOW.replace(year=2027))
    found = sheet("id|address|line\nm1|000000000001|line1\nm2|000000000002|line1\n", [gone, going]).meters
    assert [None, going.in_service_until] == [one.in_service_until for one in found]


def test_times_are_those_of_the_plant() -> None:
    """A meter put in at midnight would have been put in eight hours later."""
    [one] = sheet("id|address|line|in_service_since\nm1|000000000001|line1|2026/11/22 08:30\n").meters
    assert datetime(2026, 11, 22, 0, 30, tzinfo=UTC) == one.in_service_since


@pytest.mark.parametrize(
    ("cell", "hours"),
    [
        ("2026/1/5", 0),
        ("2026/1/5 8:00", 8),
        ("2026/01/05 08:00:00", 8),
        ("2026-1-5", 0),
        ("2026-1-5 8:00", 8),
        ("2026年1月5日", 0),
        ("2026-01-05T08:00+08:00", 8),
        ("20260105", 0),
    ],
)
def test_times_as_excel_writes_them(cell: str, hours: int) -> None:
    """Each row of a CSV out of a Chinese Excel would be refused for a zero that it leaves out."""
    [one] = sheet(f"id|address|line|in_service_since\nm1|000000000001|line1|{cell}\n").meters
    assert datetime(2026, 1, 5, hours, tzinfo=CHINA_TIME) == one.in_service_since


def test_as_many_rows_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit a table is taken, one more and it is not."""
    assert 100_000 == ROWS_MAX
    monkeypatch.setattr(roster_rows, "ROWS_MAX", 3)
    rows = [(n, [f"m{n}", f"{n:012d}", "line1"]) for n in range(2, 6)]
    head = ["id", "address", "line"]
    assert 3 == len(read_rows(head, [*rows[:3], (9, ["", "", ""])], {}, at=NOW, zone=CHINA_TIME).meters)
    with pytest.raises(ConfigError, match="row 5: a roster has at most 3 meters"):
        read_rows(head, rows, {}, at=NOW, zone=CHINA_TIME)


# --- CSV ---


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_any_spreadsheet(tmp_path: Path, encoding: str, named: str, delimiter: str) -> None:
    """A file that Excel saved in China would be rubbish, or refused without a word why."""
    path = tmp_path / "m.csv"
    text = "标识,通信地址,线路,户名\r\nm1,000000000001,line1,李雷\r\n".replace(",", delimiter)
    path.write_bytes(text.encode(encoding))
    wanted = read_file(path, {}, at=NOW, zone=CHINA_TIME, tell=lambda _: None)
    assert (named, ["李雷"]) == (wanted.encoding, [one.customer for one in wanted.meters])


def test_rows_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    """A cell of two lines would send people to the wrong row."""
    path = tmp_path / "m.csv"
    path.write_text(
        'id,address,line,customer\nm1,000000000001,line1,"a\nb"\nm2,2,line1,c\n', encoding="utf-8"
    )
    wanted = read_file(path, {}, at=NOW, zone=CHINA_TIME, tell=lambda _: None)
    assert [(2, "customer"), (4, "address")] == told(wanted.faults)


def test_f59_a_hundred_thousand_lines_are_read(tmp_path: Path) -> None:
    """F59: a city's roster would take a night, or come in by half; the last row counts as the first one."""
    path = tmp_path / "m.csv"
    rows = (f"m{n},{n:012d},line1,台区{n % 300}\n" for n in range(ROWS_MAX))
    path.write_text("标识,通信地址,线路,台区\n" + "".join(rows) + "m0,1,line1,\n", encoding="gb18030")
    heard: list[int] = []
    with pytest.raises(ConfigError, match=r"row 100002: a roster has at most 100000 meters"):
        read_file(path, {}, at=NOW, zone=CHINA_TIME, tell=heard.append)
    assert list(range(500, ROWS_MAX + 1, 500)) == heard


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "the first row is empty"),
        (b"\n\n", "the first row is empty"),
        (b"id,address\xff\xff", "neither UTF-8 nor GB18030"),
        (b'id,address,line\nm1,"0000', "not CSV"),
        (b"a," * 300 + b"\n", "more than 256 cells"),
        (b"id,address,line\n" + b"x" * 9_000 + b"\n", "8192 characters"),
    ],
)
def test_what_is_no_table(tmp_path: Path, octets: bytes, words: str) -> None:
    """A wrong file would end in a traceback."""
    path = tmp_path / "m.csv"
    path.write_bytes(octets)
    with pytest.raises(ConfigError) as wrong:
        read_file(path, {}, at=NOW, zone=CHINA_TIME, tell=lambda _: None)
    assert words in str(wrong.value)
    assert str(path) in str(wrong.value)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film dropped on the command would be read whole."""
    path = tmp_path / "m.csv"
    path.write_bytes(b"id,address,line\n")
    monkeypatch.setattr(table, "TABLE_OCTETS_MAX", 16)
    assert ["id", "address", "line"] == list(read_csv(path).headers)
    monkeypatch.setattr(table, "TABLE_OCTETS_MAX", 15)
    with pytest.raises(ConfigError, match="is this the right file"):
        read_csv(path)


@pytest.mark.parametrize("name", ["meters.xls", "meters.pdf", "meters"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    """An old workbook would be read as text."""
    with pytest.raises(ConfigError, match=r"save it as one of them"):
        read_file(tmp_path / name, {}, at=NOW, zone=CHINA_TIME, tell=lambda _: None)


@given(octets=st.binary(max_size=300))
def test_any_octets_are_a_table_or_refused(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    """Anything else than a refusal is a traceback at a customer's."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(octets)
    try:
        for _ in read_csv(path).rows:
            pass
    except ConfigError as wrong:
        assert str(path) in str(wrong)


# --- workbooks ---


def _book(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_workbook_is_read_as_people_see_it(tmp_path: Path) -> None:
    """Dates, numbers and truth values would come as Excel stores them."""
    path = _book(
        tmp_path / "m.xlsx",
        ["标识", "通信地址", "线路", "抄表例日", "居民", "投运时间", "CT变比"],
        ["m1", "000000000001", "line1", 28, True, datetime(2026, 11, 22), 30.0],  # noqa: DTZ001 (as Excel has it)
        ["m2", 123456789012, "line1", 1.0, False, None, 1.5],
        ["m3", 161, "line1", None, None, None, None],
        ["m4", 1.23e20, "line1", None, None, None, None],
    )
    wanted = read_file(path, {}, at=NOW, zone=CHINA_TIME, tell=lambda _: None)
    first, second = wanted.meters
    assert (28, True, Decimal(30)) == (first.reading_day, first.residential, first.ct)
    assert datetime(2026, 11, 21, 16, tzinfo=UTC) == first.in_service_since
    assert ("123456789012", Decimal("1.5")) == (second.address, second.ct)
    assert [(4, "address"), (5, "address")] == told(wanted.faults)
    assert "dropped zeros" in wanted.faults[0].words.en
    assert "made a number of it" in wanted.faults[1].words.en


def test_a_formula_without_a_result_is_refused(tmp_path: Path) -> None:
    """It would pass for an empty cell, and the ratio of a transformer be gone without a word."""
    path = _book(
        tmp_path / "m.xlsx", ["id", "address", "line", "ct"], ["m1", "000000000001", "line1", "=150/5"]
    )
    with pytest.raises(ConfigError, match=r"m\.xlsx:2: column 4 is a formula without a result"):
        read_file(path, {}, at=NOW, zone=CHINA_TIME, tell=lambda _: None)


@pytest.mark.parametrize("octets", [b"", b"PK\x03\x04rubbish", b"id,address,line\n"])
def test_what_is_no_workbook(tmp_path: Path, octets: bytes) -> None:
    """A CSV that was given another name would end in a traceback of the library."""
    path = tmp_path / "m.xlsx"
    path.write_bytes(octets)
    with pytest.raises(ConfigError, match="no workbook"):
        read_xlsx(path)


def test_a_zip_that_is_no_workbook(tmp_path: Path) -> None:
    """Nor one whose parts are missing, or that unpacks to a gigabyte."""
    path = tmp_path / "m.xlsx"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("x", b"x")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_xlsx(path)


def test_a_workbook_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes would fill the memory."""
    path = _book(tmp_path / "m.xlsx", ["id", "address", "line"])
    with zipfile.ZipFile(path) as packed:
        size = sum(part.file_size for part in packed.infolist())
    monkeypatch.setattr(workbook, "UNPACKED_OCTETS_MAX", size)
    assert ["id", "address", "line"] == list(read_xlsx(path).headers)
    monkeypatch.setattr(workbook, "UNPACKED_OCTETS_MAX", size - 1)
    with pytest.raises(ConfigError, match="unpacks to more"):
        read_xlsx(path)


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`No module named openpyxl` says nothing to an operator."""

    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigError, match=r"install meterlink\[export\], or use CSV"):
        read_xlsx(tmp_path / "m.xlsx")
    with pytest.raises(ConfigError, match=r"meterlink\[export\]"):
        write_xlsx(["id"], [])


# --- there and back ---

_NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
_MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0)
)
_METERS = st.builds(
    meter,
    st.integers(1, 999_999),
    customer=_NAMES,
    customer_was=st.lists(st.integers(0, 9).map("{:012}".format), max_size=CUSTOMER_WAS_MAX, unique=True),
    area=_NAMES,
    phases=st.sampled_from([1, 3, None]),
    ct=st.decimals("0.000001", "100000", places=6),
    reading_day=st.integers(1, 28),
    protected=st.lists(st.sampled_from(["hospital", "school", "water"]), unique=True),
    important=st.booleans(),
    residential=st.booleans(),
    motor_load=st.sampled_from([True, False, None]),
    opening_limit_a=st.none() | st.integers(1, 1_000),
    password=st.sampled_from([None, "env:X", "file:/x"]),
    cost_control=st.sampled_from([None, "none", "remote", "local"]),
    in_service_since=st.none() | _MOMENTS,
    in_service_until=st.none() | _MOMENTS,
)


@given(
    meters=st.lists(_METERS, min_size=1, max_size=5, unique_by=lambda one: one.id),
    lang=st.sampled_from(["zh", "en"]),
)
def test_what_is_exported_is_the_same_when_it_comes_back(meters: list[MeterSettings], lang: str) -> None:
    """An export that changes something when it is applied would be no copy of the roster."""
    headers, cells = table_of(meters, CHINA_TIME, lang=lang)
    text = write_csv(headers, cells).decode("utf-8-sig")
    head, *body = csv.reader(io.StringIO(text))
    found = read_rows(head, list(enumerate(body, start=2)), by_id([]), at=NOW, zone=CHINA_TIME)
    assert ([], [entry_of(one) for one in meters]) == (found.faults, [entry_of(one) for one in found.meters])


def test_a_workbook_comes_back_too(tmp_path: Path) -> None:
    """Zeros in front would be gone after one visit to Excel."""
    meters = [meter(1, customer="=1+1"), meter(2, customer_number="000000000007")]
    headers, cells = table_of(meters, CHINA_TIME, lang="zh")
    path = tmp_path / "m.xlsx"
    path.write_bytes(write_xlsx(headers, cells, [("a", "b")]))
    found = [list(row) for _, row in read_xlsx(path).rows]
    assert [["m1", "000000000001"], ["m2", "000000000002"]] == [row[:2] for row in found]
    assert "=1+1" in found[0] and "000000000007" in found[1]


def test_a_json_that_is_no_export_says_what_is_wrong(tmp_path: Path) -> None:
    """A slip of the pen would be a traceback, or a text that no journal can keep."""
    path = tmp_path / "e.json"
    good = {"id": "m1", "address": "000000000001", "line": "tcp://127.0.0.1:1"}
    entries = [good, good, {**good, "id": "m2", "speed": 1}, "m3", {**good, "id": "m\ud800"}, {"id": "m\0"}]
    path.write_text(json.dumps({"meters": entries}), encoding="utf-8")
    found = read_json(path)
    assert ["m1"] == [one.id for one in found.meters]
    assert [2, 3, 4, 5, 6] == [fault.row for fault in found.faults]
    words = ("stands there already", "speed: Extra", "a table of keys", "lone surrogate", "NUL")
    for fault, said in zip(found.faults, words, strict=True):
        assert said in fault.words.en
        assert said not in fault.words.zh
    for text in ("", "[]", "{}", '{"meters": 1}', "[" * 100_000, "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(ConfigError, match=r"e\.json: "):
            read_json(path)


def test_the_broadcast_address_is_told_as_such_in_both_languages() -> None:
    """Who reads Chinese would format his column as text, again and again."""
    found = sheet(f"{_FIRST}m1 | 999999999999 | line1 |\n")
    assert ([], [(2, "address")]) == (found.meters, told(found.faults))
    said = found.faults[0].words
    assert "999999999999 is the broadcast address: no meter answers to it" in said.en
    assert "999999999999 是广播地址,没有电能表以它应答" in said.zh
    assert "“文本”格式" not in said.zh
