"""A plan that is changed, taken out or put back leaves no slot that waits for nobody, and none twice."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.acquisition.planner import Planner
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.journal.journal import Journal
from meterlink.model.data_classes import CURVE, DAILY_FREEZE
from meterlink.model.slot import Reason, Standing, State
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock

_MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_NOON = _MIDNIGHT + timedelta(hours=12)
_DAY = timedelta(days=1)
_QUARTERS = StoredPlan(name="q", data_class=CURVE, every_s=900, items=("active_power",))
_HOURS = StoredPlan(name="h", data_class=CURVE, every_s=3600, items=("active_power",))
_FREEZE = StoredPlan(name="d", data_class=DAILY_FREEZE, items=("forward_active_energy",))
_POINT = Point(meter="m1", address="000000000001")


async def _begin(journal: Journal, clock: SimClock, *plans: StoredPlan) -> None:
    """A line begins with some plans, as at a start or behind a reload."""
    planned = [(_POINT, plan) for plan in plans]
    await Planner("line1", planned, journal.ledger, clock, meters=["m1"]).apply()


async def _standing(journal: Journal, plan: StoredPlan, slot: datetime) -> Standing | None:
    found = await journal.ledger.standings("m1", slot)
    of_plan = [one for one in found if one.key[1:3] == (plan.data_class, plan.every_s)]
    return of_plan[0] if of_plan else None


async def _told(journal: Journal, plan: StoredPlan, slot: datetime) -> tuple[State, Reason] | None:
    one = await _standing(journal, plan, slot)
    return None if one is None else (one.state, one.reason)


async def _day(journal: Journal) -> Counter[State]:
    """The curve of the day, slots by state."""
    count: Counter[State] = Counter()
    for one in await journal.ledger.tallies([CURVE], since=_MIDNIGHT, until=_MIDNIGHT + _DAY):
        count[one.state] += one.slots
    return count


async def _keep_until(journal: Journal, plan: StoredPlan, hour: int) -> None:
    slots = [_MIDNIGHT + timedelta(seconds=past) for past in range(0, hour * 3600, plan.every_s)]
    await journal.ledger.kept([plan.series("m1").key(slot) for slot in slots])


@pytest.mark.asyncio
async def test_a_plan_is_taken_out_and_put_back(tmp_path: Path) -> None:
    """Slots would wait for ever for nobody, and the day would be half complete without a fault of anybody."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS, _FREEZE)
        await _keep_until(journal, _QUARTERS, 11)
        await _begin(journal, clock, _FREEZE)
        hole, later = _MIDNIGHT + timedelta(hours=11, minutes=15), _NOON + timedelta(hours=1)
        assert (State.EXPIRED, Reason.NOT_PLANNED) == await _told(journal, _QUARTERS, hole)
        assert (State.WAIVED, Reason.NOT_PLANNED) == await _told(journal, _QUARTERS, later)
        assert (State.DUE, Reason.NOT_RUNNING) == await _told(journal, _FREEZE, _MIDNIGHT)
        one = await _standing(journal, _QUARTERS, later)
        assert one is not None
        assert "no plan asks for it any more, since 2026-11-22T04:00" in one.sentence("en")
        clock.advance(_DAY.total_seconds())
        day = await _day(journal)
        assert {State.KEPT: 44, State.EXPIRED: 3, State.WAIVED: 49} == day, "due before 12:00: until 11:30"
        await _begin(journal, clock, _QUARTERS, _FREEZE)
        for slot in (hole, later, later + _DAY):
            told = await _told(journal, _QUARTERS, slot)
            assert told is not None
            assert State.DUE is told[0]
        assert {State.KEPT: 44, State.DUE: 52} == await _day(journal)


@pytest.mark.asyncio
async def test_no_plan_is_left_at_all(tmp_path: Path) -> None:
    """A meter whose protocol was corrected to one without such data is planned by nobody."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _HOURS, _FREEZE)
        await _begin(journal, clock)
        assert (State.EXPIRED, Reason.NOT_PLANNED) == await _told(journal, _FREEZE, _MIDNIGHT)
        assert {State.EXPIRED: 11} == +(await _day(journal))


@pytest.mark.asyncio
@pytest.mark.parametrize(("old", "new"), [(_QUARTERS, _HOURS), (_HOURS, _QUARTERS)])
async def test_another_interval(tmp_path: Path, old: StoredPlan, new: StoredPlan) -> None:
    """A slot of both would count twice, kept and missing; what the meter still holds would not be read."""
    clock = SimClock(_NOON - 2 * _DAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, old)
        clock.advance(2 * _DAY.total_seconds())
        await _begin(journal, clock, old)
        await _keep_until(journal, old, 9)
        clock.advance(60)
        await _begin(journal, clock, new)
        clock.advance(_DAY.total_seconds())
        both = [_MIDNIGHT + timedelta(hours=hour - 48) for hour in range(72)]
        for slot in both:
            found = [one.state for one in await journal.ledger.standings("m1", slot)]
            counted = [state for state in found if state is not State.WAIVED]
            is_kept = _MIDNIGHT <= slot < _MIDNIGHT + timedelta(hours=9)
            assert [State.KEPT if is_kept else State.DUE] == counted, slot
        assert await _told(journal, new, _MIDNIGHT - timedelta(hours=13)) is not None, "asked by the other"
        await _begin(journal, clock, old)
        day = await _day(journal)
        assert 9 * 3600 // old.every_s == day[State.KEPT]
        assert not day[State.EXPIRED] or new is _QUARTERS, "only the quarters that were due have been lost"


@pytest.mark.asyncio
async def test_a_start_with_the_same_plans(tmp_path: Path) -> None:
    """Each start would settle what is asked for."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS, _HOURS, _FREEZE)
        before = journal.newest_id, await journal.ledger.standings("m1", _MIDNIGHT)
        await _begin(journal, clock, _QUARTERS, _HOURS, _FREEZE)
        assert before == (journal.newest_id, await journal.ledger.standings("m1", _MIDNIGHT))
        assert {State.DUE} == set(+(await _day(journal)))


@pytest.mark.asyncio
async def test_what_another_plan_has_open_stays_open(tmp_path: Path) -> None:
    """Voltages each quarter would lose their whole hours with the plan of energies, and without a row."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS, _HOURS)
        await _keep_until(journal, _QUARTERS, 1)
        await _keep_until(journal, _HOURS, 8)
        await _begin(journal, clock, _QUARTERS)
        for hour in range(1, 12):
            told = await _told(journal, _QUARTERS, _MIDNIGHT + timedelta(hours=hour))
            assert told is not None
            assert State.DUE is told[0]
