"""A program that fills the disk under a journal and says in JSON what could still be kept.

``python -m tests.support.full_disk FOLDER``: the folder is a file system of its own, of ``DISK_OCTETS``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from meterlink.clock import SystemClock
from meterlink.errors import DiskFull
from meterlink.journal.journal import Journal
from meterlink.journal.reserve import Reserve
from meterlink.model.act import FIRST_HASH, link
from tests.support.acts import act
from tests.support.records import record

MEGA = 1024 * 1024
DISK_OCTETS = 24 * MEGA
FILLER_OCTETS = 10 * MEGA
RESERVE_OCTETS = 4 * MEGA
TIGHT_OCTETS = 2 * MEGA
ACT_OCTETS = 4_000


def _journal(folder: Path) -> Journal:
    reserve = Reserve(folder / "reserve", octets=RESERVE_OCTETS, tight_octets=TIGHT_OCTETS)
    return Journal.open(folder / "j.db", clock=SystemClock(), put_aside=reserve)


async def until_full(keep: Callable[[int], Awaitable[object]]) -> int:
    """How often it could be kept."""
    done = 0
    try:
        while True:
            await keep(done)
            done += 1
    except DiskFull:
        return done


async def fill(folder: Path) -> dict[str, Any]:
    """Fill the disk with readings, then with acts; then free some."""
    seen: dict[str, Any] = {}
    filler = folder / "filler"
    filler.write_bytes(bytes(FILLER_OCTETS))
    appended = 0

    async with _journal(folder) as journal:

        async def freeze(n: int) -> None:
            await journal.keep(record(n, items=300, data_class="daily_freeze"))

        async def instant(n: int) -> None:
            await journal.keep(record(n, items=300))

        async def append(_: int) -> None:
            nonlocal appended
            await journal.acts.append(act(appended + 1, note="x" * ACT_OCTETS))
            appended += 1

        seen["instants"] = await until_full(instant)
        seen["freezes_after_instants"] = await until_full(freeze)
        while (folder / "reserve").stat().st_size == RESERVE_OCTETS:
            await append(0)
        seen["reserve_when_used"] = (folder / "reserve").stat().st_size
        before_restart = appended
        seen["freezes_when_used"] = await until_full(freeze)
        for n in range(20):
            await append(n)
    async with _journal(folder) as journal:  # a start on a full disk
        await append(0)
        await until_full(append)
        seen["acts_of_the_reserve"] = appended - before_restart
        seen["reserve_at_the_end"] = (folder / "reserve").stat().st_size
        filler.unlink()
        seen["freezes_with_room"] = int(await journal.keep(record(1, data_class="daily_freeze")) > 0)
        seen["reserve_with_room"] = (folder / "reserve").stat().st_blocks * 512
        await append(0)
        kept = await journal.acts.after(0)
        before = FIRST_HASH
        for number, each in enumerate(kept, start=1):
            before = link(before, each.act, number)
            assert (number, before) == (each.number, each.hash)
        seen["acts_in_the_chain"] = len(kept)
        seen["acts_appended"] = appended
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(fill(Path(sys.argv[1])))))
