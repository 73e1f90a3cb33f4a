"""What is taken out of the journal, what never is, and how a full disk recovers."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from meterlink.acquisition.ledger_care import LedgerCare
from meterlink.config.retention import RetentionSettings
from meterlink.errors import ConfigError, JournalError
from meterlink.journal import removal
from meterlink.journal.housekeeping import AGE_LOOK_S, LOOK_S, Housekeeper, Policy
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.journal.removal import AGEING, ROWS_AT_ONCE, removed
from meterlink.journal.reserve import Rank, Reserve
from meterlink.journal.soundness import faults
from meterlink.model.act import Topic
from meterlink.model.roster_change import DIGEST, SUBJECT, difference, digest
from meterlink.model.slot import SlotKey, State
from metersim.loop import Simulation
from tests.support import shedding
from tests.support.acts import act
from tests.support.project import ROOT
from tests.support.records import EPOCH, event, record

_DAY = timedelta(days=1)
_CLASSES = ("instant", "curve", "status", "daily_freeze", "monthly_freeze")
_AGES = RetentionSettings.model_validate({}).ages
_AN_AGE = timedelta(days=10)


class _Story:
    """A journal of some days of everything, in simulated time."""

    def __init__(self, folder: Path) -> None:
        self.simulation = Simulation(start=EPOCH)
        self.path = folder / "j.db"

    def tell(self, story: Callable[[Journal], object], *, put_aside: Reserve | None = None) -> None:
        async def run() -> None:
            async with Journal.open(self.path, clock=self.simulation.clock, put_aside=put_aside) as journal:
                await story(journal)  # type: ignore[misc]

        self.simulation.run(run())

    def days(self, count: int = 1) -> None:
        self.simulation.clock.step_wall(count * _DAY)

    def keeper(self, journal: Journal, age: timedelta = _AN_AGE) -> Housekeeper:
        return Housekeeper(journal, Policy(dict.fromkeys(AGEING, age)), clock=self.simulation.clock)

    def held(self) -> Counter[str]:
        """Rows by class."""
        with JournalReader(self.path) as reader:
            return Counter(dict(reader.look(_BY_CLASS)))

    def check(self) -> None:
        """Nothing of it is half there, and all that is gone is counted."""
        with JournalReader(self.path) as reader:
            assert [] == [*faults(reader)]


def _BY_CLASS(db: sqlite3.Connection) -> list[tuple[str, int]]:  # noqa: N802 (a query)
    return db.execute("SELECT data_class, count(*) FROM log GROUP BY data_class").fetchall()


async def _everything(journal: Journal, first: int = 0, count: int = 3) -> None:
    for n in range(first, first + count):
        for data_class in _CLASSES:
            await journal.keep(record(n, data_class=data_class))
        await journal.keep(event(n))
        await journal.acts.append(act(n + 1))


def test_old_rows_go_and_freezes_and_acts_stay(tmp_path: Path) -> None:
    """The disk fills for ever, or a bill's reading is gone."""
    story = _Story(tmp_path)

    async def told(journal: Journal) -> None:
        await _everything(journal)
        story.days(11)
        await journal.sinks.advance("mqtt", journal.newest_id)
        assert 3 * 4 == await story.keeper(journal).age()

    story.tell(told)
    assert {"daily_freeze": 3, "monthly_freeze": 3, "order": 3} == story.held()
    story.check()
    with JournalReader(story.path) as reader:
        gone = reader.look(removed)
    assert {(name, "age", 3) for name in AGEING} == {
        (each.data_class, each.reason, each.rows) for each in gone
    }


def test_the_roster_and_its_history_stay(tmp_path: Path) -> None:
    """Nobody could say any more who had changed a meter's entry, or meters went with their readings."""
    story = _Story(tmp_path)

    async def told(journal: Journal) -> None:
        await _everything(journal)
        before = await journal.roster.kept()
        change = difference("m", None, {"id": "m"})
        assert change is not None
        body = {DIGEST: digest([change])}
        revision = replace(act(9), topic=Topic.ROSTER, subject=SUBJECT, step=1, body=body, is_open=False)
        await journal.roster.apply(revision, [change], before)
        story.days(400)
        await journal.sinks.advance("mqtt", journal.newest_id)
        assert 3 * 4 == await story.keeper(journal).age()
        assert {"m": {"id": "m"}} == (await journal.roster.kept()).entries
        assert [1] == [one.revision for one in await journal.roster.changes_of("m")]

    story.tell(told)
    assert 1 == story.held()["roster"]
    story.check()


def test_a_wall_clock_that_jumps_takes_nothing_out(tmp_path: Path) -> None:
    """Minutes of a wrong clock would delete readings that nobody can read again."""
    story = _Story(tmp_path)

    async def told(journal: Journal) -> None:
        await _everything(journal)
        keeper = story.keeper(journal)
        await journal.sinks.advance("mqtt", journal.newest_id)
        assert 0 == await keeper.age()
        story.days(200)
        assert 0 == await keeper.age(), "far ahead"
        story.days(-200)
        assert 0 == await keeper.age()

    story.tell(told)
    before = story.held()
    story.days(200)

    async def started(journal: Journal) -> None:
        await journal.sinks.advance("mqtt", journal.newest_id)
        assert 0 == await story.keeper(journal).age(), "a start far ahead of the newest row"

    story.tell(started)
    assert before == story.held()
    story.check()


def test_a_start_while_the_wall_clock_is_far_ahead_takes_nothing_out(tmp_path: Path) -> None:
    """The start before had seen that the clock was set, and the next one would delete it all the same."""
    story = _Story(tmp_path)
    slots = [SlotKey("m", "instant", 900, EPOCH + n * timedelta(minutes=15)) for n in range(8)]

    def care(journal: Journal) -> LedgerCare:
        return LedgerCare(journal.ledger, story.simulation.clock, UTC, dict)

    async def looked_after(journal: Journal) -> None:
        looking = asyncio.get_running_loop().create_task(care(journal).run())
        await asyncio.sleep(60)
        looking.cancel()

    async def right(journal: Journal) -> None:
        await _everything(journal)
        await journal.ledger.kept(slots)
        await journal.sinks.advance("mqtt", journal.newest_id)
        keeper = care(journal)
        await keeper.end()
        story.days(200)
        await asyncio.sleep(3_600)
        await keeper.end()

    async def started(journal: Journal) -> None:
        await journal.sinks.advance("mqtt", journal.newest_id)
        assert 0 == await story.keeper(journal).age()
        await looked_after(journal)
        for slot in slots:
            assert [State.KEPT] == [one.state for one in await journal.ledger.standings("m", slot.slot)], (
                "folded"
            )

    story.tell(right)
    before = story.held()
    story.tell(started)
    story.tell(started)
    assert before == story.held()
    story.days(-200)
    story.tell(started)
    story.check()


def test_what_a_sink_lacks_stays(tmp_path: Path) -> None:
    """After a long outage the broker would get only what is young."""
    story = _Story(tmp_path)

    async def told(journal: Journal) -> None:
        await _everything(journal)
        story.days(11)
        assert 0 == await story.keeper(journal).age(), "nobody has anything yet"
        await journal.sinks.advance("mqtt", journal.newest_id)
        await journal.sinks.advance("slow", 7)
        assert 4 == await story.keeper(journal).age(), "the slowest counts"
        keeper = Housekeeper(
            journal, Policy({"instant": _AN_AGE}), clock=story.simulation.clock, floor=_has(10)
        )
        await journal.sinks.advance("slow", journal.newest_id)
        assert 1 == await keeper.age(), "so does who has no cursor"

    story.tell(told)
    assert 1 == story.held()["instant"]
    story.check()


def _has(log_id: int) -> Callable[[], Awaitable[int]]:
    async def floor() -> int:
        return log_id

    return floor


def test_both_the_slot_and_the_keeping_must_be_old(tmp_path: Path) -> None:
    """What was backfilled today, or told by a clock that stands in 1999, would be gone by tomorrow."""
    story = _Story(tmp_path)

    async def told(journal: Journal) -> None:
        story.days(30)
        await journal.keep(record(0))  # its slot is thirty days old
        await journal.keep(record(1, data_class="daily_freeze"))
        await journal.sinks.advance("mqtt", journal.newest_id)
        assert 0 == await story.keeper(journal).age()
        story.days(9)
        assert 0 == await story.keeper(journal).age()
        story.days(2)
        assert 1 == await story.keeper(journal).age()

    story.tell(told)
    story.check()


def test_the_newest_row_stays(tmp_path: Path) -> None:
    """An auditor takes a log that ends before the last id that it gave for one that was cut off."""
    story = _Story(tmp_path)

    async def told(journal: Journal) -> None:
        for n in range(3):
            await journal.keep(record(n))
        story.days(11)
        await journal.sinks.advance("mqtt", 3)
        assert 2 == await story.keeper(journal).age()
        assert 4 == await journal.keep(record(9))

    story.tell(told)
    with JournalReader(story.path) as reader:
        assert reader.stray() is None
    story.check()


@pytest.mark.parametrize("seed", range(5))
def test_any_mixture_is_worked_through_in_small_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Rows that must stay would stop the walk, or a step would take so many that others wait."""
    monkeypatch.setattr(removal, "LOOKS_AT_ONCE", 7)
    monkeypatch.setattr(removal, "ROWS_AT_ONCE", 3)
    story, rng = _Story(tmp_path), random.Random(seed)
    goes: list[bool] = []

    async def told(journal: Journal) -> None:
        for _ in range(120):
            slot = rng.randrange(20) * 86_400 + 1_800
            await journal.keep(record(slot, data_class=rng.choice(_CLASSES)))
            if rng.random() < 0.2:
                story.days()
        story.simulation.clock.step_wall(timedelta(hours=1))  # nothing becomes old while it works
        cursor = rng.randrange(60, 121)
        await journal.sinks.advance("mqtt", cursor)
        before = story.simulation.clock.utc_now() - _AN_AGE
        for row in await journal.rows_after(0, 1_000):
            old = row.kept_at < before and max(each.slot for each in row.readings) < before
            ageing = row.record.data_class in AGEING
            goes.append(old and ageing and row.id <= cursor and row.id < journal.newest_id)
        assert sum(goes) == await story.keeper(journal).age()
        kept = {row.id for row in await journal.rows_after(0, 1_000)}
        assert {n for n, gone in enumerate(goes, start=1) if not gone} == kept

    story.tell(told)
    assert any(goes)
    story.check()


def test_others_are_served_between_two_steps(tmp_path: Path) -> None:
    """While a month is taken out, a reading or an order would wait for all of it."""
    story = _Story(tmp_path)
    removed_when_kept: list[int] = []

    async def told(journal: Journal) -> None:
        for n in range(4 * ROWS_AT_ONCE):
            await journal.keep(record(n))
        await journal.keep(event(1))
        story.days(11)
        await journal.sinks.advance("mqtt", journal.newest_id)
        async with asyncio.TaskGroup() as group:
            group.create_task(story.keeper(journal).age())
            for _ in range(5):
                await journal.acts.append(act(len(removed_when_kept) + 1))
                gone = await journal.acts.read(lambda store: store.look(removed))
                removed_when_kept.append(sum(each.rows for each in gone))
                await asyncio.sleep(0.02)

    story.tell(told)
    assert ROWS_AT_ONCE < len({*removed_when_kept}) * ROWS_AT_ONCE, removed_when_kept
    steps = [after - before for before, after in pairwise(removed_when_kept)]
    assert max(steps) <= 2 * ROWS_AT_ONCE


def _published_to_the_seventh(folder: Path) -> sqlite3.Connection:
    """The file of a journal of some days, of which the broker has seven rows."""
    story = _Story(folder)

    async def told(journal: Journal) -> None:
        await _everything(journal)
        await journal.sinks.advance("mqtt", 7)

    story.tell(told)
    return sqlite3.connect(story.path)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM log WHERE id = 1", "the log is append-only"),
        ("DELETE FROM reading WHERE log_id = 1", "readings are append-only"),
        ("DELETE FROM event", "events are append-only"),
        ("DELETE FROM event_value", "events are append-only"),
        ("DELETE FROM act", "acts are append-only"),
        ("UPDATE reading SET value = '0'", "readings are append-only"),
        ("INSERT INTO removing VALUES (4, 'age')", "is kept"),  # a freeze
        ("INSERT INTO removing VALUES (7, 'age')", "is kept"),  # an act
        ("INSERT INTO removing VALUES (8, 'age')", "is kept"),  # behind the cursor
        ("INSERT INTO removing VALUES (22, 'age')", "is kept"),  # there is none
        ("INSERT INTO removing VALUES (21, 'room')", "is kept"),  # the newest, and an act
        ("INSERT INTO removing VALUES (3, 'room')", "is kept"),  # a status
        ("INSERT INTO removing VALUES (4, 'room')", "is kept"),
        ("INSERT INTO removing VALUES (6, 'room')", "is kept"),  # an event
        ("INSERT INTO removing VALUES (1, 'whim')", "CHECK"),
        ("DELETE FROM removed", "stays counted"),
        ("UPDATE removed SET rows = 0", "stays counted"),
    ],
)
def test_the_file_itself_keeps_what_counts(tmp_path: Path, statement: str, words: str) -> None:
    """A bug in what removes rows, or another program, would take out a freeze or an order."""
    db = _published_to_the_seventh(tmp_path)
    db.execute("PRAGMA recursive_triggers = ON")
    db.execute("INSERT INTO removed VALUES ('instant', 'age', 5, 1, 1)")
    with pytest.raises(sqlite3.IntegrityError, match=words):
        db.execute(statement)
    assert [] == db.execute("SELECT * FROM removing").fetchall(), "nothing is let go"
    db.rollback()
    db.close()


def test_a_row_on_the_list_lets_no_other_go(tmp_path: Path) -> None:
    """While one old row is taken out, any other could go with it."""
    db = _published_to_the_seventh(tmp_path)
    db.execute("INSERT INTO removing VALUES (1, 'age')")
    for other in (2, 4, 8):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("DELETE FROM reading WHERE log_id = ?", (other,))
    assert 2 == db.execute("DELETE FROM reading WHERE log_id = 1").rowcount
    db.rollback()
    db.close()


def test_it_looks_in_its_rhythm_and_survives_a_bad_disk(tmp_path: Path) -> None:
    """One failed look would end it, and the disk fill up from then on."""
    calls: list[str] = []

    class Failing(Housekeeper):
        async def shed(self) -> int:
            calls.append("shed")
            if len(calls) == 1:
                raise JournalError("the disk failed")
            return 0

        async def age(self) -> int:
            calls.append("age")
            return 0

    story = _Story(tmp_path)

    async def told(journal: Journal) -> None:
        keeper = Failing(journal, Policy({}), clock=story.simulation.clock)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(keeper.run())
            await asyncio.sleep(AGE_LOOK_S + 3 * LOOK_S)
            running.cancel()

    story.tell(told)
    assert ["shed", "shed", "age"] == calls[:3]
    assert 2 == calls.count("age")
    assert AGE_LOOK_S // LOOK_S <= calls.count("shed") <= AGE_LOOK_S // LOOK_S + 4


@pytest.mark.parametrize(
    ("free", "inside", "least"),
    [
        (63, 0, Rank.READING),
        (63, 1, Rank.OFTEN),
        (0, 64, Rank.OFTEN),
        (0, 63, Rank.READING),
    ],
)
def test_unused_pages_are_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, inside: int, least: Rank
) -> None:
    """After room was made inside the file, readings would be refused, as the file is as large as before."""
    mega = 1024 * 1024
    reserve = Reserve(tmp_path / "reserve")
    assert Rank.OFTEN is reserve.least_rank()
    monkeypatch.setattr(Reserve, "_free_octets", lambda _: free * mega)
    assert least is reserve.least_rank(lambda: inside * mega)
    assert max(0, 64 - free - inside) * mega == reserve.room_missing(lambda: inside * mega, comfortable=False)
    assert max(0, 80 - free - inside) * mega == reserve.room_missing(lambda: inside * mega, comfortable=True)


def test_unused_pages_stand_in_for_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reserve given up, acts would find their room taken by readings."""
    mega = 1024 * 1024
    monkeypatch.setattr(Reserve, "_free_octets", lambda _: 0)
    reserve = Reserve(tmp_path / "reserve")
    found = [reserve.least_rank(lambda inside=inside: inside * mega) for inside in (15, 16, 79, 80)]  # type: ignore[misc]
    assert [Rank.STATE, Rank.READING, Rank.READING, Rank.OFTEN] == found


def test_f29_a_full_disk_recovers_by_shedding_and_by_itself(tmp_path: Path) -> None:
    """F29: the journal would stay full until somebody starts the daemon anew, or lose freezes to get room."""
    own_disk = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f'mount -t tmpfs -o size={shedding.DISK_OCTETS} tmpfs "$0"'
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*own_disk, "sh", "-c", mount, str(tmp_path)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this machine lets nobody mount a small file system of his own")
    script = f'{mount} && exec "$1" -m tests.support.shedding "$0"'
    done = subprocess.run(
        [*own_disk, "sh", "-c", script, str(tmp_path), sys.executable],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=19,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert 0 < seen["instants"]
    assert 0 < seen["freezes"]
    assert 0 < seen["shed"]
    assert [1, 1] == [seen["freeze_after"], seen["instant_after"]], "it was to recover without a start"
    assert seen["freezes"] + 1 == seen["freezes_held"], "a freeze was taken for room"
    assert seen["instants"] + 1 == seen["instants_held"] + seen["shed"], "one has gone, and nobody counted it"
    assert [] == seen["wrong"]
    assert seen["events"] == seen["events_held"]
    assert [] == seen["faults"]
    assert seen["oldest_slot_before"] < seen["oldest_slot_after"], "the oldest goes first"
    assert shedding.RESERVE_OCTETS == seen["reserve_with_room"], "freed by others, it is made whole"


def test_the_days_have_limits() -> None:
    """A day too few would take what a week's outage still needs."""
    for key, least in {"instant_days": 2, "curve_days": 2, "status_days": 2, "event_days": 365}.items():
        RetentionSettings.model_validate({key: least})
        RetentionSettings.model_validate({key: 3_660})
        for wrong in (least - 1, 3_661):
            with pytest.raises((ConfigError, ValueError), match=key):
                RetentionSettings.model_validate({key: wrong})
    assert set(AGEING) == set(_AGES), "every class has its days"
