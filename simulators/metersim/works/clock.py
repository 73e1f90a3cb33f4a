"""A meter's own clock: how far it is ahead of the true time, and what it was set to when.

Freezes carry what this clock showed, so a table of freezes needs its history: when it showed a given time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from metersim.works.freezes import CLOCK_AHEAD_MAX, PLANT_TIME

SETTINGS_MAX: Final = 64
"""Settings that are remembered; with one more the oldest is forgotten, as if it had never been needed."""


class Setting(NamedTuple):
    """The clock was set.

    Args:
        at: true time of it.
        ahead: how far it is ahead of the true time since.
        before: what it showed just before, in the plant's zone.
        after: what it showed then.
        broadcast: it was a broadcast.

    """

    at: datetime
    ahead: timedelta
    before: datetime
    after: datetime
    broadcast: bool = False


class ClockOutOfRange(ValueError):
    """The clock cannot be so far from the true time."""


class MeterClock:
    """The clock of one meter.

    Args:
        since: when it was first switched on, aware.
        ahead: how far it is ahead of the true time then, at most 400 days; negative: behind.

    Raises:
        ClockOutOfRange: ``ahead`` is too far.

    """

    def __init__(self, *, since: datetime, ahead: timedelta = timedelta()) -> None:
        _check(ahead)
        shown = (since + ahead).astimezone(PLANT_TIME)
        self._since = since
        self._settings = [Setting(since, ahead, shown, shown)]

    @property
    def since(self) -> datetime:
        """When it was first switched on."""
        return self._since

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting by somebody, oldest first."""
        return tuple(setting for setting in self._settings if setting.at > self._since)

    def ahead(self, at: datetime) -> timedelta:
        """How far it is ahead of the true time ``at``."""
        return next((one.ahead for one in reversed(self._settings) if one.at <= at), self._settings[0].ahead)

    def shows(self, at: datetime) -> datetime:
        """What it shows at ``at``, in the plant's zone."""
        return (at + self.ahead(at)).astimezone(PLANT_TIME)

    def set(self, shown: datetime, at: datetime, *, broadcast: bool = False) -> None:
        """Set it.

        Args:
            shown: what it shall show, aware.
            at: true time, not before the last setting.
            broadcast: by a broadcast, which events tell from other settings.

        Raises:
            ClockOutOfRange: that is more than 400 days from the true time.

        """
        ahead = shown - at
        _check(ahead)
        setting = Setting(at, ahead, self.shows(at), shown.astimezone(PLANT_TIME), broadcast)
        self._settings = [*self._settings, setting][-SETTINGS_MAX:]

    def showed(self, shown: datetime, until: datetime) -> datetime | None:
        """True time at which it showed ``shown``, the last time; ``None`` when it never did.

        A clock that was set forward skipped times, one that was set back showed them twice.

        Args:
            shown: aware.
            until: true time at which the question is asked.

        """
        ends = [one.at for one in self._settings[1:]]
        spans: Iterator[tuple[Setting, datetime | None]] = zip(self._settings, [*ends, None], strict=True)
        found = None
        for setting, end in spans:
            at = shown - setting.ahead
            if setting.at <= at <= until and at > self._since and (end is None or at < end):
                found = at
        return found


def _check(ahead: timedelta) -> None:
    if abs(ahead) > CLOCK_AHEAD_MAX:
        raise ClockOutOfRange(f"a clock that is {ahead} ahead: at most {CLOCK_AHEAD_MAX.days} days")
