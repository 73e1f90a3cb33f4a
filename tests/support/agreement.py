"""Whether the simulator's own list, the journal and the database agree, record by record."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from meterlink.journal.reader import JournalReader
from meterlink.model.act import Topic
from meterlink.model.envelope import Envelope
from meterlink.model.reading import LogRow, Reading
from tests.support.servers import Point

ON_THE_WAY = timedelta(seconds=10)
"""An answer is kept within this, however busy the machine; registers grow faster than it could matter."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A line of the simulator's list."""

    n: int
    at: datetime
    address: str
    values: Mapping[str, Decimal]
    spoiled: bool


def answers_in(path: Path) -> list[Answer]:
    """The simulator's list."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        values = {item: Decimal(value) for item, value in row["values"].items()}
        at = datetime.fromisoformat(row["at"])
        found.append(Answer(row["n"], at, row["address"], values, bool(row["faults"])))
    return found


def rows_in(journal: Path) -> list[LogRow]:
    """The whole log, but for the acts that say which meters there are."""
    rows: list[LogRow] = []
    with JournalReader(journal) as reader:
        while more := reader.rows_after(rows[-1].id if rows else 0, 1000):
            rows += more
    return [row for row in rows if row.record.data_class != Topic.ROSTER]


def readings_of(rows: Iterable[LogRow]) -> list[Reading]:
    """Every reading that has a value."""
    return [reading for row in rows for reading in row.readings if reading.value is not None]


def unkept_answers(
    answers: Sequence[Answer], rows: Sequence[LogRow], addresses: Mapping[str, str]
) -> list[Answer]:
    """Match each row of the log with one answer; what is left over was answered and not kept.

    Args:
        answers: the simulator's list.
        rows: the log.
        addresses: communication address by meter id.

    Raises:
        AssertionError: a row that no answer explains: a value that no meter gave.

    """
    free: dict[tuple[str, frozenset[tuple[str, Decimal]]], list[Answer]] = defaultdict(list)
    for answer in answers:
        free[answer.address, frozenset(answer.values.items())].append(answer)
    for row in rows:
        values = frozenset((r.item, r.value) for r in row.readings if r.value is not None)
        address = addresses[row.record.meter]
        taken_at = row.readings[0].taken_at
        fits = _in_time(free[address, values], taken_at)
        if not fits:  # a driver may have read more than was wanted
            more = [key for key in free if key[0] == address and values and values < key[1]]
            fits = [answer for key in more for answer in _in_time(free[key], taken_at)]
        assert fits, (
            f"row {row.id} of {row.record.meter} holds {dict(values)}, which its meter did not answer"
        )
        free[address, frozenset(fits[0].values.items())].remove(fits[0])
    return sorted((answer for left in free.values() for answer in left), key=lambda answer: answer.n)


def _in_time(answers: Iterable[Answer], taken_at: datetime) -> list[Answer]:
    """Those that may have been kept at an instant."""
    return [answer for answer in answers if timedelta(0) <= taken_at - answer.at <= ON_THE_WAY]


def repeated_keys(readings: Iterable[Reading]) -> list[tuple[str, str, datetime]]:
    """Keys that the journal has more than once."""
    counts = Counter((reading.meter, reading.item, reading.slot) for reading in readings)
    return [key for key, count in counts.items() if count > 1]


def points_by_key(points: Mapping[str, Sequence[Point]]) -> dict[tuple[str, str, int], float]:
    """The database's points of each item as (meter, item, slot in seconds) to value.

    Args:
        points: by item; a key that comes twice fails.

    """
    found: dict[tuple[str, str, int], float] = {}
    for item, of_item in points.items():
        for point in of_item:
            key = (dict(point.tags)["meter"], item, point.time_s)
            assert key not in found, f"{key} stands twice in the database"
            found[key] = point.value
    return found


def readings_by_key(readings: Iterable[Reading]) -> dict[tuple[str, str, int], float]:
    """The journal's readings in the same form."""
    return {
        (reading.meter, reading.item, int(reading.slot.timestamp())): float(reading.value)
        for reading in readings
        if reading.value is not None
    }


def differences(
    expected: Mapping[tuple[str, str, int], float], actual: Mapping[tuple[str, str, int], float]
) -> list[str]:
    """What the database lacks, has too much, or has otherwise; in words, the first of each kind."""
    missing = sorted(expected.keys() - actual.keys())
    surplus = sorted(actual.keys() - expected.keys())
    other = sorted(key for key in expected.keys() & actual.keys() if expected[key] != actual[key])
    kinds = (("are missing", missing), ("are too much", surplus), ("have another value", other))
    return [f"{len(keys)} {words}, e.g. {keys[:3]} {keys[-1]}" for words, keys in kinds if keys]


def published_again(payloads: Iterable[bytes]) -> int:
    """How many messages repeated an earlier one of the same place in the log.

    Raises:
        AssertionError: a repetition with other contents: it would not overwrite itself.

    """
    first: dict[int, Envelope] = {}
    repeats = 0
    for payload in payloads:
        envelope = Envelope.from_json(payload)
        known = first.setdefault(envelope.seq, envelope)
        assert known == envelope, f"message {envelope.seq} was published twice with other contents"
        repeats += known is not envelope
    return repeats
