"""A day of 15,000 meters pulled over the API, and 31 days streamed; beside it a bare SQLite read of the rows.

The server is a process of its own, so that its memory is seen: its peak after one day, and after 31. The
yardstick fetches the same columns of the same rows and throws them away; ours puts meters in their places,
writes decimals and marks as text, and sends it all through a socket.

Usage: ``python -m bench.bench_pull`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from tests.support.billing import JOURNAL
from tests.support.rosters import CHECKS, meter
from tests.support.web import served

from meterlink.billing.days import end_of
from meterlink.clock import SystemClock
from meterlink.config.web import WebSettings
from meterlink.journal.cells import micros
from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.book import RosterBook
from meterlink.web.serving import open_api

METERS = 15_000
DAYS = 31
ROUNDS = 3
FIRST = date(2026, 10, 1)
ITEMS = ("forward_active_energy", *(f"forward_active_energy.t{tariff}" for tariff in range(1, 5)))
_LOG = """
    INSERT INTO log (boot, kind, kept_at, meter, data_class, slot)
    VALUES (1, 'reading', ?, ?, 'daily_freeze', ?)
    """
_READING = "INSERT INTO reading VALUES (?, ?, ?, ?, ?, 'kWh', ?, ?, 0, 'line1')"
_BARE = """
    SELECT log.id, kept_at, reading.meter, item, value, unit, reading.slot, taken_at, marks, route
    FROM log JOIN reading ON log_id = log.id
    WHERE log.data_class = 'daily_freeze' AND log.slot = ? ORDER BY log.id, n
    """


async def _roster(folder: Path) -> None:
    async with Journal.open(folder / JOURNAL, clock=SystemClock()) as journal:
        book = RosterBook(journal.roster, CHECKS, SystemClock())
        await book.apply([meter(number) for number in range(METERS)], revision=0, actor="bench")


def _fill(folder: Path) -> None:
    """The freezes, in the order in which nights bring them; the rows are those that the daemon would keep."""
    with sqlite3.connect(folder / JOURNAL) as db:
        (number,) = db.execute("SELECT max(id) FROM log").fetchone()
        for day in range(DAYS):
            slot = micros(end_of(FIRST + timedelta(days=day), CHINA_TIME))
            db.executemany(_LOG, ((slot, f"m{one}", slot) for one in range(METERS)))
            db.executemany(_READING, _readings(number + 1 + day * METERS, slot, day))
    db.close()


def _readings(first: int, slot: int, day: int) -> Iterator[tuple[Any, ...]]:
    for one in range(METERS):
        for n, item in enumerate(ITEMS):
            yield first + one, n, f"m{one}", item, f"{one + day}.{n}5", slot, slot


async def _serve(folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with served(folder) as api:
        api.clock.now = datetime.now(UTC)
        token = api.token()
        async with open_api(api.app, WebSettings.model_validate({"listen": "127.0.0.1:0"})) as [url]:
            print(json.dumps({"url": url, "token": token}), flush=True)
            await stop.wait()


def _pulled(client: httpx.Client, query: str) -> tuple[float, int]:
    begun, rows = time.perf_counter(), 0
    with client.stream("GET", f"/v1/daily-freeze?format=ndjson{query}") as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            rows += piece.count(b"\n")
    return time.perf_counter() - begun, rows


def _bare(folder: Path, slot: int) -> float:
    begun = time.perf_counter()
    db = sqlite3.connect(folder / JOURNAL)
    assert len(db.execute(_BARE, (slot,)).fetchall()) == METERS * len(ITEMS)
    db.close()
    return time.perf_counter() - begun


def _cpu_s(pid: int) -> float:
    """Seconds of a core that a process has used: on a machine that others use too, more telling than time."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def _measured(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.bench_pull", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        heads = {"Authorization": f"Bearer {told['token']}", "Accept-Encoding": "identity"}
        with httpx.Client(base_url=told["url"], headers=heads, timeout=120) as client:
            first_s, _ = _pulled(client, f"&day={FIRST}")  # reads the roster too
            days, cores = [], []
            for _ in range(ROUNDS):
                before_s = _cpu_s(server.pid)
                took_s, rows = _pulled(client, f"&day={FIRST}")
                assert rows == METERS
                days.append(took_s)
                cores.append(_cpu_s(server.pid) - before_s)
            after_day_mb = _peak_mb(server.pid)
            month_s, rows = _pulled(client, "")
            assert rows == METERS * DAYS
            after_month_mb = _peak_mb(server.pid)
        server.send_signal(signal.SIGTERM)
    bare_s = statistics.median(_bare(folder, micros(end_of(FIRST, CHINA_TIME))) for _ in range(ROUNDS))
    day_s = statistics.median(days)
    return {
        "bench": f"a day of {METERS:,} meters pulled over the API",
        "unit": "s",
        "medians": {
            "day": round(day_s, 2),
            "of a core of the server's, a day": round(statistics.median(cores), 2),
            "first pull, with the roster": round(first_s, 2),
            f"{DAYS} days": round(month_s, 1),
            "bare SQLite, a day": round(bare_s, 2),
            "peak MB after a day": round(after_day_mb),
            f"peak MB after {DAYS} days": round(after_month_mb),
        },
        "ratios": {"API : bare SQLite": round(day_s / bare_s, 1)},
        "goals": {
            "a day under 2 s": "yes" if day_s < 2 else "no",
            "constant memory": "yes" if after_month_mb < after_day_mb * 1.1 else "no",
        },
    }


def main() -> None:
    """Build a journal, serve it, and pull."""
    if len(sys.argv) > 1:
        asyncio.run(_serve(Path(sys.argv[1])))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        asyncio.run(_roster(folder))
        _fill(folder)
        print(json.dumps(_measured(folder)))


if __name__ == "__main__":
    main()
