"""When a trip may go: not at night, not before a day on which nobody could help. Source: CTRL-09.

Days and hours are those of the plant's zone. A day that the file of holidays does not cover is no day for a
trip: nobody has said that it is none.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from meterlink.config.control import ControlSettings, SeasonSettings
from meterlink.config.fault import Fault
from meterlink.config.table import Table
from meterlink.config.watched_file import WatchedFile, octets_of, table_of

HOLIDAYS_MAX: Final = 400
"""A file with more is refused."""
_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)


class Calm(enum.StrEnum):
    """Why no trip goes at a time."""

    NIGHT = "night"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    DAY_BEFORE = "day_before_holiday"
    UNCOVERED = "outside_the_holiday_file"


class _Holiday(Table):
    name: str = Field(min_length=1, max_length=40)
    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> _Holiday:
        if self.last < self.first:
            raise Fault("last is before first", "last 早于 first")
        return self


class _File(Table):
    first_day: date
    last_day: date
    holidays: tuple[_Holiday, ...] = Field((), max_length=HOLIDAYS_MAX)

    @model_validator(mode="after")
    def _in_order(self) -> _File:
        if self.last_day < self.first_day:
            raise Fault("last_day is before first_day", "last_day 早于 first_day")
        for holiday in self.holidays:
            if holiday.first < self.first_day or holiday.last > self.last_day:
                raise Fault(
                    f"{holiday.name} is not between first_day and last_day",
                    f"{holiday.name} 不在 first_day 与 last_day 之间",
                )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """Public holidays of the days that a file covers.

    Args:
        first_day: that it covers.
        last_day: that it covers.
        days: which of them are holidays.

    """

    first_day: date
    last_day: date
    days: frozenset[date]

    @classmethod
    def read(cls, path: Path) -> Holidays:
        """The holidays of a file: ``first_day``, ``last_day``, ``[[holidays]]`` (name, first, last).

        Raises:
            ConfigError: it cannot be read, or is wrong.

        """
        return cls.told(path, octets_of(path))

    @classmethod
    def told(cls, path: Path, octets: bytes) -> Holidays:
        """The same of what was read from a file already; errors as of ``read``."""
        found = table_of(_File, path, octets)
        days = frozenset(day for holiday in found.holidays for day in _days(holiday.first, holiday.last))
        return cls(first_day=found.first_day, last_day=found.last_day, days=days)

    def span_in_words(self) -> dict[str, str]:
        """The days that the file covers, for the log."""
        return {"first_day": f"{self.first_day}", "last_day": f"{self.last_day}"}

    def covers(self, day: date) -> bool:
        """Whether the file says anything of a day."""
        return self.first_day <= day <= self.last_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When trips may go.

    Args:
        zone: of the plant.
        calm_from_hour: no trip from this hour on.
        calm_until_hour: no trip before this hour.
        holidays: ``None``: nobody has named any, so no day is covered.
        seasons: when kinds of protected customers are protected.

    """

    zone: timezone
    calm_from_hour: int
    calm_until_hour: int
    holidays: Holidays | None = None
    seasons: tuple[SeasonSettings, ...] = ()

    @classmethod
    def of(cls, settings: ControlSettings, zone: timezone) -> Calendar:
        """The calendar of a configuration.

        Raises:
            ConfigError: its file of holidays cannot be read, or is wrong.

        """
        return cls(
            zone=zone,
            calm_from_hour=settings.calm_from_hour,
            calm_until_hour=settings.calm_until_hour,
            holidays=Holidays.read(settings.holidays.expanduser()) if settings.holidays else None,
            seasons=settings.seasons,
        )

    def day(self, instant: datetime) -> date:
        """The plant's day of an instant."""
        return instant.astimezone(self.zone).date()

    def calm(self, instant: datetime) -> Calm | None:
        """Why no trip goes at an instant; ``None``: one may."""
        local = instant.astimezone(self.zone)
        today, tomorrow = local.date(), local.date() + _DAY
        if not self.calm_until_hour <= local.hour < self.calm_from_hour:
            return Calm.NIGHT
        if today.weekday() >= _SATURDAY:
            return Calm.WEEKEND
        if self.holidays is None or not (self.holidays.covers(today) and self.holidays.covers(tomorrow)):
            return Calm.UNCOVERED
        if today in self.holidays.days:
            return Calm.HOLIDAY
        return Calm.DAY_BEFORE if tomorrow in self.holidays.days else None

    def calm_from(self, instant: datetime) -> datetime:
        """When the hours for trips end on the day of an instant."""
        local = instant.astimezone(self.zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=self.calm_from_hour)

    def in_season(self, kind: str, instant: datetime) -> bool:
        """Whether a kind of protected customer is protected at an instant; without a season always."""
        seasons = [season for season in self.seasons if season.kind == kind]
        today = f"{instant.astimezone(self.zone):%m-%d}"
        return not seasons or any(_within(season, today) for season in seasons)


class CalendarOfFile:
    """A calendar whose file of holidays is looked at each time somebody asks.

    A file that is put right, or gains a year, needs no start. While it cannot be read or is wrong no day is
    covered, so that nobody is cut off.

    Args:
        settings: hours, seasons, and which file.
        zone: of the plant.

    """

    def __init__(self, settings: ControlSettings, zone: timezone) -> None:
        self._uncovered = Calendar.of(settings.model_copy(update={"holidays": None}), zone)
        self._file = _watched(settings.holidays.expanduser()) if settings.holidays else None

    @property
    def fault(self) -> str:
        """What is wrong with the file as it stands now; empty: nothing."""
        return "" if self._file is None else self._file.look()

    def current(self) -> Calendar:
        """The calendar as the file says now."""
        if self._file is None or self._file.look():
            return self._uncovered
        return replace(self._uncovered, holidays=self._file.last)


def _watched(path: Path) -> WatchedFile[Holidays]:
    return WatchedFile(path, "holidays", Holidays.told, Holidays.span_in_words)


def _within(season: SeasonSettings, today: str) -> bool:
    if season.first <= season.last:
        return season.first <= today <= season.last
    return today >= season.first or today <= season.last


def _days(first: date, last: date) -> list[date]:
    return [first + _DAY * number for number in range((last - first).days + 1)]
