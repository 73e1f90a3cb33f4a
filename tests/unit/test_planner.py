"""Plans reach the ledger day by day: no day twice, none left out, and each hole knows who was not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.acquisition.passing import SET_OVER_MAX, PassingSlots
from meterlink.acquisition.planned_days import (
    BACK_DAYS,
    CURVE_BACK_DAYS,
    TOLD_BACK_DAYS,
    TOLD_LATE_DAYS,
)
from meterlink.acquisition.planner import Planner
from meterlink.acquisition.plans import Plan, Point, StoredPlan
from meterlink.journal.journal import Journal
from meterlink.journal.series import Series
from meterlink.journal.store import Step, Store
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, EVENT, INSTANT, MONTHLY_FREEZE, DataClass
from meterlink.model.slot import MONTH_S, Reason, State
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock

_NOON = datetime(2026, 11, 22, 12, tzinfo=CHINA_TIME)
_MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_DAY = timedelta(days=1)
_HOURLY = StoredPlan(name="c", data_class=CURVE, every_s=3600, items=("active_power",))
_FREEZE = StoredPlan(name="d", data_class=DAILY_FREEZE, items=("forward_active_energy",))
_MONTH = StoredPlan(name="m", data_class=MONTHLY_FREEZE, every_s=MONTH_S, items=("forward_active_energy",))


def _planner(journal: Journal, clock: SimClock, *plans: StoredPlan, point: Point | None = None) -> Planner:
    meter = point or Point(meter="m1", address="000000000001")
    return Planner("line1", [(meter, plan) for plan in plans], journal.ledger, clock)


async def _slots(journal: Journal, plan: StoredPlan) -> list[datetime]:
    """The open slots of a plan."""
    far = timedelta(days=4000)
    return await journal.ledger.open_slots(
        plan.series("m1"), since=_NOON - far, until=_NOON + far, newest_first=False, limit=100_000
    )


async def _reasons(journal: Journal, plan: StoredPlan, slots: Sequence[datetime]) -> list[Reason]:
    found = []
    for slot in slots:
        standings = await journal.ledger.standings("m1", slot)
        found += [one.reason for one in standings if one.key.data_class == plan.data_class]
    return found


@pytest.mark.asyncio
async def test_each_day_once(tmp_path: Path) -> None:
    """A day without slots would not be read at all; looked at again, nothing changes."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        planner = _planner(journal, clock, _HOURLY, _FREEZE)
        assert await planner.apply()
        assert not await planner.apply()
        assert 24 == len(await _slots(journal, _HOURLY))
        clock.advance(12 * 3600 + 1)
        assert await planner.apply()
        assert not await planner.apply()
        assert 48 == len(await _slots(journal, _HOURLY))
        assert [_MIDNIGHT, _MIDNIGHT + _DAY] == await _slots(journal, _FREEZE)


@pytest.mark.asyncio
async def test_who_was_not_there(tmp_path: Path) -> None:
    """What became due while the daemon was down would be said to wait for its turn."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY).apply()
        await journal.ledger.live()
        slots = await _slots(journal, _HOURLY)
        before = [Reason.NOT_RUNNING] * 11 + [Reason.WAITING] * 13  # that of 11:00 is due at 12:05
        assert before == await _reasons(journal, _HOURLY, slots)
    clock.advance(2 * _DAY.total_seconds())
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY).apply()
        slots = await _slots(journal, _HOURLY)
        assert 3 * 24 == len(slots)
        assert [Reason.NOT_RUNNING] * (48 + 11) + [Reason.WAITING] * 13 == await _reasons(
            journal, _HOURLY, slots
        )


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [-3000, -820, -365, -70, -40, -1, 0, 1, 40, 63, 70, 365, 500, 820, 3000])
async def test_the_wall_clock_is_set_and_mended(tmp_path: Path, days: int) -> None:
    """A gateway without a clock battery: no day twice, none left out, and no years of slots."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        planner = _planner(journal, clock, _HOURLY, _FREEZE)
        await planner.apply()
        clock.step_wall(days * _DAY)
        await planner.apply()
        clock.advance(60)
        clock.step_wall(-days * _DAY)
        await planner.apply()
        for _ in range(3):
            clock.advance(_DAY.total_seconds())
            await planner.apply()
        freezes = await _slots(journal, _FREEZE)
        assert [_MIDNIGHT + n * _DAY for n in range(4)] == [
            slot for slot in freezes if _MIDNIGHT <= slot < _MIDNIGHT + 4 * _DAY
        ]
        assert len(freezes) <= 4 + BACK_DAYS
        hours = await _slots(journal, _HOURLY)
        assert 4 * 24 == len([slot for slot in hours if _MIDNIGHT <= slot < _MIDNIGHT + 4 * _DAY])
        assert len(hours) <= (4 + CURVE_BACK_DAYS) * 24


@pytest.mark.asyncio
async def test_what_a_clock_was_set_over(tmp_path: Path) -> None:
    """Hours that never passed would be blamed on a line that is too slow."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        planner = _planner(journal, clock, _HOURLY)
        await planner.apply()
        clock.step_wall(timedelta(hours=3))
        assert await planner.apply()
        slots = await _slots(journal, _HOURLY)
        expected = [Reason.NOT_RUNNING] * 11 + [Reason.CLOCK_WRONG] * 3 + [Reason.WAITING] * 10
        assert expected == await _reasons(journal, _HOURLY, slots)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("minutes", "reason"), [(2, Reason.WAITING), (3, Reason.CLOCK_WRONG), (40, Reason.CLOCK_WRONG)]
)
async def test_a_clock_is_set_by_minutes(tmp_path: Path, minutes: int, reason: Reason) -> None:
    """The slot that a clock was set over by a quarter of an hour would be put down to a slow line."""
    clock = SimClock(_MIDNIGHT + timedelta(hours=11, minutes=4))
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        planner = _planner(journal, clock, _HOURLY)
        await planner.apply()
        (due,) = [  # of 10:00, at some moment behind 11:05 by the hash of the meter
            one.due_at for one in await journal.ledger.standings("m1", _MIDNIGHT + timedelta(hours=10))
        ]
        clock.advance((due - clock.utc_now()).total_seconds() - 1)
        await planner.apply()
        clock.step_wall(timedelta(minutes=minutes))
        assert (reason is Reason.CLOCK_WRONG) is await planner.apply()
        assert [reason] == await _reasons(journal, _HOURLY, [_MIDNIGHT + timedelta(hours=10)])


@pytest.mark.asyncio
async def test_a_long_outage_is_planned_as_far_back_as_meters_remember(tmp_path: Path) -> None:
    """A settlement of half a year ago still stands in the meter; a curve of then does not."""
    clock = SimClock(_NOON - 500 * _DAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY, _FREEZE, _MONTH).apply()
    clock.advance(500 * _DAY.total_seconds())
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY, _FREEZE, _MONTH).apply()
        assert 24 * (1 + CURVE_BACK_DAYS) == len(await _slots(journal, _HOURLY))
        assert 1 + BACK_DAYS == len(await _slots(journal, _FREEZE))
        assert 1 + 13 == len(await _slots(journal, _MONTH)), "that of the first start, and those of 400 days"


@pytest.mark.asyncio
async def test_a_meter_that_was_not_there_yet(tmp_path: Path) -> None:
    """The days before a meter was put in would stand as holes for ever."""
    clock = SimClock(_NOON)
    since = _MIDNIGHT + timedelta(hours=10)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        point = Point(
            meter="m1",
            address="000000000001",
            in_service_since=since,
            in_service_until=since + timedelta(hours=8),
        )
        await _planner(journal, clock, _HOURLY, point=point).apply()
        assert [since + n * timedelta(hours=1) for n in range(8)] == await _slots(journal, _HOURLY)
        tallies = await journal.ledger.tallies([CURVE], since=_MIDNIGHT, until=since)
        assert [(State.WAIVED, Reason.NOT_IN_SERVICE, 10)] == [
            (one.state, one.reason, one.slots) for one in tallies
        ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("served", "succeeds", "freezes", "hours"),
    [
        (4, "m0", 5, 5 * 24),
        (4, "", 5, 5 * 24),
        (TOLD_LATE_DAYS - 1, "", TOLD_LATE_DAYS, TOLD_LATE_DAYS * 24),
        (TOLD_LATE_DAYS, "", 1, 24),
        (TOLD_LATE_DAYS, "unknown", 1, 24),
        (BACK_DAYS + 5, "m0", BACK_DAYS, CURVE_BACK_DAYS * 24),
    ],
)
async def test_a_meter_that_is_told_of_late_is_planned_from_its_first_day(
    tmp_path: Path, served: int, succeeds: str, freezes: int, hours: int
) -> None:
    """An exchange told days later: the new meter's nights until then were lost, a reading day too."""
    clock = SimClock(_NOON)
    point = Point(
        meter="m1",
        address="000000000001",
        in_service_since=_MIDNIGHT - served * _DAY,
        succeeds=succeeds,
    )
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        old = Point(meter="m0", address="000000000002")
        await _planner(journal, clock, _FREEZE, _HOURLY, point=old).apply()
        await _planner(journal, clock, _FREEZE, _HOURLY, point=point).apply()
        assert freezes == len(await _slots(journal, _FREEZE))
        assert hours == len(await _slots(journal, _HOURLY))


@pytest.mark.asyncio
async def test_a_plan_that_comes_later_to_a_new_meter_begins_then(tmp_path: Path) -> None:
    """A plan that is added would ask meters for the past that were exchanged once, and no others."""
    clock = SimClock(_NOON)
    point = Point(meter="m1", address="000000000001", in_service_since=_MIDNIGHT - 2 * _DAY, succeeds="m0")
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _FREEZE, point=point).apply()
        clock.advance(5 * _DAY.total_seconds())
        await _planner(journal, clock, _FREEZE, _HOURLY, point=point).apply()
        assert 3 + 5 == len(await _slots(journal, _FREEZE))
        assert 24 == len(await _slots(journal, _HOURLY))


@pytest.mark.asyncio
async def test_a_plan_that_comes_later_begins_then(tmp_path: Path) -> None:
    """A second plan of a line would be planned from the first one's beginning, or not at all."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _FREEZE).apply()
        clock.advance(5 * _DAY.total_seconds())
        await _planner(journal, clock, _FREEZE, _HOURLY).apply()
        assert {
            Series("m1", DAILY_FREEZE, 86_400): _MIDNIGHT + 5 * _DAY,
            Series("m1", CURVE, 3_600): _MIDNIGHT + 5 * _DAY + timedelta(hours=23),
        } == await journal.ledger.newest([_FREEZE.series("m1"), _HOURLY.series("m1")], _MIDNIGHT + 6 * _DAY)
        assert 24 == len(await _slots(journal, _HOURLY))


@pytest.mark.asyncio
async def test_a_start_explains_the_moments_that_passed_in_one_go(tmp_path: Path) -> None:
    """With thousands of meters a start would write to the disk for each, before anything is read."""
    clock = SimClock(_NOON)
    plan = Plan(name="p", every_s=60, items=("voltage.a",))
    meters = [f"m{number}" for number in range(200)]
    commits: list[int] = []

    class Counting(Store):
        def commit(self, steps: Sequence[Step]) -> list[int]:
            commits.append(len(steps))
            return super().commit(steps)

    async with Journal.open(tmp_path / "j", clock=clock, opener=Counting.open) as journal:
        await journal.ledger.expired([plan.series(meter).key(_NOON) for meter in meters], Reason.SILENT)
        del commits[:]
        slots = PassingSlots(plan, journal.ledger, "line1")
        await slots.absent([*meters, "new"], _NOON + timedelta(minutes=11))
        assert [1] == commits
        tallies = await journal.ledger.tallies([INSTANT], since=_MIDNIGHT, until=_MIDNIGHT + _DAY)
        missed = [one.slots for one in tallies if one.reason is Reason.NOT_RUNNING]
        assert [10] * len(meters) == missed


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("since_min", "missed"),
    [(0.5, 10), (3.0, 8), (3.5, 7), (-9.0, 10), (10.5, 0)],
    ids=["at-the-end", "from-a-slot-on", "within-a-slot", "told-of-late", "now"],
)
async def test_an_absence_of_a_meter_that_had_no_slot_yet(
    tmp_path: Path, since_min: float, missed: int
) -> None:
    """A meter is put in, then the gateway is away for a week: of that week the ledger would know nothing."""
    plan = Plan(name="p", every_s=60, items=("voltage.a",))
    since = {"new": _NOON + timedelta(minutes=since_min)}
    async with Journal.open(tmp_path / "j", clock=SimClock(_NOON)) as journal:
        slots = PassingSlots(plan, journal.ledger, "line1")
        await slots.absent(["new"], _NOON, since)  # nobody was ever there
        assert not await journal.ledger.tallies([INSTANT], since=_MIDNIGHT, until=_MIDNIGHT + _DAY)
        await journal.ledger.expired([plan.series("old").key(_NOON)], Reason.SILENT)
        await slots.absent(["old", "new"], _NOON + timedelta(minutes=11), since)
        tallies = await journal.ledger.tallies([INSTANT], since=_MIDNIGHT, until=_MIDNIGHT + _DAY)
    found = {one.meter: one.slots for one in tallies if one.reason is Reason.NOT_RUNNING}
    assert {"old": 10, "new": missed} == {"new": 0, **found}


@pytest.mark.asyncio
async def test_a_clock_set_years_ahead_costs_a_month_of_slots(tmp_path: Path) -> None:
    """What never comes would count as missing for years."""
    plan = Plan(name="p", every_s=3600, items=("voltage.a",))
    async with Journal.open(tmp_path / "j", clock=SimClock(_NOON)) as journal:
        slots = PassingSlots(plan, journal.ledger, "line1")
        await slots.set_over(["m1"], _NOON, _NOON + 4000 * _DAY)
        tallies = await journal.ledger.tallies([INSTANT], since=_NOON, until=_NOON + 4000 * _DAY)
        assert [(Reason.CLOCK_WRONG, 24 * SET_OVER_MAX.days)] == [(one.reason, one.slots) for one in tallies]


@asynccontextmanager
async def _after(folder: Path, days: int) -> AsyncIterator[Journal]:
    """The journal of one who planned hours, was away for so long, and has just planned again."""
    clock = SimClock(_NOON)
    async with Journal.open(folder / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY).apply()
        await journal.ledger.live()
    clock.advance(days * _DAY.total_seconds())
    async with Journal.open(folder / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY).apply()
        yield journal


@pytest.mark.asyncio
async def test_days_too_far_back_to_be_planned_are_told_lost(tmp_path: Path) -> None:
    """They would be missing in completeness, and `why` would say that they are not missing."""
    async with _after(tmp_path, CURVE_BACK_DAYS + 20) as journal:
        for days in (1, 10, 20):
            [told] = await journal.ledger.standings("m1", _MIDNIGHT + days * _DAY + timedelta(hours=5))
            assert (State.EXPIRED, Reason.NOT_RUNNING) == (told.state, told.reason)
        [told] = await journal.ledger.standings("m1", _MIDNIGHT + 21 * _DAY)
        assert State.DUE is told.state
        until = _MIDNIGHT + (CURVE_BACK_DAYS + 20) * _DAY
        tallies = await journal.ledger.tallies([CURVE], since=_MIDNIGHT, until=until)
        assert 24 * (CURVE_BACK_DAYS + 20) == sum(one.slots for one in tallies)


@pytest.mark.asyncio
async def test_days_too_far_back_in_which_a_meter_was_out_of_service_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A meter that comes back after months would have lost the months that it was in a store room."""
    first, back = _MIDNIGHT + 5 * _DAY + timedelta(hours=3), _MIDNIGHT + (CURVE_BACK_DAYS + 25) * _DAY

    async def away(_: object, meters: Sequence[str]) -> dict[str, list[tuple[datetime, datetime]]]:
        return {meter: [(first, back)] for meter in meters}

    monkeypatch.setattr("meterlink.journal.ledger.Ledger.away", away)
    async with _after(tmp_path, CURVE_BACK_DAYS + 30) as journal:
        for slot, state, reason in (
            (first - timedelta(hours=1), State.EXPIRED, Reason.NOT_RUNNING),
            (first, State.WAIVED, Reason.NOT_IN_SERVICE),
            (_MIDNIGHT + 30 * _DAY, State.WAIVED, Reason.NOT_IN_SERVICE),
            (back - timedelta(hours=1), State.WAIVED, Reason.NOT_IN_SERVICE),
            (back, State.DUE, Reason.NOT_RUNNING),
        ):
            [told] = await journal.ledger.standings("m1", slot)
            assert (state, reason) == (told.state, told.reason), slot


@pytest.mark.asyncio
async def test_an_absence_is_told_so_many_days_back(tmp_path: Path) -> None:
    """A clock that was years behind would make a start look through each hour of these years."""
    async with _after(tmp_path, TOLD_BACK_DAYS + 10) as journal:
        first = _MIDNIGHT + 11 * _DAY
        assert [] == await journal.ledger.standings("m1", first - timedelta(hours=1))
        [told] = await journal.ledger.standings("m1", first)
        assert (State.EXPIRED, Reason.NOT_RUNNING) == (told.state, told.reason)


@pytest.mark.asyncio
async def test_a_line_that_begins_anew_was_not_away(tmp_path: Path) -> None:
    """After each change of the roster what waits for its turn would be blamed on the daemon."""
    clock = SimClock(_MIDNIGHT)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY).apply()
        clock.advance(5.5 * 3600)
        await _planner(journal, clock, _HOURLY).apply()
        slots = await _slots(journal, _HOURLY)
        assert {Reason.WAITING} == {*await _reasons(journal, _HOURLY, slots)}


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [1, 63, 365, 820])
async def test_a_start_whose_clock_was_ahead(tmp_path: Path, days: int) -> None:
    """A gateway that was started with a wrong clock for minutes would plan no curve for months."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY, _FREEZE).apply()
        await journal.ledger.live(_NOON)
    clock.step_wall(days * _DAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY, _FREEZE).apply()
        ahead = clock.utc_now() + timedelta(seconds=60)
        gone = [_HOURLY.series("m1").key(_MIDNIGHT + _DAY + timedelta(hours=n)) for n in range(24)]
        clock.advance(60)
        await journal.ledger.expired(gone, Reason.GONE)
        await journal.ledger.live(_NOON)
        assert ahead == clock.utc_now()
    clock.step_wall(-days * _DAY)
    clock.advance(60)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        assert _NOON == await journal.ledger.lived_until(), "nobody lived in a time that has not come"
        planner = _planner(journal, clock, _HOURLY, _FREEZE)
        for _ in range(3):
            await planner.apply()
            clock.advance(_DAY.total_seconds())
        hours = [slot for slot in await _slots(journal, _HOURLY) if slot < _MIDNIGHT + 3 * _DAY]
        assert [_MIDNIGHT + timedelta(hours=n) for n in range(72)] == hours
        reasons = await _reasons(journal, _HOURLY, hours[24:])
        assert {Reason.WAITING} == set(reasons), "the daemon was there"


@pytest.mark.asyncio
async def test_a_start_whose_clock_is_behind(tmp_path: Path) -> None:
    """A gateway without a battery would forget at each start what it knows to be lost."""
    clock = SimClock(_NOON - 500 * _DAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY).apply()
    clock.advance(500 * _DAY.total_seconds())
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _planner(journal, clock, _HOURLY).apply()
        key, refused = (_HOURLY.series("m1").key(_MIDNIGHT + timedelta(hours=n)) for n in (2, 3))
        await journal.ledger.kept([key])
        await journal.ledger.refused([refused], note="D1 02")
        await journal.ledger.live(_NOON)
        lost = await journal.ledger.standings("m1", _NOON - 200 * _DAY)
        assert [Reason.NOT_RUNNING] == [one.reason for one in lost]
    clock.step_wall(-1500 * _DAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        planner = _planner(journal, clock, _HOURLY)
        await planner.apply()
        clock.step_wall(1500 * _DAY)
        await planner.apply()
        assert lost == await journal.ledger.standings("m1", _NOON - 200 * _DAY)
        (standing,) = await journal.ledger.standings("m1", refused.slot)
        assert State.REFUSED is standing.state


@pytest.mark.asyncio
async def test_the_moment_of_a_start_whose_clock_was_ahead(tmp_path: Path) -> None:
    """Values of the moment would be told lost before their time, and counted twice when it comes."""
    clock = SimClock(_NOON)
    plan = Plan(name="i", every_s=900, items=("voltage.a",))
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        slots = PassingSlots(plan, journal.ledger, "line1")
        await slots.kept("m1", _NOON)
        await slots.absent(["m1"], _NOON + 70 * _DAY)
        await slots.kept("m1", _NOON + 70 * _DAY)
        await slots.set_back(["m1"], _NOON + _DAY)
        assert not await journal.ledger.standings("m1", _NOON + _DAY)
        (before,) = await journal.ledger.standings("m1", _NOON + timedelta(hours=23))
        assert Reason.NOT_RUNNING is before.reason
        (kept,) = await journal.ledger.standings("m1", _NOON + 70 * _DAY)
        assert State.KEPT is kept.state


@pytest.mark.asyncio
async def test_a_plan_of_the_moment_is_put_back(tmp_path: Path) -> None:
    """A pause that people wanted would be told as ten days without the daemon, and count as lost."""
    clock = SimClock(_NOON)
    plan = Plan(name="i", every_s=900, items=("voltage.a",))
    every = timedelta(seconds=900)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await PassingSlots(plan, journal.ledger, "line1").kept("m1", _NOON)
        clock.advance(900)
        await journal.ledger.live()
    clock.advance(3600)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:  # without the plan
        await journal.ledger.live()
        clock.advance(5 * _DAY.total_seconds())
        await journal.ledger.live()
    clock.advance(7200)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:  # without it, until it is read again
        clock.advance(5 * _DAY.total_seconds())
        slot = plan.slot_at(clock.utc_now())
        await PassingSlots(plan, journal.ledger, "line1").absent(["m1"], slot)
        (before,) = await journal.ledger.standings("m1", _NOON + every)
        assert (State.EXPIRED, Reason.NOT_RUNNING) == (before.state, before.reason)
        again = _NOON + timedelta(days=5, hours=2)
        (between,) = await journal.ledger.standings("m1", again)
        assert (State.EXPIRED, Reason.NOT_RUNNING) == (between.state, between.reason)
        for lived in (_NOON + _DAY, _NOON + 6 * _DAY, slot - every):
            assert [] == await journal.ledger.standings("m1", lived), "nothing was due then"
        tallies = await journal.ledger.tallies([INSTANT], since=_NOON, until=slot)
        assert 1 + 5 + 8 + 1 >= sum(one.slots for one in tallies)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("old_s", "new_s", "first_min"), [(900, 600, 20), (600, 900, 15), (900, 3600, 60), (3600, 900, 60)]
)
@pytest.mark.parametrize("data_class", [INSTANT, EVENT])
async def test_a_plan_of_the_moment_gets_another_interval_in_an_absence(
    tmp_path: Path, old_s: int, new_s: int, first_min: int, data_class: DataClass
) -> None:
    """The hours of an outage would count nowhere: as if collection had begun with the new interval."""
    old = Plan(name="i", every_s=old_s, items=("voltage.a",), data_class=data_class)
    new = replace(old, every_s=new_s)
    clock = SimClock(_NOON)
    async with _left(tmp_path, clock, old) as journal:
        slot = new.slot_at(clock.utc_now())
        for _ in range(2):  # a start, and one more before the first slot is over
            await PassingSlots(new, journal.ledger, "line1").absent(["m1"], slot)
            tallies = await journal.ledger.tallies([data_class], since=_NOON, until=slot)
            missed = {one.every_s: one.slots for one in tallies if one.reason is Reason.NOT_RUNNING}
            assert {
                new_s: (slot - _NOON - timedelta(minutes=first_min)) // timedelta(seconds=new_s)
            } == missed
        (first,) = await journal.ledger.standings("m1", _NOON + timedelta(minutes=first_min))
        assert Reason.NOT_RUNNING is first.reason


@asynccontextmanager
async def _left(folder: Path, clock: SimClock, *plans: Plan) -> AsyncIterator[Journal]:
    """The journal of one who kept a slot of each plan one after the other, and was away for four hours."""
    async with Journal.open(folder / "j", clock=clock) as journal:
        for plan in plans:
            await PassingSlots(plan, journal.ledger, "line1").kept("m1", plan.slot_at(clock.utc_now()))
            clock.advance(plan.every_s)
        await journal.ledger.live()
    clock.advance(4 * 3600)
    async with Journal.open(folder / "j", clock=clock) as journal:
        yield journal


@pytest.mark.asyncio
async def test_a_plan_of_the_moment_that_comes_beside_another_begins_then(tmp_path: Path) -> None:
    """An outage would be lost twice: by the plan that was there, and by one that came after it."""
    clock = SimClock(_NOON)
    old = Plan(name="i", every_s=900, items=("voltage.a",), beside_s=(600,))
    new = Plan(name="j", every_s=600, items=("current.a",), beside_s=(900,))
    async with _left(tmp_path, clock, old) as journal:
        for plan in (new, old):
            slot = plan.slot_at(clock.utc_now())
            await PassingSlots(plan, journal.ledger, "line1").absent(["m1"], slot)
        tallies = await journal.ledger.tallies([INSTANT], since=_NOON, until=slot)
        assert [900] == [one.every_s for one in tallies if one.reason is Reason.NOT_RUNNING]


@pytest.mark.asyncio
async def test_a_plan_of_the_moment_gets_its_first_interval_back_in_an_absence(tmp_path: Path) -> None:
    """What was read between in the other interval would count once more, and as lost."""
    clock = SimClock(_NOON)
    first = Plan(name="i", every_s=900, items=("voltage.a",))
    between = replace(first, every_s=3600)
    async with _left(tmp_path, clock, first, between) as journal:
        slot = first.slot_at(clock.utc_now())
        await PassingSlots(first, journal.ledger, "line1").absent(["m1"], slot)
        tallies = await journal.ledger.tallies([INSTANT], since=_NOON, until=slot)
        missed = [one.slots for one in tallies if one.reason is Reason.NOT_RUNNING]
        assert [(slot - _NOON - timedelta(hours=1)) // timedelta(minutes=15)] == missed


@pytest.mark.asyncio
async def test_the_slots_in_hand_of_a_daemon_that_died(tmp_path: Path) -> None:
    """What nobody had told of yet would be a hole without a reason."""
    clock = SimClock(_NOON)
    plan = Plan(name="i", every_s=900, items=("voltage.a",))
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await PassingSlots(plan, journal.ledger, "line1").kept("m1", _NOON)
        clock.advance(1000)
        await journal.ledger.live()
    clock.advance(3600)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        slot = plan.slot_at(clock.utc_now())
        await PassingSlots(plan, journal.ledger, "line1").absent(["m1"], slot)
        tallies = await journal.ledger.tallies([INSTANT], since=_NOON, until=slot)
        reasons = {one.reason: one.slots for one in tallies if one.state is State.EXPIRED}
        assert reasons == {Reason.NOT_RUNNING: round((slot - _NOON) / timedelta(seconds=900)) - 1}
