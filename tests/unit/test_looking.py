"""What a look after a control tells of the meter's clock: nothing, if ours was set meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from meterlink.drivers.control import ClockLook, Known, Standing
from meterlink.model.order import OrderKind
from meterlink.orders.dispatch.looking import look_after
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.timeline import Timeline
from metersim.loop import Simulation
from tests.support.orders import standing
from tests.support.rules import METER

SHOWN = ClockLook(offset=timedelta(seconds=2), error=timedelta(seconds=1))


class _Driver:
    """Looks at a meter; somebody sets our clock while it looks at the meter's."""

    def __init__(self, sim: Simulation, step: timedelta) -> None:
        self._sim = sim
        self._step = step
        self.asked = 0

    async def clock(self, _line: Any, _address: str) -> ClockLook:
        self.asked += 1
        self._sim.clock.step_wall(self._step)
        return SHOWN

    async def standing(self, _line: Any, _address: str, _known: Known) -> Standing:
        return standing()


@pytest.mark.parametrize(
    ("step", "is_ours", "shown"),
    [
        (timedelta(), False, SHOWN),
        (timedelta(hours=1), False, None),
        (timedelta(hours=-1), False, None),
        (timedelta(), True, None),
    ],
)
def test_a_clock_that_was_set_meanwhile_proves_no_frame_dead(
    step: timedelta, is_ours: bool, shown: ClockLook | None
) -> None:
    """A frame that a line still stores would count as past its expiry, and a second one be obeyed too."""
    sim = Simulation()
    driver: Any = _Driver(sim, step)
    unused: Any = None
    reach = Reach(
        meter=replace(METER, line_is_ours=is_ours),
        driver=driver,
        security=unused,
        operator_code="20261124",
        reply_timeout=timedelta(seconds=1),
        facts=unused,
    )
    look = sim.run(look_after(unused, reach, OrderKind.TRIP, SwitchFacts(), Timeline(sim.clock)))
    assert (shown, not is_ours) == (look.clock, driver.asked == 1)
