"""When days are sealed: complete ones early, all at their time, and those of an outage late."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from meterlink.billing.days import end_of
from meterlink.billing.schedule import LATE_DAYS, Schedule
from meterlink.billing.verify import verified
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant

_DAY = timedelta(days=1)
_SECOND = FIRST_DAY + _DAY


def _schedule(at: Plant) -> Schedule:
    return Schedule(at.settler(formats=("csv",)), at.clock, zone=CHINA_TIME, seal_at=time(8))


def _sealed(at: Plant) -> list[tuple[date, str, int]]:
    return [(one.day, one.area, one.number) for one in at.settlements().list()]


@pytest.mark.asyncio
async def test_a_complete_area_is_sealed_early_and_the_other_at_its_time(tmp_path: Path) -> None:
    """Billing would wait till eight for what was whole at one; or get at one what is whole at eight."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1, area="east")
        await at.put(2, area="west")
        schedule = _schedule(at)
        at.after(FIRST_DAY, hours=1)
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        await schedule.step()
        assert [(FIRST_DAY, "east", 1)] == _sealed(at)
        at.after(FIRST_DAY, hours=8)
        await schedule.step()
        assert [(FIRST_DAY, "east", 1), (FIRST_DAY, "west", 1)] == _sealed(at)
        await at.keep("m2", FIRST_DAY, {TOTAL: "2.00"})
        at.after(FIRST_DAY, hours=9)
        await schedule.step()
        assert 2 == len(_sealed(at)), "once a day: a supplement an hour would be a folder an hour"
        at.after(_SECOND, hours=8)
        await at.keep("m2", _SECOND, {TOTAL: "3.00"})
        await schedule.step()
        assert (FIRST_DAY, "west", 2) in _sealed(at)
        assert (_SECOND, "east", 1) in _sealed(at)


@pytest.mark.asyncio
async def test_days_of_an_outage_are_sealed_late_and_not_those_before_the_beginning(tmp_path: Path) -> None:
    """Days that nobody sealed would be missing for ever; days before the first meter are no days at all."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1)
        at.after(FIRST_DAY + 3 * _DAY, hours=10)
        await at.keep("m1", FIRST_DAY + 3 * _DAY, {TOTAL: "1.00"})
        await _schedule(at).step()
        assert [(FIRST_DAY + n * _DAY, "", 1) for n in range(4)] == _sealed(at)
        at.after(FIRST_DAY + (LATE_DAYS + 9) * _DAY, hours=10)
        await at.keep("m1", FIRST_DAY + (LATE_DAYS + 9) * _DAY, {TOTAL: "2.00"})
        await _schedule(at).step()
        late = [day for day, _, _ in _sealed(at)[4:]]
        assert [FIRST_DAY + n * _DAY for n in range(10, LATE_DAYS + 10)] == late


@pytest.mark.asyncio
async def test_freezes_of_an_area_that_nobody_stands_in_are_sealed(tmp_path: Path) -> None:
    """A meter's last freeze would be in the journal and in no seal; one of no roster as well."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1, area="east")
        await at.put(2, area="west")
        at.after(FIRST_DAY, hours=1)
        for number in (1, 2, 3):
            await at.keep(f"m{number}", FIRST_DAY, {TOTAL: "1.00"})
        at.after(FIRST_DAY, hours=7)
        await at.put(2, area="west", in_service_until=end_of(FIRST_DAY, CHINA_TIME) - timedelta(hours=1))
        at.after(FIRST_DAY, hours=8)
        await _schedule(at).step()
        found = [
            (one.area, one.manifest.freezes, one.manifest.counts.beside) for one in at.settlements().list()
        ]
        assert [("", 1, 1), ("east", 1, 0), ("west", 1, 1)] == found


@pytest.mark.asyncio
async def test_one_area_that_cannot_be_sealed_holds_up_no_other(tmp_path: Path) -> None:
    """A folder that somebody took away would end all billing."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1, area="east")
        await at.put(2, area="west")
        at.after(FIRST_DAY, hours=9)
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        schedule = _schedule(at)
        await schedule.step()
        east = at.settlements().place(FIRST_DAY, "east")
        (east / "0001").rename(east / "gone")
        at.after(_SECOND, hours=9)
        await at.keep("m1", _SECOND, {TOTAL: "2.00"})
        await schedule.step()
        assert {(_SECOND, "east", 1), (_SECOND, "west", 1)} <= set(_sealed(at))
        (east / "gone").rename(east / "0001")
        await schedule.step()
        assert 4 == len(_sealed(at))


@pytest.mark.asyncio
async def test_a_day_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    """One damaged manifest would end all billing until somebody finds it."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1)
        schedule = _schedule(at)
        for day in (FIRST_DAY, _SECOND):
            at.after(day, hours=9)
            await at.keep("m1", day, {TOTAL: "1.00"})
            await schedule.step()
            (at.settlements().place(FIRST_DAY, "") / "0001" / "manifest.json").write_bytes(b"{}")
        assert at.settlements().of(_SECOND, "")


@pytest.mark.asyncio
async def test_a_clock_that_runs_ahead_seals_no_day_that_no_meter_has(tmp_path: Path) -> None:
    """A week would be sealed as all missing before it began, and the true reasons never be sealed."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1, area="east")
        await at.put(2, area="west")
        schedule = _schedule(at)
        with capture_logs() as logs:
            for days in (0, 7, 7):
                at.after(FIRST_DAY + days * _DAY, hours=9)
                await schedule.step()
        assert [] == _sealed(at)
        waits = [(one["day"], one["newest"]) for one in logs]
        assert [("2026-11-01", None), ("2026-11-08", None)] == waits, "told once a day"
        at.after(FIRST_DAY, hours=9)
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        await schedule.step()
        assert [(FIRST_DAY, "east", 1), (FIRST_DAY, "west", 1)] == _sealed(at)
        at.after(_SECOND, hours=9)
        await schedule.step()
        assert 2 == len(_sealed(at)), "the newest freeze is of the day before"


@pytest.mark.asyncio
async def test_a_meter_whose_clock_is_far_ahead_ends_no_day(tmp_path: Path) -> None:
    """One meter without a battery, of a hundred, would let a clock that runs ahead seal what is to come."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1, 2)
        at.after(FIRST_DAY, hours=9)
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        far = Marks.CLOCK_DEV | Marks.CLOCK_FAR
        await at.keep("m2", FIRST_DAY + 7 * _DAY, {TOTAL: "2.00"}, marks=far)
        at.after(FIRST_DAY + 7 * _DAY, hours=9)
        await _schedule(at).step()
        assert [] == _sealed(at)


@pytest.mark.asyncio
async def test_a_day_that_was_sealed_too_early_is_made_right_by_its_supplements(tmp_path: Path) -> None:
    """The clocks of the gateway and of a meter ran ahead together, and the day would stay as it was then."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - _DAY, hours=1)
        await at.put(1, 2)
        schedule = _schedule(at)
        at.after(_SECOND, hours=9)  # it is the first day still
        await at.keep("m2", _SECOND, {TOTAL: "2.00"})
        await schedule.step()
        assert [(FIRST_DAY, "", 1), (_SECOND, "", 1)] == _sealed(at)
        for day, value in ((FIRST_DAY, "3.00"), (_SECOND, "4.00")):
            at.after(day, hours=9)
            await at.keep("m1", day, {TOTAL: value})
            await at.keep("m2", day, {TOTAL: value}, marks=Marks.CONFLICT)
            await schedule.step()
        assert {FIRST_DAY: 2, _SECOND: 2} == {day: number for day, _, number in _sealed(at)}
        missing = [(one.day, one.manifest.counts.missing) for one in at.settlements().list()]
        assert [(FIRST_DAY, 2), (FIRST_DAY, 0), (_SECOND, 1), (_SECOND, 0)] == missing
        with at.freezes() as freezes:
            kept = freezes.after(0)[0]
        assert len(kept) == sum(one.manifest.freezes for one in at.settlements().list()) == 5
        assert [] == verified(at.settlements().folder, [at.key.public_hex], lambda done, of: None).faults
