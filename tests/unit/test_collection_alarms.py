"""Alarms of collection: each rule of section 4 raises its own, once, and sends nobody for nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.alarms import watch
from meterlink.alarms.finding import Span
from meterlink.alarms.reading_days import held, nights
from meterlink.alarms.silence import REFUSALS_SINCE
from meterlink.alarms.telling import ALARMS_MAX
from meterlink.alarms.watch import BEGIN, BEGIN_BEHIND_OUTAGE, OUTAGE, CollectionWatch, Wanted
from meterlink.billing.days import end_of
from meterlink.billing.points import Entry
from meterlink.config.alarms import DAYS_MAX, GAP_DAYS_MAX, SILENT_DAYS_MAX, AlarmSettings
from meterlink.journal.ledger import Due, Planned
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import Marks
from meterlink.model.slot import DAY_S, Reason, SlotKey
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarm, Alarms, Seen
from meterlink.orders.attention.work import WorkItem, WorkItems
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant
from tests.support.rosters import meter

_DAY = timedelta(days=1)
_DEMAND = "forward_active_max_demand"
_TEN_DAYS = 10


class _World:
    """A plant whose days go by, and the watch over it."""

    def __init__(self, at: Plant) -> None:
        self.at = at
        self.figures: dict[str, Any] = {}
        self.asks_demand = False
        self.begin()

    def begin(self, boot: int | None = None) -> None:
        """A start of the daemon, an hour ago and more when the next day comes."""
        self.watch = CollectionWatch(
            self.at.freezes,
            self.at.journal.acts,
            self.at.clock,
            CHINA_TIME,
            wanted=lambda: Wanted(AlarmSettings.model_validate(self.figures), self.asks_demand),
            boot=self.at.journal.boot if boot is None else boot,
        )

    async def due(self, number: int, day: int, *, reason: Reason = Reason.SILENT) -> None:
        """A freeze that was due, and that nobody could read."""
        key = _key(number, day)
        self.at.after(_day(day))
        await self._plan(key)
        await self.at.journal.ledger.tried([key], reason)

    async def keep(self, number: int, day: int, **keys: Any) -> None:
        self.at.after(_day(day))
        await self._plan(_key(number, day))
        await self.at.keep(f"m{number}", _day(day), keys.pop("registers", {TOTAL: 100 + day}), **keys)

    async def _plan(self, key: SlotKey) -> None:
        due = Due(int(key.slot.timestamp()), int(key.slot.timestamp()))
        planned = Planned(meter=key.meter, data_class=DAILY_FREEZE, every_s=DAY_S, slots=(due,))
        await self.at.journal.ledger.plan([planned])

    async def look(self, day: int, *, hours: float = 9) -> list[str]:
        """What a look at a day brings anew, by id; it is looked at this long after the day before's end."""
        before = {one.id: one.count for one in await self.alarms()}
        self.at.after(_day(day - 1), hours=hours)
        await self.watch.step()
        return [one.id for one in await self.alarms() if before.get(one.id) != one.count]

    async def alarms(self, rule: str = "") -> list[Alarm]:
        found = await Alarms(self.at.journal.acts, self.at.clock, zone=CHINA_TIME).list(only_open=False)
        return [one for one in found if one.seen.rule.startswith(rule)]

    async def work(self, kind: str = "") -> list[WorkItem]:
        found = await WorkItems(self.at.journal.acts, self.at.clock).list(only_open=False)
        return [one for one in found if one.kind.value.startswith(kind)]

    async def silences(self) -> list[WorkItem]:
        return [one for one in await self.work() if "POINT_SILENT" in one.id]


@asynccontextmanager
async def _world(path: Path, *numbers: int, **keys: Any) -> AsyncIterator[_World]:
    async with plant(path) as at:
        at.after(FIRST_DAY - _DAY, hours=0)
        await at.put(*(numbers or (1,)), **{"reading_day": 5, **keys})
        yield _World(at)


def _day(number: int) -> date:
    """Day 1 is the first of November, a Sunday."""
    return FIRST_DAY + (number - 1) * _DAY


def _key(number: int, day: int) -> SlotKey:
    return SlotKey(f"m{number}", DAILY_FREEZE, DAY_S, end_of(_day(day), CHINA_TIME))


def _of(ids: list[str], rule: str) -> list[str]:
    return [one for one in ids if one.startswith(f"{rule}:")]


@pytest.mark.asyncio
async def test_an_area_with_too_few_freezes_is_told_at_either_time(tmp_path: Path) -> None:
    """FRZ-01: an area of which half is missing would be found when its bills are."""
    async with _world(tmp_path, 1, 2, area="A") as at:
        await at.at.put(3, area="B")
        for number in (1, 3):
            await at.keep(number, 2)
        await at.due(2, 2)
        assert [] == _of(await at.look(3, hours=7.9), "FRZ_LOW"), "before eight"
        assert ["FRZ_LOW:@A:2026-11-02"] == _of(await at.look(3, hours=8), "FRZ_LOW")
        (low,) = await at.alarms("FRZ_LOW")
        assert ("1/2 (50.00 %)", "98 % 08:00", "A", "FRZ-01") == (
            low.seen.value,
            low.seen.threshold,
            low.seen.area,
            low.seen.origin,
        )
        assert [] == _of(await at.look(3, hours=23), "FRZ_LOW")
        assert ["FRZ_LOW:@A:2026-11-02"] == _of(await at.look(4, hours=0.1), "FRZ_LOW")
        at.begin()
        assert [] == _of(await at.look(4, hours=7), "FRZ_LOW"), "a restart tells nothing twice"
        assert 2 == (await at.alarms("FRZ_LOW"))[0].count


@pytest.mark.asyncio
async def test_a_suspect_freeze_is_not_valid_and_an_undue_one_not_missing(tmp_path: Path) -> None:
    """FRZ-01: doubtful values would count as read, or meters that know no freezes raise an alarm each day."""
    async with _world(tmp_path, 1, 2, area="A") as at:
        await at.keep(1, 2)
        assert [] == _of(await at.look(3), "FRZ_LOW"), "of m2 nothing was due"
        await at.keep(1, 3, marks=Marks.SUDDEN_CHANGE)
        assert ["FRZ_LOW:@A:2026-11-03"] == _of(await at.look(4), "FRZ_LOW")


@pytest.mark.asyncio
async def test_the_freeze_of_the_reading_day_is_missed_after_a_day(tmp_path: Path) -> None:
    """VEE-01, FRZ-05: a bill would wait for a freeze that nobody misses, and nobody reads by hand."""
    async with _world(tmp_path, 1, 2) as at:
        await at.keep(1, 4)
        await at.due(2, 4)
        assert [] == _of(await at.look(5, hours=23.5), "READ_MISSING")
        assert ["READ_MISSING:m2:2026-11-04"] == _of(await at.look(6, hours=1), "READ_MISSING")
        (missing,) = await at.alarms("READ_MISSING")
        assert ("due: silent, 1 tries", "reading day 2026-11-05", "VEE-01") == (
            missing.seen.value,
            missing.seen.threshold,
            missing.seen.origin,
        )
        assert [] == _of(await at.look(7, hours=23), "MANUAL_READ")
        assert [] == await at.work("manual")
        assert ["MANUAL_READ:m2:2026-11-04"] == _of(await at.look(8, hours=1), "MANUAL_READ")
        (work,) = await at.work("manual")
        assert ("manual_read:MANUAL_READ:m2:2026-11-04", "m2", True) == (work.id, work.meter, work.is_open)
        assert "抄表例日2026-11-05零点冻结缺失已满3天" in work.why
        for hours in (2, 3):
            assert [] == _of(await at.look(8, hours=hours), "MANUAL_READ"), "once"
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
    async with _world(tmp_path, 1, 2, 3) as at:
        await at.keep(1, 4, marks=Marks.SUDDEN_CHANGE)
        await at.keep(2, 4, marks=Marks.CLOCK_FAR)
        assert ["READ_MISSING:m2:2026-11-04"] == _of(await at.look(7), "READ_MISSING"), "rejected is missing"


@pytest.mark.asyncio
async def test_work_that_was_done_is_not_opened_again(tmp_path: Path) -> None:
    """FRZ-05: whoever has read by hand would be sent again each hour."""

    class _Somebody:
        name, roles = "li", frozenset({"dispatcher"})

    async with _world(tmp_path) as at:
        await at.due(1, 4)
        await at.look(8)
        (work,) = await at.work("manual")
        await WorkItems(at.at.journal.acts, at.at.clock).close(work.id, "read: 104.2", _Somebody())
        at.begin()
        await at.look(9)
        assert [False] == [one.is_open for one in await at.work("manual")]


@pytest.mark.asyncio
async def test_a_demand_that_a_bill_needs_is_missed(tmp_path: Path) -> None:
    """SCH-04: a bill with demand pricing would be made without its demand."""
    async with _world(tmp_path, 1, 2, residential=False) as at:
        await at.at.put(3, reading_day=5)
        for number in (1, 3):
            await at.keep(number, 4, registers={TOTAL: "104", f"{_DEMAND}_at": "1"})
        await at.keep(2, 4, registers={TOTAL: "104", _DEMAND: "0"})
        assert [] == _of(await at.look(6, hours=1), "DEMAND_MISSING"), "nobody asks for it"
        at.asks_demand = True
        assert ["DEMAND_MISSING:m1:2026-11-04"] == _of(await at.look(6, hours=2), "DEMAND_MISSING")
        assert "SCH-04" == (await at.alarms("DEMAND_MISSING"))[0].seen.origin


@pytest.mark.asyncio
async def test_a_gap_is_told_once_it_was_sought_in_vain(tmp_path: Path) -> None:
    """FRZ-02: a hole between two days would never be anybody's business."""
    async with _world(tmp_path, reading_day=28) as at:
        for day in (1, 5, 6, 7):
            await at.keep(1, day)
        for day in (2, 3, 4):
            await at.due(1, day, reason=Reason.GONE)
        assert [] == _of(await at.look(7), "FRZ_GAP"), "the last of them is two days old"
        assert ["FRZ_GAP:m1:2026-11-02"] == _of(await at.look(8), "FRZ_GAP")
        (gap,) = await at.alarms("FRZ_GAP")
        assert ("2026-11-02..2026-11-04", "3 d", "FRZ-02") == (
            gap.seen.value,
            gap.seen.threshold,
            gap.seen.origin,
        )
        await at.keep(1, 2, late=timedelta(days=6))
        at.begin()
        assert [] == _of(await at.look(10), "FRZ_GAP"), "a part of what was told"
        assert 1 == len(await at.alarms("FRZ_GAP"))


@pytest.mark.asyncio
async def test_a_gap_of_a_meter_that_had_many_is_told_once_too(tmp_path: Path) -> None:
    """FRZ-02: of a meter with bad reception each gap would count once more every day, for two months."""
    async with _world(tmp_path, reading_day=28) as at:
        for number in range(ALARMS_MAX):
            day = _day(-3 * number - 200)
            old = Seen(rule="FRZ_GAP", origin="FRZ-02", meter="m1", value=str(Span(day, day)), day=day)
            await Alarms(at.at.journal.acts, at.at.clock, zone=CHINA_TIME).raise_(old)
        for day_number in (1, 3):
            await at.keep(1, day_number)
        await at.due(1, 2)
        assert ["FRZ_GAP:m1:2026-11-02"] == _of(await at.look(8), "FRZ_GAP")
        assert [] == _of(await at.look(9), "FRZ_GAP")


@pytest.mark.asyncio
async def test_a_gap_that_is_sought_for_longest_is_told_too(tmp_path: Path) -> None:
    """FRZ-02: whoever gives meters two months would have switched the alarm off without a word."""
    async with _world(tmp_path, reading_day=28) as at:
        at.figures = {"gap_days": GAP_DAYS_MAX}
        for day in (1, 3):
            await at.keep(1, day)
        await at.due(1, 2)
        assert [] == _of(await at.look(2 + GAP_DAYS_MAX), "FRZ_GAP")
        assert ["FRZ_GAP:m1:2026-11-02"] == _of(await at.look(3 + GAP_DAYS_MAX), "FRZ_GAP")


@pytest.mark.asyncio
async def test_days_on_which_nothing_was_due_are_no_gap(tmp_path: Path) -> None:
    """FRZ-02: a plan of three days a month would raise nine alarms in ten days."""
    async with _world(tmp_path, reading_day=28) as at:
        for day in (1, 5):
            await at.keep(1, day)
        assert [] == _of(await at.look(_TEN_DAYS), "FRZ_GAP")


@pytest.mark.asyncio
async def test_a_silent_meter_is_told_worked_on_and_becomes_a_case(tmp_path: Path) -> None:
    """FRZ-06: a meter that was torn out would be noticed by nobody, or be told each day."""
    async with _world(tmp_path, 1, 2, reading_day=28) as at:
        await at.keep(1, 1)
        told = {}
        for day in range(2, 36):
            await at.keep(2, day)
            await at.due(1, day)
            for hours in (3, 4):
                if ids := _of(await at.look(day + 1, hours=hours), "POINT_SILENT"):
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
    async with _world(tmp_path, 1, 2, 3, reading_day=28) as at:
        await at.due(1, 1)
        for day in range(1, 6):
            await at.due(2, day)
            await at.at.journal.ledger.refused([_key(2, day)], note="")
        assert ["POINT_SILENT:m1:2026-11-01"] == _of(await at.look(6), "POINT_SILENT"), "m3 is asked nothing"


@pytest.mark.asyncio
async def test_work_at_a_place_without_its_meter_is_closed(tmp_path: Path) -> None:
    """FRZ-06: people would look for a meter that lies in the store."""
    async with _world(tmp_path, reading_day=28) as at:
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
    async with _world(tmp_path, 1, 2) as at:
        at.at.after(_day(9))
        await at.at.put(1, reading_day=20)
        await at.at.put(2, reading_day=5, customer="who else")
        assert ["READ_DAY_CHANGED:m1:2026-11-10"] == _of(await at.look(11), "READ_DAY_CHANGED")
        (changed,) = await at.alarms("READ_DAY_CHANGED")
        assert ("5 -> 20", "SCH-01") == (changed.seen.value, changed.seen.origin)
        assert changed.seen.threshold.startswith("from 2026-12-06 ")
        at.begin()
        assert [] == _of(await at.look(12), "READ_DAY_CHANGED")


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
        Entry(seq, end_of(_day(day - 1), CHINA_TIME) + timedelta(hours=9), meter(1, reading_day=reading_day))
        for seq, (day, reading_day) in enumerate(days, start=1)
    ]
    found = nights(held(entries, CHINA_TIME), date(2026, 11, 1), date(2027, 1, 31))
    assert billed == tuple(f"{night:%m-%d}" for night in found)


@pytest.mark.asyncio
@pytest.mark.parametrize(("away", "rest"), [(OUTAGE - _DAY / 24, BEGIN), (OUTAGE, BEGIN_BEHIND_OUTAGE)])
async def test_behind_an_outage_the_lines_come_first(
    tmp_path: Path, away: timedelta, rest: timedelta
) -> None:
    """After a week without the gateway each meter would be a silent one, and somebody sent to each."""
    async with _world(tmp_path, reading_day=28) as at:
        await at.keep(1, 1)
        await at.due(1, 2)
        at.at.after(_day(9), hours=0)
        await at.at.journal.ledger.live()
        at.at.clock.now += away
        at.begin(boot=at.at.journal.boot + 1)
        at.at.clock.now += rest - timedelta(seconds=1)
        assert 0 == await at.watch.step()
        at.at.clock.now += timedelta(seconds=1)
        assert 1 <= await at.watch.step()
        assert [1] == [one.count for one in await at.alarms("POINT_SILENT")]


@pytest.mark.asyncio
async def test_a_broken_line_is_told_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a line of thousands the log would get all alarms at once, and nothing else meanwhile."""
    monkeypatch.setattr(watch, "TELLS_AT_ONCE", 2)
    async with _world(tmp_path, *range(1, 6), reading_day=28) as at:
        for number in range(1, 6):
            await at.due(number, 1)
        at.at.after(_day(5))
        assert [2, 2, 1, 0] == [await at.watch.step() for _ in range(4)]
        assert 5 == len(await at.alarms("POINT_SILENT"))


@pytest.mark.asyncio
async def test_a_clock_that_is_set_late_hides_no_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that starts in 1970 behind a week's outage would call every meter silent an hour later."""
    passed = 0.0
    async with _world(tmp_path, reading_day=28) as at:
        await at.due(1, 1)
        at.at.after(_day(1))
        await at.at.journal.ledger.live()
        monkeypatch.setattr(at.at.clock, "monotonic_s", lambda: passed)
        at.at.clock.now = datetime(1970, 1, 20, tzinfo=CHINA_TIME)
        at.begin(boot=at.at.journal.boot + 1)
        passed = 600.0
        assert 0 == await at.watch.step()
        at.at.after(_day(9))
        passed = 2 * 3_600.0
        assert 0 == await at.watch.step()
        passed = 86_400.0
        assert 1 <= await at.watch.step()


@pytest.mark.asyncio
async def test_a_meter_that_was_not_asked_is_not_silent(tmp_path: Path) -> None:
    """FRZ-06: of a plan of three days a month each meter would be silent, and somebody sent to it."""
    async with _world(tmp_path, reading_day=28) as at:
        await at.keep(1, 1)
        assert [] == _of(await at.look(12), "POINT_SILENT")
        await at.due(1, 11)
        assert [] == _of(await at.look(14), "POINT_SILENT")
        assert ["POINT_SILENT:m1:2026-11-12"] == _of(await at.look(15), "POINT_SILENT"), "since it was asked"
        assert ["3 d"] == [one.seen.threshold for one in await at.alarms("POINT_SILENT")]


def test_a_span_is_what_it_was_written_as() -> None:
    """A gap would be told anew each day, because nobody knows which one was told."""
    span = Span(_day(2), _day(4))
    assert span == Span.of(str(span))
    assert [None, None] == [Span.of("2026-11-02"), Span.of("..")]
    assert [True, True, False, False] == [
        span.covers(Span(_day(first), _day(last))) for first, last in ((2, 4), (3, 3), (1, 3), (4, 5))
    ]


@pytest.mark.parametrize(
    "figures",
    [
        {"silent_days": 8},
        {"silent_work_days": 31},
        {"freezes_by": "8:00"},
        {"freezes_percent": 101},
        {"gap_days": GAP_DAYS_MAX + 1},
        {"manual_read_days": DAYS_MAX + 1},
        {"silent_case_days": SILENT_DAYS_MAX + 1},
    ],
)
def test_figures_without_sense_are_refused(figures: dict[str, Any]) -> None:
    """A case of a missing household would be opened before anybody was told of the silence, or never."""
    with pytest.raises(ValueError):
        AlarmSettings.model_validate(figures)


def test_the_longest_waits_are_taken() -> None:
    """A figure at its limit would be refused by a limit that says that it may be."""
    held_by = AlarmSettings.model_validate(
        {"gap_days": GAP_DAYS_MAX, "manual_read_days": DAYS_MAX, "silent_case_days": SILENT_DAYS_MAX}
    )
    assert REFUSALS_SINCE == held_by.silent_case_days * _DAY, "no silence is longer than what is looked at"


def test_the_figures_are_those_of_the_rules() -> None:
    """Section 4 would hold otherwise than it is written, unless somebody configures it."""
    held_by = AlarmSettings.model_validate({})
    assert (Decimal(98), Decimal("99.5"), "08:00") == (
        held_by.freezes_percent,
        held_by.freezes_late_percent,
        held_by.freezes_by,
    )
    assert (3, 3, 3, 7, 30) == (
        held_by.gap_days,
        held_by.manual_read_days,
        held_by.silent_days,
        held_by.silent_work_days,
        held_by.silent_case_days,
    )
