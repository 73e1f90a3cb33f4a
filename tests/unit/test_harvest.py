"""What a meter's memory brought is put where it belongs, or stays due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from meterlink.acquisition.harvest import Harvest
from meterlink.acquisition.keeping import readings_of
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.acquisition.streams import Meter, Stream
from meterlink.drivers.base import Depth, Measured, MemoryReader, StoredAnswer, StoredRecord
from meterlink.errors import BusFull, LineLost, ReplyTimeout
from meterlink.journal.journal import Journal
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.journal.reserve import Reserve
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, DataClass
from meterlink.model.marks import NO_MARKS
from meterlink.model.reading import Record
from meterlink.model.slot import DAY_S, Reason, Standing, State, lacking_note
from metersim import SimClock
from tests.support.records import EPOCH

_NIGHT = EPOCH
_EVERY_S = {CURVE: 900, DAILY_FREEZE: DAY_S}


class _Memory:
    stored: Mapping[str, Depth] = {
        DAILY_FREEZE: Depth(records=62, every_s=DAY_S),
        CURVE: Depth(records=100, every_s=900),
    }


def _stream(data_class: DataClass) -> Stream:
    plan = StoredPlan(name="p", data_class=data_class, every_s=_EVERY_S[data_class], items=("a", "b"))
    return Stream(Meter(Point(meter="m1", address="1")), plan, cast("MemoryReader", _Memory()))


def _record(slot: datetime, *items: str, **more: dict[str, str]) -> StoredRecord:
    values = tuple(
        Measured(item=item, period="x", value=Decimal(1), text="1", unit="", marks=NO_MARKS) for item in items
    )
    return StoredRecord(slot=slot, values=values, **more)


def _answer(*records: StoredRecord, **more: object) -> StoredAnswer:
    given = {"gone": {}, "not_yet": {}, "unfit_slots": {}, "refused": {}, "unfit": {}, **more}
    return StoredAnswer(records=records, taken_at=EPOCH, **given)  # type: ignore[arg-type]


async def _open(journal: Journal, stream: Stream, count: int) -> list[datetime]:
    """Slots of a stream, opened."""
    every_s = stream.plan.every_s
    slots = [_NIGHT + timedelta(seconds=n * every_s) for n in range(count)]
    due = tuple(Due(int(slot.timestamp()), int(slot.timestamp())) for slot in slots)
    planned = Planned(meter="m1", data_class=stream.plan.data_class, every_s=every_s, slots=due)
    await journal.ledger.plan([planned])
    return slots


async def _standing(journal: Journal, slot: datetime) -> Standing:
    [found] = await journal.ledger.standings("m1", slot)
    return found


@pytest.mark.asyncio
async def test_each_slot_that_was_asked_for_finds_its_place(tmp_path: Path) -> None:
    """A slot would stay due for ever, or be called gone while another try may bring it."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH)) as journal:
        stream, harvest = _stream(CURVE), Harvest("line1", journal, journal.ledger)
        slots = await _open(journal, stream, 8)
        answer = _answer(
            _record(slots[0], "a", "b"),
            _record(slots[1], "a", refused={"b": "has none"}),
            _record(slots[2], "a", unfit={"b": "garbled"}),
            _record(slots[3], refused={"a": "has none", "b": "has none"}),
            gone={slots[4]: "overwritten"},
            not_yet={slots[5]: "is to come"},
            unfit_slots={slots[6]: "two of them"},
            cut_short=ReplyTimeout("no answer in time"),
        )
        assert await harvest.take(stream, slots, answer)
        expected = [
            (State.KEPT, Reason.WAITING, ""),
            (State.KEPT, Reason.WAITING, ""),
            (State.DUE, Reason.BAD_DATA, "garbled"),
            (State.REFUSED, Reason.REFUSED, "has none"),
            (State.EXPIRED, Reason.GONE, "overwritten"),
            (State.DUE, Reason.NOT_TAKEN, "is to come"),
            (State.DUE, Reason.BAD_DATA, "two of them"),
            (State.DUE, Reason.SILENT, ""),
        ]
        found = [await _standing(journal, slot) for slot in slots]
        assert expected == [(one.state, one.reason, one.note) for one in found]
        assert 3 == len(await journal.rows_after(0, 10))


@pytest.mark.asyncio
async def test_what_is_in_the_log_is_not_kept_again(tmp_path: Path) -> None:
    """The missing half of a record would come with the other half once more."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH)) as journal:
        stream, harvest = _stream(DAILY_FREEZE), Harvest("line1", journal, journal.ledger)
        [night] = await _open(journal, stream, 1)
        await harvest.take(stream, [night], _answer(_record(night, "a", unfit={"b": "garbled"})))
        assert State.DUE is (await _standing(journal, night)).state
        for _ in range(2):
            await harvest.take(stream, [night], _answer(_record(night, "a", "b")))
        assert State.KEPT is (await _standing(journal, night)).state
        rows = await journal.rows_after(0, 10)
        assert [["a"], ["b"]] == [[reading.item for reading in row.readings] for row in rows]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kept", "told", "rows"),
    [
        ("1", "1", 1),
        ("123.45", "123.4567", 1),
        ("123.4567", "123.45", 1),
        ("123.45", "123.46", 2),
        ("999", "1", 2),
        (None, "1", 2),
        ("1", None, 1),
        (None, None, 1),
    ],
)
async def test_a_freeze_that_is_told_otherwise_is_kept_too(
    tmp_path: Path, kept: str | None, told: str | None, rows: int
) -> None:
    """The false night that a terminal reported would stand unmarked, and the meter's own be thrown away."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH)) as journal:
        stream, harvest = _stream(DAILY_FREEZE), Harvest("line1", journal, journal.ledger)
        [night] = await _open(journal, stream, 1)
        first = [_measured("a", kept), _measured("b", "5")]
        reported = readings_of("m1", first, slot=night, taken_at=EPOCH, route="terminal 1")
        record = Record(meter="m1", data_class=DAILY_FREEZE, readings=reported)
        assert await journal.keep_report([record], key="k", repeat_s=600.0)
        for _ in range(2):
            values = (_measured("a", told), _measured("b", "5"))
            await harvest.take(stream, [night], _answer(StoredRecord(slot=night, values=values)))
        assert State.KEPT is (await _standing(journal, night)).state
        found = await journal.rows_after(0, 10)
        assert [["a", "b"], ["a"]][:rows] == [[one.item for one in row.readings] for row in found]
        assert (told if rows == 2 else kept) == (
            None if (newest := found[-1].readings[0].value) is None else str(newest)
        )


def _measured(item: str, value: str | None) -> Measured:
    number = None if value is None else Decimal(value)
    return Measured(item=item, period="x", value=number, text=value, unit="", marks=NO_MARKS)


@pytest.mark.asyncio
@pytest.mark.parametrize(("minutes", "settles"), [(0, True), (59, True), (-60, True), (61, False)])
async def test_a_freeze_of_the_same_night(tmp_path: Path, minutes: int, settles: bool) -> None:
    """A meter that freezes some minutes past midnight would never have its freeze; or a noon's would do."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH)) as journal:
        stream, harvest = _stream(DAILY_FREEZE), Harvest("line1", journal, journal.ledger)
        [night] = await _open(journal, stream, 1)
        taken = night + timedelta(minutes=minutes)
        await harvest.take(stream, [night], _answer(_record(taken, "a", "b")))
        assert settles is ((await _standing(journal, night)).state is State.KEPT)
        [row] = await journal.rows_after(0, 10)
        assert {taken} == {reading.slot for reading in row.readings}, "kept under the time the meter says"


@pytest.mark.asyncio
async def test_why_nothing_came(tmp_path: Path) -> None:
    """A meter would be called silent because its line was down, or because the queue was full."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH)) as journal:
        stream, harvest = _stream(CURVE), Harvest("line1", journal, journal.ledger)
        slots = await _open(journal, stream, 3)
        errors = (ReplyTimeout("x"), LineLost("unplugged"), BusFull("x"))
        for slot, error in zip(slots, errors, strict=True):
            await harvest.failed(stream, [slot], error)
        found = [await _standing(journal, slot) for slot in slots]
        assert [(Reason.SILENT, 1), (Reason.LINE_DOWN, 0), (Reason.WAITING, 0)] == [
            (one.reason, one.tries) for one in found
        ]


@pytest.mark.asyncio
async def test_no_freeze_waits_for_room_for_a_curve(tmp_path: Path) -> None:
    """On a disk that is almost full the collector would stand still at its first curve, and bills with it."""
    little = Reserve(tmp_path / "reserve", octets=4096, tight_octets=2**62)
    clock = SimClock(EPOCH)
    async with Journal.open(tmp_path / "j", clock=clock, put_aside=little) as journal:
        harvest = Harvest("line1", journal, journal.ledger)
        curve, freeze = _stream(CURVE), _stream(DAILY_FREEZE)
        [point, *_] = await _open(journal, curve, 2)
        assert not await harvest.take(curve, [point], _answer(_record(point, "a", "b")))
        found = await _standing(journal, point)
        assert (State.DUE, Reason.NO_ROOM, 0) == (found.state, found.reason, found.tries), "due, and says why"
        nights = await _open(journal, freeze, 2)
        assert await harvest.take(freeze, nights[1:], _answer(_record(nights[1], "a", "b")))
        assert 1 == len(await journal.rows_after(0, 10))


@pytest.mark.asyncio
async def test_what_was_refused_is_due_again_once_the_class_brings_something(tmp_path: Path) -> None:
    """A passing refusal of all records would close slots for good that the meter holds."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH)) as journal:
        stream = _stream(CURVE)
        slots = await _open(journal, stream, 4)
        await journal.ledger.kept([stream.series.key(slots[3])])
        await journal.ledger.refused([stream.series.key(slot) for slot in slots[:3]], note="has none")
        assert 2 == await journal.ledger.reopen(stream.series, since=slots[1])
        states = [(await _standing(journal, slot)).state for slot in slots]
        assert [State.REFUSED, State.DUE, State.DUE, State.KEPT] == states
        assert 0 == await journal.ledger.reopen(stream.series, since=slots[1])


@pytest.mark.asyncio
async def test_what_was_kept_without_an_item_is_due_again_once_that_comes(tmp_path: Path) -> None:
    """A register that was refused for a while would be missing in those slots for good."""
    async with Journal.open(tmp_path / "j", clock=SimClock(EPOCH)) as journal:
        stream = _stream(CURVE)
        slots = await _open(journal, stream, 6)
        ledger, keys = journal.ledger, [stream.series.key(slot) for slot in slots]
        await ledger.kept(keys[:5])
        note = lacking_note(["b", "c.*"], "has none: says so")
        await ledger.lack([*keys[:3], keys[5]], note=note)
        await ledger.lack(keys[3:4], note=lacking_note(["c.*"], "has none"))
        standing = await _standing(journal, slots[1])
        assert (State.KEPT, note) == (standing.state, standing.note)
        assert standing.sentence("en").endswith(", without b, c.*: has none: says so")
        assert "" == (await _standing(journal, slots[5])).note, "it is not kept: other things are said of it"
        assert 0 == await ledger.reopen_lacking(stream.series, {"a"}, since=slots[0])
        assert 2 == await ledger.reopen_lacking(stream.series, {"a", "b"}, since=slots[1])
        states = [(await _standing(journal, slot)).state for slot in slots]
        assert [State.KEPT, State.DUE, State.DUE, State.KEPT, State.KEPT, State.DUE] == states
        open_again = await _standing(journal, slots[1])
        assert (Reason.REFUSED, note) == (open_again.reason, open_again.note)
        await ledger.kept(keys[1:2])
        assert "" == (await _standing(journal, slots[1])).note
