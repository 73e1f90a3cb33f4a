"""On their way to the journal readings get their marks, and a late one sets right what was kept before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.acquisition.keeping import PatientKeeper
from meterlink.clock import SystemClock
from meterlink.drivers.base import Measured
from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.model.data_classes import DAILY_FREEZE, DataClass
from meterlink.model.history import History
from meterlink.model.look import NOT_LOOKED, Look
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.validation.validator import Validator
from tests.support.kept import DAY, FACTS, ITEM, METER, NIGHT, freeze


class _Killed(BaseException):
    """The process is gone."""


class _Dying:
    """A journal that is gone after so many records."""

    def __init__(self, journal: Journal, records: int) -> None:
        self._journal = journal
        self._left = records

    async def keep(self, record: Record) -> int:
        if not self._left:
            raise _Killed
        self._left -= 1
        return await self._journal.keep(record)

    async def history(self, data_class: str, meter: str, slot: datetime, items: Sequence[str]) -> History:
        return await self._journal.history(data_class, meter, slot, items)

    async def kept_in(self, data_class: str, slot: datetime) -> set[tuple[str, str]]:
        return await self._journal.kept_in(data_class, slot)

    async def kept_of(self, data_class: str, meter: str, slot: datetime, items: Sequence[str]) -> set[str]:
        return await self._journal.kept_of(data_class, meter, slot, items)


async def _not_looked(_meter: str, _data_class: DataClass) -> Look:
    return NOT_LOOKED


async def _keep(journal: Journal | _Dying, day: int, value: str, after: timedelta) -> None:
    keeper = PatientKeeper(
        journal,
        line="line1",
        data_class=DAILY_FREEZE,
        validator=Validator({METER: FACTS}),
        look=_not_looked,
    )
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
async def test_killed_between_the_correction_and_what_it_comes_from(tmp_path: Path) -> None:
    """The late reading comes again and the correction does not; the other way round it would be lost."""
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        await _keep(journal, 0, "500.00", _HOUR)
        await _keep(journal, 3, "9.00", _HOUR)
        with pytest.raises(_Killed):
            await _keep(_Dying(journal, records=1), 2, "3.00", 2 * DAY)
        assert [*_IN_ORDER, _CORRECTED] == _told(await _rows(journal))
        await _keep(journal, 2, "3.00", 2 * DAY)
        assert [*_IN_ORDER, _CORRECTED, _LATE] == _told(await _rows(journal))


@pytest.mark.asyncio
async def test_a_journal_that_cannot_be_read_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading judged without its past, or thrown away, because the disk was away for a second."""
    monkeypatch.setattr("meterlink.acquisition.keeping.JOURNAL_PAUSE_S", 0.0)
    async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
        await _keep(journal, 0, "500.00", _HOUR)
        away = _Away(journal, times=3)
        await _keep(away, 1, "9.00", _HOUR)
        assert [_IN_ORDER[0], (1, "9.00", Marks.REG_BACK)] == _told(await _rows(journal))
        assert 0 == away.times


class _Away(_Dying):
    """A journal that cannot be read some times."""

    def __init__(self, journal: Journal, times: int) -> None:
        super().__init__(journal, records=10)
        self.times = times

    async def history(self, data_class: str, meter: str, slot: datetime, items: Sequence[str]) -> History:
        if self.times:
            self.times -= 1
            raise JournalError("the disk failed")
        return await super().history(data_class, meter, slot, items)
