"""Spans of days: the exact sum of their days, or a reason; what happens between their ends counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.billing.between import DAYS_AT_ONCE
from meterlink.billing.consumption import Consumption, Lack
from meterlink.billing.days import end_of
from meterlink.billing.freezes import FreezeRow
from meterlink.billing.source import Freezes
from meterlink.errors import BadRequest
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.roster.saying import Saying
from meterlink.roster.turns import Turn
from meterlink.validation.judge import Judge
from meterlink.validation.validator import Validator
from tests.support.billing import FIRST_DAY, TOTAL, AnyFacts, Plant, plant
from tests.support.web import served

_ONE = timedelta(days=1)


async def _shown(at: Plant, *registers: object, meter: str = "m1", first: int = -1) -> None:
    """Keep a freeze of each day from a day on."""
    for number, register in enumerate(registers, start=first):
        at.after(FIRST_DAY + number * _ONE)
        await at.keep(meter, FIRST_DAY + number * _ONE, {TOTAL: Decimal(str(register))})


def _of(freezes: Freezes, first: int, last: int | None = None, meter: str = "m1") -> Consumption:
    last = first if last is None else last
    return freezes.consumption(meter, TOTAL, FIRST_DAY + first * _ONE, FIRST_DAY + last * _ONE)


@pytest.mark.asyncio
@pytest.mark.parametrize(("first", "a_day"), [(995_000, 10), (500, 40)])
async def test_a_register_that_was_set_back_has_no_month(tmp_path: Path, first: int, a_day: int) -> None:
    """A meter that lost its register would be billed 5,000 kWh as if it had rolled over, or too little."""
    async with plant(tmp_path) as at:
        at.journal.judge = Judge(Validator(AnyFacts()), {})
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1)
        before = [first + n * a_day for n in range(6)]
        await _shown(at, *before, *(n * a_day for n in range(100)))
        with at.freezes() as freezes:
            whole = _of(freezes, 0, 20)
            assert (None, Lack.WENT_BACK) == (whole.amount, whole.lack)
            assert "reg_back" in whole.marks.names
            assert 5 * a_day == _of(freezes, 0, 4).amount, "up to the day before"
            assert 90 * a_day == _of(freezes, 6, 95).amount, "from the day after on"


@pytest.mark.asyncio
async def test_what_lies_between_is_looked_through_piece_by_piece(tmp_path: Path) -> None:
    """The freeze that ends one piece, or begins the next, would be passed over."""
    async with plant(tmp_path) as at:
        await at.put(1)
        for day, register in ((0, "500"), (2 * DAYS_AT_ONCE, "900"), (36_600, "950")):
            await at.keep("m1", FIRST_DAY + (day - 1) * _ONE, {TOTAL: register})
        with at.freezes() as freezes:
            assert Decimal(450) == _of(freezes, 0, 36_599).amount
        for day in (DAYS_AT_ONCE, DAYS_AT_ONCE + 1):
            await at.keep("m1", FIRST_DAY + (day - 1) * _ONE, {TOTAL: "1"})
            with at.freezes() as freezes:
                assert Lack.WENT_BACK is _of(freezes, 0, 36_599).lack
            await at.keep("m1", FIRST_DAY + (day - 1) * _ONE, {TOTAL: "600"})


def _noon(day: int) -> datetime:
    return end_of(FIRST_DAY + day * _ONE, CHINA_TIME) - timedelta(hours=12)


@pytest.mark.asyncio
async def test_a_multiplier_that_came_and_went_within_a_span_is_not_passed_over(tmp_path: Path) -> None:
    """Three days with other transformers would be billed as if they had never been there."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1, ct="30")
        await _shown(at, *range(100, 130, 10))
        at.clock.now = _noon(2)
        await at.put(1, ct="40")
        await _shown(at, *range(130, 160, 10), first=2)
        at.clock.now = _noon(5)
        await at.put(1, ct="30")
        await _shown(at, *range(160, 200, 10), first=5)
        with at.freezes() as freezes:
            found = [_of(freezes, day) for day in range(8)]
            assert [300, 300, None, 400, 400, None, 300, 300] == [one.amount for one in found]
            assert (None, Lack.MULTIPLIER_CHANGED) == (_of(freezes, 0, 7).amount, _of(freezes, 0, 7).lack)
            assert Decimal(800) == _of(freezes, 3, 4).amount


@pytest.mark.asyncio
async def test_a_multiplier_that_changes_at_midnight_is_billed_on_both_sides(tmp_path: Path) -> None:
    """The freeze of that instant tells all that is needed, and the month would have no amount."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1, ct="30")
        await _shown(at, 100, 110)
        at.clock.now = end_of(FIRST_DAY, CHINA_TIME)
        await at.put(1, ct="40")
        await _shown(at, 120, 130, first=1)
        with at.freezes() as freezes:
            assert [300, 400, 400] == [_of(freezes, day).amount for day in range(3)]
            whole = _of(freezes, 0, 2)
            assert Decimal(1100) == whole.amount
            assert (("m1", Decimal(10), Decimal(30)), ("m1", Decimal(20), Decimal(40))) == whole.parts


async def _exchange(
    at: Plant, old: str, new: int, removed: datetime, installed: datetime, *shown: str, **keys: Any
) -> None:
    """One meter for another: what the old one showed, and the new one."""
    at.clock.now = installed
    last, first = ({TOTAL: Decimal(one)} for one in shown)
    told = Exchange(
        old=old,
        new=f"m{new}",
        meter_number=f"{new:012d}",
        removed_at=removed,
        installed_at=installed,
        last=last,
        first=first,
        **keys,
    )
    await at.book.exchange(told, actor="li")


@pytest.mark.asyncio
@pytest.mark.parametrize(("out_h", "in_h"), [(-3, 8), (0, 0), (-2, 0), (0, 2)])
async def test_a_midnight_between_two_meters_is_an_end_of_both_days(
    tmp_path: Path, out_h: int, in_h: int
) -> None:
    """Both days would have no amount for ever, though all that it takes was told."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1)
        await _shown(at, "100.00")
        midnight = end_of(FIRST_DAY, CHINA_TIME)
        removed, installed = (midnight + timedelta(hours=hours) for hours in (out_h, in_h))
        await _exchange(at, "m1", 9, removed, installed, "112.00", "0.50")
        await _shown(at, "3.00", meter="m9", first=1)
        with at.freezes() as freezes:
            for meter in ("m1", "m9"):
                days = [_of(freezes, day, meter=meter).amount for day in (0, 1)]
                assert [Decimal("12.00"), Decimal("2.50")] == days
                assert Decimal("14.50") == _of(freezes, 0, 1, meter).amount


@pytest.mark.asyncio
async def test_who_moves_in_within_a_span_is_not_billed_what_others_used(tmp_path: Path) -> None:
    """The energy of whoever lived there before would stand on the new customer's bill."""
    number = "{:012d}".format
    async with plant(tmp_path) as at, served(tmp_path) as api:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1)
        await _shown(at, 100)
        at.clock.now = _noon(0)
        await at.put(1, customer_number=number(7))
        await _shown(at, 110, 120, first=0)
        at.clock.now = _noon(2)
        await at.put(1, customer_number=number(1), saying=Saying.CORRECTED)
        await _shown(at, 130, first=2)
        at.clock.now = end_of(FIRST_DAY + 3 * _ONE, CHINA_TIME)
        await _shown(at, 140, first=3)
        at.clock.now = end_of(FIRST_DAY + 3 * _ONE, CHINA_TIME)
        await at.put(1, customer_number=number(2), saying=Saying.NEW_CUSTOMERS)
        await _shown(at, 150, 160, first=4)
        with at.freezes() as freezes:
            assert Decimal(40) == _of(freezes, 0, 3).amount, "told late, or corrected: one customer"
            assert Decimal(20) == _of(freezes, 4, 5).amount, "from midnight on it is another's"
            assert (None, Lack.CUSTOMER_CHANGED) == (_of(freezes, 3, 4).amount, _of(freezes, 3, 4).lack)
        async with api.client(api.token()) as client:
            asked = {"from": str(FIRST_DAY + 2 * _ONE), "to": str(FIRST_DAY + 3 * _ONE)}
            [row] = (await client.get("/v1/consumption", params=asked)).json()["consumption"]
            assert (number(1), "20") == (row["customer_number"], row["amount"])


@pytest.mark.asyncio
async def test_a_meter_that_went_is_billed_up_to_its_end(tmp_path: Path) -> None:
    """The last bill of whoever moves out would never be made; or an exchanged meter be found by no id."""
    async with plant(tmp_path) as at, served(tmp_path) as api:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1, 2, 3, area="east")
        for number in (1, 2, 3):
            await _shown(at, 100, 110, 120, meter=f"m{number}")
        gone = end_of(FIRST_DAY + _ONE, CHINA_TIME)
        at.clock.now = gone
        await at.put(1, area="east", in_service_until=gone)
        noon = _noon(2)
        at.clock.now = noon
        await at.put(2, area="east", in_service_until=noon)
        await _exchange(at, "m3", 9, noon, noon, "125", "0")
        await _shown(at, "5", meter="m9", first=2)

        async def rows(first: int, last: int, **asked: str) -> dict[str, tuple[str | None, str | None]]:
            days = {"from": str(FIRST_DAY + first * _ONE), "to": str(FIRST_DAY + last * _ONE)}
            answer = await client.get("/v1/consumption", params={**days, **asked})
            found = answer.json()["consumption"]
            return {one["meter"]: (one["amount"], (one["lack"] or {}).get("reason")) for one in found}

        async with api.client(api.token()) as client:
            untold = (None, "no_exchange_registers")
            assert {"m1": ("20", None), "m2": untold, "m9": ("30", None)} == await rows(0, 2, area="east")
            assert {f"m{number}": ("20", None) for number in (1, 2, 3)} == await rows(0, 1)
            assert {"m2": untold, "m9": ("10", None)} == await rows(2, 2)
            assert {"m9": ("30", None)} == await rows(0, 2, meter="m3")
            assert {"m3": ("20", None)} == await rows(0, 1, meter="m3")
            assert {} == await rows(3, 3, meter="m1") == await rows(0, 0, meter="m9")


def _ratio(ct: str, at: datetime, register: str = "") -> Turn:
    registers = {TOTAL: Decimal(register)} if register else {}
    return Turn(meter="m1", at=at, ct=Decimal(ct), registers=registers)


@pytest.mark.asyncio
async def test_a_ratio_holds_since_it_was_told_to_and_its_day_is_billed(tmp_path: Path) -> None:
    """Days since the transformers were changed would be billed with the old ones; the day itself never."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1, ct="30")
        await _shown(at, 100, 110, 120, 130, 140, 150)
        await at.book.turn(_ratio("40", _noon(2)), actor="li")
        with at.freezes() as freezes:
            found = [_of(freezes, day).amount for day in range(5)]
            assert [300, 300, None, 400, 400] == found, "told two days late"
            assert Lack.MULTIPLIER_CHANGED is _of(freezes, 0, 4).lack
        await at.book.turn(_ratio("40", _noon(2), "126.00"), actor="li")
        with at.freezes() as freezes:
            found = [_of(freezes, day).amount for day in range(5)]
            assert [300, 300, 6 * 30 + 4 * 40, 400, 400] == found, "and what the register showed"
            assert sum(one for one in found if one) == _of(freezes, 0, 4).amount
        with pytest.raises(BadRequest, match="--void-later"):
            await at.book.turn(_ratio("30", _noon(1)), actor="li")
        mistaken = replace(_ratio("30", _noon(1)), void_later=True)
        await at.book.turn(mistaken, actor="li")
        with at.freezes() as freezes:
            assert Decimal(1500) == _of(freezes, 0, 4).amount, "it was a mistake: there never were others"


@pytest.mark.asyncio
async def test_no_ratio_is_void_without_a_word(tmp_path: Path) -> None:
    """Told in the wrong order, days would be billed with a ratio that somebody had told the end of."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY)
        await at.put(1, ct="30")
        await _shown(at, 100, 110, 120, 130, 140, 150)
        await at.book.turn(_ratio("20", _noon(3), "135.00"), actor="li")
        with pytest.raises(BadRequest, match=r"told since 2026-11-04 12:00:00\+08:00"):
            await at.book.turn(_ratio("60", _noon(1)), actor="li")
        await at.book.turn(_ratio("20", _noon(1)), actor="li")  # the same, told too late: nothing is lost
        await at.book.turn(_ratio("60", _noon(1)), actor="li")  # since the same time: it was wrong
        await at.book.turn(_ratio("20", _noon(3)), actor="li")
        with at.freezes() as freezes:
            assert [300, None, 600, 5 * 60 + 5 * 20, 200] == [_of(freezes, day).amount for day in range(5)]


def _multiplied(row: FreezeRow) -> tuple[float | Decimal | None, ...]:
    day = (row.day - FIRST_DAY).days
    return day, row.place.multiplier, row.registers[0].times(row.place.multiplier)


@pytest.mark.asyncio
async def test_freezes_since_a_ratio_that_was_told_late_are_told_again(tmp_path: Path) -> None:
    """Whoever multiplies registers would bill with the old transformers, and never hear of the new ones."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1, 2, ct="30", area="east")
        for meter in ("m1", "m2"):
            await _shown(at, 100, 110, 120, 130, meter=meter)
        await at.keep("m1", FIRST_DAY + _ONE, {TOTAL: "121.00"}, marks=Marks.CONFLICT)
        settler = at.settler(formats=("csv",))
        for day in range(3):
            await settler.settle(FIRST_DAY + day * _ONE, "east")
        with at.freezes() as freezes:
            before, cursor = freezes.after(0)
        await at.book.turn(_ratio("40", _noon(1)), actor="li")
        with at.freezes() as freezes:
            told, cursor = freezes.after(cursor)
            assert [(1, 40, 121 * 40), (2, 40, 130 * 40)] == list(map(_multiplied, told))
            assert ["m1", "m1"] == [row.meter for row in told], "and nobody else's"
            assert before == freezes.after(0)[0][: len(before)], "what somebody has stays as it was"
            newest = {row.day: row.seq for row in before if row.meter == "m1"}
            assert [newest[row.day] for row in told] == [row.supersedes for row in told]
            assert ["suspect", "valid"] == [row.quality for row in told], "the conflict is one still"
            assert all("restated" in row.registers[0].marks.names for row in told)
        sealed = [await settler.settle(FIRST_DAY + day * _ONE, "east") for day in range(3)]
        assert [None, 1, 1] == [one.manifest and one.manifest.freezes for one in sealed]
        await at.book.turn(_ratio("30", _noon(1)), actor="li")
        with at.freezes() as freezes:
            told, cursor = freezes.after(cursor)
            assert [(1, 30, 121 * 30), (2, 30, 130 * 30)] == list(map(_multiplied, told)), "it was a mistake"
        await at.put(1, ct="50", area="east")
        await _shown(at, 140, first=3)
        await at.keep("m1", FIRST_DAY + 2 * _ONE, {TOTAL: "131.00"}, marks=Marks.CONFLICT)
        with at.freezes() as freezes:
            told, _ = freezes.after(cursor)
            assert [(3, 50), (2, 30)] == [_multiplied(row)[:2] for row in told], "each as of its own time"


@pytest.mark.asyncio
async def test_a_new_meter_may_have_another_ratio_from_its_first_hour(tmp_path: Path) -> None:
    """Its day would be billed with the ratio of the old meter, or have no amount."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1, ct="30")
        await _shown(at, "100")
        await _exchange(at, "m1", 9, _noon(0), _noon(0), "110", "0", ct=Decimal(40))
        await _shown(at, "5", "15", meter="m9", first=0)
        with at.freezes() as freezes:
            assert [500, 400] == [_of(freezes, day, meter="m9").amount for day in (0, 1)]
            assert Decimal(900) == _of(freezes, 0, 1, "m9").amount


@pytest.mark.asyncio
async def test_the_last_bill_is_made_of_what_was_told_of_the_removal(tmp_path: Path) -> None:
    """A meter that nobody put another in place of would have no last amount for ever."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1)
        await _shown(at, "100", "110")
        at.clock.now = _noon(1)
        await at.put(1, in_service_until=_noon(1))
        gone = Turn(meter="m1", at=_noon(1), registers={TOTAL: Decimal("104")})
        with pytest.raises(BadRequest, match="read with 110 already"):
            await at.book.turn(gone, actor="li")
        assert 3 == (await at.book.turn(replace(gone, registers={TOTAL: Decimal(114)}), actor="li")).revision
        with at.freezes() as freezes:
            assert [10, 4, None] == [_of(freezes, day).amount for day in range(3)]
            assert Decimal(14) == _of(freezes, 0, 5).amount


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("told", "why"),
    [
        (_ratio("40", _noon(9)), "is not yet"),
        (_ratio("40", _noon(-9)), "was not in service yet"),
        (_ratio("40", _noon(1)), "was out of service"),
        (replace(_ratio("40", _noon(0)), meter="m7"), "no meter 'm7'"),
        (replace(_ratio("40", _noon(0)), registers={"voltage.a": Decimal(1)}), "no register"),
        (replace(_ratio("40", _noon(0)), evidence="x" * 201), "at most 200"),
        (Turn(meter="m1", at=_noon(0), registers={}), "must be told"),
        (Turn(meter="m1", at=_noon(0), registers={TOTAL: Decimal(999)}), "was replaced by 'm9'"),
    ],
)
async def test_what_cannot_have_been_is_refused(tmp_path: Path, told: Turn, why: str) -> None:
    """A slip of the pen would change what was billed for years."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY - 2 * _ONE)
        await at.put(1, in_service_since=_noon(-3))
        await _shown(at, "100")
        await _exchange(at, "m1", 9, _noon(1), _noon(1), "110", "0")
        with pytest.raises(BadRequest, match=why):
            await at.book.turn(told, actor="li")
        assert 2 == (await at.book.held()).revision
