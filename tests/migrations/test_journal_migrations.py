"""A journal of any released schema opens, and opens again, with everything in it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.clock import SystemClock
from meterlink.journal.journal import Journal
from meterlink.journal.migrations import APPLICATION_ID, migrate, steps
from meterlink.model.act import FIRST_HASH, Act, Topic, link
from meterlink.model.event import Event, EventValue
from meterlink.model.event_mark import EventMark
from meterlink.model.marks import Marks
from meterlink.model.roster_change import difference
from meterlink.model.slot import DAY_S, Reason, SlotKey, Standing, State

_HERE = Path(__file__).parent
_EVENT = Event(
    meter="表1",
    kind="power_down",
    occurred_at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
    ended_at=None,
    values=(
        EventValue(item="voltage.a@start", content=Decimal("230.10"), unit="V"),
        EventValue(item="clock_before", content=datetime(2026, 11, 22, 2, 59, 57, tzinfo=UTC)),
        EventValue(item="event_source", content="enum:0"),
    ),
    taken_at=datetime(2026, 11, 22, 3, 0, 5, 250_000, UTC),
    route="terminal 000000000161",
    source="dlt698.45 30110200",
)
_ACT = Act(
    topic=Topic.ORDER,
    subject="o-1",
    step=1,
    verb="create",
    at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
    actor="李雷",
    meter="表1",
    body={"kind": "trip", "reason": "欠费"},
    is_open=True,
)
_MISSING = Standing(
    key=SlotKey("表1", "daily_freeze", DAY_S, datetime(2026, 11, 22, 16, 0, tzinfo=UTC)),
    state=State.DUE,
    reason=Reason.SILENT,
    tries=2,
    due_at=datetime(2026, 11, 22, 16, 5, tzinfo=UTC),
    changed_at=datetime(2026, 11, 22, 16, 20, tzinfo=UTC),
)
_MARKS = {"power_down": EventMark(device="000000000161", counted=1, lasting=1)}
_ENTRY = {"id": "表1", "address": "000000000161", "line": "line1", "customer": "李雷"}


def test_every_schema_has_a_fixture() -> None:
    """A schema without an old file to migrate would be migrated for the first time at a customer's."""
    fixtures = sorted(path.name for path in _HERE.glob("journal-*.sql"))
    assert [f"journal-{number:04}.sql" for number in range(1, len(steps()) + 1)] == fixtures


@pytest.mark.parametrize("version", [0, 1, len(steps()) - 1, len(steps())])
def test_a_new_file_takes_all_steps_at_once_and_an_old_one_step_by_step(tmp_path: Path, version: int) -> None:
    """A first start would wait for the card a dozen times; and an old file would need its size once more."""
    path = tmp_path / "j.db"
    if version:
        _restore(_HERE / f"journal-{version:04}.sql", path)
    said: list[str] = []
    db = sqlite3.connect(path, isolation_level=None)
    db.set_trace_callback(said.append)
    migrate(db)
    db.close()
    begun = [one for one in said if one.startswith("BEGIN")]
    assert (len(steps()) - version if version else 1) == len(begun)


@pytest.mark.parametrize("fixture", sorted(_HERE.glob("journal-*.sql")), ids=lambda path: path.stem)
@pytest.mark.asyncio
async def test_an_old_journal_opens_twice(tmp_path: Path, fixture: Path) -> None:
    """The first opening migrates, the second must find nothing left to do; neither may lose a row."""
    path = tmp_path / "old.db"
    _restore(fixture, path)
    for start in (2, 3):
        async with Journal.open(path, clock=SystemClock()) as journal:
            assert start == journal.boot
            rows = await journal.rows_after(0, 10)
            values = [[str(reading.value) for reading in row.readings] for row in rows if row.readings]
            assert [["230.10", "None"], ["230.20"]] == values
            assert Marks.ABSENT == rows[0].readings[1].marks
            events = [row.record for row in rows if isinstance(row.record, Event)]
            assert ([_EVENT] if fixture.stem >= "journal-0002" else []) == events
            acts = [(one.act, one.hash) for one in await journal.acts.after(0)]
            has_acts = fixture.stem >= "journal-0003"
            assert ([(_ACT, link(FIRST_HASH, _ACT, 1))] if has_acts else []) == acts[:1]
            kept = [(1, "meterlink", _ENTRY)] if fixture.stem >= "journal-0004" else []
            assert {one[2]["id"]: one[2] for one in kept} == (await journal.roster.kept()).entries
            changes = await journal.roster.changes_of("表1")
            assert kept == [(one.revision, one.actor, one.change.new) for one in changes]
            assert [1] * has_acts == [one.number for one in await journal.acts.checkpoints()]
            standings = await journal.ledger.standings("表1", _MISSING.key.slot)
            assert ([_MISSING] if fixture.stem >= "journal-0005" else []) == standings
            assert (_MARKS if fixture.stem >= "journal-0008" else {}) == await journal.events.marks("表1")
            assert 1 == await journal.sinks.cursor("mqtt")
            assert [(1, "too large")] == await journal.sinks.poisoned("mqtt")
    async with Journal.open(path, clock=SystemClock()) as journal:
        assert 3 == await journal.keep(_EVENT), "an old journal takes an event, once"
        assert _EVENT == (await journal.rows_after(2, 10))[0].record
        await journal.acts.append(replace(_ACT, subject="o-2"))
        before = await journal.roster.kept()
        change = difference("表2", None, {"id": "表2"})
        assert change is not None
        act = replace(_ACT, topic=Topic.ROSTER, subject="roster", step=before.revision + 1)
        assert before.revision + 1 == await journal.roster.apply(act, [change], before)
        assert ["o-2"] == (await journal.acts.subjects(Topic.ORDER, only_open=True))[-1:]
    db = sqlite3.connect(path)
    assert (len(steps()),) == db.execute("PRAGMA user_version").fetchone()
    assert (APPLICATION_ID,) == db.execute("PRAGMA application_id").fetchone()
    db.close()


def _restore(fixture: Path, path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript(fixture.read_text(encoding="utf-8"))
    db.close()
