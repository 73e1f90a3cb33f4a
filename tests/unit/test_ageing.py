"""By which time old rows go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meterlink.journal.ageing import BELIEVED_AFTER_S, SAMPLE_S, AgeingClock

_START = datetime(2026, 11, 22, tzinfo=UTC)
_HOUR = 3_600.0


class _Clock:
    """A wall clock that can be wrong."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.ahead = timedelta()

    def utc_now(self) -> datetime:
        return _START + timedelta(seconds=self.passed_s) + self.ahead

    def monotonic_s(self) -> float:
        return 50.0 + self.passed_s


def _after(clock: _Clock, ageing: AgeingClock, seconds: float, every_s: float = 60.0) -> datetime:
    for _ in range(round(seconds / every_s)):
        clock.passed_s += every_s
        ageing.now()
    return ageing.now()


@pytest.mark.parametrize("alive_at", [None, _START, _START - timedelta(minutes=1)])
def test_a_clock_that_is_right_ages_at_once(alive_at: datetime | None) -> None:
    """Rows would stay a day longer after each start."""
    clock = _Clock()
    ageing = AgeingClock(clock, alive_at)
    assert timedelta(minutes=1) >= clock.utc_now() - ageing.now()
    assert timedelta(minutes=1) >= abs(_after(clock, ageing, 2 * _HOUR) - clock.utc_now())


@pytest.mark.parametrize("every_s", [60.0, _HOUR])
@pytest.mark.parametrize("hours", [1, 23])
def test_a_clock_far_ahead_takes_nothing_out(every_s: float, hours: int) -> None:
    """Minutes of a wrong clock would delete what nobody can read again."""
    clock = _Clock()
    ageing = AgeingClock(clock, None)
    _after(clock, ageing, 40 * _HOUR, every_s)
    clock.ahead = timedelta(days=200)
    assert _START + timedelta(hours=40 + hours) == _after(clock, ageing, hours * _HOUR, every_s)
    clock.ahead = timedelta()
    assert _after(clock, ageing, 3 * _HOUR, every_s) == clock.utc_now()


def test_a_clock_that_stays_is_believed_in_the_end() -> None:
    """A gateway that was off for a year would never take anything out again."""
    clock = _Clock()
    clock.ahead = timedelta(days=365)
    ageing = AgeingClock(clock, _START)
    assert _START == ageing.now()
    assert _START + timedelta(hours=23) == _after(clock, ageing, 23 * _HOUR)
    assert _after(clock, ageing, 3 * _HOUR) == clock.utc_now()


def test_a_start_in_the_midst_of_a_wrong_time_changes_nothing() -> None:
    """Whoever starts a gateway anew while its clock is wrong would delete what the first start had saved."""
    clock = _Clock()
    ageing = AgeingClock(clock, None)
    assert _START == ageing.now()
    clock.ahead = timedelta(days=200)
    believed = _after(clock, ageing, 5 * _HOUR)
    assert _START + timedelta(hours=5) == believed
    for _ in range(3):
        ageing = AgeingClock(clock, believed)
        believed = _after(clock, ageing, 20 * _HOUR)
    assert _START + timedelta(hours=65) == believed
    clock.ahead = timedelta()
    assert clock.utc_now() == AgeingClock(clock, believed).now()


def test_a_clock_that_shows_no_time_yet_says_nothing() -> None:
    """A gateway without a battery that starts each day in 1970 would never take anything out."""
    clock = _Clock()
    clock.ahead = datetime(1970, 1, 1, tzinfo=UTC) - _START
    ageing = AgeingClock(clock, None)
    assert clock.utc_now() == ageing.now()
    clock.passed_s += 60
    clock.ahead = timedelta()
    assert clock.utc_now() == ageing.now()
    clock.ahead = datetime(1970, 1, 1, tzinfo=UTC) - _START
    ageing = AgeingClock(clock, _START)
    assert _START == ageing.now()


def test_a_clock_set_back_counts_at_once_and_looks_are_bounded() -> None:
    """What is too young by the right clock would go; or each look would stay in memory."""
    clock = _Clock()
    ageing = AgeingClock(clock, None)
    for _ in range(3_000):
        clock.ahead += timedelta(seconds=1)
        _after(clock, ageing, 60)
    assert len(ageing._seen) <= BELIEVED_AFTER_S / SAMPLE_S + 2
    clock.ahead = -timedelta(days=3)
    assert clock.utc_now() == ageing.now()
