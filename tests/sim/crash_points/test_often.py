"""Programs that die again and again through one world: at every kind of point, and all ends are true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from meterlink.orders.dispatch import reading_back
from meterlink.orders.life.look import Conclusion
from meterlink.orders.life.machine import Signal
from tests.sim.crash_points.fates import DEEDS_OF_A_START, Often, Tally
from tests.sim.crash_points.plan import APART, OFTEN_FROM, WIDE_FROM, Plan
from tests.sim.crash_points.playing import play, play_often
from tests.sim.crash_points.results import Results
from tests.sim.crash_points.soak import FIRST_SEEDS, report, seeds_in_turn

BRIEF = 1_010_010
"""A trip, in a world that is soon over."""
SEEDS = (BRIEF, 1_010_007, 1_100_000, 1_100_019, 1_100_027)
KINDS = ("before a commit", "behind a commit", "before a send", "behind a send", "octets came")


def test_orders_end_well_however_often_the_program_dies() -> None:
    """A death while another is recovered from would let an order be obeyed twice, or be told wrong."""
    tally = Tally()
    for seed in SEEDS:
        tally.add(play_often(seed))
    assert [] == tally.wrong
    assert tally.ends["done"] >= len(SEEDS)
    died_at = Counter(what.split(", ")[1] for what in tally.deaths.elements())
    assert all(died_at[kind] >= 10 for kind in KINDS), died_at
    stood = Counter(what.split(", ")[0] for what in tally.deaths.elements())
    assert all(stood[state] for state in ("precheck", "sending", "unconfirmed", "readback")), stood


def test_a_world_that_goes_wrong_goes_wrong_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a night has found nobody could look into; or nothing would be found, whatever there was."""
    believed = Conclusion(signal=Signal.PROVE_NOT, proof="it is so")
    monkeypatch.setattr(reading_back, "conclude", lambda *_args, **_options: believed)
    found = play_often(BRIEF).wrong
    assert any("and was obeyed" in told for _, told in found), found
    (kills,) = {kills for kills, _ in found}
    assert len(kills) > 9
    assert [told for _, told in found] == list(play(BRIEF, kills).complaints)


def test_nobody_dies_more_often_than_the_limit() -> None:
    """A world might never come to its end."""
    fate = Often(1, 1.0, kills_max=3)
    assert 3 == sum(fate.dies(point, "somewhere", DEEDS_OF_A_START + 1, object) for point in range(1, 200))
    assert 3 == len(fate.kills) == fate.tally.kills == sum(fate.tally.deaths.values())


def test_no_life_ends_before_it_has_done_anything() -> None:
    """Deaths of a program that only starts would make up the million."""
    fate = Often(1, 0.001)
    assert not any(fate.dies(point, "somewhere", DEEDS_OF_A_START, object) for point in range(1, 200))
    assert fate.dies(200, "somewhere", DEEDS_OF_A_START + 1, object)


def test_lives_differ_and_some_are_long() -> None:
    """No order would come past the questions that are asked before it is sent."""
    fate = Often(1, 4.0, kills_max=300)
    fate.dies(1, "somewhere", 9, object)
    lives, since = [], 0
    for point in range(1, 5_000):
        since += 1
        if fate.dies(point, "somewhere", 9, object):
            lives.append(since)
            since = 0
    assert 3 <= sorted(lives)[len(lives) // 2] <= 5
    assert 40 < max(lives)


def test_plans_of_many_deaths_are_those_of_one_otherwise() -> None:
    """They would leave out kinds of orders, lines or meters."""
    for first in FIRST_SEEDS:
        one, many = Plan.of(first + 3), Plan.of(OFTEN_FROM + first + 3)
        assert (one.wishes, one.protocol, one.faults) == (many.wishes, many.protocol, many.faults)
        assert one.apart is None
    nearest, farthest = APART
    apart = [Plan.of(OFTEN_FROM + number).apart or 0 for number in range(100)]
    assert nearest <= min(apart) < 2 * nearest < farthest / 2 < max(apart) <= farthest


def test_both_ways_are_played_in_turn() -> None:
    """A million kills would all be of one way."""
    seeds = seeds_in_turn()
    first = [next(seeds) for _ in range(2_000)]
    assert len(set(first)) == len(first)
    assert {10_000, WIDE_FROM, OFTEN_FROM + 10_000, OFTEN_FROM + WIDE_FROM} <= set(first)


def test_a_soak_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A million points would have to be played at a stretch; or a seed would count twice, or elsewhere."""
    results = Results.of(tmp_path)
    results.keep(5, Tally(played=3, kills=3, ends=Counter(done=2), wrong=[((7, 8), "a lie")]), 1.5, "v1")
    results.keep(6, Tally(played=4, kills=4, alike=2, again=1, ends=Counter(done=1)), 1.0, "v2")
    results.keep(OFTEN_FROM, Tally(played=1, kills=50, deaths=Counter(here=50)), 0.5, "v2")
    with results.file.open("a") as file:
        file.write('{"seed": 7, "pla')
    found = Results.of(tmp_path)
    assert {5, 6, OFTEN_FROM} == found.seeds
    once, often = found.ways["once"], found.ways["often"]
    assert Tally(played=7, kills=7, alike=2, again=1, ends=Counter(done=3)) == once.tally
    assert (2, 2.5, Counter(v1=3, v2=4)) == (once.seeds, once.cpu_s, once.code)
    assert Tally(played=1, kills=50, deaths=Counter(here=50)) == often.tally
    assert (1, 0.5, Counter(v2=50)) == (often.seeds, often.cpu_s, often.code)
    assert (57, [(5, (7, 8), "a lie")]) == (found.kills, found.wrong)
    assert "make soak-orders SEED=5 POINT=7,8" in report(found)
    found.keep(7, Tally(played=1, kills=1), 1.0, "v2")
    assert {5, 6, 7, OFTEN_FROM} == Results.of(tmp_path).seeds
