"""What was settled before people told when a meter stood in its place is settled again by what they tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.journal.journal import Journal
from meterlink.journal.ledger import KEPT_DAYS
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, INSTANT, DataClass
from meterlink.model.slot import Departure, Reason, State, Tally
from metersim import SimClock
from tests.support.records import EPOCH

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_CURVE = Series("m1", CURVE, 3600)
_MOMENT = Series("m1", INSTANT, 60)
_EXCHANGED = {"m1": Departure(EPOCH + 4 * _HOUR, is_exchanged=True)}
_TAKEN_OUT = {"m1": Departure(EPOCH + 4 * _HOUR, is_exchanged=False)}


def _hours(count: int) -> list[Planned]:
    at = int(EPOCH.timestamp())
    slots = tuple(Due(at + n * 3600, at + (n + 1) * 3600) for n in range(count))
    return [Planned(meter="m1", data_class=CURVE, every_s=3600, slots=slots)]


async def _states(journal: Journal, count: int) -> list[tuple[State, Reason]]:
    found = []
    for n in range(count):
        [one] = await journal.ledger.standings("m1", EPOCH + n * _HOUR)
        found.append((one.state, one.reason))
    return found


async def _told(journal: Journal, data_class: DataClass, until: datetime) -> dict[tuple[State, Reason], int]:
    tallies: list[Tally] = await journal.ledger.tallies([data_class], since=EPOCH, until=until)
    return {(one.state, one.reason): one.slots for one in tallies}


@pytest.mark.asyncio
async def test_an_exchange_told_late_counts_nothing_behind_it(tmp_path: Path) -> None:
    """What the new meter gave under the old one's id would count as the old one's for days after it went."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + 8 * _HOUR)) as journal:
        ledger = journal.ledger
        await ledger.plan(_hours(8))
        await ledger.kept([_CURVE.key(EPOCH + n * _HOUR) for n in (0, 1, 4, 5)])
        await ledger.refused([_CURVE.key(EPOCH + 6 * _HOUR)], note="no")
        await ledger.expired([_CURVE.key(EPOCH + n * _HOUR) for n in (2, 7)], Reason.GONE)
        await ledger.leave(_EXCHANGED)
        mine = [(State.KEPT, Reason.WAITING)] * 2
        mine += [(State.EXPIRED, Reason.GONE), (State.EXPIRED, Reason.EXCHANGED)]
        others = [(State.WAIVED, Reason.EXCHANGED)] * 2 + [(State.WAIVED, Reason.NOT_IN_SERVICE)] * 2
        assert mine + others == await _states(journal, 8)
        assert 0 == await ledger.leave(_EXCHANGED), "once is enough"


@pytest.mark.asyncio
async def test_who_was_taken_out_keeps_what_was_read(tmp_path: Path) -> None:
    """Nobody else stands there: what was read is its own, though people tell an earlier time."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + 8 * _HOUR)) as journal:
        await journal.ledger.plan(_hours(6))
        await journal.ledger.kept([_CURVE.key(EPOCH + n * _HOUR) for n in range(5)])
        await journal.ledger.leave(_TAKEN_OUT)
        assert [(State.KEPT, Reason.WAITING)] * 5 + [(State.WAIVED, Reason.NOT_IN_SERVICE)] == await _states(
            journal, 6
        )


@pytest.mark.asyncio
@pytest.mark.parametrize("minutes", [-5, 0, 7, 7.5, 30, 59, 60])
async def test_a_stretch_without_the_daemon_is_cut_where_the_meter_left(
    tmp_path: Path, minutes: float
) -> None:
    """Slots of a meter that had gone would count as lost because the daemon did not run."""
    left = EPOCH + timedelta(minutes=minutes)
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + _DAY)) as journal:
        await journal.ledger.missed([(_MOMENT, EPOCH, EPOCH + _HOUR)], Reason.NOT_RUNNING)
        for _ in range(2):
            await journal.ledger.leave({"m1": Departure(left, is_exchanged=True)})
            lost = sum(EPOCH + timedelta(minutes=n) < left for n in range(60))
            told = await _told(journal, INSTANT, EPOCH + _DAY)
            assert lost == told.get((State.EXPIRED, Reason.NOT_RUNNING), 0)
            assert 60 - lost == told.get((State.WAIVED, Reason.NOT_IN_SERVICE), 0)


@pytest.mark.asyncio
async def test_old_days_behind_an_exchange_are_not_counted(tmp_path: Path) -> None:
    """An exchange told after weeks: folded days of the new meter would stay the old one's."""
    clock = SimClock(EPOCH + 8 * _HOUR)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await journal.ledger.plan(_hours(72))
        await journal.ledger.kept([_CURVE.key(EPOCH + n * _HOUR) for n in range(72)])
        now = EPOCH + timedelta(days=KEPT_DAYS + 5)

        def day_starts(at: datetime) -> datetime:
            return EPOCH + (at - EPOCH) // _DAY * _DAY

        assert 72 == await journal.ledger.fold(day_starts, now=now, limit=5)
        clock.advance((now - EPOCH).total_seconds())
        await journal.ledger.leave({"m1": Departure(EPOCH + _DAY, is_exchanged=True)})
        assert {(State.KEPT, Reason.WAITING): 24} == await _told(journal, CURVE, EPOCH + 3 * _DAY)


@pytest.mark.asyncio
async def test_who_comes_back_owes_what_was_due_while_it_stood_there(tmp_path: Path) -> None:
    """What it still holds would never be fetched, and the time out of service would be missing."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + 12 * _HOUR)) as journal:
        ledger = journal.ledger
        await ledger.plan(_hours(10))
        await ledger.kept([_CURVE.key(EPOCH)])
        await ledger.tried([_CURVE.key(EPOCH + 2 * _HOUR)], Reason.SILENT)
        await ledger.expired([_CURVE.key(EPOCH + _HOUR)], Reason.GONE)
        await ledger.leave(_TAKEN_OUT)
        await ledger.plan(_hours(11))
        away = {"m1": [(EPOCH + 4 * _HOUR, EPOCH + 8 * _HOUR), (EPOCH + 10 * _HOUR, EPOCH + 11 * _HOUR)]}
        await ledger.come_back(away)
        expected = [
            (State.KEPT, Reason.WAITING),
            (State.EXPIRED, Reason.GONE),
            (State.DUE, Reason.SILENT),
            (State.DUE, Reason.WAITING),
            *[(State.WAIVED, Reason.NOT_IN_SERVICE)] * 4,
            *[(State.DUE, Reason.WAITING)] * 2,
            (State.WAIVED, Reason.NOT_IN_SERVICE),
        ]
        assert expected == await _states(journal, 11)
        assert 0 == await ledger.come_back(away)


@pytest.mark.asyncio
async def test_an_exchange_that_was_none_gives_its_readings_back(tmp_path: Path) -> None:
    """What was kept of a meter that never went would stay out of the count, or be read again."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + 12 * _HOUR)) as journal:
        await journal.ledger.plan(_hours(8))
        await journal.ledger.kept([_CURVE.key(EPOCH + n * _HOUR) for n in range(8)])
        await journal.ledger.leave(_EXCHANGED)
        await journal.ledger.come_back({"m1": [(EPOCH + 4 * _HOUR, EPOCH + 6 * _HOUR)]})
        kept = (State.KEPT, Reason.WAITING)
        assert [kept] * 4 + [(State.WAIVED, Reason.EXCHANGED)] * 2 + [kept] * 2 == await _states(journal, 8)


@pytest.mark.asyncio
async def test_values_of_the_moment_have_passed(tmp_path: Path) -> None:
    """They would stand as due for good: no meter remembers them."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + _HOUR)) as journal:
        await journal.ledger.expired([_MOMENT.key(EPOCH)], Reason.SILENT)
        assert 0 == await journal.ledger.come_back({"m1": [(EPOCH + 4 * _HOUR, EPOCH + 8 * _HOUR)]})
        assert {(State.EXPIRED, Reason.SILENT): 1} == await _told(journal, INSTANT, EPOCH + _DAY)
