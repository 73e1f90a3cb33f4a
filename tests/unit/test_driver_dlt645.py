"""What the driver makes of an answer."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer
from meterlink.drivers.dlt645 import Dlt645Driver
from meterlink.errors import BadAnswer
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim.loop import Simulation
from meterwire.dlt645 import Frame, encode

_ADDRESS = "000000000161"


def _read(item: str, di: str, data: str) -> MeterAnswer:
    """The answer to one read; ``di`` as on the wire, ``data`` what the meter says behind it."""
    simulation = Simulation()

    async def program() -> MeterAnswer:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        async def meter() -> None:
            await far.receive()
            octets = bytes.fromhex(di + data)
            await far.send(encode(Frame(address=_ADDRESS, function=0x11, data=octets, from_meter=True)))

        line = Line("line1", opener=opener, timing=Timing(), rng=random.Random(1))
        answers: list[MeterAnswer] = []
        failures: list[BadAnswer] = []
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            group.create_task(meter())
            try:
                driver = Dlt645Driver(simulation.clock)
                answers.append(await driver.read(line, _ADDRESS, item, priority=Priority.CURVE))
            except BadAnswer as error:
                failures.append(error)
            owner.cancel()
        if failures:
            raise failures[0]
        return answers[0]

    return simulation.run(program())


def test_what_a_meter_has_not_is_marked_absent() -> None:
    """A single-phase meter fills B and C with FFH: as a number that is 1,665.6 V."""
    values = _read("voltage.*", "00FF0102", "5622FFFFFFFF").values
    assert ["voltage.a", "voltage.b", "voltage.c"] == [value.item for value in values]
    assert [Decimal("225.6"), None, None] == [value.value for value in values]
    assert [NO_MARKS, Marks.ABSENT, Marks.ABSENT] == [value.marks for value in values]


def test_digits_that_are_none_are_marked_invalid() -> None:
    """A meter with a broken memory sends letters; half of them would pass for a number."""
    [value] = _read("forward_active_energy", "00000100", "00000E00").values
    assert (None, Marks.INVALID_DIGITS) == (value.value, value.marks)


def test_an_answer_of_another_length_is_no_answer() -> None:
    """A value cut out of the wrong octets looks like any other."""
    with pytest.raises(BadAnswer):
        _read("forward_active_energy", "00000100", "000000")
