"""Spans of days: the exact sum of their days, or a reason; what happens between their ends counts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.billing.between import DAYS_AT_ONCE
from meterlink.billing.consumption import Consumption, Lack
from meterlink.billing.source import Freezes
from meterlink.validation.judge import Judge
from meterlink.validation.validator import Validator
from tests.support.billing import FIRST_DAY, TOTAL, AnyFacts, Plant, plant

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
