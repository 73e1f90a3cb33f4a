"""The wall around a driver: a fault of ours over one answer of a memory costs that answer alone."""

from __future__ import annotations

import random
from typing import Any

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Wanted
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.guard import GuardedDriver
from meterlink.errors import BadAnswer, MeterlinkError, ReplyTimeout
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Simulation
from tests.support.stored import ADDRESS, MIDNIGHT


class _Breaking(Dlt645Driver):
    """A driver that fails as it is told to."""

    failure: Exception

    async def read_stored(self, *_: Any, **__: Any) -> Any:
        raise self.failure


async def _opener() -> ByteStream:
    return memory_line()[0]


@pytest.mark.parametrize(
    ("failure", "seen", "faults"),
    [
        (KeyError("what"), BadAnswer, 1),
        (ValueError("what"), BadAnswer, 1),
        (ReplyTimeout("-"), ReplyTimeout, 0),
    ],
)
def test_a_fault_of_ours_over_a_memory_is_one_bad_answer(
    failure: Exception, seen: type[MeterlinkError], faults: int
) -> None:
    """The task of a line would end over one meter, and its neighbours wait for ever."""
    simulation = Simulation()
    driver = _Breaking(simulation.clock)
    driver.failure = failure
    guarded = GuardedDriver(driver)
    assert driver.stored == guarded.stored

    async def program() -> None:
        line = Line("line1", opener=_opener, timing=Timing(), rng=random.Random(1))
        with pytest.raises(seen):
            await guarded.read_stored(
                line,
                ADDRESS,
                Wanted(DAILY_FREEZE, ["forward_active_energy"], [MIDNIGHT]),
                priority=Priority.BILLING,
            )

    simulation.run(program())
    assert faults == guarded.faults
