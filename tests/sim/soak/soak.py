"""Weeks of a gateway in simulated time: ``make soak SEEDS=20 DAYS=3 METERS=60``, or one of them again."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from tests.sim.soak.playing import DAYS, METERS, play, quiet, replay_of
from tests.sim.soak.verdict import Verdict
from tests.support.scratch import in_memory


class Played(NamedTuple):
    """A seed that was played.

    Args:
        seed: which.
        verdict: what came of it.
        cpu_s: processor's time that it took.
        peak_mb: most memory that its process had, with all that it played before.

    """

    seed: int
    verdict: Verdict
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Play what the command line says; exit 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description="weeks of a gateway in simulated time")
    parser.add_argument("--seeds", type=int, default=20, help="how many, from 0 on")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--meters", type=int, default=METERS)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    seeds = range(asked.seeds) if asked.seed is None else [asked.seed]
    began = time.monotonic()
    found = [_told(one, asked) for one in _all(seeds, asked)]
    good, bad = sum(one.verdict.is_good for one in found), [one for one in found if not one.verdict.is_good]
    kept = sum(one.verdict.kept for one in found)
    readable = sum(one.verdict.readable for one in found)
    peak_mb, took_s = max(one.peak_mb for one in found), time.monotonic() - began
    print(
        f"{good} of {len(found)} seeds are good; {kept} of {readable} readable slots kept, "
        f"{100 * kept / max(1, readable):.4f} %; {sum(one.cpu_s for one in found):.0f} s of a processor, "
        f"{took_s:.0f} s in all, at most {peak_mb:.0f} MB a process"
    )
    for one in bad:
        print(replay_of(one.seed, asked.days, asked.meters))
    sys.exit(1 if bad else 0)


def _all(seeds: Iterable[int], asked: argparse.Namespace) -> Iterable[Played]:
    with ProcessPoolExecutor(asked.workers) as pool:
        futures = [pool.submit(_played, seed, asked.days, asked.meters) for seed in seeds]
        for future in as_completed(futures):
            yield future.result()


def _played(seed: int, days: int, meters: int) -> Played:
    """Play a seed; one that cannot be played or judged to its end has failed, and the others go on."""
    quiet()
    before = time.process_time()
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        try:
            verdict = play(seed, Path(folder), days=days, meters=meters)
        except Exception:  # noqa: BLE001  # whatever it is, it is told with its seed
            verdict = Verdict(complaints=[traceback.format_exc()])
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Played(seed, verdict, time.process_time() - before, peak_mb)


def _told(one: Played, asked: argparse.Namespace) -> Played:
    good = "good" if one.verdict.is_good else f"BAD, {replay_of(one.seed, asked.days, asked.meters)}"
    print(f"seed {one.seed}: {good} ({one.cpu_s:.1f} s): {one.verdict.words()}", flush=True)
    return one


if __name__ == "__main__":
    main()
