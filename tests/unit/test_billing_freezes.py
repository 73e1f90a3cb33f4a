"""Freezes out of a real journal: each row once, in the order of the log, with where its meter stood then."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.billing import source
from meterlink.billing.consumption import Lack
from meterlink.billing.source import LOOKS_AT_ONCE, Freezes
from meterlink.errors import RowUnreadable
from meterlink.journal import freeze_rows
from meterlink.journal.reader import JournalReader
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.roster.saying import Saying
from tests.support.billing import FIRST_DAY, JOURNAL, TOTAL, Plant, plant

_DAY = timedelta(days=1)
_SECOND = FIRST_DAY + _DAY


async def _two_areas(at: Plant) -> list[int]:
    """Two meters, two days; the first is corrected, and moves to another area after the first day."""
    await at.put(1, area="east", customer_number="000000000901", ct="30")
    await at.put(2, area="west")
    at.after(FIRST_DAY)
    seqs = [
        await at.keep("m1", FIRST_DAY, {TOTAL: "100.00", f"{TOTAL}.t1": "60.00"}),
        await at.keep("m2", FIRST_DAY, {TOTAL: "7.50"}),
    ]
    moved = {"area": "north", "customer_number": "000000000902", "ct": "40"}
    await at.put(1, saying=Saying.NEW_CUSTOMERS, **moved)
    at.after(_SECOND)
    seqs += [
        await at.keep("m1", _SECOND, {TOTAL: "101.00"}),
        await at.keep("m1", FIRST_DAY, {TOTAL: "100.50"}, marks=Marks.CONFLICT),
        await at.keep("m2", _SECOND, {TOTAL: "8.00"}, marks=Marks.BACKFILL, late=_DAY),
    ]
    return seqs


@pytest.mark.asyncio
async def test_each_row_comes_once_with_its_place_of_then(tmp_path: Path) -> None:
    """Today's multiplier on yesterday's freeze is a wrong bill, and so is a row that comes twice."""
    async with plant(tmp_path) as at:
        seqs = await _two_areas(at)
        with at.freezes() as freezes:
            rows, cursor = freezes.after(0)
            assert seqs == [row.seq for row in rows]
            assert (freezes.newest(), []) == (cursor, freezes.after(cursor)[0])
            first, moved, corrected, late = rows[0], rows[2], rows[3], rows[4]
            assert ("east", "000000000901", Decimal(30)) == (
                first.place.area,
                first.place.customer_number,
                first.place.multiplier,
            )
            assert ("north", Decimal(40)) == (moved.place.area, moved.place.multiplier)
            assert ("east", FIRST_DAY, seqs[0], "suspect") == (
                corrected.place.area,
                corrected.day,
                corrected.supersedes,
                corrected.quality,
            )
            assert (None, "read", "valid") == (first.supersedes, first.source, first.quality)
            assert ("backfill", _SECOND) == (late.source, late.day)
            assert Decimal("3000.0000") == first.registers[0].times(first.place.multiplier)


@pytest.mark.asyncio
@pytest.mark.parametrize("looks", [1, LOOKS_AT_ONCE])
async def test_a_filter_brings_those_rows_in_pages_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """A page that is full in the middle of a look, or ends before it is full, must lose nothing behind it."""
    monkeypatch.setattr(source, "LOOKS_AT_ONCE", looks)
    async with plant(tmp_path) as at:
        seqs = await _two_areas(at)
        wanted: dict[tuple[date | None, str | None], list[int]] = {
            (FIRST_DAY, None): [seqs[0], seqs[1], seqs[3]],
            (None, "west"): [seqs[1], seqs[4]],
            (None, "east"): [seqs[0], seqs[3]],
            (None, "north"): [seqs[2]],
            (FIRST_DAY, "east"): [seqs[0], seqs[3]],
            (_SECOND, "east"): [],
        }
        with at.freezes() as freezes:
            for (day, area), expected in wanted.items():
                for limit in (1, 2, 100):
                    found, cursor = [], 0
                    while cursor < freezes.newest():
                        rows, cursor = freezes.after(cursor, day=day, area=area, limit=limit)
                        assert len(rows) <= limit
                        found += [row.seq for row in rows]
                    assert expected == found, (day, area, limit)


@pytest.mark.asyncio
async def test_an_exchange_is_consumption_of_both_meters(tmp_path: Path) -> None:
    """VEE-12 over the journal: both end registers, and a tariff of which nobody told them lacks."""
    async with plant(tmp_path) as at:
        await at.put(1, ct="2")
        at.after(FIRST_DAY)
        await at.keep("m1", FIRST_DAY, {TOTAL: "10.00", f"{TOTAL}.t1": "5.00"})
        at.after(FIRST_DAY, hours=12)
        exchanged = at.clock.now
        exchange = Exchange(
            old="m1",
            new="n1",
            meter_number="000000000777",
            removed_at=exchanged,
            installed_at=exchanged,
            last={TOTAL: Decimal("14.00")},
            first={TOTAL: Decimal("3.00")},
        )
        await at.book.exchange(exchange, actor="li")
        at.after(_SECOND)
        new = await at.keep("n1", _SECOND, {TOTAL: "5.50", f"{TOTAL}.t1": "1.00"})
        with at.freezes() as freezes:
            found = freezes.consumption("n1", TOTAL, _SECOND, _SECOND)
            assert Decimal("13.00") == found.amount
            assert ("m1", "n1") == tuple(part[0] for part in found.parts)
            assert new in found.seqs
            tariff = freezes.consumption("n1", f"{TOTAL}.t1", _SECOND, _SECOND)
            assert (None, Lack.NO_EXCHANGE_REGISTERS) == (tariff.amount, tariff.lack)
            assert ["m1"] == freezes.points.in_service(freezes.end_of(FIRST_DAY))
            assert ["n1"] == freezes.points.in_service(freezes.end_of(_SECOND))
        assert CHINA_TIME.utcoffset(None) == timedelta(hours=8)


@pytest.mark.asyncio
async def test_a_page_is_found_by_its_place_in_the_log(tmp_path: Path) -> None:
    """Each page would read and sort all freezes of all years: a second each after one year of a city."""
    async with plant(tmp_path) as at:
        await _two_areas(at)
    db, asked = sqlite3.connect(tmp_path / JOURNAL), list[str]()
    db.set_trace_callback(asked.append)
    assert 5 == len(freeze_rows.following(db, after=0, until=10**9, limit=10))
    assert 0 < freeze_rows.newest_freeze(db)
    db.set_trace_callback(None)
    pages = (asked[0], asked[-1])
    assert 2 == len(asked[1:-1]), "the one row with another before it, and that other"
    for query in asked:
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
        index = "INDEX log_freezes_kept (data_class=?" if query in pages else "INDEX reading_by_key (meter=?"
        assert any(index in step for step in steps), steps
    db.close()


@pytest.mark.asyncio
async def test_a_damaged_row_stops_its_own_area_alone(tmp_path: Path) -> None:
    """One bad sector would stop the seals and the feed of all meters without an area."""
    async with plant(tmp_path) as at:
        await at.put(1, area="A1")
        await at.put(2)
        at.after(FIRST_DAY)
        for number in (1, 2, 3):
            await at.keep(f"m{number}", FIRST_DAY, {TOTAL: "1.00"})
    with sqlite3.connect(tmp_path / JOURNAL) as db:
        db.execute("DROP TRIGGER reading_keeps_values")
        db.execute("UPDATE reading SET value = 'x1' WHERE meter = 'm1'")
    db.close()
    with JournalReader(tmp_path / JOURNAL) as reader:
        freezes = Freezes(reader, CHINA_TIME)
        for day in (None, FIRST_DAY):
            assert ["m2", "m3"] == [one.meter for one in freezes.after(0, day=day, area="")[0]]
            for area in ("A1", None):
                with pytest.raises(RowUnreadable):
                    freezes.after(0, day=day, area=area)


@pytest.mark.asyncio
async def test_a_change_told_by_a_clock_that_is_behind_moves_nothing_that_was_kept(tmp_path: Path) -> None:
    """A gateway without a battery starts in the past; a multiplier told then would be that of sealed days."""
    day = [FIRST_DAY + timedelta(days=n) for n in range(3)]
    async with plant(tmp_path) as at:
        await at.put(1, area="east", ct="30")
        at.after(day[0])
        await at.keep("m1", day[0], {TOTAL: "1.00"})
        await at.keep("m1", day[1], {TOTAL: "2.00"})
        settler = at.settler(formats=("csv",))
        await settler.settle(day[0], "east")
        at.clock.now = datetime(2026, 10, 2, tzinfo=UTC)
        await at.put(1, area="west", ct="40")
        at.after(day[2])
        await at.keep("m1", day[2], {TOTAL: "3.00"})
        assert (await settler.settle(day[0], "east")).manifest is None
        with at.freezes() as freezes:
            rows, _ = freezes.after(0)
            whole = [freezes.consumption("m1", TOTAL, one, one) for one in day[1:]]
        assert [("east", "30")] * 2 + [("west", "40")] == [
            (one.place.area, str(one.place.multiplier)) for one in rows
        ]
        assert ["30.00", None] == [None if one.amount is None else str(one.amount) for one in whole]
        assert Lack.MULTIPLIER_CHANGED is whole[1].lack


@pytest.mark.asyncio
async def test_a_freeze_that_came_by_several_ways_names_each(tmp_path: Path) -> None:
    """What a concentrator's store lacked, and the meter itself told, would be taken for the store's word."""
    store, proxy = "terminal 0171-2082 store", "terminal 0171-2082 proxy"
    tariffs = [f"{TOTAL}.t{number}" for number in range(1, 5)]
    async with plant(tmp_path) as at:
        await at.put(1, 2)
        at.after(FIRST_DAY)
        registers = dict.fromkeys([TOTAL, *tariffs], "1.00")
        of_both = {TOTAL: store, tariffs[0]: store, **dict.fromkeys(tariffs[1:], proxy)}
        await at.keep("m1", FIRST_DAY, registers, routes=of_both)
        await at.keep("m2", FIRST_DAY, registers, routes=dict.fromkeys(registers, store))
        with at.freezes() as freezes:
            assert [f"{store} + {proxy}", store] == [row.route for row in freezes.after(0)[0]]
