"""Slots that are settled and old take little room: no count and no reason is lost by it."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.journal import ledger_ahead, ledger_folding, ledger_gaps, ledger_looks, ledger_rows
from meterlink.journal.journal import Journal
from meterlink.journal.ledger import FOLDED, KEPT_DAYS
from meterlink.journal.ledger_corrections import TOLD_DAYS
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, EVENT, INSTANT, STATUS
from meterlink.model.slot import Reason, State
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock
from tests.support.records import EPOCH

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SERIES = (
    Series("m1", CURVE, 3600),
    Series("m1", INSTANT, 3600),
    Series("m2", STATUS, 3600),
    Series("m2", EVENT, 3600),
)
_FATES = st.tuples(
    st.sampled_from(["kept", "refused", "put_off", "over", "waived", "none"]),
    st.sampled_from([Reason.SILENT, Reason.LINE_DOWN, Reason.GONE]),
    st.integers(1, 2),
    st.sampled_from(["", "D1 02"]),
)


def _day_starts(moment: datetime) -> datetime:
    return moment.astimezone(CHINA_TIME).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


_FIRST = _day_starts(EPOCH)


async def _write(journal: Journal, series: Series, fates: Sequence[tuple[str, Reason, int, str]]) -> None:
    ledger = journal.ledger
    slots = [_FIRST + n * _HOUR for n in range(len(fates))]
    if series.data_class == CURVE:
        dues = tuple(Due(int(slot.timestamp()), int(slot.timestamp()) + 3900) for slot in slots)
        await ledger.plan([Planned(**series._asdict(), slots=dues)])
    for slot, (kind, reason, tries, note) in zip(slots, fates, strict=True):
        key = [series.key(slot)]
        if kind == "kept":
            await ledger.kept(key)
        elif kind == "refused":
            await ledger.refused(key, note=note)
        elif kind == "over":
            await ledger.expired(key, reason, note=note, tries=tries)
        elif kind in {"put_off", "waived"}:
            await ledger.put_off(key, reason, note=note, tries=tries)
        if kind == "waived":
            await ledger.waive(series.meter, Reason.NOT_IN_SERVICE, since=slot, until=slot + _HOUR)


async def _figures(journal: Journal) -> list[Counter[tuple[object, ...]]]:
    """By day, what a table of completeness is made of."""
    found = []
    for day in range(-1, 4):
        since = _FIRST + day * _DAY
        count: Counter[tuple[object, ...]] = Counter()
        for one in await journal.ledger.tallies(FOLDED, since=since, until=since + _DAY):
            key = one.meter, one.data_class, one.state
            count[(*key, one.reason, "slots")] += one.slots
            count[(*key, one.reason, "on time")] += one.on_time
        found.append(+count)
    return found


async def _told(journal: Journal) -> dict[tuple[object, ...], tuple[object, ...]]:
    """What is said of each slot that is not kept."""
    told: dict[tuple[object, ...], tuple[object, ...]] = {}
    for hour in range(-2, 76):
        for meter in ("m1", "m2"):
            for one in await journal.ledger.standings(meter, _FIRST + hour * _HOUR):
                if one.state is not State.KEPT:
                    assert one.key not in told
                    told[one.key] = one.state, one.reason, one.tries, one.note
    return told


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(_FATES, min_size=30, max_size=72), min_size=4, max_size=4))
def test_folding_changes_no_figure(fates: list[list[tuple[str, Reason, int, str]]]) -> None:
    """A day would be more or less complete after forty days than it was, or a hole have another reason."""

    async def check(path: Path) -> None:
        clock = SimClock(_FIRST + 3 * _DAY)
        async with Journal.open(path, clock=clock) as journal:
            for series, some in zip(_SERIES, fates, strict=True):
                await _write(journal, series, some)
            await journal.ledger.missed(
                [(_SERIES[1], _FIRST + 3 * _DAY, _FIRST + 4 * _DAY)], Reason.NOT_RUNNING
            )
            clock.advance((KEPT_DAYS + 5) * _DAY.total_seconds())
            figures, told = await _figures(journal), await _told(journal)
            now = clock.utc_now()
            gone = await journal.ledger.fold(_day_starts, now=now, limit=10)
            assert gone >= sum(kind in {"kept", "refused"} for some in fates[1:] for kind, *_ in some)
            assert figures == await _figures(journal)
            assert told == await _told(journal)
            assert 0 == await journal.ledger.fold(_day_starts, now=now, limit=10)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder) / "j"))


@pytest.mark.asyncio
async def test_a_silent_meter_takes_a_row_a_month(tmp_path: Path) -> None:
    """Sixteen megabytes a year of each meter that does not answer would fill the disk of the gateway."""
    clock = SimClock(_FIRST + 3 * _DAY)
    series = Series("m1", INSTANT, 60)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        keys = [series.key(_FIRST + timedelta(minutes=n)) for n in range(3 * 1440)]
        await journal.ledger.expired(keys, Reason.SILENT, tries=2)
        clock.advance((KEPT_DAYS + 1) * _DAY.total_seconds())
        assert 3 * 1440 == await journal.ledger.fold(_day_starts, now=clock.utc_now(), limit=10)
        (one,) = await journal.ledger.standings("m1", keys[700].slot)
        assert (State.EXPIRED, Reason.SILENT, 2) == (one.state, one.reason, one.tries)
        assert one.changed_at == keys[701].slot, "no try of a slot is later than its end"
    db = sqlite3.connect(tmp_path / "j")
    assert (0, 1) == db.execute("SELECT (SELECT count(*) FROM slot), (SELECT count(*) FROM gap)").fetchone()
    db.close()


@pytest.mark.asyncio
async def test_a_meter_that_left_before_what_is_folded(tmp_path: Path) -> None:
    """People tell late that a meter had gone; what was lost of it since would count for ever."""
    clock = SimClock(_FIRST + 3 * _DAY)
    series = Series("m1", INSTANT, 3600)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        keys = [series.key(_FIRST + n * _HOUR) for n in range(24)]
        await journal.ledger.refused(keys, note="D1 02")
        clock.advance((KEPT_DAYS + 1) * _DAY.total_seconds())
        await journal.ledger.fold(_day_starts, now=clock.utc_now(), limit=10)
        await journal.ledger.waive("m1", Reason.NOT_IN_SERVICE, since=_FIRST, until=_FIRST + _DAY)
        (told,) = await journal.ledger.standings("m1", keys[3].slot)
        assert (State.REFUSED, "D1 02") == (told.state, told.note), "what is settled is settled"
        await journal.ledger.unmiss([series], Reason.CLOCK_WRONG, since=keys[3].slot)
        assert [told] == await journal.ledger.standings("m1", keys[3].slot), "no wrong clock wrote it"


def _silent_year(path: Path, series: Series, *, alike: bool, days: int = 365) -> None:
    """A year of slots that a meter did not answer for, put into the file as they would stand there."""
    db = sqlite3.connect(path)
    (number,) = db.execute(
        "INSERT INTO series (meter, data_class, every_s) VALUES (?, ?, ?) RETURNING number", series
    ).fetchone()
    state = 0 if series.data_class == CURVE else 3
    first, slots = int(_FIRST.timestamp()), days * 86_400 // series.every_s
    db.executemany(
        "INSERT INTO slot VALUES (?, ?, ?, 1, ?, ?, ?, NULL)",
        (
            (number, at, state, 2 if alike else (at - first) // 86_400 % 2 + 1, at, at + 900)
            for at in range(first, first + slots * series.every_s, series.every_s)
        ),
    )
    db.commit()
    db.close()


async def _counts(journal: Journal, series: Series, days: int) -> Counter[tuple[State, Reason]]:
    count: Counter[tuple[State, Reason]] = Counter()
    until = _FIRST + days * _DAY
    for one in await journal.ledger.tallies([series.data_class], since=_FIRST, until=until):
        count[one.state, one.reason] += one.slots
    return count


def _rows(path: Path) -> tuple[int, int, int]:
    """Slots, gaps and days that stand in the file."""
    db = sqlite3.connect(path)
    found = [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("slot", "gap", "slot_day")]
    db.close()
    slots, gaps, days = found
    return slots, gaps, days


@pytest.mark.asyncio
@pytest.mark.parametrize(("alike", "gaps"), [(True, 12), (False, 325)])
async def test_a_year_of_a_silent_meter(tmp_path: Path, *, alike: bool, gaps: int) -> None:
    """What a meter has ever missed would stand in rows of a day each."""
    path, series = tmp_path / "j", Series("m1", INSTANT, 3600)
    clock = SimClock(_FIRST + 365 * _DAY)
    async with Journal.open(path, clock=clock):
        pass
    _silent_year(path, series, alike=alike)
    async with Journal.open(path, clock=clock) as journal:
        before = await _counts(journal, series, 365)
        assert 325 * 24 == await journal.ledger.fold(_day_starts, now=clock.utc_now(), limit=400)
        assert before == await _counts(journal, series, 365) == {(State.EXPIRED, Reason.SILENT): 8760}
        (one,) = await journal.ledger.standings("m1", _FIRST + 40.5 * _DAY)
        assert (State.EXPIRED, Reason.SILENT) == (one.state, one.reason)
    slots, found, _ = _rows(path)
    assert 40 * 24 == slots
    assert gaps - 1 <= found <= gaps, "joined up to a month, or a row a day"


@pytest.mark.asyncio
async def test_what_is_due_of_a_curve_is_lost_when_its_readings_would_be_too_old(tmp_path: Path) -> None:
    """Points of a meter that never answers again would be due for ever, and gone through for ever."""
    path, series = tmp_path / "j", Series("m1", CURVE, 3600)
    clock = SimClock(_FIRST + 200 * _DAY)
    async with Journal.open(path, clock=clock):
        pass
    _silent_year(path, series, alike=True, days=200)
    async with Journal.open(path, clock=clock) as journal:
        assert 0 == await journal.ledger.fold(_day_starts, now=clock.utc_now(), limit=400)
        gone = await journal.ledger.fold(
            _day_starts, now=clock.utc_now(), limit=400, curves_for=timedelta(days=180)
        )
        assert 20 * 24 == gone
        assert {(State.EXPIRED, Reason.SILENT): 480, (State.DUE, Reason.SILENT): 4320} == await _counts(
            journal, series, 200
        )
        (one,) = await journal.ledger.standings("m1", _FIRST + 19.5 * _DAY)
        assert "lost: the meter did not answer, 2 tries" in one.sentence("en")
        (one,) = await journal.ledger.standings("m1", _FIRST + 20 * _DAY)
        assert State.DUE is one.state, "the first that may still be read"
        gone = await journal.ledger.fold(
            _day_starts, now=clock.utc_now(), limit=400, curves_for=timedelta(days=2)
        )
        assert 140 * 24 == gone, "whatever is kept so short, a month's bill is settled first"
    assert 40 * 24 == _rows(path)[0]


@pytest.mark.asyncio
async def test_what_was_folded_goes_by_age(tmp_path: Path) -> None:
    """The ledger would grow for ever, or what is still asked for would go, and nobody could say why."""
    path, silent, kept = tmp_path / "j", Series("m1", INSTANT, 3600), Series("m2", EVENT, 3600)
    clock = SimClock(_FIRST + (TOLD_DAYS + 30) * _DAY)
    async with Journal.open(path, clock=clock):
        pass
    _silent_year(path, silent, alike=False)
    async with Journal.open(path, clock=clock) as journal:
        await journal.ledger.kept([kept.key(_FIRST + n * _HOUR) for n in range(48)])
        await journal.ledger.fold(_day_starts, now=clock.utc_now(), limit=400)
        ages = {INSTANT: timedelta(days=35), EVENT: timedelta(days=TOLD_DAYS + 40)}
        assert 30 == await journal.ledger.forget(ages, now=clock.utc_now())
        assert 0 == await journal.ledger.forget(ages, now=clock.utc_now())
        assert {INSTANT: _FIRST + 30 * _DAY} == await journal.ledger.forgotten()
        assert [] == await journal.ledger.standings("m1", _FIRST + 30 * _DAY - _HOUR)
        assert 1 == len(await journal.ledger.standings("m1", _FIRST + 30 * _DAY))
        assert {(State.KEPT, Reason.WAITING): 48} == await _counts(journal, kept, 365)
        ages = {EVENT: timedelta(days=35)}
        clock.advance(_DAY.total_seconds())
        assert 2 == await journal.ledger.forget(ages, now=clock.utc_now())
    assert (0, 335, 0) == _rows(path)


@pytest.mark.asyncio
async def test_no_gap_is_gone_through_for_another_day(tmp_path: Path) -> None:
    """Each start and each question would take longer by what a meter has ever missed."""
    path, series = tmp_path / "j", Series("m1", INSTANT, 60)
    async with Journal.open(path, clock=SimClock(_FIRST)) as journal:
        await journal.ledger.missed([(series, _FIRST, _FIRST + _HOUR)], Reason.NOT_RUNNING)
    end = int(_FIRST.timestamp()) + 400 * 86_400
    classes = f'["{INSTANT}"]'
    asked: list[Callable[[sqlite3.Connection], object]] = [
        lambda db: ledger_looks.newest(db, 1, end),
        lambda db: ledger_looks.tallies(db, classes, since=end - 86_400, until=end, now=end, first=1, last=1),
        lambda db: ledger_looks.standings(db, "m1", ledger_rows.moment(end - 90)),
        lambda db: ledger_gaps.has_gap(db, 1, Reason.NOT_RUNNING, end - 86_400),
        lambda db: ledger_gaps.cut_gaps(db, [1], Reason.NOT_RUNNING, end - 86_400),
        lambda db: ledger_ahead.is_ahead(db, 1, cut=end - 60, today=end, now=end),
        lambda db: ledger_folding.oldest(db, 1, 1, classes, 0, given_up=0),
        lambda db: ledger_folding.fold(db, 1, 1, day=end - 86_400, until=end, classes=classes, given_up=0),
        lambda db: ledger_folding.is_old(db, 1, 1, data_class=INSTANT, before=0),
        lambda db: ledger_folding.forget(db, 1, 1, data_class=INSTANT, before=0),
    ]

    def ticks(db: sqlite3.Connection, question: Callable[[sqlite3.Connection], object]) -> int:
        """Steps of SQLite's machine, in hundreds, that a question takes."""
        count: list[None] = []
        db.set_progress_handler(lambda: count.append(None), 100)
        db.execute("BEGIN")
        question(db)
        db.execute("ROLLBACK")
        db.set_progress_handler(None, 0)
        return len(count)

    def steps(gaps: int) -> list[int]:
        """What each question takes behind so many gaps."""
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("BEGIN")
        db.execute("DELETE FROM gap")
        rows = ((1, end - n * 120, end - n * 120 + 60) for n in range(1, gaps + 1))
        db.executemany("INSERT INTO gap VALUES (?, ?, ?, 1 | (3 << 6) | (2 << 9), NULL)", rows)
        db.execute("COMMIT")
        taken = [ticks(db, question) for question in asked]
        db.close()
        return taken

    assert steps(1_000) == pytest.approx(steps(100_000), abs=2), "720 of them are of the day"
