"""F62: whatever is done to the chain of acts, the verifier names the first row that is not as it was."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from meterlink.audit.chain import CHECKPOINT_EVERY, Fault, FaultKind
from meterlink.audit.keys import GatewayKey
from meterlink.audit.verify import READ_AT_ONCE, UNSIGNED_MAX, Findings, verify
from meterlink.journal.chain_rows import Link
from meterlink.journal.reader import JournalReader
from meterlink.model.checkpoint import Checkpoint
from tests.support.acts import act
from tests.support.forger import checkpoint_of, forging, make_chain, relink, sign_anew

_ACTS = 12
_SIGNED_AT = (4, 9)
_KEY = GatewayKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_STRANGER = GatewayKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
_EVERY_ROW = range(1, _ACTS + 1)
_SOME_ROWS = (1, 4, 5, 7, _ACTS)
"""First, before and behind a checkpoint, in the middle, last."""


@pytest.fixture
def journal(tmp_path: Path, whole_chain: Path) -> Path:
    """A copy of a whole chain, to be forged."""
    copy = tmp_path / "j.db"
    copy.write_bytes(whole_chain.read_bytes())
    return copy


@pytest.fixture(scope="module")
def whole_chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve acts of three subjects, signed behind the fourth and the ninth."""
    path = tmp_path_factory.mktemp("chain") / "j.db"
    acts = [act((n + 2) // 3, subject=f"o-{n % 3}", note=n) for n in _EVERY_ROW]
    asyncio.run(make_chain(path, acts, _KEY, _SIGNED_AT))
    return path


def _look(path: Path, *saved: Checkpoint, keys: Sequence[str] = (_KEY.public_hex,)) -> Findings:
    with JournalReader(path) as reader:
        return verify(reader, keys=keys, saved=saved)


def _saved(path: Path, number: int) -> Checkpoint:
    """A checkpoint that somebody took away before the file was forged."""
    with JournalReader(path) as reader:
        (row,) = reader.links(number - 1, 1)
    assert row.kept is not None
    return checkpoint_of(_KEY, number, row.kept.hash)


def _forge(path: Path, *statements: str) -> None:
    with forging(path) as db:
        for statement in statements:
            db.execute(statement)


def _fault(found: Findings) -> Fault:
    assert found.fault is not None, "nothing was found"
    if found.fault.last:
        assert str(found.fault.last) in found.fault.en
        assert str(found.fault.last) in found.fault.zh
    return found.fault


def test_a_whole_chain_is_whole(journal: Path) -> None:
    """An alarm that always rings is switched off."""
    found = _look(journal, _saved(journal, 4), _saved(journal, 11))
    assert found.fault is None
    assert (_ACTS, 4, 11, 1) == (found.acts, found.checkpoints, found.signed_to, found.unsigned)
    assert (_KEY.public_hex,) == found.keys == _look(journal, keys=()).keys


@pytest.mark.parametrize(
    "change",
    ["topic = 'work'", "subject = 'x'", "step = step + 90", "verb = 'x'", "at = at + 1", "actor = '韩梅梅'",
     "meter = 'x'", "body = '{}'", "body = '{\"note\": 1}'", "body = 'x'", "body = CAST(x'ff' AS TEXT)",
     "actor = CAST(x'ff' AS TEXT)", "is_open = 0", "is_open = 2", "hash = '" + "0" * 64 + "'", "hash = 'x'",
     "number = 1000", "log_id = 1000"],
)  # fmt: skip
@pytest.mark.parametrize("row", _SOME_ROWS)
def test_f62_an_edited_act_is_named(journal: Path, row: int, change: str) -> None:
    """F62: an approval could be given another name afterwards."""
    _forge(journal, f"UPDATE act SET {change} WHERE number = {row}")
    fault = _fault(_look(journal))
    if (row, change) == (_ACTS, "number = 1000"):
        assert (FaultKind.MISSING, row, 999) == (fault.kind, fault.first, fault.last)
    else:
        assert fault.first <= row == fault.last


@pytest.mark.parametrize(
    "change", ["kind = 'event'", "meter = 'x'", "data_class = 'work'", "slot = slot + 1"]
)
@pytest.mark.parametrize("row", _SOME_ROWS)
def test_f62_an_edited_row_of_the_log_is_named(journal: Path, row: int, change: str) -> None:
    """F62: what goes to the broker is read through the log; it would tell another story than the chain."""
    _forge(journal, f"UPDATE log SET {change} WHERE id = {row}")
    fault = _fault(_look(journal))
    assert (FaultKind.UNREADABLE, row, row) == (fault.kind, fault.first, fault.log_id)


@pytest.mark.parametrize("row", range(1, _ACTS))
@pytest.mark.parametrize("also", [(), ("DELETE FROM log WHERE id = {row}",)], ids=["act", "act and log"])
def test_f62_an_act_taken_out_is_named(journal: Path, row: int, also: tuple[str, ...]) -> None:
    """F62: a refusal could be made not to have been."""
    _forge(journal, f"DELETE FROM act WHERE number = {row}", *(each.format(row=row) for each in also))
    fault = _fault(_look(journal))
    assert (FaultKind.MISSING, row, row) == (fault.kind, fault.first, fault.last)


@pytest.mark.parametrize("row", range(1, _ACTS))
def test_f62_an_act_taken_out_and_the_rest_moved_up_is_named(journal: Path, row: int) -> None:
    """F62: the hole in the numbers is easily closed."""
    _forge(
        journal,
        f"DELETE FROM act WHERE number = {row}",
        f"UPDATE act SET number = -number WHERE number > {row}",
        "UPDATE act SET number = -number - 1 WHERE number < 0",
    )
    fault = _fault(_look(journal))
    assert (FaultKind.EDITED, row) == (fault.kind, fault.last)


@pytest.mark.parametrize("row", range(1, _ACTS))
@pytest.mark.parametrize("column", ["number", "log_id"])
def test_f62_acts_that_changed_places_are_named(journal: Path, row: int, column: str) -> None:
    """F62: what came first decides who was right."""
    other = row + 1
    _forge(
        journal,
        f"UPDATE act SET {column} = -{row} WHERE {column} = {row}",
        f"UPDATE act SET {column} = {row} WHERE {column} = {other}",
        f"UPDATE act SET {column} = {other} WHERE {column} = -{row}",
    )
    fault = _fault(_look(journal))
    assert fault.first <= row <= fault.last


@pytest.mark.parametrize("row", range(1, _ACTS))
def test_f62_acts_that_changed_places_with_their_rows_of_the_log_are_named(journal: Path, row: int) -> None:
    """F62: the same, more carefully: contents are changed over, numbers and hashes left in place."""
    columns = ["topic", "subject", "step", "verb", "at", "actor", "meter", "body", "is_open"]
    with forging(journal) as db:
        told = {
            n: db.execute(f"SELECT {', '.join(columns)} FROM act WHERE number = ?", (n,)).fetchone()
            for n in (row, row + 1)
        }
        db.execute("UPDATE act SET subject = 'away' WHERE number = ?", (row,))
        for n in (row + 1, row):
            sets = ", ".join(f"{column} = ?" for column in columns)
            db.execute(f"UPDATE act SET {sets} WHERE number = ?", (*told[2 * row + 1 - n], n))
            at, meter = told[2 * row + 1 - n][4], told[2 * row + 1 - n][6]
            db.execute("UPDATE log SET slot = ?, meter = ? WHERE id = ?", (at, meter, n))
    fault = _fault(_look(journal))
    assert (FaultKind.EDITED, row) == (fault.kind, fault.last)


@pytest.mark.parametrize("row", _EVERY_ROW)
def test_f62_a_chain_written_anew_is_named_by_the_next_checkpoint(journal: Path, row: int) -> None:
    """F62: hashes alone prove nothing to somebody who can count them himself."""
    saved = _saved(journal, _ACTS)
    with forging(journal) as db:
        db.execute("UPDATE act SET actor = 'x' WHERE number = ?", (row,))
        relink(db, row)
    fault = _fault(_look(journal, saved))
    marks = [0, *_SIGNED_AT, _ACTS]
    after = max(mark for mark in marks if mark < row)
    assert (FaultKind.REWRITTEN, after + 1) == (fault.kind, fault.first)
    assert min(mark for mark in marks if mark >= row) == fault.last


@pytest.mark.parametrize("last", range(_ACTS))
def test_f62_a_chain_cut_off_is_named_by_a_checkpoint_kept_elsewhere(journal: Path, last: int) -> None:
    """F62: the last acts are those that somebody wants gone, and nothing stands behind them."""
    saved = _saved(journal, _ACTS)
    _forge(
        journal,
        *(f"DELETE FROM {table} WHERE {name} > {last}" for table, name in
          [("act", "number"), ("log", "id"), ("checkpoint", "number")]),
        "DELETE FROM subject WHERE NOT EXISTS (SELECT 1 FROM act WHERE act.subject = subject.id)",
        "UPDATE subject SET step = (SELECT max(step) FROM act WHERE act.subject = subject.id)",
    )  # fmt: skip
    traced = _look(journal)
    assert FaultKind.BESIDE is _fault(traced).kind, "SQLite itself remembers how many rows there were"
    _forge(journal, f"UPDATE sqlite_sequence SET seq = {last} WHERE name = 'log'")
    assert _look(journal).fault is None, "nothing in the file tells of it any more"
    fault = _fault(_look(journal, saved))
    assert (FaultKind.CUT_OFF, last + 1, _ACTS) == (fault.kind, fault.first, fault.last)


def test_f62_a_chain_cut_off_before_its_own_checkpoint_is_named(journal: Path) -> None:
    """F62: without any checkpoint from elsewhere, those in the journal still speak."""
    _forge(journal, "DELETE FROM act WHERE number > 7")
    fault = _fault(_look(journal))
    assert (FaultKind.CUT_OFF, 8, 9) == (fault.kind, fault.first, fault.last)


def test_f62_a_chain_replaced_with_another_key_is_named(journal: Path) -> None:
    """F62: a whole journal could be made at another desk."""
    saved = _saved(journal, _ACTS)
    with forging(journal) as db:
        db.execute("UPDATE act SET actor = 'x' WHERE number = 2")
        relink(db, 2)
        sign_anew(db, _STRANGER)
    fault = _fault(_look(journal))
    assert (FaultKind.OTHER_KEY, 4) == (fault.kind, fault.last)
    assert _STRANGER.public_hex in fault.en
    found = _look(journal, keys=())
    assert (None, (_STRANGER.public_hex,)) == (found.fault, found.keys), "who looks must compare the key"
    assert FaultKind.OTHER_KEY is _fault(_look(journal, saved, keys=())).kind
    both = (_KEY.public_hex, _STRANGER.public_hex)
    assert FaultKind.REWRITTEN is _fault(_look(journal, saved, keys=both)).kind


@pytest.mark.parametrize(
    "change",
    ["number = 5", "at = at + 1", "hash = '" + "0" * 64 + "'", "signature = '" + "0" * 128 + "'",
     "signature = 'x'", "key = 'x'", "at = 9223372036854775807"],
)  # fmt: skip
def test_f62_a_forged_checkpoint_is_named(journal: Path, change: str) -> None:
    """F62: the mark that everything is measured by could be moved."""
    _forge(journal, f"UPDATE checkpoint SET {change} WHERE number = 4")
    fault = _fault(_look(journal, keys=()))
    assert fault.kind in {FaultKind.BAD_SIGNATURE, FaultKind.BESIDE}
    assert f"behind act {5 if 'number' in change else 4}" in fault.en


def test_f62_a_saved_checkpoint_that_is_forged_is_named(journal: Path) -> None:
    """F62: somebody could bring a paper of his own, to put an honest chain into doubt."""
    forged = replace(_saved(journal, 12), number=100)
    fault = _fault(_look(journal, forged))
    assert (FaultKind.BAD_SIGNATURE, 100) == (fault.kind, fault.last)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE subject SET is_open = 0 WHERE id = 'o-1'", "state of order 'o-1'"),
        ("UPDATE subject SET step = 9 WHERE id = 'o-1'", "state of order 'o-1'"),
        ("DELETE FROM subject WHERE id = 'o-2'", "state of order 'o-2'"),
        ("INSERT INTO subject VALUES ('order', 'o-9', 'm1', 1, 0)", "order 'o-9', of which there is no act"),
        ("INSERT INTO log SELECT 99, boot, kind, kept_at, meter, data_class, slot FROM log WHERE id = 1",
         "row 99 of the log is of an act, and the act is gone"),
    ],
)  # fmt: skip
def test_f62_what_stands_beside_the_chain_must_fit_it(journal: Path, statement: str, words: str) -> None:
    """F62: an open order could be hidden without touching any act."""
    _forge(journal, statement)
    fault = _fault(_look(journal))
    assert FaultKind.BESIDE is fault.kind
    assert words in fault.en


def test_f62_guards_that_are_gone_are_told(journal: Path) -> None:
    """F62: who takes away the triggers means to come back."""
    db = sqlite3.connect(journal)
    db.execute("DROP TRIGGER act_keeps_values")
    db.close()
    assert "act_keeps_values" in _fault(_look(journal)).en


def test_f62_acts_added_behind_the_last_checkpoint_are_counted(journal: Path) -> None:
    """F62: what no signature covers must not be taken for proven."""
    assert _ACTS - _SIGNED_AT[-1] == _look(journal).unsigned


@pytest.mark.asyncio
async def test_a_chain_that_nobody_signed_is_no_chain_of_a_daemon(tmp_path: Path) -> None:
    """F62: all checkpoints could be taken out; and the batches are read in parts that must fit together."""
    path = tmp_path / "j.db"
    acts = [act(n) for n in range(1, UNSIGNED_MAX + 2)]
    await make_chain(path, acts, _KEY, [CHECKPOINT_EVERY, 2 * CHECKPOINT_EVERY])
    asked: list[int] = []
    told: list[tuple[int, int]] = []

    class Counting(JournalReader):
        def links(self, after: int, limit: int) -> list[Link]:
            asked.append(limit)
            return super().links(after, limit)

    with Counting(path) as reader:
        found = verify(reader, progress=lambda done, of: told.append((done, of)))
        assert (None, UNSIGNED_MAX + 1) == (found.fault, found.acts)
    assert {READ_AT_ONCE} == set(asked)
    assert (UNSIGNED_MAX + 1, UNSIGNED_MAX + 1) == told[-1]
    _forge(path, f"DELETE FROM checkpoint WHERE number = {CHECKPOINT_EVERY}")
    fault = _fault(_look(path))
    assert (FaultKind.UNSIGNED, 1, 2 * CHECKPOINT_EVERY) == (fault.kind, fault.first, fault.last)
    _forge(path, "DELETE FROM checkpoint")
    fault = _fault(_look(path))
    assert (FaultKind.UNSIGNED, 1, UNSIGNED_MAX + 1) == (fault.kind, fault.first, fault.last)
