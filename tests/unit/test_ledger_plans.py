"""A plan that is changed, taken out or put back leaves no slot that waits for nobody, and none twice."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.acquisition.passing import PassingSlots
from meterlink.acquisition.planned_days import CURVE_BACK_DAYS
from meterlink.acquisition.planner import Planner
from meterlink.acquisition.plans import Plan, Point, StoredPlan
from meterlink.journal.journal import Journal
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, EVENT
from meterlink.model.slot import Reason, Standing, State
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock

_MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_NOON = _MIDNIGHT + timedelta(hours=12)
_DAY = timedelta(days=1)
_QUARTERS = StoredPlan(name="q", data_class=CURVE, every_s=900, items=("active_power",))
_HOURS = StoredPlan(name="h", data_class=CURVE, every_s=3600, items=("active_power",))
_FREEZE = StoredPlan(name="d", data_class=DAILY_FREEZE, items=("forward_active_energy",))
_POWERS = StoredPlan(name="p", data_class=CURVE, every_s=3600, items=("active_power", "reactive_power"))
_VOLTAGES = StoredPlan(name="v", data_class=CURVE, every_s=3600, items=("voltage.*",))
_VOLTAGE = StoredPlan(name="va", data_class=CURVE, every_s=900, items=("voltage.a",))
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


async def _of_day(journal: Journal, plan: StoredPlan, days: int = 0) -> list[tuple[State, Reason]]:
    """How the slots of a plan stand on one day after the first, in their order."""
    start = _MIDNIGHT + days * _DAY
    slots = [start + timedelta(seconds=past) for past in range(0, 86_400, plan.every_s)]
    return [told for slot in slots if (told := await _told(journal, plan, slot)) is not None]


async def _fold(journal: Journal, clock: SimClock) -> None:
    def day_starts(moment: datetime) -> datetime:
        return moment.astimezone(CHINA_TIME).replace(hour=0, minute=0, second=0, microsecond=0)

    await journal.ledger.fold(day_starts, now=clock.utc_now(), limit=50)


@pytest.mark.asyncio
@pytest.mark.parametrize("plan", [_QUARTERS, _FREEZE])
@pytest.mark.parametrize("days", [2, 3, 45])
async def test_a_plan_is_put_back_after_days(tmp_path: Path, plan: StoredPlan, days: int) -> None:
    """What was open of the day of the removal would never be read, though the meter may still hold it."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, plan)
        await _begin(journal, clock)
        assert State.DUE not in {state for state, _ in await _of_day(journal, plan)}
        clock.advance(days * _DAY.total_seconds())
        await _begin(journal, clock, plan)
        told = await _of_day(journal, plan)
        assert 86_400 // plan.every_s == len(told)
        assert {State.DUE} == {state for state, _ in told}


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [1, 3, 45])
async def test_an_interval_is_changed_and_changed_back(tmp_path: Path, days: int) -> None:
    """What the hours have read would be due once more as quarters, and the rest would never be read."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS)
        await _keep_until(journal, _QUARTERS, 9)
        await _begin(journal, clock, _HOURS)
        clock.advance(11 * 3600)  # 23:00: the hours until 21:00 are over
        await journal.ledger.kept(
            [_HOURS.series("m1").key(_MIDNIGHT + timedelta(hours=h)) for h in range(22)]
        )
        clock.advance(days * _DAY.total_seconds())
        await _fold(journal, clock)
        await _begin(journal, clock, _QUARTERS)
        for quarter in range(36, 96):
            slot = _MIDNIGHT + timedelta(minutes=15 * quarter)
            told = await _told(journal, _QUARTERS, slot)
            is_read = quarter % 4 == 0 and quarter < 88
            assert (State.WAIVED if is_read else State.DUE) == (told and told[0]), slot
        count = await _day(journal)
        assert {State.KEPT: 36 + 13, State.DUE: 60 - 13} == {
            state: slots for state, slots in count.items() if state is not State.WAIVED
        }, "each instant is counted once"


@pytest.mark.asyncio
async def test_a_plan_that_comes_back_takes_what_was_lost_without_it(tmp_path: Path) -> None:
    """The day would lack an hour that is kept: lost by the plan that went, and read by the one that came."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS)
        await _begin(journal, clock, _HOURS)
        await _begin(journal, clock)
        assert (State.EXPIRED, Reason.NOT_PLANNED) == await _told(journal, _HOURS, _MIDNIGHT)
        await _begin(journal, clock, _QUARTERS)
        told = await _told(journal, _QUARTERS, _MIDNIGHT)
        assert told is not None
        assert State.DUE is told[0]
        assert (State.WAIVED, Reason.NOT_PLANNED) == await _told(journal, _HOURS, _MIDNIGHT)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("old", "new", "is_covered"),
    [
        (_HOURS, _QUARTERS, True),
        (_POWERS, _QUARTERS, False),
        (_VOLTAGES, _QUARTERS, False),
        (_VOLTAGES, _VOLTAGE, False),
        (_VOLTAGE, _VOLTAGES, True),
    ],
)
async def test_a_plan_of_other_items_covers_nothing(
    tmp_path: Path, old: StoredPlan, new: StoredPlan, *, is_covered: bool
) -> None:
    """Voltages that were due, and that nobody will read, would be no hole because somebody reads powers."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, old)
        await _begin(journal, clock, new)
        told = await _told(journal, old, _MIDNIGHT)
        assert (State.WAIVED if is_covered else State.EXPIRED, Reason.NOT_PLANNED) == told


@pytest.mark.asyncio
async def test_a_new_plan_of_more_items_has_its_own_slots(tmp_path: Path) -> None:
    """The reactive power of the day would not be read, as another plan has kept the active one."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS)
        await _keep_until(journal, _QUARTERS, 9)
        await _begin(journal, clock, _POWERS)
        told = await _told(journal, _POWERS, _MIDNIGHT)
        assert told is not None
        assert State.DUE is told[0]
        assert (State.EXPIRED, Reason.NOT_PLANNED) == await _told(
            journal, _QUARTERS, _MIDNIGHT + timedelta(hours=9, minutes=15)
        )


@pytest.mark.asyncio
async def test_a_journal_of_an_older_version_knows_no_items(tmp_path: Path) -> None:
    """A plan that was taken out before the update would not come back as it was."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS)
        await _begin(journal, clock)
    db = sqlite3.connect(tmp_path / "j")
    db.execute("DELETE FROM asked")
    db.commit()
    db.close()
    clock.advance(3 * _DAY.total_seconds())
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS)
        assert {State.DUE} == {state for state, _ in await _of_day(journal, _QUARTERS)}


async def _away(folder: Path, clock: SimClock, days: int, before: list[StoredPlan]) -> None:
    """A gateway runs with some plans, and is away for days."""
    async with Journal.open(folder / "j", clock=clock) as journal:
        await _begin(journal, clock, *before)
        await journal.ledger.live()
    clock.advance(days * _DAY.total_seconds())


@pytest.mark.asyncio
@pytest.mark.parametrize(("old", "new"), [(_QUARTERS, _HOURS), (_HOURS, _QUARTERS), (_QUARTERS, _VOLTAGES)])
@pytest.mark.parametrize("others", [[], [_FREEZE]], ids=["alone", "beside-freezes"])
async def test_another_interval_after_an_absence(
    tmp_path: Path, old: StoredPlan, new: StoredPlan, others: list[StoredPlan]
) -> None:
    """Whole days that the meter still holds would not be read, and have no row that says so."""
    clock = SimClock(_NOON)
    await _away(tmp_path, clock, 3, [old, *others])
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, new, *others)
        for day in (1, 2):
            told = await _of_day(journal, new, day)
            assert [(State.DUE, Reason.NOT_RUNNING)] * (86_400 // new.every_s) == told
        today = await _of_day(journal, new, 3)
        assert [(State.DUE, Reason.NOT_RUNNING), (State.DUE, Reason.WAITING)] == [today[0], today[-1]]
        assert 86_400 // new.every_s == len(today)
        assert State.DUE not in {state for state, _ in await _of_day(journal, old)}


@pytest.mark.asyncio
async def test_another_interval_after_an_absence_that_is_too_long(tmp_path: Path) -> None:
    """Of the days that no meter remembers nothing would be counted, though nobody was there for them."""
    clock = SimClock(_NOON)
    await _away(tmp_path, clock, CURVE_BACK_DAYS + 5, [_QUARTERS])
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _HOURS)
        assert [(State.EXPIRED, Reason.NOT_RUNNING)] * 24 == await _of_day(journal, _HOURS, 1)
        assert [(State.DUE, Reason.NOT_RUNNING)] * 24 == await _of_day(journal, _HOURS, 6)


@pytest.mark.asyncio
async def test_a_plan_that_comes_beside_another_begins_then(tmp_path: Path) -> None:
    """Days would be due for which nobody had ever asked: the other plan is there as before."""
    clock = SimClock(_NOON)
    await _away(tmp_path, clock, 3, [_QUARTERS])
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS, _VOLTAGES)
        assert [] == await _of_day(journal, _VOLTAGES, 2)
        assert 24 == len(await _of_day(journal, _VOLTAGES, 3))
        assert 96 == len(await _of_day(journal, _QUARTERS, 2))


@pytest.mark.asyncio
async def test_another_interval_after_a_pause_that_people_wanted(tmp_path: Path) -> None:
    """Days without the plan, in which the gateway ran, would be due once another one comes."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock, _QUARTERS, _FREEZE)
        await _begin(journal, clock, _FREEZE)
        clock.advance(3 * _DAY.total_seconds())
        await _begin(journal, clock, _HOURS, _FREEZE)
        assert [] == await _of_day(journal, _HOURS, 2)
        assert 24 == len(await _of_day(journal, _HOURS, 3))


def _looks(every_s: int) -> Plan:
    return Plan(name="e", every_s=every_s, items=("*",), data_class=EVENT)


async def _begin_looks(journal: Journal, clock: SimClock, *plans: tuple[int, list[str]]) -> None:
    """A line begins with plans of events, each an interval and the kinds that it brings."""
    looked = {Series("m1", EVENT, every_s): kinds for every_s, kinds in plans}
    await Planner("line1", [], journal.ledger, clock, meters=["m1"], looked=looked).apply()


async def _missed_looks(journal: Journal, clock: SimClock) -> list[datetime]:
    """Four slots of a quarter that a silent meter missed."""
    slots = PassingSlots(_looks(900), journal.ledger, "line1")
    missed = []
    for _ in range(4):
        missed.append(clock.utc_now())
        await slots.missed(missed[-1], ["m1"], {"m1": (Reason.SILENT, "")}, {"m1": 2})
        clock.advance(900)
    return missed


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("new", "before", "after"),
    [
        ([(1800, ["a", "b"])], (State.DUE, Reason.SILENT), (State.KEPT, Reason.WAITING)),
        ([(1800, ["a", "b", "c"])], (State.DUE, Reason.SILENT), (State.KEPT, Reason.WAITING)),
        ([(1800, ["a"])], (State.EXPIRED, Reason.NOT_PLANNED), (State.EXPIRED, Reason.NOT_PLANNED)),
        ([(1800, ["a"]), (3600, ["a", "b"])], (State.DUE, Reason.SILENT), (State.DUE, Reason.SILENT)),
        ([(1800, ["c"]), (900, ["a", "b"])], (State.DUE, Reason.SILENT), (State.DUE, Reason.SILENT)),
        ([], (State.EXPIRED, Reason.NOT_PLANNED), None),
    ],
    ids=["the-same", "more", "fewer", "all-by-another", "beside", "none"],
)
async def test_a_look_makes_up_for_those_of_another_interval(
    tmp_path: Path,
    new: list[tuple[int, list[str]]],
    before: tuple[State, Reason],
    after: tuple[State, Reason] | None,
) -> None:
    """Looks that were missed would be missing for ever, or kept by one that has looked for other events."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin_looks(journal, clock, (900, ["a", "b"]))
        missed = await _missed_looks(journal, clock)
        await _begin_looks(journal, clock, *new)
        (standing,) = await journal.ledger.standings("m1", missed[1])
        assert before == (standing.state, standing.reason)
        if after is None:
            await _begin_looks(journal, clock, (900, ["a", "b"]))
            after, new = (State.KEPT, Reason.WAITING), [(900, [])]
        await PassingSlots(_looks(new[0][0]), journal.ledger, "line1").made_up("m1", clock.utc_now())
        (standing,) = await journal.ledger.standings("m1", missed[1])
        assert after == (standing.state, standing.reason)


@pytest.mark.asyncio
async def test_a_look_makes_up_for_an_absence_in_another_interval(tmp_path: Path) -> None:
    """An outage would stay lost, though what happened in it was read, since the plan has another interval."""
    clock = SimClock(_NOON)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin_looks(journal, clock, (900, ["a"]))
        old, new = _looks(900).series("m1"), _looks(1800).series("m1")
        hour = timedelta(hours=1)
        await journal.ledger.missed([(old, _NOON, _NOON + hour)], Reason.NOT_RUNNING)
        await journal.ledger.missed([(old, _NOON + hour, _NOON + 2 * hour)], Reason.NOT_IN_SERVICE)
        await journal.ledger.put_off([old.key(_NOON + 2 * hour)], Reason.SILENT)
        clock.advance(3 * 3600)
        await _begin_looks(journal, clock, (1800, ["a"]))
        await journal.ledger.made_up(new.key(clock.utc_now()))
        tallies = await journal.ledger.tallies([EVENT], since=_NOON, until=_NOON + _DAY)
        found = {(one.every_s, one.state): one.slots for one in tallies}
        assert {(900, State.KEPT): 5, (900, State.WAIVED): 4, (1800, State.KEPT): 1} == found
