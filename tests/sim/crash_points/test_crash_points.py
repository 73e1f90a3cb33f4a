"""Orders of every kind, killed at every point of their way (F23, F44, F45, F51 to F54); the meters are asked.

A crash point is a seed and the k-th change of the outside (see ``points``). All k of five seeds are played,
one of each theme, and a sample of others, some of which die twice. What fails prints the command that plays
it again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from meterlink.orders import reading_back
from meterlink.orders.look import Conclusion
from meterlink.orders.machine import Signal
from tests.sim.crash_points.plan import PROTOCOLS, THEMES, Plan
from tests.sim.crash_points.soak import play, replay_of

SEEDS = (45, 136, 7, 43, 44)
"""A trip; one that is paid for; two purchases; guarantee on and off; alarm on and off. The lines of 45, 136
and 44 store frames, 43 and 44 are of DL/T 698.45."""
PARTS = 20
"""Of each seed's points, so that no test takes long."""
SAMPLES = 50
TWICE_OF = 0.4


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


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("seed", SEEDS)
def test_no_point_lets_an_order_go_wrong(seed: int, part: int) -> None:
    """An order would be obeyed twice, late or by another meter; or it would say what is not so."""
    points = play(seed, ()).points[0]
    wrong = [_wrong(seed, (point,)) for point in range(1 + part, points + 1, PARTS)]
    assert [] == [told for told in wrong if told]


@pytest.mark.parametrize("number", range(SAMPLES))
def test_no_point_of_a_sample_lets_an_order_go_wrong(number: int) -> None:
    """The same, with other meters, other faults, and programs that die again while they recover."""
    seed = 1_000 + number
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


def test_plans_hold_what_they_are_for() -> None:
    """Nothing would go wrong on the line, or no meter would be protected or exchanged."""
    plans = [Plan.of(seed) for seed in range(200)]
    assert {"", "protected", "wrong_number"} == {plan.oddity for plan in plans}
    struck = Counter(rule.what for plan in plans for rule in plan.faults)
    assert {"silence", "loss", "late", "double", "stale"} <= set(struck)
    assert 20 < sum(not plan.faults for plan in plans) < 100


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
