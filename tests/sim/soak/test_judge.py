"""The judge of simulated weeks tells what is wrong; a seed that breaks it keeps no other from its verdict."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from tests.sim.soak import soak
from tests.sim.soak.draft import Draft
from tests.sim.soak.drawing import drawn
from tests.sim.soak.playing import play, quiet
from tests.sim.soak.verdict import Verdict, judge
from tests.sim.soak.world import World
from tests.support.scratch import in_memory

_SEED, _DAYS, _METERS = 99, 1, 12
_HOLES = "state = 0 AND due_at < (SELECT max(alive_at) FROM life) - 36000"
"""Slots that are missing although everything was quiet for hours."""


_RESTARTED = "(SELECT CAST(max(started_at) / 1000000 AS INTEGER) FROM boot)"


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[Draft, World]]:
    """A day of twelve meters, which is as it must be."""
    quiet()
    draft = drawn(_SEED, days=_DAYS, meters=_METERS)
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        world = World(draft, Path(folder))
        world.play()
        verdict = judge(draft, world)
        assert verdict.is_good, verdict.words()
        yield draft, world


@contextlib.contextmanager
def _changed(path: Path, *statements: str) -> Iterator[None]:
    """Another journal for a while: the triggers that keep its rows are gone, and these statements done."""
    kept = path.read_bytes()
    with contextlib.closing(sqlite3.connect(path)) as db:
        triggers = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for statement in (*(f"DROP TRIGGER {name}" for (name,) in triggers), *statements):
            changed = db.execute(statement).rowcount
            assert changed, f"{statement}: there is no such row"
        db.commit()
    yield
    path.write_bytes(kept)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        (f"UPDATE slot SET reason = 2, changed_at = due_at WHERE {_HOLES}", "in its way"),
        (f"UPDATE slot SET reason = 7, changed_at = {_RESTARTED} WHERE {_HOLES}", "has been over for hours"),
        (f"UPDATE slot SET changed_at = NULL WHERE {_HOLES}", "nobody says since when"),
        ("DELETE FROM event WHERE kind = 'cover_open'", "was not told"),
        ("UPDATE event SET occurred_at = occurred_at + 1000000 WHERE kind = 'cover_open'", "no such event"),
        (
            "INSERT INTO event SELECT (SELECT max(log_id) + 1 FROM event), meter, 'again', kind, occurred_at,"
            " ended_at, taken_at, route, source FROM event WHERE kind = 'cover_open' LIMIT 1",
            "no such event",
        ),
        (
            "DELETE FROM slot WHERE series IN (SELECT number FROM series WHERE data_class = 'status')",
            "nothing of it",
        ),
        (
            "UPDATE reading SET value = value + 1 WHERE item = 'meter_status_word_3'",
            "was not so at the meter",
        ),
    ],
)
def test_the_judge_tells_what_is_wrong(played: tuple[Draft, World], statement: str, complaint: str) -> None:
    """A soak whose judge overlooks a lost event or a reason of yesterday shows nothing."""
    draft, world = played
    with _changed(world.journal, statement):
        verdict = judge(draft, world)
    assert not verdict.is_good
    assert any(complaint in one for one in verdict.complaints), verdict.words()


@pytest.mark.parametrize("data_class", ["instant", "status"])
def test_slots_of_the_moment_are_counted(played: tuple[Draft, World], data_class: str) -> None:
    """A daemon that gives up each slot after two silences would pass: only freezes and curves would count."""
    draft, world = played
    whole = judge(draft, world)
    lose = (
        "UPDATE slot SET state = 3, reason = 1 WHERE state = 1 AND series IN"
        f" (SELECT number FROM series WHERE data_class = '{data_class}')"
    )
    with _changed(world.journal, lose):
        holed = judge(draft, world)
    lost = whole.kept - holed.kept
    assert whole.readable == holed.readable
    assert lost >= draft.days * _METERS / 2
    assert lost == len([one for one in holed.missing if f" {data_class} " in one])


def test_a_seed_that_breaks_fails_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nineteen others would be lost with it, and nobody would know which seed it was."""

    def broken(seed: int, folder: Path, *, days: int, meters: int) -> Verdict:
        if seed == 1:
            raise AssertionError("two readings of one slot")
        return Verdict(readable=days * meters, kept=days * meters)

    monkeypatch.setattr(soak, "play", broken)
    monkeypatch.setattr(
        sys, "argv", ["soak", "--seeds", "3", "--days", "2", "--meters", "12", "--workers", "1"]
    )
    with pytest.raises(SystemExit, match="1"):
        soak.main()
    said = capsys.readouterr().out
    assert "seed 1: BAD, make soak SEED=1 DAYS=2 METERS=12" in said and "two readings of one slot" in said
    assert "2 of 3 seeds are good" in said


_PRINT = "import sys; from tests.sim.soak import test_judge; print(test_judge.played_to(sys.argv[1]))"


def played_to(folder: str) -> str:
    """Play the seed; what has become of it."""
    quiet()
    play(_SEED, Path(folder), days=_DAYS, meters=_METERS)
    return _fingerprint(Path(folder) / JOURNAL_FILE)


def _fingerprint(journal: Path) -> str:
    """The same for the same readings, slots and events, to the last figure and microsecond."""
    told = hashlib.sha256()
    with contextlib.closing(sqlite3.connect(journal)) as db:
        for table in ("reading", "slot", "gap", "event", "event_value", "life"):
            for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2"):
                told.update(repr(row).encode())
    return told.hexdigest()


def test_a_seed_plays_the_same_in_another_process(played: tuple[Draft, World]) -> None:
    """A failure that does not come again when its seed is played again is one that nobody can mend."""
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        done = subprocess.run(
            [sys.executable, "-c", _PRINT, folder],
            env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": "."},
            check=True,
            capture_output=True,
            text=True,
        )
    assert _fingerprint(played[1].journal) == done.stdout.strip()
