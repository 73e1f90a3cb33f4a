"""The calendar: files of holidays, the plant's days, seasons."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from meterlink.config.control import ControlSettings
from meterlink.config.watched_file import FILE_OCTETS_MAX
from meterlink.errors import ConfigError
from meterlink.orders.limits.calendar import (
    HOLIDAYS_MAX,
    Calendar,
    CalendarOfFile,
    Calm,
    Holidays,
)
from tests.support.rules import CALENDAR, SECOND

_GOOD = """
first_day = 2026-01-01
last_day = 2026-12-31

[[holidays]]
name = "国庆节"
first = 2026-10-01
last = 2026-10-07
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "holidays.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_which_days_are_holidays(tmp_path: Path) -> None:
    """Somebody would be cut off on the National Day."""
    holidays = Holidays.read(_file(tmp_path, _GOOD))
    assert {date(2026, 10, day) for day in range(1, 8)} == holidays.days
    covered = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [False, True, True, False] == [holidays.covers(day) for day in covered]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_GOOD.replace("last = 2026-10-07", "last = 2026-09-30"), "last is before first"),
        (_GOOD.replace("last = 2026-10-07", "last = 2027-01-01"), "国庆节 is not between"),
        (_GOOD.replace("last_day = 2026", "last_day = 2025"), "last_day is before first_day"),
        (_GOOD.replace("first = ", "frist = "), "holidays.1"),
        ("first_day = 2026-01-01\n", "last_day"),
        ('first_day = "soon"\nlast_day = 2026-12-31\n', "first_day"),
        ("first_day = \n", "not TOML"),
        ("#" * (FILE_OCTETS_MAX + 1), "is this the right file"),
    ],
)
def test_a_fault_of_the_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    """A holiday misspelt would be a working day."""
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError, match=words) as wrong:
        Holidays.read(path)
    assert str(path) in str(wrong.value)


def test_a_file_has_a_largest_number_of_holidays(tmp_path: Path) -> None:
    """A file written by a program gone mad would be read whole."""
    one = '[[holidays]]\nname = "x"\nfirst = 2026-10-01\nlast = 2026-10-01\n'
    head = "first_day = 2026-01-01\nlast_day = 2026-12-31\n"
    assert 1 == len(Holidays.read(_file(tmp_path, head + one * HOLIDAYS_MAX)).days)
    with pytest.raises(ConfigError, match=str(HOLIDAYS_MAX)):
        Holidays.read(_file(tmp_path, head + one * (HOLIDAYS_MAX + 1)))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The daemon would start, and every day would silently be no day for a trip."""
    with pytest.raises(ConfigError, match="cannot be read"):
        Holidays.read(tmp_path / "none.toml")


def test_hours_and_days_are_those_of_the_plant() -> None:
    """A gateway in another zone would cut people off at night."""
    noon = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
    assert None is CALENDAR.calm(noon)
    assert Calm.NIGHT is CALENDAR.calm(noon + timedelta(hours=5))
    assert None is CALENDAR.calm(
        (noon + timedelta(hours=5) - SECOND).astimezone(timezone(-timedelta(hours=9)))
    )
    assert date(2026, 11, 25) == CALENDAR.day(datetime(2026, 11, 24, 16, 0, tzinfo=UTC))


def test_a_calendar_is_made_of_the_configuration(tmp_path: Path) -> None:
    """Hours and holidays that are configured would not be those that are kept."""
    path = _file(tmp_path, _GOOD)
    told = {
        "people": "p",
        "operator_code": "20261122",
        "holidays": path,
        "calm_from_hour": 12,
        "calm_until_hour": 9,
    }
    calendar = Calendar.of(ControlSettings.model_validate(told), CALENDAR.zone)
    at = [datetime(2026, 10, 9, hour, 59, tzinfo=CALENDAR.zone) for hour in (8, 9, 11, 12)]
    assert [Calm.NIGHT, None, None, Calm.NIGHT] == [calendar.calm(instant) for instant in at]
    assert Calm.HOLIDAY is calendar.calm(datetime(2026, 10, 5, 10, tzinfo=CALENDAR.zone))
    assert Calm.DAY_BEFORE is calendar.calm(datetime(2026, 9, 30, 10, tzinfo=CALENDAR.zone))


def test_a_file_is_believed_as_it_stands_now(tmp_path: Path) -> None:
    """A holiday that was added would be kept from the next start on; and so would one that was wrong."""
    path = _file(tmp_path, _GOOD)
    told = {"people": "p", "operator_code": "20261122", "holidays": path}
    calendar = CalendarOfFile(ControlSettings.model_validate(told), CALENDAR.zone)
    at = datetime(2026, 10, 12, 10, tzinfo=CALENDAR.zone)
    assert (None, "") == (calendar.current().calm(at), calendar.fault)
    path.write_text(f'{_GOOD}\n[[holidays]]\nname = "more"\nfirst = 2026-10-12\nlast = 2026-10-12\n')
    assert Calm.HOLIDAY is calendar.current().calm(at)
    path.write_text("first_day = soon\n")
    with capture_logs() as logs:
        assert {Calm.UNCOVERED} == {calendar.current().calm(at) for _ in range(3)}
        assert "not TOML" in calendar.fault
        path.unlink()
        assert Calm.UNCOVERED is calendar.current().calm(at)
        assert "cannot be read" in calendar.fault
        path.write_text(_GOOD)
        assert (None, "") == (calendar.current().calm(at), calendar.fault)
    assert ["holidays_wrong", "holidays_wrong", "holidays_changed"] == [one["event"] for one in logs]


def test_who_names_no_file_has_no_day_for_a_trip() -> None:
    """Nobody has said that a day is none of rest."""
    settings = ControlSettings.model_validate({"people": "p", "operator_code": "20261122"})
    calendar = CalendarOfFile(settings, CALENDAR.zone)
    assert Calm.UNCOVERED is calendar.current().calm(datetime(2026, 10, 12, 10, tzinfo=CALENDAR.zone))
    assert "" == calendar.fault


@pytest.mark.parametrize(
    ("first", "last", "day", "within"),
    [
        ("11-15", "03-15", "2026-11-15", True),
        ("11-15", "03-15", "2026-11-14", False),
        ("11-15", "03-15", "2026-03-15", True),
        ("11-15", "03-15", "2026-03-16", False),
        ("06-01", "06-30", "2026-06-30", True),
        ("06-01", "06-30", "2026-07-01", False),
    ],
)
def test_a_season_may_span_the_new_year(first: str, last: str, day: str, within: bool) -> None:
    """A house would be cold in January because its season began in November."""
    told = {
        "people": "p",
        "operator_code": "20261122",
        "seasons": [{"kind": "heating", "first": first, "last": last}],
    }
    calendar = Calendar.of(ControlSettings.model_validate(told), CALENDAR.zone)
    instant = datetime.fromisoformat(f"{day}T12:00:00+08:00")
    assert within is calendar.in_season("heating", instant)
    assert calendar.in_season("hospital", instant)


@pytest.mark.parametrize("kind", ["hospital", "life_support", "water", "social"])
def test_who_is_protected_all_year_has_no_season(kind: str) -> None:
    """A season of one day would take the protection of a life support for the rest of the year (CTRL-08)."""
    season = {"kind": kind, "first": "01-01", "last": "01-01"}
    with pytest.raises(ValueError, match="'heating' or 'school'"):
        ControlSettings.model_validate({"people": "p", "operator_code": "20261122", "seasons": [season]})


@pytest.mark.parametrize("day", ["02-30", "13-01", "00-10", "1-1", "11/15", "04-31", ""])
def test_a_day_of_the_year_that_there_is_not_is_refused(day: str) -> None:
    """A season that never begins would protect nobody."""
    told = {
        "people": "p",
        "operator_code": "20261122",
        "seasons": [{"kind": "heating", "first": day, "last": "12-31"}],
    }
    with pytest.raises(ValueError, match="month and day"):
        ControlSettings.model_validate(told)
