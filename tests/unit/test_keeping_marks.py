"""On their way into the journal readings get their marks, and a late one sets right what was kept before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.clock import SystemClock
from meterlink.journal.journal import Journal
from meterlink.model.history import Judged, Past
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from tests.support.judges import judge
from tests.support.kept import DAY, NIGHT, freeze, record_of

_HOUR = timedelta(hours=1)
_IN_ORDER = [(0, "500.00", NO_MARKS), (3, "9.00", Marks.REG_BACK)]
_CORRECTED = (3, "9.00", Marks.RESTATED)
_LATE = (2, "3.00", Marks.REG_BACK | Marks.BACKFILL)


def _freeze(day: int, value: str, after: timedelta = _HOUR) -> Record:
    return record_of(freeze(day, value, after=after))


async def _rows(journal: Journal) -> list[Reading]:
    return [reading for row in await journal.rows_after(0, 100) for reading in row.readings]


def _told(readings: Sequence[Reading]) -> list[tuple[int, str, Marks]]:
    return [((one.slot - NIGHT) // DAY, str(one.value), one.marks) for one in readings]


@pytest.mark.asyncio
async def test_a_late_reading_sets_the_later_one_right(tmp_path: Path) -> None:
    """The journal would say for ever that the register was reset on the wrong day."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        journal.judge = judge()
        await journal.keep(_freeze(0, "500.00"))
        await journal.keep(_freeze(3, "9.00"))
        assert 4 == await journal.keep(_freeze(2, "3.00", 2 * DAY)), (
            "the id of the record, not its correction"
        )
        found = await _rows(journal)
    assert [*_IN_ORDER, _CORRECTED, _LATE] == _told(found)
    assert replace(found[1], marks=_CORRECTED[2]) == found[2], "it is the same reading but for its marks"


@pytest.mark.asyncio
async def test_records_of_one_answer_are_each_others_past(tmp_path: Path) -> None:
    """Backfill brings several nights at once, the newest first: each would be judged as if alone."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        journal.judge = judge()
        await journal.keep(_freeze(0, "500.00"))
        await journal.keep(_freeze(5, "9.00"))
        nights = [(4, "7.00"), (3, "5.00"), (2, "3.00"), (1, "507.00")]
        await journal.keep_all([(_freeze(day, value, 7 * DAY), None) for day, value in nights])
        found = _told(await _rows(journal))
    late = Marks.BACKFILL
    assert [(5, "9.00", Marks.RESTATED)] == found[2:3], "corrected once, by the last of those before it"
    assert [late, late, late | Marks.REG_BACK, late] == [marks for _, _, marks in found[3:]]


@pytest.mark.asyncio
async def test_what_a_terminal_reports_is_judged_like_the_rest(tmp_path: Path) -> None:
    """A terminal that tells everything twice, and otherwise, would be believed each time."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        journal.judge = judge()
        for key, values in (
            ("a", ("500.00", "490.00")),
            ("a", ("500.00",)),
            ("b", ("500.00",)),
            ("c", ("7",)),
        ):
            records = [_freeze(day, value) for day, value in enumerate(values)]
            await journal.keep_report(records, key=key, repeat_s=600)
        found = [marks for _, _, marks in _told(await _rows(journal))]
    assert [NO_MARKS, Marks.REG_BACK, Marks.DUPLICATE] == found[:3]
    assert Marks.CONFLICT in found[-1]


@pytest.mark.asyncio
async def test_a_judge_that_breaks_costs_no_reading(tmp_path: Path) -> None:
    """One strange reading would end the journal, and with it the daemon, at each start."""

    def breaks(records: Sequence[Record], past: Past) -> Judged:
        raise ZeroDivisionError

    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        journal.judge = breaks
        await journal.keep(_freeze(0, "500.00"))
        assert [_IN_ORDER[0]] == _told(await _rows(journal))
