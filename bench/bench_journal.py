"""Readings kept a second, every commit synced, beside raw sqlite3 with the same sync.

Many callers keep a record each and wait until it is on disk; what waits for the disk goes into one
transaction (group commit). The yardstick is one ``executemany`` into a table without an index for each group
of as many readings, synced as often and as strictly, on the same disk in the same run.

Usage: ``python -m bench.bench_journal`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from meterlink.clock import SystemClock
from meterlink.journal.journal import Journal
from meterlink.model.marks import NO_MARKS
from meterlink.model.reading import Reading, Record

ROUNDS = 5
RECORDS = 3_000
ITEMS = 5
"""Readings of a record: total and four tariffs."""
CALLERS = 120
"""Who keep at once: the workers of 60 lines."""
_START = datetime(2026, 11, 22, tzinfo=UTC)


def record(number: int, data_class: str = "instant") -> Record:
    """The n-th record: five energies of a meter."""
    slot = _START + timedelta(seconds=60 * (number // 1_000))
    readings = tuple(
        Reading(
            meter=f"m{number % 1_000}",
            item=f"forward_active_energy.t{tariff}",
            value=Decimal(number * 100 + tariff).scaleb(-2),
            unit="kWh",
            slot=slot,
            taken_at=slot,
            marks=NO_MARKS,
            route="line1",
        )
        for tariff in range(ITEMS)
    )
    return Record(meter=readings[0].meter, data_class=data_class, readings=readings)


async def _kept(folder: Path) -> float:
    """Ours: readings a second."""
    async with Journal.open(folder / "journal.sqlite3", clock=SystemClock()) as journal:
        numbers = iter(range(RECORDS))

        async def keep() -> None:
            for number in numbers:
                await journal.keep(record(number))

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(keep())
        took_s = time.perf_counter() - begun
    return RECORDS * ITEMS / took_s


def _raw(folder: Path) -> float:
    """The yardstick: rows a second."""
    db = sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    db.execute("CREATE TABLE reading (meter TEXT, item TEXT, value TEXT, unit TEXT, slot INTEGER, n INTEGER)")
    begun = time.perf_counter()
    for first in range(0, RECORDS, CALLERS):
        rows = [
            (one.meter, one.item, str(one.value), one.unit, int(one.slot.timestamp()), int(one.marks))
            for number in range(first, first + CALLERS)
            for one in record(number).readings
        ]
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    took_s = time.perf_counter() - begun
    db.close()
    return RECORDS * ITEMS / took_s


def main() -> None:
    """Measure and print."""
    rates: dict[str, list[float]] = {"journal": [], "raw sqlite3": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rates["journal"].append(asyncio.run(_kept(Path(folder))))
            rates["raw sqlite3"].append(_raw(Path(folder)))
    medians = {name: round(statistics.median(values)) for name, values in rates.items()}
    document = {
        "bench": "journal, synced",
        "unit": "readings a second",
        "rounds": ROUNDS,
        "medians": medians,
        "ratios": {"journal / raw sqlite3": round(medians["journal"] / medians["raw sqlite3"], 2)},
        "goals": {"journal": "must 2,000, goal 20,000 a second"},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
