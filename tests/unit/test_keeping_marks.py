"""On their way to the journal readings get their marks, and a late one sets right what was kept before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.acquisition.judging import Judge
from meterlink.acquisition.keeping import PatientKeeper
from meterlink.clock import SystemClock
from meterlink.drivers.base import Measured
from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.history import History
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.model.slot import SlotKey
from meterlink.validation.validator import Validator
from tests.support.kept import DAY, FACTS, ITEM, METER, NIGHT, freeze


class _Watched:
    """A journal that is watched, and that cannot be read some times."""

    def __init__(self, journal: Journal, away: int = 0) -> None:
        self._journal = journal
        self.away = away
        self.kept: list[list[Record]] = []

    async def keep_all(self, records: Sequence[tuple[Record, SlotKey | None]]) -> None:
        self.kept.append([record for record, _ in records])
        await self._journal.keep_all(records)

    async def histories(
        self, data_class: str, meter: str, wanted: Mapping[datetime, Sequence[str]]
    ) -> dict[datetime, History]:
        if self.away:
            self.away -= 1
            raise JournalError("the disk failed")
        return await self._journal.histories(data_class, meter, wanted)

    async def kept_in(self, data_class: str, slot: datetime) -> set[tuple[str, str]]:
        return await self._journal.kept_in(data_class, slot)


async def _keep(journal: Journal | _Watched, day: int, value: str, after: timedelta) -> None:
    judge = Judge(Validator({METER: FACTS}), journal, {})
    keeper = PatientKeeper(journal, judge, line="line1", data_class=DAILY_FREEZE)
    one = freeze(day, value, after=after)
    measured = Measured(item=ITEM, period="", value=one.value, text=value, unit="kWh", marks=NO_MARKS)
    await keeper.keep(METER, [measured], slot=one.slot, taken_at=one.taken_at)


async def _rows(journal: Journal) -> list[Reading]:
    return [reading for row in await journal.rows_after(0, 100) for reading in row.readings]


def _told(readings: Sequence[Reading]) -> list[tuple[int, str, Marks]]:
    return [((one.slot - NIGHT) // DAY, str(one.value), one.marks) for one in readings]


_HOUR = timedelta(hours=1)
_IN_ORDER = [(0, "500.00", NO_MARKS), (3, "9.00", Marks.REG_BACK)]
_CORRECTED = (3, "9.00", Marks.RESTATED)
_LATE = (2, "3.00", Marks.REG_BACK | Marks.BACKFILL)


@pytest.mark.asyncio
async def test_a_late_reading_sets_the_later_one_right(tmp_path: Path) -> None:
    """The journal would say for ever that the register was reset on the wrong day."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        await _keep(journal, 0, "500.00", _HOUR)
        await _keep(journal, 3, "9.00", _HOUR)
        await _keep(journal, 2, "3.00", 2 * DAY)
        found = await _rows(journal)
    assert [*_IN_ORDER, _CORRECTED, _LATE] == _told(found)
    assert replace(found[1], marks=_CORRECTED[2]) == found[2], "it is the same reading but for its marks"


@pytest.mark.asyncio
async def test_a_correction_and_what_it_comes_from_are_one(tmp_path: Path) -> None:
    """Killed between the two, one of them would be there without the other for ever."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        await _keep(journal, 0, "500.00", _HOUR)
        await _keep(journal, 3, "9.00", _HOUR)
        watched = _Watched(journal)
        await _keep(watched, 2, "3.00", 2 * DAY)
        [together] = watched.kept
        assert [_CORRECTED, _LATE] == _told([one for record in together for one in record.readings])


@pytest.mark.asyncio
async def test_a_journal_that_cannot_be_read_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading judged without its past, or thrown away, because the disk was away for a second."""
    monkeypatch.setattr("meterlink.acquisition.keeping.JOURNAL_PAUSE_S", 0.0)
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        await _keep(journal, 0, "500.00", _HOUR)
        away = _Watched(journal, away=3)
        await _keep(away, 1, "9.00", _HOUR)
        assert [_IN_ORDER[0], (1, "9.00", Marks.REG_BACK)] == _told(await _rows(journal))
        assert 0 == away.away
