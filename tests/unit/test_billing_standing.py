"""How a day stands, where a meter has several freezes of it: the same holds here as in its rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.billing.standing import freeze_valid
from meterlink.model.marks import NO_MARKS, Marks
from tests.support.billing import FIRST_DAY, TOTAL, plant

_EARLIER = timedelta(minutes=-10)


@pytest.mark.parametrize(
    ("first", "second", "valid"), [(Marks.CONFLICT, NO_MARKS, 1), (NO_MARKS, Marks.CONFLICT, 0)]
)
@pytest.mark.asyncio
async def test_what_says_nothing_of_a_freeze_does_not_make_it_the_newest(
    tmp_path: Path, first: Marks, second: Marks, valid: int
) -> None:
    """The completeness of a sealed day would call valid what billing has as doubtful."""
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY)
        await at.put(1)
        await at.keep("m1", FIRST_DAY, {TOTAL: "100.00"}, marks=first)
        await at.keep("m1", FIRST_DAY, {TOTAL: "99.50"}, marks=second, at=_EARLIER)
        await at.keep("m1", FIRST_DAY, {TOTAL: "7.00"}, marks=Marks.INVALID_DIGITS)
        with at.freezes() as freezes:
            rows = freezes.all_after(0, until=freezes.newest(), day=FIRST_DAY, area=None)
            assert 3 == len(list(rows)), "all of one day"
            assert valid == freeze_valid(freezes, FIRST_DAY, None)["valid"]
