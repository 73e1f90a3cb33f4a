"""A program that keeps readings, or appends acts, and prints each log id once it is kept; tests kill it.

``python -m tests.support.keeper JOURNAL [acts]``.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from meterlink.clock import SystemClock
from meterlink.journal.journal import Journal
from meterlink.model.act import Topic
from tests.support.acts import act
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


async def append_for_ever(path: Path) -> None:
    """Append pairs of acts, each appender to a subject of its own, and print until killed."""
    async with Journal.open(path, clock=SystemClock()) as journal, asyncio.TaskGroup() as tasks:

        async def append(subject: str) -> None:
            last = await journal.acts.last_of(Topic.ORDER, subject)
            for step in itertools.count(last.act.step + 1 if last else 1, 2):
                pair = act(step, subject=subject), act(step + 1, subject=subject)
                print(await journal.acts.append(*pair), flush=True)

        for number in range(KEEPERS):
            tasks.create_task(append(f"o-{number}"), name=f"appender[{number}]")


if __name__ == "__main__":
    asyncio.run((append_for_ever if "acts" in sys.argv else keep_for_ever)(Path(sys.argv[1])))
