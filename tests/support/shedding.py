"""A program that fills a small disk with readings, lets the journal make room, and says in JSON what is left.

``python -m tests.support.shedding FOLDER``: the folder is a file system of its own, of ``DISK_OCTETS``.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from meterlink.clock import SystemClock
from meterlink.journal.housekeeping import Housekeeper, Policy
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.journal.reserve import Reserve
from meterlink.journal.soundness import faults
from tests.support.full_disk import MEGA, until_full
from tests.support.records import EPOCH, event, record

DISK_OCTETS = 36 * MEGA
FILLER_OCTETS = 9 * MEGA
RESERVE_OCTETS = 2 * MEGA
TIGHT_OCTETS = 2 * MEGA
EVENTS = 20


async def fill(folder: Path) -> dict[str, Any]:
    """Fill the disk, make room, go on."""
    seen: dict[str, Any] = {}
    (folder / "filler").write_bytes(bytes(FILLER_OCTETS))
    reserve = Reserve(folder / "reserve", octets=RESERVE_OCTETS, tight_octets=TIGHT_OCTETS)
    path = folder / "j.db"
    async with Journal.open(path, clock=SystemClock(), put_aside=reserve) as journal:
        for n in range(EVENTS):
            await journal.keep(event(n))
        seen["instants"] = await until_full(lambda n: journal.keep(record(n, items=100)))
        freezes = await until_full(lambda n: journal.keep(record(n, items=100, data_class="daily_freeze")))
        seen["freezes"], seen["events"] = freezes, EVENTS
        seen["oldest_slot_before"] = _oldest(path)
        seen["shed"] = await Housekeeper(journal, Policy({}), clock=SystemClock()).shed()
        newest = journal.newest_id
        seen["freeze_after"] = (
            await journal.keep(record(freezes, items=100, data_class="daily_freeze")) - newest
        )
        seen["instant_after"] = await journal.keep(record(99_999, items=100)) - newest - 1
        seen["oldest_slot_after"] = _oldest(path)
        seen["instants_held"] = _held(path, "instant")
        seen["wrong"] = await _wrong(journal)
        seen["freezes_held"], seen["events_held"] = (_held(path, kind) for kind in ("daily_freeze", "event"))
        (folder / "filler").unlink()
        await journal.keep(record(100_000))
        seen["reserve_with_room"] = (folder / "reserve").stat().st_blocks * 512
        with JournalReader(path) as reader:
            seen["faults"] = [fault.words for fault in faults(reader)]
    return seen


async def _wrong(journal: Journal) -> list[int]:
    """Rows of readings that do not say what was given, value by value."""
    wrong, last = [], 0
    while found := await journal.rows_after(last, 500):
        last = found[-1].id
        for row in found:
            if row.readings:
                n = round((row.readings[0].slot - EPOCH).total_seconds())
                if row.record != record(n, items=100, data_class=row.record.data_class):
                    wrong.append(row.id)
    return wrong


def _oldest(path: Path) -> int:
    return _ask(path, "SELECT min(slot) FROM log WHERE data_class = 'instant'")


def _held(path: Path, data_class: str) -> int:
    return _ask(path, f"SELECT count(*) FROM log WHERE data_class = '{data_class}'")


def _ask(path: Path, query: str) -> int:
    with JournalReader(path) as reader:

        def look(db: sqlite3.Connection) -> int:
            (found,) = db.execute(query).fetchone()
            return int(found)

        return reader.look(look)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(fill(Path(sys.argv[1])))))
