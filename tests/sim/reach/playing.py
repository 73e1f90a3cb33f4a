"""One seed played from its draft to its verdict."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Final, NamedTuple

from tests.sim.reach.draft import CURVE_S, DAY_S, Draft
from tests.sim.reach.progress import Look, Progress, kept_in
from tests.sim.reach.verdict import Verdict, judge
from tests.sim.reach.world import World

DAYS: Final = 7
METERS: Final = 2_000
CHECKED_DAYS: Final = 1
CHECKED_METERS: Final = 200
"""What every run of the tests plays."""


class Played(NamedTuple):
    """What came of a seed.

    Args:
        verdict: of the comparison.
        struck: how often each trouble befell the plant.

    """

    verdict: Verdict
    struck: dict[str, int]


def play(seed: int, folder: Path, *, days: int, meters: int, is_told: bool = False) -> Played:
    """Play a seed.

    Args:
        seed: 0 or more.
        folder: of the gateway; empty.
        days: of which the slots are looked at, 1 or more.
        meters: 40 or more.
        is_told: how far it is, a line each minute.

    """
    draft = Draft(seed, days=days, meters=meters)
    world = World(draft, folder)
    with progress_of(draft, world).told() if is_told else contextlib.nullcontext():
        world.play()
        verdict = judge(draft, world)
    return Played(verdict, struck(draft, world))


def progress_of(draft: Draft, world: World) -> Progress:
    """How far a world is that is being played; the quiet time at its end has slots too."""
    days, points = math.ceil(draft.ends_at / DAY_S), int(draft.ends_at / CURVE_S)
    return Progress(
        ends_at_s=draft.ends_at,
        due=len(draft.meters) * (days + points),
        look=lambda: Look(world.sim.clock.monotonic_s(), kept_in(world.journal)),
    )


def struck(draft: Draft, world: World) -> dict[str, int]:
    """How often each trouble befell the plant, as it counted itself."""
    plant = world.plant
    modules = [line.carrier for line in plant.lines.values() if line.carrier is not None]
    return {
        "modules_reset": sum(one.resets for one in modules),
        "concentrators_reset_in_a_block": sum(one.resets for one in plant.concentrators.values()),
        "terminals_reset_in_an_answer": sum(one.resets for one in plant.terminals.values()),
        "calls": world.calls,
        "connections_cut": world.cut,
        "answers_overtaken": sum(one.requests.overtaken for one in modules),
        "lost_over_carriers": sum(one.reader.exchanges - one.air.delivered for one in modules),
        "silent_meters": sum(bool(one.away) for one in draft.meters),
        "lives_of_the_daemon": len(draft.lives),
    }


def replay_of(seed: int, days: int, meters: int) -> str:
    """The command that plays a seed again."""
    return f"make soak-reach SEED={seed} DAYS={days} METERS={meters}"
