"""Signed places of the chain and their rows, both ways."""

from __future__ import annotations

import sqlite3

from meterlink.journal.cells import instant, micros
from meterlink.model.checkpoint import Checkpoint


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
    """All of them, in order."""
    return [
        Checkpoint(number=number, at=instant(at), hash=hashed, key=key, signature=signature)
        for number, at, hashed, key, signature in db.execute(
            "SELECT number, at, hash, key, signature FROM checkpoint ORDER BY number"
        )
    ]
