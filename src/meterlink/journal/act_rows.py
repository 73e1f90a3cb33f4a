"""Acts and their rows, both ways; the chain is built here, inside the writer's transaction."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from meterlink.errors import RowUnreadable
from meterlink.journal.cells import instant, micros, text
from meterlink.model.act import FIRST_HASH, NUMBER_MAX, Act, Basis, KeptAct, Topic, canonical, link, written

KIND: Final = "act"
"""Kind of the log's row."""
TAKEN: Final = -1
"""What ``insert`` gives when one of the steps is there already."""
BROKEN: Final = -2
"""What ``insert`` gives when nothing can follow on the last act, because its hash is none."""
OVERTAKEN: Final = -3
"""What ``insert`` gives when there are acts that whoever decided on these has not seen."""
REMEMBERED_MAX: Final = 2_048
"""Rows of which it is remembered that they are written as ours are,"""
REMEMBERED_OCTETS_MAX: Final = 4_096
"""while their bodies are no longer than that."""
_HASH: Final = re.compile("[0-9a-f]{64}")

_OF_SUBJECT: Final = """
    SELECT log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open FROM act
    WHERE topic = ? AND subject = ? ORDER BY step
    """
_LAST: Final = """
    SELECT log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open FROM act
    WHERE topic = ? AND subject = ? ORDER BY step DESC LIMIT 1
    """
_OF_METER: Final = """
    SELECT log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open FROM act
    WHERE meter = ? AND topic IN (SELECT value FROM json_each(?)) AND number > ? ORDER BY number LIMIT ?
    """
_OF_VERB: Final = """
    SELECT log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open FROM act
    WHERE topic = ? AND verb = ? AND at >= ? ORDER BY at DESC, number DESC LIMIT ?
    """
_AFTER: Final = """
    SELECT log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open FROM act
    WHERE number > ? ORDER BY number LIMIT ?
    """
_NEWEST_OF: Final = """
    SELECT coalesce(max(log_id), 0) FROM act WHERE topic IN (SELECT value FROM json_each(?))
    """
_METERS_BEHIND: Final = "SELECT DISTINCT meter FROM act WHERE topic = ? AND log_id > ?"
_OF_TOPIC_AFTER: Final = """
    SELECT log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open FROM act
    WHERE +topic = ? AND log_id > ? ORDER BY log_id LIMIT ?
    """
# The plus keeps the planner at the row: who follows a topic has little behind it, and all of it once.
_BETWEEN: Final = """
    SELECT log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open FROM act
    WHERE log_id BETWEEN ? AND ?
    """
_OVERTAKES: Final = """
    SELECT 1 FROM act WHERE number > ? AND (
        +topic IN (SELECT value FROM json_each(?))
        OR +topic IN (SELECT value FROM json_each(?)) AND meter IN (SELECT value FROM json_each(?))
        OR +topic IN (SELECT value FROM json_each(?)) AND NOT is_open
    ) LIMIT 1
    """
# The plus keeps the planner at the number: behind it are a few acts, and of a topic there are all.
_SUBJECTS: Final = "SELECT id FROM subject WHERE topic = ? AND id > ? ORDER BY id LIMIT ?"
_COUNTED: Final = "SELECT count(*) FROM subject WHERE topic = ?"
_OPEN_SUBJECTS: Final = "SELECT id FROM subject WHERE topic = ? AND id > ? AND is_open ORDER BY id LIMIT ?"


def prepared(acts: Iterable[Act]) -> tuple[Act, ...]:
    """Copies of acts that nobody can change, once all that can be wrong with them has been looked for.

    Raises:
        ValueError: a body that is no canonical JSON or too long, a time without zone, text that is not
            Unicode, no step: whoever made the act has a bug.

    """
    return tuple(_prepared(act) for act in acts)


def insert(
    db: sqlite3.Connection, boot: int, acts: Sequence[Act], kept_at: int, basis: Basis | None = None
) -> int:
    """Append acts, all or none of them; the newest log id. In the writer's transaction.

    Returns:
        ``TAKEN`` when the step of one of them is not the next of its subject, ``BROKEN`` when the chain ends
        with something else than a hash, ``OVERTAKEN`` when there is more than ``basis`` knows: nothing was
        appended then.

    """
    if basis is not None and _is_overtaken(db, basis):
        return OVERTAKEN
    expected: dict[tuple[str, str], int] = {}
    for act in acts:
        key = (act.topic.value, act.subject)
        if act.step != expected.get(key, _last_step(db, key)) + 1:
            return TAKEN
        expected[key] = act.step
    last, before = head(db)
    if not _HASH.fullmatch(before):
        return BROKEN
    log_id = 0
    for number, act in enumerate(acts, start=last + 1):
        before = link(before, act, number)
        log_id = _insert_one(db, boot, act, number, before, kept_at)
    return log_id


def of_subject(db: sqlite3.Connection, topic: Topic, subject: str) -> list[KeptAct]:
    """The acts of a subject, in order."""
    return _all(db.execute(_OF_SUBJECT, (topic.value, subject)))


def last_of(db: sqlite3.Connection, topic: Topic, subject: str) -> KeptAct | None:
    """The newest act of a subject."""
    return next(iter(_all(db.execute(_LAST, (topic.value, subject)))), None)


def of_meter(
    db: sqlite3.Connection, meter: str, topics: Sequence[Topic], after: int, limit: int
) -> list[KeptAct]:
    """The acts of some topics that concern a meter, in order, behind a number of the chain."""
    return _all(db.execute(_OF_METER, (meter, _named_topics(topics), after, limit)))


def of_verb(db: sqlite3.Connection, topic: Topic, verb: str, since: datetime, limit: int) -> list[KeptAct]:
    """The newest acts of a topic and verb since a time, oldest first."""
    return _all(db.execute(_OF_VERB, (topic.value, verb, micros(since), limit)))[::-1]


def after(db: sqlite3.Connection, number: int, limit: int) -> list[KeptAct]:
    """The acts of the chain behind a number, in order."""
    return _all(db.execute(_AFTER, (number, limit)))


def of_topic_after(db: sqlite3.Connection, topic: Topic, after: int, limit: int) -> list[tuple[int, KeptAct]]:
    """The acts of a topic behind a row of the log, in order, each with its row."""
    rows = db.execute(_OF_TOPIC_AFTER, (topic.value, after, limit)).fetchall()
    return [(row[0], _named(row)) for row in rows]


def newest_of(db: sqlite3.Connection, topics: Iterable[Topic]) -> int:
    """The row of the log that holds the newest act of some topics; 0: there is none."""
    (found,) = db.execute(_NEWEST_OF, (_named_topics(topics),)).fetchone()
    return int(found)


def meters_behind(db: sqlite3.Connection, topic: Topic, after: int) -> set[str]:
    """Our ids of the meters that acts of a topic behind a row of the log are about."""
    return {meter for (meter,) in db.execute(_METERS_BEHIND, (topic.value, after))}


def head(db: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the newest act; of none 0 and the first hash."""
    row = db.execute("SELECT number, hash FROM act ORDER BY number DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1])) if row else (0, FIRST_HASH)


def newest_number(db: sqlite3.Connection) -> int:
    """Number of the newest act, or 0."""
    return head(db)[0]


def newest_at(db: sqlite3.Connection, number: int) -> datetime | None:
    """The latest time that any act behind a number of the chain bears; ``None``: there is no such act."""
    found = db.execute("SELECT MAX(at) FROM act WHERE number > ?", (number,)).fetchone()[0]
    return None if found is None else instant(found)


def subjects(
    db: sqlite3.Connection, topic: Topic, *, only_open: bool, after_subject: str, limit: int
) -> list[str]:
    """Subjects of a topic in the order of their names, behind one."""
    query = _OPEN_SUBJECTS if only_open else _SUBJECTS
    return [str(row[0]) for row in db.execute(query, (topic.value, after_subject, limit))]


def count(db: sqlite3.Connection, topic: Topic) -> int:
    """How many subjects a topic has."""
    return int(db.execute(_COUNTED, (topic.value,)).fetchone()[0])


def select_between(db: sqlite3.Connection, first_id: int, last_id: int) -> dict[int, list[tuple[Any, ...]]]:
    """By log id, the row of each act."""
    return {row[0]: [row] for row in db.execute(_BETWEEN, (first_id, last_id))}


def decode(rows: list[tuple[Any, ...]]) -> KeptAct:
    """The act of its row.

    Raises:
        ValueError, TypeError, ArithmeticError: it cannot be read, or is not as we write one.

    """
    if len(rows) != 1:
        raise ValueError("it has no act")
    _, number, hashed, _, subject, step, verb, _, actor, meter, body, is_open = rows[0]
    is_short = isinstance(body, str) and len(body) <= REMEMBERED_OCTETS_MAX
    known_topic, known_at = remembered(*rows[0]) if is_short else _looked_at(*rows[0])
    act = Act(
        topic=known_topic,
        subject=subject,
        step=step,
        verb=verb,
        at=known_at,
        actor=actor,
        meter=meter,
        body=_body_in(body),  # read anew for each reader
        is_open=bool(is_open),
    )
    return KeptAct(number=number, hash=hashed, act=act)


def _looked_at(*row: Any) -> tuple[Topic, datetime]:
    """Topic and time of an act whose row is written as ours are."""
    log_id, number, hashed, topic, subject, step, verb, at, actor, meter, body, is_open = row
    told, when, members = Topic(topic), instant(at), _body_in(body)
    for part in (subject, verb, actor, meter):
        text(part)
    same = (log_id, number, hashed, told.value, subject, step, verb, micros(when), actor, meter, body)
    if row != (*same, int(bool(is_open))) or written(members) != body.encode():
        raise ValueError("it is not written as an act is")
    return told, when


remembered = lru_cache(REMEMBERED_MAX, typed=True)(_looked_at)
"""The same, remembered by all that stands in the row and of which type: orders read their acts again and
again, and a row that was changed is another."""


def _all(rows: Iterable[tuple[Any, ...]]) -> list[KeptAct]:
    return [_named(row) for row in rows]


def _named(row: tuple[Any, ...]) -> KeptAct:
    try:
        return decode([row])
    except (ValueError, TypeError, ArithmeticError) as error:
        raise RowUnreadable(f"row {row[0]} of the log cannot be read: {error}", log_id=row[0]) from error


def _prepared(act: Act) -> Act:
    if not 1 <= act.step <= NUMBER_MAX or not act.subject or not act.verb:
        raise ValueError("an act has a subject, a verb, and a step from 1")
    for part in (act.subject, act.verb, act.actor, act.meter):
        text(part)
    canonical(act, NUMBER_MAX)
    return replace(act, body=json.loads(written(act.body)), is_open=bool(act.is_open))


def _body_in(body: str) -> dict[str, Any]:
    try:
        return dict(json.loads(body))
    except RecursionError:
        raise ValueError("its body has too many brackets in each other") from None


def _row(log_id: int, number: int, hashed: str, act: Act, body: str) -> tuple[int | str, ...]:
    return (
        log_id,
        number,
        hashed,
        act.topic.value,
        act.subject,
        act.step,
        act.verb,
        micros(act.at),
        act.actor,
        act.meter,
        body,
        int(act.is_open),
    )


def _insert_one(db: sqlite3.Connection, boot: int, act: Act, number: int, hashed: str, kept_at: int) -> int:
    log_id = db.execute(
        "INSERT INTO log (boot, kind, kept_at, meter, data_class, slot) VALUES (?, ?, ?, ?, ?, ?)",
        (boot, KIND, kept_at, act.meter, act.topic.value, micros(act.at)),
    ).lastrowid
    assert log_id is not None
    db.execute(
        "INSERT INTO act (log_id, number, hash, topic, subject, step, verb, at, actor, meter, body, is_open)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _row(log_id, number, hashed, act, written(act.body).decode()),
    )
    db.execute(
        "INSERT OR REPLACE INTO subject VALUES (?, ?, ?, ?, ?)",
        (act.topic.value, act.subject, act.meter, act.step, int(act.is_open)),
    )
    return log_id


def _is_overtaken(db: sqlite3.Connection, basis: Basis) -> bool:
    meters = json.dumps(["", basis.meter, *basis.others])
    named = (_named_topics(basis.anywhere), _named_topics(basis.here), meters, _named_topics(basis.ends))
    return db.execute(_OVERTAKES, (basis.number, *named)).fetchone() is not None


def _named_topics(topics: Iterable[Topic]) -> str:
    return json.dumps([topic.value for topic in topics])


def _last_step(db: sqlite3.Connection, key: tuple[str, str]) -> int:
    row = db.execute("SELECT step FROM subject WHERE topic = ? AND id = ?", key).fetchone()
    return int(row[0]) if row else 0
