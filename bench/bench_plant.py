"""A simulated day of 1,000 meters with 96 points each, and what 10,000 meters in one process weigh.

The day runs on the simulated clock, octet by octet through lines and meters: each quarter of an hour every
meter is asked for its energy, 50 lines at once. Beside it the same day without meters: lines that send back
what they get, so that loop, memory wires and client are the yardstick. Memory is that of a `metersim run` in
a process of its own.

Usage: ``python -m bench.bench_plant`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from metersim import MemoryDuplex, Simulation, memory_pair
from metersim.plant.built import BuiltPlant
from metersim.plant.figures import Figures
from meterwire.dlt645 import ReadRequest, encode, to_frame

ROUNDS = 3
LINES = 50
METERS = 1_000
POINTS = 96
QUARTER_S = 900
ENERGY = 0x00010000
MANY = 10_000
LIMIT_MB = 500

Connect = Callable[[], AbstractAsyncContextManager[MemoryDuplex]]


def _requests() -> list[list[bytes]]:
    each = METERS // LINES
    addresses = (f"{number:012d}" for number in range(1, METERS + 1))
    requests = [encode(to_frame(ReadRequest(address=address, di=ENERGY))) for address in addresses]
    return [requests[first : first + each] for first in range(0, METERS, each)]


async def _read_a_day(connect: Connect, requests: list[bytes]) -> int:
    """Ask every meter of a line each quarter of an hour; how many answers came."""
    loop = asyncio.get_running_loop()
    heard = 0
    async with connect() as client:
        for point in range(POINTS):
            await asyncio.sleep(point * QUARTER_S - loop.time())
            for request in requests:
                await client.send(request)
                heard += bool(await client.receive())
    return heard


async def _day(connections: list[Connect]) -> None:
    async with asyncio.TaskGroup() as group:
        lines = [
            group.create_task(_read_a_day(connect, requests))
            for connect, requests in zip(connections, _requests(), strict=True)
        ]
    assert METERS * POINTS == sum(line.result() for line in lines)


@asynccontextmanager
async def _echoing() -> AsyncIterator[MemoryDuplex]:
    ours, theirs = memory_pair()

    async def echo() -> None:
        while octets := await ours.receive():
            await asyncio.sleep(0.02)
            await ours.send(octets)

    async with asyncio.TaskGroup() as group:
        group.create_task(echo())
        yield theirs
        theirs.close()


def _seconds(connections: Callable[[Simulation], list[Connect]]) -> float:
    sim = Simulation()
    made = connections(sim)
    begun = time.perf_counter()
    sim.run(_day(made))
    return time.perf_counter() - begun


def _meters(sim: Simulation) -> list[Connect]:
    built = BuiltPlant(Figures(lines=LINES, meters=METERS // LINES).plant(), clock=sim.clock)
    return [line.connect for line in built.lines.values()]


def _megabytes() -> float:
    """Resident memory of a running simulator of 10,000 meters."""
    metersim = str(Path(sys.executable).with_name("metersim"))
    command = [metersim, "run", "--lines=100", f"--meters={MANY // 100}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"] is True
        status = Path(f"/proc/{process.pid}/status").read_text()
        [line] = [row for row in status.splitlines() if row.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024
    finally:
        process.terminate()
        process.communicate()


def main() -> None:
    """Measure and print."""
    floors, days = [], []
    for _ in range(ROUNDS):
        floors.append(_seconds(lambda _: [_echoing] * LINES))
        days.append(_seconds(_meters))
    day, floor, megabytes = statistics.median(days), statistics.median(floors), _megabytes()
    document = {
        "bench": "a simulated day of 1,000 meters with 96 points; 10,000 meters in one process",
        "unit": "s; MB resident",
        "rounds": ROUNDS,
        "medians": {
            "day of 1,000 meters": round(day, 2),
            "the same without meters": round(floor, 2),
            "10,000 meters, MB": round(megabytes),
        },
        "ratios": {
            "day / without meters": round(day / floor, 2),
            "exchanges a second": round(METERS * POINTS / day),
            "memory / limit": round(megabytes / LIMIT_MB, 2),
        },
        "goals": {"day of 1,000 meters": "must 120 s, goal 20 s", "10,000 meters": f"must {LIMIT_MB} MB"},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
