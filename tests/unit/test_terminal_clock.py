"""When the clock of a concentrator may be set from afar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meterlink.drivers.terminal_clock import Against, against, is_broken
from meterlink.model.zone import CHINA_TIME

_MORNING = datetime(2026, 11, 24, 10, 20, tzinfo=CHINA_TIME)


@pytest.mark.parametrize(
    ("at", "ahead_s", "expected"),
    [
        (_MORNING, 6, ()),
        (_MORNING, -900, ()),
        (_MORNING, 5, (Against.RIGHT,)),
        (_MORNING, 901, (Against.FAR,)),
        (_MORNING, None, (Against.FAR,)),
        (_MORNING.replace(minute=4, second=59), 60, (Against.NEAR_HOUR,)),
        (_MORNING.replace(minute=5), 60, ()),
        (_MORNING.replace(minute=55, second=1), 60, (Against.NEAR_HOUR,)),
        (_MORNING.replace(minute=50), 310, (Against.NEAR_HOUR,)),
        (_MORNING.replace(hour=23, minute=30, second=1), 60, (Against.NEAR_MIDNIGHT,)),
        (_MORNING.replace(hour=0, minute=29, second=59), 60, (Against.NEAR_MIDNIGHT,)),
        (_MORNING.replace(hour=23, minute=20), 660, (Against.NEAR_MIDNIGHT,)),
        (_MORNING.replace(hour=0, minute=40), -660, (Against.NEAR_MIDNIGHT,)),
        (_MORNING.replace(hour=0, minute=40), 60, ()),
    ],
)
def test_what_speaks_against_setting_a_clock(
    at: datetime, ahead_s: int | None, expected: tuple[Against, ...]
) -> None:
    """A freeze would be lost or doubled, or a clock set that somebody has to look at first."""
    ahead = None if ahead_s is None else timedelta(seconds=ahead_s)
    assert expected == against(at, ahead, CHINA_TIME, is_trusted=True)


def test_a_clock_that_lost_its_time_takes_a_word_more() -> None:
    """Nobody could set one that stands in 2000 from afar, or anybody without having seen it."""
    for ahead in (timedelta(days=-9000), None):
        assert (Against.FAR,) == against(_MORNING, ahead, CHINA_TIME, is_trusted=True)
        assert () == against(_MORNING, ahead, CHINA_TIME, is_trusted=True, may_be_far=True)


def test_a_clock_of_ours_that_may_be_wrong_sets_no_other() -> None:
    """A gateway in 1970 would take its terminals along."""
    off = timedelta(seconds=60)
    assert (Against.OURS,) == against(_MORNING, off, CHINA_TIME, is_trusted=False)
    early = datetime(2019, 6, 1, 2, 20, tzinfo=UTC)
    assert (Against.OURS,) == against(early, off, CHINA_TIME, is_trusted=True)


@pytest.mark.parametrize(
    ("ahead_s", "settings", "expected"),
    [(300, 2, True), (-300, 3, True), (None, 2, True), (299, 2, False), (300, 1, False), (0, 9, False)],
)
def test_a_clock_that_is_off_after_two_settings_is_broken(
    ahead_s: int | None, settings: int, expected: bool
) -> None:
    """It would be set for ever, and its nights be wrong in between."""
    ahead = None if ahead_s is None else timedelta(seconds=ahead_s)
    assert expected == is_broken(ahead, settings)
