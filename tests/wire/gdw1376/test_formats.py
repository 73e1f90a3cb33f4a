"""Data formats A.1 to A.27: each sample, each value, each refusal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.formats.formats import Format, formats, rows
from meterwire.gdw1376.formats.times import Moment
from tests.wire.gdw1376.made import format_value

_TEXTS = {
    "A2": "123",
    "A3": "1234567",
    "A4": "-12",
    "A5": "-125.6",
    "A6": "-12.34",
    "A9": "-12.3456",
    "A11": "123456.78",
    "A14": "123456.7890",
    "A15": "2026-08-20 00:05",
    "A16": "07 13:53:28",
    "A17": "08-03 18:30",
    "A18": "19 04:05",
    "A19": "18:30",
    "A20": "260819",
    "A21": "2608",
    "A25": "-123.456",
}


@pytest.mark.parametrize("row", rows(), ids=[row["name"] for row in rows()])
def test_every_row_decodes_its_sample_and_encodes_it_back(row: dict[str, str]) -> None:
    """A format of the table would not be that of the standard."""
    format_ = formats()[row["name"]]
    octets = bytes.fromhex(row["sample"])
    assert row["form"] == format_.form
    assert len(octets) == format_.octets
    value = format_.decode(octets)
    assert octets == format_.encode(value)  # type: ignore[arg-type]
    assert _TEXTS.get(row["name"], format_.text(value)) == format_.text(value)  # type: ignore[arg-type]


def test_there_are_all_formats() -> None:
    """A layout would name a format that nobody can read."""
    assert [f"A{number}" for number in range(1, 28)] == list(formats())


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_every_value_comes_back(seed: int) -> None:
    """What a terminal is told would not be what was meant."""
    random = Random(seed)
    for format_ in formats().values():
        value = format_value(random, format_)
        octets = format_.encode(value)
        assert len(octets) == format_.octets
        assert value == format_.decode(octets)


@settings(max_examples=300)
@given(st.sampled_from([*formats().values()]), st.binary(min_size=6, max_size=6))
def test_any_octets_decode(format_: Format, octets: bytes) -> None:
    """Rubbish in one field would end the reading of a whole frame."""
    value = format_.decode(octets[: format_.octets])
    format_.text(value)  # type: ignore[arg-type]
    if value is not None:
        assert value == format_.decode(format_.encode(value))  # type: ignore[arg-type]


@pytest.mark.parametrize("fill", [0xEE, 0xFF, 0xEF, 0xFE])
def test_fill_octets_are_no_value(fill: int) -> None:
    """A missing value would become a reading, of zero or of billions."""
    wrong = [
        name
        for name, format_ in formats().items()
        if name != "A12" and format_.decode(bytes((fill,)) * format_.octets) is not None
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("A7", Decimal("1000.0")),
        ("A7", Decimal("1.25")),
        ("A7", Decimal(-1)),
        ("A9", Decimal(80)),
        ("A11", Decimal("Infinity")),
        ("A2", Decimal(1234)),
        ("A2", Decimal("1E+5")),
        ("A3", Decimal("1E+1")),
        ("A12", "123"),
        ("A15", Moment(year=26, month=8, day=20, hour=0)),
        ("A20", Moment(year=26, month=8, day=20, hour=0)),
        ("A20", Moment(year=126, month=8, day=20)),
        ("A1", Moment(year=26, month=20, day=20, hour=0, minute=0, second=0, weekday=1)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: object) -> None:
    """A value would be sent with digits missing."""
    with pytest.raises(LocalProtocolError):
        formats()[name].encode(value)  # type: ignore[arg-type]


def test_a_moment_is_a_time_only_when_a_calendar_has_it() -> None:
    """A terminal's clock of zeros would end the daemon."""
    assert Moment(year=26, month=8, day=20, hour=0, minute=5).when() is not None
    assert Moment(year=26, month=13, day=20, hour=0, minute=5).when() is None
    assert Moment(day=20, hour=0, minute=5).when() is None


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001 (the wire has no zone)
def test_a_civil_time_is_the_same_as_a_moment(shown: datetime) -> None:
    """A terminal would be set to another time, or asked for another curve."""
    to_the_second = Moment.to_the_second(shown)
    assert (shown.replace(microsecond=0), shown.isoweekday()) == (to_the_second.when(), to_the_second.weekday)
    to_the_minute = Moment.to_the_minute(shown)
    assert shown.replace(second=0, microsecond=0) == to_the_minute.when()
    assert to_the_minute.second is None
