"""The paced line's time after weeks: a tick is a billionth of a second, and so is a float of seconds then."""

from __future__ import annotations

from metersim.line.paced import now_ticks, until
from metersim.line.port import TICKS_A_SECOND
from metersim.loop import Simulation

_WEEKS_S = 2_160_003.466667096
_TICKS = 2_000


def test_a_tick_is_reached_when_its_time_has_come() -> None:
    """A simulator that ran for 25 days would turn for ever at one instant, and say nothing any more."""
    simulation = Simulation(steps_max=20 * _TICKS)
    simulation.clock.advance(_WEEKS_S)

    async def program() -> list[int]:
        first = round(_WEEKS_S * TICKS_A_SECOND)
        early = []
        for number in range(_TICKS):
            tick = first + number * 11_527
            await until(tick)
            if now_ticks() < tick:
                early.append(tick)
        return early

    assert [] == simulation.run(program())
