"""After any crash the journal holds what it confirmed, and no more than what was given to it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from meterlink.clock import SystemClock
from meterlink.journal.journal import Journal
from meterlink.model.act import FIRST_HASH, KeptAct, link
from metersim.loop import Simulation
from tests.support.crash import crashing_at
from tests.support.records import record

_ROOT = Path(__file__).parents[2]
_KILLS = 5


def _keep_until_killed(path: Path, lines: int, *what: str) -> list[int]:
    """Start a keeper, kill it once it has printed some lines; every id that it printed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.keeper", str(path), *what],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    ) as keeper:
        assert keeper.stdout is not None
        printed = [keeper.stdout.readline() for _ in range(lines)]
        keeper.kill()
        printed += keeper.stdout.readlines()
    return [int(line) for line in printed if line.endswith("\n")]


@pytest.mark.parametrize("seed", [1])
def test_f22_what_was_confirmed_survives_sigkill(tmp_path: Path, seed: int) -> None:
    """F22: a reading that was confirmed and is gone after a kill -9 is a reading lost for good."""
    random = Random(seed)
    confirmed: list[int] = []
    for _ in range(_KILLS):
        confirmed += _keep_until_killed(tmp_path / "j.db", random.randrange(1, 400))
    assert len(confirmed) == len(set(confirmed))  # no id was given twice

    async def kept() -> tuple[int, list[int]]:
        async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
            rows = await journal.rows_after(0, 1_000_000)
            assert all(2 == len(row.readings) for row in rows)
            return journal.boot, [row.id for row in rows]

    boot, ids = asyncio.run(kept())
    assert _KILLS + 1 == boot
    assert set() == set(confirmed) - set(ids)


@pytest.mark.parametrize("seed", [1])
def test_the_chain_survives_sigkill(tmp_path: Path, seed: int) -> None:
    """An intent that was confirmed and is gone lets a second trip go out; half a pair forks the chain."""
    random = Random(seed)
    confirmed: list[int] = []
    for _ in range(_KILLS):
        confirmed += _keep_until_killed(tmp_path / "j.db", random.randrange(1, 200), "acts")
    assert len(confirmed) == len(set(confirmed))

    async def kept() -> list[KeptAct]:
        async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
            found: list[KeptAct] = []
            while more := await journal.acts.after(len(found)):
                found += more
            return found

    acts, before = asyncio.run(kept()), FIRST_HASH
    steps: Counter[str] = Counter()
    for number, each in enumerate(acts, start=1):
        before = link(before, each.act, number)
        assert (number, before) == (each.number, each.hash)
        steps[each.act.subject] += 1
        assert steps[each.act.subject] == each.act.step
    assert all(count % 2 == 0 for count in steps.values()), "a pair was kept by half"
    assert set() == set(confirmed) - set(range(1, len(acts) + 1))  # nothing else is in this log


@pytest.mark.parametrize("seed", [1, 2])
def test_f22_a_crash_at_any_commit_keeps_a_prefix(tmp_path: Path, seed: int) -> None:
    """F22: half a record, or a hole before a later one, would be published as if it were all there was."""
    commits = 0
    while True:
        commits += 1
        copy = tmp_path / f"copy-{commits}.db"
        confirmed_at_crash = _run_and_crash(tmp_path / f"{commits}.db", copy, commits, seed)
        if not copy.exists():
            break
        found = _records_in(copy)
        assert found == [record(n) for n in range(len(found))]
        assert confirmed_at_crash <= len(found)
    assert commits > 10  # there were crash points to enumerate


def _run_and_crash(path: Path, copy: Path, commit: int, seed: int) -> int:
    """Keep 40 records a few at a time; how many were confirmed when the copy was taken."""
    sim = Simulation(seed=seed)
    confirmed = [0]
    crashed = copy.exists

    async def body() -> None:
        async with Journal.open(path, clock=sim.clock, opener=crashing_at(commit, copy)) as journal:
            n = 0
            while n < 40 and not crashed():
                together = sim.random.randrange(1, 5)
                await asyncio.gather(*(journal.keep(record(n + i)) for i in range(together)))
                n += together
                if not crashed():
                    confirmed[0] = n

    sim.run(body())
    return confirmed[0]


def _records_in(path: Path) -> list[object]:
    sim = Simulation()

    async def body() -> list[object]:
        async with Journal.open(path, clock=sim.clock) as journal:
            return [row.record for row in await journal.rows_after(0, 1_000)]

    return sim.run(body())


def test_the_lock_ends_with_the_process(tmp_path: Path) -> None:
    """A lock that outlived kill -9 would need a person to remove it."""
    _keep_until_killed(tmp_path / "j.db", 1)
    assert (tmp_path / "j.db-lock").exists()
    _keep_until_killed(tmp_path / "j.db", 1)
