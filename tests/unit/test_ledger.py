"""The ledger: each due slot once, settled with its reading, explained, counted, and folded when it is old."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.errors import JournalError
from meterlink.journal import ledger as ledger_module
from meterlink.journal.journal import Journal
from meterlink.journal.ledger import KEPT_DAYS, PLAN_SLOTS_MAX, Ledger
from meterlink.journal.ledger_rows import TAKEN_AFTER, Due, Planned
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, EVENT, INSTANT
from meterlink.model.reading import Record
from meterlink.model.slot import (
    DAY_S,
    NOTE_MAX,
    REASON_SENTENCES,
    STATE_WORDS,
    Reason,
    SlotKey,
    Standing,
    State,
    Tally,
)
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock
from tests.support.records import EPOCH, reading

_QUARTER_S = 900
_DAY = timedelta(days=1)
_CURVE = Series("m1", CURVE, _QUARTER_S)
_FREEZE = Series("m1", DAILY_FREEZE, DAY_S)
_MOMENT = Series("m1", INSTANT, 60)


def _clock() -> SimClock:
    return SimClock(EPOCH + timedelta(hours=12))


def _planned(
    series: Series, count: int, *, first: datetime = EPOCH, reason: Reason = Reason.WAITING
) -> Planned:
    """So many slots, each due when it is over."""
    step = series.every_s
    at = int(first.timestamp())
    slots = tuple(Due(at + n * step, at + (n + 1) * step) for n in range(count))
    return Planned(meter=series.meter, data_class=series.data_class, every_s=step, slots=slots)


def _record(series: Series, slot: datetime) -> Record:
    return Record(
        meter=series.meter, data_class=series.data_class, readings=(reading(series.meter, slot=slot),)
    )


async def _standing(ledger: Ledger, series: Series, slot: datetime) -> Standing | None:
    found = [one for one in await ledger.standings(series.meter, slot) if one.key == series.key(slot)]
    return found[0] if found else None


async def _open(ledger: Ledger, series: Series) -> list[datetime]:
    far = EPOCH + timedelta(days=400)
    return await ledger.open_slots(
        series, since=EPOCH - timedelta(days=400), until=far, newest_first=False, limit=1000
    )


@pytest.mark.asyncio
async def test_a_reading_and_its_slot_are_one(tmp_path: Path) -> None:
    """A slot without its reading would never be fetched, a reading without its slot fetched for ever."""
    clock = _clock()
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        assert 3 == await journal.ledger.plan([_planned(_FREEZE, 3)])
        await journal.keep(_record(_FREEZE, EPOCH), settles=_FREEZE.key(EPOCH))
        assert [EPOCH + _DAY, EPOCH + 2 * _DAY] == await _open(journal.ledger, _FREEZE)
        kept = await _standing(journal.ledger, _FREEZE, EPOCH)
        assert kept is not None
        assert (State.KEPT, 1, clock.utc_now()) == (kept.state, kept.tries, kept.changed_at)
        assert 1 == len(await journal.rows_after(0, 10))


@pytest.mark.asyncio
async def test_a_commit_that_fails_keeps_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a full disk the ledger would say kept of what stands nowhere."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        await journal.ledger.plan([_planned(_FREEZE, 1)])
        with monkeypatch.context() as patch:
            patch.setattr("meterlink.journal.ledger_rows.keep", _disk_error)
            with pytest.raises(JournalError):
                await journal.keep(_record(_FREEZE, EPOCH), settles=_FREEZE.key(EPOCH))
        assert [EPOCH] == await _open(journal.ledger, _FREEZE)
        assert [] == await journal.rows_after(0, 10)


def _disk_error(*_: object) -> None:
    import sqlite3

    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.asyncio
async def test_all_records_of_an_exchange_or_none(tmp_path: Path) -> None:
    """A block of a curve that is half kept would be read again whole, and stand twice in the log."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        await journal.ledger.plan([_planned(_CURVE, 4)])
        slots = [EPOCH + timedelta(seconds=n * _QUARTER_S) for n in range(3)]
        await journal.keep_all([(_record(_CURVE, slot), _CURVE.key(slot)) for slot in slots])
        assert [EPOCH + timedelta(seconds=3 * _QUARTER_S)] == await _open(journal.ledger, _CURVE)
        assert 3 == len(await journal.rows_after(0, 10))


@pytest.mark.asyncio
async def test_a_day_is_planned_once(tmp_path: Path) -> None:
    """After a clock was set back, slots that are kept would be due again."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        await journal.ledger.plan([_planned(_CURVE, 96)])
        await journal.keep(_record(_CURVE, EPOCH), settles=_CURVE.key(EPOCH))
        assert 0 == await journal.ledger.plan([_planned(_CURVE, 96)])
        assert 95 == len(await _open(journal.ledger, _CURVE))
        assert {
            _CURVE: EPOCH + timedelta(seconds=95 * _QUARTER_S),
            _FREEZE: None,
        } == await journal.ledger.newest([_CURVE, _FREEZE], EPOCH + _DAY)


@pytest.mark.asyncio
async def test_what_is_settled_stays_so(tmp_path: Path) -> None:
    """A late failure of another try would turn a kept slot into a hole; a kept one wins over a hole."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        ledger, key = journal.ledger, _FREEZE.key(EPOCH)
        await ledger.plan([_planned(_FREEZE, 1)])
        await ledger.tried([key], Reason.SILENT)
        await ledger.tried([key], Reason.LINE_DOWN, note="unplugged", tries=0)
        missing = await _standing(ledger, _FREEZE, EPOCH)
        assert missing is not None
        assert (Reason.LINE_DOWN, 1, "unplugged") == (missing.reason, missing.tries, missing.note)
        await ledger.expired([key], Reason.GONE, note="62 days")
        await ledger.refused([key], note="no")
        lost = await _standing(ledger, _FREEZE, EPOCH)
        assert lost is not None
        assert (State.EXPIRED, "62 days") == (lost.state, lost.note)
        await journal.keep(_record(_FREEZE, EPOCH), settles=key)
        for closing in (ledger.expired([key], Reason.GONE), ledger.tried([key], Reason.SILENT)):
            await closing
        kept = await _standing(ledger, _FREEZE, EPOCH)
        assert kept is not None
        assert (State.KEPT, Reason.WAITING, "") == (kept.state, kept.reason, kept.note)


@pytest.mark.asyncio
async def test_a_record_that_no_plan_asked_for_opens_nothing(tmp_path: Path) -> None:
    """A surplus record of yesterday would make the day look planned; its rest would never be read."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        await journal.keep(_record(_CURVE, EPOCH), settles=_CURVE.key(EPOCH))
        assert [] == await journal.ledger.standings("m1", EPOCH)
        await journal.keep(_record(_MOMENT, EPOCH), settles=_MOMENT.key(EPOCH))
        await journal.ledger.expired([_MOMENT.key(EPOCH + timedelta(seconds=60))], Reason.SILENT, tries=2)
        states = [
            (await journal.ledger.standings("m1", EPOCH + timedelta(seconds=n)))[0].state for n in (0, 60)
        ]
        assert [State.KEPT, State.EXPIRED] == states, "values of the moment get their rows when they are over"


@pytest.mark.asyncio
async def test_open_slots_from_afar_and_near(tmp_path: Path) -> None:
    """The collector would choose the wrong work: what is current, what backfill, what comes."""
    clock = _clock()
    now = clock.utc_now()
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await journal.ledger.plan([_planned(_CURVE, 96)])
        current_from = now - timedelta(hours=2)
        front = await journal.ledger.fronts({_CURVE: current_from, _FREEZE: now}, now)
        assert {_CURVE} == set(front)
        of_it = front[_CURVE]
        assert int(current_from.timestamp()) == of_it.current
        assert int(now.timestamp()) + _QUARTER_S == of_it.coming
        assert int(EPOCH.timestamp()) == of_it.oldest
        assert int(current_from.timestamp()) - 2 * _QUARTER_S == of_it.newest
        slots = await journal.ledger.open_slots(
            _CURVE, since=EPOCH, until=current_from, newest_first=True, limit=2
        )
        assert [EPOCH + timedelta(hours=9.5), EPOCH + timedelta(hours=9.25)] == slots


@pytest.mark.asyncio
async def test_nobody_tried_because(tmp_path: Path) -> None:
    """Slots of a night without the daemon would be said to wait; those tried keep their reason."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        ledger = journal.ledger
        await ledger.plan([_planned(_CURVE, 4)])
        await ledger.tried([_CURVE.key(EPOCH)], Reason.SILENT)
        until = EPOCH + timedelta(seconds=4 * _QUARTER_S)
        assert 2 == await ledger.blame([_CURVE, _FREEZE], Reason.NOT_RUNNING, since=EPOCH, until=until)
        found = [await _standing(ledger, _CURVE, EPOCH + timedelta(seconds=n * _QUARTER_S)) for n in range(4)]
        expected = [Reason.SILENT, Reason.NOT_RUNNING, Reason.NOT_RUNNING, Reason.WAITING]
        assert expected == [one.reason for one in found if one]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("said", "later", "stands"),
    [
        (Reason.SILENT, Reason.CLOCK_WRONG, Reason.CLOCK_WRONG),
        (Reason.LINE_DOWN, Reason.CLOCK_WRONG, Reason.CLOCK_WRONG),
        (Reason.CLOCK_WRONG, Reason.SILENT, Reason.CLOCK_WRONG),
        (Reason.SILENT, Reason.NOT_TAKEN, Reason.NOT_TAKEN),
        (Reason.SILENT, Reason.LINE_DOWN, Reason.SILENT),
        (Reason.NOT_RUNNING, Reason.SILENT, Reason.SILENT),
        (Reason.NOT_RUNNING, Reason.LINE_DOWN, Reason.LINE_DOWN),
        (Reason.SILENT, Reason.NOT_RUNNING, Reason.SILENT),
        (Reason.SILENT, Reason.NO_ROOM, Reason.SILENT),
        (Reason.BAD_DATA, Reason.CLOCK_WRONG, Reason.BAD_DATA),
    ],
)
async def test_what_is_found_later_takes_the_place_of_what_is_weaker(
    tmp_path: Path, said: Reason, later: Reason, stands: Reason
) -> None:
    """A meter whose clock is wrong would be called silent for ever, or a silent one a line that is down."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        await journal.ledger.plan([_planned(_CURVE, 1)])
        await journal.ledger.tried([_CURVE.key(EPOCH)], said)
        await journal.ledger.blame([_CURVE], later, since=EPOCH, until=EPOCH + timedelta(hours=1))
        found = await _standing(journal.ledger, _CURVE, EPOCH)
        assert found is not None and stands is found.reason


@pytest.mark.asyncio
async def test_who_falls_silent_is_why_what_was_not_taken_long_ago_is_missing(tmp_path: Path) -> None:
    """Of a dead meter it would be said for weeks that its terminal had not read it at ten past midnight."""
    assert timedelta(hours=6) == TAKEN_AFTER, "a terminal takes its meters several times in such a time"
    clock = _clock()
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        ledger = journal.ledger
        await ledger.plan([_planned(_CURVE, 2)])
        slots = [EPOCH, EPOCH + timedelta(seconds=_QUARTER_S)]

        async def told(at: datetime) -> list[Reason]:
            await ledger.blame([_CURVE], Reason.SILENT, since=EPOCH, until=at, tries=1)
            return [one.reason for slot in slots if (one := await _standing(ledger, _CURVE, slot))]

        await ledger.tried([_CURVE.key(slots[0])], Reason.NOT_TAKEN)
        await ledger.tried([_CURVE.key(slots[1])], Reason.REFUSED)
        late = clock.utc_now() + TAKEN_AFTER
        assert [Reason.NOT_TAKEN, Reason.REFUSED] == await told(late)
        late += timedelta(seconds=1)
        await ledger.blame([_CURVE], Reason.LINE_SLOW, since=EPOCH, until=late, tries=0)
        standing = await _standing(ledger, _CURVE, slots[0])
        assert standing is not None and standing.reason is Reason.NOT_TAKEN, "of silence alone"
        assert [Reason.SILENT, Reason.REFUSED] == await told(late)


@pytest.mark.asyncio
async def test_tallies_of_a_day(tmp_path: Path) -> None:
    """The success rate would count what is not due yet, what is waived as missing, or late as on time."""
    clock = _clock()
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        ledger = journal.ledger
        await ledger.plan([_planned(_CURVE, 96), _planned(Series("m2", CURVE, _QUARTER_S), 96)])
        early, late = EPOCH, EPOCH + timedelta(hours=11)
        for slot in (early, late):
            await journal.keep(_record(_CURVE, slot), settles=_CURVE.key(slot))
        assert 48 == await ledger.waive(
            "m2", Reason.NOT_IN_SERVICE, since=EPOCH, until=EPOCH + timedelta(hours=12)
        )
        await ledger.missed([(_MOMENT, EPOCH, EPOCH + timedelta(minutes=10))], Reason.NOT_RUNNING)
        found = await ledger.tallies([CURVE, INSTANT, DAILY_FREEZE], since=EPOCH, until=EPOCH + _DAY)

        def tally(series: Series, state: State, reason: Reason, slots: int, on_time: int = 0) -> Tally:
            return Tally(**series._asdict(), state=state, reason=reason, slots=slots, on_time=on_time)

        waived = Series("m2", CURVE, _QUARTER_S)
        assert {
            tally(_CURVE, State.DUE, Reason.WAITING, 46),
            tally(_CURVE, State.KEPT, Reason.WAITING, 2, 1),
            tally(waived, State.WAIVED, Reason.NOT_IN_SERVICE, 48),
            tally(_MOMENT, State.EXPIRED, Reason.NOT_RUNNING, 10),
        } == set(found)
        some = await ledger.tallies([INSTANT], since=EPOCH + timedelta(minutes=3), until=EPOCH + _DAY)
        assert [7] == [one.slots for one in some], "a gap counts for as much of it as lies in the day"


@pytest.mark.asyncio
async def test_a_missed_stretch_explains_each_of_its_slots(tmp_path: Path) -> None:
    """A night without the daemon would leave slots of which nobody can say anything."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        until = EPOCH + timedelta(minutes=10)
        await journal.ledger.missed([(_MOMENT, EPOCH, until)], Reason.NOT_RUNNING)
        for minute, count in ((0, 1), (9, 1), (10, 0), (0.5, 0)):
            found = await journal.ledger.standings("m1", EPOCH + timedelta(minutes=minute))
            assert [(State.EXPIRED, Reason.NOT_RUNNING)] * count == [(one.state, one.reason) for one in found]
        assert {_MOMENT: until - timedelta(seconds=1)} == await journal.ledger.newest([_MOMENT], EPOCH + _DAY)


@pytest.mark.asyncio
async def test_old_days_are_folded_and_still_counted(tmp_path: Path) -> None:
    """A million rows a day would fill the disk; folding must neither lose a count nor a hole."""
    clock = SimClock(EPOCH + timedelta(days=KEPT_DAYS + 3))

    def day_starts(moment: datetime) -> datetime:
        return (
            moment.astimezone(CHINA_TIME).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        )

    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        ledger = journal.ledger
        await ledger.plan([_planned(_CURVE, 4 * 96), _planned(_FREEZE, 3)])
        slots = [EPOCH + timedelta(seconds=n * _QUARTER_S) for n in range(4 * 96)]
        await journal.keep_all([(_record(_CURVE, slot), _CURVE.key(slot)) for slot in slots[1:]])
        await journal.keep(_record(_FREEZE, EPOCH), settles=_FREEZE.key(EPOCH))

        def counted(tallies: list[Tally]) -> dict[State, int]:
            return {one.state: one.slots for one in tallies}

        day = day_starts(EPOCH + _DAY)
        before = counted(await ledger.tallies([CURVE], since=day, until=day + _DAY))
        gone = await ledger.fold(day_starts, now=ledger.clock.utc_now(), limit=10)
        assert 64 - 1 + 96 + 96 == gone, "whole days of the plant that are old; the hole stays"
        assert before == counted(await ledger.tallies([CURVE], since=day, until=day + _DAY))
        assert 0 == await ledger.fold(day_starts, now=ledger.clock.utc_now(), limit=10)
        assert await _standing(ledger, _CURVE, EPOCH) is not None, "holes stay explained"
        assert await _standing(ledger, _FREEZE, EPOCH) is not None, "freezes are few"
        newest = await ledger.newest([_CURVE], day + timedelta(hours=1))
        assert {_CURVE: day} == newest, "a folded day is a planned one"


@pytest.mark.asyncio
async def test_a_folded_day_keeps_what_was_on_time(tmp_path: Path) -> None:
    """The success rate of a day would rise by itself when it is old: a point after hours for one in time."""
    clock = SimClock(EPOCH)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        ledger = journal.ledger
        await ledger.plan([_planned(_CURVE, 4)])
        for n, late in enumerate((0, 7200, 7201, 10 * 3600)):
            slot = EPOCH + timedelta(seconds=n * _QUARTER_S)
            clock.step_wall(slot + timedelta(seconds=_QUARTER_S + late) - clock.utc_now())
            await journal.keep(_record(_CURVE, slot), settles=_CURVE.key(slot))
            await journal.keep(_record(_MOMENT, slot), settles=_MOMENT.key(slot))

        async def counted() -> list[tuple[str, int, int]]:
            found = await ledger.tallies([CURVE, INSTANT], since=EPOCH, until=EPOCH + _DAY)
            return sorted((one.data_class, one.slots, one.on_time) for one in found)

        expected = await counted()
        assert (CURVE, 4, 2) == expected[0]
        clock.step_wall(timedelta(days=KEPT_DAYS + 3))
        gone = await ledger.fold(
            lambda at: EPOCH + (at - EPOCH) // _DAY * _DAY, now=clock.utc_now(), limit=10
        )
        assert 8 == gone
        assert expected == await counted()


@pytest.mark.asyncio
async def test_who_lived_until_when(tmp_path: Path) -> None:
    """Nobody could tell a night without the daemon from a silent meter."""
    clock = _clock()
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        assert await journal.ledger.lived_until() is None
        await journal.ledger.live()
        clock.advance(60)
        await journal.ledger.live()
    clock.advance(3600)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        assert EPOCH + timedelta(hours=12, seconds=60) == await journal.ledger.lived_until()


@pytest.mark.asyncio
async def test_what_is_open_of_the_moment_is_lost_when_its_slot_has_ended(tmp_path: Path) -> None:
    """A slot that a stopped daemon left open would be to come for ever, or a day be lost in its morning."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        ledger, day = journal.ledger, Series("m1", INSTANT, 86_400)
        event, other = Series("m1", EVENT, 60), Series("m2", INSTANT, 60)
        keys = [one.key(EPOCH) for one in (_MOMENT, day, event, other)]
        await ledger.put_off(keys, Reason.SILENT, tries=2)
        await ledger.put_off(keys[:1], Reason.BAD_DATA, note="no", tries=1)
        await ledger.over([_MOMENT], EPOCH + timedelta(seconds=59))
        found = [await _standing(ledger, one, EPOCH) for one in (_MOMENT, day, event, other)]
        assert {State.DUE} == {one.state for one in found if one}
        await ledger.over([Series("m1", INSTANT, 900)], EPOCH + timedelta(seconds=60))
        found = [await _standing(ledger, one, EPOCH) for one in (_MOMENT, day, event, other)]
        assert [State.EXPIRED, State.DUE, State.DUE, State.DUE] == [one.state for one in found if one]
        lost = found[0]
        assert lost is not None
        assert (Reason.BAD_DATA, 3, "no") == (lost.reason, lost.tries, lost.note), "what was said of it stays"
        await ledger.kept(keys[:1])
        late = await _standing(ledger, _MOMENT, EPOCH)
        assert late is not None and late.state is State.KEPT


@pytest.mark.asyncio
async def test_what_is_open_of_many_meters_is_lost_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a line with more meters than one look takes the last ones would be to come for ever."""
    monkeypatch.setattr(ledger_module, "SERIES_AT_ONCE", 2)
    many = [Series(f"m{number}", INSTANT, 60) for number in range(5)]
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        await journal.ledger.put_off([one.key(EPOCH) for one in many], Reason.SILENT)
        await journal.ledger.over(many, EPOCH + timedelta(seconds=60))
        found = [await _standing(journal.ledger, one, EPOCH) for one in many]
        assert [State.EXPIRED] * 5 == [one.state for one in found if one]


@pytest.mark.asyncio
async def test_a_large_plan_leaves_room_for_others(tmp_path: Path) -> None:
    """A reading would wait for a million slots to be written before it is kept."""
    many = [_planned(Series(f"m{n}", CURVE, _QUARTER_S), 96) for n in range(2 * PLAN_SLOTS_MAX // 96)]
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        async with asyncio.TaskGroup() as group:
            planning = group.create_task(journal.ledger.plan(many))
            await journal.keep(_record(_FREEZE, EPOCH))
            assert not planning.done()
        assert 96 * len(many) == planning.result()
        assert 1 == journal.newest_id, "how many slots there are is no place in the log"


def test_parts_of_a_plan_hold_everything_once() -> None:
    """A meter at the edge of a part would be planned twice or never."""
    sizes = [PLAN_SLOTS_MAX, 1, PLAN_SLOTS_MAX - 1, 1, 0, 3 * PLAN_SLOTS_MAX, 2]
    planned = [_planned(Series(f"m{n}", CURVE, _QUARTER_S), count) for n, count in enumerate(sizes)]
    parts = list(ledger_module._parts(planned))
    assert planned == [one for part in parts for one in part]
    assert [[PLAN_SLOTS_MAX], [1, PLAN_SLOTS_MAX - 1], [1, 0], [3 * PLAN_SLOTS_MAX], [2]] == [
        [len(one.slots) for one in part] for part in parts
    ]


@pytest.mark.asyncio
async def test_a_note_is_short_and_text(tmp_path: Path) -> None:
    """A meter's words could fill the disk, or half a character fail the transaction of its neighbours."""
    async with Journal.open(tmp_path / "j", clock=_clock()) as journal:
        await journal.ledger.plan([_planned(_FREEZE, 1)])
        await journal.ledger.refused([_FREEZE.key(EPOCH)], note="\ud800" + "拒" * 2 * NOTE_MAX)
        found = await _standing(journal.ledger, _FREEZE, EPOCH)
        assert found is not None
        assert "\\ud800" + "拒" * (NOTE_MAX - 1) == found.note


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("reason", Reason)
def test_every_standing_has_one_sentence(state: State, reason: Reason) -> None:
    """A hole that nobody can explain, or an explanation in one language only."""
    at = EPOCH + timedelta(hours=1)
    standing = Standing(
        key=SlotKey("m1", CURVE, _QUARTER_S, EPOCH),
        state=state,
        reason=reason,
        tries=3,
        due_at=EPOCH,
        changed_at=at,
        note="D1 ERR 02",
    )
    shown = {EPOCH: "01:00", at: "02:00"}
    english, chinese = (standing.sentence(lang, shown=shown) for lang in ("en", "zh"))
    for text in (english, chinese):
        assert "{" not in text and "\n" not in text
        assert "00:00+00:00" not in text, "times as people want to see them"
    assert STATE_WORDS[state]["en"] in english
    assert STATE_WORDS[state]["zh"] in chinese
    assert not chinese.isascii()
    if state is not State.KEPT and "{note}" in REASON_SENTENCES[reason]["en"]:
        assert english.endswith(": D1 ERR 02")


def test_numbers_of_states_and_reasons_stay() -> None:
    """An old ledger would tell another story."""
    assert [0, 1, 2, 3, 4] == [State[name].value for name in ("DUE", "KEPT", "REFUSED", "EXPIRED", "WAIVED")]
    names = (
        "WAITING SILENT LINE_DOWN REFUSED BAD_DATA CLOCK_WRONG EXCHANGED NOT_RUNNING NOT_IN_SERVICE GONE"
        " LINE_SLOW NOT_TAKEN NO_ROOM NOT_PLANNED"
    )
    assert {name: number for number, name in enumerate(names.split())} == {
        one.name: one.value for one in Reason
    }
