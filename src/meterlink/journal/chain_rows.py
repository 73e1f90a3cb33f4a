"""The chain of acts as an auditor reads it: row by row, taking nothing for granted that the file says."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from meterlink.journal import act_rows
from meterlink.journal.cells import micros
from meterlink.model.act import KeptAct

_LINKS: Final = """
    SELECT act.log_id, act.number, act.hash, act.topic, act.subject, act.step, act.verb, act.at, act.actor,
      act.meter, act.body, act.is_open, log.kind, log.meter, log.data_class, log.slot
    FROM act LEFT JOIN log ON log.id = act.log_id WHERE act.number > ? ORDER BY act.number LIMIT ?
    """
_LONELY: Final = """
    SELECT id FROM log WHERE kind = 'act' AND id > ? AND NOT EXISTS (SELECT 1 FROM act WHERE log_id = log.id)
    ORDER BY id LIMIT 1
    """
_SUBJECTS: Final = """
    SELECT act.topic, act.subject, act.log_id, act.number FROM act
    LEFT JOIN subject ON subject.topic = act.topic AND subject.id = act.subject
    WHERE NOT EXISTS (
      SELECT 1 FROM act AS later
      WHERE later.topic = act.topic AND later.subject = act.subject AND later.step > act.step)
    AND (subject.step IS NOT act.step OR subject.is_open IS NOT act.is_open OR subject.meter IS NOT act.meter)
    ORDER BY act.number LIMIT 1
    """
_NOBODY: Final = """
    SELECT topic, id FROM subject
    WHERE NOT EXISTS (SELECT 1 FROM act WHERE act.topic = subject.topic AND act.subject = subject.id) LIMIT 1
    """
_TABLES: Final = ("act", "subject", "checkpoint")
_GUARDS: Final = frozenset(
    f"{table}_keeps_{what}" for table in ("log", "act", "checkpoint") for what in ("rows", "values")
)
_GIVEN: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'log'"
_NEWEST: Final = "SELECT coalesce(max(id), 0) FROM log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One row of the chain.

    Args:
        log_id: its place in the log.
        number: the place in the chain that it says it has.
        kept: what it says; ``None`` where it cannot be read.
        fault: why it cannot be read, or how it disagrees with its row of the log; empty: neither.

    """

    log_id: int
    number: int
    kept: KeptAct | None
    fault: str = ""


def damage(db: sqlite3.Connection) -> str:
    """What is wrong with the tables of the chain; empty: nothing."""
    for table in _TABLES:
        (verdict,) = db.execute(f"PRAGMA integrity_check({table})").fetchone()
        if verdict != "ok":
            return f"table {table} of the file is damaged: {verdict}"
    guards = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    if gone := sorted(_GUARDS - guards):
        return f"somebody took away what keeps rows from being changed: {', '.join(gone)}"
    return ""


def links(db: sqlite3.Connection, after: int, limit: int) -> list[Link]:
    """The rows of the chain behind a number, in order; none is left out because it is damaged."""
    return [_link(row) for row in db.execute(_LINKS, (after, limit))]


def stray(db: sqlite3.Connection) -> tuple[int, str] | None:
    """The first trace of something that was taken out or slipped in beside the chain: log id, and what."""
    if row := db.execute(_LONELY, (0,)).fetchone():
        return int(row[0]), f"row {row[0]} of the log is of an act, and the act is gone"
    if row := db.execute(_SUBJECTS).fetchone():
        topic, subject, log_id, number = row
        return log_id, f"the state of {topic} {subject!r} is not that of its last act, number {number}"
    if row := db.execute(_NOBODY).fetchone():
        return 0, f"there is a state of {row[0]} {row[1]!r}, of which there is no act"
    (given,), (newest,) = db.execute(_GIVEN).fetchone(), db.execute(_NEWEST).fetchone()
    if newest < given:
        return newest, f"the log has given {given} rows and ends with row {newest}: its end was cut off"
    return None


def _link(row: tuple[Any, ...]) -> Link:
    log_id, number, of_act, head = row[0], row[1], row[:12], row[12:]
    try:
        kept = act_rows.decode([of_act])
    except (ValueError, TypeError, ArithmeticError) as error:
        return Link(log_id=log_id, number=number, kept=None, fault=str(error))
    act = kept.act
    told = (act_rows.KIND, act.meter, act.topic.value, micros(act.at))
    fault = "" if told == head else "its row of the log says something else, or is gone"
    return Link(log_id=log_id, number=number, kept=kept, fault=fault)
