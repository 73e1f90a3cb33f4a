"""One seed played from its draft to its verdict."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import structlog

from tests.sim.soak.drawing import drawn
from tests.sim.soak.verdict import Verdict, judge
from tests.sim.soak.world import World

DAYS: Final = 3
METERS: Final = 60


def play(seed: int, folder: Path, *, days: int = DAYS, meters: int = METERS) -> Verdict:
    """Play a seed.

    Args:
        seed: 0 or more.
        folder: of the gateway; empty.
        days: of which the slots are looked at, 1 or more.
        meters: 12 or more.

    """
    draft = drawn(seed, days=days, meters=meters)
    world = World(draft, folder)
    world.play()
    return judge(draft, world)


def quiet() -> None:
    """Say nothing of what befalls the gateway: of a week that would be thousands of lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def replay_of(seed: int, days: int, meters: int) -> str:
    """The command that plays a seed again."""
    return f"make soak SEED={seed} DAYS={days} METERS={meters}"
