"""What made room before a sink had it is not kept: the ledger says so, and curves are fetched again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.journal.journal import Journal
from meterlink.journal.ledger import KEPT_DAYS
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.journal.series import Series
from meterlink.model.act import Topic
from meterlink.model.data_classes import CURVE, INSTANT
from meterlink.model.reading import Record
from meterlink.model.roster_change import DIGEST, SUBJECT, difference, digest
from meterlink.model.slot import DAY_S, Reason, Standing, State
from metersim import SimClock
from tests.support.acts import act
from tests.support.records import EPOCH, reading, record

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_HOURS = Series("m1", CURVE, 3600)
_MOMENT = Series("m1", INSTANT, 3600)
_FAR = EPOCH + timedelta(days=4000)
_KEPT = (State.KEPT, Reason.WAITING)
_AGAIN = (State.DUE, Reason.NO_ROOM)
_LOST = (State.EXPIRED, Reason.NO_ROOM)
_COUNT = 30


def _slot(n: int) -> datetime:
    return EPOCH + n * _HOUR


def _record(series: Series, n: int, item: str = "forward_active_energy") -> Record:
    return Record(meter="m1", data_class=series.data_class, readings=(reading("m1", item, slot=_slot(n)),))


@asynccontextmanager
async def _kept(folder: Path, series: Series) -> AsyncIterator[Journal]:
    """Thirty hours of a series in a row, which is no newest row's: behind them stands a freeze."""
    clock = SimClock(EPOCH + 2 * _DAY)
    async with Journal.open(folder / "j", clock=clock) as journal:
        if series.data_class == CURVE:
            at = int(EPOCH.timestamp())
            slots = tuple(Due(at + n * 3600, at + (n + 1) * 3600) for n in range(_COUNT))
            planned = Planned(meter="m1", data_class=CURVE, every_s=3600, slots=slots)
            await journal.ledger.plan([planned])
        for n in range(_COUNT):
            await journal.keep(_record(series, n), settles=series.key(_slot(n)))
        await journal.keep(record(1, data_class="daily_freeze"))
        yield journal


async def _shed(journal: Journal) -> int:
    rows = 0
    while (swath := await journal.room.remove_oldest()).rows:
        rows += swath.rows
    return rows


def _day_starts(at: datetime) -> datetime:
    return EPOCH + (at - EPOCH) // _DAY * _DAY


async def _fold(journal: Journal) -> None:
    await journal.ledger.fold(_day_starts, now=EPOCH + (KEPT_DAYS + 5) * _DAY, limit=5)


async def _standings(journal: Journal) -> list[Standing]:
    found = [await journal.ledger.standings("m1", _slot(n)) for n in range(_COUNT)]
    return [one for some in found for one in some]


async def _stand(journal: Journal) -> list[tuple[State, Reason]]:
    return [(one.state, one.reason) for one in await _standings(journal)]


@pytest.mark.asyncio
async def test_curves_that_no_sink_has_are_due_again(tmp_path: Path) -> None:
    """A day of which nothing stands anywhere would be complete, though the meters hold it."""
    async with _kept(tmp_path, _HOURS) as journal:
        await journal.sinks.advance("mqtt", 10)
        assert [_KEPT] * _COUNT == await _stand(journal)
        assert _COUNT == await _shed(journal)
        assert [_KEPT] * 10 + [_AGAIN] * 20 == await _stand(journal)
        found = await journal.ledger.open_slots(
            _HOURS, since=EPOCH, until=_FAR, newest_first=False, limit=100
        )
        assert [_slot(n) for n in range(10, _COUNT)] == found
        await journal.keep(_record(_HOURS, 12), settles=_HOURS.key(_slot(12)))
        assert [_AGAIN, _AGAIN, _KEPT, _AGAIN] == (await _stand(journal))[10:14]


@pytest.mark.asyncio
async def test_without_any_sink_all_that_is_shed_is_due_again(tmp_path: Path) -> None:
    """A gateway whose broker was never there would call complete what nobody ever got."""
    async with _kept(tmp_path, _HOURS) as journal:
        await _shed(journal)
        assert [_AGAIN] * _COUNT == await _stand(journal)


@pytest.mark.asyncio
async def test_values_of_the_moment_that_no_sink_has_are_lost(tmp_path: Path) -> None:
    """No meter remembers them: due again, they would be missing for good and never be said to be lost."""
    async with _kept(tmp_path, _MOMENT) as journal:
        await journal.sinks.advance("mqtt", 10)
        await _shed(journal)
        assert [_KEPT] * 10 + [_LOST] * 20 == await _stand(journal)


@pytest.mark.asyncio
@pytest.mark.parametrize(("hours", "stands"), [(47, _LOST), (48, _LOST), (49, _AGAIN)])
async def test_curves_of_a_meter_that_has_left_are_lost(
    tmp_path: Path, hours: int, stands: tuple[State, Reason]
) -> None:
    """They would be due for good: nobody asks a meter that is gone."""
    async with _kept(tmp_path, _HOURS) as journal:
        before = await journal.roster.kept()
        entry = {"id": "m1", "in_service_until": (EPOCH + hours * _HOUR).isoformat()}
        change = difference("m1", None, entry)
        assert change is not None
        body = {DIGEST: digest([change])}
        revision = replace(act(9), topic=Topic.ROSTER, subject=SUBJECT, step=1, body=body, is_open=False)
        await journal.roster.apply(revision, [change], before)
        await _shed(journal)
        assert [stands] * _COUNT == await _stand(journal)


@pytest.mark.asyncio
async def test_what_every_sink_has_counts_as_kept(tmp_path: Path) -> None:
    """What was delivered would be fetched and delivered a second time."""
    async with _kept(tmp_path, _HOURS) as journal:
        await journal.sinks.advance("mqtt", journal.newest_id)
        await journal.sinks.advance("other", _COUNT)
        await _shed(journal)
        assert [_KEPT] * _COUNT == await _stand(journal)


@pytest.mark.asyncio
async def test_what_one_sink_lacks_is_due_again(tmp_path: Path) -> None:
    """The slower of two sinks would never get it."""
    async with _kept(tmp_path, _HOURS) as journal:
        await journal.sinks.advance("mqtt", journal.newest_id)
        await journal.sinks.advance("other", 29)
        await _shed(journal)
        assert [_KEPT] * 29 + [_AGAIN] == await _stand(journal)


@pytest.mark.asyncio
async def test_what_stands_in_another_row_is_not_lacking(tmp_path: Path) -> None:
    """A slot that was told again would be fetched although its newest row, which holds, is still there."""
    async with _kept(tmp_path, _HOURS) as journal:
        await journal.keep(_record(_HOURS, 0))
        await journal.keep(_record(_MOMENT, 1))
        await journal.keep(_record(_HOURS, 2, item="voltage.a"))
        # The newest row never goes, and those behind the first fifty of one transaction stand as well.
        await journal.keep(_record(_HOURS, 0))
        await journal.room.remove_oldest()
        assert [_KEPT, _AGAIN, _AGAIN] == (await _stand(journal))[:3]


@pytest.mark.asyncio
async def test_days_that_are_counted_only_count_for_less(tmp_path: Path) -> None:
    """The oldest goes first: after weeks without a broker just that is counted by the day."""
    async with _kept(tmp_path, _HOURS) as journal:
        await _fold(journal)
        assert [] == await _standings(journal)
        await journal.sinks.advance("mqtt", 20)
        await _shed(journal)
        assert [_AGAIN] * 10 == await _stand(journal), "and the others have no row"
        tallies = await journal.ledger.tallies([CURVE], since=EPOCH, until=EPOCH + 2 * _DAY)
        assert {State.KEPT: 20, State.DUE: 10} == {one.state: one.slots for one in tallies}
        assert all(one.on_time <= one.slots for one in tallies)


async def _plan_kept_day(journal: Journal, series: Series) -> None:
    """A day of a curve, all of it kept."""
    at, every_s = int(EPOCH.timestamp()), series.every_s
    slots = tuple(Due(at + past, at + past + every_s) for past in range(0, DAY_S, every_s))
    await journal.ledger.plan([Planned(meter="m1", data_class=CURVE, every_s=every_s, slots=slots)])
    await journal.ledger.kept([series.key(EPOCH + timedelta(seconds=one.at - at)) for one in slots])


async def _by_interval(journal: Journal, *, days: int = 1) -> dict[int, dict[State, int]]:
    """By interval of the curve, how many slots stand where."""
    found: dict[int, dict[State, int]] = {}
    for one in await journal.ledger.tallies([CURVE], since=EPOCH, until=EPOCH + days * _DAY):
        found.setdefault(one.every_s, {})[one.state] = one.slots
    return found


@pytest.mark.asyncio
async def test_quarters_that_were_shed_are_no_hours(tmp_path: Path) -> None:
    """A meter whose plan went from hours to quarters would be asked for an hour at a quarter past, for ever.

    And its hours, of which every sink has all, would count for less with each quarter that made room.
    """
    quarters = Series("m1", CURVE, 900)
    minutes = (0, 15, 30, 45, 60, 75)
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + 2 * _DAY)) as journal:
        for series in (_HOURS, quarters):
            await _plan_kept_day(journal, series)
        for past in minutes:
            slot = EPOCH + timedelta(minutes=past)
            readings = (reading("m1", "active_power", slot=slot),)
            await journal.keep(Record(meter="m1", data_class=CURVE, readings=readings))
        await journal.keep(record(1, data_class="daily_freeze"))
        await _fold(journal)
        await journal.sinks.advance("mqtt", 1)
        assert len(minutes) == await _shed(journal)
        assert {
            3600: {State.KEPT: 23, State.DUE: 1},
            900: {State.KEPT: 91, State.DUE: 5},
        } == await _by_interval(journal)
        open_hours = await journal.ledger.open_slots(
            _HOURS, since=EPOCH, until=_FAR, newest_first=False, limit=100
        )
        assert [_slot(1)] == open_hours, "the only one of those quarters that is an hour's"


@pytest.mark.asyncio
async def test_what_no_plan_asked_for_takes_nothing_from_days_before(tmp_path: Path) -> None:
    """A terminal goes on with a curve that was taken out of the plans, and the broker is away.

    When that makes room, a day long past would lose a slot for each, and days that nobody planned be due.
    """
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + 4 * _DAY)) as journal:
        await _plan_kept_day(journal, _HOURS)
        await journal.keep(_record(_HOURS, 23))
        for n in range(25, 72):  # a day may have 25 hours, where clocks are set back in autumn
            await journal.keep(_record(_HOURS, n))
        await journal.keep(record(1, data_class="daily_freeze"))
        await _fold(journal)
        assert 48 == await _shed(journal)
        assert {3600: {State.KEPT: 23, State.DUE: 1}} == await _by_interval(journal, days=4)


@pytest.mark.asyncio
async def test_a_day_has_no_more_to_lose_than_it_has(tmp_path: Path) -> None:
    """A meter that came at noon; a terminal told its morning too: a day would have kept less than nothing."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH + 2 * _DAY)) as journal:
        at = int(EPOCH.timestamp()) + 12 * 3600
        slots = tuple(Due(at + n * 3600, at + (n + 1) * 3600) for n in range(2))
        await journal.ledger.plan([Planned(meter="m1", data_class=CURVE, every_s=3600, slots=slots)])
        await journal.ledger.kept([_HOURS.key(_slot(12 + n)) for n in range(2)])
        for n in (12, 13, 5, 6):
            await journal.keep(_record(_HOURS, n))
        await journal.keep(record(1, data_class="daily_freeze"))
        await _fold(journal)
        assert 4 == await _shed(journal)
        assert {3600: {State.DUE: 2}} == await _by_interval(journal)
