"""Days of a gateway that reaches its meters by every way: ``make soak-reach METERS=2000 DAYS=7``."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.sim.reach.playing import DAYS, METERS, play, replay_of
from tests.sim.soak.playing import quiet
from tests.support.scratch import in_memory


def main() -> None:
    """Play what the command line says; exit 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description="days of a gateway that reaches meters by every way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--meters", type=int, default=METERS)
    parser.add_argument("--quiet", action="store_true", help="do not say each minute how far it is")
    asked = parser.parse_args()
    quiet()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        played = play(asked.seed, Path(folder), days=asked.days, meters=asked.meters, is_told=not asked.quiet)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(played.verdict.words())
    print("  befell: " + ", ".join(f"{name} {count}" for name, count in played.struck.items()))
    print(
        f"seed {asked.seed}, {asked.days} days, {asked.meters} meters: "
        f"{'good' if played.verdict.is_good else 'BAD'}; {time.process_time():.0f} s of a processor, "
        f"{time.monotonic() - began_s:.0f} s in all, at most {peak_mb:.0f} MB"
    )
    if not played.verdict.is_good:
        print(replay_of(asked.seed, asked.days, asked.meters))
        sys.exit(1)


if __name__ == "__main__":
    main()
