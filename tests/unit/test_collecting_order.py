"""What a collector does first, and how much of a line backfill may take."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from meterlink.acquisition.agenda import Agenda
from meterlink.acquisition.allowance import SHARE, STARVED_S, Allowance
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.planner import BlameLedger
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.acquisition.ranking import Ranking
from meterlink.acquisition.streams import BACKFILL_POINTS, FRESH, NOT_TAKEN, Meter, Stream
from meterlink.acquisition.troubles import Troubles
from meterlink.acquisition.turns import OVERWRITTEN_MAX
from meterlink.bus.airtime import BUCKET_S, WINDOW_S, Airtime
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Depth, MemoryReader
from meterlink.errors import LineLost
from meterlink.journal.journal import Journal
from meterlink.journal.ledger_looks import Front
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from meterlink.model.slot import DAY_S, MONTH_S
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.stream import ByteStream
from tests.support.billing import ToldClock

_NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
_AT = int(_NOW.timestamp())
_DAY, _QUARTER = timedelta(days=1), timedelta(minutes=15)
_EVERY_S: Mapping[str, int] = {DAILY_FREEZE: DAY_S, MONTHLY_FREEZE: MONTH_S, CURVE: 900}


class _Memory:
    """Says how deep it is."""

    stored: Mapping[str, Depth] = {
        DAILY_FREEZE: Depth(records=62, every_s=DAY_S),
        MONTHLY_FREEZE: Depth(records=12, every_s=0),
        CURVE: Depth(records=2_976, every_s=900),
    }


def _stream(
    name: str,
    data_class: DataClass = CURVE,
    *,
    current_s: int | None = None,
    behind: tuple[timedelta, timedelta] | None = None,
) -> Stream:
    """A stream whose current work waits for so long, and whose backfill is as old as newest and oldest."""
    plan = StoredPlan(name="p", data_class=data_class, every_s=_EVERY_S[data_class], items=("a",))
    stream = Stream(Meter(Point(meter=name, address="1")), plan, cast("MemoryReader", _Memory()))
    newest, oldest = behind or (None, None)
    stream.front = Front(
        current=None if current_s is None else _AT - current_s,
        coming=None,
        newest=None if newest is None else _AT - int(newest.total_seconds()),
        oldest=None if oldest is None else _AT - int(oldest.total_seconds()),
    )
    stream.is_stale = False
    if behind and data_class != CURVE:
        stream.behind = tuple(_NOW - age for age in behind)
    return stream


def _order(streams: list[Stream], monotonic_s: float = 10_000.0) -> tuple[list[str], list[str]]:
    """Names of current work and of backfill, the most urgent first."""
    ranking = Ranking(streams)
    ranking.renew(_NOW, monotonic_s)
    return _taken(ranking, is_current=True), _taken(ranking, is_current=False)


def _taken(ranking: Ranking, *, is_current: bool) -> list[str]:
    """Names of all that a ranking gives."""
    names = []
    while (stream := ranking.take(is_current=is_current)) is not None:
        names.append(stream.meter.point.meter)
    return names


def test_billing_goes_first_unless_a_curve_has_waited_longer() -> None:
    """Bills would wait for curves, or curves for ever (decision 19)."""
    streams = [
        _stream("curve", current_s=50),
        _stream("freeze", DAILY_FREEZE, current_s=10),
        _stream("old curve", current_s=200),
        _stream("nothing"),
    ]
    assert (["old curve", "freeze", "curve"], []) == _order(streams)


def test_who_was_silent_comes_behind_the_others() -> None:
    """A dead meter would be asked again before its neighbours were asked once."""
    streams = [_stream("silent", current_s=900), _stream("fresh", current_s=5)]
    streams[0].meter.rest_until = 10_003.0
    assert ["fresh"] == _order(streams)[0]
    assert ["fresh", "silent"] == _order(streams, 10_003.0)[0]


@pytest.mark.parametrize("is_current", [True, False])
def test_behind_a_silence_another_stream_shows_whether_the_meter_is_there(is_current: bool) -> None:
    """A meter that says nothing of one thing would be asked for it again, and all of it be put aside."""
    current_s, behind = (5, None) if is_current else (None, (_DAY, _DAY))
    streams = [_stream(name, current_s=current_s, behind=behind) for name in "abc"]
    silent, other, _ = streams
    other.meter = silent.meter
    silent.turn, silent.silent_since[is_current] = 7, 9_990.0
    first = Ranking(streams)
    first.renew(_NOW, 10_000.0)
    assert first.take(is_current=is_current) is other
    other.turn = 8
    assert ["a", "a", "c"] == sorted(_order(streams)[0 if is_current else 1])
    other.turn, other.silent_since[is_current] = 6, 9_000.0
    assert ["a", "a", "c"] == sorted(_order(streams)[0 if is_current else 1]), "that one was silent too"
    other.silent_since[is_current], other.meter.is_busy = math.inf, True
    assert ["c"] == _order(streams)[0 if is_current else 1]


def test_nobody_is_asked_twice_at_once_or_while_he_rests() -> None:
    """Two questions to one meter would be answered by one answer."""
    busy, resting, behind = (_stream(name, current_s=5, behind=(_DAY, _DAY)) for name in "abc")
    busy.meter.is_busy = True
    resting.rests[True] = 10_001.0
    behind.rests[False] = 10_001.0
    assert (["c"], ["b"]) == _order([busy, resting, behind])


def test_who_comes_back_from_a_turn_stands_where_it_belongs_once() -> None:
    """A meter would be asked for what it has just given, or wait until all are ranked anew."""
    streams = [_stream("urgent", current_s=90), _stream("back", current_s=60), _stream("last", current_s=30)]
    ranking = Ranking(streams)
    streams[1].is_stale = True
    ranking.renew(_NOW, 10_000.0)
    assert ["urgent"] == [one.meter.point.meter for one in [ranking.take(is_current=True)] if one]
    streams[1].is_stale = False
    ranking.put([streams[1], streams[2]], _NOW, 10_000.0)
    assert ["back", "last"] == _taken(ranking, is_current=True)


def test_a_meter_that_is_behind_gives_its_records_in_order() -> None:
    """It would be asked for last night's freeze each quarter of an hour, which cannot be there yet."""
    stream = _stream("a", DAILY_FREEZE, current_s=5, behind=(2 * _DAY, 3 * _DAY))
    stream.told = NOT_TAKEN
    assert ([], ["a"]) == _order([stream])


def test_backfill_goes_by_what_it_is_worth() -> None:
    """Billing days first, then what is fresh, both newest first; then what is lost first (FRZ-03)."""
    midnight = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
    first = _NOW - (midnight - 21 * _DAY).astimezone(UTC)  # 1 November is a reading day
    old = FRESH + _DAY
    streams = [
        _stream("curve, old", behind=(old, 20 * _DAY)),
        _stream("curve, older", behind=(old, 30 * _DAY)),
        _stream("freeze, old", DAILY_FREEZE, behind=(old, 40 * _DAY)),
        _stream("curve, fresh", behind=(2 * _DAY, 20 * _DAY)),
        _stream("curve, newest", behind=(_DAY, 40 * _DAY)),
        _stream("month", MONTHLY_FREEZE, behind=(first + 30 * _DAY, first + 61 * _DAY)),
        _stream("reading day", DAILY_FREEZE, behind=(_DAY, first)),
    ]
    expected = ["reading day", "month", "curve, newest", "curve, fresh", "curve, older", "curve, old"]
    assert [*expected, "freeze, old"] == _order(streams)[1]


def test_old_freezes_of_a_meter_are_read_before_they_are_overwritten() -> None:
    """The night that the meter overwrites next would be read last of sixty, and be lost (FRZ-03)."""
    stream = _stream("a", DAILY_FREEZE, behind=(_DAY, 60 * _DAY))
    stream.behind = tuple(_NOW - age * _DAY for age in (1, 30, 8, 2, 60, 9))
    assert [_NOW - age * _DAY for age in (1, 2)] == stream.behind_first(_NOW)
    stream.behind = tuple(_NOW - age * _DAY for age in (9, 60, 30))
    assert [_NOW - age * _DAY for age in (60, 30, 9)] == stream.behind_first(_NOW)
    billed = _NOW - 21 * _DAY  # 1 November is a reading day
    stream.behind = (_NOW - _DAY, _NOW - 60 * _DAY, billed)
    assert [billed] == stream.behind_first(_NOW)


def test_a_night_that_cannot_be_had_does_not_hold_up_the_others() -> None:
    """It would be asked for first in each turn, and the meter give nothing that is older."""
    stream = _stream("a", DAILY_FREEZE, behind=(_DAY, 60 * _DAY))
    nights = [_NOW - age * _DAY for age in (1, 2, 30)]
    stream.behind = tuple(nights)
    for passed in (nights[:1], nights[:2]):
        stream.passed_over.update(passed)
        assert [nights[len(passed)]] == stream.behind_first(_NOW)
    stream.passed_over.update(nights)
    assert nights[:2] == stream.behind_first(_NOW), "all had theirs"
    assert not stream.passed_over
    stream.passed_over.add(nights[0])
    stream.behind = tuple(nights[1:])
    stream.behind_first(_NOW)
    assert not stream.passed_over, "nothing is remembered of what has come"


@pytest.mark.asyncio
@pytest.mark.parametrize("count", [40, 2 * OVERWRITTEN_MAX])
async def test_points_that_cannot_be_had_do_not_hold_up_the_others(tmp_path: Path, count: int) -> None:
    """They would be asked for first in each turn, and one that is between them spoil all turns for ever."""
    stream, clock = _stream("a", behind=(_DAY, 300 * _DAY)), ToldClock(_NOW)
    stream.depth_s = 1e9
    points = [_NOW - _DAY - number * _QUARTER for number in range(count)]
    newer = points[0] + _QUARTER
    line = Line("line1", opener=_no_stream, timing=Timing(), rng=random.Random(1))

    async def planned(journal: Journal, slots: Sequence[datetime]) -> None:
        due = tuple(Due(int(slot.timestamp()), int(slot.timestamp())) for slot in slots)
        await journal.ledger.plan([Planned(**stream.series._asdict(), slots=due)])

    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await planned(journal, points)
        agenda = Agenda(line, [stream], journal.ledger, clock)

        async def turn() -> tuple[datetime, ...]:
            await agenda.look()
            job = await agenda.next()
            assert job is not None
            agenda.done(job)
            clock.now += timedelta(seconds=1_000)
            return job.slots

        assert points[:BACKFILL_POINTS] == list(await turn())
        stream.pass_by(points[: count - 16])
        assert points[count - 16 :] == list(await turn())
        await planned(journal, [newer])
        assert [newer, *points[count - 16 :]] == list(await turn())
        stream.pass_by([newer, *points])
        assert BACKFILL_POINTS == stream.points_a_turn
        for fewer in (12, 6, 3, 1, 1):
            assert [newer, *points][:fewer] == list(await turn()), "all had theirs"
            assert (fewer, None) == (stream.points_a_turn, stream.passed)
            stream.pass_by([newer, *points])


class _Open:
    """A ledger with these open slots; the fronts are those of the streams."""

    def __init__(self, slots: Sequence[datetime]) -> None:
        self.slots = list(slots)

    async def fronts(self, series: Mapping[Series, datetime], now: datetime) -> dict[Series, Front]:
        return {}

    async def open_slots(
        self,
        series: Series,
        *,
        since: datetime,
        until: datetime,
        newest_first: bool,
        limit: int,
        beside: tuple[datetime, datetime] | None = None,
    ) -> list[datetime]:
        return sorted(self.slots, reverse=newest_first)[:limit]


async def _no_stream() -> ByteStream:
    raise LineLost("nobody opens it here")


@pytest.mark.asyncio
async def test_who_does_not_tell_whether_a_point_is_gone_is_asked_for_others() -> None:
    """Each turn would ask for the oldest slot alone, and all that the meter still holds be lost meanwhile."""
    stream, clock = _stream("a", behind=(_DAY, 40 * _DAY)), ToldClock(_NOW)
    line = Line("line1", opener=_no_stream, timing=Timing(), rng=random.Random(1))
    agenda = Agenda(line, [stream], _Open([_NOW - _DAY, _NOW - 40 * _DAY]), clock)
    job = await agenda.next()
    assert job is not None
    assert (job.checks_depth, job.slots) == (True, (_NOW - 40 * _DAY,))
    troubles = Troubles("line1", [stream], cast("Looks", None), cast("BlameLedger", None), clock)
    troubles.vain(job)
    agenda.done(job)
    await agenda.look()
    job = await agenda.next()
    assert job is not None
    assert (job.checks_depth, job.slots) == (False, (_NOW - _DAY, _NOW - 40 * _DAY))


def test_what_should_be_overwritten_by_now() -> None:
    """It would be told gone too early, or asked for for ever."""
    depth = timedelta(days=31)
    for oldest, is_gone in ((depth - _DAY, False), (depth + _DAY, True)):
        found = _stream("a", behind=(_DAY, oldest)).may_be_gone(_NOW)
        assert (_NOW - oldest if is_gone else None) == found


def test_airtime_is_counted_by_priority_and_forgotten() -> None:
    """Backfill would be charged with the time of others, or with that of yesterday."""
    airtime = Airtime()
    for now in range(0, 1_000, 5):
        airtime.note(Priority.BACKFILL, 1.0, float(now))
        airtime.note(Priority.BILLING, 2.0, float(now))
    used_s = airtime.used_s(Priority.BACKFILL, 999.0)
    assert WINDOW_S / 5 <= used_s <= (WINDOW_S + BUCKET_S) / 5
    assert 0.0 == airtime.used_s(Priority.CONTROL, 999.0)
    assert 0.0 == airtime.used_s(Priority.BACKFILL, 999.0 + WINDOW_S + BUCKET_S)
    assert 200.0 == airtime.total_s[Priority.BACKFILL]


@pytest.mark.parametrize("turn_s", [0.5, 7.0, 50.0])
def test_backfill_never_takes_more_than_its_share(turn_s: float) -> None:
    """After an outage backfill would hold the line for hours, whatever a turn costs (FRZ-03)."""
    airtime, now = Airtime(), 0.0
    allowance = Allowance(airtime)
    turns: list[tuple[float, float]] = []
    while now < 3 * WINDOW_S:
        if allowance.allows(now):
            allowance.begin()
            now += turn_s
            airtime.note(Priority.BACKFILL, turn_s, now)
            allowance.end(now)
            turns.append((now - turn_s, now))
        now += 1.0
    assert len(turns) * turn_s > 0.1 * 3 * WINDOW_S, "and it does take its part"
    for start in range(0, int(2 * WINDOW_S), 10):
        in_window = sum(
            max(0.0, min(end, start + WINDOW_S) - max(begin, float(start))) for begin, end in turns
        )
        assert in_window <= SHARE * WINDOW_S


def test_backfill_that_has_waited_long_goes_once() -> None:
    """On a line that is always busy what the meters overwrite next would be lost."""
    allowance = Allowance(Airtime())
    assert not allowance.starved(100.0)
    assert not allowance.starved(100.0 + STARVED_S - 1)
    assert allowance.starved(100.0 + STARVED_S)
    allowance.begin()
    allowance.end(101.0 + STARVED_S)
    assert not allowance.starved(102.0 + STARVED_S)
