"""When it is looked at what was collected, by which figures, and what of it is told at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.alarms import telling, watch
from meterlink.alarms.finding import Span
from meterlink.alarms.silence import REFUSALS_SINCE
from meterlink.alarms.telling import Teller
from meterlink.alarms.watch import BEGIN, BEGIN_BEHIND_OUTAGE, OUTAGE
from meterlink.config.alarms import DAYS_MAX, GAP_DAYS_MAX, SILENT_DAYS_MAX, AlarmSettings
from meterlink.model.act import Act
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.attention.work_kinds import WorkKind
from tests.support.collection_world import DAY, date_of, world

_Waiting = AsyncIterator[tuple[WorkKind, Act, date]]


class _Somebody:
    name, roles = "li", frozenset({"dispatcher"})


@pytest.mark.asyncio
async def test_work_that_was_done_is_not_opened_again(tmp_path: Path) -> None:
    """FRZ-05: whoever has read by hand would be sent again each hour."""
    async with world(tmp_path) as at:
        await at.due(1, 4)
        await at.look(8)
        (work,) = await at.work("manual")
        await WorkItems(at.at.journal.acts, at.at.clock).close(work.id, "read: 104.2", _Somebody())
        at.begin()
        await at.look(9)
        assert [False] == [one.is_open for one in await at.work("manual")]


@pytest.mark.asyncio
@pytest.mark.parametrize(("away", "rest"), [(OUTAGE - DAY / 24, BEGIN), (OUTAGE, BEGIN_BEHIND_OUTAGE)])
async def test_behind_an_outage_the_lines_come_first(
    tmp_path: Path, away: timedelta, rest: timedelta
) -> None:
    """After a week without the gateway each meter would be a silent one, and somebody sent to each."""
    async with world(tmp_path, reading_day=28) as at:
        await at.keep(1, 1)
        await at.due(1, 2)
        at.at.after(date_of(9), hours=0)
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
    async with world(tmp_path, *range(1, 6), reading_day=28) as at:
        for number in range(1, 6):
            await at.due(number, 1)
        at.at.after(date_of(5))
        assert [2, 2, 1, 0] == [await at.watch.step() for _ in range(4)]
        assert 5 == len(await at.alarms("POINT_SILENT"))


@pytest.mark.asyncio
async def test_work_is_closed_however_much_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a line of hundreds that broke down and came back people would be sent to those left over."""
    monkeypatch.setattr(telling, "READ_AT_ONCE", 2)
    async with world(tmp_path, *range(1, 6)) as at:
        for number in range(1, 6):
            await at.due(number, 4)
        await at.look(8)
        assert [True] * 5 == [one.is_open for one in await at.work("manual")]
        for number in range(1, 6):
            await at.keep(number, 4, late=4 * DAY)
        await at.look(9)
        assert [False] * 5 == [one.is_open for one in await at.work("manual")]


@pytest.mark.asyncio
async def test_work_that_somebody_closes_just_now_is_left_to_him(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His words would be written over, or the others' items stay open for another hour."""

    async def waiting(
        teller: Teller, kinds: Collection[WorkKind]
    ) -> AsyncIterator[tuple[WorkKind, Act, date]]:
        found = [one async for one in looks(teller, kinds)]
        items = WorkItems(at.at.journal.acts, at.at.clock)
        await items.close(found[0][1].subject, "read: 104.2", _Somebody())
        for one in found:
            yield one

    async with world(tmp_path, 1, 2) as at:
        for number in (1, 2):
            await at.due(number, 4)
        await at.look(8)
        for number in (1, 2):
            await at.keep(number, 4, late=4 * DAY)
        looks = Teller.waiting
        monkeypatch.setattr(Teller, "waiting", waiting)
        await at.look(9)
        assert ["read: 104.2", "the freeze has come / 冻结数据已补齐"] == [
            one.notes[-1].text for one in await at.work("manual")
        ]


@pytest.mark.asyncio
async def test_a_clock_that_is_set_late_hides_no_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that starts in 1970 behind a week's outage would call every meter silent an hour later."""
    passed = 0.0
    async with world(tmp_path, reading_day=28) as at:
        await at.due(1, 1)
        at.at.after(date_of(1))
        await at.at.journal.ledger.live()
        monkeypatch.setattr(at.at.clock, "monotonic_s", lambda: passed)
        at.at.clock.now = datetime(1970, 1, 20, tzinfo=CHINA_TIME)
        at.begin(boot=at.at.journal.boot + 1)
        passed = 600.0
        assert 0 == await at.watch.step()
        at.at.after(date_of(9))
        passed = 2 * 3_600.0
        assert 0 == await at.watch.step()
        passed = 86_400.0
        assert 1 <= await at.watch.step()


def test_a_span_is_what_it_was_written_as() -> None:
    """A gap would be told anew each day, because nobody knows which one was told."""
    span = Span(date_of(2), date_of(4))
    assert span == Span.of(str(span))
    assert [None, None] == [Span.of("2026-11-02"), Span.of("..")]
    assert [True, True, False, False] == [
        span.covers(Span(date_of(first), date_of(last))) for first, last in ((2, 4), (3, 3), (1, 3), (4, 5))
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
    assert REFUSALS_SINCE == held_by.silent_case_days * DAY, "no silence is longer than what is looked at"


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
