"""What is due when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meterlink.acquisition.plans import FREEZE_SETTLE, newest_daily_freeze
from meterlink.errors import ConfigError
from meterlink.model.zone import CHINA_TIME, parse_zone

_MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (_MIDNIGHT, _MIDNIGHT - _DAY),
        (_MIDNIGHT + FREEZE_SETTLE - timedelta(seconds=1), _MIDNIGHT - _DAY),
        (_MIDNIGHT + FREEZE_SETTLE, _MIDNIGHT),
        (_MIDNIGHT + timedelta(hours=8), _MIDNIGHT),  # 00:00 UTC is no limit of a day here
        (_MIDNIGHT + _DAY, _MIDNIGHT),
    ],
)
def test_the_freeze_that_is_expected(now: datetime, expected: datetime) -> None:
    """Too early, each slow clock costs a vain request; by days of UTC it is another night."""
    assert expected == newest_daily_freeze(now.astimezone(UTC), CHINA_TIME)
    assert UTC is newest_daily_freeze(now, CHINA_TIME).tzinfo


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("Asia/Shanghai", 480), ("+08:00", 480), ("+05:30", 330), ("-00:30", -30), ("-14:59", -899)],
)
def test_zones(text: str, minutes: int) -> None:
    """A night's freezes would stand hours away from where they belong."""
    assert timedelta(minutes=minutes) == parse_zone(text).utcoffset(None)


@pytest.mark.parametrize("text", ["", "Europe/Berlin", "8", "+8:00", "+15:00", "+08:60", "UTC+8", "+08:00 "])
def test_what_is_no_zone(text: str) -> None:
    """A zone with daylight saving time would move freezes by an hour; a mistyped one by anything."""
    with pytest.raises(ConfigError, match=r"\+08:00"):
        parse_zone(text)
