"""``meterlink journal``: what it tells of a journal, what it finds in a damaged one, and its copies."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from meterlink.audit.checkpoints import Signer
from meterlink.audit.keys import GatewayKey
from meterlink.cli import app
from meterlink.cli.journal_status import age_words, size_words
from meterlink.clock import SystemClock
from meterlink.daemon.audited import JOURNAL_FILE, RESERVE_FILE
from meterlink.journal import copying
from meterlink.journal.copying import PAGES_AT_ONCE, backup
from meterlink.journal.figures import figures
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.journal.reserve import RESERVE_OCTETS
from meterlink.journal.store import Store
from meterlink.model.zone import CHINA_TIME
from metersim.loop import Simulation
from tests.support.acts import act
from tests.support.forger import forging
from tests.support.gateway import write_one_meter
from tests.support.records import EPOCH, event, record

_HOURS = 12
_RECORDS = 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with half a day of readings, of which one sink has the first third."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_one_meter(tmp_path, folder)
    simulation = Simulation(start=EPOCH)

    async def fill() -> None:
        async with Journal.open(folder / JOURNAL_FILE, clock=simulation.clock) as journal:
            for n in range(_RECORDS):
                simulation.clock.step_wall(timedelta(hours=_HOURS) / _RECORDS)
                await journal.keep(record(n, data_class="daily_freeze" if n % 10 == 0 else "instant"))
            await journal.keep(event(1))
            await journal.acts.append(act())
            await Signer(journal.acts, GatewayKey.open(folder), simulation.clock, zone=CHINA_TIME).sign()
            await journal.sinks.advance("mqtt", _RECORDS // 3)
            await journal.sinks.poison("mqtt", 7, "too large")

    asyncio.run(fill())
    return folder


def _journal(data: Path, *words: str | Path) -> Result:
    config = ["--config", str(data.parent / "meterlink.toml")]
    return CliRunner().invoke(app, ["journal", *map(str, words), *config])


def _json(data: Path, *words: str | Path, exit_code: int = 0) -> dict[str, Any]:
    done = _journal(data, *words, "--json")
    assert exit_code == done.exit_code, done.output
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def test_status_counts_what_is_there(data: Path) -> None:
    """A person could not tell what is stored, how far a sink is, or for how long there is room."""
    (data / RESERVE_FILE).write_bytes(bytes(4096))
    told = _json(data, "status")
    assert [
        {"kind": "act", "class": "order", "count": 1},
        {"kind": "event", "class": "event", "count": 1},
        {"kind": "reading", "class": "daily_freeze", "count": 6},
        {"kind": "reading", "class": "instant", "count": 54},
    ] == told["rows"]
    [sink] = told["sinks"]
    assert ("mqtt", 20, 42, 1) == tuple(sink[key] for key in ("name", "last_id", "waiting", "poisoned"))
    assert "2026-11-22T04:12:00Z" == sink["waiting_since"], "the 21st record"
    assert (4096, RESERVE_OCTETS) == (told["reserve_octets"], told["reserve_octets_wanted"])
    assert told["octets"] == (data / JOURNAL_FILE).stat().st_size
    used = told["octets"] - told["unused_octets"]
    a_day = used * 24 / (_HOURS * (_RECORDS - 1) / _RECORDS)
    assert abs(told["octets_a_day"] - a_day) < 0.03 * a_day, "the first row is not of the span"
    assert told["days_left"] == pytest.approx(
        (told["free_octets"] + told["unused_octets"]) / told["octets_a_day"], rel=0.1
    )
    for lang, words in {
        "en": ("62 rows", "sink mqtt: 42 rows wait"),
        "zh": ("共 62 行", "待发 42 行"),
    }.items():
        said = _journal(data, "status", "--lang", lang).stdout
        assert [] == [word for word in words if word not in said]


def test_status_of_a_young_journal_promises_nothing(data: Path, tmp_path: Path) -> None:
    """Half an hour's rate, or none, would be told as days."""
    path = tmp_path / "young.sqlite3"
    Store.open(path).close()
    empty = _json(data, "status", path)
    assert ([], None, None, None) == tuple(
        empty[key] for key in ("rows", "oldest_at", "octets_a_day", "days_left")
    )
    assert "no rows yet" in _journal(data, "status", path, "--lang", "en").stdout


def test_status_works_on_a_copy_and_beside_a_writer(data: Path, tmp_path: Path) -> None:
    """It is wanted while the daemon runs, and on a copy that stands on another machine."""
    copy = tmp_path / "elsewhere.sqlite3"
    shutil.copyfile(data / JOURNAL_FILE, copy)
    assert 62 == _json(data, "status", copy)["newest_id"]
    assert 0 == _json(data, "status", copy)["reserve_octets"]
    store = Store.open(data / JOURNAL_FILE)
    try:
        assert 62 == _json(data, "status")["newest_id"]
    finally:
        store.close()


def test_no_journal_is_told_in_one_line(data: Path, tmp_path: Path) -> None:
    """A page of Python, or a new empty journal, in place of "there is none"."""
    for command in (("status", tmp_path / "no"), ("check", tmp_path / "no"), ("compact", tmp_path / "no")):
        done = _journal(data, *command)
        assert 7 == done.exit_code
        assert 1 == len(done.stderr.splitlines())
    assert not (tmp_path / "no").exists()


def test_counting_is_done_in_stretches(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look over millions of rows would hold back the daemon's log, and show nobody how far it is."""
    monkeypatch.setattr("meterlink.journal.figures.STRETCH_IDS", 25)
    seen: list[tuple[int, int]] = []
    with JournalReader(data / JOURNAL_FILE) as reader:
        counted = figures(reader, lambda done, of: seen.append((done, of)))
    assert [(25, 62), (50, 62), (62, 62)] == seen
    assert 62 == counted.row_count


def test_a_sound_journal_is_sound(data: Path) -> None:
    """A check that finds something in every journal is switched off."""
    assert {"ok": True, "acts": 1, "faults": []} == _json(data, "check")
    assert "The journal is sound." in _journal(data, "check", "--lang", "en").stdout
    assert "日志库完好。" in _journal(data, "check", "--lang", "zh").stdout


@pytest.mark.parametrize(
    ("change", "part", "exit_code"),
    [
        ("DELETE FROM log WHERE id = 30; DELETE FROM reading WHERE log_id = 30", "boundaries", 11),
        ("DELETE FROM reading WHERE log_id = 30", "boundaries", 11),
        ("DELETE FROM event_value; DELETE FROM event", "boundaries", 11),
        ("DELETE FROM log WHERE id = 62; DELETE FROM act", "boundaries", 11),
        ("UPDATE log SET kind = 'note' WHERE id = 1", "boundaries", 11),
        ("UPDATE sink SET last_id = 63", "boundaries", 11),
        ("UPDATE poison SET log_id = 63", "boundaries", 11),
        ("DELETE FROM log WHERE id = 30", "references", 7),
        ("UPDATE act SET actor = 'nobody'", "acts", 11),
        ("CREATE TABLE note (words TEXT) STRICT", "guards", 11),
        ("DROP INDEX reading_by_key", "guards", 11),
        ("UPDATE reading SET meter = 'm9' WHERE log_id = 30", None, 0),
    ],
)  # fmt: skip
def test_a_check_finds_what_was_changed(data: Path, change: str, part: str | None, exit_code: int) -> None:
    """Rows that are gone or half there would be found out by a bill, or never."""
    with forging(data / JOURNAL_FILE) as db:
        db.executescript(change)
    found = _json(data, "check", exit_code=exit_code)
    parts = {fault["part"] for fault in found["faults"]}
    assert (part in parts) if part else parts == set(), found


def test_a_check_sees_that_a_guard_is_gone_or_another(data: Path) -> None:
    """A trigger of the right name that lets everything pass is no guard."""
    path = data / JOURNAL_FILE
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER reading_keeps_rows")
        db.execute("DROP TRIGGER log_keeps_rows")
        db.execute("CREATE TRIGGER log_keeps_rows BEFORE DELETE ON log BEGIN SELECT 1; END")
    db.close()
    found = _json(data, "check", exit_code=11)["faults"]
    assert [
        "trigger log_keeps_rows is not as we made it",
        "trigger reading_keeps_rows is gone: somebody took it away",
    ] == [fault["en"] for fault in found if fault["part"] == "guards"]


def test_a_backup_is_the_journal(data: Path, tmp_path: Path) -> None:
    """A copy that cannot take the place of the journal is none."""
    target = tmp_path / "copy.sqlite3"
    told = _json(data, "backup", target)
    assert (62, target.stat().st_size) == (told["newest_id"], told["octets"])
    assert 0o600 == target.stat().st_mode & 0o777, "it holds what customers use"
    assert [target] == [*tmp_path.glob("copy*")], "one file, and nothing beside it"
    assert _json(data, "check", target)["ok"]
    with JournalReader(data / JOURNAL_FILE) as ours, JournalReader(target) as copy:
        assert ours.rows_after(0, 100) == copy.rows_after(0, 100)
    Store.open(target).close()


def test_a_backup_never_takes_the_place_of_a_file(data: Path) -> None:
    """Named by mistake, the journal itself would be overwritten."""
    done = _journal(data, "backup", data / JOURNAL_FILE)
    assert 7 == done.exit_code
    assert "choose another name" in done.stderr
    nowhere = _journal(data, "backup", data / "no" / "copy")
    assert 7 == nowhere.exit_code
    assert "No such file or directory" in nowhere.stderr


def test_a_backup_while_the_daemon_writes(tmp_path: Path) -> None:
    """With a writer that never pauses a copy would begin again for ever, or hold rows of two moments."""
    path, target = tmp_path / "j.db", tmp_path / "copy.db"

    async def fill() -> int:
        async with Journal.open(path, clock=SystemClock()) as journal:
            await asyncio.gather(*(journal.keep(record(n, items=200)) for n in range(600)))
            begun = threading.Event()
            copying = asyncio.create_task(asyncio.to_thread(_backed_up, begun))
            while not copying.done():
                await journal.keep(record(1))
                begun.set()
            await copying
            return journal.newest_id

    steps: list[int] = []

    def _backed_up(begun: threading.Event) -> None:
        def told(at: int, _of: int) -> None:
            assert begun.wait(10)
            begun.clear()  # something is written between any two steps
            steps.append(at)

        with JournalReader(path) as reader:
            backup(reader, target, progress=told)

    newest = asyncio.run(fill())
    assert len(steps) > 1, f"the journal is larger than {PAGES_AT_ONCE} pages"
    assert sorted(set(steps)) == steps, "it began again"
    with JournalReader(target) as copy:
        kept = [row.id for row in copy.rows_after(0, 10_000)]
    assert [*range(1, len(kept) + 1)] == kept
    assert 600 <= len(kept) < newest, "the moment of its beginning"


@pytest.mark.parametrize("fault", ["damaged", "unwritable"])
def test_a_copy_that_failed_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Half a backup under the name of a whole one would be found on the day when it is needed."""
    whole: Callable[[Path], None] = copying._check

    def torn(part: Path) -> None:
        octets = bytearray(part.read_bytes())
        octets[4096 * 3 : 4096 * 3 + 64] = b"\xff" * 64
        part.write_bytes(octets)
        whole(part)

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copying, "_check", torn if fault == "damaged" else full)
    done = _journal(data, "backup", tmp_path / "copy.sqlite3")
    assert 7 == done.exit_code, done.output
    assert [] == [*tmp_path.glob("copy*")]
    assert 7 == _journal(data, "compact").exit_code
    monkeypatch.setattr(copying, "_check", whole)
    assert _json(data, "check")["ok"], "it is as it was"
    assert [] == [*data.glob("*.part")]


def test_compacting_gives_room_back_and_changes_no_row(data: Path) -> None:
    """A file that rows were removed from would stay as large as it ever was, or lose what is left."""
    path = data / JOURNAL_FILE
    path.chmod(0o640)
    with forging(path) as db:
        db.executescript("CREATE TABLE filler (x BLOB); INSERT INTO filler VALUES (zeroblob(2000000));")
        db.execute("DROP TABLE filler")
    with JournalReader(path) as reader:
        before = reader.rows_after(0, 100)
    told = _json(data, "compact")
    assert told["octets"] < told["octets_before"] - 1_900_000
    assert told["octets"] == path.stat().st_size
    assert 0o640 == path.stat().st_mode & 0o777, "who could read it still can"
    assert _json(data, "check")["ok"]

    async def go_on() -> int:
        async with Journal.open(path, clock=SystemClock()) as journal:
            assert before == await journal.rows_after(0, 100)
            return await journal.keep(record(99))

    assert 63 == asyncio.run(go_on()), "ids go on where they were"


def test_compacting_refuses_a_journal_in_use(data: Path) -> None:
    """The daemon would go on writing into a file that nobody sees any more."""
    store = Store.open(data / JOURNAL_FILE)
    try:
        done = _journal(data, "compact")
        assert 7 == done.exit_code
        assert "another meterlink has this journal open" in done.stderr
    finally:
        store.close()
    with JournalReader(data / JOURNAL_FILE) as reader:
        Store.open(data / JOURNAL_FILE).close()
        assert reader.rows_after(0, 1)
        reader.look(lambda db: db.execute("BEGIN"))
        reader.rows_after(0, 1)
        done = _journal(data, "compact")
        assert 7 == done.exit_code
        assert "end it" in done.stderr


@pytest.mark.parametrize(
    ("octets", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (200 << 20, "200 MiB"), (9 << 50, "9216 TiB")],
)
def test_sizes_in_words(octets: int, words: str) -> None:
    """A size without its unit, or in one that nobody reads."""
    assert words == size_words(octets)


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0 s"), (59, "59 s"), (90, "1.5 min"), (7200, "2.0 h"), (86_400 * 3, "3.0 d")]
)
def test_ages_in_words(seconds: int, words: str) -> None:
    """The age of the newest row says whether anything is still read."""
    assert words == age_words(timedelta(seconds=seconds))
