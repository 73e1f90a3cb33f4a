"""Slots that are settled and old take little room: no count and no reason is lost by it."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.journal.journal import Journal
from meterlink.journal.ledger import FOLDED, KEPT_DAYS
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE, EVENT, INSTANT, STATUS
from meterlink.model.slot import Reason, State
from meterlink.model.zone import CHINA_TIME
from metersim import SimClock
from tests.support.records import EPOCH

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SERIES = (
    Series("m1", CURVE, 3600),
    Series("m1", INSTANT, 3600),
    Series("m2", STATUS, 3600),
    Series("m2", EVENT, 3600),
)
_FATES = st.tuples(
    st.sampled_from(["kept", "refused", "put_off", "over", "waived", "none"]),
    st.sampled_from([Reason.SILENT, Reason.LINE_DOWN, Reason.GONE]),
    st.integers(1, 2),
    st.sampled_from(["", "D1 02"]),
)


def _day_starts(moment: datetime) -> datetime:
    return moment.astimezone(CHINA_TIME).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


_FIRST = _day_starts(EPOCH)


async def _write(journal: Journal, series: Series, fates: Sequence[tuple[str, Reason, int, str]]) -> None:
    ledger = journal.ledger
    slots = [_FIRST + n * _HOUR for n in range(len(fates))]
    if series.data_class == CURVE:
        dues = tuple(Due(int(slot.timestamp()), int(slot.timestamp()) + 3900) for slot in slots)
        await ledger.plan([Planned(**series._asdict(), slots=dues)])
    for slot, (kind, reason, tries, note) in zip(slots, fates, strict=True):
        key = [series.key(slot)]
        if kind == "kept":
            await ledger.kept(key)
        elif kind == "refused":
            await ledger.refused(key, note=note)
        elif kind == "over":
            await ledger.expired(key, reason, note=note, tries=tries)
        elif kind in {"put_off", "waived"}:
            await ledger.put_off(key, reason, note=note, tries=tries)
        if kind == "waived":
            await ledger.waive(series.meter, Reason.NOT_IN_SERVICE, since=slot, until=slot + _HOUR)


async def _figures(journal: Journal) -> list[Counter[tuple[object, ...]]]:
    """By day, what a table of completeness is made of."""
    found = []
    for day in range(-1, 4):
        since = _FIRST + day * _DAY
        count: Counter[tuple[object, ...]] = Counter()
        for one in await journal.ledger.tallies(FOLDED, since=since, until=since + _DAY):
            key = one.meter, one.data_class, one.state
            count[(*key, one.reason, "slots")] += one.slots
            count[(*key, one.reason, "on time")] += one.on_time
        found.append(+count)
    return found


async def _told(journal: Journal) -> dict[tuple[object, ...], tuple[object, ...]]:
    """What is said of each slot that is not kept."""
    told: dict[tuple[object, ...], tuple[object, ...]] = {}
    for hour in range(-2, 76):
        for meter in ("m1", "m2"):
            for one in await journal.ledger.standings(meter, _FIRST + hour * _HOUR):
                if one.state is not State.KEPT:
                    assert one.key not in told
                    told[one.key] = one.state, one.reason, one.tries, one.note
    return told


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(_FATES, min_size=30, max_size=72), min_size=4, max_size=4))
def test_folding_changes_no_figure(fates: list[list[tuple[str, Reason, int, str]]]) -> None:
    """A day would be more or less complete after forty days than it was, or a hole have another reason."""

    async def check(path: Path) -> None:
        clock = SimClock(_FIRST + 3 * _DAY)
        async with Journal.open(path, clock=clock) as journal:
            for series, some in zip(_SERIES, fates, strict=True):
                await _write(journal, series, some)
            await journal.ledger.missed(
                [(_SERIES[1], _FIRST + 3 * _DAY, _FIRST + 4 * _DAY)], Reason.NOT_RUNNING
            )
            clock.advance((KEPT_DAYS + 5) * _DAY.total_seconds())
            figures, told = await _figures(journal), await _told(journal)
            now = clock.utc_now()
            gone = await journal.ledger.fold(_day_starts, now=now, limit=10)
            assert gone >= sum(kind in {"kept", "refused"} for some in fates[1:] for kind, *_ in some)
            assert figures == await _figures(journal)
            assert told == await _told(journal)
            assert 0 == await journal.ledger.fold(_day_starts, now=now, limit=10)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder) / "j"))


@pytest.mark.asyncio
async def test_a_silent_meter_takes_a_row_a_day(tmp_path: Path) -> None:
    """Sixteen megabytes a year of each meter that does not answer would fill the disk of the gateway."""
    clock = SimClock(_FIRST + 3 * _DAY)
    series = Series("m1", INSTANT, 60)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        keys = [series.key(_FIRST + timedelta(minutes=n)) for n in range(3 * 1440)]
        await journal.ledger.expired(keys, Reason.SILENT, tries=2)
        clock.advance((KEPT_DAYS + 1) * _DAY.total_seconds())
        assert 3 * 1440 == await journal.ledger.fold(_day_starts, now=clock.utc_now(), limit=10)
        (one,) = await journal.ledger.standings("m1", keys[700].slot)
        assert (State.EXPIRED, Reason.SILENT, 2) == (one.state, one.reason, one.tries)
        assert one.changed_at == keys[701].slot, "no try of a slot is later than its end"
    db = sqlite3.connect(tmp_path / "j")
    assert (0, 3) == db.execute("SELECT (SELECT count(*) FROM slot), (SELECT count(*) FROM gap)").fetchone()
    db.close()


@pytest.mark.asyncio
async def test_a_meter_that_left_before_what_is_folded(tmp_path: Path) -> None:
    """People tell late that a meter had gone; what was lost of it since would count for ever."""
    clock = SimClock(_FIRST + 3 * _DAY)
    series = Series("m1", INSTANT, 3600)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        keys = [series.key(_FIRST + n * _HOUR) for n in range(24)]
        await journal.ledger.refused(keys, note="D1 02")
        clock.advance((KEPT_DAYS + 1) * _DAY.total_seconds())
        await journal.ledger.fold(_day_starts, now=clock.utc_now(), limit=10)
        await journal.ledger.waive("m1", Reason.NOT_IN_SERVICE, since=_FIRST, until=_FIRST + _DAY)
        (told,) = await journal.ledger.standings("m1", keys[3].slot)
        assert (State.REFUSED, "D1 02") == (told.state, told.note), "what is settled is settled"
        await journal.ledger.unmiss([series], Reason.CLOCK_WRONG, since=keys[3].slot)
        assert [told] == await journal.ledger.standings("m1", keys[3].slot), "no wrong clock wrote it"
