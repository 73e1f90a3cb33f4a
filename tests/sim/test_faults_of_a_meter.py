"""Faults of a meter: its clock, its registers, its refusals, its data, and a twin of it on the line."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.model.marks import Marks
from metersim import FaultRule, Line, MemoryDuplex, Meter, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.plant.effects import strike
from metersim.plant.happenings import Happening
from tests.support.agreement import readings_of
from tests.support.collection_truth import QUARTER, Book
from tests.support.faulty_line import MIDNIGHT, FaultyLine
from tests.support.simulated import ITEMS, START, Duplex, SimulatedGateway, slots_between

_MINUTE = timedelta(minutes=1)
_ENERGY = "forward_active_energy"


def _jump(line: FaultyLine, *, hours: float, by: timedelta, times: int = 1) -> Callable[[], Awaitable[None]]:
    """The clocks of the first two meters jump after so many hours; each ``-by`` later once more."""

    async def jump() -> None:
        await asyncio.sleep(hours * 3600)
        for _ in range(times):
            for name in line.names[:2]:
                line.meters[name].works.clock.go_wrong(line.gateway.sim.clock.utc_now(), by=by)
            if times > 1:
                await asyncio.sleep(-by.total_seconds())

    return jump


@pytest.mark.parametrize(
    ("by", "times"),
    [(10 * _MINUTE, 1), (-10 * _MINUTE, 1), (60 * _MINUTE, 1), (-60 * _MINUTE, 1), (-5 * _MINUTE, 12)],
    ids=["10 min fast", "10 min slow", "summer time", "winter time", "stuck for an hour"],
)
def test_f17_a_wrong_clock_gives_its_own_slots_and_harms_nobody(
    tmp_path: Path, by: timedelta, times: int
) -> None:
    """F17: a record would stand under a time that its meter never showed, or the meter not be read again."""
    line = FaultyLine(tmp_path, count=3)
    line.run(hours=3, meanwhile=_jump(line, hours=0.7, by=by, times=times))
    now = line.gateway.sim.clock.utc_now()
    slots, readings = _book(line)
    for number, name in enumerate(line.names):
        clock = line.meters[name].works.clock
        due = [slot for (meter, kind, slot) in slots if (meter, kind) == (name, "curve")]
        assert {MIDNIGHT + n * QUARTER for n in range(11)} <= set(due), f"nobody knows what {name} owes"
        for slot in due:
            row, values = slots[name, "curve", slot], readings.get((name, "curve", slot), {})
            assert (row.state == "kept") == bool(values)
            if values:
                assert values[_ENERGY] in _shown(line.meters[name], slot, now), (name, slot)
            elif slot < min(now, clock.shows(now)) - 3 * QUARTER:
                assert number < 2 and not _shown(line.meters[name], slot, now), f"{name} took {slot}: {row}"
                assert row.reason in ("not_taken", "gone"), row
    line.gateway.check_database()


def _book(line: FaultyLine) -> tuple[dict[Any, Any], dict[Any, dict[str, Decimal]]]:
    book = Book(line.gateway.folder / JOURNAL_FILE)
    try:
        return book.slots(), book.readings()
    finally:
        book.close()


def _shown(meter: Any, slot: datetime, now: datetime) -> set[Decimal]:
    """What the meter measured at each moment at which its clock showed a time."""
    moments = [slot - meter.works.clock.ahead(at) for at in _quarters(now)]
    return {meter.value(_ENERGY, at) for at in moments if meter.works.clock.shows(at) == slot}


def _quarters(now: datetime) -> list[datetime]:
    count = int((now - MIDNIGHT) / _MINUTE)
    return [MIDNIGHT + n * _MINUTE for n in range(count)]


@pytest.mark.parametrize(
    "happening",
    [
        Happening(what="register_rollover", at=timedelta(), item=_ENERGY, left_kwh=Decimal(2)),
        Happening(what="register_set", at=timedelta(), item=_ENERGY, value=Decimal("12.34")),
        Happening(what="registers_reset", at=timedelta()),
    ],
    ids=lambda happening: happening.what,
)
def test_f18_registers_are_kept_as_the_meter_shows_them(tmp_path: Path, happening: Happening) -> None:
    """F18: a register that begins again at 0 would be held back, or put right by somebody's guess."""
    line = FaultyLine(tmp_path, count=2)

    async def happen() -> None:
        await asyncio.sleep(1.1 * 3600)
        for meter in line.meters.values():
            strike(happening, meter.works, line.gateway.sim.clock.utc_now())

    line.run(hours=2.4, meanwhile=happen)
    assert [] == line.differences(hours=2)
    for meter in line.names:
        kept = [
            reading.value
            for reading in sorted(readings_of(line.gateway.rows()), key=lambda one: one.slot)
            if (reading.meter, reading.item) == (meter, _ENERGY) and reading.value is not None
        ]
        assert any(later < before for before, later in pairwise(kept)), "it fell"


@pytest.mark.parametrize(
    ("words", "says"),
    [((0x02, 6), "has no load record"), ((0x04, 15), "password"), ((0x01, 2), "other error")],
    ids=["no data", "password wrong", "not now"],
)
def test_f20_a_refusal_is_told_in_the_meters_words_and_ends(
    tmp_path: Path, words: tuple[int, int], says: str
) -> None:
    """F20: a meter that says no would be asked without pause, and its neighbours wait; or never again."""
    line = FaultyLine(tmp_path)
    for number, word in enumerate(words):
        line.strike("abnormal", meter=line.address(number), word=word)
    refused = line.names[:2]
    asked: list[int] = []

    async def count() -> None:
        await asyncio.sleep(1.3 * 3600)
        asked.append(line.struck())
        told = line.verdict(hours=1).holes
        assert {*refused} == {meter for meter, _ in told}
        assert {"not_taken", "bad_data", "refused"} >= {reason for why in told.values() for reason in why}
        assert says in _notes(line, refused[0])

    line.run(hours=1.75, mended_after=1.3, meanwhile=count)
    assert [] == line.differences(hours=1)
    assert asked[0] <= 106, "8 rounds, 2 classes, 2 meters, twice each, tries of what may pass, looks"


_PLANS: list[Mapping[str, object]] = [
    {"class": "daily_freeze", "items": [_ENERGY]},
    {"class": "monthly_freeze", "items": [_ENERGY]},
    {"class": "curve", "every_s": 900, "items": [_ENERGY], "gather_s": 900},
    {"name": "now", "every_s": 300, "items": [_ENERGY]},
]


@pytest.mark.parametrize("word", [0x01, 0x02, 0x04, 6, 15, 255])
@pytest.mark.parametrize("times", [2, None])
def test_f20_a_refusal_that_passes_costs_no_slot_that_a_memory_holds(
    tmp_path: Path, word: int, times: int | None
) -> None:
    """F20: a day of slots was closed for good by a meter that was busy for a moment."""
    first, second = "000000000161", "000000000162"
    gateway = SimulatedGateway(
        tmp_path,
        [Station(meter=Meter(first, seed=1)), Station(meter=Meter698(second, seed=1))],
        plans=_PLANS,
        protocols={second: "dlt698.45"},
        start=MIDNIGHT,
    )

    async def refuse() -> None:
        for meter in (first, second):
            rule = FaultRule(what="abnormal", meter=meter, word=word, times=times)
            gateway.strikes.rules.add(rule, at=gateway.sim.clock.utc_now())
        await asyncio.sleep(2.5 * 3600)
        for report in gateway.strikes.rules.reports():
            assert report.struck
            gateway.strikes.rules.remove(report.number)

    gateway.run(seconds=28 * 3600, meanwhile=refuse)
    book = Book(gateway.folder / JOURNAL_FILE)
    with contextlib.closing(book):
        late = gateway.clock.utc_now() - timedelta(minutes=40)
        rows = {key: row for key, row in book.slots().items() if key[2] <= late}
    lost = {key: row for key, row in rows.items() if row.state != "kept"}
    assert {"instant"} >= {data_class for _, data_class, _ in lost}
    says_none = {first: word & 0x02, second: word in {4, 6}}
    for meter in (first, second):
        mine = [slot for name, _, slot in lost if name == f"m{meter}"]
        if not says_none[meter] and mine:
            assert max(mine) <= MIDNIGHT + timedelta(hours=2.5), "it was not asked any more that day"


def _notes(line: FaultyLine, meter: str) -> str:
    """What the ledger tells of what is missing."""
    db = sqlite3.connect(f"file:{line.gateway.folder / JOURNAL_FILE}?mode=ro", uri=True)
    with contextlib.closing(db):
        rows = db.execute("SELECT note FROM slot JOIN series ON series = number WHERE meter = ?", (meter,))
        return " | ".join({str(note) for (note,) in rows})


class _Unmeasured(Meter):
    """A meter whose registers hold octets that are no digits."""

    filling = b""

    def _content(self, *args: Any) -> Any:
        told = super()._content(*args)
        return told if told is None or not self.filling else (self.filling * len(told[0]), {})


@pytest.mark.parametrize("filling", [b"\xff", b"\xee"], ids=["FF", "EE"])
def test_f21_what_is_no_digits_is_no_value(tmp_path: Path, filling: bytes) -> None:
    """F21: a meter that fills its answer with FFH would be billed for 999,999.99 kWh, or for 0."""
    meters = [_Unmeasured(f"{number:012d}", seed=1) for number in (1, 2)]
    gateway = SimulatedGateway(tmp_path, [Station(meter=meter) for meter in meters], every_s=60)

    async def fill() -> None:
        await asyncio.sleep(50)
        meters[0].filling = filling
        await asyncio.sleep(120)
        meters[0].filling = b""

    gateway.run(seconds=239, meanwhile=fill)
    due = slots_between(START, 60, 4)
    for item in ITEMS:
        assert due == gateway.slots_of(meters[1].address, item)
        assert [due[0], due[3]] == gateway.slots_of(meters[0].address, item)
    empty = {
        (reading.meter, reading.slot, reading.item): reading.marks
        for row in gateway.rows()
        for reading in row.readings
        if reading.value is None
    }
    mark = Marks.ABSENT if filling == b"\xff" else Marks.INVALID_DIGITS
    assert {(f"m{meters[0].address}", slot, item): mark for slot in due[1:3] for item in ITEMS} == empty
    gateway.check_database()


class _Wires:
    """Two lines that are one pair of wires: a 0 of either wins over the 1 of the other."""

    def __init__(self, ours: Duplex) -> None:
        self._ours = ours
        self.is_alone = False

    async def run(self, lines: Sequence[Line]) -> None:
        async with asyncio.TaskGroup() as group:
            pairs = [memory_pair() for _ in lines]
            for line, (far, _) in zip(lines, pairs, strict=True):
                group.create_task(line.serve(far))
            nears = [near for _, near in pairs]
            group.create_task(self._answers(nears))
            while octets := await self._ours.receive():
                for near in nears[: 1 if self.is_alone else None]:
                    await near.send(octets)
            for near in nears:
                near.close()

    async def _answers(self, nears: Sequence[MemoryDuplex]) -> None:
        while True:
            first = await nears[0].receive()
            if not first:
                return
            other = b"" if self.is_alone else await nears[1].receive()
            pairs = zip_longest(first, other, fillvalue=0xFF)
            with contextlib.suppress(ConnectionError):
                await self._ours.send(bytes(one & two for one, two in pairs))


def test_f8_two_meters_of_one_address_give_no_reading(tmp_path: Path) -> None:
    """F8: what two meters say at once would be kept for what one of them measured."""
    meters = [Meter("000000000001", seed=1), Meter("000000000001", seed=2)]
    assert meters[0].value(_ENERGY, START) != meters[1].value(_ENERGY, START)
    gateway = SimulatedGateway(tmp_path, [Station(meter=meters[0])], every_s=60)
    lines = [Line([Station(meter=meter)], clock=gateway.sim.clock) for meter in meters]
    wires: list[_Wires] = []

    async def serve(duplex: Duplex) -> None:
        wires.append(_Wires(duplex))
        await wires[-1].run(lines)

    gateway.serve = serve

    async def part() -> None:
        await asyncio.sleep(290)
        wires[0].is_alone = True

    with capture_logs() as logs:
        gateway.run(seconds=8 * 60 - 1, meanwhile=part)
    due = slots_between(START, 60, 8)
    for item in ITEMS:
        assert due[5:] == gateway.slots_of(meters[0].address, item)
    assert [] != [entry for entry in logs if entry["event"] in ("meter_silent", "bad_answer")]
    for reading in readings_of(gateway.rows()):
        assert reading.value == meters[0].value(reading.item, reading.taken_at)
