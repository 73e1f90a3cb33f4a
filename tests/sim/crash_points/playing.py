"""A seed's world, with given points or with all of its points; in the machine's memory, where it can be."""

from __future__ import annotations

import functools
import gc
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.sim.crash_points.fates import Doubling, Listed, Often, Some, Tally
from tests.sim.crash_points.plan import Plan
from tests.sim.crash_points.world import Played, World
from tests.support.scratch import in_memory


def play(seed: int, kills: Sequence[int] = (), *, folder: Path | None = None) -> Played:
    """One world, dying at these points, a life each.

    Args:
        seed: of its plan.
        kills: the points; by default nobody dies.
        folder: where its files are; by default in memory.

    """
    with tempfile.TemporaryDirectory(dir=folder or in_memory()) as scratch:
        return World(Plan.of(seed), Path(scratch), Listed(kills)).run()


def distinct_points_of(seed: int) -> list[int]:
    """The points of the first life, less those at which nothing outside has changed since the one before."""
    fate = Listed()
    with tempfile.TemporaryDirectory(dir=in_memory()) as scratch:
        World(Plan.of(seed), Path(scratch), fate).run()
    return fate.distinct


def play_all(seed: int, fate: Doubling | None = None) -> Tally:
    """Every point of the first life of a seed's world, and some of the lives that follow."""
    fate = fate or Doubling(seed)
    was_frozen = gc.get_freeze_count()
    gc.collect()
    gc.freeze()  # so that no copy looks through it, and copies its pages
    try:
        with tempfile.TemporaryDirectory(dir=in_memory()) as scratch:
            played = _played(seed, Path(scratch), fate)
    finally:
        if not was_frozen:  # a run of tests keeps what it has collected out of sight
            gc.unfreeze()
    fate.tally.wrong += [((), told) for told in played.complaints]
    return fate.tally


def play_part(seed: int, part: int, parts: int) -> tuple[int, Tally]:
    """A part of the distinct points of a seed's world, doubled; how many they are.

    Args:
        seed: of its plan.
        part: which, 0 to ``parts`` - 1.
        parts: that all of them make.

    """
    points = _distinct_points_of(seed)[part::parts]
    return len(points), play_all(seed, Some(seed, points))


def play_often(seed: int) -> Tally:
    """A world whose program dies again and again.

    Args:
        seed: one from ``plan.OFTEN_FROM`` on.

    """
    plan = Plan.of(seed)
    assert plan.apart is not None, f"{seed} is no world of many deaths"
    fate = Often(seed, plan.apart)
    try:
        with tempfile.TemporaryDirectory(dir=in_memory()) as scratch:
            played = World(plan, Path(scratch), fate).run()
    except Exception as error:  # noqa: BLE001 (it is told, with the way that leads there)
        fate.tally.wrong += [(fate.kills, "".join(traceback.format_exception(error)))]
        return fate.tally
    fate.tally.played, fate.tally.again = int(bool(fate.kills)), int(len(fate.kills) > 1)
    fate.tally.ends.update(played.ends.values())
    fate.tally.wrong += [(fate.kills, told) for told in played.complaints]
    return fate.tally


_distinct_points_of = functools.cache(distinct_points_of)


def replay_of(seed: int, kills: Sequence[int]) -> str:
    """The command that plays it again."""
    return f"make soak-orders SEED={seed} POINT={','.join(map(str, kills))}"


def _played(seed: int, scratch: Path, fate: Doubling) -> Played:
    """Play it; a copy of this process ends here, whatever comes."""
    try:
        played = World(Plan.of(seed), scratch, fate).run()
    except BaseException as error:
        if not fate.is_copy:
            raise
        fate.tell((), ["".join(traceback.format_exception(error))])
    if fate.is_copy:
        fate.tell(tuple(played.ends.values()), played.complaints)
    return played
