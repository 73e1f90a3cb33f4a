"""Orders killed at a million points: ``make soak-orders POINTS=1000000``; or one world of them again.

What was played stands in ``build/soak-orders``; the next run goes on behind it, until there are so many.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Final

import structlog

from tests.sim.crash_points.fates import Tally
from tests.sim.crash_points.plan import WIDE_FROM, Plan
from tests.sim.crash_points.playing import play, play_all, replay_of
from tests.sim.crash_points.results import Results

FOLDER: Final = Path("build/soak-orders")
FIRST_SEEDS: Final = (10_000, WIDE_FROM)
"""Narrow and wide worlds in turn."""
TOLD_EVERY_S: Final = 60.0


def soak(points: int, results: Results, *, workers: int) -> None:
    """Seed after seed until so many worlds with a death were played in all.

    Args:
        points: that many; the seeds that are being played then are played to their end.
        results: so far; grows.
        workers: processes.

    """
    code, began, before = _code(), time.monotonic(), results.tally.played
    told_at = began
    seeds: Iterator[int] = (seed for seed in _all_seeds() if seed not in results.seeds)
    at_work: dict[Future[tuple[Tally, float]], int] = {}
    with ProcessPoolExecutor(workers) as pool:
        while at_work or results.tally.played < points:
            while len(at_work) < workers and results.tally.played < points:
                seed = next(seeds)
                at_work[pool.submit(_played, seed)] = seed
            for done in wait(at_work, timeout=TOLD_EVERY_S, return_when=FIRST_COMPLETED).done:
                seed = at_work.pop(done)
                tally, cpu_s = done.result()
                results.keep(seed, tally, cpu_s, code)
                for kills, told in tally.wrong:
                    print(f"WRONG {replay_of(seed, kills)}\n    {told}", flush=True)
            if time.monotonic() - told_at >= TOLD_EVERY_S:
                told_at = time.monotonic()
                print(_progress(results, points, before, told_at - began), flush=True)


def _all_seeds() -> Iterator[int]:
    for number in itertools.count():
        for first in FIRST_SEEDS:
            yield first + number


def _played(seed: int) -> tuple[Tally, float]:
    """All points of a seed, and the processor's time that they took."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    before = os.times()
    tally = play_all(seed)
    return tally, sum(os.times()[:4]) - sum(before[:4])


def _progress(results: Results, points: int, before: int, seconds: float) -> str:
    played = results.tally.played
    left_h = (points - played) * seconds / max(1, played - before) / 3_600
    return f"{played} of {points}, {len(results.wrong)} wrong, some {max(0.0, left_h):.1f} h left"


def report(results: Results) -> str:
    """All that was found so far, for people."""
    tally = results.tally
    wrong = [f"  {replay_of(seed, kills)}\n      {told}" for seed, kills, told in results.wrong]
    return "\n".join(
        [
            f"{tally.played} worlds with a death were played, of {len(results.seeds)} seeds; in {tally.again}"
            f" the program died more than once.",
            f"{tally.alike} more points are the same as the one before them, to the instant, and were not.",
            f"{results.cpu_s / 3_600:.1f} h of a processor; by code: {_listed(results.code)}",
            f"Orders ended: {_listed(tally.ends)}",
            "The program died with the last word on the disk, at the point:",
            *(f"  {count:9} {what}" for what, count in tally.deaths.most_common()),
            f"Wrong: {len(results.wrong)}",
            *wrong,
        ]
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(counts.items()))


def _code() -> str:
    """The state of the program that is played with."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def again(seed: int, kills: tuple[int, ...]) -> bool:
    """Play one world again and tell its way; whether nothing was wrong."""
    played = play(seed, kills)
    print(Plan.of(seed))
    for row in played.rows:
        print(row["at"], row["subject"], row["step"], row["verb"], row["body"]["to"])
    print(*(played.complaints or ["nothing is wrong"]), sep="\n")
    return not played.complaints


def main() -> None:
    """Play what the command line says."""
    parser = argparse.ArgumentParser(description="orders killed at every point of their way")
    parser.add_argument("--points", type=int, default=10_000, help="how many in all, with earlier runs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the results")
    parser.add_argument("--seed", type=int, help="one world")
    parser.add_argument("--point", default="", help="its points, a life each: 100,30")
    asked = parser.parse_args()
    if asked.seed is not None:
        kills = tuple(int(point) for point in asked.point.split(",") if point)
        sys.exit(0 if again(asked.seed, kills) else 1)
    results = Results.of(asked.folder)
    try:
        soak(asked.points, results, workers=asked.workers)
    finally:
        print(report(results), flush=True)
    sys.exit(1 if results.wrong else 0)


if __name__ == "__main__":
    main()
