"""Crash points by the thousand: ``make soak-orders POINTS=1000000``; or one of them again.

::

    python -m tests.sim.crash_points.soak --points 100000 --workers 2
    python -m tests.sim.crash_points.soak --seed 49 --kills 100,30
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from tests.sim.crash_points.checker import Row
from tests.sim.crash_points.plan import Plan
from tests.sim.crash_points.world import World

IN_MEMORY: Final = Path("/dev/shm")
"""Where there is one, the disk need not turn for each commit."""
FIRST_SEED: Final = 10_000
TWICE_OF: Final = 0.4
"""That part of the programs dies a second time, somewhere in the way that is left."""
TOLD_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one world.

    Args:
        points: how many there were in each life of the daemon.
        ends: by order, where it stands.
        complaints: what the checker says.

    """

    points: tuple[int, ...]
    ends: dict[str, str]
    complaints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of all points of one seed."""

    seed: int
    points: int
    ends: Counter[str]
    wrong: tuple[str, ...]


def play(seed: int, kills: tuple[int, ...]) -> Played:
    """One world, dying at these points."""
    return _played(seed, kills)[0]


def replay_of(seed: int, kills: tuple[int, ...]) -> str:
    """The command that plays it again."""
    told = ",".join(map(str, kills))
    return f"python -m tests.sim.crash_points.soak --seed {seed} --kills {told}"


def _played(seed: int, kills: tuple[int, ...]) -> tuple[Played, list[Row]]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        world = World(Plan.of(seed), Path(folder))
        complaints = world.run(kills)
        return Played(tuple(world.points), world.ends(), tuple(complaints)), world.rows()


def all_points_of(seed: int) -> Tally:
    """Every point of the first life of a seed; some of the programs die a second time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chance = random.Random(seed)
    points = play(seed, ()).points[0]
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    for point in range(1, points + 1):
        second = (chance.randint(1, points),) if chance.random() < TWICE_OF else ()
        kills = (point, *second)
        played = play(seed, kills)
        ends.update(played.ends.values())
        wrong += [f"{replay_of(seed, kills)}\n    {told}" for told in played.complaints]
    return Tally(seed, points, ends, tuple(wrong))


def soak(points: int, *, first_seed: int, workers: int) -> int:
    """Seed after seed until so many points were played; how many complaints there were."""
    began = told_at = time.monotonic()
    done, wrong, seeds, ends = 0, 0, 0, Counter[str]()
    with ProcessPoolExecutor(workers) as pool:
        at_work = [pool.submit(all_points_of, first_seed + number) for number in range(2 * workers)]
        while at_work:
            tally = at_work.pop(0).result()
            seeds, done, wrong = seeds + 1, done + tally.points, wrong + len(tally.wrong)
            ends += tally.ends
            for complaint in tally.wrong:
                print(complaint, flush=True)
            if done < points:
                at_work.append(pool.submit(all_points_of, first_seed + seeds + len(at_work)))
            if time.monotonic() - told_at > TOLD_EVERY_S:
                told_at = time.monotonic()
                print(_told(done, seeds, told_at - began, wrong), flush=True)
    states = ", ".join(f"{state} {count}" for state, count in sorted(ends.items()))
    print(f"{_told(done, seeds, time.monotonic() - began, wrong)}; orders: {states}")
    return wrong


def _told(points: int, seeds: int, seconds: float, wrong: int) -> str:
    return f"{points} points of {seeds} seeds in {seconds:.0f} s, {wrong} wrong"


def main() -> None:
    """Play what the command line says."""
    parser = argparse.ArgumentParser(description="orders killed at every point of their way")
    parser.add_argument("--points", type=int, default=10_000, help="how many points, at least")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="one world")
    parser.add_argument("--kills", default="", help="its points, a life each: 100,30")
    asked = parser.parse_args()
    if asked.seed is None:
        sys.exit(1 if soak(asked.points, first_seed=asked.first_seed, workers=asked.workers) else 0)
    kills = tuple(int(point) for point in asked.kills.split(",") if point)
    played, rows = _played(asked.seed, kills)
    print(Plan.of(asked.seed))
    for row in rows:
        print(row["at"], row["subject"], row["step"], row["verb"], row["body"]["to"])
    print(*(played.complaints or ["nothing is wrong"]), sep="\n")
    sys.exit(1 if played.complaints else 0)


if __name__ == "__main__":
    main()
