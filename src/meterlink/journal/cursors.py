"""How far each sink has followed the log, and the rows it can never take.

Each function is one statement inside the writer's transaction; who calls commits.
"""

from __future__ import annotations

import sqlite3


def position(db: sqlite3.Connection, sink: str) -> int:
    """The last id that ``sink`` has, or 0."""
    row = db.execute("SELECT last_id FROM sink WHERE name = ?", (sink,)).fetchone()
    return int(row[0]) if row else 0


def advance(db: sqlite3.Connection, sink: str, last_id: int) -> None:
    """Move forward; a smaller id changes nothing."""
    db.execute(
        "INSERT INTO sink (name, last_id) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET last_id = max(last_id, excluded.last_id)",
        (sink, last_id),
    )


def rewind(db: sqlite3.Connection, sink: str, last_id: int) -> None:
    """Move back; a greater id changes nothing."""
    db.execute("UPDATE sink SET last_id = min(last_id, ?) WHERE name = ?", (last_id, sink))


def poison(db: sqlite3.Connection, sink: str, log_id: int, reason: str, poisoned_at: int) -> None:
    """Note that ``sink`` can never take a row; the first reason stays."""
    db.execute(
        "INSERT INTO poison (sink, log_id, reason, poisoned_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (sink, log_id, reason, poisoned_at),
    )


def poisoned(db: sqlite3.Connection, sink: str) -> list[tuple[int, str]]:
    """The rows that ``sink`` can never take: (log id, reason)."""
    rows = db.execute("SELECT log_id, reason FROM poison WHERE sink = ? ORDER BY log_id", (sink,))
    return [(int(log_id), str(reason)) for log_id, reason in rows]
