"""Stretches without the daemon that lie ahead of a clock: those of a clock that was ahead, or a true past."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.acquisition.planner import Planner
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.journal.journal import Journal
from meterlink.journal.ledger import KEPT_DAYS
from meterlink.model.data_classes import CURVE
from meterlink.model.slot import Reason, Standing, State
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock

_DAY = timedelta(days=1)
_MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_NOON = _MIDNIGHT + timedelta(hours=12)
_AWAY = 500 * _DAY
_LONG_PAST = _NOON - 200 * _DAY
"""A day that nobody was there for, too far back to be planned one by one."""
_HOURLY = StoredPlan(name="c", data_class=CURVE, every_s=3600, items=("active_power",))


async def _begin(journal: Journal, clock: SimClock) -> None:
    """A line begins, as at a start."""
    point = Point(meter="m1", address="000000000001")
    await Planner("line1", [(point, _HOURLY)], journal.ledger, clock).apply()


async def _come_back(folder: Path) -> tuple[SimClock, list[Standing]]:
    """A gateway comes back after five hundred days, and reads an hour of today. What is said of its absence.

    No start has believed that time for a day yet, or said so: older versions did not.
    """
    clock = SimClock(_NOON - _AWAY)
    async with Journal.open(folder / "j", clock=clock) as journal:
        await _begin(journal, clock)
    clock.advance(_AWAY.total_seconds())
    async with Journal.open(folder / "j", clock=clock) as journal:
        await _begin(journal, clock)
        await journal.ledger.kept([_HOURLY.series("m1").key(_MIDNIGHT + timedelta(hours=2))])
        lost = await journal.ledger.standings("m1", _LONG_PAST)
    assert [(State.EXPIRED, Reason.NOT_RUNNING)] == [(one.state, one.reason) for one in lost]
    return clock, lost


async def _start_behind(folder: Path, clock: SimClock) -> list[Standing]:
    """A start whose clock shows when the gateway went off, and is put right. What is said of the absence."""
    behind = clock.utc_now() - (_NOON - _AWAY) - _DAY
    clock.step_wall(-behind)
    async with Journal.open(folder / "j", clock=clock) as journal:
        point = Point(meter="m1", address="000000000001")
        planner = Planner("line1", [(point, _HOURLY)], journal.ledger, clock)
        await planner.apply()
        clock.step_wall(behind)
        await planner.apply()
        return await journal.ledger.standings("m1", _LONG_PAST)


@pytest.mark.asyncio
async def test_a_start_whose_clock_stopped_forgets_no_absence(tmp_path: Path) -> None:
    """A year without the gateway would not count, and `why` say that no plan had asked for it.

    Without a battery, the clock shows again when the gateway went off. But a meter was read since, so the
    absence is past.
    """
    clock, lost = await _come_back(tmp_path)
    assert lost == await _start_behind(tmp_path, clock)


@pytest.mark.asyncio
async def test_a_meter_that_is_silent_since_long_does_not_forget_it_either(tmp_path: Path) -> None:
    """All that was read of it is counted by the day: its absence would be forgotten, and others' not."""
    clock, lost = await _come_back(tmp_path)
    clock.advance((KEPT_DAYS + 5) * _DAY.total_seconds())
    async with Journal.open(tmp_path / "j", clock=clock) as journal:

        def day_starts(at: datetime) -> datetime:
            return at.astimezone(CHINA_TIME).replace(hour=0, minute=0, second=0, microsecond=0)

        assert 1 == await journal.ledger.fold(day_starts, now=clock.utc_now(), limit=5)
    assert lost == await _start_behind(tmp_path, clock)


@pytest.mark.asyncio
async def test_a_stretch_that_nothing_was_kept_behind_was_of_a_clock_ahead(tmp_path: Path) -> None:
    """A gateway whose clock was ahead for minutes would never plan the days that it called lost."""
    clock = SimClock(_NOON - _AWAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock)
    clock.step_wall(_AWAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock)
        lost = await journal.ledger.standings("m1", _LONG_PAST)
        assert [(State.EXPIRED, Reason.NOT_RUNNING)] == [(one.state, one.reason) for one in lost]
    clock.step_wall(-_AWAY)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await _begin(journal, clock)
        assert [] == await journal.ledger.standings("m1", _LONG_PAST)
