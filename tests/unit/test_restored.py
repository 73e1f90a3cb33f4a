"""The word of the first person, after a journal was put back, waits an hour for that of a second one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.journal.journal import Journal
from meterlink.orders.judging.least_time import LeastTime
from meterlink.orders.judging.restored import ASK_MAX, Restored
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.people import Actor
from metersim.loop import Simulation
from tests.support.rules import SECURITY

SECOND = timedelta(seconds=1)
STEVE = Actor(name="steve", roles=SECURITY.roles)


@pytest.mark.parametrize(
    ("passes", "is_set_by", "is_trusted"),
    [
        (ASK_MAX, timedelta(), True),
        (ASK_MAX + SECOND, timedelta(), False),
        (ASK_MAX + SECOND, -ASK_MAX, False),
        (timedelta(), ASK_MAX + SECOND, False),
    ],
)
def test_the_second_word_comes_within_an_hour(
    tmp_path: Path, passes: timedelta, is_set_by: timedelta, is_trusted: bool
) -> None:
    """One person's word of weeks ago and a slip of another's hand would let all orders go."""
    sim = Simulation()

    async def life() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            timeline, wall = Timeline(sim.clock), LeastTime(journal.acts, sim.clock)
            restored = Restored(journal.acts, journal.mark, timeline, wall)
            restored.doubt = "the journal lacks act 7"
            assert not await restored.trust(SECURITY, "the meters were read")
            await asyncio.sleep(passes.total_seconds())
            sim.clock.step_wall(is_set_by)
            assert is_trusted is await restored.trust(STEVE, "the meters were read")
            assert is_trusted is (restored.doubt == "")
            if not is_trusted:
                assert await restored.trust(SECURITY, "once more"), "his was the first word"

    sim.run(life())


@pytest.mark.parametrize("is_the_same_life", [True, False])
def test_a_word_of_an_earlier_life_of_the_program_is_no_first_word(
    tmp_path: Path, *, is_the_same_life: bool
) -> None:
    """What somebody looked at before a journal was put back again would count for what he never saw."""
    sim = Simulation()

    async def life() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:

            def begun() -> Restored:
                timeline, wall = Timeline(sim.clock), LeastTime(journal.acts, sim.clock)
                restored = Restored(journal.acts, journal.mark, timeline, wall)
                restored.doubt = "the journal lacks act 7"
                return restored

            first = begun()
            assert not await first.trust(SECURITY, "the meters were read")
            now = first if is_the_same_life else begun()
            assert is_the_same_life is await now.trust(STEVE, "the meters were read")
            if not is_the_same_life:
                assert "the journal lacks act 7" == now.doubt
                assert await now.trust(SECURITY, "they were read again"), "two words of this life"

    sim.run(life())
