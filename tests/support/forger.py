"""Somebody with the journal's file and time: changes it and leaves no more trace than must be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from meterlink.audit.chain import PURPOSE, signed
from meterlink.audit.keys import GatewayKey
from meterlink.clock import SystemClock
from meterlink.journal import act_rows
from meterlink.journal.journal import Journal
from meterlink.model.act import Act, link
from meterlink.model.checkpoint import Checkpoint
from tests.support.records import EPOCH


def checkpoint_of(key: GatewayKey, number: int, hashed: str) -> Checkpoint:
    """A checkpoint that is signed as it must be."""
    bare = Checkpoint(number=number, at=EPOCH, hash=hashed, key=key.public_hex, signature="")
    signature = key.sign(PURPOSE, signed(bare))
    return Checkpoint(number=number, at=EPOCH, hash=hashed, key=key.public_hex, signature=signature)


async def make_chain(path: Path, acts: Sequence[Act], key: GatewayKey, signed_at: Sequence[int] = ()) -> None:
    """A journal with these acts, signed behind some of them."""
    async with Journal.open(path, clock=SystemClock()) as journal:
        for start in range(0, len(acts), 64):
            await journal.acts.append(*acts[start : start + 64])
        for number in signed_at:
            (there,) = await journal.acts.after(number - 1, limit=1)
            await journal.acts.sign(checkpoint_of(key, number, there.hash))


@contextmanager
def forging(path: Path) -> Iterator[sqlite3.Connection]:
    """The file with its guards taken away, and put back behind."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = OFF")  # a forger in a hurry
        guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        yield db
        for _, sql in guards:
            db.execute(sql)
    finally:
        db.close()


def relink(db: sqlite3.Connection, start: int) -> None:
    """New hashes for all acts from a number on, so that each follows on the one before it."""
    before = act_rows.after(db, start - 2, 1)[0].hash if start > 1 else "0" * 64
    for kept in act_rows.after(db, start - 1, 1_000_000):
        before = link(before, kept.act, kept.number)
        db.execute("UPDATE act SET hash = ? WHERE number = ?", (before, kept.number))


def sign_anew(db: sqlite3.Connection, key: GatewayKey) -> None:
    """All checkpoints again, with another key and over what is there now."""
    for (number,) in db.execute("SELECT number FROM checkpoint").fetchall():
        mark = checkpoint_of(key, number, act_rows.after(db, number - 1, 1)[0].hash)
        db.execute(
            "UPDATE checkpoint SET hash = ?, key = ?, signature = ? WHERE number = ?",
            (mark.hash, mark.key, mark.signature, number),
        )
