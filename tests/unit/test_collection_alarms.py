"""Alarms of collection: each rule of section 4 raises its own, once, and sends nobody for nothing."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from meterlink.alarms.finding import LOOK_BACK, Span
from meterlink.alarms.reading_days import held, nights
from meterlink.alarms.telling import ALARMS_MAX
from meterlink.billing.days import end_of
from meterlink.billing.points import Entry
from meterlink.config.alarms import GAP_DAYS_MAX
from meterlink.model.marks import Marks
from meterlink.model.slot import Reason
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarms, Seen
from tests.support.billing import TOTAL
from tests.support.collection_world import date_of, key_of, told_of, world
from tests.support.rosters import meter

_DEMAND = "forward_active_max_demand"
_TEN_DAYS = 10


@pytest.mark.asyncio
async def test_an_area_with_too_few_freezes_is_told_at_either_time(tmp_path: Path) -> None:
    """FRZ-01: an area of which half is missing would be found when its bills are."""
    async with world(tmp_path, 1, 2, area="A") as at:
        await at.at.put(3, area="B")
        for number in (1, 3):
            await at.keep(number, 2)
        await at.due(2, 2)
        assert [] == told_of(await at.look(3, hours=7.9), "FRZ_LOW"), "before eight"
        assert ["FRZ_LOW:@A:2026-11-02"] == told_of(await at.look(3, hours=8), "FRZ_LOW")
        (low,) = await at.alarms("FRZ_LOW")
        assert ("1/2 (50.00 %)", "98 % 08:00", "A", "FRZ-01") == (
            low.seen.value,
            low.seen.threshold,
            low.seen.area,
            low.seen.origin,
        )
        assert [] == told_of(await at.look(3, hours=23), "FRZ_LOW")
        assert ["FRZ_LOW:@A:2026-11-02"] == told_of(await at.look(4, hours=0.1), "FRZ_LOW")
        at.begin()
        assert [] == told_of(await at.look(4, hours=7), "FRZ_LOW"), "a restart tells nothing twice"
        assert 2 == (await at.alarms("FRZ_LOW"))[0].count


@pytest.mark.asyncio
async def test_a_suspect_freeze_is_not_valid_and_an_undue_one_not_missing(tmp_path: Path) -> None:
    """FRZ-01: doubtful values would count as read, or meters that know no freezes raise an alarm each day."""
    async with world(tmp_path, 1, 2, area="A") as at:
        await at.keep(1, 2)
        assert [] == told_of(await at.look(3), "FRZ_LOW"), "of m2 nothing was due"
        await at.keep(1, 3, marks=Marks.SUDDEN_CHANGE)
        assert ["FRZ_LOW:@A:2026-11-03"] == told_of(await at.look(4), "FRZ_LOW")


@pytest.mark.asyncio
async def test_the_freeze_of_the_reading_day_is_missed_after_a_day(tmp_path: Path) -> None:
    """VEE-01, FRZ-05: a bill would wait for a freeze that nobody misses, and nobody reads by hand."""
    async with world(tmp_path, 1, 2) as at:
        await at.keep(1, 4)
        await at.due(2, 4)
        assert [] == told_of(await at.look(5, hours=23.5), "READ_MISSING")
        assert ["READ_MISSING:m2:2026-11-04"] == told_of(await at.look(6, hours=1), "READ_MISSING")
        (missing,) = await at.alarms("READ_MISSING")
        assert ("due: silent, 1 tries", "reading day 2026-11-05", "VEE-01") == (
            missing.seen.value,
            missing.seen.threshold,
            missing.seen.origin,
        )
        assert [] == told_of(await at.look(7, hours=23), "MANUAL_READ")
        assert [] == await at.work("manual")
        assert ["MANUAL_READ:m2:2026-11-04"] == told_of(await at.look(8, hours=1), "MANUAL_READ")
        (work,) = await at.work("manual")
        assert ("manual_read:MANUAL_READ:m2:2026-11-04", "m2", True) == (work.id, work.meter, work.is_open)
        assert "抄表例日2026-11-05零点冻结缺失已满3天" in work.why
        for hours in (2, 3):
            assert [] == told_of(await at.look(8, hours=hours), "MANUAL_READ"), "once"
        await at.keep(2, 4, late=timedelta(days=4))
        await at.look(9, hours=1)
        (work,) = await at.work("manual")
        assert (False, "close", "the freeze has come / 冻结数据已补齐") == (
            work.is_open,
            work.notes[-1].verb,
            work.notes[-1].text,
        )
        assert 1 == (await at.alarms("MANUAL_READ"))[0].count


@pytest.mark.asyncio
async def test_nobody_reads_by_hand_what_is_there(tmp_path: Path) -> None:
    """VEE-01: people would be sent to meters whose freeze waits for a look, or of which none was due."""
    async with world(tmp_path, 1, 2, 3) as at:
        await at.keep(1, 4, marks=Marks.SUDDEN_CHANGE)
        await at.keep(2, 4, marks=Marks.CLOCK_FAR)
        assert ["READ_MISSING:m2:2026-11-04"] == told_of(await at.look(7), "READ_MISSING"), "it is rejected"


@pytest.mark.asyncio
async def test_a_demand_that_a_bill_needs_is_missed(tmp_path: Path) -> None:
    """SCH-04: a bill with demand pricing would be made without its demand."""
    async with world(tmp_path, 1, 2, 4, 5, residential=False) as at:
        await at.at.put(3, reading_day=5)
        for number in (1, 3):
            times = {f"{_DEMAND}_at": "1", f"{_DEMAND}_at.t1": "1"}
            await at.keep(number, 4, registers={TOTAL: "104", **times})
        await at.keep(2, 4, registers={TOTAL: "104", _DEMAND: "0"})
        await at.keep(4, 4, registers={TOTAL: "104", _DEMAND: "0"}, marks=Marks.CLOCK_FAR)
        await at.keep(5, 4)
        await at.keep_month(5, 4, _DEMAND)
        assert [] == told_of(await at.look(6, hours=1), "DEMAND_MISSING"), "nobody asks for it"
        at.asks_demand = True
        ids = ["DEMAND_MISSING:m1:2026-11-04", "DEMAND_MISSING:m4:2026-11-04"]
        assert ids == told_of(await at.look(6, hours=2), "DEMAND_MISSING")
        assert "SCH-04" == (await at.alarms("DEMAND_MISSING"))[0].seen.origin


@pytest.mark.asyncio
async def test_a_gap_is_told_once_it_was_sought_in_vain(tmp_path: Path) -> None:
    """FRZ-02: a hole between two days would never be anybody's business."""
    async with world(tmp_path, reading_day=28) as at:
        for day in (1, 5, 6, 7):
            await at.keep(1, day)
        for day in (2, 3, 4):
            await at.due(1, day, reason=Reason.GONE)
        assert [] == told_of(await at.look(7), "FRZ_GAP"), "the last of them is two days old"
        assert ["FRZ_GAP:m1:2026-11-02"] == told_of(await at.look(8), "FRZ_GAP")
        (gap,) = await at.alarms("FRZ_GAP")
        assert ("2026-11-02..2026-11-04", "3 d", "FRZ-02") == (
            gap.seen.value,
            gap.seen.threshold,
            gap.seen.origin,
        )
        await at.keep(1, 2, late=timedelta(days=6))
        at.begin()
        assert [] == told_of(await at.look(10), "FRZ_GAP"), "a part of what was told"
        assert 1 == len(await at.alarms("FRZ_GAP"))


@pytest.mark.asyncio
async def test_a_gap_of_a_meter_that_had_many_is_told_once_too(tmp_path: Path) -> None:
    """FRZ-02: of a meter with bad reception each gap would count once more every day, for two months."""
    async with world(tmp_path, reading_day=28) as at:
        for number in range(ALARMS_MAX):
            day = date_of(-3 * number - 200)
            old = Seen(rule="FRZ_GAP", origin="FRZ-02", meter="m1", value=str(Span(day, day)), day=day)
            await Alarms(at.at.journal.acts, at.at.clock, zone=CHINA_TIME).raise_(old)
        for day_number in (1, 3):
            await at.keep(1, day_number)
        await at.due(1, 2)
        assert ["FRZ_GAP:m1:2026-11-02"] == told_of(await at.look(8), "FRZ_GAP")
        assert [] == told_of(await at.look(9), "FRZ_GAP")


@pytest.mark.asyncio
async def test_a_gap_that_is_sought_for_longest_is_told_too(tmp_path: Path) -> None:
    """FRZ-02: whoever gives meters two months would have switched the alarm off without a word."""
    async with world(tmp_path, reading_day=28) as at:
        at.figures = {"gap_days": GAP_DAYS_MAX}
        for day in (1, 3):
            await at.keep(1, day)
        await at.due(1, 2)
        assert [] == told_of(await at.look(2 + GAP_DAYS_MAX), "FRZ_GAP")
        assert ["FRZ_GAP:m1:2026-11-02"] == told_of(await at.look(3 + GAP_DAYS_MAX), "FRZ_GAP")


@pytest.mark.asyncio
async def test_days_on_which_nothing_was_due_are_no_gap(tmp_path: Path) -> None:
    """FRZ-02: a plan of three days a month would raise nine alarms in ten days."""
    async with world(tmp_path, reading_day=28) as at:
        for day in (1, 5):
            await at.keep(1, day)
        assert [] == told_of(await at.look(_TEN_DAYS), "FRZ_GAP")


@pytest.mark.asyncio
async def test_a_silent_meter_is_told_worked_on_and_becomes_a_case(tmp_path: Path) -> None:
    """FRZ-06: a meter that was torn out would be noticed by nobody, or be told each day."""
    async with world(tmp_path, 1, 2, reading_day=28) as at:
        await at.keep(1, 1)
        told = {}
        for day in range(2, 36):
            await at.keep(2, day)
            await at.due(1, day)
            for hours in (3, 4):
                if ids := told_of(await at.look(day + 1, hours=hours), "POINT_SILENT"):
                    told[day] = ids
        assert {day: ["POINT_SILENT:m1:2026-11-02"] for day in (4, 8, 31)} == told
        (alarm,) = await at.alarms("POINT_SILENT")
        assert ("30 d", "2026-11-02 02:00", "FRZ-06") == (
            alarm.seen.threshold,
            alarm.seen.value,
            alarm.seen.origin,
        )
        open_ids = [
            "missing_household:POINT_SILENT:m1:2026-11-02",
            "silent:POINT_SILENT:m1:2026-11-02",
        ]
        assert open_ids == [one.id for one in await at.silences() if one.is_open]
        await at.keep(1, 36)
        await at.look(37, hours=4)
        assert [] == [one.id for one in await at.silences() if one.is_open]
        assert {"the meter answers again / 电能表已恢复通信"} == {
            one.notes[-1].text for one in await at.silences()
        }


@pytest.mark.asyncio
async def test_a_meter_that_refuses_is_not_silent(tmp_path: Path) -> None:
    """FRZ-06: somebody would go to a meter that answers each question, with a no."""
    async with world(tmp_path, 1, 2, 3, reading_day=28) as at:
        await at.due(1, 1)
        for day in range(1, 6):
            await at.due(2, day)
            await at.at.journal.ledger.refused([key_of(2, day)], note="")
        assert ["POINT_SILENT:m1:2026-11-01"] == told_of(await at.look(6), "POINT_SILENT"), "m3 is not asked"


@pytest.mark.asyncio
async def test_a_reading_day_without_the_meter_is_not_missed(tmp_path: Path) -> None:
    """VEE-01: somebody would be sent to read a meter that had left its place before its day came."""
    async with world(tmp_path, 1, 2) as at:
        for number in (1, 2):
            await at.due(number, 4)
        await at.at.put(1, reading_day=5, in_service_until=end_of(date_of(3), CHINA_TIME))
        assert ["READ_MISSING:m2:2026-11-04"] == told_of(await at.look(7), "READ_MISSING")


@pytest.mark.asyncio
async def test_work_at_a_place_without_its_meter_is_closed(tmp_path: Path) -> None:
    """FRZ-06: people would look for a meter that lies in the store."""
    async with world(tmp_path, reading_day=28) as at:
        await at.keep(1, 1)
        await at.due(1, 2)
        await at.look(10)
        assert [True] == [one.is_open for one in await at.work()]
        await at.at.put(1, reading_day=28, in_service_until=at.at.clock.now)
        await at.look(11)
        assert ["the meter has left its place / 电能表已拆除"] == [
            one.notes[-1].text for one in await at.work()
        ]


@pytest.mark.asyncio
async def test_another_reading_day_is_told_with_the_day_on_which_it_holds(tmp_path: Path) -> None:
    """SCH-01: a bill could be put off, or made twice, by one who changes a number in the roster."""
    async with world(tmp_path, 1, 2) as at:
        at.at.after(date_of(9))
        await at.at.put(1, reading_day=20)
        await at.at.put(2, reading_day=5, customer="who else")
        assert ["READ_DAY_CHANGED:m1:2026-11-10"] == told_of(await at.look(11), "READ_DAY_CHANGED")
        (changed,) = await at.alarms("READ_DAY_CHANGED")
        assert ("5 -> 20", "SCH-01") == (changed.seen.value, changed.seen.origin)
        assert changed.seen.threshold.startswith("from 2026-12-06 ")
        at.begin()
        assert [] == told_of(await at.look(12), "READ_DAY_CHANGED")


@pytest.mark.asyncio
async def test_a_reading_day_that_was_changed_long_ago_is_not_told(tmp_path: Path) -> None:
    """SCH-01: the first start of this watch would raise an alarm for each change there ever was."""
    async with world(tmp_path, 1, 2) as at:
        for number, day in ((1, 9), (2, 10)):
            at.at.after(date_of(day))
            await at.at.put(number, reading_day=20)
        at.begin()
        ids = await at.look(10 + LOOK_BACK.days, hours=3)
        assert ["READ_DAY_CHANGED:m2:2026-11-11"] == told_of(ids, "READ_DAY_CHANGED")


@pytest.mark.parametrize(
    ("told", "billed"),
    [
        ((), ("11-05", "12-05", "01-05")),
        (((3, 20),), ("11-05", "11-20", "12-20", "01-20")),
        (((5, 20),), ("11-05", "12-05", "12-20", "01-20")),
        (((10, 3),), ("11-05", "12-05", "01-03")),
        (((10, 20), (12, 7)), ("11-05", "12-05", "12-07", "01-07")),
        (((10, 20), (12, 5)), ("11-05", "12-05", "01-05")),
    ],
)
def test_a_new_reading_day_holds_from_the_next_cycle_on(
    told: tuple[tuple[int, int], ...], billed: tuple[str, ...]
) -> None:
    """SCH-01: a cycle would be left out or billed twice; a day that never came to hold is none."""
    days = [(0, 5), *told]
    entries = [
        Entry(
            seq, end_of(date_of(day - 1), CHINA_TIME) + timedelta(hours=9), meter(1, reading_day=reading_day)
        )
        for seq, (day, reading_day) in enumerate(days, start=1)
    ]
    found = nights(held(entries, CHINA_TIME), date(2026, 11, 1), date(2027, 1, 31))
    assert billed == tuple(f"{night:%m-%d}" for night in found)


@pytest.mark.asyncio
async def test_a_meter_that_was_not_asked_is_not_silent(tmp_path: Path) -> None:
    """FRZ-06: of a plan of three days a month each meter would be silent, and somebody sent to it."""
    async with world(tmp_path, reading_day=28) as at:
        await at.keep(1, 1)
        assert [] == told_of(await at.look(12), "POINT_SILENT")
        await at.due(1, 11)
        assert [] == told_of(await at.look(14), "POINT_SILENT")
        assert ["POINT_SILENT:m1:2026-11-12"] == told_of(await at.look(15), "POINT_SILENT"), (
            "from that day on"
        )
        assert ["3 d"] == [one.seen.threshold for one in await at.alarms("POINT_SILENT")]
