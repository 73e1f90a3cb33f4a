"""A program that keeps readings and prints each log id once ``keep`` has returned; tests kill it."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from meterlink.clock import SystemClock
from meterlink.journal.journal import Journal
from tests.support.records import record

KEEPERS = 8  # at once, so that groups of several are committed


async def keep_for_ever(path: Path) -> None:
    """Keep and print until killed."""
    numbers = itertools.count()
    async with Journal.open(path, clock=SystemClock()) as journal, asyncio.TaskGroup() as tasks:

        async def keep() -> None:
            for n in numbers:
                print(await journal.keep(record(n)), flush=True)

        for number in range(KEEPERS):
            tasks.create_task(keep(), name=f"keeper[{number}]")


if __name__ == "__main__":
    asyncio.run(keep_for_ever(Path(sys.argv[1])))
