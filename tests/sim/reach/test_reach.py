"""A day of 200 meters, half of them behind carrier modules and concentrators of both kinds.

`make soak-reach` plays the week of 2,000.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from tests.sim.reach.draft import Draft
from tests.sim.reach.playing import CHECKED_DAYS, CHECKED_METERS, DAYS, METERS, play, replay_of
from tests.sim.reach.progress import kept_in
from tests.sim.soak.playing import quiet

SEED = 1


@pytest.mark.timeout(180)
def test_a_day_of_meters_that_are_reached_by_every_way(tmp_path: Path) -> None:
    """What a carrier or a concentrator loses, mixes up (F16) or forgets (F15) would be kept as truth."""
    quiet()
    verdict, struck = play(SEED, tmp_path, days=CHECKED_DAYS, meters=CHECKED_METERS)
    assert verdict.is_good, f"{verdict.words()}\n{replay_of(SEED, CHECKED_DAYS, CHECKED_METERS)}"
    assert verdict.kept <= kept_in(tmp_path / JOURNAL_FILE), "how far a run is would be told wrong"
    ways = {(way, route) for way, _, route in verdict.routes}
    assert {
        ("cable", "line"),
        ("serial", "line"),
        ("carrier", "line"),
        ("1376.1", "store"),
        ("1376.1", "forward"),
        ("698.45", "store"),
        ("698.45", "proxy"),
    } <= ways, "every way was used"
    assert all(struck.values()), f"every trouble befell: {struck}"


def test_a_draft_follows_from_its_seed() -> None:
    """A seed that failed would be another world the next time."""
    first, again, other = (Draft(seed, days=2, meters=100) for seed in (3, 3, 4))
    assert (first.lines, first.meters, first.lives) == (again.lines, again.meters, again.lives)
    assert first.plant == again.plant
    assert first.meters != other.meters


@pytest.mark.parametrize(("days", "meters"), [(CHECKED_DAYS, CHECKED_METERS), (DAYS, METERS), (1, 41)])
def test_half_of_the_meters_are_behind_something_of_each_kind(days: int, meters: int) -> None:
    """A kind of way would not be played at all."""
    draft = Draft(1, days=days, meters=meters)
    assert meters == len(draft.meters) == len({one.address for one in draft.meters})
    ways = Counter(one.way for one in draft.meters)
    assert meters // 2 == ways["cable"] + ways["serial"]
    assert {"cable", "serial", "carrier", "1376.1", "698.45"} == set(ways)
    windows = {line.carrier.window for line in draft.lines if line.carrier is not None}
    assert 0 in windows, "one module reads one at a time"
    assert len(windows) > 1
    assert {one.address for one in draft.meters} == {meter.address for meter in draft.plant.meters()}
