"""Days, windows and the spread of meters over them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from meterlink.acquisition.calendars import Calendar
from meterlink.acquisition.plans import FREEZE_SETTLE, Plan, StoredPlan, merged
from meterlink.config import PlanSettings
from meterlink.errors import ConfigError
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE
from meterlink.model.slot import DAY_S, MONTH_S
from meterlink.model.zone import CHINA_TIME, parse_zone

_DAY = date(2026, 11, 22)
_MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_NIGHT = Calendar(opens=time(22), closes=time(6))
_MORNING = Calendar(opens=time(1), closes=time(6), spread_s=9_000)


def _at(hour: float) -> datetime:
    return _MIDNIGHT + timedelta(hours=hour)


@pytest.mark.parametrize(
    ("calendar", "hour", "opens_at"),
    [
        (Calendar(), 13, 13),
        (_MORNING, 0.5, 1),
        (_MORNING, 1, 1),
        (_MORNING, 5.99, 5.99),
        (_MORNING, 6, 25),
        (_NIGHT, 0, 0),
        (_NIGHT, 6, 22),
        (_NIGHT, 21.99, 22),
        (_NIGHT, 23, 23),
    ],
)
def test_windows(calendar: Calendar, hour: float, opens_at: float) -> None:
    """Meters would be asked while the line belongs to somebody else, or never."""
    assert _at(opens_at) == calendar.next_open(_at(hour).astimezone(UTC))
    assert (hour == opens_at) is calendar.is_open(_at(hour))


def test_a_meter_keeps_its_place_in_the_window() -> None:
    """Meters that come or go would move all others, and a line be asked in bursts."""
    meters = [f"m{number}" for number in range(2_000)]
    due = [_MORNING.due_at(_at(0), meter) for meter in meters]
    assert due == [_MORNING.due_at(_at(0).astimezone(UTC), meter) for meter in meters]
    assert all(_at(1) <= one < _at(3.5) for one in due)
    assert datetime(2026, 11, 21, 18, 1, 40, tzinfo=UTC) == _MORNING.due_at(_at(0), "kitchen"), "for ever"
    quarters = Counter((one - _at(1)) // timedelta(minutes=15) for one in due)
    assert all(150 < quarters[number] < 250 for number in range(10)), quarters


def test_a_spread_does_not_leave_the_window() -> None:
    """A meter at the end of the spread would be asked when the window has closed."""
    narrow = Calendar(opens=time(1), closes=time(1, 10), spread_s=3_600)
    due = [narrow.due_at(_at(0), f"m{number}") for number in range(200)]
    assert all(narrow.is_open(one) for one in due)


@pytest.mark.parametrize(
    ("calendar", "days"),
    [
        (Calendar(), range(1, 31)),
        (Calendar(weekdays=frozenset({6})), (1, 8, 15, 22, 29)),
        (Calendar(month_days=frozenset({1, 11, 21})), (1, 11, 21)),
        (Calendar(month_days=frozenset({1}), weekdays=frozenset({6})), (1, 8, 15, 22, 29)),
        (Calendar(since=date(2026, 11, 3), until=date(2026, 11, 5)), (3, 4, 5)),
    ],
)
def test_days(calendar: Calendar, days: object) -> None:
    """Readings three times a month (SCH-03) would come daily, or a plan that has ended would go on."""
    november = [date(2026, 11, day) for day in range(1, 31)]
    assert list(days) == [day.day for day in november if calendar.has(day)]  # type: ignore[call-overload]


def test_the_parts_of_a_time_in_which_slots_are_due() -> None:
    """A night without the daemon would count slots as missed that no plan wanted."""
    since, until = _at(-2), _at(26)
    assert [(since, until)] == list(Calendar().parts(since, until))
    parts = list(_NIGHT.parts(since, until))
    assert [(_at(-2), _at(0)), (_at(0), _at(6)), (_at(22), _at(24)), (_at(24), _at(26))] == parts
    sunday = Calendar(weekdays=frozenset({6}))
    assert [(_at(0), _at(24))] == list(sunday.parts(since, until))
    assert [] == list(sunday.parts(_at(30), _at(40)))


def test_the_slots_of_a_day() -> None:
    """A day of the plant is none of UTC."""
    curve = StoredPlan(name="c", data_class=CURVE, every_s=900, items=("active_power",), gather_s=3600)
    assert [_MIDNIGHT + n * timedelta(minutes=15) for n in range(96)] == curve.slots_of(_DAY, 1)
    freeze = StoredPlan(name="d", data_class=DAILY_FREEZE, items=("forward_active_energy",))
    assert [_MIDNIGHT] == freeze.slots_of(_DAY, 1)
    india = Calendar(zone=parse_zone("+05:30"))
    there = StoredPlan(name="d", data_class=DAILY_FREEZE, items=("a",), calendar=india)
    assert [datetime(2026, 11, 21, 18, 30, tzinfo=UTC)] == there.slots_of(_DAY, 1)


def test_the_slot_of_a_month_is_on_the_reading_day_of_its_meter() -> None:
    """SCH-02: who is billed on the 22nd settles then; of the first his meter has nothing."""
    month = StoredPlan(name="m", data_class=MONTHLY_FREEZE, every_s=MONTH_S, items=("a",))
    after = _DAY + timedelta(days=1)
    assert [[_MIDNIGHT], [], []] == [month.slots_of(*of) for of in ((_DAY, 22), (_DAY, 1), (after, 22))]
    for_all = replace(month, settlement_day=22)
    assert [[_MIDNIGHT], []] == [for_all.slots_of(_DAY, 1), for_all.slots_of(after, 23)]
    with pytest.raises(ConfigError, match="without settlement_day each meter has its own"):
        merged([month, for_all])


@pytest.mark.parametrize(("hour", "due"), [(0, 1), (0.25, 1), (0.5, 1), (0.75, 1), (1, 2), (23.75, 24)])
def test_slots_of_a_curve_wait_for_each_other(hour: float, due: float) -> None:
    """Four requests an hour and meter where one would do; or a record asked for before it is there."""
    curve = StoredPlan(name="c", data_class=CURVE, every_s=900, items=("active_power",), gather_s=3600)
    assert _at(due) + FREEZE_SETTLE == curve.due_at(_at(hour), "m1")


def _stored(**given: object) -> StoredPlan:
    return StoredPlan(**{"name": "a", "data_class": DAILY_FREEZE, "items": ("a",), **given})  # type: ignore[arg-type]


def test_plans_that_share_slots_are_one() -> None:
    """One of two plans would be kept when the other's items are, and its own never be read."""
    one, two = _stored(), _stored(name="b", items=("b", "a"), tries=3)
    assert [_stored(items=("a", "b"), tries=3)] == merged([one, two])
    other = _stored(name="c", data_class=CURVE, every_s=900)
    assert [one, other] == merged([one, other])
    assert 2 == len(merged([Plan(name="p", every_s=n, items=("a",)) for n in (60, 60, 30)]))
    for other in (_stored(name="b", calendar=_NIGHT), _stored(name="b", settlement_day=2)):
        with pytest.raises(ConfigError, match="'b' and 'a' are of one class"):
            merged([one, other])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"window": "6-7h"}, "two times of day"),
        ({"window": "01:00-01:00"}, "between two times"),
        ({"window": "01:00"}, "two times of day"),
        ({"days": ["monday"]}, "one of mon, tue"),
        ({"days": [0]}, "1 to 31"),
        ({"days": [32]}, "1 to 31"),
        ({"class": "curve", "every_s": 60}, "900 or 3600"),
        ({"gather_s": 60}, "for curves"),
        ({"from": date(2026, 1, 2), "until": date(2026, 1, 1)}, "no day is left"),
        ({"class": "monthly_freeze", "settlement_day": 29}, "less than or equal to 28"),
        ({"class": "alarm"}, "'instant', 'status'"),
        ({"class": "event", "every_s": 60}, "300 or more"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(given: dict[str, object], words: str) -> None:
    """It would be read at another time than its author thinks, or never."""
    with pytest.raises(ValueError, match=words):
        PlanSettings.model_validate(given)


def test_the_defaults_of_classes() -> None:
    """A plan of one line would ask for items that its class has not."""
    curve = PlanSettings.model_validate({"class": "curve"})
    assert (900, 3_600, ("active_power",)) == (curve.every_s, curve.gather_s, curve.items)
    month = PlanSettings.model_validate({"class": "monthly_freeze"})
    assert ("monthly_freeze", 3_600, None) == (month.name, month.every_s, month.settlement_day)
    assert DAY_S == _stored().every_s
