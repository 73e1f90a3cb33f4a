"""Truth, journal and ledger of a simulated gateway, compared slot by slot by who trusts none of them.

What was due is worked out here from the calendar, what a meter measured is asked of the meter, and the
journal's file is read with SQL: no code of collection takes part.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
STATES = ("due", "kept", "refused", "expired", "waived")
REASONS = (
    *("waiting", "silent", "line_down", "refused", "bad_data", "clock_wrong", "exchanged", "not_running"),
    *("not_in_service", "gone", "line_slow", "not_taken", "no_room"),
)
LOOK_OF_DAY = "clock_or_status_word"
"""Stands among what a kept freeze lacks."""
REG_BACK = 1 << 2
"""The mark of a register that shows less than before."""
CLOCK_DEV = 1 << 6
"""The mark of a reading of a meter whose clock deviates."""
RESTATED = 1 << 14
"""The mark of a reading that stands there once more, because others have shown it in another light."""


@dataclass(frozen=True)
class Row:
    """A slot of the ledger; ``changed_at``: its last try, or when it was settled, by the gateway's clock.

    ``note``: whatever else is said of it; of a slot that is kept, the items that it lacks and why.
    """

    state: str
    reason: str
    tries: int
    changed_at: datetime | None = None
    note: str = ""

    @property
    def lacks(self) -> frozenset[str]:
        """Items, or blocks of them, that the ledger says a kept slot is without."""
        return self._named - {"", LOOK_OF_DAY}

    @property
    def is_unlooked(self) -> bool:
        """Whether the ledger says of a freeze that its meter told neither clock nor state on that day."""
        return LOOK_OF_DAY in self._named

    @property
    def _named(self) -> frozenset[str]:
        named = self.note.partition(": ")[0] if self.state == "kept" else ""
        return frozenset(named.split(", "))


@dataclass
class Verdict:
    """What came of a comparison.

    ``holes``: by meter and class, how often which reason. ``kept``: slots by meter and class.
    """

    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    holes: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)


class Book:
    """The journal's file.

    Args:
        path: of it.

    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def close(self) -> None:
        self._db.close()

    def slots(self) -> dict[tuple[str, str, datetime], Row]:
        """Every row of the ledger."""
        found = {}
        for meter, data_class, at, state, reason, tries, changed_at, note in self._db.execute(
            "SELECT meter, data_class, at, state, reason, tries, changed_at, note"
            " FROM series JOIN slot ON series = number"
        ):
            key = (meter, data_class, datetime.fromtimestamp(at, UTC))
            assert key not in found
            changed = None if changed_at is None else datetime.fromtimestamp(changed_at, UTC)
            found[key] = Row(STATES[state], REASONS[reason], tries, changed, note or "")
        return found

    def gaps(self) -> dict[tuple[str, str], list[tuple[datetime, datetime, str]]]:
        """By meter and class, the stretches of slots of which each was missed for one reason."""
        found: dict[tuple[str, str], list[tuple[datetime, datetime, str]]] = {}
        for meter, data_class, since, until, reason in self._db.execute(
            "SELECT meter, data_class, from_at, until_at, reason & 63 FROM series JOIN gap ON series = number"
        ):
            edges = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
            found.setdefault((meter, data_class), []).append((*edges, REASONS[reason]))
        return found

    def events(self) -> dict[str, dict[tuple[str, datetime, int], list[datetime | None]]]:
        """By meter, every event that stands in the log, with the ends that were told of it, in order."""
        found: dict[str, dict[tuple[str, datetime, int], list[datetime | None]]] = {}
        for meter, kind, began_us, ended_us, number in self._db.execute(
            "SELECT meter, kind, coalesce(occurred_at, 0), ended_at, coalesce(content, 0) FROM event"
            " LEFT JOIN event_value ON event_value.log_id = event.log_id AND item = 'event_number'"
            " ORDER BY event.log_id"
        ):
            began = datetime.fromtimestamp(began_us / 1e6, UTC)
            ended = None if ended_us is None else datetime.fromtimestamp(ended_us / 1e6, UTC)
            found.setdefault(meter, {}).setdefault((kind, began, int(number)), []).append(ended)
        return found

    def readings(self) -> dict[tuple[str, str, datetime], dict[str, Decimal]]:
        """Every reading, by meter, class and slot; none may stand there twice but as its own correction."""
        found: dict[tuple[str, str, datetime], dict[str, Decimal]] = {}
        for row in self._db.execute(
            "SELECT reading.meter, data_class, reading.slot / 1000000, item, value, marks"
            " FROM reading JOIN log ON log.id = log_id ORDER BY log_id, n"
        ):
            meter, data_class, at, item, value, marks = row
            items = found.setdefault((meter, data_class, datetime.fromtimestamp(at, UTC)), {})
            is_corrected = bool(marks & RESTATED) and items.get(item) == Decimal(value)
            assert is_corrected or item not in items, f"{row} stands twice in the journal"
            items[item] = Decimal(value)
        return found

    def doubtful(self) -> dict[tuple[str, str, datetime], int]:
        """Marks of slots of which a reading bears some."""
        found: dict[tuple[str, str, datetime], int] = {}
        for meter, data_class, at, marks in self._db.execute(
            "SELECT reading.meter, data_class, reading.slot / 1000000, marks"
            " FROM reading JOIN log ON log.id = log_id WHERE marks"
        ):
            key = (meter, data_class, datetime.fromtimestamp(at, UTC))
            found[key] = found.get(key, 0) | marks
        return found

    def taken_at(self) -> dict[tuple[str, str, datetime], datetime]:
        """When each of them was read, by the gateway's clock."""
        return {
            (meter, data_class, datetime.fromtimestamp(at, UTC)): datetime.fromtimestamp(taken_us / 1e6, UTC)
            for meter, data_class, at, taken_us in self._db.execute(
                "SELECT reading.meter, data_class, reading.slot / 1000000, reading.taken_at"
                " FROM reading JOIN log ON log.id = log_id"
            )
        }


def due_slots(
    classes: Mapping[str, timedelta], since: datetime, until: datetime
) -> Iterator[tuple[str, datetime]]:
    """What is due of each meter: slots of [since, until), each class at its step from ``since`` on."""
    for data_class, step in classes.items():
        slot = since
        while slot < until:
            yield data_class, slot.astimezone(UTC)
            slot += step


def compare(
    path: Path,
    meters: Mapping[str, Any],
    due: list[tuple[str, datetime]],
    *,
    truth: Callable[[Any, str, str, datetime], Decimal],
) -> Verdict:
    """Compare slot by slot.

    Args:
        path: of the journal.
        meters: simulated ones by our id.
        due: class and slot.
        truth: what a meter measured: the meter, class, item and slot.

    Raises:
        AssertionError: the three disagree.

    """
    assert due and meters, "there is nothing to compare"
    book = Book(path)
    slots, readings = book.slots(), book.readings()
    book.close()
    verdict = Verdict()
    for name, meter in meters.items():
        for data_class, slot in due:
            key = (name, data_class, slot)
            assert key in slots, f"{key} was due and has no row"
            row, values = slots[key], readings.get(key, {})
            for item, value in values.items():
                assert truth(meter, data_class, item, slot) == value, (key, item, value)
            assert (row.state == "kept") == bool(values), f"{key} is {row}, and holds {values}"
            if row.state == "kept":
                verdict.kept[name, data_class] += 1
            else:
                verdict.holes.setdefault((name, data_class), Counter())[row.reason] += 1
    return verdict
