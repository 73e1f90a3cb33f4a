"""Orders killed at a million points: ``make soak-orders POINTS=1000000``; or one world of them again.

Worlds are played in two ways. Of some each point is played, a copy of the world dying at it; in others, which
are cheaper by the point, the program dies again and again. What was played stands in ``build/soak-orders``;
the next run goes on behind it, until there are so many.
"""

from __future__ import annotations

import argparse
import gc
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
from tests.sim.crash_points.plan import OFTEN_FROM, WALKS_FROM, WIDE_FROM, Plan
from tests.sim.crash_points.playing import play, play_all, play_often, replay_of
from tests.sim.crash_points.results import Results, Share, way_of

FOLDER: Final = Path("build/soak-orders")
FIRST_SEEDS: Final = (10_000, WIDE_FROM, WALKS_FROM)
"""Narrow and wide worlds and those with walks, in turn."""
OFTEN_EACH: Final = 500
"""Behind one of those so many of the same kind come that die again and again: most of the time goes there."""
TOLD_EVERY_S: Final = 60.0


def soak(points: int, results: Results, *, workers: int, first_round: int = 0) -> None:
    """Seed after seed until the program was killed so often in all.

    Args:
        points: so often; the seeds that are being played then are played to their end.
        results: so far; grows.
        workers: processes.
        first_round: rounds of seeds that are left out, because they were played somewhere else.

    """
    code, began, before = _code(), time.monotonic(), results.kills
    told_at = began
    seeds: Iterator[int] = (seed for seed in seeds_in_turn(first_round) if seed not in results.seeds)
    at_work: dict[Future[tuple[Tally, float]], int] = {}
    with ProcessPoolExecutor(workers) as pool:
        while at_work or results.kills < points:
            while len(at_work) < workers and results.kills < points:
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


def seeds_in_turn(first_round: int = 0) -> Iterator[int]:
    """Every seed that a soak plays, from a round on, without an end."""
    for number in itertools.count(first_round):
        for first in FIRST_SEEDS:
            yield first + number
            often = OFTEN_FROM + first + number * OFTEN_EACH
            yield from range(often, often + OFTEN_EACH)


def _played(seed: int) -> tuple[Tally, float]:
    """A seed in its way, and the time that it took of a processor; garbage waits for the end of a world."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.disable()
    before = os.times()
    tally = play_often(seed) if way_of(seed) == "often" else play_all(seed)
    gc.collect()
    return tally, sum(os.times()[:4]) - sum(before[:4])


def _progress(results: Results, points: int, before: int, seconds: float) -> str:
    played = results.kills
    left_h = (points - played) * seconds / max(1, played - before) / 3_600
    return f"{played} of {points}, {len(results.wrong)} wrong, some {max(0.0, left_h):.1f} h left"


def report(results: Results) -> str:
    """All that was found so far, for people."""
    once, often = results.ways["once"], results.ways["often"]
    wrong = [f"  {replay_of(seed, kills)}\n      {told}" for seed, kills, told in results.wrong]
    return "\n".join(
        [
            f"The program was killed {results.kills} times.",
            f"{once.tally.kills} of them in as many copies of {once.seeds} worlds, one at each point; in"
            f" {once.tally.again} copies it had died before. {once.tally.alike} more points are the same as"
            " the one before them, to the instant, and were not played.",
            *_report_of(once),
            f"{often.tally.kills} of them in {often.seeds} worlds in which it dies again and again; in"
            f" {often.tally.again} it died more than once.",
            *_report_of(often),
            f"Wrong: {len(results.wrong)}",
            *wrong,
        ]
    )


def _report_of(share: Share) -> list[str]:
    """What was played in one way."""
    tally = share.tally
    return [
        f"  {share.cpu_s / 3_600:.2f} h of a processor, {1_000 * share.cpu_s / max(1, tally.kills):.1f} ms a"
        f" kill; kills by code: {_listed(share.code)}",
        f"  Orders ended: {_listed(tally.ends)}",
        "  It died with the last word on the disk, at the point:",
        *(f"    {count:9} {what}" for what, count in tally.deaths.most_common()),
    ]


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
    parser.add_argument("--points", type=int, default=10_000, help="how many kills in all, with earlier runs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first-round", type=int, default=0, help="leave out what was played elsewhere")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the results")
    parser.add_argument("--seed", type=int, help="one world")
    parser.add_argument("--point", default="", help="at which it dies, one of each life: 100,30")
    asked = parser.parse_args()
    if asked.seed is not None:
        kills = tuple(int(point) for point in asked.point.split(",") if point)
        sys.exit(0 if again(asked.seed, kills) else 1)
    results = Results.of(asked.folder)
    try:
        soak(asked.points, results, workers=asked.workers, first_round=asked.first_round)
    finally:
        print(report(results), flush=True)
    sys.exit(1 if results.wrong else 0)


if __name__ == "__main__":
    main()
