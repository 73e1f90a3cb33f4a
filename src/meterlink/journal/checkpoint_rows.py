"""Signed places of the chain and their rows, both ways."""

from __future__ import annotations

import sqlite3
from typing import Final

from meterlink.errors import RowUnreadable
from meterlink.journal.cells import instant, micros
from meterlink.model.checkpoint import Checkpoint

_ALL: Final = "SELECT number, at, hash, key, signature FROM checkpoint ORDER BY number"
_LAST: Final = "SELECT number, at, hash, key, signature FROM checkpoint ORDER BY number DESC LIMIT 1"


def insert(db: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint; one at that place stays as it is. In the writer's transaction."""
    db.execute(
        "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            checkpoint.number,
            micros(checkpoint.at),
            checkpoint.hash,
            checkpoint.key,
            checkpoint.signature,
        ),
    )


def select(db: sqlite3.Connection) -> list[Checkpoint]:
    """All of them, in order.

    Raises:
        RowUnreadable: one of them has no time that can be.

    """
    return [_checkpoint(row) for row in db.execute(_ALL)]


def last(db: sqlite3.Connection) -> Checkpoint | None:
    """The newest one.

    Raises:
        RowUnreadable: it has no time that can be.

    """
    row = db.execute(_LAST).fetchone()
    return _checkpoint(row) if row else None


def _checkpoint(row: tuple[int, int, str, str, str]) -> Checkpoint:
    number, at, hashed, key, signature = row
    try:
        return Checkpoint(number=number, at=instant(at), hash=hashed, key=key, signature=signature)
    except OverflowError as error:
        words = f"the checkpoint behind act {number} cannot be read: {error}"
        raise RowUnreadable(words, log_id=0) from error
