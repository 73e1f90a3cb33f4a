"""Orders of every kind, killed at every point of their way (F23, F44, F45, F51 to F54); the meters are asked.

A crash point is a seed and the k-th change of the outside (see ``points``). All k of five seeds are played,
one of each theme, in doubled worlds (see ``fates``), and a sample of others from their beginning, some of
which die twice. What fails prints the command that plays it again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from meterlink.orders.dispatch import reading_back
from meterlink.orders.life.look import Conclusion
from meterlink.orders.life.machine import Signal
from tests.sim.crash_points import world
from tests.sim.crash_points.fates import Doubling, Some
from tests.sim.crash_points.plan import PROTOCOLS, STEPS, THEMES, WIDE_FROM, WIDE_THEMES, Plan
from tests.sim.crash_points.playing import distinct_points_of, play, play_all, play_part, replay_of
from tests.sim.soak.playing import quiet

SEEDS = {45: 8, 136: 24, 7: 8, 43: 8, 44: 8}
"""A trip; one that is paid for; two purchases; guarantee on and off; alarm on and off. The lines of 45, 136
and 44 store frames, 43 and 44 are of DL/T 698.45. The points of each are tried in so many parts, so that no
test takes long."""
SHORT = 10_046
"""One with few points."""
SAMPLES = 50
WIDE_SAMPLES = 24
"""Three of each wide theme."""
SAMPLED = (*range(1_000, 1_000 + SAMPLES), *range(WIDE_FROM, WIDE_FROM + WIDE_SAMPLES))
TWICE_OF = 0.4

pytestmark = pytest.mark.timeout(
    120
)  # a way with a long wait is played in ten seconds when nobody else computes


def test_every_theme_and_protocol_has_its_seed() -> None:
    """A kind of order would not be killed at all."""
    assert set(range(len(THEMES))) == {seed % len(THEMES) for seed in SEEDS}
    assert set(PROTOCOLS) == {Plan.of(seed).protocol for seed in SEEDS}
    assert {True, False} == {Plan.of(seed).is_storing for seed in SEEDS}
    assert {True, False} == {Plan.of(seed).is_plain for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_nobody_kills_comes_to_its_end(seed: int) -> None:
    """Most points would lie behind an order that was refused at once."""
    played = play(seed, ())
    assert () == played.complaints
    assert {"done", "not_done"} >= set(played.ends.values())
    assert played.ends


@pytest.fixture(scope="module")
def apart() -> Iterator[ProcessPoolExecutor]:
    """A small process: to copy that of thousands of tests takes as long as the world that a copy plays."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=quiet) as process:
        yield process


@pytest.mark.parametrize(("seed", "part"), [(seed, part) for seed in SEEDS for part in range(SEEDS[seed])])
def test_no_point_lets_an_order_go_wrong(apart: ProcessPoolExecutor, seed: int, part: int) -> None:
    """An order would be obeyed twice, late or by another meter; or it would say what is not so."""
    points, tally = apart.submit(play_part, seed, part, SEEDS[seed]).result()
    assert [] == [f"{replay_of(seed, kills)}: {told}" for kills, told in tally.wrong]
    assert 10 < points == tally.played == tally.kills


@pytest.mark.parametrize(
    "seed", [*range(1_000, 1_000 + SAMPLES), *range(WIDE_FROM, WIDE_FROM + WIDE_SAMPLES)]
)
def test_no_point_of_a_sample_lets_an_order_go_wrong(seed: int) -> None:
    """The same, with other meters, other faults, and programs that die again while they recover."""
    chance = random.Random(seed)
    points = play(seed, ()).points[0]
    kills = tuple(chance.randint(1, points) for _ in range(1 + (chance.random() < TWICE_OF)))
    assert not _wrong(seed, kills)


def _wrong(seed: int, kills: tuple[int, ...]) -> str:
    """What went wrong at a point, and how to play it again; empty: nothing."""
    played = play(seed, kills)
    if played.points[0] != kills[0]:
        return f"{replay_of(seed, kills)}: killed at {played.points[0]}, where it was not meant to be"
    return f"{replay_of(seed, kills)}: {'; '.join(played.complaints)}" if played.complaints else ""


def test_the_same_seed_and_point_play_the_same() -> None:
    """A fault that was found once could not be found again."""
    assert play(49, (100, 30)) == play(49, (100, 30))


def test_points_that_are_alike_play_the_same() -> None:
    """Points would be left out that nobody has tried."""
    distinct = distinct_points_of(44)
    alike = [point for point in range(1, play(44).points[0] + 1) if point not in distinct]
    assert 10 < len(alike)
    for point in alike[::10]:
        one, other = play(44, (point - 1,)), play(44, (point,))
        assert (one.rows, one.complaints) == (other.rows, other.complaints)


SOME = range(4, 120, 9)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_doubled_worlds_are_those_that_are_played_one_by_one() -> None:
    """The soak would play other worlds than its replays, or a copy would spoil its original's."""
    tally = play_all(44, Some(44, SOME))
    assert len(SOME) == tally.played == tally.kills == sum(tally.deaths.values())
    assert [] == tally.wrong
    assert tally.ends == Counter(state for point in SOME for state in play(44, (point,)).ends.values())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_every_distinct_point_is_doubled_and_what_goes_wrong_there_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A soak would find nothing, whatever there was."""
    monkeypatch.setattr(world, "complaints", lambda *_: ["a lie"])
    tally = play_all(SHORT, Doubling(SHORT, lives_max=2))
    distinct = distinct_points_of(SHORT)
    assert {(), *((point,) for point in distinct)} == {kills for kills, _ in tally.wrong}
    assert {"a lie"} == {told for _, told in tally.wrong}
    assert len(distinct) == tally.played
    assert play(SHORT).points[0] == tally.played + tally.alike


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_copy_that_fails_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world that cannot be judged would count as one in which nothing was wrong."""
    monkeypatch.setattr(world, "complaints", lambda *_: 1 // 0)
    fate = Doubling(SHORT, lives_max=2)
    with pytest.raises(ZeroDivisionError):
        play_all(SHORT, fate)
    assert 10 < fate.tally.played == len(fate.tally.wrong)
    assert all("ZeroDivisionError" in told for _, told in fate.tally.wrong)


def test_plans_hold_what_they_are_for() -> None:
    """Nothing would go wrong on the line, or no meter would be protected or exchanged."""
    plans = [Plan.of(seed) for seed in range(200)]
    assert {"", "protected", "wrong_number"} == {plan.oddity for plan in plans}
    struck = Counter(rule.what for plan in plans for rule in plan.faults)
    assert {"silence", "loss", "late", "double", "stale"} <= set(struck)
    assert 20 < sum(not plan.faults for plan in plans) < 100


def test_wide_plans_hold_what_they_are_for() -> None:
    """Nobody would begin a case, close by hand, set a clock, or read a meter meanwhile."""
    plans = [Plan.of(WIDE_FROM + number) for number in range(200)]
    wanted = {wish.what for plan in plans for wish in plan.wishes}
    assert {what for theme in WIDE_THEMES for what in theme} == wanted
    assert set(STEPS) == {wish.once[0] for plan in plans for wish in plan.wishes if wish.once}
    assert 20 < sum(bool(plan.clock_steps) for plan in plans) < 100
    assert 50 < sum(plan.read_every is not None for plan in plans) < 180
    assert 100 < sum(not plan.is_loaded for plan in plans)


@pytest.mark.parametrize(
    ("seed", "ends"),
    [
        (WIDE_FROM + 2, ["done", "done"]),
        (WIDE_FROM + 14, ["done", "done"]),
        (WIDE_FROM + 17, ["done", "done"]),
        (WIDE_FROM + 11, ["done", "done"]),
    ],
    ids=["case and payment", "field close", "permit", "direct close"],
)
def test_the_wide_worlds_come_to_something(seed: int, ends: list[str]) -> None:
    """A case, a grant or a closing by persons that the rules refuse would have no points to speak of."""
    played = play(seed)
    assert ends == list(played.ends.values())
    assert 2 <= sum(row["verb"] == "intend" for row in played.rows)


def _believes(signal: Signal) -> Callable[..., Conclusion]:
    """A program that takes whatever it sees for one thing."""
    return lambda *_args, **_options: Conclusion(signal=signal, proof="it is so")


@pytest.mark.parametrize(
    ("signal", "seed", "complaint"),
    [
        (Signal.PROVE_NOT, 10, "and was obeyed"),
        (Signal.PROVE, 49, "and was not obeyed"),
        (Signal.GIVE_UP, 10, "it was given up after"),
    ],
)
def test_a_program_that_believes_too_much_is_found(
    monkeypatch: pytest.MonkeyPatch, signal: Signal, seed: int, complaint: str
) -> None:
    """Everything above would pass whatever the daemon did."""
    monkeypatch.setattr(reading_back, "conclude", _believes(signal))
    found = play(seed, ()).complaints
    assert any(complaint in told for told in found), found
