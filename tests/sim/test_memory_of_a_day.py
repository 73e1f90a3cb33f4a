"""How much memory a daemon needs after a day of readings, beside what it needs after an hour."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.project import ROOT

_LIMIT_OCTETS = 256 << 20
"""Of address space, simulated meters, broker and database included: the gateway has no more."""
_GROWTH_KIB = 3 * 1024
"""From the end of the first hour to the end of the day; SQLite's cache of pages is 2 MB of it."""

_PROGRAM = """
import asyncio, gc, logging, resource, sys
from datetime import timedelta
from pathlib import Path
import structlog
from metersim import Meter, Station
from metersim.line.fault_rules import FaultRule
from tests.support.simulated import SimulatedGateway

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
stations = [Station(meter=Meter(f"{n:012d}", seed=n)) for n in range(1, 6)]
plans = [
    {"class": "instant", "every_s": 600, "items": ["voltage.*", "current.a"]},
    {"class": "curve", "every_s": 900, "gather_s": 900, "items": ["forward_active_energy"]},
    {"class": "daily_freeze", "every_s": 3600, "items": ["forward_active_energy.*"]},
    {"class": "status", "every_s": 900},
]
gateway = SimulatedGateway(Path(sys.argv[1]), stations, plans=plans)
silence = FaultRule(what="silence", meter=f"{5:012d}", item="*", between=(timedelta(0), timedelta(days=2)))
gateway.strikes.rules.add(silence, at=gateway.sim.clock.utc_now())
resident = []

def memory():
    gc.collect()
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0])

async def watch():
    for hour in range(1, 25):
        for _ in range(6):
            await asyncio.sleep(600)
            gateway.answers.clear()  # what the world outside remembers is not the daemon's
            gateway.sink.points.clear()
        if hour in (1, 12, 24):
            resident.append(memory())

gateway.run(seconds=24 * 3600 + 60, meanwhile=watch)
print(len(gateway.rows()), *resident)
"""


def test_f25_a_day_of_the_daemon_needs_no_more_memory_than_its_first_hour(tmp_path: Path) -> None:
    """F25: what grows with each reading would end at the limit of the service, on a gateway of 256 MB."""
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path), str(_LIMIT_OCTETS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert 0 == done.returncode, done.stderr[-2_000:]
    records, *resident = map(int, done.stdout.split())
    assert records > 4 * (144 + 2 * 96), "a day was read"
    assert 3 == len(resident)
    assert max(resident) - resident[0] < _GROWTH_KIB, resident
