"""A meter's own clock: how far it is ahead of the true time, how it drifts, and what it was set to when.

Freezes carry what this clock showed, so a table of freezes needs its history: when it showed a given time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from metersim.works.moments import DAY_US, PLANT_TIME, SECOND_US, of_us, to_us

SETTINGS_MAX: Final = 64
"""Settings that are remembered; with one more the oldest is forgotten, as if it had never been needed."""
CLOCK_AHEAD_MAX: Final = timedelta(days=400)
DRIFT_S_PER_DAY_MAX: Final = Decimal(600)


class Run(NamedTuple):
    """How a clock runs from one instant until it is set again, in microseconds.

    Args:
        from_us: true time at which it began to run so.
        shown_us: what it showed then.
        drift_us_per_day: what it gains in a true day; negative: loses.

    """

    from_us: int
    shown_us: int
    drift_us_per_day: int

    def shows(self, us: int) -> int:
        """What it shows at a true time."""
        passed = us - self.from_us
        return self.shown_us + passed + passed * self.drift_us_per_day // DAY_US

    def when(self, shown_us: int) -> int:
        """The first true time at which it shows that or more."""
        passed = shown_us - self.shown_us
        if self.drift_us_per_day:
            passed = -(-passed * DAY_US // (DAY_US + self.drift_us_per_day))
        return self.from_us + passed


class Setting(NamedTuple):
    """The clock was set.

    Args:
        at: true time of it.
        before: what it showed just before, in the plant's zone.
        after: what it showed then.
        broadcast: it was a broadcast.
        run: how it runs since.
        by_itself: nobody set it, it went wrong.

    """

    at: datetime
    before: datetime
    after: datetime
    broadcast: bool
    run: Run
    by_itself: bool = False


class ClockOutOfRange(ValueError):
    """The clock cannot be so far from the true time, or run so wrong."""


class MeterClock:
    """The clock of one meter.

    Args:
        since: when it was first switched on, aware.
        ahead: how far it is ahead of the true time, at most 400 days; negative: behind.
        ahead_at: when it is so far ahead, aware, as it drifts from ``since`` on; ``None``: at ``since``.
        drift_s_per_day: what it gains in a day, at most 600 s; negative: loses.
        coming: called with the true time before a setting.
        moved: called with the true time after each setting.

    Raises:
        ClockOutOfRange: ``ahead`` or ``drift_s_per_day`` is too far.

    """

    def __init__(
        self,
        *,
        since: datetime,
        ahead: timedelta = timedelta(),
        ahead_at: datetime | None = None,
        drift_s_per_day: Decimal = Decimal(0),
        coming: Callable[[datetime], None] = lambda _at: None,
        moved: Callable[[datetime], None] = lambda _at: None,
    ) -> None:
        _check(ahead)
        _check_drift(drift_s_per_day)
        self._since = since
        self._drift_us_per_day = int(drift_s_per_day * SECOND_US)
        drifted = self._run(since, since).shows(to_us(ahead_at or since)) - to_us(ahead_at or since)
        shown = (since + ahead - timedelta(microseconds=drifted)).astimezone(PLANT_TIME)
        self._settings = [Setting(since, shown, shown, False, self._run(since, shown))]
        self._coming = coming
        self._moved = moved

    @property
    def was_set(self) -> bool:
        """Whether it was ever set, or went wrong by a jump."""
        return len(self._settings) > 1

    @property
    def since(self) -> datetime:
        """When it was first switched on."""
        return self._since

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting by somebody, oldest first."""
        return tuple(one for one in self._settings if one.at > self._since and not one.by_itself)

    def run(self, us: int) -> Run:
        """How it runs at a true time."""
        runs = (one.run for one in reversed(self._settings))
        return next((run for run in runs if run.from_us <= us), self._settings[0].run)

    def ahead(self, at: datetime) -> timedelta:
        """How far it is ahead of the true time ``at``."""
        return self.shows(at) - at

    def shows(self, at: datetime) -> datetime:
        """What it shows at ``at``, in the plant's zone."""
        us = to_us(at)
        return of_us(self.run(us).shows(us))

    def set(self, shown: datetime, at: datetime, *, broadcast: bool = False) -> None:
        """Set it.

        Args:
            shown: what it shall show, aware.
            at: true time, not before the last setting.
            broadcast: by a broadcast, which events tell from other settings.

        Raises:
            ClockOutOfRange: that is more than 400 days from the true time.

        """
        _check(shown - at)
        self._coming(at)
        setting = Setting(at, self.shows(at), shown.astimezone(PLANT_TIME), broadcast, self._run(at, shown))
        self._begin(setting)

    def go_wrong(
        self, at: datetime, *, by: timedelta = timedelta(), drift_s_per_day: Decimal | None = None
    ) -> None:
        """It jumps, or runs otherwise from now on, by itself: no setting that it would remember.

        Args:
            at: true time, not before the last setting.
            by: how far it jumps; negative: back.
            drift_s_per_day: what it gains in a day from now on, at most 600 s; ``None``: as before.

        Raises:
            ClockOutOfRange: that is more than 400 days from the true time, or the drift is too far.

        """
        self._coming(at)
        before = self.shows(at)
        _check(before + by - at)
        if drift_s_per_day is not None:
            _check_drift(drift_s_per_day)
            self._drift_us_per_day = int(drift_s_per_day * SECOND_US)
        self._begin(Setting(at, before, before + by, False, self._run(at, before + by), by_itself=True))

    def exchange(self, at: datetime) -> None:
        """It is the clock of another meter from now on, which shows the true time and does not drift.

        Args:
            at: true time, not before the last setting.

        """
        self.go_wrong(at, by=at - self.shows(at), drift_s_per_day=Decimal(0))

    def showed(self, shown: datetime, until: datetime) -> datetime | None:
        """True time at which it showed ``shown``, the last time; ``None`` when it never did.

        A clock that was set forward skipped times, one that was set back showed them twice.

        Args:
            shown: aware.
            until: true time at which the question is asked.

        """
        found = self.showed_us(to_us(shown), to_us(until))
        return None if found is None else of_us(found)

    def showed_us(self, shown_us: int, until_us: int) -> int | None:
        """The same, in microseconds."""
        since_us = to_us(self._since)
        found = None
        for run, end in self._runs():
            us = run.when(shown_us)
            if run.from_us <= us <= until_us and us > since_us and (end is None or us < end):
                found = us
        return found

    def _runs(self) -> Iterator[tuple[Run, int | None]]:
        runs = [one.run for one in self._settings]
        return zip(runs, [*(run.from_us for run in runs[1:]), None], strict=True)

    def _begin(self, setting: Setting) -> None:
        self._settings = [*self._settings, setting][-SETTINGS_MAX:]
        self._moved(setting.at)

    def _run(self, at: datetime, shown: datetime) -> Run:
        return Run(to_us(at), to_us(shown), self._drift_us_per_day)


def _check(ahead: timedelta) -> None:
    if abs(ahead) > CLOCK_AHEAD_MAX:
        raise ClockOutOfRange(f"a clock that is {ahead} ahead: at most {CLOCK_AHEAD_MAX.days} days")


def _check_drift(s_per_day: Decimal) -> None:
    if abs(s_per_day) > DRIFT_S_PER_DAY_MAX:
        raise ClockOutOfRange(f"a drift of {s_per_day} s a day: at most {DRIFT_S_PER_DAY_MAX} s")
