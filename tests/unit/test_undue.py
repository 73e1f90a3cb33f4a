"""Why the ledger knows nothing of a slot: each reason in a sentence of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from meterlink.acquisition.plans import Plan, StoredPlan
from meterlink.acquisition.undue import SENTENCES, Scene, Undue, undue
from meterlink.journal.ledger import KEPT_DAYS
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, EVENT, INSTANT, MONTHLY_FREEZE
from meterlink.model.slot import MONTH_S
from meterlink.model.zone import CHINA_TIME

_NOW = datetime(2026, 11, 22, 11, 0, 30, tzinfo=CHINA_TIME)
_NIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_DAY = timedelta(days=1)
_MOMENT = Plan(name="moment", every_s=60, items=("voltage.a",))
_FREEZE = StoredPlan(name="daily", data_class=DAILY_FREEZE, items=("a",))
_CURVE = StoredPlan(name="load", data_class=CURVE, every_s=900, items=("a",))
_BEGAN = {plan.series("m1"): _NIGHT - 90 * _DAY for plan in (_MOMENT, _FREEZE, _CURVE)}


def _told(
    slot: datetime,
    *plans: Plan | StoredPlan,
    began: Mapping[Series, datetime] = _BEGAN,
    reading_day: int = 1,
) -> dict[str, str]:
    scene = Scene(
        plans=plans,
        began=began,
        reading_day=reading_day,
        in_service_since=_NIGHT - 200 * _DAY,
        in_service_until=_NOW - timedelta(hours=1) if slot.minute == 59 else None,
        now=_NOW,
        zone=CHINA_TIME,
    )
    return undue("m1", slot, scene)


@pytest.mark.parametrize(
    ("slot", "plans", "kind", "words"),
    [
        (_NIGHT + _DAY, [_FREEZE], Undue.FUTURE, "2026-11-23 00:00 has not come yet"),
        (_NIGHT - 201 * _DAY, [_FREEZE], Undue.BEFORE_SERVICE, "came into service at 2026-05-06 00:00"),
        (
            _NOW.replace(minute=59, hour=10),
            [_MOMENT],
            Undue.AFTER_SERVICE,
            "out of service at 2026-11-22",
        ),
        (_NIGHT, [], Undue.OFF_GRID, "no plan has a slot at that time"),
        (
            _NIGHT + timedelta(minutes=7),
            [_FREEZE, _CURVE],
            Undue.OFF_GRID,
            "daily (daily_freeze) 2026-11-22 00:00",
        ),
        (
            _NIGHT + timedelta(minutes=17),
            [_CURVE],
            Undue.OFF_GRID,
            "before it: load (curve) 2026-11-22 00:15",
        ),
        (
            _NIGHT - 91 * _DAY,
            [_FREEZE],
            Undue.BEFORE_BEGIN,
            "began later, with daily (daily_freeze) 2026-08-24",
        ),
        (_NOW.replace(second=0), [_MOMENT], Undue.RUNNING, "of moment (instant) is not over yet"),
        (_NIGHT - (KEPT_DAYS + 1) * _DAY, [_CURVE], Undue.FOLDED, f"older than {KEPT_DAYS} days"),
        (_NIGHT - (KEPT_DAYS - 1) * _DAY, [_CURVE], Undue.NOT_PLANNED, "no plan asked for it at that time"),
        (_NIGHT - (KEPT_DAYS + 1) * _DAY, [_FREEZE], Undue.NOT_PLANNED, "no plan asked for it at that time"),
    ],
)
def test_each_reason_has_its_own_sentence(
    slot: datetime, plans: list[Plan | StoredPlan], kind: Undue, words: str
) -> None:
    """People would be told of plans and roster what they must find out by themselves, or what is not so."""
    told = _told(slot, *plans)
    assert (kind, True) == (told["undue"], words in told["en"]), told["en"]
    assert told["zh"].startswith("m1:") and "{" not in told["en"] + told["zh"]


def test_a_month_is_asked_for_by_the_day_of_its_meter() -> None:
    """Who looks for a settlement of the 15th would be told that no plan wants it."""
    month = StoredPlan(name="month", data_class=MONTHLY_FREEZE, every_s=MONTH_S, items=("a",))
    began = {month.series("m1"): _NIGHT - 90 * _DAY}
    first, ours = _NIGHT.replace(day=1), _NIGHT.replace(day=15)
    assert Undue.NOT_PLANNED == _told(ours, month, began=began, reading_day=15)["undue"]
    told = _told(first, month, began=began, reading_day=15)
    assert (Undue.OFF_GRID, True) == (told["undue"], "month (monthly_freeze) 2026-10-15" in told["en"])


def test_a_plan_that_has_never_asked_a_meter_says_so() -> None:
    """A meter that no plan has come to would look as if somebody had forgotten a plan."""
    told = _told(_NIGHT, _CURVE, began={_FREEZE.series("m1"): _NIGHT})
    assert (Undue.NOT_ASKED, True) == (told["undue"], "never asked this meter by load (curve)" in told["en"])


def test_what_a_protocol_has_not_is_said_so() -> None:
    """The night of a meter of 1997, which freezes none, would look as if it had come into service later."""
    scene = Scene(
        plans=(_FREEZE, _CURVE, _MOMENT),
        lacked=(_FREEZE, _CURVE),
        began={_MOMENT.series("m1"): _NIGHT},
        reading_day=1,
        in_service_since=None,
        in_service_until=None,
        now=_NOW,
        zone=CHINA_TIME,
    )
    alone = undue("m1", _NIGHT - _DAY, replace(scene, plans=(_FREEZE,)))
    assert Undue.NO_SUCH_DATA == alone["undue"]
    assert alone["en"].endswith("its protocol has no such data as daily (daily_freeze) asks for")
    assert alone["zh"].endswith("其规约没有此类数据:daily (daily_freeze)")
    beside = undue("m1", _NIGHT - _DAY, scene)
    assert Undue.BEFORE_BEGIN == beside["undue"]
    assert "its collection began later, with moment (instant) 2026-11-22 00:00" in beside["en"]
    assert beside["en"].endswith(
        "; its protocol has no such data as daily (daily_freeze), load (curve) asks for"
    )
    assert beside["zh"].endswith(";其规约没有此类数据:daily (daily_freeze), load (curve)")


def test_what_has_gone_by_age_is_said_so() -> None:
    """A hole of two years ago would be explained by a collection that had not begun, though it had."""
    scene = Scene(
        plans=(_CURVE, _FREEZE),
        began={_CURVE.series("m1"): _NIGHT - 90 * _DAY},
        forgotten={CURVE: _NIGHT - 100 * _DAY},
        reading_day=1,
        in_service_since=None,
        in_service_until=None,
        now=_NOW,
        zone=CHINA_TIME,
    )
    told = undue("m1", _NIGHT - 101 * _DAY + timedelta(minutes=15), scene)
    assert Undue.FORGOTTEN == told["undue"]
    assert "load (curve) before 2026-08-14 00:00 has been taken out by age" in told["en"]
    assert Undue.BEFORE_BEGIN == undue("m1", _NIGHT - 99 * _DAY, scene)["undue"], "that is still known"


def test_both_languages_know_all_reasons() -> None:
    """Half of the people would get an error in place of a sentence."""
    assert set(Undue) == set(SENTENCES)
    assert {("en", "zh")} == {tuple(words) for words in SENTENCES.values()}


def test_a_collection_that_got_another_interval_had_begun_before() -> None:
    """Who asks for a time before the change would be told that nobody had begun to read the meter then."""
    slot = _NIGHT + timedelta(minutes=2)
    began = {_MOMENT.series("m1"): _NIGHT + timedelta(hours=1)}
    assert Undue.BEFORE_BEGIN == _told(slot, _MOMENT, began=began)["undue"]
    older = {**began, Series("m1", INSTANT, 300): _NIGHT - _DAY}
    assert Undue.NOT_PLANNED == _told(slot, _MOMENT, began=older)["undue"]
    assert Undue.BEFORE_BEGIN == _told(slot - 2 * _DAY, _MOMENT, began=older)["undue"]
    other = {**began, Series("m1", EVENT, 300): _NIGHT - _DAY}
    assert Undue.BEFORE_BEGIN == _told(slot, _MOMENT, began=other)["undue"]
