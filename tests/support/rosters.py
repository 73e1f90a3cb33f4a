"""Rosters for tests: meters, tables of them, and a journal that holds one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from meterlink.clock import Clock, SystemClock
from meterlink.config import MeterSettings, Settings
from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.book import RosterBook
from meterlink.roster.checks import Checks
from meterlink.roster.faults import Fault
from meterlink.roster.rows import Sheet, read_rows
from tests.support.rules import PROFILES

NOW: Final = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SETTINGS: Final = Settings.model_validate(
    {
        "lines": [
            {"name": "line1", "url": "tcp://127.0.0.1:5001"},
            {"name": "hall", "url": "listen://0.0.0.0:9000?terminal=111111111111"},
        ],
        "security_providers": [{"name": "hsm", "command": ["adapter"]}],
    }
)
CHECKS: Final = Checks(SETTINGS, PROFILES)


def meter(number: int = 1, **keys: Any) -> MeterSettings:
    """A meter; its id, address and number follow from one number."""
    told = {
        "id": f"m{number}",
        "address": f"{number:012d}",
        "line": "line1",
        "meter_number": f"{number:012d}",
    }
    return MeterSettings.model_validate({**told, **keys})


def by_id(meters: Iterable[MeterSettings]) -> dict[str, MeterSettings]:
    """A roster."""
    return {one.id: one for one in meters}


def sheet(text: str, before: Sequence[MeterSettings] = ()) -> Sheet:
    """What a table says; cells stand between bars, so that any of them can be told from its neighbours."""
    headers, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    numbered = list(enumerate(rows, start=2))
    return read_rows(headers, numbered, by_id(before), at=NOW, zone=CHINA_TIME)


def told(faults: Iterable[Fault]) -> list[tuple[int, str]]:
    """Row and column of each fault."""
    return [(fault.row, fault.column) for fault in faults]


@asynccontextmanager
async def a_book(folder: Path, clock: Clock | None = None) -> AsyncIterator[RosterBook]:
    """The roster of a journal in a folder."""
    clock = clock or SystemClock()
    async with Journal.open(folder / "journal.sqlite3", clock=clock) as journal:
        yield RosterBook(journal.roster, CHECKS, clock)
