"""What is due when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from meterlink.acquisition.calendars import Calendar
from meterlink.acquisition.plans import FREEZE_SETTLE, StoredPlan
from meterlink.errors import ConfigError
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.zone import parse_zone


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "+05:30", "-03:00"])
def test_when_a_freeze_is_expected(zone: str) -> None:
    """Too early, each slow clock costs a vain request; by days of UTC it is another night."""
    plan = StoredPlan(
        name="d", data_class=DAILY_FREEZE, items=("a",), calendar=Calendar(zone=parse_zone(zone))
    )
    midnight = datetime(2026, 11, 22, tzinfo=parse_zone(zone))
    assert [midnight] == plan.slots_of(date(2026, 11, 22), 1)
    assert UTC is plan.slots_of(date(2026, 11, 22), 1)[0].tzinfo
    assert midnight + FREEZE_SETTLE == plan.due_at(midnight, "m1")


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
