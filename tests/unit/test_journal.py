"""The journal: what was kept is there, once, in order; and what it refuses."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterlink.clock import SystemClock
from meterlink.errors import JournalError, RowUnreadable
from meterlink.journal.journal import Journal
from meterlink.journal.store import Step, Store
from meterlink.journal.writer import GROUP_MAX
from meterlink.model.marks import Marks
from meterlink.model.reading import LogRow, Reading, Record
from metersim.loop import Simulation
from tests.support.records import EPOCH, reading, record

_TIMES = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _journal(path: Path) -> Journal:
    return Journal.open(path, clock=SystemClock())


@pytest.mark.asyncio
async def test_what_was_kept_comes_back_in_order(tmp_path: Path) -> None:
    """The log is the only store until the database has a reading; a field lost here is lost."""
    records = [record(n) for n in range(5)]
    async with _journal(tmp_path / "j.db") as journal:
        ids = [await journal.keep(each) for each in records]
        assert [1, 2, 3, 4, 5] == ids
        rows = await journal.rows_after(0, 100)
        assert records == [row.record for row in rows]
        assert {journal.boot} == {row.boot for row in rows}
        assert [3, 4] == [row.id for row in await journal.rows_after(2, 2)]
        assert [] == await journal.rows_after(5, 10)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50)
@given(
    values=st.lists(st.none() | st.decimals(allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
    slot=_TIMES,
    taken_at=_TIMES,
    text=st.text(st.characters(exclude_categories=["Cs"])),
    marks=st.sampled_from([Marks(0), Marks.ABSENT, Marks.ABSENT | Marks.INVALID_DIGITS]),
)
def test_any_record_survives_the_file(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    values: list[Decimal | None],
    slot: datetime,
    taken_at: datetime,
    text: str,
    marks: Marks,
) -> None:
    """Digits, microseconds and Chinese names must come back as they went in."""
    readings = tuple(
        Reading(
            meter=text,
            item=text,
            value=value,
            unit=text,
            slot=slot,
            taken_at=taken_at,
            marks=marks,
            route=text,
        )
        for value in values
    )
    kept = Record(meter=text, data_class=text, readings=readings)
    sim = Simulation()

    async def there_and_back() -> LogRow:
        async with Journal.open(tmp_path_factory.mktemp("j") / "j.db", clock=sim.clock) as journal:
            await journal.keep(kept)
            (row,) = await journal.rows_after(0, 1)
            assert sim.clock.utc_now() == row.kept_at
            return row

    back = sim.run(there_and_back())
    assert kept == back.record
    assert [str(value) for value in values] == [str(each.value) for each in back.readings]


@pytest.mark.asyncio
async def test_many_at_once_share_commits(tmp_path: Path) -> None:
    """Without group commit each reading would wait for its own fsync: 100 a second instead of thousands."""
    commits: list[int] = []

    class Counting(Store):
        def commit(self, steps: Sequence[Step]) -> list[int]:
            commits.append(len(steps))
            return super().commit(steps)

    count = GROUP_MAX + 100
    async with Journal.open(tmp_path / "j.db", clock=SystemClock(), opener=Counting.open) as journal:
        ids = await asyncio.gather(*(journal.keep(record(n)) for n in range(count)))
        assert list(range(1, count + 1)) == ids  # in the order in which they were given
    assert 1 + 2 == len([size for size in commits if size])  # the start, a full group, the rest
    assert GROUP_MAX == max(commits)


@pytest.mark.asyncio
async def test_each_start_has_a_number(tmp_path: Path) -> None:
    """The boot number tells downstream which start wrote a row."""
    boots = []
    for _ in range(3):
        async with _journal(tmp_path / "j.db") as journal:
            boots.append(journal.boot)
            await journal.keep(record(1))
    assert [1, 2, 3] == boots
    async with _journal(tmp_path / "j.db") as journal:
        assert [1, 2, 3] == [row.boot for row in await journal.rows_after(0, 10)]


@pytest.mark.asyncio
async def test_waiting_ends_with_the_commit(tmp_path: Path) -> None:
    """The relay sleeps here; a lost wake-up would hold readings back until the next one comes."""
    async with _journal(tmp_path / "j.db") as journal:
        async with asyncio.TaskGroup() as tasks:
            waiters = [tasks.create_task(journal.wait_beyond(0)) for _ in range(3)]
            later = tasks.create_task(journal.wait_beyond(1))
            await asyncio.sleep(0)
            assert 1 == await journal.keep(record(1))
            await asyncio.wait(waiters)
            assert not later.done()
            assert 2 == await journal.keep(record(2))
        await journal.wait_beyond(1)  # already there: returns at once


@pytest.mark.asyncio
async def test_cursors_move_only_as_told(tmp_path: Path) -> None:
    """A cursor that moved back would publish twice, one that jumped would lose rows."""
    async with _journal(tmp_path / "j.db") as journal:
        assert 0 == await journal.sinks.cursor("mqtt")
        await journal.sinks.advance("mqtt", 7)
        await journal.sinks.advance("mqtt", 5)
        assert 7 == await journal.sinks.cursor("mqtt")
        await journal.sinks.rewind("mqtt", 9)
        assert 7 == await journal.sinks.cursor("mqtt")
        await journal.sinks.rewind("mqtt", 3)
        await journal.sinks.rewind("other", 3)
        assert (3, 0) == (await journal.sinks.cursor("mqtt"), await journal.sinks.cursor("other"))
    async with _journal(tmp_path / "j.db") as journal:
        assert 3 == await journal.sinks.cursor("mqtt")


@pytest.mark.asyncio
async def test_poison_keeps_the_first_reason(tmp_path: Path) -> None:
    """A row that a sink refused must be findable, with the reason, after any number of restarts."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.sinks.poison("mqtt", 4, "too large")
        await journal.sinks.poison("mqtt", 4, "again")
        await journal.sinks.poison("mqtt", 2, "not authorised")
        assert [(2, "not authorised"), (4, "too large")] == await journal.sinks.poisoned("mqtt")


@pytest.mark.asyncio
async def test_what_a_slot_already_has(tmp_path: Path) -> None:
    """After a restart the plan asks for the rest: too little known reads twice, too much leaves holes."""
    async with _journal(tmp_path / "j.db") as journal:
        slot = EPOCH + timedelta(seconds=9)
        assert set() == await journal.kept_in("x", slot)
        for n, meter, data_class in [(9, "a", "x"), (9, "b", "x"), (8, "c", "x"), (9, "d", "y")]:
            await journal.keep(record(n, meter=meter, data_class=data_class))
        items = {reading.item for reading in record(9).readings}
        assert {(meter, item) for meter in "ab" for item in items} == await journal.kept_in("x", slot)


@pytest.mark.asyncio
async def test_what_a_slot_already_has_of_one_meter(tmp_path: Path) -> None:
    """A freeze that a meter shows again would be kept again, or taken for one of another class or night."""
    async with _journal(tmp_path / "j.db") as journal:
        slot = EPOCH + timedelta(seconds=9)
        for n, meter, data_class in [(9, "a", "x"), (8, "a", "x"), (9, "b", "x"), (9, "c", "y")]:
            await journal.keep(record(n, meter=meter, data_class=data_class, items=1))
        asked = ["item.t0", "item.t1"]
        later = slot + timedelta(seconds=1)
        assert {slot: {"item.t0"}, later: set()} == await journal.kept_of_slots(
            "x", "a", {slot: asked, later: asked}
        )
        assert {slot: set()} == await journal.kept_of_slots("x", "c", {slot: asked})
        assert {slot: set()} == await journal.kept_of_slots("x", "a", {slot: ["item.t1"]})


@pytest.mark.parametrize("statement", ["UPDATE log SET meter = 'x'", "DELETE FROM log", "DELETE FROM reading",
                                       "UPDATE reading SET value = '9'",
                                       "INSERT OR REPLACE INTO log SELECT * FROM log"])  # fmt: skip
def test_the_log_is_append_only(tmp_path: Path, statement: str) -> None:
    """Raw values are immutable: not even SQL from inside may edit them."""
    sim = Simulation()

    async def kept() -> None:
        async with Journal.open(tmp_path / "j.db", clock=sim.clock) as journal:
            await journal.keep(record(1))

    sim.run(kept())
    store = Store.open(tmp_path / "j.db")
    with pytest.raises(JournalError, match=r"append-only|FOREIGN KEY"):
        store.commit([lambda db: db.execute(statement).rowcount])
    assert [record(1)] == [row.record for row in store.rows_after(0, 10)]
    store.close()


@pytest.mark.parametrize(
    "broken",
    [
        Record(meter="m1", data_class="x", readings=()),
        replace(record(1), meter="m2"),
        replace(record(1), readings=(replace(reading(), slot=EPOCH.replace(tzinfo=None)),)),
        replace(record(1), readings=(reading(value=Decimal("NaN")),)),
        replace(record(1), readings=(reading(item="\ud800"),)),
    ],
)
@pytest.mark.asyncio
async def test_a_malformed_record_is_refused_alone(tmp_path: Path, broken: Record) -> None:
    """One bad record must not take the others of its transaction along."""
    async with _journal(tmp_path / "j.db") as journal:
        good = asyncio.ensure_future(journal.keep(record(1)))
        with pytest.raises(ValueError, match=r"record|zone|number|surrogates"):
            await journal.keep(broken)
        assert 1 == await good


@pytest.mark.asyncio
async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """What was not confirmed is not there, what was is; and no restart is needed once there is room."""
    stores: list[Store] = []

    def small(path: Path) -> Store:
        stores.append(Store.open(path, pages_max=40))
        return stores[0]

    kept = []
    async with Journal.open(tmp_path / "j.db", clock=SystemClock(), opener=small) as journal:
        with pytest.raises(JournalError, match="disk is full: free some space"):
            for n in range(10_000):
                kept.append(await journal.keep(record(n, items=10)))
        assert 0 < len(kept) < 1_000
        with pytest.raises(JournalError):
            await journal.keep(record(0, items=100))
        assert kept == [row.id for row in await journal.rows_after(0, 10_000)]
        stores[0].commit([lambda db: db.execute("PRAGMA max_page_count = 1000").fetchone()[0]])
        assert kept[-1] + 1 == await journal.keep(record(0, items=100))


@pytest.mark.asyncio
async def test_a_damaged_row_is_named_and_passed(tmp_path: Path) -> None:
    """One damaged row must not hold back all the rows behind it."""
    async with _journal(tmp_path / "j.db") as journal:
        for n in range(3):
            await journal.keep(record(n))
    with sqlite3.connect(tmp_path / "j.db") as db:
        db.execute("DROP TRIGGER reading_keeps_values")
        db.execute("UPDATE reading SET value = 'zwölf' WHERE log_id = 2")
    db.close()
    async with _journal(tmp_path / "j.db") as journal:
        assert [1] == [row.id for row in await journal.rows_after(0, 10)]
        with pytest.raises(RowUnreadable, match="row 2") as refused:
            await journal.rows_after(1, 10)
        assert [3] == [row.id for row in await journal.rows_after(refused.value.log_id, 10)]


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE somebody_elses (x)")
    db.close()


def _newer(path: Path) -> None:
    Store.open(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def _damaged(path: Path) -> None:
    store = Store.open(path)
    for _ in range(50):
        store.start(EPOCH, "0" * 12)
    store.close()
    octets = bytearray(path.read_bytes())
    octets[4096:] = b"\xff" * (len(octets) - 4096)
    path.write_bytes(octets)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"hello" * 1000), "no SQLite file: choose another path"),
        (_foreign, "belongs to another program: choose another path"),
        (_newer, "schema version 99 is newer"),
        (_damaged, "damaged: put it aside"),
        (lambda path: path.mkdir(), "cannot be opened"),
    ],
)
@pytest.mark.asyncio
async def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, make: object, words: str) -> None:
    """Writing into a stranger's file, or a damaged one, would destroy data; the message says what to do."""
    path = tmp_path / "j.db"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JournalError, match=words):
        async with _journal(path):
            pass
    assert before == (path.read_bytes() if path.is_file() else b"")


@pytest.mark.asyncio
async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message must name the path, or the operator searches."""
    with pytest.raises(JournalError, match=r"nowhere/j.db: No such file"):
        async with _journal(tmp_path / "nowhere" / "j.db"):
            pass


@pytest.mark.asyncio
async def test_a_journal_has_one_owner(tmp_path: Path) -> None:
    """Two daemons on one journal would mix two sequences; after the first has gone it opens."""
    async with _journal(tmp_path / "j.db"):
        with pytest.raises(JournalError, match="another meterlink"):
            async with _journal(tmp_path / "j.db"):
                pass
    async with _journal(tmp_path / "j.db"):
        pass


@pytest.mark.asyncio
async def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    """A task that outlives the journal must get an error, not wait for ever."""
    async with _journal(tmp_path / "j.db") as journal:
        pass
    for attempt in (partial(journal.keep, record(1)), partial(journal.rows_after, 0, 1)):
        with pytest.raises(JournalError, match="closed"):
            await attempt()


@pytest.mark.asyncio
async def test_closing_commits_what_is_queued_and_refuses_who_waits(tmp_path: Path) -> None:
    """A queue at its limit must neither lose what it took nor leave anybody waiting for ever."""
    journal = Journal.open(tmp_path / "j.db", clock=SystemClock(), queue_max=2)
    async with journal:
        keeps = [asyncio.ensure_future(journal.keep(record(n))) for n in range(20)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*keeps, return_exceptions=True)
    confirmed = [result for result in results if isinstance(result, int)]
    assert len(results) == len(confirmed) + sum(isinstance(result, JournalError) for result in results)
    async with _journal(tmp_path / "j.db") as again:
        assert confirmed == [row.id for row in await again.rows_after(0, 100)]


@pytest.mark.asyncio
async def test_an_error_of_the_caller_stays_itself(tmp_path: Path) -> None:
    """A caller that catches its own error must not find it wrapped by the journal."""
    with pytest.raises(KeyError):
        async with _journal(tmp_path / "j.db"):
            raise KeyError


def test_a_commit_is_synced(tmp_path: Path) -> None:
    """With less than FULL a power cut rolls back what was acknowledged; no kill of a process shows it."""
    store = Store.open(tmp_path / "j.db")
    (level,) = store._db.execute("PRAGMA synchronous").fetchone()
    (mode,) = store._db.execute("PRAGMA journal_mode").fetchone()
    store.close()
    assert (2, "wal") == (level, mode)  # 2 is FULL
