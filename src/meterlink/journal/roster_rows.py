"""The roster and its rows, both ways; a revision is kept inside one transaction, or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from meterlink.errors import JournalError
from meterlink.journal import act_rows, retold
from meterlink.journal.cells import instant, micros, text
from meterlink.journal.judged import Judge
from meterlink.model.act import Act, Topic
from meterlink.model.history import Shown
from meterlink.model.marks import UNUSABLE
from meterlink.model.payload import time_in
from meterlink.model.roster_change import (
    SUBJECT,
    EntryChange,
    KeptChange,
    KeptRoster,
    changed,
    entry_out,
)

_REVISION: Final = "SELECT step FROM subject WHERE topic = ? AND id = ?"
_ENTRIES: Final = "SELECT id, entry FROM roster ORDER BY id"
_CHANGES: Final = """
    SELECT roster_change.revision, act.log_id, act.number, act.at, act.actor, act.verb, roster_change.meter,
      roster_change.old, roster_change.new,
      CASE WHEN act.verb = 'ratio' AND json_valid(act.body) THEN json_extract(act.body, '$.at') END
    FROM roster_change
    JOIN act ON act.topic = 'roster' AND act.subject = 'roster' AND act.step = roster_change.revision
    """
_OF_METER: Final = f"{_CHANGES} WHERE roster_change.meter = ? ORDER BY roster_change.revision DESC LIMIT ?"
_OF_REVISION: Final = f"{_CHANGES} WHERE roster_change.revision = ? ORDER BY roster_change.n"
_EVERY: Final = f"{_CHANGES} ORDER BY roster_change.revision, roster_change.n"
_CHANGED_BEHIND: Final = """
    SELECT DISTINCT roster_change.meter FROM act JOIN roster_change ON roster_change.revision = act.step
    WHERE act.topic = 'roster' AND act.subject = 'roster' AND act.log_id > ?
    """
_NEWEST_SHOWN: Final = """
    SELECT slot, value FROM reading WHERE meter = ? AND item = ? AND slot <= ? AND value IS NOT NULL
    AND marks & ? = 0 ORDER BY slot DESC, log_id DESC LIMIT 1
    """
_TOLD_GONE: Final = """
    SELECT DISTINCT roster_change.meter FROM act JOIN roster_change ON roster_change.revision = act.step
    WHERE act.topic = 'roster' AND act.subject = 'roster' AND act.verb IN ('exchange', 'remove')
    AND json_valid(act.body)
    AND roster_change.meter IN (json_extract(act.body, '$.old'), json_extract(act.body, '$.meter'))
    """
_TOLD_SINCE: Final = """
    SELECT DISTINCT roster_change.meter FROM act JOIN roster_change ON roster_change.revision = act.step
    WHERE act.topic = 'roster' AND act.subject = 'roster' AND act.verb IN ('exchange', 'remove', 'correct')
    AND act.step > ? AND act.at >= ?
    """
_KEPT: Final = "INSERT INTO roster_change (revision, n, meter, old, new) VALUES (?, ?, ?, ?, ?)"
_STATE: Final = (
    "INSERT INTO roster (id, entry) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET entry = excluded.entry"
)


_RATIO: Final = "ratio"
"""Verb of a revision that tells since when a ratio holds; see ``KeptChange``."""
_CORRECT: Final = "correct"
"""Verb of one that tells again what a meter showed when it came or went."""
_EXCHANGE: Final = "exchange"
"""Verb of one that tells which meter was taken out, when, and which one put in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A revision as SQLite takes it: all that can be wrong with it was found before the transaction."""

    act: Act
    changes: tuple[tuple[int, int, str, str | None, str], ...]
    entries: tuple[tuple[str, str], ...]


def prepared(act: Act, changes: Sequence[EntryChange], before: KeptRoster) -> Prepared:
    """Turn a revision into values of SQLite.

    Args:
        act: tells of it; its step is the one behind ``before.revision``.
        changes: at most one an entry.
        before: the roster that they are changes of.

    Raises:
        ValueError: a change is of another entry, or cannot be written: whoever made it has a bug.

    """
    [checked] = act_rows.prepared([act])
    entries = [(text(one.meter), changed(before.entries.get(one.meter), one)) for one in changes]
    return Prepared(
        act=checked,
        changes=tuple(
            (act.step, n, one.meter, None if one.old is None else entry_out(one.old), entry_out(one.new))
            for n, one in enumerate(changes)
        ),
        entries=tuple((meter, entry_out(entry)) for meter, entry in entries),
    )


def insert(
    db: sqlite3.Connection, boot: int, revision: Prepared, kept_at: int, judge: Judge | None = None
) -> int:
    """Keep a revision, all of it; the log id of its act. In the writer's transaction.

    One that tells a ratio tells the freezes since then again: what they are multiplied by has become another.
    One that tells a register again has the freeze behind it judged anew. One that tells an exchange has what
    was kept of the old meter since then told again: it is another meter's.

    Args:
        db: the writer's.
        boot: number of the start.
        revision: prepared.
        kept_at: microseconds, of the new rows.
        judge: marks readings; ``None``: nobody does.

    Returns:
        ``act_rows.TAKEN`` when there is a later revision than the one that it stands behind, or
        ``act_rows.BROKEN``: nothing was kept then.

    """
    log_id = act_rows.insert(db, boot, [revision.act], kept_at)
    if log_id in {act_rows.TAKEN, act_rows.BROKEN}:
        return log_id
    db.executemany(_KEPT, revision.changes)
    db.executemany(_STATE, revision.entries)
    if revision.act.verb == _RATIO:
        since = kept_time(revision.act.body["at"], "the revision")
        for meter, _ in revision.entries:
            retold.tell_again(db, boot, meter, since, kept_at)
    if revision.act.verb == _EXCHANGE:
        removed_at = kept_time(revision.act.body["removed_at"], "the revision")
        retold.disown(db, boot, revision.act.body["old"], removed_at, kept_at)
    if revision.act.verb == _CORRECT and judge is not None:
        since = kept_time(revision.act.body["at"], "the revision")
        for meter, _ in revision.entries:
            retold.judge_again(db, boot, meter, since, kept_at, judge)
    return log_id


def roster(db: sqlite3.Connection) -> KeptRoster:
    """The roster with its revision, both of one moment.

    Raises:
        JournalError: an entry is damaged.

    """
    with _one_moment(db):
        row = db.execute(_REVISION, (Topic.ROSTER.value, SUBJECT)).fetchone()
        entries = {meter: _in(entry, f"meter {meter!r}") for meter, entry in db.execute(_ENTRIES)}
    return KeptRoster(revision=int(row[0]) if row else 0, entries=entries)


def revision(db: sqlite3.Connection) -> int:
    """Number of the last revision; 0: there never was one."""
    row = db.execute(_REVISION, (Topic.ROSTER.value, SUBJECT)).fetchone()
    return int(row[0]) if row else 0


def changes_of(db: sqlite3.Connection, meter: str, limit: int) -> list[KeptChange]:
    """The newest changes of an entry, oldest first.

    Raises:
        JournalError: one is damaged.

    """
    return list(_kept(db.execute(_OF_METER, (meter, limit))))[::-1]


def changes_in(db: sqlite3.Connection, revision: int) -> list[KeptChange]:
    """All changes of a revision, in their order.

    Raises:
        JournalError: one is damaged.

    """
    return list(_kept(db.execute(_OF_REVISION, (revision,))))


def every_change(db: sqlite3.Connection) -> Iterator[KeptChange]:
    """All changes there ever were, in their order, one after another.

    Raises:
        JournalError: one is damaged.

    """
    return _kept(db.execute(_EVERY))


def changed_behind(db: sqlite3.Connection, after: int) -> set[str]:
    """Our ids of the meters that a revision behind a row of the log tells of."""
    return {meter for (meter,) in db.execute(_CHANGED_BEHIND, (after,))}


def newest_shown(db: sqlite3.Connection, meter: str, item: str, until: datetime) -> Shown | None:
    """What the newest slot of an item up to a time shows that billing may use; ``None``: there is none.

    Raises:
        JournalError: it is damaged.

    """
    row = db.execute(_NEWEST_SHOWN, (meter, item, micros(until), UNUSABLE.value)).fetchone()
    try:
        return Shown(instant(row[0]), Decimal(row[1])) if row else None
    except InvalidOperation:
        raise JournalError(f"a reading of meter {meter!r} is damaged: {row[1]!r} is no number") from None


def told_gone(db: sqlite3.Connection) -> set[str]:
    """Our ids of the meters of which it was ever told that they were taken out, and what they showed."""
    return {meter for (meter,) in db.execute(_TOLD_GONE)}


def told_since(db: sqlite3.Connection, after: int, since: datetime) -> set[str]:
    """Our ids of the meters of which a revision behind one tells what they showed when they came or went."""
    return {meter for (meter,) in db.execute(_TOLD_SINCE, (after, micros(since)))}


@contextmanager
def _one_moment(db: sqlite3.Connection) -> Iterator[None]:
    """All reads of the block see one state of the file."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


def _kept(rows: Iterable[tuple[Any, ...]]) -> Iterator[KeptChange]:
    for revision, seq, number, at, actor, verb, meter, old, new, since in rows:
        where = f"the change of meter {meter!r} in revision {revision}"
        change = EntryChange(meter=meter, old=None if old is None else _in(old, where), new=_in(new, where))
        told = None if since is None else kept_time(since, where)
        yield KeptChange(
            revision=revision,
            seq=seq,
            number=number,
            at=instant(at),
            actor=actor,
            verb=verb,
            change=change,
            since=told,
        )


def kept_time(written: object, where: str) -> datetime:
    """A time that stands in a change of the roster.

    Args:
        written: as it stands there.
        where: for the error.

    Raises:
        JournalError: it cannot be read.

    """
    try:
        return time_in(str(written))
    except (ValueError, OverflowError):
        raise JournalError(
            f"the roster in the journal is damaged: {where} has a time that cannot be read"
        ) from None


def _in(entry: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(entry)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise JournalError(f"the roster in the journal is damaged: {where} cannot be read")
    return found
